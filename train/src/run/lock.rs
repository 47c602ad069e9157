//! The lock on a record that is being written.

use std::{fs, path::Path};

use crate::run::error::RunError;

/// Held by the process that writes the record.
const LOCK: &str = ".lock";

/// A lock on a record, which ends with the run, or with this process, however that ends: two runs
/// would write into each other's logs.
pub(super) struct Lock(fs::File);

impl Drop for Lock {
    /// Unlocks in so many words: closed alone, the file would stay locked for as long as a child
    /// that another thread has just forked has not executed its own program.
    fn drop(&mut self) {
        // Where this fails, closing it is what is left.
        let _ = self.0.unlock();
    }
}

/// Locks the record in `dir`.
///
/// # Errors
/// When another run writes it, or the file cannot be made.
pub(super) fn lock(dir: &Path) -> Result<Lock, RunError> {
    let path = dir.join(LOCK);
    let folder = |source| RunError::Folder { path: path.clone(), source };
    fs::create_dir_all(dir).map_err(folder)?;
    let file = fs::File::create(&path).map_err(folder)?;
    match file.try_lock() {
        Ok(()) => Ok(Lock(file)),
        Err(fs::TryLockError::WouldBlock) => Err(RunError::Busy { dir: dir.to_owned() }),
        Err(fs::TryLockError::Error(source)) => Err(folder(source)),
    }
}
