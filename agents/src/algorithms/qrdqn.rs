//! Deep Q-networks with quantile regression.
//!
//! Quick facts: off-policy, discrete actions; a network with N quantiles of the return for every
//! action, and its target network. Only the chosen action's quantiles have rows in the Gauss-Newton
//! system: N a sample, so batches times quantiles is its size ([`QuantileHuber`] has Q).
//!
//! ```text
//! Q(s, a) = mean of θ(s, a),  a* = argmaxₐ Q̄(s′, a)
//! yₜ = R + Γ θ̄ₜ(s′, a*)
//! L = (1/b) Σ Σⱼ meanₜ |τⱼ − 1(yₜ < θⱼ)| h(θⱼ(s, a) − yₜ) / κ
//! ```
//!
//! Source: Dabney, Rowland, Bellemare, Munos (2018), arXiv 1710.10044. Settings as in sb3-contrib,
//! but 50 quantiles for 200.

use std::sync::Arc;

use egn_solver::{
    Network, Schedule, SettingError, Snapshot, SolverError, State, StateError, loss::QuantileHuber, require,
    schedule::Moving,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    agent::{Agent, Learned, Update},
    context::{AgentContext, Clock, Spaces, Workload},
    error::AgentError,
    experience::{
        replay::{ReplayBuffer, Transitions},
        rollout::Rollout,
    },
    networks::q_learning::QLearning,
    policies::{
        actor_plan::ActorPlan,
        greedy_rule::ActionValues,
        policy::{Policy, batch_of},
    },
    settings::{agent_settings::AgentSettings, q_learning::QLearningSettings, replay::ReplaySettings},
};

/// Settings of [`QrDqn`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct QrDqnConfig {
    /// Settings of every agent that acts by the values of its actions.
    #[serde(flatten)]
    pub q: QLearningSettings,
    /// N, quantiles of an action's return, 1 or more.
    pub n_quantiles: usize,
    /// κ, positive: the error from which the loss is linear.
    pub huber: f64,
}

impl Default for QrDqnConfig {
    fn default() -> Self {
        // sb3-contrib's QR-DQN.
        Self {
            q: QLearningSettings {
                exploration: Schedule::Moving(Moving::Linear { from: 1.0, to: 0.01, over: 0.005 }),
                ..QLearningSettings::default()
            },
            n_quantiles: 50,
            huber: 1.0,
        }
    }
}

impl AgentSettings for QrDqnConfig {
    fn summary(&self) -> &'static str {
        "deep Q-networks with quantile regression (discrete actions)"
    }

    fn validate(&self) -> Result<(), SettingError> {
        self.q.validate()?;
        require(self.n_quantiles > 0, "n_quantiles", "1 or more", self.n_quantiles)?;
        require(self.huber > 0.0 && self.huber.is_finite(), "huber", "positive", self.huber)
    }

    fn gamma(&self) -> f64 {
        self.q.replay.gamma
    }

    fn replay(&self) -> Option<&ReplaySettings> {
        Some(&self.q.replay)
    }

    fn actor(&self, spaces: Spaces<'_>) -> Result<ActorPlan, AgentError> {
        Ok(self.q.actor(self.architecture(spaces)?, self.values()))
    }

    fn workload(&self, spaces: Spaces<'_>, _n_envs: usize, total_steps: u64) -> Workload {
        self.q.workload(spaces, self.n_quantiles, self.n_quantiles, total_steps)
    }

    fn build(&self, context: &AgentContext) -> Result<Box<dyn Agent>, AgentError> {
        Ok(Box::new(QrDqn::new(self.clone(), context)?))
    }
}

impl QrDqnConfig {
    fn architecture(&self, spaces: Spaces<'_>) -> Result<Network, AgentError> {
        let n_actions = spaces.n_discrete("qrdqn")?;
        self.q.network(spaces, n_actions * self.n_quantiles)
    }

    fn values(&self) -> ActionValues {
        ActionValues::Mean { outputs_per_action: self.n_quantiles }
    }
}

/// The QR-DQN agent.
pub struct QrDqn {
    config: QrDqnConfig,
    q: QLearning,
}

impl QrDqn {
    /// Makes the agent, ready to act.
    ///
    /// # Errors
    /// When the action space is not discrete, or the network cannot be made.
    pub fn new(config: QrDqnConfig, context: &AgentContext) -> Result<Self, AgentError> {
        let network = config.architecture(context.spaces())?;
        let q = config.q.q_learning("quantiles", network, config.values(), 0.0, context)?;
        Ok(Self { config, q })
    }

    /// y of every transition, (b, N).
    fn targets(&self, batch: &Transitions) -> Result<Vec<f64>, SolverError> {
        let n = self.config.n_quantiles;
        let next = self.q.target.network().predict(&batch_of(&batch.next_observations, self.q.experience.width)?)?;
        let mut targets = Vec::with_capacity(batch.rewards.len() * n);
        for ((row, reward), discount) in next.rows().zip(&batch.rewards).zip(&batch.discounts) {
            let best = self.q.values.best(row) as usize;
            targets.extend(row[best * n..(best + 1) * n].iter().map(|theta| reward + discount * theta));
        }
        Ok(targets)
    }

    fn update(&mut self, clock: Clock, first: bool) -> Result<Update, SolverError> {
        let batch = self.q.experience.batch(0.0);
        let targets = self.targets(&batch)?;
        let QrDqnConfig { n_quantiles, huber, .. } = self.config;
        let loss = QuantileHuber { actions: batch.actions.discrete(), targets: &targets, n_quantiles, huber };
        let observations = batch_of(&batch.observations, self.q.experience.width)?;
        Ok(Update { network: self.q.name, result: self.q.online.step(&observations, &loss, clock.context(first)) })
    }
}

impl Agent for QrDqn {
    fn steps_per_rollout(&self) -> usize {
        self.config.q.replay.train_freq
    }

    fn policy(&self) -> Result<Arc<dyn Policy>, AgentError> {
        Ok(self.q.policy())
    }

    fn learn(&mut self, rollout: &Rollout, clock: Clock) -> Result<Learned, AgentError> {
        let n_updates = self.q.collect(rollout, clock);
        let updates = (0..n_updates).map(|i| self.update(clock, i == 0)).collect::<Result<_, _>>()?;
        Ok(self.q.learned(updates, clock))
    }

    fn replay(&mut self) -> Option<&mut ReplayBuffer> {
        Some(&mut self.q.experience.replay)
    }

    fn policy_network(&self) -> Result<Snapshot, AgentError> {
        Ok(self.q.online.snapshot())
    }

    fn state(&self) -> State {
        self.q.state()
    }

    fn restore(&mut self, state: &State) -> Result<(), StateError> {
        self.q.restore(state)
    }
}
