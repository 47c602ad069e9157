//! The choice among agents.

use std::collections::BTreeMap;

use serde::{
    Deserialize, Serialize,
    de::value::{Error, MapAccessDeserializer, MapDeserializer},
};

use crate::{
    agent_name::AgentName,
    algorithms::{
        a2c::A2cConfig, c51::C51Config, ddpg::DdpgConfig, dqn::DqnConfig, lqr_pi::LqrPiConfig, ppo::PpoConfig,
        qrdqn::QrDqnConfig, reinforce::ReinforceConfig, sac::SacConfig, td3::Td3Config, trpo::TrpoConfig,
    },
    settings::agent_settings::AgentSettings,
};

/// An agent with its settings, in files `{ <name> = <settings> }`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AgentConfig {
    /// Deep Q-networks.
    Dqn(DqnConfig),
    /// Categorical deep Q-networks.
    C51(C51Config),
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
    #[serde(rename = "lqr-pi")]
    LqrPi(LqrPiConfig),
}

impl AgentConfig {
    /// The settings, which answer for their algorithm.
    pub fn settings(&self) -> &dyn AgentSettings {
        match self {
            Self::Dqn(settings) => settings,
            Self::C51(settings) => settings,
            Self::QrDqn(settings) => settings,
            Self::Ddpg(settings) => settings,
            Self::Td3(settings) => settings,
            Self::Sac(settings) => settings,
            Self::Ppo(settings) => settings,
            Self::A2c(settings) => settings,
            Self::Trpo(settings) => settings,
            Self::Reinforce(settings) => settings,
            Self::LqrPi(settings) => settings,
        }
    }
}

impl From<AgentName> for AgentConfig {
    /// The agent of this name with its defaults, read like a file with the name and no settings.
    fn from(name: AgentName) -> Self {
        let named = [(name.to_string(), BTreeMap::<&str, f64>::new())].into_iter();
        Self::deserialize(MapAccessDeserializer::new(MapDeserializer::<_, Error>::new(named)))
            .expect("every name is that of an agent, and every setting has a default")
    }
}

impl AgentName {
    /// One line on what the algorithm is.
    pub fn summary(self) -> &'static str {
        AgentConfig::from(self).settings().summary()
    }

    /// Whether the agent learns from a replay memory, whoever acted.
    pub fn has_replay(self) -> bool {
        AgentConfig::from(self).settings().has_replay()
    }
}

#[cfg(test)]
mod tests {
    use egn_envs::Space;

    use super::*;
    use crate::context::Spaces;

    #[test]
    fn every_name_is_that_of_an_agent() {
        for &name in AgentName::ALL {
            assert_eq!(AgentConfig::from(name).settings().name(), name);
        }
    }

    #[test]
    fn a_workload_is_what_the_largest_step_takes() {
        let discrete = Spaces { n_observations: 4, actions: &Space::Discrete { n: 6 } };
        let quantiles = QrDqnConfig { n_quantiles: 50, ..Default::default() }.workload(discrete, 1, 1000);
        assert_eq!((quantiles.rows_per_sample, quantiles.widths.last(), quantiles.transitions), (50, Some(&300), 1000));
        // Whole episodes, which may be longer than the rollouts that they come in.
        let episodes = ReinforceConfig { n_steps: 8, batch_size: 700, ..Default::default() };
        let episodes = episodes.workload(discrete, 1, 1000);
        assert_eq!((episodes.batch_size, episodes.transitions, episodes.rows_per_sample), (700, 700, 5));
        // z = (x, u) with five entries has fifteen products.
        let continuous = Spaces { n_observations: 3, actions: &Space::symmetric(vec![1.0; 2]) };
        let quadratic = LqrPiConfig { n_steps: 100, ..Default::default() }.workload(continuous, 2, 1000);
        assert_eq!((quadratic.widths, quadratic.batch_size, quadratic.rows_per_sample), (vec![15, 1], 200, 1));
    }
}
