//! A run that starts from the networks of another.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use egn_solver::State;
use egn_train::{config::RunConfig, run::checkpoint::CHECKPOINT, trainer::build_agent};

fn egn(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_egn")).current_dir(folder).args(args).output().expect("egn runs")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Trains for a moment.
fn train(folder: &Path, env: &str, agent: &str, more: &[&str]) -> Output {
    let names = ["train", "--env", env, "--agent", agent];
    let small = ["--steps=900", "--eval-every=450", "--set=run.eval_episodes=2", "--set=run.final_episodes=2"];
    let network = if agent == "lqr-pi" { "--set=agent.n_steps=450" } else { "--set=agent.hidden=[8]" };
    egn(folder, &[&names[..], &small[..], &[network], more].concat())
}

/// Means of the evaluations in a record.
fn means(record: &Path) -> Vec<f64> {
    let text = fs::read_to_string(record.join("curve.csv")).expect("a record has a curve");
    text.lines()
        .skip(1)
        .map(|line| line.split(',').nth(4).and_then(|mean| mean.parse().ok()).expect("a mean"))
        .collect()
}

#[test]
fn training_starts_where_the_other_run_ended() {
    let folder = tempfile::tempdir().unwrap();
    for (env, agent, set) in [
        ("CartPole-v1", "dqn", "--set=agent.learning_starts=100"),
        ("CartPole-v1", "c51", "--set=agent.learning_starts=100"),
        ("CartPole-v1", "ppo", "--set=agent.n_steps=32"),
        // The statistics of observations come along.
        ("CartPole-v1", "a2c", "--set=env.normalize_observation=true"),
        ("Pendulum-v1", "sac", "--set=agent.learning_starts=100"),
        ("Pendulum-v1", "td3", "--set=agent.learning_starts=100"),
        // The controller comes along, not only the form that it is greedy for.
        ("LQR/controlgym-ac1-QI", "lqr-pi", "--set=agent.updates=1"),
    ] {
        let first = train(folder.path(), env, agent, &["--optimizer", "egn", set]);
        assert!(first.status.success(), "{}", stderr(&first));
        let earlier = format!("runs/records/{env}/{agent}/egn/seed-0");
        // With another seed and another optimizer, from a relative path.
        let more = ["--optimizer", "adam", "--seed", "7", set, "--init-from", &earlier];
        let second = train(folder.path(), env, agent, &more);
        assert!(second.status.success(), "{}", stderr(&second));
        let begun = folder.path().join(format!("runs/records/{env}/{agent}/adam/seed-7"));
        let (before, after) = (means(&folder.path().join(&earlier)), means(&begun));
        assert_eq!(before.last(), after.first(), "{agent}: the untrained policy is the trained one");
        assert_ne!(before.first(), after.first(), "{agent}: a random policy is worth as much");
    }
}

#[test]
fn critics_come_along_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let first = train(folder.path(), "CartPole-v1", "ppo", &["--optimizer", "adam", "--set=agent.n_steps=32"]);
    assert!(first.status.success(), "{}", stderr(&first));
    let record = folder.path().join("runs/records/CartPole-v1/ppo/adam/seed-0");
    let saved = State::from_bytes(&fs::read(record.join(CHECKPOINT)).unwrap()).unwrap().part("agent");

    let mut config = RunConfig::from_toml(&fs::read_to_string(record.join("config.toml")).unwrap()).unwrap();
    (config.run.seed, config.run.init_from) = (7, Some(record));
    let opened = config.run.env.open(&config.env, None).unwrap();
    let mut agent = build_agent(&config, &opened.observation_space, &opened.action_space).unwrap();
    let random = agent.state();
    let initial = egn_train::run::initial::Initial::of(&config).unwrap().unwrap();
    agent.start_from(initial.networks()).unwrap();
    let begun = agent.state();
    for name in begun.names() {
        let bytes = |state: &State| state.clone().filtered(|other| other == name);
        let expected = if name.ends_with("/params") { &saved } else { &random };
        assert_eq!(bytes(&begun), bytes(expected), "{name}");
    }
    let networks: Vec<&str> = begun.names().filter(|name| name.ends_with("/params")).collect();
    assert_eq!(networks, ["actor/params", "critic/params"]);
    assert_ne!(begun, random);
}

#[test]
fn a_temperature_is_no_network() {
    let folder = tempfile::tempdir().unwrap();
    let sac = |more: &[&str]| {
        let output = train(folder.path(), "Pendulum-v1", "sac", &[&["--set=agent.learning_starts=100"], more].concat());
        assert!(output.status.success(), "{}", stderr(&output));
    };
    // One that stands still has no parameters, one that is found does.
    sac(&["--optimizer", "egn", "--set=agent.temperature=0.2"]);
    sac(&["--optimizer", "adam", "--init-from", "runs/records/Pendulum-v1/sac/egn/seed-0"]);
    let record = folder.path().join("runs/records/Pendulum-v1/sac/adam/seed-0");
    let saved = State::from_bytes(&fs::read(record.join(CHECKPOINT)).unwrap()).unwrap().part("agent");
    let networks = egn_agents::networks_of(saved);
    assert!(networks.names().all(|name| !name.starts_with("temperature")));
    assert_eq!(networks.names().count(), 5, "an actor, two critics and a delayed copy of each");
}

#[test]
fn the_record_says_where_it_started_and_can_be_verified() {
    let folder = tempfile::tempdir().unwrap();
    let ppo = |more: &[&str]| train(folder.path(), "CartPole-v1", "ppo", &[&["--set=agent.n_steps=32"], more].concat());
    let earlier = "runs/records/CartPole-v1/ppo/egn/seed-0";
    assert!(ppo(&["--optimizer", "egn"]).status.success());
    assert!(ppo(&["--optimizer", "sgd", "--init-from", earlier]).status.success());
    let record = "runs/records/CartPole-v1/ppo/sgd/seed-0";
    let config = fs::read_to_string(folder.path().join(record).join("config.toml")).unwrap();
    assert!(config.contains("init_digest") && config.contains("ppo/egn/seed-0\""), "{config}");
    let verified = egn(folder.path(), &["verify", record]);
    assert!(verified.status.success(), "{}", stderr(&verified));

    // Trained anew with other settings, the earlier networks are others.
    assert!(ppo(&["--optimizer", "egn", "--force", "--set=agent.gamma=0.9"]).status.success());
    let refused = egn(folder.path(), &["verify", record]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(stderr(&refused).contains("no longer those of run.init_digest"), "{}", stderr(&refused));
}

#[test]
fn networks_that_do_not_fit_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let earlier = "runs/records/CartPole-v1/ppo/egn/seed-0";
    assert!(train(folder.path(), "CartPole-v1", "ppo", &["--optimizer", "egn"]).status.success());
    for (env, agent, more, parts) in [
        (
            "CartPole-v1",
            "ppo",
            ["--optimizer=adam", "--set=agent.hidden=[8,8]"],
            &["ppo policy 4-8-2 with tanh", "ppo policy 4-8-8-2 with tanh"][..],
        ),
        (
            "CartPole-v1",
            "dqn",
            ["--optimizer=adam", "--set=agent.learning_starts=100"],
            &["ppo policy 4-8-2 with tanh", "dqn policy 4-8-2 with relu"],
        ),
        (
            "Pendulum-v1",
            "ppo",
            ["--optimizer=adam", "--seed=1"],
            &["ppo policy 4-8-2 with tanh", "ppo policy 3-8-1+1 with tanh"],
        ),
        (
            "CartPole-v1",
            "ppo",
            ["--optimizer=adam", "--set=run.precision=f64"],
            &["'actor/params' holds F32 where F64 is needed"],
        ),
        (
            "CartPole-v1",
            "ppo",
            ["--optimizer=adam", "--set=env.normalize_observation=true"],
            &["only one of the two runs has env.normalize_observation"],
        ),
        ("CartPole-v1", "ppo", ["--optimizer=egn", "--force"], &["the record that this run is to write"]),
    ] {
        let args = [&more[..], &["--init-from", earlier]].concat();
        let refused = train(folder.path(), env, agent, &args);
        assert_eq!(refused.status.code(), Some(2), "{}", stderr(&refused));
        for part in parts {
            assert!(stderr(&refused).contains(part), "'{}' lacks '{part}'", stderr(&refused));
        }
        assert!(!folder.path().join("runs/records/CartPole-v1/ppo/adam").exists(), "nothing is recorded");
    }
    let refused = train(folder.path(), "CartPole-v1", "ppo", &["--optimizer=adam", "--init-from=nowhere"]);
    assert!(stderr(&refused).contains("cannot start from nowhere: cannot use nowhere/"), "{}", stderr(&refused));
}
