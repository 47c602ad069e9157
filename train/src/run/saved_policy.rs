//! The policy of a record, ready to act again in the environment it was trained in.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use egn_agents::{Policy, TrainedPolicy};

use crate::{
    config::{env_name::Opened, error::ConfigError, run_config::RunConfig},
    record::layout::CONFIG,
    run::{
        error::RunError,
        policy_file::{self, BEST_POLICY, LAST_POLICY, PolicyFileError},
    },
    trainer::error::TrainError,
};

/// Which policy of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhichPolicy {
    /// The policy at the end of training.
    Last,
    /// The policy with the best evaluation during training.
    Best,
}

impl WhichPolicy {
    fn file(self) -> &'static str {
        match self {
            Self::Last => LAST_POLICY,
            Self::Best => BEST_POLICY,
        }
    }
}

/// Why a record has no policy to act with.
#[derive(Debug, thiserror::Error)]
pub enum SavedPolicyError {
    /// A folder that is no record.
    #[error(
        "{} is no record: cannot read {}: {source}{}",
        record.display(),
        record.join(CONFIG).display(),
        .below.as_ref().map(|below| format!("; records lie below it, such as {}", below.display())).unwrap_or_default()
    )]
    NoRecord {
        /// The folder.
        record: PathBuf,
        /// A record below the folder, if there is one.
        below: Option<PathBuf>,
        /// What the system says.
        source: io::Error,
    },
    /// A record whose settings are refused.
    #[error("in {}: {source}", path.display())]
    Config {
        /// The file with the settings.
        path: PathBuf,
        /// Why the settings are refused.
        source: ConfigError,
    },
    /// A record without this policy.
    #[error(
        "{} has no policy {}: its run is under way or was killed, or the file was removed",
        record.display(), which.file()
    )]
    Missing {
        /// The record.
        record: PathBuf,
        /// The policy that was asked for.
        which: WhichPolicy,
        /// Whether the record has the best policy so far.
        has_best: bool,
    },
    /// A policy that cannot be read.
    #[error("cannot read the policy {}: {source}", path.display())]
    Policy {
        /// File of the policy.
        path: PathBuf,
        /// Why the file cannot be read.
        source: PolicyFileError,
    },
    /// An environment that cannot be made.
    #[error(transparent)]
    Run(#[from] RunError),
}

impl SavedPolicyError {
    /// Whether the error is wrong usage: a person asked for what cannot be.
    pub fn is_usage(&self) -> bool {
        match self {
            Self::NoRecord { .. } | Self::Config { .. } | Self::Missing { .. } => true,
            Self::Policy { .. } => false,
            Self::Run(error) => error.is_usage(),
        }
    }
}

/// A policy read back from a record.
pub struct SavedPolicy {
    /// Settings of the run.
    pub config: RunConfig,
    /// The environment that the policy acts in.
    pub env: Opened,
    /// Network of the policy, and what observations go through before it.
    pub trained: TrainedPolicy,
    /// The policy, ready to act in `env`.
    pub policy: Arc<dyn Policy>,
}

impl SavedPolicy {
    /// Reads a record's policy; `python` is as in
    /// [`EnvName::open`](crate::config::env_name::EnvName::open).
    ///
    /// # Errors
    /// When the folder is no record or has no such policy, the environment cannot be
    /// made, or the file is damaged.
    pub fn open(record: &Path, which: WhichPolicy, python: Option<&Path>) -> Result<Self, SavedPolicyError> {
        let config = read_config(record)?;
        let agent = config.agent.settings().map_err(|error| RunError::from(TrainError::from(error)))?;
        let path = record.join(which.file());
        if !path.exists() {
            let has_best = record.join(BEST_POLICY).exists();
            return Err(SavedPolicyError::Missing { record: record.to_owned(), which, has_best });
        }
        let env = config.run.env.open(&config.env, python).map_err(RunError::Env)?;
        let trained = policy_file::load(&path, &config, &env.observation_space, &env.action_space)
            .map_err(|source| SavedPolicyError::Policy { path: path.clone(), source })?;
        let policy = trained.policy(agent, &env.action_space);
        let policy = policy.map_err(|source| SavedPolicyError::Policy { path, source: source.into() })?;
        Ok(Self { config, env, trained, policy })
    }
}

/// The first record in the folders below `folder`, at most `depth` down.
fn below(folder: &Path, depth: usize) -> Option<PathBuf> {
    let mut folders: Vec<PathBuf> =
        fs::read_dir(folder).ok()?.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.is_dir()).collect();
    folders.sort();
    let here = folders.iter().find(|folder| folder.join(CONFIG).exists()).cloned();
    here.or_else(|| if depth > 1 { folders.iter().find_map(|folder| below(folder, depth - 1)) } else { None })
}

/// The settings of a record's run.
///
/// # Errors
/// When the folder is no record, or its settings are refused.
pub fn read_config(record: &Path) -> Result<RunConfig, SavedPolicyError> {
    let path = record.join(CONFIG);
    let text = fs::read_to_string(&path).map_err(|source| SavedPolicyError::NoRecord {
        record: record.to_owned(),
        below: below(record, 5),
        source,
    })?;
    RunConfig::from_toml(&text).map_err(|source| SavedPolicyError::Config { path, source })
}
