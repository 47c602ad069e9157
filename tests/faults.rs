//! What goes wrong in a run is said, and nothing recorded is lost.
// Helpers of tests may panic like tests.
#![allow(clippy::unwrap_used)]

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use egn_envs::{Action, CartPole, Env, EnvError, Space, Step};
use egn_rl::{
    config::RunConfig,
    progress::Watch,
    record::{CurvePoint, Ended, Record, Summary, record_dir},
    run::{Execution, run_in},
    trainer::{Callback, Flow, RolloutEvent, TrainError},
};
use rand::RngCore;

/// CartPole that does something bad after some steps.
struct Faulty {
    inner: CartPole,
    steps_left: u64,
    fault: Fault,
}

/// What becomes of a step and its observation.
type Fault = fn(&mut Step, &mut [f32]) -> Result<(), EnvError>;

impl Env for Faulty {
    fn observation_space(&self) -> &Space {
        self.inner.observation_space()
    }

    fn action_space(&self) -> &Space {
        self.inner.action_space()
    }

    fn reset(&mut self, rng: &mut dyn RngCore, observation: &mut [f32]) -> Result<(), EnvError> {
        self.inner.reset(rng, observation)
    }

    fn step(&mut self, action: Action<'_>, rng: &mut dyn RngCore, observation: &mut [f32]) -> Result<Step, EnvError> {
        self.steps_left = self.steps_left.saturating_sub(1);
        let mut step = self.inner.step(action, rng, observation)?;
        if self.steps_left == 0 {
            (self.fault)(&mut step, observation)?;
        }
        Ok(step)
    }
}

fn config() -> RunConfig {
    RunConfig::from_toml(
        "[run]\nenv = 'CartPole-v1'\nagent = 'ppo'\noptimizer = 'egn'\nseed = 5\nsteps = 4000\nenvs = 6\n\
         eval_every = 400\neval_episodes = 2\n[agent]\nn_steps = 32\nhidden = [8]\n[optimizer]\nkl_limit = 0.01",
    )
    .unwrap()
}

/// Trains with environment 4 faulty after 200 of its steps; evaluation uses healthy ones.
fn train_with(fault: Fault) -> (tempfile::TempDir, Summary) {
    let folder = tempfile::tempdir().unwrap();
    let made = AtomicU64::new(0);
    let make_env = |_| {
        // The six of training are made in order, then others.
        let steps_left = if made.fetch_add(1, Ordering::Relaxed) == 4 { 200 } else { u64::MAX };
        Ok(Box::new(Faulty { inner: CartPole::default(), steps_left, fault }) as Box<dyn Env>)
    };
    let stop = AtomicBool::new(false);
    let execution = Execution { n_workers: 2, ..Execution::new(folder.path(), &stop) };
    let summary = run_in(&config(), &make_env, Some(475.0), &execution, &mut Watch::new(4000, |_| {})).unwrap();
    (folder, summary)
}

fn record_of(folder: &tempfile::TempDir, summary: &Summary) -> Record {
    Record::read(&record_dir(folder.path(), &summary.env, &summary.agent, &summary.optimizer, summary.seed)).unwrap()
}

#[test]
fn a_panic_in_a_worker_ends_the_run_as_failed_with_environment_and_seed() {
    let (folder, summary) = train_with(|_, _| panic!("the pole broke"));
    assert_eq!(summary.ended, Ended::Failed);
    assert_eq!(summary.error.as_deref(), Some("environment 4 (run seed 5) failed: panicked: the pole broke"));
    let record = record_of(&folder, &summary);
    assert!(record.curve.len() >= 2, "evaluations before the fault stay: {:?}", record.curve);
    assert_eq!(record.summary.unwrap(), summary);
}

#[test]
fn an_environment_that_errs_ends_the_run_as_failed() {
    let (_folder, summary) = train_with(|_, _| Err(EnvError::EpisodeOver));
    assert_eq!(summary.ended, Ended::Failed);
    let error = summary.error.unwrap();
    assert!(error.starts_with("environment 4 (run seed 5) failed: "), "{error}");
}

#[test]
fn what_is_not_finite_reaches_no_network_and_is_laid_at_its_environments_door() {
    let faults: [(Fault, &str); 4] = [
        (
            |_, observation| {
                observation[2] = f32::NAN;
                Ok(())
            },
            "entry 2 of its observation is NaN",
        ),
        (
            |_, observation| {
                observation[0] = f32::NEG_INFINITY;
                Ok(())
            },
            "entry 0 of its observation is -inf",
        ),
        (
            |step, _| {
                step.reward = f64::NAN;
                Ok(())
            },
            "its reward is NaN",
        ),
        (
            |step, _| {
                step.reward = f64::INFINITY;
                Ok(())
            },
            "its reward is inf",
        ),
    ];
    for (fault, expected) in faults {
        let (folder, summary) = train_with(fault);
        assert_eq!((summary.ended, summary.updates_failed), (Ended::Failed, 0));
        let error = summary.error.clone().unwrap();
        assert!(error.starts_with(&format!("environment 4 (run seed 5) failed: {expected}")), "{error}");
        let record = record_of(&folder, &summary);
        assert!(record.curve.len() >= 2 && summary.updates > 0, "what was learned before stays");
        let episodes = std::fs::read_to_string(record.dir.join("episodes.csv")).unwrap();
        assert!(episodes.lines().count() > 1 && !episodes.contains("NaN") && !episodes.contains("inf"), "{episodes}");
    }
}

/// Presses Ctrl-C after the third rollout.
struct Interrupt<'a> {
    stop: &'a AtomicBool,
    n_rollouts: u64,
}

impl Callback for Interrupt<'_> {
    fn on_rollout(&mut self, _: &RolloutEvent<'_>) -> Result<Flow, TrainError> {
        self.n_rollouts += 1;
        self.stop.store(self.n_rollouts == 3, Ordering::Relaxed);
        Ok(Flow::Continue(()))
    }

    fn on_evaluation(&mut self, _: &CurvePoint) -> Result<Flow, TrainError> {
        Ok(Flow::Continue(()))
    }
}

#[test]
fn a_stopped_run_closes_its_record() {
    let folder = tempfile::tempdir().unwrap();
    let stop = AtomicBool::new(false);
    let execution = Execution::new(folder.path(), &stop);
    let make_env = |_| egn_envs::EnvId::CartPole.make();
    let mut interrupt = Interrupt { stop: &stop, n_rollouts: 0 };
    let summary = run_in(&config(), &make_env, Some(475.0), &execution, &mut interrupt).unwrap();
    assert_eq!(summary.ended, Ended::Stopped);
    assert_eq!(summary.env_steps, 3 * 6 * 32);
    let record = record_of(&folder, &summary);
    assert_eq!(record.summary.unwrap().ended, Ended::Stopped);
    assert_eq!(record.curve.len(), 2);
}

fn train(toml: &str) -> (tempfile::TempDir, Summary) {
    let folder = tempfile::tempdir().unwrap();
    let stop = AtomicBool::new(false);
    let execution = Execution::new(folder.path(), &stop);
    let config = RunConfig::from_toml(toml).unwrap();
    let make_env = |_| egn_envs::EnvId::CartPole.make();
    let summary = run_in(&config, &make_env, Some(475.0), &execution, &mut Watch::new(1, |_| {})).unwrap();
    (folder, summary)
}

#[test]
fn a_run_whose_steps_all_fail_ends_as_failed_and_keeps_its_network() {
    let (folder, summary) = train(
        "[run]\nenv = 'CartPole-v1'\nagent = 'ppo'\noptimizer = 'adam'\nsteps = 4000\neval_episodes = 2\n\
         max_failed_updates = 5\n[agent]\nn_steps = 32\nhidden = [8]\n[optimizer]\nlr = 1e300",
    );
    assert_eq!((summary.ended, summary.updates, summary.updates_failed), (Ended::Failed, 0, 5));
    let error = summary.error.as_deref().unwrap();
    assert!(error.starts_with("5 steps of network 'actor' in a row changed nothing"), "{error}");
    let dir = record_of(&folder, &summary).dir;
    let reports = std::fs::read_to_string(dir.join("updates.jsonl")).unwrap();
    assert!(reports.lines().count() >= 5 && reports.contains("no step"), "{reports}");
    let network = egn_solver::Network::mlp(&[4, 8, 2], egn_solver::Activation::Tanh);
    let policy = egn_solver::Snapshot::load(&dir.join("policy.safetensors"), network).unwrap();
    let outputs =
        policy.predict(&candle_core::Tensor::ones((1, 4), candle_core::DType::F32, &candle_core::Device::Cpu).unwrap());
    assert!(outputs.unwrap().values.iter().all(|value| value.is_finite()));
}

#[test]
fn a_run_that_never_comes_to_learn_is_no_success() {
    let (_folder, summary) = train(
        "[run]\nenv = 'CartPole-v1'\nagent = 'dqn'\noptimizer = 'egn'\nsteps = 200\neval_episodes = 2\n\
         [agent]\nlearning_starts = 1000\nhidden = [8]",
    );
    assert_eq!((summary.ended, summary.updates), (Ended::Failed, 0));
    assert!(summary.error.unwrap().contains("nothing was learned in 200 environment steps"));
}
