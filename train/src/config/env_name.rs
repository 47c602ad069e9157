//! The environment that a configuration names, and how to get at it.

use std::{collections::BTreeMap, fmt, path::Path, str::FromStr};

use egn_envs::{EnvError, EnvId, LqrProblem, SettingValue, Space};
use egn_solver::{SettingError, require};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use crate::environments::{group::Environments, registered::Registered};

/// What stands before the id of an environment that Python runs.
pub const GYMNASIUM: &str = "gymnasium:";

/// What stands before the name of an environment or agent that a program of its own brings along.
pub const CUSTOM: &str = "custom:";

/// The name of an environment in a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EnvName {
    /// A built-in environment, such as `CartPole-v1`.
    Registered(EnvId),
    /// `gymnasium:<id>`: Python's, in child processes.
    Gymnasium(String),
    /// `custom:<name>`: handed to the trainer by the program that has it, and known to that alone.
    Custom(String),
}

/// How the environment is made, and how its observations and rewards are normalized: section `env`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct EnvSettings {
    /// Settings of the environment by name: its module names them; for Python's, keyword
    /// arguments of `gymnasium.make`.
    #[schemars(with = "BTreeMap<String, String>")]
    pub kwargs: Table,
    /// Whether observations are brought to mean 0 and variance 1 by what was
    /// seen in training so far.
    pub normalize_observation: bool,
    /// Whether rewards are divided by the standard deviation of discounted
    /// returns, in training alone.
    pub normalize_reward: bool,
    /// Greatest magnitude of an entry of a normalized observation, above 0.
    pub clip_observation: f64,
    /// Greatest magnitude of a normalized reward, above 0.
    pub clip_reward: f64,
    /// Seconds that a step of one of Python's environments may take, above 0 and up to 10⁹; then
    /// the run fails.
    pub timeout: f64,
    /// Seconds that the making or a reset of one of Python's environments may take, above 0 and up
    /// to 10⁹; then the run fails.
    pub reset_timeout: f64,
}

impl Default for EnvSettings {
    fn default() -> Self {
        Self {
            kwargs: Table::new(),
            normalize_observation: false,
            normalize_reward: false,
            // Stable-Baselines3, VecNormalize.
            clip_observation: 10.0,
            clip_reward: 10.0,
            timeout: 60.0,
            // A simulator may load a map or start a server first.
            reset_timeout: 600.0,
        }
    }
}

/// An environment that has been made once to see what it is like.
pub struct Opened {
    /// Maker of more environments of the kind.
    pub environments: Box<dyn Environments>,
    /// The space of observations.
    pub observation_space: Space,
    /// The space of actions.
    pub action_space: Space,
    /// Mean return from which the task counts as solved.
    pub reward_threshold: Option<f64>,
}

impl EnvName {
    /// Makes the environment once, to see that it can be, and what its spaces are.
    ///
    /// `python` is the interpreter of Gymnasium's environments, and the one whose packages may have
    /// MuJoCo: `$EGN_PYTHON` or `python3` unless given.
    ///
    /// # Errors
    /// When a setting is refused, or Python, gymnasium or the environment is missing.
    pub fn open(&self, settings: &EnvSettings, python: Option<&Path>) -> Result<Opened, EnvError> {
        match self {
            Self::Registered(id) => {
                let (id, values, python) = (*id, settings.values()?, python.map(Path::to_owned));
                let env = id.make_with(&values, python.as_deref())?;
                Ok(Opened {
                    observation_space: env.observation_space().clone(),
                    action_space: env.action_space().clone(),
                    reward_threshold: id.spec().reward_threshold,
                    environments: Box::new(Registered { id, values, python }),
                })
            }
            Self::Gymnasium(id) => open_gymnasium(id, settings, python),
            Self::Custom(_) => {
                let message = format!("{self} is another program's, which hands it to egn_train::run::run_in");
                Err(EnvError::Other(message.into()))
            }
        }
    }

    /// The linear-quadratic problem of an `LQR/…`: plant, costs and optimum.
    pub fn linear_quadratic(&self) -> Option<&'static LqrProblem> {
        match self {
            Self::Registered(EnvId::Lqr(id)) => Some(id.problem()),
            Self::Registered(_) | Self::Gymnasium(_) | Self::Custom(_) => None,
        }
    }

    /// The name as part of a file's name.
    pub fn file_stem(&self) -> String {
        file_stem(&self.to_string())
    }
}

/// The name of an environment or agent as part of a file's name: without slashes and colons.
pub fn file_stem(name: &str) -> String {
    name.replace(['/', ':'], "-")
}

/// Whether a name can be folders of a record, which must not lead out of their root.
pub(super) fn is_folder(name: &str) -> bool {
    !name.split('/').any(|part| part.is_empty() || part.starts_with('.'))
}

#[cfg(unix)]
fn open_gymnasium(id: &str, settings: &EnvSettings, python: Option<&Path>) -> Result<Opened, EnvError> {
    use std::time::Duration;

    use egn_envs::gymnasium::{GymnasiumGroup, GymnasiumSettings};

    let kwargs = serde_json::to_string(&settings.kwargs).map_err(|error| EnvError::Other(Box::new(error)))?;
    let python = python.map(Path::to_owned);
    let [timeout, reset_timeout] = [settings.timeout, settings.reset_timeout].map(Duration::from_secs_f64);
    let child = GymnasiumSettings { kwargs, python, timeout, reset_timeout, ..GymnasiumSettings::new(id) };
    let group = GymnasiumGroup::start(child.clone(), 1)?;
    Ok(Opened {
        observation_space: group.observation_space().clone(),
        action_space: group.action_space().clone(),
        reward_threshold: group.reward_threshold(),
        environments: Box::new(child),
    })
}

#[cfg(not(unix))]
fn open_gymnasium(id: &str, _: &EnvSettings, _: Option<&Path>) -> Result<Opened, EnvError> {
    Err(EnvError::Other(format!("{GYMNASIUM}{id} needs a Unix system: it is run through a socket pair").into()))
}

impl EnvSettings {
    /// Checks the ranges of clips and times.
    ///
    /// # Errors
    /// The first that is out of its range.
    pub(super) fn validate(&self) -> Result<(), SettingError> {
        require(self.clip_observation > 0.0, "clip_observation", "above 0", self.clip_observation)?;
        require(self.clip_reward > 0.0, "clip_reward", "above 0", self.clip_reward)?;
        for (name, seconds) in [("timeout", self.timeout), ("reset_timeout", self.reset_timeout)] {
            require(seconds > 0.0 && seconds <= 1e9, name, "above 0 and up to 1e9", seconds)?;
        }
        Ok(())
    }

    /// The settings as our environments take them, flags being 0 or 1.
    ///
    /// # Errors
    /// The first that is neither a number, a list of them, a flag nor a name.
    pub fn values(&self) -> Result<Vec<(String, SettingValue)>, EnvError> {
        let number = |value: &Value| match value {
            Value::Integer(number) => Some(*number as f64),
            Value::Float(number) => Some(*number),
            Value::Boolean(flag) => Some(f64::from(u8::from(*flag))),
            Value::String(_) | Value::Datetime(_) | Value::Array(_) | Value::Table(_) => None,
        };
        let numbers = |list: &[Value]| list.iter().map(number).collect::<Option<_>>().map(SettingValue::Numbers);
        let setting = |(key, value): (&String, &Value)| {
            let read = match value {
                Value::String(text) => Some(SettingValue::Text(text.clone())),
                Value::Array(list) => numbers(list),
                value => number(value).map(SettingValue::Number),
            };
            let refused = || format!("{key} is a number, a list of numbers, true or false, or a text, not {value}");
            read.map(|read| (key.clone(), read)).ok_or_else(|| EnvError::Other(refused().into()))
        };
        self.kwargs.iter().map(setting).collect()
    }
}

impl fmt::Display for EnvName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Registered(id) => id.fmt(f),
            Self::Gymnasium(id) => f.pad(&format!("{GYMNASIUM}{id}")),
            Self::Custom(name) => f.pad(&format!("{CUSTOM}{name}")),
        }
    }
}

impl FromStr for EnvName {
    type Err = EnvError;

    fn from_str(name: &str) -> Result<Self, EnvError> {
        match (name.strip_prefix(GYMNASIUM), name.strip_prefix(CUSTOM)) {
            (Some(id), _) if is_folder(id) => Ok(Self::Gymnasium(id.to_owned())),
            (_, Some(own)) if is_folder(own) => Ok(Self::Custom(own.to_owned())),
            (None, None) => name.parse().map(Self::Registered),
            _ => Err(EnvError::Other(format!("'{name}' lacks an id such as {GYMNASIUM}HalfCheetah-v5").into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for name in ["CartPole-v1", "MinAtar/Freeway-v1", "gymnasium:ALE/Pong-v5", "custom:Corridor"] {
            assert_eq!(name.parse::<EnvName>().unwrap().to_string(), name);
        }
        assert_eq!("gymnasium:ALE/Pong-v5".parse::<EnvName>().unwrap().file_stem(), "gymnasium-ALE-Pong-v5");
        for name in ["gymnasium:", "gymnasium:../x", "gymnasium:/x", "custom:", "custom:a/../..", "Cart"] {
            assert!(name.parse::<EnvName>().is_err(), "{name}");
        }
    }

    #[test]
    fn settings_reach_our_environments() {
        let freeway: EnvName = "MinAtar/Freeway-v1".parse().unwrap();
        let kwargs = |text: &str| EnvSettings { kwargs: text.parse().unwrap(), ..EnvSettings::default() };
        let opened = freeway.open(&kwargs("use_minimal_action_set = false"), None).unwrap();
        assert_eq!(opened.action_space, Space::Discrete { n: 6 });
        let refused = |text| freeway.open(&kwargs(text), None).err().unwrap().to_string();
        assert!(refused("sticky = 1").contains("sticky_action_prob"), "{}", refused("sticky = 1"));
        assert!(refused("difficulty_ramping = 'no'").contains("true or false"));
        assert!(refused("difficulty_ramping = {a = 1}").contains("true or false"));
    }
}
