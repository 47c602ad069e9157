//! A run that was stopped, killed or damaged goes on, and its record is that
//! of one that never stopped.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use egn_agents::AgentName;
use egn_train::{
    config::RunConfig,
    formats::tensorboard::{EVENTS, scalars_without_clock},
    record::{CurvePoint, Ended, Summary, without_clock_fields},
    run::{
        BEST_POLICY, Execution, LAST_POLICY, RunError,
        checkpoint::{CHECKPOINT, PREVIOUS, resumable},
        dir_of,
        policy_file::POLICY_FILES,
        run,
    },
    trainer::{Callback, Flow, RolloutEvent, TrainError},
};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

fn config(agent: AgentName, optimizer: &str) -> RunConfig {
    let (env, settings) = match agent {
        AgentName::Dqn => ("CartPole-v1", "learning_starts = 100\npriority = 0.6\nhidden = [12]\nn_steps = 3"),
        AgentName::C51 => (
            "CartPole-v1",
            "learning_starts = 5\nn_atoms = 4\nbatch_size = 8\nhidden = [12]\ncurvature = 'sampled'\ndouble = true",
        ),
        AgentName::QrDqn => ("CartPole-v1", "learning_starts = 5\nn_quantiles = 3\nbatch_size = 8\nhidden = [12]"),
        AgentName::Ddpg => (
            "Pendulum-v1",
            "learning_starts = 5\nbatch_size = 8\nhidden = [12]\nn_steps = 2\nnoise = 'ornstein_uhlenbeck'",
        ),
        AgentName::Td3 | AgentName::Sac => ("Pendulum-v1", "learning_starts = 5\nbatch_size = 8\nhidden = [12]"),
        AgentName::Ppo => ("CartPole-v1", "n_steps = 16\nbatch_size = 24\nn_epochs = 2\nhidden = [12]"),
        AgentName::A2c => ("CartPole-v1", "n_steps = 8\nhidden = [12]"),
        AgentName::Trpo => ("CartPole-v1", "n_steps = 16\nbatch_size = 24\ncritic_epochs = 2\nhidden = [12]"),
        AgentName::LqrPi => ("LQR/bdt1", "n_steps = 20\nupdates = 2"),
        AgentName::Reinforce => ("CartPole-v1", "n_steps = 16\nbatch_size = 24\nhidden = [12]"),
    };
    let memory = match optimizer {
        "egn" => "momentum = 0.5\nlr = 0.1\n[optimizer.adaptive]\n[optimizer.line_search]",
        _ => "lr = 0.01",
    };
    let text = format!(
        "[run]\nenv = '{env}'\nagent = '{agent}'\noptimizer = '{optimizer}'\nseed = 4\nsteps = 900\nenvs = 5\n\
         eval_every = 200\neval_episodes = 2\nfinal_episodes = 3\n[agent]\n{settings}\n[optimizer]\n{memory}\n"
    );
    RunConfig::from_toml(&text).unwrap()
}

/// Presses Ctrl-C after some rollouts, and counts them.
struct StopAfter<'a> {
    rollouts: u64,
    n_rollouts: u64,
    stop: &'a AtomicBool,
}

impl Callback for StopAfter<'_> {
    fn on_rollout(&mut self, _: &RolloutEvent<'_>) -> Result<Flow, TrainError> {
        self.rollouts = self.rollouts.saturating_sub(1);
        self.n_rollouts += 1;
        self.stop.store(self.rollouts == 0, Ordering::Relaxed);
        Ok(Flow::Continue(()))
    }

    fn on_evaluation(&mut self, _: &CurvePoint) -> Result<Flow, TrainError> {
        Ok(Flow::Continue(()))
    }
}

fn go(config: &RunConfig, records: &Path, rollouts: u64) -> Result<Summary, RunError> {
    go_counting(config, records, rollouts).map(|(summary, _)| summary)
}

/// The summary, and how many rollouts there were.
fn go_counting(config: &RunConfig, records: &Path, rollouts: u64) -> Result<(Summary, u64), RunError> {
    let stop = AtomicBool::new(false);
    let mut watch = StopAfter { rollouts, n_rollouts: 0, stop: &stop };
    Ok((run(config, &Execution::new(records, &stop), &mut watch)?, watch.n_rollouts))
}

/// The record without clocks, its policies included.
fn files(config: &RunConfig, records: &Path) -> BTreeMap<String, String> {
    let dir = dir_of(config, records);
    let mut files = without_clock_fields(&dir).unwrap();
    for policy in POLICY_FILES {
        files.insert(policy.into(), format!("{:?}", fs::read(dir.join(policy)).ok()));
    }
    let events = scalars_without_clock(&fs::read(dir.join(EVENTS)).unwrap()).unwrap();
    files.insert(EVENTS.into(), format!("{events:?}"));
    files
}

#[test]
fn a_run_stopped_at_three_random_points_leaves_the_record_of_one_that_never_stopped() {
    let all = AgentName::ALL.iter().flat_map(|&agent| ["egn", "adam"].map(|optimizer| config(agent, optimizer)));
    let overlapping = AgentName::ALL.iter().copied().filter(|agent| agent.has_replay()).map(|agent| {
        let mut config = config(agent, "egn");
        config.run.overlap = true;
        config
    });
    // An agent that remembers what environments gave, and one that does not, with statistics of it.
    let with_statistics = [AgentName::Dqn, AgentName::Ppo].map(|agent| {
        let mut config = config(agent, "adam");
        (config.env.normalize_observation, config.env.normalize_reward) = (true, true);
        config.run.overlap = agent.has_replay();
        config
    });
    // Other points with another seed.
    let seed = std::env::var("EGN_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(0);
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    for config in all.chain(overlapping).chain(with_statistics) {
        let [whole, parts] = [0, 1].map(|_| tempfile::tempdir().unwrap());
        let (summary, n_rollouts) = go_counting(&config, whole.path(), u64::MAX).unwrap();
        assert_eq!(summary.ended, Ended::Finished);
        let mut points = rand::seq::index::sample(&mut rng, n_rollouts as usize - 1, 3).into_vec();
        points.sort_unstable();
        let what = format!(
            "stopped after one more than {points:?} of {n_rollouts} rollouts: {:?} {:?}",
            config.run, config.env
        );
        let mut done = 0;
        for point in points.iter().map(|&point| point as u64 + 1) {
            let summary = go(&config, parts.path(), point - done).unwrap();
            assert_eq!(summary.ended, Ended::Stopped, "{what}");
            done = point;
        }
        assert_eq!(go(&config, parts.path(), u64::MAX).unwrap().ended, Ended::Finished);
        let (whole, parts) = (files(&config, whole.path()), files(&config, parts.path()));
        assert!(whole.keys().eq(parts.keys()));
        for (file, text) in &whole {
            assert!(parts[file] == *text, "{what}: {file} differs");
        }
        assert!(whole[LAST_POLICY].starts_with("Some") && whole[BEST_POLICY].starts_with("Some"));
        assert_eq!(whole["normalizer.safetensors"].starts_with("Some"), config.env.normalize_observation);
    }
}

#[test]
fn a_finished_run_can_be_taken_further() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(AgentName::Ppo, "egn");
    go(&config, folder.path(), u64::MAX).unwrap();
    config.run.steps = 1400;
    let stop = AtomicBool::new(false);
    let execution = Execution { resume: true, ..Execution::new(folder.path(), &stop) };
    let summary = run(&config, &execution, &mut StopAfter { rollouts: u64::MAX, n_rollouts: 0, stop: &stop }).unwrap();
    assert_eq!((summary.ended, summary.env_steps), (Ended::Finished, 1440));
    assert_eq!(summary.extended_from, [900], "the record says that it was meant to be shorter");
    let curve = fs::read_to_string(dir_of(&config, folder.path()).join("curve.csv")).unwrap();
    let steps: Vec<u64> = curve.lines().skip(1).map(|line| line.split(',').next().unwrap().parse().unwrap()).collect();
    assert!(steps.is_sorted() && steps.first() == Some(&0) && steps.last() == Some(&1440), "{steps:?}");
    config.run.steps = 2000;
    let again = run(&config, &execution, &mut StopAfter { rollouts: u64::MAX, n_rollouts: 0, stop: &stop }).unwrap();
    assert_eq!(again.extended_from, [900, 1400]);
    // With other settings it is another run.
    let OtherSeed(other) = OtherSeed::of(&config);
    assert!(matches!(
        run(&other, &execution, &mut StopAfter { rollouts: 1, n_rollouts: 0, stop: &stop }),
        Err(RunError::Checkpoint { .. })
    ));
}

/// The same run with another seed, whose record has no checkpoint.
struct OtherSeed(RunConfig);

impl OtherSeed {
    fn of(config: &RunConfig) -> Self {
        let mut other = config.clone();
        other.run.seed += 1;
        Self(other)
    }
}

#[test]
fn a_checkpoint_cut_anywhere_is_refused_by_name_and_nothing_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(AgentName::Dqn, "egn");
    go(&config, folder.path(), 20).unwrap();
    let dir = dir_of(&config, folder.path());
    fs::remove_file(dir.join(PREVIOUS)).unwrap();
    let whole = fs::read(dir.join(CHECKPOINT)).unwrap();
    let before = without_clock_fields(&dir).unwrap();
    // As many as the environment asks for, at most one at every byte.
    let n_cuts = std::env::var("EGN_CUTS").ok().and_then(|n| n.parse().ok()).unwrap_or(60).min(whole.len());
    for cut in (0..n_cuts).map(|i| whole.len() * i / n_cuts).chain([8, whole.len() - 1]) {
        fs::write(dir.join(CHECKPOINT), &whole[..cut]).unwrap();
        let error = go(&config, folder.path(), u64::MAX).unwrap_err().to_string();
        assert!(error.contains("checkpoint") && error.contains("--force begins anew"), "{error}");
        assert_eq!(without_clock_fields(&dir).unwrap(), before, "cut at {cut}");
    }
    // One bit anywhere in the arrays, of which the last lies at the end.
    for at in [whole.len() - 1, whole.len() - 1000, whole.len() / 2] {
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        fs::write(dir.join(CHECKPOINT), &damaged).unwrap();
        let error = go(&config, folder.path(), u64::MAX).unwrap_err().to_string();
        assert!(error.contains("it is damaged"), "{error}");
        assert_eq!(without_clock_fields(&dir).unwrap(), before, "bit at {at}");
    }
    fs::write(dir.join(CHECKPOINT), &whole).unwrap();
    assert_eq!(go(&config, folder.path(), u64::MAX).unwrap().ended, Ended::Finished);
    println!("{n_cuts} cuts of {} bytes refused", whole.len());
}

/// Every file below a folder.
fn snapshot(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files.extend(snapshot(&path)),
            false => {
                let bytes = fs::read(&path).unwrap();
                files.insert(path, bytes);
            }
        }
    }
    files
}

#[test]
fn a_log_or_configuration_that_someone_changed_is_refused_by_name_and_nothing_is_touched() {
    let config = config(AgentName::Dqn, "egn");
    let [whole, folder] = [0, 1].map(|_| tempfile::tempdir().unwrap());
    go(&config, whole.path(), u64::MAX).unwrap();
    go(&config, folder.path(), 20).unwrap();
    let dir = dir_of(&config, folder.path());
    type Damage = fn(&[u8]) -> Option<Vec<u8>>;
    let damages: [Damage; 4] = [
        |_| None,
        |_| Some(Vec::new()),
        |bytes| Some(bytes[..bytes.len() - 3].to_vec()),
        |bytes| {
            let mut edited = bytes.to_vec();
            edited[bytes.len() / 2] ^= 1;
            Some(edited)
        },
    ];
    let mut n_refused = 0;
    for name in ["episodes.csv", "curve.csv", "updates.jsonl", EVENTS] {
        let good = fs::read(dir.join(name)).unwrap();
        for damage in damages {
            match damage(&good) {
                Some(bytes) => fs::write(dir.join(name), bytes).unwrap(),
                None => fs::remove_file(dir.join(name)).unwrap(),
            }
            let before = snapshot(&dir);
            let error = go(&config, folder.path(), u64::MAX).unwrap_err().to_string();
            assert!(error.contains(name), "{error}");
            assert_eq!(snapshot(&dir), before, "a refusal changes nothing");
            n_refused += 1;
        }
        fs::write(dir.join(name), good).unwrap();
    }
    let good = fs::read_to_string(dir.join("config.toml")).unwrap();
    for (edited, problem) in [
        (good.replace("gamma = 0.99", "gamma = 0.9"), "another agent.gamma"),
        (good.replace("seed = 4", "seed = 5"), "another run.seed"),
        ("who knows".to_owned(), "no configuration"),
    ] {
        assert_ne!(edited, good);
        fs::write(dir.join("config.toml"), &edited).unwrap();
        let error = go(&config, folder.path(), u64::MAX).unwrap_err().to_string();
        assert!(error.contains("config.toml") && error.contains(problem), "{error}");
        assert_eq!(fs::read_to_string(dir.join("config.toml")).unwrap(), edited);
        n_refused += 1;
    }
    println!("{n_refused} changed files refused");

    // What a kill leaves behind the checkpoint, and of files that never became whole, goes.
    fs::write(dir.join("config.toml"), good).unwrap();
    for name in ["episodes.csv", "curve.csv", "updates.jsonl", EVENTS] {
        let log = fs::read(dir.join(name)).unwrap();
        fs::write(dir.join(name), [&log[..], b"more"].concat()).unwrap();
    }
    let partial = [".77.summary.json", "best/.77.policy.safetensors", "checkpoint/.77.next.safetensors"];
    partial.iter().for_each(|name| fs::write(dir.join(name), "half").unwrap());
    fs::write(dir.join(".note"), "a person's").unwrap();
    assert_eq!(go(&config, folder.path(), u64::MAX).unwrap().ended, Ended::Finished);
    assert_eq!(files(&config, folder.path()), files(&config, whole.path()));
    assert!(!partial.iter().any(|name| dir.join(name).exists()) && dir.join(".note").exists());
}

#[test]
fn a_longer_run_than_the_one_that_ended_is_offered_to_be_resumed() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(AgentName::Ppo, "adam");
    go(&config, folder.path(), u64::MAX).unwrap();
    let error = go(&config, folder.path(), u64::MAX).unwrap_err().to_string();
    assert!(error.contains("already holds this very run, finished; --force replaces it"), "{error}");
    config.run.steps = 1400;
    let error = go(&config, folder.path(), u64::MAX).unwrap_err().to_string();
    assert!(error.contains("another run.steps; --resume takes it further from 960 environment steps"), "{error}");
}

#[test]
fn where_the_last_checkpoint_is_damaged_the_run_goes_on_from_the_one_before() {
    let config = config(AgentName::Dqn, "egn");
    let whole = tempfile::tempdir().unwrap();
    go(&config, whole.path(), u64::MAX).unwrap();
    type Damage = fn(&[u8]) -> Option<Vec<u8>>;
    let damages: [Damage; 4] = [
        |_| None,
        |bytes| Some(bytes[..bytes.len() / 2].to_vec()),
        |_| Some(Vec::new()),
        |bytes| Some([&bytes[..bytes.len() - 1], &[!bytes[bytes.len() - 1]]].concat()),
    ];
    for (i, damage) in damages.into_iter().enumerate() {
        let folder = tempfile::tempdir().unwrap();
        go(&config, folder.path(), 20).unwrap();
        let dir = dir_of(&config, folder.path());
        let path = dir.join(CHECKPOINT);
        match damage(&fs::read(&path).unwrap()) {
            Some(damaged) => fs::write(&path, damaged).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
        let (env_steps, why) = resumable(&dir, &config, false).unwrap();
        assert!(env_steps < 20 * 5 * 4 && why.unwrap().contains("state.safetensors"), "damage {i}");
        assert_eq!(go(&config, folder.path(), u64::MAX).unwrap().ended, Ended::Finished);
        assert_eq!(files(&config, folder.path()), files(&config, whole.path()), "damage {i}");
    }
}

#[test]
fn a_setting_that_is_left_out_is_another_setting() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(AgentName::Ppo, "egn");
    go(&config, folder.path(), 2).unwrap();
    let mut table: toml::Table = config.to_toml().parse().unwrap();
    let optimizer = table["optimizer"].as_table_mut().unwrap();
    optimizer.remove("line_search").unwrap();
    let other = RunConfig::from_table(table).unwrap();
    let error = go(&other, folder.path(), u64::MAX).unwrap_err().to_string();
    assert!(error.contains("already holds a run with another optimizer.line_search"), "{error}");
}

#[test]
fn two_runs_do_not_write_one_record() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(AgentName::Ppo, "adam");
    /// Tries to run the same again in the middle of a run.
    struct Again<'a>(&'a RunConfig, &'a Path, Option<String>);
    impl Callback for Again<'_> {
        fn on_rollout(&mut self, _: &RolloutEvent<'_>) -> Result<Flow, TrainError> {
            let tried = go(self.0, self.1, u64::MAX);
            self.2.get_or_insert_with(|| tried.unwrap_err().to_string());
            Ok(Flow::Continue(()))
        }

        fn on_evaluation(&mut self, _: &CurvePoint) -> Result<Flow, TrainError> {
            Ok(Flow::Continue(()))
        }
    }
    let stop = AtomicBool::new(false);
    let mut again = Again(&config, folder.path(), None);
    let summary = run(&config, &Execution::new(folder.path(), &stop), &mut again).unwrap();
    assert_eq!(summary.ended, Ended::Finished);
    assert!(again.2.unwrap().contains("being written by another process"));
}

#[cfg(unix)]
#[test]
fn a_run_killed_again_and_again_leaves_the_record_of_one_that_was_not() {
    let [whole, killed] = [0, 1].map(|_| tempfile::tempdir().unwrap());
    // As many as the environment asks for, and a run that is long enough.
    let n_kills: u64 = std::env::var("EGN_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(12);
    let mut config = config(AgentName::Dqn, "adam");
    config.run.steps *= n_kills.div_ceil(2);
    go(&config, whole.path(), u64::MAX).unwrap();
    fs::write(killed.path().join("run.toml"), config.to_toml()).unwrap();
    let start = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_egn"));
        command.current_dir(killed.path()).args(["train", "--config", "run.toml", "--records", "."]);
        command.args(["--progress", "none", "--checkpoint-every", "0s"]).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().unwrap()
    };
    let mut n_killed = 0;
    for i in 0..n_kills {
        let mut child = start();
        std::thread::sleep(Duration::from_millis(3 + 7 * (i % 23)));
        n_killed += u64::from(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
    }
    assert!(n_killed > 0);
    assert!(dir_of(&config, killed.path()).join(BEST_POLICY).exists(), "a killed run leaves the best policy it had");
    let status = start().wait().unwrap();
    assert!(status.success() || dir_of(&config, killed.path()).join("summary.json").exists(), "{status}");
    assert_eq!(files(&config, killed.path()), files(&config, whole.path()), "after {n_killed} kills");
    println!("{n_killed} kills survived");
}
