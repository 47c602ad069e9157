//! The child process as a host: what environments start, answer, print and leave behind.
//!
//! Runs where `$EGN_PYTHON` or `python3` can import gymnasium, and says so where it cannot. The
//! environments are in `guests.py`.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use egn_envs::gymnasium::{GymnasiumGroup, GymnasiumSettings, Request};
use egn_envs::{Action, EnvError, Step};

use crate::gymnasium_child::can_import;

/// A folder with an interpreter that finds `guests.py`, and a log for them.
struct Inn {
    folder: PathBuf,
}

impl Inn {
    /// None where Python has no gymnasium.
    fn open(name: &str) -> Option<Self> {
        if !can_import("gymnasium") {
            return None;
        }
        let folder = std::env::temp_dir().join(format!("egn-inn-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("temporary folder");
        let python = std::env::var("EGN_PYTHON").unwrap_or_else(|_| "python3".to_owned());
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/environments");
        let line = format!("#!/bin/sh\nPYTHONDONTWRITEBYTECODE=1 PYTHONPATH={} exec {python} \"$@\"\n", path.display());
        std::fs::write(folder.join("python"), line).expect("stub");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(folder.join("python"), mode).expect("executable");
        Some(Inn { folder })
    }

    fn settings(&self, id: &str, kwargs: &[(&str, &str)]) -> GymnasiumSettings {
        let log = self.folder.join("log").display().to_string();
        let kwargs: Vec<String> =
            [&[("log", &*log)], kwargs].concat().iter().map(|(key, value)| format!("{key:?}: {value:?}")).collect();
        GymnasiumSettings {
            kwargs: format!("{{{}}}", kwargs.join(", ")),
            python: Some(self.folder.join("python")),
            ..GymnasiumSettings::new(format!("guests:{id}-v0"))
        }
    }

    fn log(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        text.lines().filter(|line| *line != "made").map(str::to_owned).collect()
    }
}

impl Drop for Inn {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

const NOTHING: Step = Step { reward: 0.0, terminated: false, truncated: false };

/// Resets all `n` environments with seeds 77, 78, …, and steps them `n_steps` times or until that
/// fails; the last observations and steps.
fn play(group: &mut GymnasiumGroup, n_steps: usize) -> Result<(Vec<f32>, Vec<Step>), EnvError> {
    let n = group.n_envs();
    let (mut observations, mut steps) = (vec![0.0; n * group.observation_space().len()], vec![NOTHING; n]);
    let resets: Vec<_> = (0..n as u32).map(|i| Request::Reset { seed: 77 + i }).collect();
    group.exchange(&resets, &mut observations, &mut steps)?;
    for _ in 0..n_steps {
        group.exchange(&vec![Request::Step(Action::Discrete(0)); n], &mut observations, &mut steps)?;
    }
    Ok((observations, steps))
}

/// What the only environment of a child is refused with within four steps.
fn refusal(settings: GymnasiumSettings) -> String {
    let mut group = GymnasiumGroup::start(settings, 1).expect("starts");
    play(&mut group, 4).expect_err("it misbehaves").to_string()
}

fn is_alive(pid: &str) -> bool {
    // A process that has ended and was not waited for by whoever inherited it is as good as gone.
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(") ").next().is_some_and(|state| !state.is_empty() && !state.starts_with(['Z', 'X']))
}

fn kill(pid: &str, signal: i32) {
    // SAFETY: kill has no memory effects; the process is one that a test started.
    unsafe {
        libc::kill(pid.parse().expect("a number"), signal);
    }
}

#[test]
fn what_an_environment_starts_finds_an_empty_input_and_eats_no_frames() {
    let Some(inn) = Inn::open("input") else { return };
    let start = Instant::now();
    let mut group = GymnasiumGroup::start(inn.settings("Guest", &[("how", "reads the input")]), 2).expect("starts");
    play(&mut group, 50).expect("nothing is eaten");
    drop(group);
    assert!(start.elapsed() < Duration::from_secs(30));
    assert_eq!(inn.log().iter().filter(|line| line.trim() == "0").count(), 2, "bytes read: {:?}", inn.log());
}

#[test]
fn helpers_that_outlive_an_environment_hide_nothing_and_are_ended_with_it() {
    let Some(inn) = Inn::open("helpers") else { return };
    let start = Instant::now();
    let died = refusal(inn.settings("Guest", &[("how", "leaves helpers")]));
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    for part in ["exit status: 3", "[77]", "the ground shakes"] {
        assert!(died.contains(part), "'{died}' lacks '{part}'");
    }
    let [of_group, of_its_own] = &inn.log()[..2] else { panic!("{:?}", inn.log()) };
    // The second has left the group, where the system does not let us.
    // A process that was killed is gone when the system comes to it.
    let patience = Instant::now() + Duration::from_secs(10);
    while is_alive(of_group) && Instant::now() < patience {
        std::thread::sleep(Duration::from_millis(20));
    }
    let alive = [of_group, of_its_own].map(|pid| is_alive(pid));
    kill(of_its_own, libc::SIGKILL);
    assert_eq!(alive, [false, true]);
}

#[test]
fn a_signal_to_every_process_is_the_parents_to_answer() {
    let Some(inn) = Inn::open("signals") else { return };
    let mut group = GymnasiumGroup::start(inn.settings("Guest", &[("how", "tells its process")]), 1).expect("starts");
    play(&mut group, 2).expect("plays");
    let pid = inn.log()[0].clone();
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
        kill(&pid, signal);
        std::thread::sleep(Duration::from_millis(50));
        play(&mut group, 2).expect("plays on");
    }
    drop(group);
    assert!(!is_alive(&pid));
    assert!(inn.log().contains(&"closed at 2".to_owned()), "{:?}", inn.log());
}

#[test]
fn environments_are_closed_at_every_end() {
    let Some(inn) = Inn::open("closed") else { return };
    let mut n_before = 0;
    let mut closed = |how: &str, n_envs: usize, n_steps: usize, patience: u64| {
        let settings = inn.settings("Guest", &[("how", how)]);
        let settings = GymnasiumSettings { timeout: Duration::from_secs(2), ..settings };
        let mut group = GymnasiumGroup::start(settings, n_envs).expect("starts");
        let _ = play(&mut group, n_steps);
        let start = Instant::now();
        drop(group);
        assert!(start.elapsed() < Duration::from_secs(patience), "{how}: {:?}", start.elapsed());
        let n_closed = inn.log().iter().filter(|line| line.starts_with("closed")).count();
        let n_now = n_closed - n_before;
        n_before = n_closed;
        n_now
    };
    assert_eq!(closed("well", 3, 2, 4), 3);
    assert_eq!(closed("well", 2, 0, 4), 2);
    assert_eq!(closed("raises", 2, 4, 4), 2);
    assert_eq!(closed("hangs", 2, 4, 4), 2);
    assert_eq!(closed("closes badly", 2, 2, 4), 2);
    // The second has no turn any more, and nobody waits for ever.
    assert_eq!(closed("closes for ever", 2, 2, 10), 1);
    // Beyond help.
    assert_eq!(closed("hangs for good", 1, 4, 4), 0);
}

#[test]
fn environments_that_were_made_are_closed_where_the_start_fails() {
    let Some(inn) = Inn::open("unmade") else { return };
    let error = GymnasiumGroup::start(inn.settings("Guest", &[("how", "fails to be made")]), 2).expect_err("fails");
    let error = error.to_string();
    let at = ["AttributeError", "guests.py", "self.limbs[\"foot\"]", "called by", "registration.py"];
    let found: Vec<_> = at.iter().map(|part| error.find(part)).collect();
    assert!(found.iter().all(Option::is_some) && found.is_sorted(), "{found:?} in {error}");
}

#[test]
fn answers_that_were_not_announced_are_refused_and_say_where() {
    let Some(inn) = Inn::open("answers") else { return };
    let refused = |id: &str, kwargs: &[(&str, &str)], parts: &[&str]| {
        let text = refusal(inn.settings(id, kwargs));
        let place = [&format!("guests:{id}-v0, environment 0, episode seed 77, step 3: its ")];
        for part in place.map(String::as_str).iter().chain(parts) {
            assert!(text.contains(part), "{kwargs:?}: '{text}' lacks '{part}'");
        }
        assert!(!text.contains("Traceback") && !text.contains('\u{1b}'), "{text}");
    };
    let space = "Box(-1.0, 1.0, (3,), float32)";
    for (observation, came) in [
        ("shape", "shape (1,) and type float32"),
        ("two dimensions", "shape (1, 3)"),
        ("none", "observation is None"),
        ("text", "observation is 'up', a str"),
        ("texts", "type <U1"),
        ("objects", "type object"),
        ("ragged", "a list of 3"),
    ] {
        refused("Guest", &[("observation", observation)], &["observation is", came, space]);
    }
    refused("Unseen", &[("observation", "shape")], &["observation is", "shape (1,)", space]);
    for (reward, came) in [
        ("none", "reward is None"),
        ("text", "reward is '1', a str"),
        ("two", "shape (2,) and type float64, [1. 2.]"),
        ("complex", "1j"),
    ] {
        refused("Guest", &[("reward", reward)], &[came, "a number is due"]);
    }
    for (flag, came) in [("none", "None"), ("text", "'False'"), ("two", "shape (2,)"), ("half", "0.5")] {
        refused("Guest", &[("terminated", flag)], &["flag terminated is", came, "True or False"]);
    }
    let parts = [("space", "grid"), ("observation", "doubles")];
    refused("Guest", &parts, &["shape (3,)", "Box(0, 255, (2, 3), uint8)"]);
    for (space, observation, announced) in
        [("parts", "doubles", "Dict("), ("many", "doubles", "MultiDiscrete([2 3])"), ("many", "none", "is None")]
    {
        refused("Guest", &[("space", space), ("observation", observation)], &["observation", announced]);
    }
}

#[test]
fn answers_of_another_length_are_refused_whoever_stumbles_over_them() {
    let Some(inn) = Inn::open("lengths") else { return };
    let due = "(observation, reward, terminated, truncated, info)";
    for id in ["Guest", "Unseen"] {
        for (answer, came) in [("old", "4"), ("three", "3"), ("nothing", "None")] {
            let text = refusal(inn.settings(id, &[("answer", answer)]));
            let place = format!("guests:{id}-v0, environment 0, episode seed 77, step 1: ");
            assert!(text.contains(&place) && text.contains(came), "{text}");
            if id == "Unseen" {
                assert!(text.contains(due), "{text}");
            }
        }
        let text = refusal(inn.settings(id, &[("how", "resets in the old way")]));
        assert!(text.contains("episode seed 77, reset: "), "{text}");
        assert!(text.contains("(observation, info)") || text.contains("(obs, info)"), "{text}");
    }
}

#[test]
fn what_is_as_good_as_announced_is_taken() {
    let Some(inn) = Inn::open("taken") else { return };
    let third = |kwargs: &[(&str, &str)]| {
        let mut group = GymnasiumGroup::start(inn.settings("Guest", kwargs), 1).expect("starts");
        let (observations, steps) = play(&mut group, 3).unwrap_or_else(|error| panic!("{kwargs:?}: {error}"));
        (observations, steps[0])
    };
    for (reward, value) in [("int", 2.0), ("bool", 1.0), ("f4", 2.5), ("array", 2.5), ("matrix", 3.0)] {
        assert_eq!(third(&[("reward", reward)]).1, Step { reward: value, ..NOTHING }, "{reward}");
    }
    for flag in ["np", "one", "array"] {
        assert!(third(&[("terminated", flag)]).1.terminated, "{flag}");
    }
    for (observation, values) in
        [("list", [0.5, 0.25, -1.0]), ("integers", [1.0, 0.0, 1.0]), ("doubles", [0.5, 0.25, -1.0])]
    {
        assert_eq!(third(&[("observation", observation)]).0, values, "{observation}");
    }
    assert_eq!(third(&[("space", "grid")]).0, [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
    // Keys in order: the box and two bits, then the second of three from 5; then the two numbers.
    assert_eq!(third(&[("space", "parts")]).0, [0.5, -0.5, 1.0, 0.0, 0.0, 1.0, 0.0]);
    assert_eq!(third(&[("space", "many")]).0, [0.0, 1.0, 0.0, 0.0, 1.0]);
}

#[test]
fn an_exception_shows_the_users_lines_first_and_no_colors() {
    let Some(inn) = Inn::open("raised") else { return };
    let text = refusal(inn.settings("Guest", &[("how", "raises")]));
    assert!(text.contains("environment 0, episode seed 77, step 3: ValueError: my foot is stuck\n"), "{text}");
    let order = ["guests.py", "called by", "gymnasium/wrappers", "while another was handled: KeyError: 'knee'"];
    let found: Vec<_> = order.iter().map(|part| text.find(part)).collect();
    assert!(found.iter().all(Option::is_some) && found.is_sorted(), "{found:?} in {text}");
    assert!(!text.contains('\u{1b}'), "{text}");
    let quit = refusal(inn.settings("Guest", &[("how", "quits")]));
    assert!(quit.contains("episode seed 77, step 3: SystemExit: I quit"), "{quit}");
}

#[test]
fn a_step_and_a_reset_have_times_of_their_own_however_many_there_are() {
    let Some(inn) = Inn::open("times") else { return };
    let play_with = |how: &str, n_envs: usize, timeout: f64, reset_timeout: f64| {
        let [timeout, reset_timeout] = [timeout, reset_timeout].map(Duration::from_secs_f64);
        let settings = GymnasiumSettings { timeout, reset_timeout, ..inn.settings("Guest", &[("how", how)]) };
        let mut group = GymnasiumGroup::start(settings, n_envs).expect("starts");
        play(&mut group, 4).map(|_| ()).map_err(|error| error.to_string())
    };
    assert_eq!(play_with("resets slowly", 1, 1.0, 30.0), Ok(()));
    // Each takes 1.2 s, all together more than a step may.
    assert_eq!(play_with("steps slowly", 4, 2.5, 30.0), Ok(()));
    let start = Instant::now();
    let hung = play_with("hangs", 2, 2.5, 30.0).expect_err("hangs");
    assert!(start.elapsed() < Duration::from_secs(15), "{:?}", start.elapsed());
    for part in ["environment 0, episode seed 77, step 3", "no answer within 2.5 s", "time.sleep(600)", "env.timeout"] {
        assert!(hung.contains(part), "'{hung}' lacks '{part}'");
    }
    // Three take longer than one may.
    assert_eq!(play_with("is made slowly", 3, 30.0, 5.0), Ok(()));
    let settings = inn.settings("Guest", &[("how", "is made slowly")]);
    let settings = GymnasiumSettings { reset_timeout: Duration::from_millis(1500), ..settings };
    let unmade = GymnasiumGroup::start(settings, 1).expect_err("too slow").to_string();
    assert!(unmade.contains("cannot make \"guests:Guest-v0\": no answer within 1.5 s"), "{unmade}");
    let slow = play_with("resets slowly", 1, 30.0, 1.5);
    assert!(slow.clone().is_err_and(|text| text.contains("seed 77, reset: no answer within 1.5 s")), "{slow:?}");
    let deaf = play_with("hangs for good", 1, 1.0, 30.0).expect_err("hangs");
    assert!(deaf.contains("no answer within 1 s; seeds of its episodes: [77]"), "{deaf}");
}

#[test]
fn prints_and_warnings_are_kept() {
    let Some(inn) = Inn::open("printed") else { return };
    let settings = inn.settings("Guest", &[("how", "says hello")]);
    let (printed, path) = (settings.printed.clone(), inn.folder.join("python.log"));
    let mut group = GymnasiumGroup::start(settings.clone(), 1).expect("starts");
    play(&mut group, 1).expect("plays");
    drop(group);
    printed.write_to(&path).expect("writable");
    assert_eq!(std::fs::read_to_string(&path).expect("there").matches("good morning\n").count(), 1);
    assert!(printed.take_warnings().is_empty());
    let warning = GymnasiumSettings { kwargs: settings.kwargs.replace("says hello", "warns"), ..settings };
    let mut group = GymnasiumGroup::start(warning, 2).expect("starts");
    play(&mut group, 4).expect("plays");
    drop(group);
    let text = std::fs::read_to_string(&path).expect("there");
    assert_eq!(text.matches("UserWarning: unstable\n").count(), 1, "Python itself tells it once: {text}");
    assert_eq!(text.matches("WARN: too hot\n").count(), 2, "{text}");
    let warnings = printed.take_warnings();
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(warnings[0].contains("UserWarning: unstable") && warnings[1] == "WARN: too hot", "{warnings:?}");
}
