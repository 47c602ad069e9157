//! Whether a record can be reproduced: its configuration is run again, elsewhere, and compared.

use std::{collections::BTreeMap, fs, path::Path};

use crate::{
    config::run_config::RunConfig,
    formats::tensorboard::{EVENTS, scalars_without_clock},
    record::{
        clock::without_clock_fields,
        contents::Summary,
        error::RecordError,
        layout::{CONFIG, record_dir},
    },
    run::{
        error::RunError,
        execution::{Execution, run},
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

/// What became of a repetition.
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
    let summary = run(config, execution, watch)?;
    let Summary { env, agent, optimizer, seed, .. } = &summary;
    let again = record_dir(execution.records, env, agent, optimizer, *seed);
    let verdict = if summary.ended == crate::record::contents::Ended::Stopped {
        Verdict::Stopped
    } else {
        let differing = differing(record, &again)?;
        if differing.is_empty() { Verdict::Reproduced } else { Verdict::Differs(differing) }
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
