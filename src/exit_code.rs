//! How an error is told, and the exit code that goes with it.

use std::{error::Error, io::ErrorKind};

use egn_train::{
    config::error::ConfigError,
    record::error::RecordError,
    run::{error::RunError, saved_policy::SavedPolicyError, verify::VerifyError},
};

use crate::{
    compare::{error::CompareError, published::PublishedError},
    pictures::film::episode::FilmError,
    usage::Usage,
};

/// Success.
pub(crate) const SUCCESS: u8 = 0;
/// The run failed.
pub(crate) const FAILED: u8 = 1;
/// Wrong usage.
pub(crate) const USAGE: u8 = 2;
/// Stopped by Ctrl-C, as a shell reports SIGINT.
pub(crate) const INTERRUPTED: u8 = 130;

/// An error and its causes, each of which is told once: many messages hold their cause already.
pub(crate) fn told(error: &anyhow::Error) -> String {
    let add = |told: String, cause: String| if told.contains(&cause) { told } else { format!("{told}: {cause}") };
    error.chain().skip(1).map(ToString::to_string).fold(error.to_string(), add)
}

/// The exit code of an error: 2 for a person's mistake, 1 for all else.
pub(crate) fn exit_code(error: &anyhow::Error) -> u8 {
    if error.chain().any(is_usage) { USAGE } else { FAILED }
}

fn is_usage(cause: &(dyn Error + 'static)) -> bool {
    cause.is::<Usage>()
        || cause.is::<ConfigError>()
        || cause.is::<PublishedError>()
        || cause.downcast_ref().is_some_and(RunError::is_usage)
        || cause.downcast_ref().is_some_and(RecordError::is_usage)
        || cause.downcast_ref().is_some_and(SavedPolicyError::is_usage)
        || cause.downcast_ref().is_some_and(VerifyError::is_usage)
        || cause.downcast_ref().is_some_and(CompareError::is_usage)
        || cause.downcast_ref().is_some_and(FilmError::is_usage)
}

pub(crate) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .any(|cause| cause.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == ErrorKind::BrokenPipe))
}
