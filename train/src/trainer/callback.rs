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
    /// Where the run stands after the rollout.
    pub after: Clock,
    /// Number of environments.
    pub n_envs: usize,
    /// Episodes that ended, by time and environment.
    pub episodes: &'a [Episode],
    /// What the agent learned from the rollout.
    pub learned: &'a Learned,
}

/// Watches a run.
pub trait Callback {
    /// Called after every rollout.
    ///
    /// # Errors
    /// Ends the run as failed.
    fn on_rollout(&mut self, event: &RolloutEvent<'_>) -> Result<Flow, TrainError>;

    /// Called after every evaluation.
    ///
    /// # Errors
    /// Ends the run as failed.
    fn on_evaluation(&mut self, point: &CurvePoint) -> Result<Flow, TrainError>;

    /// Called when an evaluation was the best so far, with the policy that was evaluated.
    ///
    /// # Errors
    /// Ends the run as failed.
    fn on_best(&mut self, _policy: &TrainedPolicy) -> Result<(), TrainError> {
        Ok(())
    }

    /// Called with a warning that an environment printed, once for each.
    fn on_warning(&mut self, _warning: &str) {}

    /// Called now and then, when the run can be resumed from `state`; adds to `state` what the
    /// callback needs itself.
    ///
    /// # Errors
    /// Ends the run as failed.
    fn on_checkpoint(&mut self, _state: &mut State) -> Result<(), TrainError> {
        Ok(())
    }
}

/// `()` watches nothing and lets every run go on.
impl Callback for () {
    fn on_rollout(&mut self, _: &RolloutEvent<'_>) -> Result<Flow, TrainError> {
        Ok(Flow::Continue(()))
    }

    fn on_evaluation(&mut self, _: &CurvePoint) -> Result<Flow, TrainError> {
        Ok(Flow::Continue(()))
    }
}
