//! Everything that can go wrong with an environment.

use thiserror::Error;

use crate::mujoco::error::MujocoError;
use crate::setting_value::SettingValue;

/// Why an environment could not be made, reset or stepped.
#[derive(Debug, Error)]
pub enum EnvError {
    /// A step after the end of an episode.
    #[error("the episode is over: reset before the next step")]
    EpisodeOver,
    /// A step before the first reset.
    #[error("no episode has begun: reset before the first step")]
    NotReset,
    /// A discrete action where a continuous one is due, or the reverse.
    #[error("the action is {found}, this environment takes {expected} actions")]
    ActionKind {
        /// Kind that the environment takes.
        expected: &'static str,
        /// Kind that was given.
        found: &'static str,
    },
    /// A discrete action that does not exist.
    #[error("action {action} does not exist: this environment has actions 0 to {}", .n.saturating_sub(1))]
    ActionRange {
        /// Action that was given.
        action: usize,
        /// Number of actions.
        n: usize,
    },
    /// A continuous action with too few or too many numbers.
    #[error("the action has {found} numbers, this environment takes {expected}")]
    ActionLength {
        /// Numbers given.
        found: usize,
        /// Numbers due.
        expected: usize,
    },
    /// NaN or an infinity in an action.
    #[error("entry {index} of the action is {value}; actions must be finite")]
    ActionNotFinite {
        /// Position in the action.
        index: usize,
        /// Value of the entry.
        value: f32,
    },
    /// A name that no environment has.
    #[error("no environment is called {name:?}{}; accepted names: {accepted}",
            .nearest.map(|id| format!(", did you mean {id:?}?")).unwrap_or_default())]
    UnknownEnv {
        /// Name that was given.
        name: String,
        /// The accepted name nearest to it, when there is one near enough to suggest.
        nearest: Option<&'static str>,
        /// All accepted names, separated by commas.
        accepted: String,
    },
    /// A setting outside its range.
    #[error("{setting} is {value}; accepted: {accepted}")]
    Setting {
        /// Name of the setting.
        setting: &'static str,
        /// Value that was given.
        value: SettingValue,
        /// The range, in words.
        accepted: &'static str,
    },
    /// A setting that the environment does not have.
    #[error("this environment has no setting {name:?}; accepted: {accepted}")]
    UnknownSetting {
        /// Name that was given.
        name: String,
        /// All accepted names, separated by commas.
        accepted: String,
    },
    /// The library of MuJoCo, or what it was asked to do.
    #[error(transparent)]
    Mujoco(#[from] MujocoError),
    /// Whatever an environment from outside this crate has to report.
    #[error(transparent)]
    Other(Box<dyn std::error::Error + Send + Sync>),
}
