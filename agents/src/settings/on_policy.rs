//! The settings that every on-policy agent has.

use egn_solver::{Activation, SettingError, require};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    context::{Spaces, Workload},
    networks::{
        body::Body,
        distribution::Distribution,
        layers::{LayerSettings, widths},
    },
};

/// Settings that every on-policy agent has; in a file they stand among the agent's own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OnPolicySettings {
    /// Widths of the hidden tanh layers, of actor and critic alike, each 1 or more.
    #[serde(deserialize_with = "widths")]
    pub hidden: Vec<usize>,
    /// What stands between the hidden layers.
    #[serde(flatten)]
    pub layers: LayerSettings,
    /// Steps of each environment in a rollout, 1 or more.
    pub n_steps: usize,
    /// γ, the discount of rewards to come, in [0, 1].
    pub gamma: f64,
    /// Whether advantages are normalized in each batch.
    pub normalize_advantage: bool,
    /// What rewards are multiplied by before anything is learned from them, above 0.
    pub reward_scale: f64,
    /// log σ at first, in [-20, 20], for continuous actions.
    pub log_std_init: f64,
}

impl Default for OnPolicySettings {
    fn default() -> Self {
        // Stable-Baselines3's PPO.
        Self {
            hidden: vec![64, 64],
            layers: LayerSettings::default(),
            n_steps: 2048,
            gamma: 0.99,
            normalize_advantage: true,
            reward_scale: 1.0,
            log_std_init: 0.0,
        }
    }
}

impl OnPolicySettings {
    /// Checks that every setting is in its range.
    ///
    /// # Errors
    /// The first setting that is not.
    pub fn validate(&self) -> Result<(), SettingError> {
        require(self.hidden.iter().all(|&width| width > 0), "hidden", "a list of positive widths", &self.hidden)?;
        self.layers.validate(&self.hidden)?;
        require(self.n_steps > 0, "n_steps", "1 or more", self.n_steps)?;
        require((0.0..=1.0).contains(&self.gamma), "gamma", "in [0, 1]", self.gamma)?;
        let scale = self.reward_scale;
        require(scale > 0.0 && scale.is_finite(), "reward_scale", "above 0", scale)?;
        require(self.log_std_init.abs() <= 20.0, "log_std_init", "in [-20, 20]", self.log_std_init)
    }

    /// Networks with hidden tanh layers, as Stable-Baselines3's policies are.
    pub(crate) fn body(&self) -> Body<'_> {
        Body { convolutions: None, hidden: &self.hidden, activation: Activation::Tanh, layers: self.layers }
    }

    /// The workload of an actor with this `body`, which learns from a rollout in batches of at most
    /// `batch_size`.
    pub(crate) fn workload(&self, body: Body<'_>, batch_size: usize, spaces: Spaces<'_>, n_envs: usize) -> Workload {
        let distribution = Distribution::over(spaces.actions);
        let transitions = (self.n_steps as u64).saturating_mul(n_envs as u64);
        Workload {
            widths: body.widths(spaces.n_observations, distribution.n_outputs()),
            transitions,
            batch_size: (batch_size as u64).min(transitions),
            rows_per_sample: distribution.rows_per_sample() as u64,
        }
    }
}
