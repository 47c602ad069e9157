//! What an agent is, seen from the program that runs it.

use std::sync::Arc;

use egn_envs::{LqrProblem, Space};
use egn_solver::{OptimizerConfig, Precision, Report, Snapshot, SolverError, State, StateError, StepContext};

use crate::{
    experience::{replay::ReplayBuffer, rollout::Rollout},
    policies::policy::Policy,
};

/// Why an agent cannot be made, or cannot go on.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum AgentError {
    /// The environment's actions are of a kind that the agent cannot take.
    #[error("agent '{agent}' needs {needs} actions")]
    ActionSpace {
        /// The agent.
        agent: &'static str,
        /// What it needs.
        needs: &'static str,
    },
    /// Observations are no images of the shape that the convolutions are made for.
    #[error(
        "agent.convolutions.image is {image:?}, {} numbers, and an observation has {n_observations}",
        .image.iter().product::<usize>()
    )]
    Image {
        /// Rows, columns, channels.
        image: [usize; 3],
        /// Entries of an observation.
        n_observations: usize,
    },
    /// A network could not be evaluated or made.
    #[error(transparent)]
    Network(#[from] SolverError),
}

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Clock {
    /// Steps of all environments so far.
    pub env_steps: u64,
    /// Steps of the whole run.
    pub total_steps: u64,
    /// Whether the first reports of each network will be kept, so that they should have what costs extra.
    pub diagnose: bool,
}

impl Clock {
    /// Fraction of training done, in [0, 1].
    pub fn progress(&self) -> f64 {
        (self.env_steps as f64 / self.total_steps as f64).min(1.0)
    }

    /// Which thousandth of the run it is: one report of each network is kept in every one.
    pub fn thousandth(&self) -> u64 {
        self.env_steps * 1000 / self.total_steps
    }

    /// For an optimizer's step; the first of a series may report what costs extra.
    pub(crate) fn context(&self, first: bool) -> StepContext {
        StepContext { progress: self.progress(), diagnose: first && self.diagnose }
    }
}

/// One optimizer step, or why there was none.
#[derive(Debug, Clone, PartialEq)]
pub struct Update {
    /// Which of the agent's networks.
    pub network: &'static str,
    /// What the step did. After an error the network is as it was.
    pub result: Result<Report, SolverError>,
}

/// What came of a rollout.
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

    /// The episodes under way in these environments will not go on: nothing held of them may be joined to
    /// what comes next.
    fn forget_episodes(&mut self, envs: &[usize]) {
        if let Some(replay) = self.replay() {
            replay.forget_episodes(envs);
        }
    }

    /// The network that acts, which [`crate::AgentConfig::policy_from`] turns into a policy again.
    ///
    /// # Errors
    /// When the network cannot be copied.
    fn policy_network(&self) -> Result<Snapshot, AgentError>;

    /// All that later learning depends on: networks, optimizers, memories, streams, counters.
    fn state(&self) -> State;

    /// Takes back the state of an agent with the same settings.
    ///
    /// # Errors
    /// When it is not such a state; the agent is then of no more use.
    fn restore(&mut self, state: &State) -> Result<(), StateError>;
}

/// How large an agent's settings make it, to be weighed before anything is allocated.
#[derive(Debug, Clone, PartialEq)]
pub struct Demand {
    /// Widths of the largest network, from inputs to outputs.
    pub widths: Vec<usize>,
    /// Transitions held at once, in replay memory or as a rollout of all environments.
    pub transitions: u64,
    /// Most samples of an optimizer step.
    pub batch_size: u64,
    /// Most rows of curvature of a sample.
    pub rows_per_sample: u64,
}

/// What an agent is made for and with.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    /// Where observations lie.
    pub observation_space: Space,
    /// Where actions lie.
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
    /// What the environment is known to be, for agents that report how far they are from its optimum;
    /// nothing is learned from it.
    pub linear_quadratic: Option<&'static LqrProblem>,
}

impl Setting {
    /// Number of actions, for agents that need a discrete space.
    pub(crate) fn n_actions(&self, agent: &'static str) -> Result<usize, AgentError> {
        match self.action_space {
            Space::Discrete { n } => Ok(n),
            Space::Box { .. } => Err(AgentError::ActionSpace { agent, needs: "discrete" }),
        }
    }
}

/// Widths of a perceptron from observations to `n_outputs`.
pub(crate) fn widths(n_observations: usize, hidden: &[usize], n_outputs: usize) -> Vec<usize> {
    [&[n_observations], hidden, &[n_outputs]].concat()
}
