//! The settings of every agent that acts by the values of its actions.

use std::sync::Arc;

use egn_solver::{Initialization, Learner, Network, Schedule, SettingError, require, schedule::Moving};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    context::{AgentContext, Spaces, Workload},
    error::AgentError,
    networks::{
        body::{Body, Convolutions},
        q_learning::QLearning,
        target_network::TargetNetwork,
    },
    policies::{
        actor_plan::ActorPlan,
        epsilon_greedy::EpsilonGreedyPolicy,
        greedy_rule::{ActionValues, GreedyRule},
    },
    settings::replay::ReplaySettings,
    streams::{Purpose, stream},
};

/// Settings of every agent that acts by the values of its actions; in a file they stand among the
/// agent's own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct QLearningSettings {
    /// Settings of every agent with a replay memory.
    #[serde(flatten)]
    pub replay: ReplaySettings,
    /// Convolutions before the hidden layers, for observations that are images.
    pub convolutions: Option<Convolutions>,
    /// Environment steps between two updates of the target network, 1 or more.
    pub target_update_interval: u64,
    /// ε, in [0, 1]: how often an action is random.
    pub exploration: Schedule,
}

impl Default for QLearningSettings {
    fn default() -> Self {
        // Stable-Baselines3's DQN.
        Self {
            replay: ReplaySettings {
                hidden: vec![64, 64],
                train_freq: 4,
                batch_size: 32,
                tau: 1.0,
                ..ReplaySettings::default()
            },
            convolutions: None,
            target_update_interval: 10_000,
            exploration: Schedule::Moving(Moving::Linear { from: 1.0, to: 0.05, over: 0.1 }),
        }
    }
}

impl QLearningSettings {
    /// Checks that every setting is in its range.
    ///
    /// # Errors
    /// The first setting that is not.
    pub fn validate(&self) -> Result<(), SettingError> {
        self.replay.validate()?;
        self.convolutions.as_ref().map_or(Ok(()), Convolutions::validate)?;
        let interval = self.target_update_interval;
        require(interval > 0, "target_update_interval", "1 or more", interval)?;
        self.exploration.require("exploration", [0.0, 1.0], "in [0, 1]")
    }

    fn body(&self) -> Body<'_> {
        Body { convolutions: self.convolutions.as_ref(), ..self.replay.body() }
    }

    /// The network from observations in these spaces to so many outputs.
    ///
    /// # Errors
    /// When observations are not the images that the convolutions are made for.
    pub(crate) fn network(&self, spaces: Spaces<'_>, n_outputs: usize) -> Result<Network, AgentError> {
        self.body().check(spaces.n_observations)?;
        Ok(self.body().network(spaces.n_observations, n_outputs))
    }

    /// The plan of an actor with `network`, whose outputs stand for `values`.
    pub(crate) fn actor(&self, network: Network, values: ActionValues) -> ActorPlan {
        let epsilon = self.exploration;
        ActorPlan::new(network, GreedyRule::Argmax(values.clone()), move |q| {
            Arc::new(EpsilonGreedyPolicy { q, values: values.clone(), epsilon, random_before: 0.0 })
        })
    }

    /// The workload of an agent with so many outputs an action.
    pub(crate) fn workload(
        &self,
        spaces: Spaces<'_>,
        outputs_per_action: usize,
        rows_per_sample: usize,
        total_steps: u64,
    ) -> Workload {
        let n_outputs = spaces.n_actions().saturating_mul(outputs_per_action);
        self.replay.workload(self.body().widths(spaces.n_observations, n_outputs), rows_per_sample, total_steps)
    }

    /// Networks and memory of an agent in this run; its record calls the network that learns
    /// `name`, and `priority` is α of prioritized replay.
    ///
    /// # Errors
    /// When the network cannot be made.
    pub(crate) fn q_learning(
        &self,
        name: &'static str,
        network: Network,
        values: ActionValues,
        priority: f64,
        context: &AgentContext,
    ) -> Result<QLearning, AgentError> {
        let rng = &mut stream(context.seed, Purpose::Initialization, 0);
        let online = Learner::new(network, Initialization::Uniform, context.precision, &context.optimizer, rng)?;
        Ok(QLearning {
            name,
            target: TargetNetwork::new(online.snapshot(), self.replay.tau),
            online,
            experience: self.replay.off_policy(priority, context),
            values,
            exploration: self.exploration,
            target_update_interval: self.target_update_interval,
        })
    }
}
