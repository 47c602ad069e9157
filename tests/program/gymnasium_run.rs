//! Training on Gymnasium's own environments, in child processes, and pictures of ours.
//!
//! Runs where `$EGN_PYTHON` or `python3` can import gymnasium, and says so where it cannot; what is
//! said when it cannot is tested everywhere.

use std::{
    collections::BTreeMap,
    path::Path,
    process::{Command, Output},
};

use egn_train::record::without_clock_fields;

/// Six environments make two groups: one child process for one worker, and one for each of two.
const SMALL: [&str; 18] = [
    "--agent",
    "ppo",
    "--optimizer",
    "egn",
    "--steps",
    "800",
    "--envs",
    "6",
    "--eval-every",
    "400",
    "--set",
    "agent.n_steps=32",
    "--set",
    "agent.hidden=[8]",
    "--set",
    "run.eval_episodes=2",
    "--set",
    "run.final_episodes=2",
];

fn python() -> String {
    std::env::var("EGN_PYTHON").unwrap_or_else(|_| "python3".to_owned())
}

/// Whether Python can import gymnasium; says that the test is skipped when it cannot.
pub fn has_gymnasium() -> bool {
    let found = Command::new(python()).args(["-c", "import gymnasium"]).output();
    let can = found.is_ok_and(|output| output.status.success());
    if !can {
        eprintln!("SKIPPED: {} cannot import gymnasium", python());
    }
    can
}

fn egn(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_egn")).current_dir(folder).args(args).output().unwrap()
}

fn train(folder: &Path, env: &str, more: &[&str]) -> Output {
    egn(folder, &[&["train", "--env", env], &SMALL[..], more].concat())
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn the_record_of_a_python_environment_does_not_depend_on_the_number_of_workers() {
    if !has_gymnasium() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let record = |workers: &str| -> BTreeMap<String, String> {
        let more = ["--workers", workers, "--records", workers, "--set", "env.kwargs.sutton_barto_reward=true"];
        let output = train(folder.path(), "gymnasium:CartPole-v1", &more);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        without_clock_fields(&folder.path().join(workers).join("gymnasium:CartPole-v1/ppo/egn/seed-0")).unwrap()
    };
    let (one, two) = (record("1"), record("2"));
    assert!(one["config.toml"].contains("[env.kwargs]\nsutton_barto_reward = true"), "{}", one["config.toml"]);
    assert!(one["episodes.csv"].contains(",-1.0,terminated"), "the argument arrives: {}", one["episodes.csv"]);
    assert_eq!(one, two);
}

#[test]
fn a_child_that_dies_fails_the_run_and_leaves_its_record() {
    if !has_gymnasium() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    // Gymnasium imports the module before the colon. Evaluations, each in a
    // child of its own, end sooner.
    let module = "import os, gymnasium\nfrom gymnasium.envs.classic_control import CartPoleEnv\n\
                  class Mortal(CartPoleEnv):\n    n = 0\n    def step(self, action):\n        Mortal.n += 1\n        \
                  if Mortal.n == 400: os._exit(3)\n        return super().step(action)\n\
                  gymnasium.register('Mortal-v0', entry_point=Mortal, max_episode_steps=50)\n";
    std::fs::write(folder.path().join("mortal.py"), module).unwrap();
    let args = [&["train", "--env", "gymnasium:mortal:Mortal-v0"], &SMALL[..]].concat();
    let mut command = Command::new(env!("CARGO_BIN_EXE_egn"));
    let output = command.current_dir(folder.path()).env("PYTHONPATH", folder.path()).args(args).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let record = folder.path().join("runs/records/gymnasium:mortal:Mortal-v0/ppo/egn/seed-0");
    let summary: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(record.join("summary.json")).unwrap()).unwrap();
    let error = summary["error"].as_str().unwrap();
    assert_eq!(summary["ended"], "failed");
    for part in ["environments 0 to 5 (run seed 0) failed", "died (exit status: 3)", "seeds of its episodes: ["] {
        assert!(error.contains(part), "'{error}' lacks '{part}'");
    }
    assert!(std::fs::read_to_string(record.join("curve.csv")).unwrap().lines().count() >= 2);
}

#[test]
fn what_is_missing_is_said_before_anything_is_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |env: &str, agent: &str, more: &[&str], parts: &[&str]| {
        let args = ["train", "--env", env, "--optimizer", "egn", "--agent", agent];
        let output = egn(folder.path(), &[&args, more].concat());
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        for part in parts {
            assert!(stderr(&output).contains(part), "'{}' lacks '{part}'", stderr(&output));
        }
        assert!(!folder.path().join("runs").exists());
    };
    let nowhere = ["--python", "/nowhere/python"];
    refused("gymnasium:CartPole-v1", "ppo", &nowhere, &["/nowhere/python", "--python", "EGN_PYTHON"]);
    refused("gymnasium:", "ppo", &[], &["gymnasium:<id>"]);
    if has_gymnasium() {
        refused("gymnasium:Pendulum-v1", "dqn", &[], &["needs discrete actions"]);
        refused("gymnasium:NoSuchThing-v7", "ppo", &[], &["NoSuchThing-v7"]);
        refused("gymnasium:CartPole-v1", "ppo", &["--set", "env.kwargs.no_such_thing=1"], &["no_such_thing"]);
    }
}

#[test]
fn a_record_can_be_seen() {
    let folder = tempfile::tempdir().unwrap();
    let trained = train(folder.path(), "CartPole-v1", &[]);
    assert_eq!(trained.status.code(), Some(0), "{}", stderr(&trained));
    let record = "runs/records/CartPole-v1/ppo/egn/seed-0";
    let args = ["evaluate", record, "--episodes", "2", "--gif", "a/b.gif", "--png-strip", "a/b.png"];
    let output = egn(folder.path(), &args);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let bytes = |name: &str| std::fs::read(folder.path().join(name)).unwrap();
    let (gif, png) = (bytes("a/b.gif"), bytes("a/b.png"));
    assert!(gif.starts_with(b"GIF89a") && gif.len() > 5_000, "{} bytes", gif.len());
    assert!(png.starts_with(b"\x89PNG") && png.len() > 5_000, "{} bytes", png.len());
}

#[test]
fn an_id_with_a_slash_trains_charts_and_is_read_back_without_a_summary() {
    let folder = tempfile::tempdir().unwrap();
    let trained = train(folder.path(), "MinAtar/Freeway-v1", &[]);
    assert_eq!(trained.status.code(), Some(0), "{}", stderr(&trained));
    let record = folder.path().join("runs/records/MinAtar/Freeway-v1/ppo/egn/seed-0");
    std::fs::remove_file(record.join("summary.json")).unwrap();
    assert_eq!(egn_train::record::Record::read(&record).unwrap().env, "MinAtar/Freeway-v1");
    let plotted = egn(folder.path(), &["plot", "runs/records"]);
    assert_eq!(plotted.status.code(), Some(0), "{}", stderr(&plotted));
    assert!(folder.path().join("plots/MinAtar-Freeway-v1-ppo.svg").exists());
}
