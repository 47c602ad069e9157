//! What workers are asked for, and what comes of it.

use std::{ops::Range, sync::Arc};

use egn_agents::{Policy, Rollout};
use egn_envs::{Outcome, Space};
use egn_solver::{State, StateError};

/// Environments that are acted for in one batch.
pub const GROUP_SIZE: usize = 4;

/// The failure of environments or of their policy while they were stepped.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{} (run seed {seed}) failed: {message}", named(envs))]
pub struct WorkerError {
    /// Indices: of one environment, or of all that share a policy or a child process that failed.
    pub envs: Range<usize>,
    /// Seed of the run.
    pub seed: u64,
    /// The environment's error, or what it panicked with.
    pub message: String,
}

fn named(envs: &Range<usize>) -> String {
    match envs.len() {
        1 => format!("environment {}", envs.start),
        _ => format!("environments {} to {}", envs.start, envs.end.saturating_sub(1)),
    }
}

/// An episode that ended in a rollout.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Episode {
    /// Index of the environment.
    pub env: usize,
    /// Step of the rollout at which the episode ended, from 0.
    pub step: usize,
    /// Steps of the episode.
    pub length: u64,
    /// Sum of the episode's rewards.
    pub episode_return: f64,
    /// Why the episode ended.
    pub outcome: Outcome,
}

/// The rollout that came of a task, and the episodes that ended in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Collected {
    /// Steps of all environments.
    pub rollout: Rollout,
    /// Episodes that ended in the rollout.
    pub episodes: Vec<Episode>,
}

impl Collected {
    /// The rollout and the episodes as named arrays.
    pub fn state(&self) -> State {
        let mut state = State::default();
        state.put_part("rollout", self.rollout.state());
        let numbers = self.episodes.iter().map(|episode| [episode.env as u64, episode.step as u64, episode.length]);
        state.put("episodes", numbers.collect::<Vec<_>>().as_flattened());
        state.put("returns", &self.episodes.iter().map(|episode| episode.episode_return).collect::<Vec<_>>());
        state
    }

    /// Reads back what [`Collected::state`] wrote, with observations of `width` entries and actions
    /// in `action_space`.
    ///
    /// # Errors
    /// When it is not such a state.
    pub fn from_state(state: &State, width: usize, action_space: &Space) -> Result<Self, StateError> {
        let rollout = Rollout::from_state(&state.part("rollout"), width, action_space)?;
        let returns: Vec<f64> = state.get("returns")?;
        let numbers = state.get_all::<u64>("episodes", 3 * returns.len())?;
        let episode = |(numbers, &episode_return): (&[u64], &f64)| {
            let (env, step) = (numbers[0] as usize, numbers[1] as usize);
            let outcome = rollout.outcomes.get(env * rollout.n_steps + step).copied().ok_or_else(|| {
                StateError::Bytes { message: format!("no step {step} of environment {env} in the rollout") }
            })?;
            Ok(Episode { env, step, length: numbers[2], episode_return, outcome })
        };
        let episodes = numbers.chunks_exact(3).zip(&returns).map(episode).collect::<Result<_, StateError>>()?;
        Ok(Self { episodes, rollout })
    }
}

/// A task for the workers: a rollout with a policy.
#[derive(Clone)]
pub struct Task {
    /// The policy that acts.
    pub policy: Arc<dyn Policy>,
    /// Steps of each environment.
    pub n_steps: usize,
    /// Environment steps before this task, all environments together.
    pub env_steps: u64,
    /// Environment steps of the whole run.
    pub total_steps: u64,
}
