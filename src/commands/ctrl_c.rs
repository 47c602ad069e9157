//! Ctrl-C and its like, by which a person or a system stops what is under way.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

use crate::exit_code::INTERRUPTED;

/// Signals that follow the first within this time are the same one: `timeout` and Slurm send theirs
/// to the process and to its group.
const SAME: Duration = Duration::from_secs(1);

/// A flag that Ctrl-C, SIGTERM or SIGHUP sets; a second one, a moment later, ends the program at
/// once.
pub(crate) fn stop_on_ctrl_c() -> Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let (flag, mut first) = (stop.clone(), None);
    let is_detached = hang_up::is_ignored();
    ctrlc::set_handler(move || {
        flag.store(true, Ordering::Relaxed);
        if first.get_or_insert_with(Instant::now).elapsed() > SAME {
            std::process::exit(i32::from(INTERRUPTED));
        }
    })
    .context("cannot listen for Ctrl-C")?;
    if is_detached {
        // By `nohup`: the run is to outlive its terminal.
        hang_up::ignore();
    }
    Ok(stop)
}

#[cfg(unix)]
mod hang_up {
    /// Whether SIGHUP is ignored.
    pub fn is_ignored() -> bool {
        // SAFETY: sigaction is plain data for which zeros are valid, and only written to.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            libc::sigaction(libc::SIGHUP, std::ptr::null(), &raw mut action) == 0
                && action.sa_sigaction == libc::SIG_IGN
        }
    }

    /// Ignores SIGHUP.
    pub fn ignore() {
        // SAFETY: no handler of ours runs.
        unsafe {
            libc::signal(libc::SIGHUP, libc::SIG_IGN);
        }
    }
}

#[cfg(not(unix))]
mod hang_up {
    pub fn is_ignored() -> bool {
        false
    }

    pub fn ignore() {}
}
