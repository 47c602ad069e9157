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
    Network, Schedule, SettingError, Snapshot, SolverError, State, StateError, loss::ChosenAction, require,
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
        greedy_rule::{ActionValues, argmax},
        policy::{Policy, batch_of},
    },
    settings::{agent_settings::AgentSettings, q_learning::QLearningSettings, replay::ReplaySettings},
};

/// Settings of [`Dqn`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct DqnConfig {
    /// Settings of every agent that acts by the values of its actions.
    #[serde(flatten)]
    pub q: QLearningSettings,
    /// α of prioritized replay, in [0, 1]; 0 draws uniformly.
    pub priority: f64,
    /// β of prioritized replay, in [0, 1]: how far weights undo the priorities.
    pub priority_correction: Schedule,
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
            q: QLearningSettings::default(),
            priority: 0.0,
            // Schaul et al. (2016), table 3, proportional variant.
            priority_correction: Schedule::linear(0.4, 1.0),
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
        self.q.validate()?;
        require((0.0..=1.0).contains(&self.priority), "priority", "in [0, 1]", self.priority)?;
        self.priority_correction.require("priority_correction", [0.0, 1.0], "in [0, 1]")?;
        require(self.huber > 0.0, "huber", "positive (inf for squared error)", self.huber)
    }

    fn gamma(&self) -> f64 {
        self.q.replay.gamma
    }

    fn replay(&self) -> Option<&ReplaySettings> {
        Some(&self.q.replay)
    }

    fn actor(&self, spaces: Spaces<'_>) -> Result<ActorPlan, AgentError> {
        Ok(self.q.actor(self.architecture(spaces)?, ActionValues::ONE_OUTPUT))
    }

    fn workload(&self, spaces: Spaces<'_>, _n_envs: usize, total_steps: u64) -> Workload {
        self.q.workload(spaces, 1, 1, total_steps)
    }

    fn build(&self, context: &AgentContext) -> Result<Box<dyn Agent>, AgentError> {
        Ok(Box::new(Dqn::new(self.clone(), context)?))
    }
}

impl DqnConfig {
    fn architecture(&self, spaces: Spaces<'_>) -> Result<Network, AgentError> {
        let n_actions = spaces.n_discrete("dqn")?;
        let network = |n_outputs| self.q.network(spaces, n_outputs);
        if self.dueling { Ok(network(n_actions + 1)?.dueling()) } else { network(n_actions) }
    }
}

/// The DQN agent.
pub struct Dqn {
    config: DqnConfig,
    q: QLearning,
}

impl Dqn {
    /// Makes the agent, ready to act.
    ///
    /// # Errors
    /// When the action space is not discrete, or the network cannot be made.
    pub fn new(config: DqnConfig, context: &AgentContext) -> Result<Self, AgentError> {
        let network = config.architecture(context.spaces())?;
        let q = config.q.q_learning("q", network, ActionValues::ONE_OUTPUT, config.priority, context)?;
        Ok(Self { config, q })
    }

    /// y of every transition.
    fn targets(&mut self, batch: &Transitions) -> Result<Vec<f64>, SolverError> {
        let next = batch_of(&batch.next_observations, self.q.experience.width)?;
        let values = self.q.target.network().predict(&next)?;
        let choice = if self.config.double { self.q.online.forward(&next)? } else { &values };
        let chosen = values.rows().zip(choice.rows()).map(|(values, choice)| values[argmax(choice) as usize]);
        Ok(batch.rewards.iter().zip(&batch.discounts).zip(chosen).map(|((r, discount), v)| r + discount * v).collect())
    }

    fn update(&mut self, clock: Clock, first: bool) -> Result<Update, SolverError> {
        let correction = self.config.priority_correction.at(clock.progress());
        let batch = self.q.experience.batch(correction);
        let targets = self.targets(&batch)?;
        let huber = self.config.huber.is_finite().then_some(self.config.huber);
        let weights = batch.weights.as_deref();
        let loss = ChosenAction { actions: batch.actions.discrete(), targets: &targets, weights, huber };
        let observations = batch_of(&batch.observations, self.q.experience.width)?;
        if self.config.priority > 0.0 {
            let values = self.q.online.forward(&observations)?;
            let chosen = values.rows().zip(batch.actions.discrete()).map(|(q, &action)| q[action as usize]);
            self.q.experience.replay.reprioritize(&batch.slots, chosen.zip(&targets).map(|(q, y)| q - y));
        }
        Ok(Update { network: self.q.name, result: self.q.online.step(&observations, &loss, clock.context(first)) })
    }
}

impl Agent for Dqn {
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
