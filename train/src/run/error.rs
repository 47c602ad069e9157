//! Why a run leaves no summary.

use std::{io, path::PathBuf};

use egn_agents::AgentError;
use egn_envs::EnvError;
use egn_solver::SolverError;

use crate::{
    config::{env_name::EnvName, error::ConfigError},
    record::error::RecordError,
    trainer::error::TrainError,
};

/// Why a run left no summary.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The environment, or what it needs, is missing or refuses its settings; nothing was recorded.
    #[error(transparent)]
    Env(#[from] EnvError),
    /// The run does not fit into memory; nothing was recorded.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The record cannot be written.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The run could not begin.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// The checkpoint cannot be used; nothing was changed.
    #[error("cannot use {}: {problem}; what is recorded stays as it is, and --force begins anew", path.display())]
    Checkpoint {
        /// The checkpoint.
        path: PathBuf,
        /// What is wrong with the checkpoint.
        problem: String,
    },
    /// A run cannot start from the networks of another; nothing was recorded.
    #[error("cannot start from {}: {problem}", record.display())]
    Initial {
        /// The other run's record.
        record: PathBuf,
        /// What is wrong with the checkpoint.
        problem: String,
    },
    /// A record is in the way; it stays as it is.
    #[error(
        "{} already holds {what}; {}--force replaces it, --records names another folder",
        dir.display(),
        further.map_or_else(String::new, |at| format!("--resume takes it further from {at} environment steps, "))
    )]
    InTheWay {
        /// The record.
        dir: PathBuf,
        /// What the record holds.
        what: String,
        /// Environment steps from which it can be taken further.
        further: Option<u64>,
    },
    /// The agent cannot act in the environment; nothing was recorded.
    #[error("{env}: {source}; `egn list agents` says which actions each agent takes")]
    Unfit {
        /// The environment.
        env: EnvName,
        /// What the agent needs.
        source: AgentError,
    },
    /// Another process is writing the record.
    #[error("{} is being written by another process", dir.display())]
    Busy {
        /// The record.
        dir: PathBuf,
    },
    /// A policy could not be saved.
    #[error("cannot write {}: {source}", path.display())]
    Policy {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        source: SolverError,
    },
    /// A folder could not be made, or a policy of an earlier run not removed.
    #[error("cannot make or replace {}: {source}", path.display())]
    Folder {
        /// The folder or file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

impl RunError {
    /// Whether the error is wrong usage: a person asked for what cannot be.
    pub fn is_usage(&self) -> bool {
        match self {
            Self::Env(_)
            | Self::Config(_)
            | Self::Checkpoint { .. }
            | Self::Initial { .. }
            | Self::Unfit { .. }
            | Self::Busy { .. }
            | Self::InTheWay { .. } => true,
            Self::Record(error) => error.is_usage(),
            Self::Train(error) => error.is_usage(),
            Self::Policy { .. } | Self::Folder { .. } => false,
        }
    }
}
