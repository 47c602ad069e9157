//! A policy on disk: its network, and beside it the statistics of its
//! observations, where it has any.

use std::{
    fs,
    path::{Path, PathBuf},
};

use egn_agents::{AgentError, Spaces, TrainedPolicy};
use egn_envs::Space;
use egn_solver::{Snapshot, SolverError, State, StateError};

use crate::{
    config::run_config::RunConfig,
    record::{error::RecordError, writer::write_whole},
    run::error::RunError,
};

/// The acting network at the end of a run, in its record.
pub const LAST_POLICY: &str = "policy.safetensors";
/// The acting network with the best evaluation in training.
pub const BEST_POLICY: &str = "best/policy.safetensors";

/// The statistics of observations that a policy was trained on, beside it.
const NORMALIZER: &str = "normalizer.safetensors";
const BEST_NORMALIZER: &str = "best/normalizer.safetensors";

/// Every file of a record's policies.
pub const POLICY_FILES: [&str; 4] = [LAST_POLICY, NORMALIZER, BEST_POLICY, BEST_NORMALIZER];

/// Why a policy cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum PolicyFileError {
    /// The file of the network is missing, or holds another network.
    #[error(transparent)]
    Network(#[from] SolverError),
    /// The agent does not act in this environment.
    #[error(transparent)]
    Agent(#[from] AgentError),
    /// The network has parameters that are not finite.
    #[error("{n_bad} of its {n_params} parameters are NaN or infinite")]
    NotFinite {
        /// Parameters that are not finite.
        n_bad: usize,
        /// All parameters of the network.
        n_params: usize,
    },
    /// The statistics of observations are not there.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The statistics are of other observations.
    #[error("{}: {source}", path.display())]
    Normalizer {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        source: StateError,
    },
}

/// Where the statistics of the policy in `path` are.
fn normalizer_path(path: &Path) -> PathBuf {
    path.with_file_name(NORMALIZER)
}

/// Writes a policy, each of its files whole or not at all.
///
/// # Errors
/// When a file or its folder cannot be written.
pub fn save(policy: &TrainedPolicy, path: &Path) -> Result<(), RunError> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|source| RunError::Folder { path: folder.to_owned(), source })?;
    }
    let failed = |source| RunError::Policy { path: path.to_owned(), source };
    if let Some(normalizer) = &policy.normalizer {
        let bytes = normalizer.state().to_bytes();
        let bytes = bytes.map_err(|error| failed(SolverError::Tensor { message: error.to_string() }))?;
        write_whole(&normalizer_path(path), &bytes)?;
    }
    policy.network.save(path).map_err(failed)
}

/// Reads the policy that a run with these settings saved at `path`.
///
/// # Errors
/// When a file is missing, damaged, or of another policy.
pub fn load(
    path: &Path,
    config: &RunConfig,
    observation_space: &Space,
    action_space: &Space,
) -> Result<TrainedPolicy, PolicyFileError> {
    let n_observations = observation_space.len();
    let plan = config.agent.settings()?.actor(Spaces { n_observations, actions: action_space })?;
    let network = Snapshot::load(path, plan.network)?;
    let params = network.parameters();
    let n_bad = params.iter().filter(|x| !x.is_finite()).count();
    if n_bad > 0 {
        return Err(PolicyFileError::NotFinite { n_bad, n_params: params.len() });
    }
    let mut normalizer = config.normalizer(n_observations)?.observations;
    if let Some(normalizer) = &mut normalizer {
        let path = normalizer_path(path);
        let bytes = fs::read(&path).map_err(|source| RecordError::io("read", &path, source))?;
        let read = State::from_bytes(&bytes).and_then(|state| normalizer.restore(&state));
        read.map_err(|source| PolicyFileError::Normalizer { path, source })?;
    }
    Ok(TrainedPolicy { network, normalizer })
}
