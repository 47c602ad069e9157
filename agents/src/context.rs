//! What an agent is made for and with, where its run stands, and how much memory it asks for.

use egn_envs::Space;
use egn_solver::{OptimizerConfig, Precision, StepContext};

use crate::error::AgentError;

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Clock {
    /// Steps of all environments so far.
    pub env_steps: u64,
    /// Steps of the whole run.
    pub total_steps: u64,
    /// Asks for the costly norms in the next report of each network, because that report will be
    /// recorded.
    pub diagnose: bool,
}

impl Clock {
    /// Fraction of training done, in [0, 1].
    pub fn progress(&self) -> f64 {
        (self.env_steps as f64 / self.total_steps as f64).min(1.0)
    }

    /// The thousandth of the run that has been reached: one report of each network is kept in every
    /// one.
    pub fn thousandth(&self) -> u64 {
        self.env_steps * 1000 / self.total_steps
    }

    /// The context of an optimizer's step, the first of a series being the one that may report
    /// costly norms.
    pub(crate) fn context(&self, first: bool) -> StepContext<'static> {
        StepContext { progress: self.progress(), diagnose: first && self.diagnose, storage: None }
    }
}

/// What an agent sees and does: observations and actions of its environment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spaces<'a> {
    /// Entries of an observation.
    pub n_observations: usize,
    /// The space of actions.
    pub actions: &'a Space,
}

impl Spaces<'_> {
    /// Actions to choose among, or entries of a continuous action.
    pub fn n_actions(self) -> usize {
        self.actions.n_actions().unwrap_or_else(|| self.actions.len())
    }

    /// Number of actions, for an agent that needs a discrete space.
    ///
    /// # Errors
    /// When the space is not discrete.
    pub(crate) fn n_discrete(self, agent: &'static str) -> Result<usize, AgentError> {
        self.actions.n_actions().ok_or(AgentError::ActionSpace { agent, needs: "discrete" })
    }
}

/// How large an agent's settings make it, to be weighed before anything is allocated.
#[derive(Debug, Clone, PartialEq)]
pub struct Workload {
    /// Widths of the network that acts, from inputs to outputs; critics are of about its size.
    pub widths: Vec<usize>,
    /// Transitions held at once, in replay memory or as a rollout of all environments.
    pub transitions: u64,
    /// Most samples of an optimizer step.
    pub batch_size: u64,
    /// Most rows of curvature of one sample.
    pub rows_per_sample: u64,
}

/// What an agent is made for and with.
#[derive(Debug, Clone, PartialEq)]
pub struct AgentContext {
    /// The space of observations.
    pub observation_space: Space,
    /// The space of actions.
    pub action_space: Space,
    /// Steps of the whole run, for schedules.
    pub total_steps: u64,
    /// The run's seed, from which the agent derives its streams.
    pub seed: u64,
    /// Number type of the networks.
    pub precision: Precision,
    /// Optimizer of the policy or Q-network.
    pub optimizer: OptimizerConfig,
    /// Optimizer of the critic, where there is one.
    pub critic_optimizer: OptimizerConfig,
}

impl AgentContext {
    /// What the agent sees and does.
    pub fn spaces(&self) -> Spaces<'_> {
        Spaces { n_observations: self.observation_space.len(), actions: &self.action_space }
    }
}
