//! Whether a record can be reproduced: its configuration is run again, elsewhere, and compared.

use std::{collections::BTreeMap, fs, path::Path};

use crate::{
    config::run_config::RunConfig,
    environments::group::Environments,
    formats::tensorboard::{EVENTS, scalars_without_clock},
    record::{
        clock::without_clock_fields,
        contents::{Ended, Summary},
        error::RecordError,
        layout::CONFIG,
    },
    run::{
        error::RunError,
        execution::{Execution, dir_of, run, run_in},
        policy_file::POLICY_FILES,
    },
    trainer::callback::Callback,
};

/// Why a record could not be verified.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The run could not be repeated.
    #[error(transparent)]
    Run(#[from] RunError),
    /// A file of the record cannot be read.
    #[error(transparent)]
    Record(#[from] RecordError),
}

impl VerifyError {
    /// Whether the error is wrong usage: a person asked for what cannot be.
    pub fn is_usage(&self) -> bool {
        match self {
            Self::Run(error) => error.is_usage(),
            Self::Record(error) => error.is_usage(),
        }
    }
}

/// The outcome of repeating a run.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// Configuration, logs, summary, events and policies are the same, clock fields aside.
    Reproduced,
    /// Files that differ, or that only one of the two has.
    Differs(Vec<String>),
    /// The second run was stopped.
    Stopped,
}

/// Repeats the run of `record` below `execution.records` and compares.
///
/// # Errors
/// When the run cannot be repeated, or a file not be read.
pub fn verify(
    record: &Path,
    config: &RunConfig,
    execution: &Execution<'_>,
    watch: &mut dyn Callback,
) -> Result<(Verdict, Summary), VerifyError> {
    // Before the long work.
    without_clock_fields(record)?;
    compared(record, &dir_of(config, execution.records), run(config, execution, watch)?)
}

/// Repeats the run of `record` on environments of the caller's own; otherwise as [`verify`].
///
/// The settings of a record come from [`read_config`](crate::run::saved_policy::read_config), an
/// agent of the caller's own from the caller: `RunConfig { agent, ..read_config(record)? }`.
///
/// # Errors
/// As [`verify`].
pub fn verify_in(
    record: &Path,
    config: &RunConfig,
    environments: &dyn Environments,
    reward_threshold: Option<f64>,
    execution: &Execution<'_>,
    watch: &mut dyn Callback,
) -> Result<(Verdict, Summary), VerifyError> {
    without_clock_fields(record)?;
    let summary = run_in(config, environments, reward_threshold, execution, watch)?;
    compared(record, &dir_of(config, execution.records), summary)
}

fn compared(record: &Path, again: &Path, summary: Summary) -> Result<(Verdict, Summary), VerifyError> {
    let verdict = match summary.ended {
        Ended::Stopped => Verdict::Stopped,
        Ended::Finished | Ended::Failed => match differing(record, again)? {
            names if names.is_empty() => Verdict::Reproduced,
            names => Verdict::Differs(names),
        },
    };
    Ok((verdict, summary))
}

/// The texts of a record less its clock fields, with the configuration in today's names.
fn comparable(record: &Path) -> Result<BTreeMap<String, String>, RecordError> {
    let mut texts = without_clock_fields(record)?;
    if let Some(config) = texts.get_mut(CONFIG)
        && let Ok(read) = RunConfig::from_toml(config)
    {
        *config = read.to_toml();
    }
    Ok(texts)
}

/// Names of files that are not the same in two records.
fn differing(one: &Path, other: &Path) -> Result<Vec<String>, RecordError> {
    let (texts, others) = (comparable(one)?, comparable(other)?);
    let mut names: Vec<&String> = texts.keys().chain(others.keys()).collect();
    names.sort();
    names.dedup();
    let mut differing: Vec<String> =
        names.into_iter().filter(|name| texts.get(*name) != others.get(*name)).cloned().collect();
    let policy = |dir: &Path, name: &str| fs::read(dir.join(name)).ok();
    let policies = POLICY_FILES.into_iter().filter(|name| policy(one, name) != policy(other, name));
    differing.extend(policies.map(str::to_owned));
    let events = |dir: &Path| fs::read(dir.join(EVENTS)).ok().map(|bytes| scalars_without_clock(&bytes));
    if events(one) != events(other) {
        differing.push(EVENTS.to_owned());
    }
    Ok(differing)
}
