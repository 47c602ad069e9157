//! The agent that a configuration names: a built-in one, or one that a program brings along.

use std::{fmt, sync::Arc};

use egn_agents::{AgentConfig, AgentError, AgentName, AgentSettings};
use serde::Serialize;
use toml::Table;

use crate::config::{
    env_name::{CUSTOM, is_folder},
    error::ConfigError,
};

/// The agent of a run with its settings; it is written as its name.
#[derive(Debug, Clone, PartialEq)]
#[allow(clippy::large_enum_variant)] // A run has one.
pub enum AgentChoice {
    /// A built-in agent, such as `dqn`.
    BuiltIn(AgentConfig),
    /// `custom:<name>`: an agent that a program of its own brings along, and known to that alone.
    Custom(CustomAgent),
}

/// An agent of a program's own.
///
/// Records keep its name and its settings. Read back from one it equals the agent that was
/// recorded, but nobody answers for it until the program puts its own in its place:
/// `RunConfig { agent, ..read_config(record)? }`.
#[derive(Debug, Clone)]
pub struct CustomAgent {
    pub(super) name: String,
    pub(super) settings: Table,
    pub(super) algorithm: Option<Arc<dyn AgentSettings>>,
}

impl AgentChoice {
    /// An agent of the caller's own, under a name that becomes a folder of its records.
    ///
    /// # Errors
    /// When the name is not that of a folder, or the settings are no struct of what TOML can hold.
    pub fn custom(name: &str, settings: impl AgentSettings + Serialize + 'static) -> Result<Self, ConfigError> {
        let refuse = |message: String| ConfigError::CustomAgent { name: name.to_owned(), message };
        if !is_folder(name) {
            return Err(refuse("its name is not that of a folder".to_owned()));
        }
        let table = Table::try_from(&settings).map_err(|error| refuse(error.to_string()))?;
        Ok(Self::Custom(CustomAgent { name: name.to_owned(), settings: table, algorithm: Some(Arc::new(settings)) }))
    }

    /// The settings of the agent, behind the trait that all settings share.
    ///
    /// # Errors
    /// [`AgentError::Unknown`] when the agent is another program's.
    pub fn settings(&self) -> Result<&dyn AgentSettings, AgentError> {
        match self {
            Self::BuiltIn(config) => Ok(config.settings()),
            Self::Custom(CustomAgent { algorithm: Some(settings), .. }) => Ok(&**settings),
            Self::Custom(CustomAgent { algorithm: None, .. }) => Err(AgentError::Unknown { agent: self.to_string() }),
        }
    }
}

impl From<AgentConfig> for AgentChoice {
    fn from(config: AgentConfig) -> Self {
        Self::BuiltIn(config)
    }
}

impl From<AgentName> for AgentChoice {
    /// The built-in agent of this name with its defaults.
    fn from(name: AgentName) -> Self {
        Self::BuiltIn(name.into())
    }
}

impl PartialEq for CustomAgent {
    /// Compares what records keep.
    fn eq(&self, other: &Self) -> bool {
        (&self.name, &self.settings) == (&other.name, &other.settings)
    }
}

impl fmt::Display for AgentChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn(config) => config.name().fmt(f),
            Self::Custom(agent) => f.pad(&format!("{CUSTOM}{}", agent.name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use egn_agents::{ActorPlan, Agent, AgentContext, Spaces, Workload};

    use super::*;
    use crate::config::{run_config::RunConfig, run_settings::RunSettings};

    #[derive(Debug, Serialize)]
    struct Patient {
        gamma: f64,
        learning_starts: u64,
        note: Option<String>,
    }

    impl AgentSettings for Patient {
        fn summary(&self) -> &'static str {
            "waits"
        }

        fn gamma(&self) -> f64 {
            self.gamma
        }

        fn learning_starts(&self) -> Option<u64> {
            Some(self.learning_starts)
        }

        fn actor(&self, _: Spaces<'_>) -> Result<ActorPlan, AgentError> {
            panic!("nobody asks")
        }

        fn workload(&self, _: Spaces<'_>, _: usize, _: u64) -> Workload {
            panic!("nobody asks")
        }

        fn build(&self, _: &AgentContext) -> Result<Box<dyn Agent>, AgentError> {
            panic!("nobody asks")
        }
    }

    fn config(learning_starts: u64) -> RunConfig {
        let agent = AgentChoice::custom("patient", Patient { gamma: 0.875, learning_starts, note: None }).unwrap();
        let mut config = RunConfig { agent, ..RunConfig::default() };
        config.env.normalize_reward = true;
        config
    }

    #[test]
    fn an_agent_of_ones_own_is_written_with_its_settings_and_read_back_without_its_code() {
        let config = config(5);
        let read = RunConfig::from_toml(&config.to_toml()).unwrap();
        assert!(config.to_toml().contains("agent = \"custom:patient\""), "{}", config.to_toml());
        assert_eq!(read.agent, config.agent);
        assert_eq!(read.to_toml(), config.to_toml());
        let error = read.agent.settings().unwrap_err();
        assert!(error.is_usage() && error.to_string().contains("custom:patient is another program's"), "{error}");
        assert!(read.normalizer(1).is_err());
    }

    #[test]
    fn an_agent_of_ones_own_answers_for_itself() {
        assert_eq!(config(5).normalizer(1).unwrap().rewards.unwrap().discount, 0.875);
        assert!(config(5).validate().is_ok());
        let waits = RunConfig { run: RunSettings { steps: 5, ..RunSettings::default() }, ..config(5) };
        assert!(matches!(waits.validate(), Err(ConfigError::NothingLearned { learning_starts: 5, steps: 5 })));
    }

    #[test]
    fn names_that_lead_out_of_the_records_and_settings_without_names_are_refused() {
        for name in ["", "..", "a/../..", "/a"] {
            let refused = AgentChoice::custom(name, Patient { gamma: 0.5, learning_starts: 0, note: None });
            assert!(matches!(refused, Err(ConfigError::CustomAgent { .. })), "{name}");
            let text = format!("run = {{ env = 'CartPole-v1', agent = 'custom:{name}', optimizer = 'egn' }}");
            assert!(matches!(RunConfig::from_toml(&text), Err(ConfigError::Unknown { .. })), "{name}");
        }
    }
}
