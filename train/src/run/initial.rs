//! Networks of an earlier run, from which a new one starts: policy, critics and targets as they
//! were at its end, with the statistics of the observations that they were trained on, while
//! optimizers, memories and counters begin anew.
//!
//! *Design.* The networks are those in the earlier record's checkpoint, which has the critics too.
//! A configuration names the record and a digest of its networks, so that a repetition of the run
//! starts from the same ones or says that they are no longer there.

use std::{
    fs,
    path::{Path, PathBuf},
};

use egn_agents::{Spaces, networks_of};
use egn_solver::{Activation, Layer, Network, State};

use crate::{
    config::{env_name::Opened, run_config::RunConfig},
    run::{checkpoint, error::RunError},
    trainer::{error::TrainError, setup::build_agent},
};

/// Networks to start from.
pub struct Initial {
    record: PathBuf,
    /// Settings of the earlier run.
    config: RunConfig,
    networks: State,
}

impl Initial {
    /// The networks that a run with these settings starts from, unless they are random.
    ///
    /// # Errors
    /// When the record's checkpoint cannot be used, or its networks are not those meant.
    pub fn of(config: &RunConfig) -> Result<Option<Self>, RunError> {
        let Some(record) = &config.run.init_from else { return Ok(None) };
        let initial = Self::read(record)?;
        match &config.run.init_digest {
            Some(digest) if *digest != initial.digest() => {
                Err(initial.refused("its networks are no longer those of run.init_digest"))
            }
            Some(_) | None => Ok(Some(initial)),
        }
    }

    fn read(record: &Path) -> Result<Self, RunError> {
        let refuse = |error: RunError| {
            let problem = match error {
                // Without the advice for a run that would go on.
                RunError::Checkpoint { path, problem } => format!("cannot use {}: {problem}", path.display()),
                other => other.to_string(),
            };
            RunError::Initial { record: record.to_owned(), problem }
        };
        let (state, config) = checkpoint::read(record).map_err(refuse)?;
        Ok(Self { record: record.to_owned(), config, networks: networks_of(state.part("agent")) })
    }

    fn digest(&self) -> String {
        format!("{:016x}", self.networks.digest())
    }

    /// The networks, for [`crate::trainer::Trainer::initial`].
    pub fn networks(&self) -> &State {
        &self.networks
    }

    /// Checks that the networks fit the run whose record will be in `dir`, before anything is
    /// recorded; `python` is as in [`crate::config::env_name::EnvName::open`].
    ///
    /// # Errors
    /// [`RunError::Initial`] with both architectures when they do not.
    pub fn check(
        &self,
        config: &RunConfig,
        opened: &Opened,
        dir: &Path,
        python: Option<&Path>,
    ) -> Result<(), RunError> {
        if fs::canonicalize(dir).is_ok_and(|dir| fs::canonicalize(&self.record).is_ok_and(|record| record == dir)) {
            return Err(self.refused("it is the record that this run is to write"));
        }
        let earlier = self.config.run.env.open(&self.config.env, python)?;
        let (theirs, ours) = (policy(&self.config, &earlier)?, policy(config, opened)?);
        let differ = |detail: &str| {
            let [theirs, ours] = [(&self.config, &theirs), (config, &ours)].map(described);
            self.refused(format!("its {theirs} does not fit this run's {ours}{detail}"))
        };
        if theirs != ours {
            return Err(differ(""));
        }
        if self.config.env.normalize_observation != config.env.normalize_observation {
            return Err(self.refused("only one of the two runs has env.normalize_observation"));
        }
        let agent = build_agent(config, &opened.observation_space, &opened.action_space);
        let mut agent = agent.map_err(TrainError::from)?;
        agent.start_from(&self.networks).map_err(|error| differ(&format!(": {error}")))
    }

    fn refused(&self, problem: impl ToString) -> RunError {
        RunError::Initial { record: self.record.clone(), problem: problem.to_string() }
    }
}

fn policy(config: &RunConfig, env: &Opened) -> Result<Network, TrainError> {
    let spaces = Spaces { n_observations: env.observation_space.len(), actions: &env.action_space };
    Ok(config.agent.settings()?.actor(spaces)?.network)
}

fn described((config, network): (&RunConfig, &Network)) -> String {
    let layers = network.layers().iter().filter(|layer| !layer.blocks().is_empty());
    let activation = layers.map(Layer::activation).find(|&activation| activation != Activation::Identity);
    let activation = format!("{:?}", activation.unwrap_or(Activation::Identity)).to_lowercase();
    format!("{} policy {network} with {activation}", config.agent)
}

/// The settings with the record to start from, if there is one, named for good: by its full path
/// and the digest of its networks.
///
/// # Errors
/// When the record's checkpoint cannot be used.
pub fn pinned(mut config: RunConfig) -> Result<RunConfig, RunError> {
    if let Some(initial) = Initial::of(&config)? {
        let path = fs::canonicalize(&initial.record).map_err(|error| initial.refused(error))?;
        config.run.init_digest = Some(initial.digest());
        config.run.init_from = Some(path);
    }
    Ok(config)
}
