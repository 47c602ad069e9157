//! What can be wrong with a record.

use std::{
    io,
    path::{Path, PathBuf},
};

use thiserror::Error;

use crate::record::layout::SCHEMA;

/// What can be wrong with a record, with the place where it is.
#[derive(Debug, Error)]
pub enum RecordError {
    /// A record is there already.
    #[error("{} already holds a record; give --force to replace it", dir.display())]
    Exists {
        /// The folder in question.
        dir: PathBuf,
    },
    /// The operating system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was being done, as a verb.
        action: &'static str,
        /// The file or folder it was done to.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// A file of a run that is to go on is not as the run left it; nothing was changed.
    #[error(
        "cannot go on with {}: {problem}; what is recorded stays as it is, and --force begins anew",
        path.display()
    )]
    Changed {
        /// The file.
        path: PathBuf,
        /// What is wrong with the file.
        problem: String,
    },
    /// A line that makes no sense.
    #[error("{}:{line}: {problem}", path.display())]
    Line {
        /// The broken file.
        path: PathBuf,
        /// The line, counted from 1.
        line: u64,
        /// What is wrong with the line.
        problem: String,
    },
    /// A layout this program does not know.
    #[error("{} has schema {found}; this program reads schema {SCHEMA}", path.display())]
    Schema {
        /// The summary in question.
        path: PathBuf,
        /// Version that the summary declares.
        found: u32,
    },
    /// No summary and no configuration, and folders that do not tell which run this was.
    #[error(
        "{} has no summary.json, no config.toml that names the run, and does not lie in \
         <env>/<agent>/<optimizer>/seed-<n>",
        dir.display()
    )]
    Nameless {
        /// The folder in question.
        dir: PathBuf,
    },
    /// Two records of one run: counting both would feign a seed that never ran.
    #[error("{} is the same run as {}", second.display(), first.display())]
    Twice {
        /// The record that was kept.
        first: PathBuf,
        /// The record that was left out.
        second: PathBuf,
    },
}

impl RecordError {
    /// Whether the error is wrong usage: a record would be lost, or one that was to go on was
    /// changed.
    pub fn is_usage(&self) -> bool {
        match self {
            Self::Exists { .. } | Self::Changed { .. } => true,
            Self::Io { .. } | Self::Line { .. } | Self::Schema { .. } | Self::Nameless { .. } | Self::Twice { .. } => {
                false
            }
        }
    }

    pub(crate) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { action, path: path.to_path_buf(), source }
    }

    pub(super) fn line(path: &Path, line: u64, problem: impl ToString) -> Self {
        Self::Line { path: path.to_path_buf(), line, problem: problem.to_string() }
    }
}
