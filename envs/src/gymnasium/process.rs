//! The child process itself: how it is started, heard and ended.
//!
//! *Design.* The child leads a process group of its own, so that a signal to ours (Ctrl-C,
//! `timeout`, a closed terminal) is ours to answer, and what an environment started can be ended
//! with it. That it has died is seen by asking the system, not by the end of its socket, which a
//! helper may hold open.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::gymnasium::settings::GymnasiumSettings;
use crate::gymnasium::words::Listener;

const SCRIPT: &str = include_str!("child.py");

/// How long environments may take to close, all of a child together.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// How often a child that says nothing is looked after.
const GLANCE: Duration = Duration::from_millis(100);

/// A child process: reads wait for it as long as it may take, and not if it is dead.
#[derive(Debug)]
pub struct ChildProcess {
    child: Child,
    socket: UnixStream,
    listener: Option<Listener>,
    last_words: String,
    /// How long the child may give no sign of life.
    timeout: Duration,
    heard: Instant,
    status: Option<ExitStatus>,
}

impl ChildProcess {
    /// Starts a child that makes `n_envs` environments.
    pub fn spawn(settings: &GymnasiumSettings, n_envs: usize) -> io::Result<Self> {
        let (ours, theirs) = UnixStream::pair()?;
        ours.set_read_timeout(Some(GLANCE))?;
        ours.set_write_timeout(Some(settings.reset_timeout.max(GLANCE)))?;
        let (n_envs, patience) = (n_envs.to_string(), PATIENCE.as_secs_f64().to_string());
        let mut child = Command::new(settings.interpreter())
            .args(["-u", "-c", SCRIPT, &settings.id, &n_envs, &settings.kwargs, &patience])
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()?;
        let listener = child.stderr.take().map(|stderr| Listener::start(stderr, settings.printed.clone()));
        Ok(ChildProcess {
            child,
            socket: ours,
            listener: listener.transpose()?,
            last_words: String::new(),
            timeout: settings.reset_timeout,
            heard: Instant::now(),
            status: None,
        })
    }

    /// Sends a frame, after which the child may be silent for `timeout` at a time.
    pub fn ask(&mut self, frame: &[u8], timeout: Duration) -> io::Result<()> {
        self.timeout = timeout;
        self.heard = Instant::now();
        self.socket.write_all(frame)
    }

    /// How long the child may give no sign of life at present.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Interrupts what the child is at, and closes its environments; it may have a word to say.
    pub fn interrupt(&mut self) {
        let _ = self.socket.shutdown(Shutdown::Write);
        // SAFETY: kill has no memory effects; the child has not been waited for.
        unsafe {
            libc::kill(self.id(), libc::SIGTERM);
        }
        self.timeout = PATIENCE;
        self.heard = Instant::now();
    }

    /// Ends the child within `patience`, which closes its environments, and whatever is left of
    /// its group. A second call says the same again.
    pub fn end(&mut self, patience: Duration) -> io::Result<ExitStatus> {
        if let Some(status) = self.status {
            return Ok(status);
        }
        let _ = self.socket.shutdown(Shutdown::Write);
        let (start, mut pause) = (Instant::now(), Duration::from_micros(500));
        while !self.is_dead() && start.elapsed() < patience {
            std::thread::sleep(pause);
            pause = (2 * pause).min(Duration::from_millis(20));
        }
        // SAFETY: kill has no memory effects; the child has not been waited for, so that its
        // number, and that of its group, is nobody else's.
        unsafe {
            libc::kill(-self.id(), libc::SIGKILL);
        }
        let _ = self.child.kill();
        let status = self.child.wait()?;
        self.status = Some(status);
        if let Some(listener) = self.listener.take() {
            self.last_words = listener.finish();
        }
        Ok(status)
    }

    /// The end of what the child printed, once it has ended.
    pub fn last_words(&self) -> &str {
        &self.last_words
    }

    fn id(&self) -> libc::pid_t {
        self.child.id() as libc::pid_t
    }

    /// Whether the child has ended; it is not waited for.
    fn is_dead(&self) -> bool {
        // SAFETY: siginfo_t is plain data for which zeros are valid, and the pointer is to ours.
        unsafe {
            let mut info: libc::siginfo_t = std::mem::zeroed();
            let options = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
            // Anything but 0 is an error: there is no such child any more.
            libc::waitid(libc::P_PID, self.child.id(), &raw mut info, options) != 0 || info.si_signo != 0
        }
    }
}

impl Read for ChildProcess {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut was_dead = false;
        loop {
            match self.socket.read(buffer) {
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Ok(n) => {
                    self.heard = Instant::now();
                    return Ok(n);
                }
                Err(error) => return Err(error),
            }
            // What it sent before it died has been read by the second time.
            if was_dead {
                return Ok(0);
            }
            was_dead = self.is_dead();
            if !was_dead && self.heard.elapsed() > self.timeout {
                return Err(io::ErrorKind::TimedOut.into());
            }
        }
    }
}

impl Drop for ChildProcess {
    fn drop(&mut self) {
        let _ = self.end(PATIENCE);
    }
}
