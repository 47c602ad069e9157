//! CPU seconds and memory of this process, and a clock that can be stopped.

use std::time::Instant;

/// CPU seconds of all threads of this process so far; 0 where the system does not say.
pub fn cpu_seconds() -> f64 {
    usage().map_or(0.0, |usage| {
        let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 * 1e-6;
        seconds(usage.ru_utime) + seconds(usage.ru_stime)
    })
}

/// Greatest resident memory of this process so far, in bytes; 0 where the system does not say.
pub fn peak_rss_bytes() -> u64 {
    // Linux counts in kibibytes, macOS in bytes.
    let unit = if cfg!(target_os = "macos") { 1 } else { 1024 };
    usage().map_or(0, |usage| usage.ru_maxrss as u64 * unit)
}

#[cfg(unix)]
fn usage() -> Option<libc::rusage> {
    // SAFETY: an all-zero rusage is valid, and getrusage writes only into the one it is given.
    unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        (libc::getrusage(libc::RUSAGE_SELF, &mut usage) == 0).then_some(usage)
    }
}

#[cfg(not(unix))]
fn usage() -> Option<libc::rusage> {
    None
}

/// CPU and wall seconds since the start, pauses left out.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch {
    wall: Instant,
    cpu: f64,
    paused: (f64, f64),
}

impl Stopwatch {
    /// A stopwatch that runs from now.
    pub fn start() -> Self {
        Self { wall: Instant::now(), cpu: cpu_seconds(), paused: (0.0, 0.0) }
    }

    /// A stopwatch that runs from now, with the (CPU, wall) seconds of an earlier process on it.
    pub fn resume((cpu, wall): (f64, f64)) -> Self {
        Self { paused: (-cpu, -wall), ..Self::start() }
    }

    /// (CPU, wall) seconds so far.
    pub fn read(&self) -> (f64, f64) {
        (cpu_seconds() - self.cpu - self.paused.0, self.wall.elapsed().as_secs_f64() - self.paused.1)
    }

    /// Runs `work` off the clock.
    pub fn paused<R>(&mut self, work: impl FnOnce() -> R) -> R {
        let before = self.read();
        let result = work();
        let after = self.read();
        self.paused.0 += after.0 - before.0;
        self.paused.1 += after.1 - before.1;
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_does_not_count() {
        let mut watch = Stopwatch::start();
        watch.paused(|| std::thread::sleep(std::time::Duration::from_millis(50)));
        assert!(watch.read().1 < 0.045);
        assert!(peak_rss_bytes() > 1 << 20);
    }
}
