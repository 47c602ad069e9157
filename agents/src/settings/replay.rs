//! The settings that every agent with a replay memory has.

use egn_solver::{Activation, SettingError, require};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    context::{AgentContext, Workload},
    experience::replay::Memory,
    networks::{
        body::Body,
        layers::{LayerSettings, widths},
        off_policy::{OffPolicy, Rounds},
    },
};

/// Settings that every agent with a replay memory has; in a file they stand among the agent's own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ReplaySettings {
    /// Widths of the hidden ReLU layers, of every network, each 1 or more.
    #[serde(deserialize_with = "widths")]
    pub hidden: Vec<usize>,
    /// What stands between the hidden layers.
    #[serde(flatten)]
    pub layers: LayerSettings,
    /// γ, the discount of rewards to come, in [0, 1].
    pub gamma: f64,
    /// n, steps of reward before the value that a target bootstraps from, 1 or more.
    pub n_steps: usize,
    /// Transitions remembered, 1 or more.
    pub buffer_size: usize,
    /// Environment steps of random actions before the first update.
    pub learning_starts: u64,
    /// Steps of each environment between two rounds of updates, 1 or more.
    pub train_freq: usize,
    /// Updates in a round, 1 or more.
    pub gradient_steps: usize,
    /// Transitions in a batch, 1 or more.
    pub batch_size: usize,
    /// τ, in (0, 1]: how far an update moves a target network towards the one
    /// that learns; 1 copies it.
    pub tau: f64,
}

impl Default for ReplaySettings {
    fn default() -> Self {
        // Stable-Baselines3's OffPolicyAlgorithm, with the widths of its SAC.
        Self {
            hidden: vec![256, 256],
            layers: LayerSettings::default(),
            gamma: 0.99,
            n_steps: 1,
            buffer_size: 1_000_000,
            learning_starts: 100,
            train_freq: 1,
            gradient_steps: 1,
            batch_size: 256,
            tau: 0.005,
        }
    }
}

impl ReplaySettings {
    /// Checks that every setting is in its range.
    ///
    /// # Errors
    /// The first setting that is not.
    pub fn validate(&self) -> Result<(), SettingError> {
        require(self.hidden.iter().all(|&width| width > 0), "hidden", "a list of positive widths", &self.hidden)?;
        self.layers.validate(&self.hidden)?;
        require((0.0..=1.0).contains(&self.gamma), "gamma", "in [0, 1]", self.gamma)?;
        require(self.n_steps > 0, "n_steps", "1 or more", self.n_steps)?;
        require(self.buffer_size > 0, "buffer_size", "1 or more", self.buffer_size)?;
        require(self.train_freq > 0, "train_freq", "1 or more", self.train_freq)?;
        require(self.gradient_steps > 0, "gradient_steps", "1 or more", self.gradient_steps)?;
        require(self.batch_size > 0, "batch_size", "1 or more", self.batch_size)?;
        require(self.tau > 0.0 && self.tau <= 1.0, "tau", "in (0, 1]", self.tau)
    }

    /// Networks with hidden ReLU layers.
    pub(crate) fn body(&self) -> Body<'_> {
        Body { convolutions: None, hidden: &self.hidden, activation: Activation::Relu, layers: self.layers }
    }

    /// An empty memory for an agent in this run; `priority` is α of prioritized replay.
    pub(crate) fn off_policy(&self, priority: f64, context: &AgentContext) -> OffPolicy {
        let Self { buffer_size: capacity, n_steps, gamma, learning_starts, gradient_steps, batch_size, .. } = *self;
        let memory = Memory { capacity, n_steps, gamma, priority };
        OffPolicy::new(memory, Rounds { learning_starts, gradient_steps, batch_size }, context)
    }

    /// The workload of an agent whose largest network has these `widths`.
    pub(crate) fn workload(&self, widths: Vec<usize>, rows_per_sample: usize, total_steps: u64) -> Workload {
        Workload {
            widths,
            transitions: total_steps.min(self.buffer_size as u64),
            batch_size: self.batch_size as u64,
            rows_per_sample: rows_per_sample as u64,
        }
    }
}
