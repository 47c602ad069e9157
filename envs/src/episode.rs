//! Whether an environment may be stepped.
//!
//! Gymnasium lets a step follow the end of an episode, with a warning and undefined results; here
//! such a step is refused. Environments of your own can use [`EpisodePhase`] for the same check.

use crate::error::EnvError;

/// Where an environment stands between resets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EpisodePhase {
    /// Never reset.
    #[default]
    NotStarted,
    /// Inside an episode.
    Running,
    /// The last step ended the episode.
    Over,
}

impl EpisodePhase {
    /// Passes only inside an episode.
    ///
    /// # Errors
    /// [`EnvError::NotReset`] or [`EnvError::EpisodeOver`].
    pub fn require_running(self) -> Result<(), EnvError> {
        match self {
            EpisodePhase::Running => Ok(()),
            EpisodePhase::NotStarted => Err(EnvError::NotReset),
            EpisodePhase::Over => Err(EnvError::EpisodeOver),
        }
    }

    /// The phase after a step that did or did not end the episode.
    pub fn after(ended: bool) -> Self {
        if ended { EpisodePhase::Over } else { EpisodePhase::Running }
    }
}
