//! Section `run` of a configuration.

use std::path::PathBuf;

use egn_envs::EnvId;
use egn_solver::{Precision, SettingError, require};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::env_name::EnvName;

/// First seed of the evaluations during training.
pub const TRAINING_SEED: u64 = 10_000;
/// First seed of the evaluations after training: fresh episodes.
pub const FINAL_SEED: u64 = 20_000;

/// Where an agent is trained and for how long: section `run`, which names agent and optimizer too.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RunSettings {
    /// Environment (`egn list envs`), or `gymnasium:<id>`, or `custom:<name>` in a
    /// program that brings its own.
    #[serde(with = "as_text")]
    #[schemars(with = "String")]
    pub env: EnvName,
    /// Seed of every random stream, 0 or more.
    pub seed: u64,
    /// Environment steps, all environments together, 1 or more. A rollout is never cut short, so
    /// training may go over by less than a rollout.
    pub steps: u64,
    /// Environments that step side by side, 1 to 4096.
    pub envs: usize,
    /// Number type of the networks: `f32` or `f64`.
    pub precision: Precision,
    /// Whether environments step while the agent learns, with the policy from before: for agents
    /// that learn from a replay memory.
    pub overlap: bool,
    /// Environment steps between two evaluations, 1 or more; a fiftieth of `steps` unless given.
    pub eval_every: Option<u64>,
    /// Greedy episodes of an evaluation in training, 1 to 10,000.
    pub eval_episodes: usize,
    /// Greedy episodes of the evaluations after training, 1 to 100,000.
    pub final_episodes: usize,
    /// Optimizer steps of one network that may fail in a row, 1 or more: then the run fails.
    pub max_failed_updates: u64,
    /// Record whose networks training starts from, as they were at its end; random ones unless
    /// given.
    pub init_from: Option<PathBuf>,
    /// Digest that the networks of `init_from` must have; unless given, those in the record are
    /// taken.
    pub init_digest: Option<String>,
}

impl Default for RunSettings {
    fn default() -> Self {
        Self {
            env: EnvName::Registered(EnvId::CartPole),
            seed: 0,
            steps: 100_000,
            envs: 1,
            precision: Precision::default(),
            overlap: false,
            eval_every: None,
            eval_episodes: 20,
            final_episodes: 100,
            max_failed_updates: 100,
            init_from: None,
            init_digest: None,
        }
    }
}

impl RunSettings {
    /// Environment steps between two evaluations.
    pub fn eval_every(&self) -> u64 {
        self.eval_every.unwrap_or((self.steps / 50).max(1))
    }

    pub(super) fn validate(&self) -> Result<(), SettingError> {
        require(self.steps > 0, "steps", "1 or more", self.steps)?;
        require((1..=4096).contains(&self.envs), "envs", "from 1 to 4096", self.envs)?;
        require(self.eval_every() > 0, "eval_every", "1 or more", self.eval_every())?;
        // More would be episodes of the evaluations after training.
        let until_final = 1..=(FINAL_SEED - TRAINING_SEED) as usize;
        require(until_final.contains(&self.eval_episodes), "eval_episodes", "from 1 to 10000", self.eval_episodes)?;
        require(
            (1..=100_000).contains(&self.final_episodes),
            "final_episodes",
            "from 1 to 100000",
            self.final_episodes,
        )?;
        require(self.max_failed_updates > 0, "max_failed_updates", "1 or more", self.max_failed_updates)
    }
}

/// A type that is written as its name.
mod as_text {
    use std::{fmt::Display, str::FromStr};

    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<T: Display, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub fn deserialize<'de, T: FromStr<Err: Display>, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(Error::custom)
    }
}
