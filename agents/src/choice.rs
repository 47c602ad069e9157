//! The choice among agents: their names, and their settings by name.

use std::{collections::BTreeMap, fmt, str::FromStr};

use egn_solver::over_default;
use schemars::JsonSchema;
use serde::{
    Deserialize, Serialize,
    de::value::{Error, MapAccessDeserializer, MapDeserializer},
};
use strum::{EnumDiscriminants, VariantArray};

use crate::{
    algorithms::{a2c, c51, ddpg, dqn, lqr_pi, ppo, qrdqn, reinforce, sac, td3, trpo},
    settings::agent_settings::AgentSettings,
};

/// An agent with its settings, in files `{ <name> = <settings> }`.
///
/// *Design.* Settings that share others by flattening are read with [`over_default`]: serde alone
/// would not refuse their unknown keys, nor know whose default fills a gap.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, EnumDiscriminants)]
#[serde(rename_all = "lowercase")]
#[strum_discriminants(
    doc = "The textbook name of one of these agents, as on the command line and in files.",
    name(AgentName),
    derive(PartialOrd, Ord, Hash, Serialize, Deserialize, VariantArray),
    serde(rename_all = "lowercase")
)]
pub enum AgentConfig {
    /// Deep Q-networks.
    #[serde(deserialize_with = "over_default")]
    Dqn(dqn::DqnConfig),
    /// Categorical deep Q-networks.
    #[serde(deserialize_with = "over_default")]
    C51(c51::C51Config),
    /// Deep Q-networks with quantile regression.
    #[serde(deserialize_with = "over_default")]
    QrDqn(qrdqn::QrDqnConfig),
    /// Deep deterministic policy gradient.
    #[serde(deserialize_with = "over_default")]
    Ddpg(ddpg::DdpgConfig),
    /// Twin delayed deep deterministic policy gradient.
    #[serde(deserialize_with = "over_default")]
    Td3(td3::Td3Config),
    /// Soft actor-critic.
    #[serde(deserialize_with = "over_default")]
    Sac(sac::SacConfig),
    /// Proximal policy optimization.
    #[serde(deserialize_with = "over_default")]
    Ppo(ppo::PpoConfig),
    /// Advantage actor-critic.
    #[serde(deserialize_with = "over_default")]
    A2c(a2c::A2cConfig),
    /// Trust-region policy optimization.
    #[serde(deserialize_with = "over_default")]
    Trpo(trpo::TrpoConfig),
    /// Monte-Carlo policy gradient.
    #[serde(deserialize_with = "over_default")]
    Reinforce(reinforce::ReinforceConfig),
    /// Policy iteration for linear-quadratic problems.
    #[serde(rename = "lqr-pi")]
    #[strum_discriminants(serde(rename = "lqr-pi"))]
    LqrPi(lqr_pi::LqrPiConfig),
}

impl AgentConfig {
    /// The agent's name.
    pub fn name(&self) -> AgentName {
        self.into()
    }

    /// The settings of the agent, behind the trait that all settings share.
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

impl fmt::Display for AgentName {
    /// Writes the name as serde does, so that it stands once.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

impl FromStr for AgentName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let named = Self::ALL.iter().find(|name| name.to_string() == text);
        named.copied().ok_or_else(|| format!("unknown agent '{text}'"))
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
    /// All names of agents, as they are listed.
    pub const ALL: &[Self] = Self::VARIANTS;

    /// One line on what the algorithm is.
    pub fn summary(self) -> &'static str {
        AgentConfig::from(self).settings().summary()
    }

    /// Whether the agent learns from a replay memory, whichever policy acted.
    pub fn has_replay(self) -> bool {
        AgentConfig::from(self).settings().has_replay()
    }
}

#[cfg(test)]
mod tests {
    use egn_envs::Space;

    use super::*;
    use crate::{
        algorithms::{lqr_pi::LqrPiConfig, qrdqn::QrDqnConfig, reinforce::ReinforceConfig},
        context::Spaces,
    };

    #[test]
    fn every_name_is_that_of_an_agent() {
        for &name in AgentName::ALL {
            assert_eq!(AgentConfig::from(name).name(), name);
        }
    }

    #[test]
    fn names_are_written_as_in_files_and_read_back() {
        for &name in AgentName::ALL {
            assert_eq!(serde_json::to_value(name).unwrap(), name.to_string());
            assert_eq!(name.to_string().parse(), Ok(name));
        }
        assert_eq!(format!("[{:8}]", AgentName::LqrPi), "[lqr-pi  ]");
        assert!("dqn2".parse::<AgentName>().is_err());
    }

    /// Every agent as Rust's `Default` makes it.
    fn defaults() -> Vec<AgentConfig> {
        vec![
            AgentConfig::Dqn(dqn::DqnConfig::default()),
            AgentConfig::C51(c51::C51Config::default()),
            AgentConfig::QrDqn(qrdqn::QrDqnConfig::default()),
            AgentConfig::Ddpg(ddpg::DdpgConfig::default()),
            AgentConfig::Td3(td3::Td3Config::default()),
            AgentConfig::Sac(sac::SacConfig::default()),
            AgentConfig::Ppo(ppo::PpoConfig::default()),
            AgentConfig::A2c(a2c::A2cConfig::default()),
            AgentConfig::Trpo(trpo::TrpoConfig::default()),
            AgentConfig::Reinforce(reinforce::ReinforceConfig::default()),
            AgentConfig::LqrPi(lqr_pi::LqrPiConfig::default()),
        ]
    }

    #[test]
    fn what_a_table_leaves_out_is_the_default_of_its_agent() {
        assert_eq!(defaults().len(), AgentName::ALL.len());
        for default in defaults() {
            let name = default.name();
            let read = |text: &str| serde_json::from_str::<AgentConfig>(&format!(r#"{{ "{name}": {text} }}"#));
            assert_eq!(read("{}").unwrap(), default);
            let given = read(r#"{ "gamma": 0.5, "n_steps": 7 }"#).unwrap();
            assert_eq!(given.settings().gamma(), 0.5);
            let [mut given, default] = [given, default].map(|config| serde_json::to_value(config).unwrap());
            for key in ["gamma", "n_steps"] {
                assert_ne!(given[name.to_string()][key], default[name.to_string()][key]);
                given[name.to_string()][key] = default[name.to_string()][key].clone();
            }
            assert_eq!(given, default);
            let refusal = read(r#"{ "gama": 0.5 }"#).unwrap_err().to_string();
            assert!(refusal.starts_with("unknown field `gama`, expected") && refusal.contains("`gamma`"), "{refusal}");
        }
    }

    #[test]
    fn a_workload_is_what_the_largest_step_takes() {
        let discrete = Spaces { n_observations: 4, actions: &Space::Discrete { n: 6 } };
        let quantiles = QrDqnConfig { n_quantiles: 50, ..Default::default() }.workload(discrete, 1, 1000);
        assert_eq!((quantiles.rows_per_sample, quantiles.widths.last(), quantiles.transitions), (50, Some(&300), 1000));
        // Whole episodes, which may be longer than the rollouts that they come in.
        let episodes = ReinforceConfig { batch_size: 700, ..Default::default() };
        let episodes = episodes.workload(discrete, 1, 1000);
        assert_eq!((episodes.batch_size, episodes.transitions, episodes.rows_per_sample), (700, 700, 5));
        // z = (x, u) with five entries has fifteen products.
        let continuous = Spaces { n_observations: 3, actions: &Space::symmetric(vec![1.0; 2]) };
        let quadratic = LqrPiConfig { n_steps: 100, ..Default::default() }.workload(continuous, 2, 1000);
        assert_eq!((quadratic.widths, quadratic.batch_size, quadratic.rows_per_sample), (vec![15, 1], 200, 1));
    }
}
