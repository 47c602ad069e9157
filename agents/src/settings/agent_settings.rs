//! What every agent's settings say of their algorithm.

use std::fmt::Debug;

use egn_solver::SettingError;

use crate::{
    agent::Agent,
    context::{AgentContext, Spaces, Workload},
    error::AgentError,
    policies::actor_plan::ActorPlan,
    settings::replay::ReplaySettings,
};

/// Settings that answer for their algorithm, in the algorithm's own file.
pub trait AgentSettings: Debug + Send + Sync {
    /// One line on what the algorithm is.
    fn summary(&self) -> &'static str;

    /// Checks that every setting is in its range.
    ///
    /// # Errors
    /// The first setting that is not.
    fn validate(&self) -> Result<(), SettingError> {
        Ok(())
    }

    /// γ, the discount of rewards to come.
    fn gamma(&self) -> f64;

    /// The settings of the replay memory, for agents that have one.
    fn replay(&self) -> Option<&ReplaySettings> {
        None
    }

    /// Whether the agent learns from a replay memory, whichever policy acted.
    fn has_replay(&self) -> bool {
        self.replay().is_some()
    }

    /// Environment steps without an update at the beginning of a run, for agents that wait.
    fn learning_starts(&self) -> Option<u64> {
        self.replay().map(|replay| replay.learning_starts)
    }

    /// Whether the agent trains a critic besides the network that acts.
    fn has_critic(&self) -> bool {
        false
    }

    /// Network, greedy rule and policy of what acts in these spaces.
    ///
    /// # Errors
    /// When the agent cannot take such actions.
    fn actor(&self, spaces: Spaces<'_>) -> Result<ActorPlan, AgentError>;

    /// What a run with so many environments and steps has to hold in memory.
    fn workload(&self, spaces: Spaces<'_>, n_envs: usize, total_steps: u64) -> Workload;

    /// The agent, ready to act.
    ///
    /// # Errors
    /// When the agent cannot take the environment's actions, or a network cannot be made.
    fn build(&self, context: &AgentContext) -> Result<Box<dyn Agent>, AgentError>;
}
