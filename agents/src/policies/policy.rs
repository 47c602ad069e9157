//! Policies: what acts in the environments, on any thread, while its agent learns.

use candle_core::{Device, Tensor};
use egn_solver::SolverError;

use crate::{error::AgentError, experience::actions::Actions, policies::actor_state::ActorState};

/// Whether a policy explores.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Mode {
    /// Exploration, to learn; `progress` in [0, 1] is the fraction of training done, where
    /// schedules stand.
    Explore {
        /// Fraction of training done.
        progress: f64,
    },
    /// The greedy action, to be evaluated: no randomness.
    Greedy,
}

/// A frozen policy.
pub trait Policy: Send + Sync {
    /// Appends one action for each row of `observations` (n, observation); environment i draws
    /// from `states[i]` alone, and remembers there. Greedy policies draw nothing.
    ///
    /// # Errors
    /// When the network cannot be evaluated.
    fn act(
        &self,
        observations: &[f32],
        mode: Mode,
        states: &mut [ActorState],
        actions: &mut Actions,
    ) -> Result<(), AgentError>;
}

/// A batch of observations as a tensor (n, width).
pub(crate) fn batch_of(observations: &[f32], width: usize) -> Result<Tensor, SolverError> {
    Ok(Tensor::from_slice(observations, (observations.len() / width, width), &Device::Cpu)?)
}

/// The entries of continuous actions, for a policy to append to.
pub(crate) fn vectors(actions: &mut Actions) -> Result<&mut Vec<f32>, AgentError> {
    match actions {
        Actions::Continuous { values, .. } => Ok(values),
        Actions::Discrete(_) => Err(AgentError::ActionSpace { agent: "this policy", needs: "continuous" }),
    }
}
