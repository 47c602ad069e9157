//! Real Gymnasium environments through a child process.
//!
//! Runs where `$EGN_PYTHON` or `python3` can import gymnasium, and says so where it cannot; that
//! a missing interpreter is reported is tested everywhere.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use egn_envs::gymnasium::{GymnasiumEnv, GymnasiumGroup, GymnasiumSettings, Request};
use egn_envs::{Action, CartPole, Env, EnvError, Pcg64, Step, TimeLimit, testing};

/// Whether Python can import `module`; says that the test is skipped when it cannot.
pub fn can_import(module: &str) -> bool {
    let python = std::env::var("EGN_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let found = Command::new(&python).args(["-c", &format!("import {module}")]).output();
    let can = found.is_ok_and(|output| output.status.success());
    if !can {
        eprintln!("SKIPPED: {python} cannot import {module}");
    }
    can
}

fn message(error: EnvError) -> String {
    error.to_string()
}

#[test]
fn a_missing_interpreter_is_named() {
    let python = Some(PathBuf::from("/nowhere/python"));
    let settings = GymnasiumSettings { python, ..GymnasiumSettings::new("CartPole-v1") };
    let message = message(GymnasiumEnv::start(settings).expect_err("no interpreter"));
    assert!(message.contains("/nowhere/python") && message.contains("EGN_PYTHON"), "{message}");
}

#[test]
fn an_interpreter_without_gymnasium_is_told_what_to_install() {
    // -S and an empty home would hide packages; a stub interpreter that runs Python without site
    // packages does it for any installation.
    let folder = std::env::temp_dir().join(format!("egn-envs-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("temporary folder");
    let stub = folder.join("python");
    std::fs::write(&stub, "#!/bin/sh\nexec python3 -S -I \"$@\"\n").expect("stub");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&stub, mode).expect("executable");
    if Command::new(&stub).args(["-c", "0"]).output().is_ok_and(|output| output.status.success()) {
        let settings = GymnasiumSettings { python: Some(stub), ..GymnasiumSettings::new("CartPole-v1") };
        let message = message(GymnasiumEnv::start(settings).expect_err("no gymnasium"));
        assert!(message.contains("pip install gymnasium"), "{message}");
    } else {
        eprintln!("SKIPPED: no python3");
    }
    std::fs::remove_dir_all(&folder).expect("cleaned up");
}

#[test]
fn python_and_rust_play_the_same_episode() {
    if !can_import("gymnasium") {
        return;
    }
    let mut python = GymnasiumEnv::start(GymnasiumSettings::new("CartPole-v1")).expect("starts");
    let mut rust = TimeLimit::new(CartPole::default(), 500);
    assert_eq!(python.observation_space(), rust.observation_space());
    assert_eq!(python.action_space(), rust.action_space());
    assert_eq!(python.group().max_episode_steps(), Some(500));
    assert_eq!(python.group().reward_threshold(), Some(475.0));
    let (mut theirs, mut ours) = ([0.0; 4], [0.0; 4]);
    for seed in 0..5 {
        let mut rng = Pcg64::seed_from(u64::from(seed));
        python.reset_with_seed(seed, &mut theirs).expect("reset");
        rust.reset(&mut rng, &mut ours).expect("reset");
        assert_eq!(theirs, ours);
        for i in 0.. {
            let action = Action::Discrete(usize::from((i + seed) % 3 == 0));
            let steps = [
                python.step(action, &mut rng, &mut theirs).expect("step"),
                rust.step(action, &mut rng, &mut ours).expect("step"),
            ];
            assert_eq!(steps[0], steps[1]);
            assert_eq!(theirs, ours);
            if steps[0].outcome().is_end() {
                break;
            }
        }
    }
}

#[test]
fn gymnasium_environments_pass_every_check() {
    if !can_import("gymnasium") {
        return;
    }
    for id in ["CartPole-v1", "Pendulum-v1", "FrozenLake-v1", "Blackjack-v1"] {
        testing::check_env(|| GymnasiumEnv::start(GymnasiumSettings::new(id)).expect("starts"), 300);
    }
}

#[test]
fn keyword_arguments_reach_the_environment() {
    if !can_import("gymnasium") {
        return;
    }
    let settings = GymnasiumSettings {
        kwargs: r#"{"sutton_barto_reward": true, "max_episode_steps": 7}"#.to_owned(),
        ..GymnasiumSettings::new("CartPole-v1")
    };
    let mut env = GymnasiumEnv::start(settings).expect("starts");
    assert_eq!(env.group().max_episode_steps(), Some(7));
    let (mut rng, mut observation) = (Pcg64::seed_from(0), [0.0; 4]);
    env.reset(&mut rng, &mut observation).expect("reset");
    assert_eq!(env.step(Action::Discrete(0), &mut rng, &mut observation).expect("step").reward, 0.0);
}

#[test]
fn unknown_ids_and_arguments_are_refused_with_gymnasiums_words() {
    if !can_import("gymnasium") {
        return;
    }
    let unknown = GymnasiumEnv::start(GymnasiumSettings::new("NoSuchEnv-v1")).expect_err("unknown");
    assert!(message(unknown).contains("gymnasium cannot make \"NoSuchEnv-v1\""));
    let settings = GymnasiumSettings { kwargs: r#"{"wings": 2}"#.to_owned(), ..GymnasiumSettings::new("CartPole-v1") };
    assert!(message(GymnasiumEnv::start(settings).expect_err("argument")).contains("wings"));
}

/// A module that registers environments which misbehave at their third step.
const MISBEHAVING: &str = "
import gymnasium, os, signal, time
from gymnasium.envs.classic_control import CartPoleEnv
class Misbehaving(CartPoleEnv):
    def __init__(self, how, render_mode=None):
        super().__init__(render_mode=render_mode); self.how = how; self.n = 0
    def step(self, action):
        self.n += 1
        if self.n == 3:
            if self.how == 'raise': raise ValueError('my foot is stuck')
            if self.how == 'die': print('the ground shakes', flush=True); os.kill(os.getpid(), signal.SIGSEGV)
            if self.how == 'hang': time.sleep(60)
        return super().step(action)
gymnasium.register('Misbehaving-v0', entry_point=Misbehaving)
";

fn misbehave(how: &str) -> EnvError {
    let folder = std::env::temp_dir().join(format!("egn-envs-{how}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("temporary folder");
    std::fs::write(folder.join("misbehaving.py"), MISBEHAVING).expect("module");
    let python = std::env::var("EGN_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let stub = folder.join("python");
    let line = format!("#!/bin/sh\nPYTHONPATH={} exec {python} \"$@\"\n", folder.display());
    std::fs::write(&stub, line).expect("stub");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&stub, mode).expect("executable");

    let settings = GymnasiumSettings {
        kwargs: format!(r#"{{"how": "{how}"}}"#),
        python: Some(stub),
        timeout: Duration::from_secs(5),
        ..GymnasiumSettings::new("misbehaving:Misbehaving-v0")
    };
    let mut env = GymnasiumEnv::start(settings).expect("starts");
    let (mut rng, mut observation) = (Pcg64::seed_from(0), [0.0; 4]);
    env.reset_with_seed(77, &mut observation).expect("reset");
    let failed = (0..3).find_map(|i| env.step(Action::Discrete(i % 2), &mut rng, &mut observation).err());
    std::fs::remove_dir_all(&folder).expect("cleaned up");
    failed.expect("it misbehaves")
}

#[test]
fn exceptions_crashes_and_hangs_name_environment_and_seed() {
    if !can_import("gymnasium") {
        return;
    }
    let raised = message(misbehave("raise"));
    assert!(
        raised.contains("Misbehaving-v0") && raised.contains("seed 77") && raised.contains("my foot is stuck"),
        "{raised}"
    );
    let died = message(misbehave("die"));
    assert!(died.contains("[77]") && died.contains("the ground shakes") && died.contains("signal: 11"), "{died}");
    let start = Instant::now();
    let hung = message(misbehave("hang"));
    assert!(hung.contains("seed 77, step 3: no answer within 5 s") && hung.contains("time.sleep(60)"), "{hung}");
    assert!(start.elapsed() < Duration::from_secs(30));
}

#[test]
fn a_group_does_as_its_environments_alone_would() {
    if !can_import("gymnasium") {
        return;
    }
    let n = 3;
    let mut group = GymnasiumGroup::start(GymnasiumSettings::new("CartPole-v1"), n).expect("starts");
    let nothing = Step { reward: 0.0, terminated: false, truncated: false };
    let (mut observations, mut steps) = (vec![0.0; 4 * n], vec![nothing; n]);
    let resets: Vec<_> = (0..3).map(|seed| Request::Reset { seed }).collect();
    group.exchange(&resets, &mut observations, &mut steps).expect("reset");
    let mut alone: Vec<_> = (0..n).map(|_| CartPole::default()).collect();
    let mut expected = vec![0.0; 4 * n];
    for (seed, (env, row)) in alone.iter_mut().zip(expected.chunks_mut(4)).enumerate() {
        env.reset(&mut Pcg64::seed_from(seed as u64), row).expect("reset");
    }
    assert_eq!(observations, expected);
    // The middle one rests.
    let requests = [Request::Step(Action::Discrete(0)), Request::Idle, Request::Step(Action::Discrete(1))];
    group.exchange(&requests, &mut observations, &mut steps).expect("step");
    for (i, action) in [(0, 0), (2, 1)] {
        let row = &mut expected[4 * i..4 * i + 4];
        alone[i].step(Action::Discrete(action), &mut Pcg64::seed_from(0), row).expect("step");
    }
    assert_eq!(observations, expected);
    assert_eq!(steps[1], nothing);
}

/// The recording of LunarLander, in the entries that an agent sees.
#[derive(serde::Deserialize)]
struct Flight {
    name: String,
    continuous: bool,
    enable_wind: bool,
    seed: u32,
    initial_obs: Vec<f32>,
    actions: Vec<Throttle>,
    observations: Vec<Vec<f32>>,
    rewards: Vec<f64>,
    terminated: Vec<bool>,
    truncated: Vec<bool>,
}

#[derive(serde::Deserialize)]
#[serde(untagged)]
enum Throttle {
    Discrete(usize),
    Continuous(Vec<f32>),
}

#[test]
fn lunar_lander_flies_as_recorded() {
    if !can_import("gymnasium, Box2D") {
        return;
    }
    let data = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/data");
    let root = std::env::var_os("EGN_GOLDEN").map_or(data, PathBuf::from);
    let text = std::fs::read_to_string(root.join("gymnasium/lunarlander-v3.json")).expect("the recording");
    let mut recording: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let flights: Vec<Flight> = serde_json::from_value(recording["episodes"].take()).expect("flights");
    assert!(!flights.is_empty());
    for flight in flights {
        let kwargs = format!(r#"{{"continuous": {}, "enable_wind": {}}}"#, flight.continuous, flight.enable_wind);
        let settings = GymnasiumSettings { kwargs, ..GymnasiumSettings::new("LunarLander-v3") };
        let mut env = GymnasiumEnv::start(settings).expect("starts");
        let (mut rng, mut observation) = (Pcg64::seed_from(0), vec![0.0; 8]);
        env.reset_with_seed(flight.seed, &mut observation).expect("reset");
        assert_eq!(observation, flight.initial_obs, "{}", flight.name);
        for (i, action) in flight.actions.iter().enumerate() {
            let action = match action {
                Throttle::Discrete(action) => Action::Discrete(*action),
                Throttle::Continuous(action) => Action::Continuous(action),
            };
            let step = env.step(action, &mut rng, &mut observation).expect("step");
            assert_eq!(observation, flight.observations[i], "{} step {i}", flight.name);
            let (terminated, truncated) = (flight.terminated[i], flight.truncated[i]);
            assert_eq!(step, Step { reward: flight.rewards[i], terminated, truncated }, "{} step {i}", flight.name);
        }
    }
}
