//! What goes wrong in a run is said, and nothing recorded is lost.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use egn_envs::{Action, CartPole, Env, EnvError, Space, Step};
use egn_rl::progress::Watch;
use egn_train::{
    config::RunConfig,
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
        "[run]\nenv = 'CartPole-v1'\nagent = 'reinforce'\noptimizer = 'egn'\nsteps = 200\neval_episodes = 2\n\
         [agent]\nn_steps = 50\nn_episodes = 1000\nhidden = [8]",
    );
    assert_eq!((summary.ended, summary.updates), (Ended::Failed, 0));
    assert!(summary.error.unwrap().contains("nothing was learned in 200 environment steps"));
}

/// `egn train` of a small run, with more arguments.
fn egn_train(records: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_egn"));
    command.args(["train", "--env", "CartPole-v1", "--agent", "ppo", "--optimizer", "egn", "--progress", "none"]);
    command.args(["--set", "run.envs=4", "--checkpoint-every", "0s", "--records"]).arg(records).args(args);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn record_dir_of(records: &Path) -> PathBuf {
    record_dir(records, "CartPole-v1", "ppo", "egn", 0)
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Runs until a run has evaluated a few times, or breaks.
#[cfg(unix)]
fn wait_until_under_way(child: &mut Child, records: &Path) {
    let begun = Instant::now();
    let n_rows =
        || fs::read_to_string(record_dir_of(records).join("curve.csv")).map_or(0, |curve| curve.lines().count());
    while n_rows() < 5 {
        assert!(child.try_wait().unwrap().is_none() && begun.elapsed() < Duration::from_secs(60));
        thread::sleep(Duration::from_millis(5));
    }
}

#[cfg(unix)]
#[test]
fn a_signal_to_end_closes_the_record_and_the_same_command_goes_on() {
    let whole = tempfile::tempdir().unwrap();
    let steps = ["--steps", "120000", "--set", "run.eval_every=2000", "--set", "run.eval_episodes=2"];
    assert!(egn_train(whole.path(), &steps).output().unwrap().status.success());
    for signal in [libc::SIGINT, libc::SIGTERM] {
        let records = tempfile::tempdir().unwrap();
        let mut child = egn_train(records.path(), &steps).spawn().unwrap();
        wait_until_under_way(&mut child, records.path());
        // SAFETY: kill has no memory effects; the child has not been waited for.
        assert_eq!(unsafe { libc::kill(child.id() as libc::pid_t, signal) }, 0);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(130), "signal {signal}: {}", stderr(&output));
        assert!(stderr(&output).contains("the same command goes on from the checkpoint at"), "{}", stderr(&output));
        let record = Record::read(&record_dir_of(records.path())).unwrap();
        assert_eq!(record.summary.unwrap().ended, Ended::Stopped);

        let output = egn_train(records.path(), &steps).output().unwrap();
        assert!(output.status.success() && stderr(&output).starts_with("resuming"), "{}", stderr(&output));
        let [resumed, uninterrupted] = [&records, &whole]
            .map(|folder| egn_train::record::without_clock_fields(&record_dir_of(folder.path())).unwrap());
        assert!(resumed == uninterrupted, "signal {signal}");
    }
}

#[cfg(unix)]
#[test]
fn where_no_more_can_be_written_the_file_is_named_and_the_run_goes_on_later() {
    use std::os::unix::process::CommandExt;
    let whole = tempfile::tempdir().unwrap();
    assert!(egn_train(whole.path(), &["--steps", "30000"]).output().unwrap().status.success());
    // Files of the record have at most this many bytes: as on a full disk, a write fails, in a log
    // or a checkpoint.
    for limit in [30_000, 70_000, 100_000, 160_000, 200_000] {
        let records = tempfile::tempdir().unwrap();
        let mut command = egn_train(records.path(), &["--steps", "30000"]);
        let confine = move || {
            let limit = libc::rlimit { rlim_cur: limit, rlim_max: limit };
            // SAFETY: both calls only touch the state of the process that is about to run `egn`.
            match unsafe { (libc::signal(libc::SIGXFSZ, libc::SIG_IGN), libc::setrlimit(libc::RLIMIT_FSIZE, &limit)) } {
                (_, 0) => Ok(()),
                _ => Err(std::io::Error::last_os_error()),
            }
        };
        // SAFETY: `confine` makes async-signal-safe calls only.
        let output = unsafe { command.pre_exec(confine) }.output().unwrap();
        let said = stderr(&output) + &String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(1), "{said}");
        let dir = record_dir_of(records.path());
        assert!(said.contains("cannot write") && said.contains(&dir.display().to_string()), "{said}");
        assert!(Record::read(&dir).unwrap().warnings.len() <= 1, "what is there can be read");

        // Space has been made. Where not even one checkpoint had been written, there is nothing to
        // go on from.
        let resumable = dir.join("checkpoint/state.safetensors").exists();
        let how = if resumable { "--resume" } else { "--force" };
        let output = egn_train(records.path(), &["--steps", "30000", how]).output().unwrap();
        assert!(output.status.success(), "limit {limit}: {}", stderr(&output));
        assert!(resumable || limit < 100_000, "limit {limit}");
        let [again, never_full] = [&records, &whole]
            .map(|folder| egn_train::record::without_clock_fields(&record_dir_of(folder.path())).unwrap());
        assert!(again == never_full, "limit {limit}");
    }
}

#[test]
fn an_unfinished_record_is_not_verified() {
    let records = tempfile::tempdir().unwrap();
    assert!(egn_train(records.path(), &["--steps", "2000"]).output().unwrap().status.success());
    fs::remove_file(record_dir_of(records.path()).join("summary.json")).unwrap();
    let mut verify = Command::new(env!("CARGO_BIN_EXE_egn"));
    let output = verify.arg("verify").arg(record_dir_of(records.path())).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("unfinished run") && stderr(&output).contains("of 2000 environment steps"));
}

/// CartPole in a world that may be another one when a run goes on.
struct Elsewhere {
    inner: CartPole,
    world: Arc<AtomicU64>,
}

impl Env for Elsewhere {
    fn observation_space(&self) -> &Space {
        self.inner.observation_space()
    }

    fn action_space(&self) -> &Space {
        self.inner.action_space()
    }

    fn reset(&mut self, rng: &mut dyn RngCore, observation: &mut [f32]) -> Result<(), EnvError> {
        for _ in 0..self.world.load(Ordering::Relaxed) {
            rng.next_u64();
        }
        self.inner.reset(rng, observation)
    }

    fn step(&mut self, action: Action<'_>, rng: &mut dyn RngCore, observation: &mut [f32]) -> Result<Step, EnvError> {
        self.inner.step(action, rng, observation)
    }
}

/// Stops a run as soon as it has gone on for some rollouts.
struct StopAfter(u64);

impl Callback for StopAfter {
    fn on_rollout(&mut self, _: &RolloutEvent<'_>) -> Result<Flow, TrainError> {
        self.0 -= 1;
        Ok(if self.0 == 0 { Flow::Break(()) } else { Flow::Continue(()) })
    }

    fn on_evaluation(&mut self, _: &CurvePoint) -> Result<Flow, TrainError> {
        Ok(Flow::Continue(()))
    }
}

#[test]
fn an_episode_that_cannot_be_played_again_is_named_however_often_the_run_goes_on() {
    for overlap in [false, true] {
        let config = RunConfig::from_toml(&format!(
            "[run]\nenv = 'CartPole-v1'\nagent = 'dqn'\noptimizer = 'egn'\nsteps = 800\nenvs = 2\noverlap = {overlap}\n\
             eval_every = 200\neval_episodes = 1\nfinal_episodes = 1\n[env]\nnormalize_reward = true\n\
             [agent]\nhidden = [4]\nn_steps = 3\nlearning_starts = 20\nbatch_size = 8"
        ))
        .unwrap();
        let folder = tempfile::tempdir().unwrap();
        let (stop, world) = (AtomicBool::new(false), Arc::new(AtomicU64::new(0)));
        let make_env = |_| {
            let world = Arc::clone(&world);
            Ok::<_, EnvError>(Box::new(Elsewhere { inner: CartPole::default(), world }) as Box<dyn Env>)
        };
        let execution = Execution { n_workers: 2, ..Execution::new(folder.path(), &stop) };
        let go_on = |rollouts| run_in(&config, &make_env, None, &execution, &mut StopAfter(rollouts)).unwrap();
        assert_eq!(go_on(30).ended, Ended::Stopped);
        world.store(1, Ordering::Relaxed);
        assert_eq!(go_on(30).restarted, [0, 1]);
        // In the same world as before nothing is lost, and what was is not forgotten.
        let summary = go_on(u64::MAX);
        assert_eq!((summary.ended, &summary.restarted[..]), (Ended::Finished, &[0, 1][..]));
    }
}
