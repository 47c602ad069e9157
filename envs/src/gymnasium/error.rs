//! What can go wrong between this process and its child.

use std::fmt;
use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::error::EnvError;

/// What went wrong in the child process, or in talking to it.
#[derive(Debug, Error)]
pub enum GymnasiumError {
    /// The interpreter does not start.
    #[error(
        "cannot start the Python interpreter {}: {source}; name one with --python or EGN_PYTHON",
        .python.display()
    )]
    NoPython {
        /// The interpreter that was tried.
        python: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The interpreter has no gymnasium package, or one that lacks something.
    #[error(
        "{python} cannot import gymnasium ({text}); install it with: {python} -m pip install gymnasium",
        python = .python.display()
    )]
    NoGymnasium {
        /// The interpreter that was tried.
        python: PathBuf,
        /// Python's message.
        text: String,
    },
    /// `gymnasium.make` refuses.
    #[error("gymnasium cannot make {id:?}: {text}")]
    NotMade {
        /// The id that was asked for.
        id: String,
        /// Python's message.
        text: String,
    },
    /// Spaces that do not fit into flat boxes or a discrete set.
    #[error("{id} has {text}")]
    NotSupported {
        /// The id that was asked for.
        id: String,
        /// The space that does not fit.
        text: String,
    },
    /// The environment raised an exception, answered otherwise than it announced, or had to be
    /// interrupted.
    #[error("{id}, environment {index}, {place}: {text}")]
    Raised {
        /// The environment's id.
        id: String,
        /// Index of the environment in its group.
        index: usize,
        /// Where in its episode.
        place: Place,
        /// Python's traceback, what is wrong with the answer, or where it was interrupted.
        text: String,
    },
    /// The child ended without an answer.
    #[error("{id}: the child process died ({status}); seeds of its episodes: {seeds:?}; its last words: {stderr}")]
    Died {
        /// The environment's id.
        id: String,
        /// How the child ended.
        status: String,
        /// Seeds of the last resets in the group.
        seeds: Vec<u32>,
        /// End of what the child wrote to standard error.
        stderr: String,
    },
    /// The child does not answer, and cannot be interrupted.
    #[error("{id}: no answer within {seconds} s; seeds of its episodes: {seeds:?}")]
    Hung {
        /// The environment's id.
        id: String,
        /// Time that an answer may take (s).
        seconds: f64,
        /// Seeds of the last resets in the group.
        seeds: Vec<u32>,
    },
}

/// Where an environment is in its episode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Seed of the last reset.
    pub seed: u32,
    /// Steps since, the one under way included; 0 is the reset.
    pub step: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.step {
            0 => write!(f, "episode seed {}, reset", self.seed),
            step => write!(f, "episode seed {}, step {step}", self.seed),
        }
    }
}

impl From<GymnasiumError> for EnvError {
    fn from(error: GymnasiumError) -> Self {
        EnvError::Other(Box::new(error))
    }
}
