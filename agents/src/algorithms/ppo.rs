//! Proximal policy optimization.
//!
//! Quick facts: on-policy, discrete and continuous actions, separate actor and critic, each with
//! its own optimizer. With a first-order optimizer this is PPO as everybody runs it. With EGN the
//! actor's step solves with the Fisher curvature, so it is a damped natural policy gradient,
//! shortened to the KL limit of its optimizer: TRPO with an exact solve, in minibatches.
//!
//! ```text
//! A: generalized advantage estimate, normalized in each minibatch
//! actor:  −(1/b) Σ min(ρA, clip(ρ, 1−ε, 1+ε)A) − βH,   ρ = π(a|s)/π_old(a|s)
//! critic: (1/b) Σ ½ (V(s) − (A + V_old(s)))²,          V held within ±ε_V of V_old where asked for
//! ```
//!
//! Source: Schulman et al. (2017), arXiv 1707.06347; details as in Stable-Baselines3, but for the
//! global norm of the gradient, which is clipped network by network.

use std::sync::Arc;

use egn_solver::{
    Activation, Schedule, SettingError, Snapshot, SolverError, State, StateError, loss::Curvature, require,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    agent::{Agent, Learned, Update},
    context::{AgentContext, Clock, Spaces, Workload},
    error::AgentError,
    experience::{returns::explained_variance, rollout::Rollout},
    networks::{
        actor_critic::{ActorCritic, Experience, select},
        body::{Body, Convolutions},
        clipped_value::ClippedValue,
        distribution::{Distribution, Terms},
        rollout_limit::RolloutLimits,
    },
    policies::{actor_plan::ActorPlan, policy::Policy},
    settings::{agent_settings::AgentSettings, on_policy::OnPolicySettings},
};

/// Settings of [`Ppo`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct PpoConfig {
    /// Settings of every on-policy agent.
    #[serde(flatten)]
    pub on_policy: OnPolicySettings,
    /// Limits on how far a rollout may change the policy.
    #[serde(flatten)]
    pub limits: RolloutLimits,
    /// Convolutions before the hidden layers, for observations that are images, with ReLU in
    /// place of tanh throughout.
    pub convolutions: Option<Convolutions>,
    /// λ of the advantage estimate, in [0, 1]; 1 is the n-step return.
    pub gae_lambda: f64,
    /// Steps in a minibatch of the actor, 1 or more.
    pub batch_size: usize,
    /// Passes of the actor over a rollout, 1 or more.
    pub n_epochs: usize,
    /// Steps in a minibatch of the critic, 0 or more; 0 takes the actor's.
    pub critic_batch_size: usize,
    /// Passes of the critic over a rollout, 0 or more; 0 takes the actor's.
    pub critic_epochs: usize,
    /// ε, in [0, ∞]: how far the ratio may go before the gradient stops; `inf` does not clip.
    pub clip: Schedule,
    /// ε_V, in (0, ∞]: how far a value may move in an update; `inf` does not clip.
    pub value_clip: Schedule,
    /// KL divergence of the new policy from the old, in (0, ∞]: once a minibatch shows half as much
    /// again, the actor stops learning from the rollout; `inf` never stops.
    pub target_kl: f64,
    /// β, 0 or more: the entropy coefficient.
    pub entropy: f64,
    /// Curvature of the policy's loss that EGN sees: `exact`, n − 1 rows a sample for n actions, or
    /// `sampled`, one random row, for many actions; that step is no Gauss-Newton step, and a KL
    /// limit sees that row only.
    pub curvature: Curvature,
}

impl Default for PpoConfig {
    fn default() -> Self {
        // Stable-Baselines3's PPO.
        Self {
            on_policy: OnPolicySettings::default(),
            limits: RolloutLimits::default(),
            convolutions: None,
            gae_lambda: 0.95,
            batch_size: 64,
            n_epochs: 10,
            critic_batch_size: 0,
            critic_epochs: 0,
            clip: 0.2.into(),
            value_clip: f64::INFINITY.into(),
            target_kl: f64::INFINITY,
            entropy: 0.0,
            curvature: Curvature::Exact,
        }
    }
}

impl AgentSettings for PpoConfig {
    fn summary(&self) -> &'static str {
        "proximal policy optimization; with egn, a damped natural gradient (any actions)"
    }

    fn validate(&self) -> Result<(), SettingError> {
        self.on_policy.validate()?;
        self.limits.validate()?;
        self.convolutions.as_ref().map_or(Ok(()), Convolutions::validate)?;
        require((0.0..=1.0).contains(&self.gae_lambda), "gae_lambda", "in [0, 1]", self.gae_lambda)?;
        require(self.batch_size > 0, "batch_size", "1 or more", self.batch_size)?;
        require(self.n_epochs > 0, "n_epochs", "1 or more", self.n_epochs)?;
        self.clip.require("clip", [0.0, f64::INFINITY], "0 or more (inf for none)")?;
        self.value_clip.require("value_clip", [f64::MIN_POSITIVE, f64::INFINITY], "positive (inf for none)")?;
        require(self.target_kl > 0.0, "target_kl", "positive (inf for none)", self.target_kl)?;
        require(self.entropy >= 0.0 && self.entropy.is_finite(), "entropy", "0 or more", self.entropy)
    }

    fn gamma(&self) -> f64 {
        self.on_policy.gamma
    }

    fn has_critic(&self) -> bool {
        true
    }

    fn actor(&self, spaces: Spaces<'_>) -> Result<ActorPlan, AgentError> {
        Ok(Distribution::over(spaces.actions).actor(spaces.n_observations, self.body()))
    }

    fn workload(&self, spaces: Spaces<'_>, n_envs: usize, _total_steps: u64) -> Workload {
        let batch_size = self.batch_size.max(self.critic_batch_size);
        let workload = self.on_policy.workload(self.body(), batch_size, spaces, n_envs);
        match self.curvature {
            Curvature::Exact => workload,
            Curvature::Sampled => Workload { rows_per_sample: 1, ..workload },
        }
    }

    fn build(&self, context: &AgentContext) -> Result<Box<dyn Agent>, AgentError> {
        Ok(Box::new(Ppo::new(self.clone(), context)?))
    }
}

impl PpoConfig {
    /// The torso of actor and critic.
    pub(crate) fn body(&self) -> Body<'_> {
        match &self.convolutions {
            None => self.on_policy.body(),
            Some(see) => Body { convolutions: Some(see), activation: Activation::Relu, ..self.on_policy.body() },
        }
    }
}

/// The PPO agent.
pub struct Ppo {
    config: PpoConfig,
    networks: ActorCritic,
}

/// How many times `target_kl` the actor stops at, as Stable-Baselines3.
const STOP_AT: f64 = 1.5;

impl Ppo {
    /// Makes the agent, ready to act.
    ///
    /// # Errors
    /// When a network cannot be made.
    pub fn new(config: PpoConfig, context: &AgentContext) -> Result<Self, AgentError> {
        Ok(Self { networks: ActorCritic::new(config.body(), config.on_policy.log_std_init, context)?, config })
    }

    /// ε now; `None` where it is infinite.
    fn clip(&self, clock: Clock) -> Option<f64> {
        Some(self.config.clip.at(clock.progress())).filter(|clip| clip.is_finite())
    }

    fn train_actor(&mut self, experience: &Experience, clock: Clock) -> Result<Vec<Update>, SolverError> {
        let PpoConfig { batch_size, n_epochs, entropy, curvature, .. } = self.config;
        let normalize_advantage = self.config.on_policy.normalize_advantage;
        let terms = Terms { clip: self.clip(clock), entropy, curvature, ..Terms::default() };
        let mut updates = Vec::new();
        for rows in self.networks.minibatches(experience.returns.len(), batch_size, n_epochs) {
            if self.has_gone_far(experience, &rows)? {
                break;
            }
            let first = updates.is_empty();
            updates.push(self.networks.update_actor(experience, &rows, normalize_advantage, terms, clock, first));
        }
        Ok(updates)
    }

    /// Whether the policy has left `target_kl` behind on a minibatch. Only there is the
    /// limit worth its forward pass.
    fn has_gone_far(&mut self, experience: &Experience, rows: &[usize]) -> Result<bool, SolverError> {
        if self.config.target_kl.is_infinite() {
            return Ok(false);
        }
        let batch = experience.policy.select(rows);
        let observations = self.networks.rows(&experience.observations, rows)?;
        let outputs = self.networks.actor.forward(&observations)?;
        let log_probs = self.networks.distribution.log_probs(outputs, &batch.actions);
        Ok(estimated_kl(&log_probs, &batch.old_log_probs) > STOP_AT * self.config.target_kl)
    }

    fn train_critic(&mut self, experience: &Experience, clock: Clock) -> Vec<Update> {
        let or_actor = |own, actor| if own == 0 { actor } else { own };
        let size = or_actor(self.config.critic_batch_size, self.config.batch_size);
        let epochs = or_actor(self.config.critic_epochs, self.config.n_epochs);
        let clip = self.config.value_clip.at(clock.progress());
        let mut updates = Vec::new();
        for rows in self.networks.minibatches(experience.returns.len(), size, epochs) {
            let (targets, old_values) = (select(&experience.returns, &rows), select(&experience.values, &rows));
            let loss = ClippedValue { targets: &targets, old_values: &old_values, clip };
            updates.push(self.networks.update_critic(experience, &rows, &loss, clock, updates.is_empty()));
        }
        updates
    }

    /// What the rollout looks like to the new policy.
    fn metrics(&mut self, experience: &Experience, clock: Clock) -> Result<Vec<(&'static str, f64)>, SolverError> {
        let outputs = self.networks.outputs(&experience.observations)?;
        let distribution = &self.networks.distribution;
        let log_probs = distribution.log_probs(&outputs, &experience.policy.actions);
        let ratios = log_probs.iter().zip(&experience.policy.old_log_probs).map(|(new, old)| libm::exp(new - old));
        let clip = self.clip(clock).unwrap_or(f64::INFINITY);
        let n_clipped = ratios.filter(|ratio| (ratio - 1.0).abs() > clip).count();
        Ok(vec![
            ("entropy", distribution.entropy(&outputs)),
            ("kl", distribution.kl(&experience.policy.old_outputs, &outputs)),
            ("clip_fraction", n_clipped as f64 / log_probs.len() as f64),
            ("explained_variance", explained_variance(&experience.values, &experience.returns)),
        ])
    }
}

/// Mean of (ρ − 1) − log ρ, an unbiased estimate of KL(π_old‖π) that is never negative.
///
/// Source: Schulman (2020), "Approximating KL divergence", <http://joschu.net/blog/kl-approx.html>.
fn estimated_kl(log_probs: &[f64], old_log_probs: &[f64]) -> f64 {
    let log_ratios = log_probs.iter().zip(old_log_probs).map(|(new, old)| new - old);
    log_ratios.map(|log_ratio| libm::expm1(log_ratio) - log_ratio).sum::<f64>() / log_probs.len() as f64
}

impl Agent for Ppo {
    fn steps_per_rollout(&self) -> usize {
        self.config.on_policy.n_steps
    }

    fn policy(&self) -> Result<Arc<dyn Policy>, AgentError> {
        self.networks.policy()
    }

    fn learn(&mut self, rollout: &Rollout, clock: Clock) -> Result<Learned, AgentError> {
        let OnPolicySettings { gamma, reward_scale, .. } = self.config.on_policy;
        let gae_lambda = self.config.gae_lambda;
        let experience = self.networks.experience(rollout, gamma, gae_lambda, reward_scale)?;
        let before = self.networks.actor_if(!self.config.limits.are_none());
        let mut updates = self.train_actor(&experience, clock)?;
        self.networks.shorten(before, &experience, self.config.limits.at(clock.progress()))?;
        updates.extend(self.train_critic(&experience, clock));
        Ok(Learned { updates, metrics: self.metrics(&experience, clock)? })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_estimate_of_the_divergence_by_hand() {
        // Ratios 2 and ½: (1 − log 2 + (−½ + log 2)) / 2.
        let kl = estimated_kl(&[libm::log(2.0_f64), libm::log(0.5_f64)], &[0.0, 0.0]);
        assert!((kl - 0.25).abs() < 1e-15, "{kl}");
    }
}
