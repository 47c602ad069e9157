//! A small run, and with how many seeds it has to come out well.

use std::sync::atomic::AtomicBool;

use egn_envs::{Env, EnvError};
use egn_train::{
    config::RunConfig,
    record::Ended,
    trainer::{
        Trained, Trainer,
        evaluation::{greedy_returns, summarize},
    },
};

/// Makes an environment of a task.
pub type MakeEnv = fn(usize) -> Result<Box<dyn Env>, EnvError>;

/// What came of a run.
pub struct Run {
    pub make_env: MakeEnv,
    pub config: RunConfig,
    pub trained: Trained,
}

/// Trains with the settings of `text`, in TOML, in which `run.seed` is `seed`.
pub fn train(make_env: MakeEnv, seed: u64, text: &str) -> Result<Run, String> {
    let mut config = RunConfig::from_toml(text).unwrap();
    config.run.seed = seed;
    let stop = AtomicBool::new(false);
    let trained = Trainer::new(&config, &make_env, &stop).train(&mut []).map_err(|error| error.to_string())?;
    match (trained.ended, trained.updates_failed) {
        (Ended::Finished, 0) => Ok(Run { make_env, config, trained }),
        (_, failed) => Err(format!("{failed} steps failed, {:?}", trained.error)),
    }
}

impl Run {
    /// Mean return of greedy episodes.
    pub fn greedy_return(&self, n_episodes: usize) -> f64 {
        let policy =
            self.trained.last.policy(self.config.agent.settings().unwrap(), &self.trained.action_space).unwrap();
        summarize(0, &greedy_returns(&self.make_env, &*policy, n_episodes, 0).unwrap()).mean
    }
}

/// Asserts that `learn` succeeds with seed 0. With `EGN_LEARN_SEEDS=20` it is called with the seeds
/// 0 to 19 and nothing is asserted: how many succeed is printed, and which do not. `EGN_LEARN_ONLY`
/// is a part of the names of those to be counted.
pub fn check_seeds(what: &str, learn: impl Fn(u64) -> Result<(), String>) {
    let Ok(count) = std::env::var("EGN_LEARN_SEEDS") else {
        return learn(0).unwrap_or_else(|error| panic!("{what}: {error}"));
    };
    if std::env::var("EGN_LEARN_ONLY").is_ok_and(|part| !what.contains(&part)) {
        return;
    }
    let n_seeds: u64 = count.parse().unwrap();
    let failed: Vec<String> =
        (0..n_seeds).filter_map(|seed| learn(seed).err().map(|error| format!("{seed} ({error})"))).collect();
    println!("{what}: {} of {n_seeds}; not {}", n_seeds as usize - failed.len(), failed.join(", "));
}
