//! The lock on a record that is being written.

use std::{fs, path::Path, thread, time::Duration};

use crate::run::error::RunError;

/// Held by the process that writes the record.
const LOCK: &str = ".lock";

/// A lock on a record that ends with this process, however that ends: two runs would
/// write into each other's logs.
pub(super) fn lock(dir: &Path) -> Result<fs::File, RunError> {
    let path = dir.join(LOCK);
    let folder = |source| RunError::Folder { path: path.clone(), source };
    fs::create_dir_all(dir).map_err(folder)?;
    let file = fs::File::create(&path).map_err(folder)?;
    // A child that another thread has just forked holds what this process holds, until it executes
    // its own program: a lock of a run that is over may so stay for a moment.
    for patience in (0..10).rev() {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(fs::TryLockError::WouldBlock) if patience > 0 => thread::sleep(Duration::from_millis(20)),
            Err(fs::TryLockError::WouldBlock) => break,
            Err(fs::TryLockError::Error(source)) => return Err(folder(source)),
        }
    }
    Err(RunError::Busy { dir: dir.to_owned() })
}
