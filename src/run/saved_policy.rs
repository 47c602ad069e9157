//! The policy of a record, ready to act again in the environment it was trained in.

use std::{path::Path, sync::Arc};

use anyhow::{Context, Result, anyhow};
use egn_agents::{Policy, TrainedPolicy};

use crate::{
    cli::Which,
    config::{env_name::Opened, run_config::RunConfig},
    record::layout::CONFIG,
    run::{
        error::RunError,
        policy_file::{self, BEST_POLICY, LAST_POLICY},
    },
    usage::Usage,
};

/// A policy read back from a record.
pub struct SavedPolicy {
    /// Settings of its run.
    pub config: RunConfig,
    /// The environment it acts in.
    pub env: Opened,
    /// Its network, and what observations go through before.
    pub trained: TrainedPolicy,
    /// What acts.
    pub policy: Arc<dyn Policy>,
}

impl SavedPolicy {
    /// Reads it; `python` is as in [`crate::env_name::EnvName::open`].
    ///
    /// # Errors
    /// When the folder is no record or has no such policy ([`Usage`]), the environment cannot be made, or the
    /// file is damaged.
    pub fn open(record: &Path, which: Which, python: Option<&Path>) -> Result<Self> {
        let config = read_config(record)?;
        let file = match which {
            Which::Last => LAST_POLICY,
            Which::Best => BEST_POLICY,
        };
        let path = record.join(file);
        if !path.exists() {
            let way_out = match which {
                Which::Last if record.join(BEST_POLICY).exists() => "; --which best has the best so far",
                Which::Last | Which::Best => "",
            };
            return Err(anyhow!(Usage(format!(
                "{} has no policy {file}: its run is under way or was killed, or the file was removed{way_out}",
                record.display()
            ))));
        }
        let env = config.run.env.open(&config.env, python).map_err(RunError::Env)?;
        let trained = policy_file::load(&path, &config, &env.observation_space, &env.action_space)
            .with_context(|| format!("cannot read the policy {}", path.display()))?;
        let policy = trained.policy(config.agent.settings(), &env.action_space)?;
        Ok(Self { config, env, trained, policy })
    }
}

/// The settings of a record's run.
///
/// # Errors
/// When the folder is no record ([`Usage`]), or its settings are refused.
pub fn read_config(record: &Path) -> Result<RunConfig> {
    let path = record.join(CONFIG);
    let text = std::fs::read_to_string(&path).map_err(|error| {
        anyhow!(Usage(format!("{} is no record: cannot read {}: {error}", record.display(), path.display())))
    })?;
    RunConfig::from_toml(&text).with_context(|| format!("in {}", path.display()))
}
