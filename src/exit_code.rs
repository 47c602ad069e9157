//! How an error is told, and the exit code that goes with it.

use std::{error::Error, io::ErrorKind};

use egn_agents::AgentError;

use crate::{
    compare::{error::CompareError, published::PublishedError},
    config::error::ConfigError,
    pictures::film::episode::FilmError,
    record::error::RecordError,
    run::error::RunError,
    trainer::error::TrainError,
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

/// A person's mistake is 2, all else 1.
pub(crate) fn exit_code(error: &anyhow::Error) -> u8 {
    if error.chain().any(is_persons_mistake) { USAGE } else { FAILED }
}

fn is_persons_mistake(cause: &(dyn Error + 'static)) -> bool {
    let record = |error: &RecordError| matches!(error, RecordError::Exists { .. } | RecordError::Changed { .. });
    let training = |error: &TrainError| match error {
        TrainError::Agent(error) => matches!(error, AgentError::ActionSpace { .. } | AgentError::Image { .. }),
        TrainError::Record(error) => record(error),
        _ => false,
    };
    let run = |error: &RunError| match error {
        RunError::Env(_)
        | RunError::Config(_)
        | RunError::Checkpoint { .. }
        | RunError::Initial { .. }
        | RunError::Unfit { .. }
        | RunError::Busy { .. }
        | RunError::InTheWay { .. } => true,
        RunError::Record(error) => record(error),
        RunError::Train(error) => training(error),
        RunError::Policy { .. } | RunError::Folder { .. } => false,
    };
    cause.downcast_ref().is_some_and(run)
        || cause.downcast_ref().is_some_and(record)
        || cause.downcast_ref().is_some_and(|error| match error {
            CompareError::Exists { .. } => true,
            CompareError::Run(error) => run(error),
            CompareError::Folder { .. } => false,
        })
        || matches!(cause.downcast_ref(), Some(FilmError::NoPictures { .. }))
        || cause.is::<ConfigError>()
        || cause.is::<PublishedError>()
        || cause.is::<Usage>()
}

pub(crate) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .any(|cause| cause.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == ErrorKind::BrokenPipe))
}
