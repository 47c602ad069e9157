//! Greedy episodes: what a policy is worth.
//!
//! Episode i starts from NumPy's `reset(seed = first_seed + i)`, so that every run of every
//! program is judged on the same episodes. Seeds of training never meet them.

use egn_agents::{Actions, AgentError, Mode, Policy, stream};
use egn_envs::{EnvError, Pcg64};

use crate::{record::Evaluation, workers::MakeEnv};

/// First seed of the evaluations during training.
pub const TRAINING_SEED: u64 = 10_000;
/// First seed of the evaluations after training: fresh episodes.
pub const FINAL_SEED: u64 = 20_000;

/// Why an evaluation broke off.
#[derive(Debug, thiserror::Error)]
pub enum EvaluationError {
    /// An environment failed.
    #[error("evaluation episode with seed {seed}: {source}")]
    Env {
        /// Seed of the episode.
        seed: u64,
        /// What the environment said.
        source: EnvError,
    },
    /// The policy could not act.
    #[error(transparent)]
    Policy(#[from] AgentError),
}

/// Returns of `n_episodes` greedy episodes, all stepped side by side.
///
/// # Errors
/// When an environment or the policy fails.
pub fn greedy_returns(
    make_env: &MakeEnv<'_>,
    policy: &dyn Policy,
    n_episodes: usize,
    first_seed: u64,
) -> Result<Vec<f64>, EvaluationError> {
    let seed_of = |i: usize| first_seed + i as u64;
    let failed = |i: usize| move |source| EvaluationError::Env { seed: seed_of(i), source };
    let mut envs = Vec::with_capacity(n_episodes);
    let mut observations = Vec::new();
    for i in 0..n_episodes {
        let mut env = make_env(i).map_err(failed(i))?;
        let mut rng = Pcg64::seed_from(seed_of(i));
        let start = observations.len();
        observations.resize(start + env.observation_space().len(), 0.0);
        env.reset(&mut rng, &mut observations[start..]).map_err(failed(i))?;
        envs.push((env, rng));
    }
    let Some((first, _)) = envs.first() else { return Ok(Vec::new()) };
    let (width, mut actions) = (first.observation_space().len(), Actions::none(first.action_space()));
    // A greedy policy draws nothing.
    let mut streams = vec![stream(0, egn_agents::Purpose::Exploration, 0); n_episodes];
    let mut returns = vec![0.0; n_episodes];
    let mut alive: Vec<usize> = (0..n_episodes).collect();
    while !alive.is_empty() {
        actions.clear();
        policy.act(&observations, Mode::Greedy, &mut streams, &mut actions)?;
        let mut still_alive = Vec::with_capacity(alive.len());
        let mut kept = Vec::with_capacity(observations.len());
        for (row, &i) in alive.iter().enumerate() {
            let (env, rng) = &mut envs[i];
            let observation = &mut observations[row * width..(row + 1) * width];
            let step = env.step(actions.get(row), rng, observation).map_err(failed(i))?;
            returns[i] += step.reward;
            if !step.outcome().is_end() {
                still_alive.push(i);
                kept.extend_from_slice(observation);
            }
        }
        (alive, observations) = (still_alive, kept);
    }
    Ok(returns)
}

/// Mean, standard deviation, least and greatest of some returns.
pub fn summarise(env_steps: u64, returns: &[f64]) -> Evaluation {
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
