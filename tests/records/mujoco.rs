//! Runs on MuJoCo's tasks: the same record whatever the workers and however often they stop.
//!
//! Skipped, with a word, where the library of MuJoCo is not found; `EGN_NEED_MUJOCO` says that it
//! must be.

use std::{
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

use egn_envs::testing;
use egn_train::{
    config::RunConfig,
    record::{CurvePoint, Ended, Summary, without_clock_fields},
    run::{Execution, LAST_POLICY, dir_of, run},
    trainer::{Callback, Flow, RolloutEvent, TrainError},
};

/// Rollouts of 10 steps, so that a stop falls into the middle of episodes, feet on the ground.
fn config(env: &str) -> RunConfig {
    let text = format!(
        "[run]\nenv = '{env}'\nagent = 'ppo'\noptimizer = 'adam'\nseed = 4\nsteps = 1500\nenvs = 10\n\
         eval_every = 700\neval_episodes = 2\nfinal_episodes = 2\n[env]\nnormalize_observation = true\n\
         [agent]\nn_steps = 10\nbatch_size = 50\nn_epochs = 2\nhidden = [12]\n[optimizer]\nlr = 0.001\n"
    );
    RunConfig::from_toml(&text).unwrap()
}

/// Stops after some rollouts.
struct StopAfter<'a>(u64, &'a AtomicBool);

impl Callback for StopAfter<'_> {
    fn on_rollout(&mut self, _: &RolloutEvent<'_>) -> Result<Flow, TrainError> {
        self.0 = self.0.saturating_sub(1);
        self.1.store(self.0 == 0, Ordering::Relaxed);
        Ok(Flow::Continue(()))
    }

    fn on_evaluation(&mut self, _: &CurvePoint) -> Result<Flow, TrainError> {
        Ok(Flow::Continue(()))
    }
}

fn go(config: &RunConfig, records: &Path, n_workers: usize, rollouts: u64) -> Summary {
    let stop = AtomicBool::new(false);
    let execution = Execution { n_workers, ..Execution::new(records, &stop) };
    run(config, &execution, &mut StopAfter(rollouts, &stop)).unwrap()
}

#[test]
fn ant_and_humanoid_go_on_in_contact_as_if_never_stopped_whatever_the_workers() {
    if testing::mujoco_or_skip().is_none() {
        return;
    }
    for env in ["Ant-v5", "Humanoid-v5"] {
        let config = config(env);
        let record = |n_workers, stops: &[u64]| {
            let folder = tempfile::tempdir().unwrap();
            for &rollouts in stops {
                assert_eq!(go(&config, folder.path(), n_workers, rollouts).ended, Ended::Stopped);
            }
            let summary = go(&config, folder.path(), n_workers, u64::MAX);
            assert_eq!((summary.ended, summary.error), (Ended::Finished, None));
            assert!(summary.simulator.is_some_and(|name| name.starts_with("MuJoCo 4.")));
            let dir = dir_of(&config, folder.path());
            (without_clock_fields(&dir).unwrap(), std::fs::read(dir.join(LAST_POLICY)).unwrap())
        };
        let whole = record(1, &[]);
        assert_eq!(whole, record(2, &[]), "{env}: two workers");
        assert_eq!(whole, record(1, &[3, 5]), "{env}: stopped twice");
    }
}
