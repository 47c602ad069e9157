//! Advantage actor-critic, the synchronous form of A3C.
//!
//! Quick facts: on-policy, discrete and continuous actions, one step of the actor and one of the
//! critic from every short rollout of many environments. With EGN the actor's step is a damped
//! natural gradient, which makes this ACKTR (Wu et al. 2017, arXiv 1708.05144) with an exact solve
//! in place of Kronecker factors.
//!
//! ```text
//! A: n-step return − V(s), or a generalized advantage estimate where λ < 1
//! actor:  −(1/b) Σ log π(a|s) A − βH        critic: (1/b) Σ ½ (V(s) − (A + V_old(s)))²
//! ```
//!
//! *Design.* The loss is the surrogate −ρA, whose gradient at π = π_old is that of −log π A: there
//! is one step only, and a line search gets a loss that means something.
//!
//! Source: Mnih et al. (2016), arXiv 1602.01783; defaults and details as in Stable-Baselines3, but
//! for the global norm of the gradient, which is clipped network by network.

use std::sync::Arc;

use egn_solver::{SettingError, Snapshot, State, StateError, loss::SquaredError, require};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    agent::{Agent, Learned},
    context::{AgentContext, Clock, Spaces, Workload},
    error::AgentError,
    experience::{returns::explained_variance, rollout::Rollout},
    networks::{
        actor_critic::ActorCritic,
        distribution::{Distribution, Terms},
        rollout_limit::RolloutLimits,
    },
    policies::{actor_plan::ActorPlan, policy::Policy},
    settings::{agent_settings::AgentSettings, on_policy::OnPolicySettings},
};

/// Settings of [`A2c`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct A2cConfig {
    /// Settings of every on-policy agent.
    #[serde(flatten)]
    pub on_policy: OnPolicySettings,
    /// Limits on how far a rollout may change the policy.
    #[serde(flatten)]
    pub limits: RolloutLimits,
    /// λ of the advantage estimate, in [0, 1]; 1 is the n-step return.
    pub gae_lambda: f64,
    /// β, 0 or more: the entropy coefficient.
    pub entropy: f64,
}

impl Default for A2cConfig {
    fn default() -> Self {
        // Stable-Baselines3's A2C.
        Self {
            on_policy: OnPolicySettings { n_steps: 5, normalize_advantage: false, ..OnPolicySettings::default() },
            limits: RolloutLimits::default(),
            gae_lambda: 1.0,
            entropy: 0.0,
        }
    }
}

impl AgentSettings for A2cConfig {
    fn summary(&self) -> &'static str {
        "advantage actor-critic, synchronous; with egn, ACKTR with an exact solve (any actions)"
    }

    fn validate(&self) -> Result<(), SettingError> {
        self.on_policy.validate()?;
        self.limits.validate()?;
        require((0.0..=1.0).contains(&self.gae_lambda), "gae_lambda", "in [0, 1]", self.gae_lambda)?;
        require(self.entropy >= 0.0 && self.entropy.is_finite(), "entropy", "0 or more", self.entropy)
    }

    fn gamma(&self) -> f64 {
        self.on_policy.gamma
    }

    fn has_critic(&self) -> bool {
        true
    }

    fn actor(&self, spaces: Spaces<'_>) -> Result<ActorPlan, AgentError> {
        Ok(Distribution::over(spaces.actions).actor(spaces.n_observations, self.on_policy.body()))
    }

    fn workload(&self, spaces: Spaces<'_>, n_envs: usize, _total_steps: u64) -> Workload {
        self.on_policy.workload(self.on_policy.body(), usize::MAX, spaces, n_envs)
    }

    fn build(&self, context: &AgentContext) -> Result<Box<dyn Agent>, AgentError> {
        Ok(Box::new(A2c::new(self.clone(), context)?))
    }
}

/// The A2C agent.
pub struct A2c {
    config: A2cConfig,
    networks: ActorCritic,
}

impl A2c {
    /// Makes the agent, ready to act.
    ///
    /// # Errors
    /// When a network cannot be made.
    pub fn new(config: A2cConfig, context: &AgentContext) -> Result<Self, AgentError> {
        Ok(Self {
            networks: ActorCritic::new(config.on_policy.body(), config.on_policy.log_std_init, context)?,
            config,
        })
    }
}

impl Agent for A2c {
    fn steps_per_rollout(&self) -> usize {
        self.config.on_policy.n_steps
    }

    fn policy(&self) -> Result<Arc<dyn Policy>, AgentError> {
        self.networks.policy()
    }

    fn learn(&mut self, rollout: &Rollout, clock: Clock) -> Result<Learned, AgentError> {
        let OnPolicySettings { gamma, reward_scale, normalize_advantage, .. } = self.config.on_policy;
        let A2cConfig { gae_lambda, entropy, .. } = self.config;
        let experience = self.networks.experience(rollout, gamma, gae_lambda, reward_scale)?;
        let all: Vec<usize> = (0..rollout.len()).collect();
        let terms = Terms { entropy, ..Terms::default() };
        let before = self.networks.actor_if(!self.config.limits.are_none());
        let actor = self.networks.update_actor(&experience, &all, normalize_advantage, terms, clock, true);
        self.networks.shorten(before, &experience, self.config.limits.at(clock.progress()))?;
        let loss = SquaredError { targets: &experience.returns };
        let critic = self.networks.update_critic(&experience, &all, &loss, clock, true);
        let metrics = vec![
            ("entropy", self.networks.distribution.entropy(&experience.policy.old_outputs)),
            ("explained_variance", explained_variance(&experience.values, &experience.returns)),
        ];
        Ok(Learned { updates: vec![actor, critic], metrics })
    }

    fn policy_network(&self) -> Result<Snapshot, AgentError> {
        self.networks.policy_network()
    }

    fn state(&self) -> State {
        self.networks.state()
    }

    fn restore(&mut self, state: &State) -> Result<(), StateError> {
        self.networks.restore(state)
    }
}
