//! Which environment a child process makes, and how long it may take.

use std::path::PathBuf;
use std::time::Duration;

use crate::gymnasium::words::Printed;
use crate::python::interpreter;

/// Which Gymnasium environment to run, and with what.
#[derive(Debug, Clone, PartialEq)]
pub struct GymnasiumSettings {
    /// Id as for `gymnasium.make`, `HalfCheetah-v5`.
    pub id: String,
    /// Keyword arguments of `gymnasium.make`, a JSON object.
    pub kwargs: String,
    /// The Python interpreter; unless given, `$EGN_PYTHON` or else `python3`.
    pub python: Option<PathBuf>,
    /// How long a step of an environment may take before it counts as hung.
    pub timeout: Duration,
    /// How long the making or a reset of an environment may take before it counts as hung.
    pub reset_timeout: Duration,
    /// What the environments print.
    pub printed: Printed,
}

impl GymnasiumSettings {
    /// Settings of an environment without arguments; a step may take one minute, a reset ten.
    pub fn new(id: impl Into<String>) -> Self {
        // A simulator may load a map or start a server first.
        let (timeout, reset_timeout) = (Duration::from_secs(60), Duration::from_secs(600));
        let (kwargs, python, printed) = ("{}".to_owned(), None, Printed::default());
        GymnasiumSettings { id: id.into(), kwargs, python, timeout, reset_timeout, printed }
    }

    pub(super) fn interpreter(&self) -> PathBuf {
        interpreter(self.python.as_deref())
    }
}
