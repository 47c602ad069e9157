//! A folder that is gone with its owner.

use anyhow::{Context, Result};
use tempfile::TempDir;

/// For records that are made to be compared; gone when it is dropped.
pub(super) fn scratch_folder() -> Result<TempDir> {
    tempfile::Builder::new().prefix("egn-verify-").tempdir().context("cannot make a folder for temporary files")
}
