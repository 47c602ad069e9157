//! The choice among agents.

use std::{fmt, str::FromStr, sync::Arc};

use egn_envs::Space;
use egn_solver::{Network, Products, SettingError, Snapshot, loss::Curvature};
use serde::{Deserialize, Serialize};

use crate::{
    agent::Agent,
    algorithms::{
        a2c::{A2c, A2cConfig},
        ddpg::DdpgConfig,
        dqn::{Dqn, DqnConfig},
        lqr_pi::{self, LqrPi, LqrPiConfig},
        ppo::{Ppo, PpoConfig},
        qrdqn::{QrDqn, QrDqnConfig},
        reinforce::{Reinforce, ReinforceConfig},
        sac::{self, Sac, SacConfig},
        td3::{self, Td3, Td3Config},
        trpo::{Trpo, TrpoConfig},
    },
    context::{Demand, Setting},
    error::AgentError,
    networks::{
        body::{Body, Convolutions, perceptron},
        distribution::Distribution,
    },
    policies::{action_range::range_of, epsilon_greedy::EpsilonGreedyPolicy, greedy_rule::GreedyRule, policy::Policy},
};

/// An agent's textbook name, as on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AgentName {
    /// Deep Q-networks.
    Dqn,
    /// Deep Q-networks with quantile regression.
    QrDqn,
    /// Deep deterministic policy gradient.
    Ddpg,
    /// Twin delayed deep deterministic policy gradient.
    Td3,
    /// Soft actor-critic.
    Sac,
    /// Proximal policy optimization.
    Ppo,
    /// Advantage actor-critic.
    A2c,
    /// Trust-region policy optimization.
    Trpo,
    /// Monte-Carlo policy gradient.
    Reinforce,
    /// Policy iteration for linear-quadratic problems.
    #[serde(rename = "lqr-pi")]
    LqrPi,
}

impl AgentName {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Dqn,
        Self::QrDqn,
        Self::Ddpg,
        Self::Td3,
        Self::Sac,
        Self::Ppo,
        Self::A2c,
        Self::Trpo,
        Self::Reinforce,
        Self::LqrPi,
    ];

    /// Whether it trains a critic besides the network that acts.
    pub fn has_critic(self) -> bool {
        match self {
            Self::Dqn | Self::QrDqn | Self::LqrPi => false,
            Self::Ddpg | Self::Td3 | Self::Sac => true,
            Self::Ppo | Self::A2c | Self::Trpo | Self::Reinforce => true,
        }
    }

    /// Whether it learns from a replay memory, whoever acted.
    pub fn has_replay(self) -> bool {
        match self {
            Self::Dqn | Self::QrDqn | Self::Ddpg | Self::Td3 | Self::Sac => true,
            Self::Ppo | Self::A2c | Self::Trpo | Self::Reinforce | Self::LqrPi => false,
        }
    }

    /// One line on what it is.
    pub fn summary(self) -> &'static str {
        match self {
            Self::Dqn => "deep Q-networks: double, dueling, n steps, prioritised replay (discrete actions)",
            Self::QrDqn => "deep Q-networks with quantile regression (discrete actions)",
            Self::Ddpg => "deep deterministic policy gradient (bounded continuous actions)",
            Self::Td3 => "twin delayed deterministic policy gradient (bounded continuous actions)",
            Self::Sac => "soft actor-critic, automatic temperature (bounded continuous actions)",
            Self::Ppo => "proximal policy optimization; with egn, a damped natural gradient (any actions)",
            Self::A2c => "advantage actor-critic, synchronous; with egn, ACKTR with an exact solve (any actions)",
            Self::Trpo => "trust-region policy optimization; with egn, the constraint, else a penalty (any actions)",
            Self::Reinforce => "Monte-Carlo policy gradient with a learned baseline (any actions)",
            Self::LqrPi => {
                "policy iteration with a quadratic Q-function (bounded continuous actions, linear-quadratic problems)"
            }
        }
    }
}

impl fmt::Display for AgentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Dqn => "dqn",
            Self::QrDqn => "qrdqn",
            Self::Ddpg => "ddpg",
            Self::Td3 => "td3",
            Self::Sac => "sac",
            Self::Ppo => "ppo",
            Self::A2c => "a2c",
            Self::Trpo => "trpo",
            Self::Reinforce => "reinforce",
            Self::LqrPi => "lqr-pi",
        })
    }
}

impl FromStr for AgentName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|name| name.to_string() == text).ok_or_else(|| format!("unknown agent '{text}'"))
    }
}

/// An agent with its settings.
#[derive(Debug, Clone, PartialEq)]
pub enum AgentConfig {
    /// Deep Q-networks.
    Dqn(DqnConfig),
    /// Deep Q-networks with quantile regression.
    QrDqn(QrDqnConfig),
    /// Deep deterministic policy gradient.
    Ddpg(DdpgConfig),
    /// Twin delayed deep deterministic policy gradient.
    Td3(Td3Config),
    /// Soft actor-critic.
    Sac(SacConfig),
    /// Proximal policy optimization.
    Ppo(PpoConfig),
    /// Advantage actor-critic.
    A2c(A2cConfig),
    /// Trust-region policy optimization.
    Trpo(TrpoConfig),
    /// Monte-Carlo policy gradient.
    Reinforce(ReinforceConfig),
    /// Policy iteration for linear-quadratic problems.
    LqrPi(LqrPiConfig),
}

impl AgentConfig {
    /// Which one it is.
    pub fn name(&self) -> AgentName {
        match self {
            Self::Dqn(_) => AgentName::Dqn,
            Self::QrDqn(_) => AgentName::QrDqn,
            Self::Ddpg(_) => AgentName::Ddpg,
            Self::Td3(_) => AgentName::Td3,
            Self::Sac(_) => AgentName::Sac,
            Self::Ppo(_) => AgentName::Ppo,
            Self::A2c(_) => AgentName::A2c,
            Self::Trpo(_) => AgentName::Trpo,
            Self::Reinforce(_) => AgentName::Reinforce,
            Self::LqrPi(_) => AgentName::LqrPi,
        }
    }

    /// γ.
    pub fn gamma(&self) -> f64 {
        match self {
            Self::Dqn(config) => config.gamma,
            Self::QrDqn(config) => config.gamma,
            Self::Ddpg(config) => config.gamma,
            Self::Td3(config) => config.gamma,
            Self::Sac(config) => config.gamma,
            Self::Ppo(config) => config.gamma,
            Self::A2c(config) => config.gamma,
            Self::Trpo(config) => config.gamma,
            Self::Reinforce(config) => config.gamma,
            Self::LqrPi(config) => config.gamma,
        }
    }

    /// Ready to act.
    ///
    /// # Errors
    /// When the agent cannot take the environment's actions, or a network cannot be made.
    pub fn build(&self, setting: &Setting) -> Result<Box<dyn Agent>, AgentError> {
        Ok(match self {
            Self::Dqn(config) => Box::new(Dqn::new(config.clone(), setting)?),
            Self::QrDqn(config) => Box::new(QrDqn::new(config.clone(), setting)?),
            Self::Ddpg(config) => Box::new(config.build(setting)?),
            Self::Td3(config) => Box::new(Td3::new(config.clone(), setting)?),
            Self::Sac(config) => Box::new(Sac::new(config.clone(), setting)?),
            Self::Ppo(config) => Box::new(Ppo::new(config.clone(), setting)?),
            Self::A2c(config) => Box::new(A2c::new(config.clone(), setting)?),
            Self::Trpo(config) => Box::new(Trpo::new(config.clone(), setting)?),
            Self::Reinforce(config) => Box::new(Reinforce::new(config.clone(), setting)?),
            Self::LqrPi(config) => Box::new(LqrPi::new(config.clone(), setting)?),
        })
    }

    /// Architecture of the network that acts in an environment with these actions.
    pub fn policy_architecture(&self, n_observations: usize, actions: &Space) -> Network {
        let n_actions = match *actions {
            Space::Discrete { n } => n,
            Space::Box { .. } => actions.len(),
        };
        let on_policy = |body: Body<'_>| Distribution::over(actions).network(n_observations, body);
        match self {
            Self::Dqn(config) => config.architecture(n_observations, n_actions),
            Self::QrDqn(config) => config.architecture(n_observations, n_actions),
            Self::Ddpg(config) => td3::architecture(n_observations, &config.hidden, actions),
            Self::Td3(config) => td3::architecture(n_observations, &config.hidden, actions),
            Self::Sac(config) => sac::architecture(n_observations, &config.hidden, actions),
            Self::Ppo(config) => on_policy(config.body()),
            Self::A2c(config) => on_policy(perceptron(&config.hidden)),
            Self::Trpo(config) => on_policy(perceptron(&config.hidden)),
            Self::Reinforce(config) => on_policy(perceptron(&config.hidden)),
            Self::LqrPi(_) => lqr_pi::architecture(n_observations, actions),
        }
    }

    /// The policy that acts with a saved network ([`Agent::policy_network`]) in an environment with
    /// these actions.
    pub fn policy_from(&self, network: Snapshot, actions: &Space) -> Arc<dyn Policy> {
        let epsilon_greedy =
            |q, n_quantiles, epsilon| Arc::new(EpsilonGreedyPolicy { q, n_quantiles, epsilon, random_before: 0.0 });
        match self {
            Self::Dqn(config) => epsilon_greedy(network, 1, config.exploration),
            Self::QrDqn(config) => epsilon_greedy(network, config.n_quantiles, config.exploration),
            Self::Ddpg(_) | Self::Td3(_) => Arc::new(td3::policy_from(network, actions)),
            Self::Sac(_) => Arc::new(sac::policy_from(network, actions)),
            Self::LqrPi(_) => Arc::new(lqr_pi::policy_from(&network, actions)),
            Self::Ppo(_) | Self::A2c(_) | Self::Trpo(_) | Self::Reinforce(_) => {
                Distribution::over(actions).policy(network)
            }
        }
    }

    /// What that policy does with the outputs of its network when it is greedy.
    pub fn greedy_rule(&self, actions: &Space) -> GreedyRule {
        let argmax = |outputs_per_action| GreedyRule::Argmax { outputs_per_action };
        match self {
            Self::Dqn(_) => argmax(1),
            Self::QrDqn(config) => argmax(config.n_quantiles),
            Self::Ddpg(_) | Self::Td3(_) | Self::Sac(_) => {
                let range = range_of(actions, "this policy");
                let (low, high) = range.bounds();
                GreedyRule::Tanh { low: low.to_vec(), high: high.to_vec() }
            }
            Self::Ppo(_) | Self::A2c(_) | Self::Trpo(_) | Self::Reinforce(_) | Self::LqrPi(_) => match actions {
                Space::Discrete { .. } => argmax(1),
                Space::Box { low, high } => GreedyRule::Clip { low: low.clone(), high: high.clone() },
            },
        }
    }

    /// Environment steps without an update at the beginning of a run, for agents that wait.
    pub fn learning_starts(&self) -> Option<u64> {
        match self {
            Self::Dqn(config) => Some(config.learning_starts),
            Self::QrDqn(config) => Some(config.learning_starts),
            Self::Ddpg(config) => Some(config.learning_starts),
            Self::Td3(config) => Some(config.learning_starts),
            Self::Sac(config) => Some(config.learning_starts),
            Self::Ppo(_) | Self::A2c(_) | Self::Trpo(_) | Self::Reinforce(_) | Self::LqrPi(_) => None,
        }
    }

    /// What a run with so many environments and steps has to hold in memory.
    pub fn demand(&self, n_envs: usize, total_steps: u64, n_observations: usize, actions: &Space) -> Demand {
        let n = match *actions {
            Space::Discrete { n } => n,
            Space::Box { .. } => actions.len(),
        };
        // Mean and deviation of a Gaussian have an output and a row each; a softmax one row less than outputs.
        let (n_outputs, policy_rows) = match actions {
            Space::Discrete { .. } => (n, n.saturating_sub(1).max(1)),
            Space::Box { .. } => (2 * n, 2 * n),
        };
        let network = |see: Option<&Convolutions>, hidden: &[usize], n_outputs: usize| {
            let image = see.map(Convolutions::n_outputs);
            [n_observations].into_iter().chain(image).chain(hidden.iter().copied()).chain([n_outputs]).collect()
        };
        let off_policy = |widths: Vec<usize>, buffer_size: usize, batch_size: usize, rows: usize| Demand {
            widths,
            transitions: total_steps.min(buffer_size as u64),
            batch_size: batch_size as u64,
            rows_per_sample: rows as u64,
        };
        let collected = |n_steps: usize| (n_steps as u64).saturating_mul(n_envs as u64);
        let on_policy = |widths: Vec<usize>, n_steps: usize, batch_size: usize| Demand {
            widths,
            transitions: collected(n_steps),
            batch_size: (batch_size as u64).min(collected(n_steps)),
            rows_per_sample: policy_rows as u64,
        };
        match self {
            Self::Dqn(config) => {
                let widths = network(config.convolutions.as_ref(), &config.hidden, n);
                off_policy(widths, config.buffer_size, config.batch_size, 1)
            }
            Self::QrDqn(config) => {
                let n_quantiles = config.n_quantiles;
                let widths = network(config.convolutions.as_ref(), &config.hidden, n.saturating_mul(n_quantiles));
                off_policy(widths, config.buffer_size, config.batch_size, n_quantiles)
            }
            Self::Ddpg(config) => {
                off_policy(network(None, &config.hidden, n), config.buffer_size, config.batch_size, n)
            }
            Self::Td3(config) => off_policy(network(None, &config.hidden, n), config.buffer_size, config.batch_size, n),
            Self::Sac(config) => {
                off_policy(network(None, &config.hidden, 2 * n), config.buffer_size, config.batch_size, 2 * n)
            }
            Self::Ppo(config) => {
                let widths = network(config.convolutions.as_ref(), &config.hidden, n_outputs);
                let demand = on_policy(widths, config.n_steps, config.batch_size.max(config.critic_batch_size));
                match config.curvature {
                    Curvature::Exact => demand,
                    Curvature::Sampled => Demand { rows_per_sample: 1, ..demand },
                }
            }
            Self::A2c(config) => on_policy(network(None, &config.hidden, n_outputs), config.n_steps, usize::MAX),
            // The step under the constraint takes the whole rollout.
            Self::Trpo(config) => on_policy(network(None, &config.hidden, n_outputs), config.n_steps, usize::MAX),
            // Batches are of whole episodes, however long.
            Self::Reinforce(config) => Demand {
                batch_size: config.batch_size as u64,
                transitions: collected(config.n_steps).max(config.batch_size as u64),
                ..on_policy(network(None, &config.hidden, n_outputs), config.n_steps, config.batch_size)
            },
            Self::LqrPi(config) => {
                let n_products = Products { n_inputs: n_observations + n }.n_outputs();
                Demand { rows_per_sample: 1, ..on_policy(vec![n_products, 1], config.n_steps, usize::MAX) }
            }
        }
    }

    /// Whether every setting is in its range.
    ///
    /// # Errors
    /// The first setting that is not, with the range.
    pub fn validate(&self) -> Result<(), SettingError> {
        match self {
            Self::Dqn(config) => config.validate(),
            Self::QrDqn(config) => config.validate(),
            Self::Ddpg(config) => config.validate(),
            Self::Td3(config) => config.validate(),
            Self::Sac(config) => config.validate(),
            Self::Ppo(config) => config.validate(),
            Self::A2c(config) => config.validate(),
            Self::Trpo(config) => config.validate(),
            Self::Reinforce(config) => config.validate(),
            Self::LqrPi(config) => config.validate(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_demand_is_what_the_largest_step_takes() {
        let actions = Space::Discrete { n: 6 };
        let quantiles = AgentConfig::QrDqn(QrDqnConfig { n_quantiles: 50, ..Default::default() });
        let demand = quantiles.demand(1, 1000, 4, &actions);
        assert_eq!((demand.rows_per_sample, demand.widths.last(), demand.transitions), (50, Some(&300), 1000));
        // Whole episodes, which may be longer than the rollouts that they come in.
        let episodes = AgentConfig::Reinforce(ReinforceConfig { n_steps: 8, batch_size: 700, ..Default::default() });
        let demand = episodes.demand(1, 1000, 4, &actions);
        assert_eq!((demand.batch_size, demand.transitions, demand.rows_per_sample), (700, 700, 5));
        // z = (x, u) with five entries has fifteen products.
        let quadratic = AgentConfig::LqrPi(LqrPiConfig { n_steps: 100, ..Default::default() });
        let demand = quadratic.demand(2, 1000, 3, &Space::symmetric(vec![1.0; 2]));
        assert_eq!((demand.widths, demand.batch_size, demand.rows_per_sample), (vec![15, 1], 200, 1));
    }
}
