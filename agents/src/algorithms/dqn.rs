//! Deep Q-networks.
//!
//! Quick facts: off-policy, discrete actions, one network and its target network. The loss has one
//! row a sample, so an exact Gauss-Newton step factors a matrix of the batch's own size.
//!
//! ```text
//! y = R + Γ Q̄(s′, argmaxₐ Q(s′, a))        (double; Q̄ itself chooses otherwise)
//! L = (1/b) Σ h(Q(s, a) − y)               h: Huber with δ, or ½e² with δ = ∞
//! ```
//!
//! R and Γ are reward and discount of a window of n steps ([`crate::replay`]). Prioritized replay
//! enters as importance weights of residual and curvature alike.
//!
//! A time limit is not an end: y bootstraps from the real observation after a truncation.
//!
//! Dueling networks compute Q = V + A − mean A.
//!
//! Source: Mnih et al. (2015), doi 10.1038/nature14236; dueling: Wang et al. (2016), arXiv
//! 1511.06581; double: van Hasselt, Guez, Silver (2016), arXiv 1509.06461; prioritized replay:
//! Schaul et al. (2016), arXiv 1511.05952; n steps: Hessel et al. (2018), arXiv 1710.02298.
//! Settings as in Stable-Baselines3, which is not double.

use std::sync::Arc;

use egn_solver::{
    Activation, Initialization, Learner, Network, Schedule, SettingError, Snapshot, SolverError, State, StateError,
    loss::ChosenAction, require, schedule::Moving,
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
        greedy_rule::{ActionValues, GreedyRule, argmax},
        policy::{Policy, batch_of},
    },
    settings::{agent_settings::AgentSettings, replay::ReplaySettings},
    streams::{Purpose, stream},
};

/// Settings of [`Dqn`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct DqnConfig {
    /// What every agent with a replay memory is asked.
    #[serde(flatten)]
    pub replay: ReplaySettings,
    /// Convolutions before the hidden layers, for observations that are images.
    pub convolutions: Option<Convolutions>,
    /// α of prioritized replay, in [0, 1]; 0 draws uniformly.
    pub priority: f64,
    /// β of prioritized replay, in [0, 1]: how far weights undo the priorities.
    pub priority_correction: Schedule,
    /// Environment steps between two updates of the target network, 1 or more.
    pub target_update_interval: u64,
    /// ε, in [0, 1]: how often an action is random.
    pub exploration: Schedule,
    /// Whether the online network chooses the next action.
    pub double: bool,
    /// Whether the network splits Q into the value of the state and advantages of actions.
    pub dueling: bool,
    /// δ, in (0, ∞]: the error from which the loss is linear; `inf` is plain squared error.
    pub huber: f64,
}

impl Default for DqnConfig {
    fn default() -> Self {
        // Stable-Baselines3's DQN, but double.
        Self {
            replay: ReplaySettings {
                hidden: vec![64, 64],
                train_freq: 4,
                batch_size: 32,
                tau: 1.0,
                ..ReplaySettings::default()
            },
            convolutions: None,
            priority: 0.0,
            // Schaul et al. (2016), table 3, proportional variant.
            priority_correction: Schedule::linear(0.4, 1.0),
            target_update_interval: 10_000,
            exploration: Schedule::Moving(Moving::Linear { from: 1.0, to: 0.05, over: 0.1 }),
            double: true,
            dueling: false,
            huber: 1.0,
        }
    }
}

impl AgentSettings for DqnConfig {
    fn summary(&self) -> &'static str {
        "deep Q-networks: double, dueling, n steps, prioritized replay (discrete actions)"
    }

    fn validate(&self) -> Result<(), SettingError> {
        self.replay.validate()?;
        self.convolutions.as_ref().map_or(Ok(()), Convolutions::validate)?;
        require((0.0..=1.0).contains(&self.priority), "priority", "in [0, 1]", self.priority)?;
        self.priority_correction.require("priority_correction", [0.0, 1.0], "in [0, 1]")?;
        let interval = self.target_update_interval;
        require(interval > 0, "target_update_interval", "1 or more", interval)?;
        self.exploration.require("exploration", [0.0, 1.0], "in [0, 1]")?;
        require(self.huber > 0.0, "huber", "positive (inf for squared error)", self.huber)
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
        let (network, epsilon) = (self.architecture(spaces)?, self.exploration);
        Ok(ActorPlan::new(network, GreedyRule::Argmax(ActionValues::ONE_OUTPUT), move |q| {
            Arc::new(EpsilonGreedyPolicy { q, values: ActionValues::ONE_OUTPUT, epsilon, random_before: 0.0 })
        }))
    }

    fn workload(&self, spaces: Spaces<'_>, _n_envs: usize, total_steps: u64) -> Workload {
        let widths = self.body().widths(spaces.n_observations, spaces.n_actions());
        self.replay.workload(widths, 1, total_steps)
    }

    fn build(&self, context: &AgentContext) -> Result<Box<dyn Agent>, AgentError> {
        Ok(Box::new(Dqn::new(self.clone(), context)?))
    }
}

impl DqnConfig {
    fn architecture(&self, spaces: Spaces<'_>) -> Result<Network, AgentError> {
        let n_actions = spaces.n_discrete("dqn")?;
        let network = |n_outputs| self.body().network(spaces.n_observations, n_outputs);
        Ok(if self.dueling { network(n_actions + 1).dueling() } else { network(n_actions) })
    }

    fn body(&self) -> Body<'_> {
        Body { convolutions: self.convolutions.as_ref(), hidden: &self.replay.hidden, activation: Activation::Relu }
    }
}

/// The agent.
pub struct Dqn {
    config: DqnConfig,
    q: Learner,
    target: TargetNetwork,
    experience: OffPolicy,
}

impl Dqn {
    /// Ready to act.
    ///
    /// # Errors
    /// When the action space is not discrete, or the network cannot be made.
    pub fn new(config: DqnConfig, context: &AgentContext) -> Result<Self, AgentError> {
        config.body().check(context.observation_space.len())?;
        let network = config.architecture(context.spaces())?;
        let mut rng = stream(context.seed, Purpose::Initialization, 0);
        let q = Learner::new(network, Initialization::Uniform, context.precision, &context.optimizer, &mut rng)?;
        Ok(Self {
            target: TargetNetwork::new(q.snapshot(), config.replay.tau),
            q,
            experience: config.replay.off_policy(config.priority, context),
            config,
        })
    }

    /// y of every transition.
    fn targets(&mut self, batch: &Transitions) -> Result<Vec<f64>, SolverError> {
        let next = batch_of(&batch.next_observations, self.experience.width)?;
        let values = self.target.network().predict(&next)?;
        let choice = if self.config.double { self.q.forward(&next)? } else { &values };
        let chosen = values.rows().zip(choice.rows()).map(|(values, choice)| values[argmax(choice) as usize]);
        Ok(batch.rewards.iter().zip(&batch.discounts).zip(chosen).map(|((r, discount), v)| r + discount * v).collect())
    }

    fn update(&mut self, clock: Clock, first: bool) -> Result<Update, SolverError> {
        let correction = self.config.priority_correction.at(clock.progress());
        let batch = self.experience.batch(correction);
        let targets = self.targets(&batch)?;
        let huber = self.config.huber.is_finite().then_some(self.config.huber);
        let weights = batch.weights.as_deref();
        let loss = ChosenAction { actions: batch.actions.discrete(), targets: &targets, weights, huber };
        let observations = batch_of(&batch.observations, self.experience.width)?;
        if self.config.priority > 0.0 {
            let values = self.q.forward(&observations)?;
            let chosen = values.rows().zip(batch.actions.discrete()).map(|(q, &action)| q[action as usize]);
            self.experience.replay.reprioritize(&batch.slots, chosen.zip(&targets).map(|(q, y)| q - y));
        }
        Ok(Update { network: "q", result: self.q.step(&observations, &loss, clock.context(first)) })
    }
}

impl Agent for Dqn {
    fn steps_per_rollout(&self) -> usize {
        self.config.replay.train_freq
    }

    fn policy(&self) -> Result<Arc<dyn Policy>, AgentError> {
        Ok(Arc::new(EpsilonGreedyPolicy {
            q: self.q.snapshot(),
            values: ActionValues::ONE_OUTPUT,
            epsilon: self.config.exploration,
            random_before: self.experience.random_before(),
        }))
    }

    fn learn(&mut self, rollout: &Rollout, clock: Clock) -> Result<Learned, AgentError> {
        let n_updates = self.experience.collect(rollout, clock);
        let mut learned = Learned::default();
        self.target.follow(&self.q, rollout, clock, self.config.target_update_interval);
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
        Ok(self.q.snapshot())
    }

    fn state(&self) -> State {
        let mut state = State::default();
        state.put_part("q", self.q.state());
        state.put_part("target", self.target.state());
        self.experience.put_into(&mut state);
        state
    }

    fn restore(&mut self, state: &State) -> Result<(), StateError> {
        self.q.restore(&state.part("q"))?;
        self.target.restore(&state.part("target"))?;
        self.experience.restore(state)
    }
}
