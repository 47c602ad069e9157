//! What watches a run, and what it is shown.

use std::ops::ControlFlow;

use egn_agents::{Clock, Learned, TrainedPolicy};
use egn_solver::State;

use crate::{record::contents::CurvePoint, trainer::error::TrainError, workers::task::Episode};

/// What a callback answers: go on, or stop the run.
pub type Flow = ControlFlow<()>;

/// A rollout that has been learned from.
#[derive(Debug, Clone, Copy)]
pub struct RolloutEvent<'a> {
    /// Where the run stood before the rollout.
    pub before: Clock,
    /// Where it stands now.
    pub after: Clock,
    /// Environments.
    pub n_envs: usize,
    /// Episodes that ended, by time and environment.
    pub episodes: &'a [Episode],
    /// What the agent did with it.
    pub learned: &'a Learned,
}

/// Watches a run.
pub trait Callback {
    /// After every rollout.
    ///
    /// # Errors
    /// Ends the run as failed.
    fn on_rollout(&mut self, event: &RolloutEvent<'_>) -> Result<Flow, TrainError>;

    /// After every evaluation.
    ///
    /// # Errors
    /// Ends the run as failed.
    fn on_evaluation(&mut self, point: &CurvePoint) -> Result<Flow, TrainError>;

    /// When an evaluation was the best so far, with the policy that was judged.
    ///
    /// # Errors
    /// Ends the run as failed.
    fn on_best(&mut self, _policy: &TrainedPolicy) -> Result<(), TrainError> {
        Ok(())
    }

    /// When the run can be resumed from `state`, now and then; adds to it what it needs itself.
    ///
    /// # Errors
    /// Ends the run as failed.
    fn on_checkpoint(&mut self, _state: &mut State) -> Result<(), TrainError> {
        Ok(())
    }
}
