//! Why a run breaks off.

use egn_agents::AgentError;
use egn_solver::{SolverError, StateError};

use crate::{
    config::error::ConfigError, record::error::RecordError, trainer::evaluation::EvaluationError,
    workers::task::WorkerError,
};

/// Why a run broke off.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The settings do not go together.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// An environment failed or panicked.
    #[error(transparent)]
    Worker(#[from] WorkerError),
    /// The agent cannot be made, or cannot go on.
    #[error(transparent)]
    Agent(#[from] AgentError),
    /// One of the agent's networks has long found no step: it learns nothing any more.
    #[error("{failures} steps of network '{network}' in a row changed nothing, the last because: {last}")]
    Stuck {
        /// The network.
        network: &'static str,
        /// Failed steps without one that was taken.
        failures: u64,
        /// Why the last one failed.
        last: SolverError,
    },
    /// A run ended without a single step of an optimizer.
    #[error(
        "nothing was learned in {env_steps} environment steps: the agent waits for more of them, or for whole episodes"
    )]
    Idle {
        /// Environment steps of the run.
        env_steps: u64,
    },
    /// An evaluation failed.
    #[error(transparent)]
    Evaluation(#[from] EvaluationError),
    /// The record cannot be written.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// A callback could not do its work.
    #[error(transparent)]
    Callback(Box<dyn std::error::Error + Send + Sync>),
    /// A saved state does not fit the run.
    #[error("the checkpoint does not fit this run: {0}")]
    State(#[from] StateError),
}

impl TrainError {
    /// Whether an environment failed.
    pub(crate) fn is_of_environment(&self) -> bool {
        matches!(self, Self::Worker(_) | Self::Evaluation(EvaluationError::Env { .. }))
    }

    /// Whether the error is wrong usage: a person asked for what cannot be.
    pub fn is_usage(&self) -> bool {
        match self {
            Self::Config(_) => true,
            Self::Agent(error) => error.is_usage(),
            Self::Record(error) => error.is_usage(),
            Self::Worker(_)
            | Self::Stuck { .. }
            | Self::Idle { .. }
            | Self::Evaluation(_)
            | Self::Callback(_)
            | Self::State(_) => false,
        }
    }
}
