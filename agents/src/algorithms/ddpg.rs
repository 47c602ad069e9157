//! Deep deterministic policy gradient: [`Td3`] with one critic, an actor that learns in every
//! update, and no noise in the targets.
//!
//! ```text
//! y = R + Γ Q̄(s′, μ̄(s′)),   L = (1/2b) Σ (Q(s, a) − y)²,   ℓ = −Q(s, μ(s)) / mean |∂Q/∂a|
//! ```
//!
//! The curvature of the actor's loss is TD3's.
//!
//! Source: Lillicrap et al. (2016), arXiv 1509.02971. Settings as in Stable-Baselines3, whose
//! DDPG is its TD3 as well.

use egn_solver::{Schedule, SettingError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    agent::Agent,
    algorithms::td3::{self, Td3, Td3Config},
    context::{AgentContext, Spaces, Workload},
    error::AgentError,
    policies::{action_noise::NoiseKind, actor_plan::ActorPlan},
    settings::{agent_settings::AgentSettings, replay::ReplaySettings},
};

/// Settings of DDPG, each as in [`Td3Config`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct DdpgConfig {
    /// Settings of every agent with a replay memory.
    #[serde(flatten)]
    pub replay: ReplaySettings,
    /// Noise of exploration: `normal` or `ornstein_uhlenbeck`.
    pub noise: NoiseKind,
    /// σ of exploration, 0 or more, in actions of [−1, 1].
    pub noise_std: Schedule,
    /// c, 0 or more: weight of c f²/2 in the actor's loss, which keeps actions away from ±1.
    pub preactivation_penalty: f64,
}

impl Default for DdpgConfig {
    fn default() -> Self {
        let Td3Config { replay, noise, noise_std, preactivation_penalty, .. } = Td3Config::default();
        Self { replay, noise, noise_std, preactivation_penalty }
    }
}

impl AgentSettings for DdpgConfig {
    fn summary(&self) -> &'static str {
        "deep deterministic policy gradient (bounded continuous actions)"
    }

    fn validate(&self) -> Result<(), SettingError> {
        self.as_td3().validate()
    }

    fn gamma(&self) -> f64 {
        self.replay.gamma
    }

    fn has_critic(&self) -> bool {
        true
    }

    fn replay(&self) -> Option<&ReplaySettings> {
        Some(&self.replay)
    }

    fn actor(&self, spaces: Spaces<'_>) -> Result<ActorPlan, AgentError> {
        td3::actor("ddpg", self.replay.body(), spaces)
    }

    fn workload(&self, spaces: Spaces<'_>, n_envs: usize, total_steps: u64) -> Workload {
        self.as_td3().workload(spaces, n_envs, total_steps)
    }

    fn build(&self, context: &AgentContext) -> Result<Box<dyn Agent>, AgentError> {
        Ok(Box::new(Td3::with_critics(self.as_td3(), 1, "ddpg", context)?))
    }
}

impl DdpgConfig {
    fn as_td3(&self) -> Td3Config {
        let Self { replay, noise, noise_std, preactivation_penalty } = self.clone();
        let without_td3s =
            Td3Config { policy_delay: 1, target_noise: 0.0, target_noise_clip: 0.0, ..Td3Config::default() };
        Td3Config { replay, noise, noise_std, preactivation_penalty, ..without_td3s }
    }
}
