//! Scratch folders, removed when they are dropped.

use anyhow::{Context, Result};
use tempfile::TempDir;

/// A folder for records that are made to be compared, removed when it is dropped.
pub(super) fn scratch_folder() -> Result<TempDir> {
    tempfile::Builder::new().prefix("egn-verify-").tempdir().context("cannot make a folder for temporary files")
}
