//! Whether a folder can be written.

use std::{fs, path::Path};

use crate::compare::error::CompareError;

/// Makes sure that a folder can be written, before anything long begins.
///
/// # Errors
/// When it cannot.
pub fn check_writable(folder: &Path) -> Result<(), CompareError> {
    let probe = folder.join(format!(".writable-{}", std::process::id()));
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(&probe, b""))
        .and_then(|()| fs::remove_file(&probe))
        .map_err(|source| CompareError::Folder { path: folder.to_owned(), source })
}
