//! The choice among agents.

use std::{fmt, str::FromStr, sync::Arc};

use egn_solver::{Network, Snapshot};
use serde::{Deserialize, Serialize};

use crate::{
    Agent, AgentError, CategoricalPolicy, Demand, EpsilonGreedyPolicy, Policy, Setting,
    agent::widths,
    dqn::{self, Dqn, DqnConfig},
    ppo::{self, Ppo, PpoConfig},
};

/// An agent's textbook name, as on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AgentName {
    /// Deep Q-networks.
    Dqn,
    /// Proximal policy optimization.
    Ppo,
}

impl AgentName {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Dqn, Self::Ppo];

    /// Whether it trains a critic besides the network that acts.
    pub fn has_critic(self) -> bool {
        match self {
            Self::Dqn => false,
            Self::Ppo => true,
        }
    }

    /// One line on what it is.
    pub fn summary(self) -> &'static str {
        match self {
            Self::Dqn => "deep Q-networks: double, target network, uniform replay (discrete actions)",
            Self::Ppo => "proximal policy optimization; with egn, a damped natural gradient (discrete actions)",
        }
    }
}

impl fmt::Display for AgentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Dqn => "dqn",
            Self::Ppo => "ppo",
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
    /// Proximal policy optimization.
    Ppo(PpoConfig),
}

impl AgentConfig {
    /// Which one it is.
    pub fn name(&self) -> AgentName {
        match self {
            Self::Dqn(_) => AgentName::Dqn,
            Self::Ppo(_) => AgentName::Ppo,
        }
    }

    /// Ready to act.
    ///
    /// # Errors
    /// When the agent cannot take the environment's actions, or a network cannot be made.
    pub fn build(&self, setting: &Setting) -> Result<Box<dyn Agent>, AgentError> {
        Ok(match self {
            Self::Dqn(config) => Box::new(Dqn::new(config.clone(), setting)?),
            Self::Ppo(config) => Box::new(Ppo::new(config.clone(), setting)?),
        })
    }

    /// Architecture of the network that acts.
    pub fn policy_architecture(&self, n_observations: usize, n_actions: usize) -> Network {
        let (hidden, activation) = match self {
            Self::Dqn(config) => (&config.hidden, dqn::ACTIVATION),
            Self::Ppo(config) => (&config.hidden, ppo::ACTIVATION),
        };
        Network::mlp(&widths(n_observations, hidden, n_actions), activation)
    }

    /// The policy that acts with a saved network ([`Agent::policy_network`]).
    pub fn policy_from(&self, network: Snapshot) -> Arc<dyn Policy> {
        match self {
            Self::Dqn(config) => {
                Arc::new(EpsilonGreedyPolicy { q: network, epsilon: config.exploration, random_before: 0.0 })
            }
            Self::Ppo(_) => Arc::new(CategoricalPolicy { logits: network }),
        }
    }

    /// What a run with so many environments and steps has to hold in memory.
    pub fn demand(&self, n_envs: usize, total_steps: u64) -> Demand {
        match self {
            Self::Dqn(config) => Demand {
                hidden: config.hidden.clone(),
                transitions: total_steps.min(config.buffer_size as u64),
                batch_size: config.batch_size as u64,
            },
            Self::Ppo(config) => {
                let transitions = (config.n_steps as u64).saturating_mul(n_envs as u64);
                let batch_size = (config.batch_size.max(config.critic_batch_size) as u64).min(transitions);
                Demand { hidden: config.hidden.clone(), transitions, batch_size }
            }
        }
    }

    /// Whether every setting is in its range.
    ///
    /// # Errors
    /// The first setting that is not, with the range.
    pub fn validate(&self) -> Result<(), String> {
        match self {
            Self::Dqn(config) => config.validate(),
            Self::Ppo(config) => config.validate(),
        }
    }
}
