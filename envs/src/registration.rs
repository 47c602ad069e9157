//! What an environment tells the registry, in its own file.
//!
//! *Design.* Everything that is known of an environment by name stands beside its rules:
//! facts for a list, and how command-line settings become an environment. The registry
//! only knows where to ask.

use crate::env::Env;
use crate::error::EnvError;
use crate::settings::Settings;
use crate::space::Space;
use crate::wrappers::time_limit::TimeLimit;

/// The package that Gymnasium's environments here are equal to.
pub(crate) const GYMNASIUM: &str = "Gymnasium 1.4.0";

/// Facts of a registered environment and how it is made.
pub(crate) struct Registration {
    /// The accepted name of the environment.
    pub id: &'static str,
    /// Steps after which an episode is truncated.
    pub max_episode_steps: Option<usize>,
    /// Mean return from which the task counts as solved.
    pub reward_threshold: Option<f64>,
    /// Steps that a film shows in a second.
    pub frames_per_second: f64,
    /// The package and version that this environment equals.
    pub source: &'static str,
    /// The spaces of observations and actions with default settings, where the environment cannot
    /// be made without something from outside.
    pub spaces: Option<[Space; 2]>,
    /// How the environment is made, from [`made`].
    pub make: Make,
}

/// Makes an environment from its settings and a time limit.
pub(crate) type Make = Box<dyn Fn(&mut Settings<'_>, Option<usize>) -> Result<Box<dyn Env>, EnvError>>;

/// A recipe: `from_settings` makes the environment, and a time limit wraps it.
pub(crate) fn made<E: Env + 'static>(
    from_settings: impl Fn(&mut Settings<'_>) -> Result<E, EnvError> + 'static,
) -> Make {
    Box::new(move |settings, limit| {
        let env = from_settings(settings)?;
        // Wrapped before it is boxed, so that a step is one virtual call.
        let env: Box<dyn Env> = match limit {
            Some(limit) => Box::new(TimeLimit::new(env, limit)),
            None => Box::new(env),
        };
        Ok(env)
    })
}
