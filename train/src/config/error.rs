//! Why settings are refused.

use std::{io, path::PathBuf};

/// Why settings are refused. Every message names the setting and what is accepted.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A setting is unknown, of the wrong type or out of range.
    #[error("{0}")]
    Setting(String),
    /// A file is not TOML.
    #[error("{} is not a configuration: {message}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}
