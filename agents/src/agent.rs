//! What an agent is, seen from the program that runs it.

use std::sync::Arc;

use egn_solver::{Report, Snapshot, SolverError, State, StateError};

use crate::{
    context::Clock,
    error::AgentError,
    experience::{replay::ReplayBuffer, rollout::Rollout},
    policies::policy::Policy,
};

/// One optimizer step, or why there was none.
#[derive(Debug, Clone, PartialEq)]
pub struct Update {
    /// Name of the network that the step was for.
    pub network: &'static str,
    /// What the step did. After an error the network is as it was.
    pub result: Result<Report, SolverError>,
}

/// What came of learning from a rollout.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Learned {
    /// Every optimizer step, in order.
    pub updates: Vec<Update>,
    /// Figures of the agent's own, such as the entropy of its policy.
    pub metrics: Vec<(&'static str, f64)>,
}

/// An algorithm in training.
pub trait Agent: Send {
    /// Steps that each environment takes between two calls of [`Agent::learn`].
    fn steps_per_rollout(&self) -> usize;

    /// The policy as it is now, which learning does not change.
    ///
    /// # Errors
    /// When the network cannot be copied.
    fn policy(&self) -> Result<Arc<dyn Policy>, AgentError>;

    /// Learns from a rollout; `clock` stands at its end.
    ///
    /// # Errors
    /// When learning cannot go on at all; a step that failed is an [`Update`] instead.
    fn learn(&mut self, rollout: &Rollout, clock: Clock) -> Result<Learned, AgentError>;

    /// The replay memory of an agent that has one.
    fn replay(&mut self) -> Option<&mut ReplayBuffer> {
        None
    }

    /// Forgets the episodes under way in the environments `envs`, which will not go on: nothing
    /// held of them may be joined to what comes next.
    fn forget_episodes(&mut self, envs: &[usize]) {
        if let Some(replay) = self.replay() {
            replay.forget_episodes(envs);
        }
    }

    /// The network that acts, which [`crate::ActorPlan::policy`] turns into a policy again.
    ///
    /// # Errors
    /// When the network cannot be copied.
    fn policy_network(&self) -> Result<Snapshot, AgentError>;

    /// All that later learning depends on: networks, optimizers, memories, streams, counters.
    fn state(&self) -> State;

    /// Restores the state of an agent with the same settings.
    ///
    /// # Errors
    /// When it is not such a state; the agent is then of no more use.
    fn restore(&mut self, state: &State) -> Result<(), StateError>;
}
