//! Same seed, same record, whatever the number of workers and whatever the machine's vectors.

use std::{collections::BTreeMap, path::Path, process::Command, sync::atomic::AtomicBool};

use egn_agents::AgentName;
use egn_rl::progress::Watch;
use egn_solver::{Precision, Vectors};
use egn_train::{
    config::RunConfig,
    formats::tensorboard::{EVENTS, scalars_without_clock},
    record::{Ended, without_clock_fields},
    run::{Execution, LAST_POLICY, dir_of, run},
};

/// Nine environments make three groups: uneven shares for two workers, more
/// workers than groups for four.
fn config(env: &str, agent: AgentName, optimizer: &str, seed: u64) -> RunConfig {
    config_of(env, agent, optimizer, seed, [16, 16])
}

fn config_of(env: &str, agent: AgentName, optimizer: &str, seed: u64, hidden: [usize; 2]) -> RunConfig {
    let settings = match agent {
        AgentName::Dqn => "learning_starts = 200\ntrain_freq = 16\ngradient_steps = 8\nn_steps = 3\ndueling = true",
        AgentName::C51 => "n_atoms = 5\nlearning_starts = 200\ntrain_freq = 16\ngradient_steps = 4",
        AgentName::QrDqn => "n_quantiles = 4\nlearning_starts = 200\ntrain_freq = 16\ngradient_steps = 4",
        AgentName::Ddpg => {
            "learning_starts = 200\ntrain_freq = 16\ngradient_steps = 4\nbatch_size = 32\n\
             noise = 'ornstein_uhlenbeck'"
        }
        AgentName::Td3 | AgentName::Sac => {
            "learning_starts = 200\ntrain_freq = 16\ngradient_steps = 4\nbatch_size = 32"
        }
        AgentName::Ppo => "n_steps = 32\nbatch_size = 96\nn_epochs = 2\ntarget_kl = 0.02\nvalue_clip = 0.5",
        AgentName::A2c => "n_steps = 8",
        AgentName::Trpo | AgentName::Reinforce => "n_steps = 32\nbatch_size = 96",
        AgentName::LqrPi => "n_steps = 50\nupdates = 2",
    };
    let hidden = if agent == AgentName::LqrPi { String::new() } else { format!("hidden = {hidden:?}") };
    let text = format!(
        "[run]\nenv = '{env}'\nagent = '{agent}'\noptimizer = '{optimizer}'\nseed = {seed}\nsteps = 2000\n\
         envs = 9\neval_every = 500\neval_episodes = 3\nfinal_episodes = 5\n[agent]\n{hidden}\n{settings}\n\
         [optimizer]\nlr = 0.01\n"
    );
    RunConfig::from_toml(&text).unwrap()
}

fn record(config: &RunConfig, n_workers: usize) -> BTreeMap<String, String> {
    let folder = tempfile::tempdir().unwrap();
    let stop = AtomicBool::new(false);
    let execution = Execution { n_workers, ..Execution::new(folder.path(), &stop) };
    let summary = run(config, &execution, &mut Watch::new(config.run.steps, |_| {})).unwrap();
    assert_eq!(summary.ended, Ended::Finished, "{:?}", summary.error);
    assert!(summary.updates > 0);
    files(folder.path(), config)
}

/// All that a finished run left, clocks aside.
fn files(records: &Path, config: &RunConfig) -> BTreeMap<String, String> {
    let dir = dir_of(config, records);
    let mut files = without_clock_fields(&dir).unwrap();
    files.insert("policy".into(), format!("{:?}", std::fs::read(dir.join(LAST_POLICY)).unwrap()));
    files.insert("normalizer".into(), format!("{:?}", std::fs::read(dir.join("normalizer.safetensors")).ok()));
    let events = scalars_without_clock(&std::fs::read(dir.join(EVENTS)).unwrap()).unwrap();
    files.insert(EVENTS.into(), format!("{events:?}"));
    assert!(files.len() >= 7, "{:?}", files.keys());
    files
}

/// Every agent with every kind of action that it takes.
fn environments_and_agents() -> impl Iterator<Item = (&'static str, AgentName)> {
    let environments = |agent| match agent {
        AgentName::Dqn | AgentName::C51 | AgentName::QrDqn => &["CartPole-v1"][..],
        AgentName::Ddpg | AgentName::Td3 | AgentName::Sac => &["Pendulum-v1"],
        AgentName::Ppo | AgentName::A2c | AgentName::Trpo | AgentName::Reinforce => &["CartPole-v1", "Pendulum-v1"],
        AgentName::LqrPi => &["LQR/ac1"],
    };
    AgentName::ALL.iter().flat_map(move |&agent| environments(agent).iter().map(move |&env| (env, agent)))
}

#[test]
fn a_record_does_not_depend_on_the_number_of_workers() {
    for (env, agent) in environments_and_agents() {
        for optimizer in ["egn", "adam", "sgd"] {
            let config = config(env, agent, optimizer, 7);
            let one = record(&config, 1);
            for n_workers in [2, 4] {
                let other = record(&config, n_workers);
                for (file, text) in &one {
                    assert!(other[file] == *text, "{env} {agent} {optimizer}: {file} differs with {n_workers} workers");
                }
            }
        }
    }
}

/// With observations and rewards brought to unit scale.
fn normalized(config: &RunConfig) -> RunConfig {
    let mut normalized = config.clone();
    (normalized.env.normalize_observation, normalized.env.normalize_reward) = (true, true);
    RunConfig::from_toml(&normalized.to_toml()).unwrap()
}

#[test]
fn statistics_of_observations_and_rewards_do_not_depend_on_the_number_of_workers() {
    for (env, agent) in
        [("CartPole-v1", AgentName::Dqn), ("Pendulum-v1", AgentName::Sac), ("Pendulum-v1", AgentName::Ppo)]
    {
        let plain = config(env, agent, "adam", 7);
        let one = record(&normalized(&plain), 1);
        assert!(record(&normalized(&plain), 4) == one, "{env} {agent}");
        assert_ne!(record(&plain, 1)["policy"], one["policy"], "{env} {agent} is normalized");
        assert!(one["normalizer"] != "None");
    }
}

#[test]
fn an_overlapping_record_does_not_depend_on_the_number_of_workers_and_is_another_one() {
    for (env, agent) in [("Pendulum-v1", AgentName::Sac), ("Pendulum-v1", AgentName::Td3)] {
        let plain = config(env, agent, "egn", 7);
        let mut overlapping = plain.clone();
        overlapping.run.overlap = true;
        let one = record(&overlapping, 1);
        assert_eq!(one, record(&overlapping, 4), "{env} {agent}");
        // The policy is one rollout behind, so what it lives through differs.
        assert_ne!(one["episodes.csv"], record(&plain, 1)["episodes.csv"], "{env} {agent}");
    }
}

/// The record of a process of its own, which is where vectors are chosen.
fn record_with(vectors: Vectors, config: &RunConfig) -> BTreeMap<String, String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("run.toml");
    std::fs::write(&file, config.to_toml()).unwrap();
    let mut egn = Command::new(env!("CARGO_BIN_EXE_egn"));
    egn.env("EGN_VECTORS", vectors.to_string()).args(["train", "--progress", "none", "--config"]).arg(file);
    let output = egn.arg("--records").arg(folder.path()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{} {} with {vectors}: {said}", config.run.env, config.agent);
    files(folder.path(), config)
}

/// Every agent with EGN and with Adam, at every level that this machine has: with
/// AVX-512 these are three.
#[test]
fn a_record_does_not_depend_on_the_vectors() {
    let images = [("MinAtar/Breakout-v1", AgentName::Dqn)];
    let available: Vec<Vectors> = Vectors::ALL.into_iter().filter(|vectors| vectors.are_available()).collect();
    for (env, agent) in environments_and_agents().chain(images) {
        for optimizer in ["egn", "adam"] {
            // Widths that are no whole number of vectors, and more than one tile of them.
            let mut config = config_of(env, agent, optimizer, 7, [72, 33]);
            config.run.precision = if agent == AgentName::A2c { Precision::F64 } else { Precision::F32 };
            let records: Vec<_> = available.iter().map(|&vectors| record_with(vectors, &config)).collect();
            for (vectors, other) in available.iter().zip(&records).skip(1) {
                for (file, text) in &records[0] {
                    assert!(other[file] == *text, "{env} {agent} {optimizer}: {file} differs with {vectors}");
                }
            }
        }
    }
}

#[test]
fn vectors_that_do_not_exist_are_refused() {
    let output = Command::new(env!("CARGO_BIN_EXE_egn")).env("EGN_VECTORS", "sse").args(["list", "envs"]).output();
    let output = output.unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("expected avx512, avx2 or plain"));
}

#[test]
fn another_seed_gives_another_record() {
    let [one, other] = [7, 8].map(|seed| record(&config("CartPole-v1", AgentName::Ppo, "egn", seed), 1));
    assert_ne!(one["episodes.csv"], other["episodes.csv"]);
    assert_ne!(one["policy"], other["policy"]);
}

#[test]
fn the_configuration_of_a_record_reproduces_it() {
    let folder = tempfile::tempdir().unwrap();
    let first = config("CartPole-v1", AgentName::Dqn, "egn", 3);
    std::fs::write(folder.path().join("config.toml"), first.to_toml()).unwrap();
    let read = std::fs::read_to_string(Path::new(folder.path()).join("config.toml")).unwrap();
    assert_eq!(record(&first, 1), record(&RunConfig::from_toml(&read).unwrap(), 1));
}
