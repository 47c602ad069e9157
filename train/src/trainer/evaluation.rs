//! Greedy episodes: what a policy is worth.
//!
//! Episode i starts from NumPy's `reset(seed = first_seed + i)`, so that every run of every
//! program is evaluated on the same episodes. Seeds of training never meet them.

use std::ops::Range;

use egn_agents::{Actions, ActorState, AgentError, Mode, Policy};

use crate::{
    environments::group::{Draws, Environments, GroupError, NO_STEP, checked_group},
    record::contents::Evaluation,
};

pub use crate::config::run_settings::{FINAL_SEED, TRAINING_SEED};

/// Steps after which an episode of an evaluation is cut, whatever its environment says: MinAtar's
/// games and some of Gymnasium's have no time limit, and a greedy policy may never end one. Half an
/// hour of Atari at four frames a step, as in Machado et al. (2018),
/// <https://arxiv.org/abs/1709.06009>.
pub const MAX_STEPS: usize = 27_000;

/// Why an evaluation broke off.
#[derive(Debug, thiserror::Error)]
pub enum EvaluationError {
    /// An environment failed.
    #[error("evaluation {} failed: {message}", named(seeds))]
    Env {
        /// Seeds of the episodes: one, or all that shared a child process.
        seeds: Range<u64>,
        /// What the environment said.
        message: String,
    },
    /// The policy could not act.
    #[error(transparent)]
    Policy(#[from] AgentError),
}

fn named(seeds: &Range<u64>) -> String {
    match seeds.end.saturating_sub(seeds.start) {
        1 => format!("episode with seed {}", seeds.start),
        _ => format!("episodes with seeds {} to {}", seeds.start, seeds.end.saturating_sub(1)),
    }
}

/// Returns of `n_episodes` greedy episodes, all stepped side by side, each cut after [`MAX_STEPS`].
///
/// # Errors
/// When an environment or the policy fails.
pub fn greedy_returns(
    environments: &dyn Environments,
    policy: &dyn Policy,
    n_episodes: usize,
    first_seed: u64,
) -> Result<Vec<f64>, EvaluationError> {
    if n_episodes == 0 {
        return Ok(Vec::new());
    }
    let failed = |GroupError { envs, message }: GroupError| EvaluationError::Env {
        seeds: first_seed + envs.start as u64..first_seed + envs.end as u64,
        message,
    };
    let draws = (0..n_episodes as u64).map(|i| Draws::episode(first_seed + i)).collect();
    let mut group = checked_group(environments, 0, draws).map_err(failed)?;
    let (width, mut actions) = (group.observation_space().len(), Actions::none(group.action_space()));
    let (mut observations, mut steps) = (vec![0.0; n_episodes * width], vec![NO_STEP; n_episodes]);
    let mut alive: Vec<usize> = (0..n_episodes).collect();
    group.reset(&alive, &mut observations).map_err(failed)?;
    // Whose episode goes on.
    let mut states = vec![ActorState::new(0, 0); n_episodes];
    let mut returns = vec![0.0; n_episodes];
    let mut seen = Vec::with_capacity(observations.len());
    for _ in 0..MAX_STEPS {
        seen.clear();
        alive.iter().for_each(|&i| seen.extend_from_slice(&observations[i * width..(i + 1) * width]));
        actions.clear();
        policy.act(&seen, Mode::Greedy, &mut states, &mut actions)?;
        group.step(&alive, &actions, &mut observations, &mut steps).map_err(failed)?;
        alive.iter().for_each(|&i| returns[i] += steps[i].reward);
        let mut goes_on = alive.iter().map(|&i| !steps[i].outcome().is_end());
        states.retain(|_| goes_on.next() == Some(true));
        alive.retain(|&i| !steps[i].outcome().is_end());
        if alive.is_empty() {
            break;
        }
    }
    Ok(returns)
}

/// Mean, standard deviation, least and greatest of some returns.
pub fn summarize(env_steps: u64, returns: &[f64]) -> Evaluation {
    let n = returns.len() as f64;
    let mean = returns.iter().sum::<f64>() / n;
    let variance = returns.iter().map(|r| (r - mean).powi(2)).sum::<f64>() / n;
    Evaluation {
        env_steps,
        episodes: returns.len() as u64,
        mean,
        std: variance.sqrt(),
        min: returns.iter().copied().fold(f64::INFINITY, f64::min),
        max: returns.iter().copied().fold(f64::NEG_INFINITY, f64::max),
    }
}
