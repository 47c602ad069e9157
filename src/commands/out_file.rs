//! Files that a person names to be written.

use std::path::Path;

use anyhow::{Result, anyhow};
use egn_train::record::layout::{CONFIG, CURVE};

use crate::{compare::writable::check_writable, usage::Usage};

/// Checks that a file can be written, and lies outside of every record, before anything long
/// begins.
pub(super) fn check_file_writable(file: &Path) -> Result<()> {
    // Where a link leads.
    let target = std::fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // best/ and checkpoint/ are within a record, too.
    let around = std::fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
    let is_record = |folder: &&Path| [CONFIG, CURVE].iter().all(|name| folder.join(name).exists());
    if let Some(record) = around.ancestors().take(2).find(is_record) {
        let message =
            format!("{} lies within the record {}: name a file outside of it", file.display(), record.display());
        return Err(anyhow!(Usage(message)));
    }
    if std::fs::metadata(&target).is_ok_and(|found| !found.is_file()) {
        // A pipe or a device: nothing is put beside it.
        return Ok(());
    }
    Ok(check_writable(folder)?)
}
