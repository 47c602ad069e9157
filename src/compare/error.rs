//! Why a comparison cannot begin.

use std::{io, path::PathBuf};

use egn_train::run::error::RunError;

/// Why a comparison cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// Records are in the way.
    #[error(
        "{} already holds {what}{}; --force replaces it, --records names another folder",
        dir.display(),
        others(*n_others)
    )]
    Exists {
        /// The first of the records.
        dir: PathBuf,
        /// What the record holds.
        what: String,
        /// How many more records are in the way.
        n_others: usize,
    },
    /// A run would go on, but cannot.
    #[error(transparent)]
    Run(RunError),
    /// A folder cannot be written.
    #[error("cannot write to {}: {source}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

fn others(n: usize) -> String {
    if n == 0 { String::new() } else { format!(" (and {n} more)") }
}

impl CompareError {
    /// Whether the error is wrong usage: a person asked for what cannot be.
    pub fn is_usage(&self) -> bool {
        match self {
            Self::Exists { .. } => true,
            Self::Run(error) => error.is_usage(),
            Self::Folder { .. } => false,
        }
    }
}
