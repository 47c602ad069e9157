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
    Activation, Initialization, Learner, Network, Schedule, SettingError, Snapshot, SolverError, State, StateError,
    loss::QuantileHuber, require, schedule::Moving,
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
    networks::{
        body::{Body, Convolutions},
        off_policy::OffPolicy,
        target_network::TargetNetwork,
    },
    policies::{
        actor_plan::ActorPlan,
        epsilon_greedy::EpsilonGreedyPolicy,
        greedy_rule::{ActionValues, GreedyRule},
        policy::{Policy, batch_of},
    },
    settings::{agent_settings::AgentSettings, replay::ReplaySettings},
    streams::{Purpose, stream},
};

/// Settings of [`QrDqn`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct QrDqnConfig {
    /// What every agent with a replay memory is asked.
    #[serde(flatten)]
    pub replay: ReplaySettings,
    /// N, quantiles of an action's return, 1 or more.
    pub n_quantiles: usize,
    /// Convolutions before the hidden layers, for observations that are images.
    pub convolutions: Option<Convolutions>,
    /// Environment steps between two updates of the target network, 1 or more.
    pub target_update_interval: u64,
    /// ε, in [0, 1]: how often an action is random.
    pub exploration: Schedule,
    /// κ, positive: the error from which the loss is linear.
    pub huber: f64,
}

impl Default for QrDqnConfig {
    fn default() -> Self {
        // sb3-contrib's QR-DQN.
        Self {
            replay: ReplaySettings {
                hidden: vec![64, 64],
                train_freq: 4,
                batch_size: 32,
                tau: 1.0,
                ..ReplaySettings::default()
            },
            convolutions: None,
            n_quantiles: 50,
            target_update_interval: 10_000,
            exploration: Schedule::Moving(Moving::Linear { from: 1.0, to: 0.01, over: 0.005 }),
            huber: 1.0,
        }
    }
}

impl AgentSettings for QrDqnConfig {
    fn summary(&self) -> &'static str {
        "deep Q-networks with quantile regression (discrete actions)"
    }

    fn validate(&self) -> Result<(), SettingError> {
        self.replay.validate()?;
        self.convolutions.as_ref().map_or(Ok(()), Convolutions::validate)?;
        require(self.n_quantiles > 0, "n_quantiles", "1 or more", self.n_quantiles)?;
        let interval = self.target_update_interval;
        require(interval > 0, "target_update_interval", "1 or more", interval)?;
        self.exploration.require("exploration", [0.0, 1.0], "in [0, 1]")?;
        require(self.huber > 0.0 && self.huber.is_finite(), "huber", "positive", self.huber)
    }

    fn gamma(&self) -> f64 {
        self.replay.gamma
    }

    fn has_critic(&self) -> bool {
        false
    }

    fn replay(&self) -> Option<&ReplaySettings> {
        Some(&self.replay)
    }

    fn actor(&self, spaces: Spaces<'_>) -> Result<ActorPlan, AgentError> {
        let (network, epsilon, values) = (self.architecture(spaces)?, self.exploration, self.values());
        Ok(ActorPlan::new(network, GreedyRule::Argmax(values.clone()), move |q| {
            Arc::new(EpsilonGreedyPolicy { q, values: values.clone(), epsilon, random_before: 0.0 })
        }))
    }

    fn workload(&self, spaces: Spaces<'_>, _n_envs: usize, total_steps: u64) -> Workload {
        let n_outputs = spaces.n_actions().saturating_mul(self.n_quantiles);
        let widths = self.body().widths(spaces.n_observations, n_outputs);
        self.replay.workload(widths, self.n_quantiles, total_steps)
    }

    fn build(&self, context: &AgentContext) -> Result<Box<dyn Agent>, AgentError> {
        Ok(Box::new(QrDqn::new(self.clone(), context)?))
    }
}

impl QrDqnConfig {
    fn architecture(&self, spaces: Spaces<'_>) -> Result<Network, AgentError> {
        let n_actions = spaces.n_discrete("qrdqn")?;
        Ok(self.body().network(spaces.n_observations, n_actions * self.n_quantiles))
    }

    fn values(&self) -> ActionValues {
        ActionValues::Mean { outputs_per_action: self.n_quantiles }
    }

    fn body(&self) -> Body<'_> {
        Body { convolutions: self.convolutions.as_ref(), hidden: &self.replay.hidden, activation: Activation::Relu }
    }
}

/// The agent.
pub struct QrDqn {
    config: QrDqnConfig,
    quantiles: Learner,
    target: TargetNetwork,
    experience: OffPolicy,
}

impl QrDqn {
    /// Ready to act.
    ///
    /// # Errors
    /// When the action space is not discrete, or the network cannot be made.
    pub fn new(config: QrDqnConfig, context: &AgentContext) -> Result<Self, AgentError> {
        config.body().check(context.observation_space.len())?;
        let network = config.architecture(context.spaces())?;
        let mut rng = stream(context.seed, Purpose::Initialization, 0);
        let quantiles =
            Learner::new(network, Initialization::Uniform, context.precision, &context.optimizer, &mut rng)?;
        Ok(Self {
            target: TargetNetwork::new(quantiles.snapshot(), config.replay.tau),
            quantiles,
            experience: config.replay.off_policy(0.0, context),
            config,
        })
    }

    /// y of every transition, (b, N).
    fn targets(&self, batch: &Transitions) -> Result<Vec<f64>, SolverError> {
        let (n, values) = (self.config.n_quantiles, self.config.values());
        let next = self.target.network().predict(&batch_of(&batch.next_observations, self.experience.width)?)?;
        let mut targets = Vec::with_capacity(batch.rewards.len() * n);
        for ((row, reward), discount) in next.rows().zip(&batch.rewards).zip(&batch.discounts) {
            let best = values.best(row) as usize;
            targets.extend(row[best * n..(best + 1) * n].iter().map(|theta| reward + discount * theta));
        }
        Ok(targets)
    }

    fn update(&mut self, clock: Clock, first: bool) -> Result<Update, SolverError> {
        let batch = self.experience.batch(0.0);
        let targets = self.targets(&batch)?;
        let QrDqnConfig { n_quantiles, huber, .. } = self.config;
        let loss = QuantileHuber { actions: batch.actions.discrete(), targets: &targets, n_quantiles, huber };
        let observations = batch_of(&batch.observations, self.experience.width)?;
        Ok(Update { network: "quantiles", result: self.quantiles.step(&observations, &loss, clock.context(first)) })
    }
}

impl Agent for QrDqn {
    fn steps_per_rollout(&self) -> usize {
        self.config.replay.train_freq
    }

    fn policy(&self) -> Result<Arc<dyn Policy>, AgentError> {
        Ok(Arc::new(EpsilonGreedyPolicy {
            q: self.quantiles.snapshot(),
            values: self.config.values(),
            epsilon: self.config.exploration,
            random_before: self.experience.random_before(),
        }))
    }

    fn learn(&mut self, rollout: &Rollout, clock: Clock) -> Result<Learned, AgentError> {
        let n_updates = self.experience.collect(rollout, clock);
        let mut learned = Learned::default();
        self.target.follow(&self.quantiles, rollout, clock, self.config.target_update_interval);
        if n_updates == 0 {
            return Ok(learned);
        }
        for i in 0..n_updates {
            learned.updates.push(self.update(clock, i == 0)?);
        }
        learned.metrics.push(("epsilon", self.config.exploration.at(clock.progress())));
        Ok(learned)
    }

    fn replay(&mut self) -> Option<&mut ReplayBuffer> {
        Some(&mut self.experience.replay)
    }

    fn policy_network(&self) -> Result<Snapshot, AgentError> {
        Ok(self.quantiles.snapshot())
    }

    fn state(&self) -> State {
        let mut state = State::default();
        state.put_part("quantiles", self.quantiles.state());
        state.put_part("target", self.target.state());
        self.experience.put_into(&mut state);
        state
    }

    fn restore(&mut self, state: &State) -> Result<(), StateError> {
        self.quantiles.restore(&state.part("quantiles"))?;
        self.target.restore(&state.part("target"))?;
        self.experience.restore(state)
    }
}
