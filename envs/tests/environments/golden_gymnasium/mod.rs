//! Every recording of Gymnasium's classic control tasks, replayed here.
//!
//! Reads `$EGN_GOLDEN/gymnasium/*.json` (default: the repository's copy) and runs over whatever
//! files of known environments lie there. Format and tolerances: `tests/data/gymnasium/FORMAT.md`.

mod recording;
mod subject;

use std::collections::BTreeMap;
use std::path::PathBuf;

use self::recording::{Actions, Episode, Recording};
use self::subject::{Subject, Tolerance, subject};
use egn_envs::{Action, Env, Pcg64, Step, TimeLimit};

type Kwargs = BTreeMap<String, serde_json::Value>;

fn recordings() -> Vec<(PathBuf, Recording)> {
    let root = std::env::var_os("EGN_GOLDEN")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/data"), PathBuf::from);
    let folder = root.join("gymnasium");
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("entry").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    let known = paths.into_iter().filter_map(|path| {
        let text = std::fs::read_to_string(&path).expect("readable");
        let value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let id = value.get("env_id")?.as_str()?.to_owned();
        subject(&id, &Kwargs::new())?;
        let recording = serde_json::from_value(value);
        Some((path.clone(), recording.unwrap_or_else(|error| panic!("{path:?}: {error}"))))
    });
    let known: Vec<_> = known.collect();
    assert!(!known.is_empty(), "no recording of a known environment in {folder:?}");
    known
}

fn act(env: &mut dyn Env, actions: &Actions, i: usize, observation: &mut [f32]) -> Step {
    // No classic task draws in a step.
    let rng = &mut Pcg64::seed_from(0);
    let step = match actions {
        Actions::Discrete(actions) => env.step(Action::Discrete(actions[i]), rng, observation),
        Actions::Continuous(actions) => env.step(Action::Continuous(&actions[i]), rng, observation),
    };
    step.expect("a recorded step is accepted")
}

fn assert_near(what: &str, found: &[f64], recorded: &[f64], tolerance: f64) {
    assert_eq!(found.len(), recorded.len(), "{what}: lengths");
    for (i, (x, y)) in found.iter().zip(recorded).enumerate() {
        assert!((x - y).abs() <= tolerance, "{what}, entry {i}: {x:e}, recorded {y:e}");
    }
}

/// A float32 observation may round differently when the state does, by one unit in the last place.
fn assert_observed(what: &str, found: &[f32], recorded: &[f64], tolerance: f64) {
    let found: Vec<f64> = found.iter().map(|&x| f64::from(x)).collect();
    for (i, (x, y)) in found.iter().zip(recorded).enumerate() {
        let bound = tolerance + f64::from(f32::EPSILON) * y.abs();
        assert!((x - y).abs() <= bound, "{what}, entry {i}: {x:e}, recorded {y:e}");
    }
}

#[test]
fn one_step_from_any_state_equals_gymnasium() {
    for (path, recording) in recordings() {
        let (mut env, tolerance) = subject(&recording.env_id, &Kwargs::new()).expect("known");
        assert!(!recording.transitions.is_empty(), "{path:?} has no transitions");
        for (i, transition) in recording.transitions.iter().enumerate() {
            let what = format!("{path:?} transition {i}");
            let mut observation = vec![f32::NAN; transition.obs.len()];
            env.place(&transition.state);
            let actions = transition.action.once();
            let step = act(env.env(), &actions, 0, &mut observation);
            assert_near(&what, &env.state(), &transition.next_state, tolerance.state);
            assert_observed(&what, &observation, &transition.obs, tolerance.state);
            assert_near(&what, &[step.reward], &[transition.reward], tolerance.reward);
            assert_eq!(step.terminated, transition.terminated, "{what}: terminated");
        }
    }
}

#[test]
fn seeded_reset_equals_gymnasium_bit_for_bit() {
    for (path, recording) in recordings() {
        let (mut env, _) = subject(&recording.env_id, &Kwargs::new()).expect("known");
        let seeded = recording.episodes.iter().filter(|episode| episode.how == "reset(seed)");
        let starts = seeded
            .map(|e| (e.reset_seed, &e.initial_state, &e.initial_obs))
            .chain(recording.reset_table.iter().map(|r| (r.seed, &r.initial_state, &r.obs)));
        for (seed, state, observed) in starts {
            let mut observation = vec![f32::NAN; observed.len()];
            env.env().reset(&mut Pcg64::seed_from(seed), &mut observation).expect("reset");
            assert_eq!(&env.state(), state, "{path:?} seed {seed}");
            let observation: Vec<f64> = observation.iter().map(|&x| f64::from(x)).collect();
            assert_eq!(&observation, observed, "{path:?} seed {seed}");
        }
    }
}

#[test]
fn every_step_of_an_episode_equals_gymnasium() {
    for (path, recording) in recordings() {
        for episode in &recording.episodes {
            let what = format!("{path:?} episode {}", episode.name);
            let (env, tolerance) = subject(&recording.env_id, &episode.env_kwargs).expect("known");
            let mut env = TimeLimit::new(env, recording.max_episode_steps);
            follow(&what, &mut env, episode, &tolerance, Resync::EveryStep);
        }
    }
}

#[test]
fn whole_episodes_equal_gymnasium_where_rounding_does_not_grow() {
    for (path, recording) in recordings() {
        for episode in &recording.episodes {
            let (env, tolerance) = subject(&recording.env_id, &episode.env_kwargs).expect("known");
            let Some((state, longest)) = tolerance.open_loop else { continue };
            if episode.actions.len() > longest {
                continue;
            }
            let what = format!("{path:?} episode {} in open loop", episode.name);
            let tolerance = Tolerance { state, reward: tolerance.reward.max(state), ..tolerance };
            let mut env = TimeLimit::new(env, recording.max_episode_steps);
            follow(&what, &mut env, episode, &tolerance, Resync::Never);
        }
    }
}

#[derive(PartialEq)]
enum Resync {
    EveryStep,
    Never,
}

fn follow(what: &str, env: &mut TimeLimit<Box<dyn Subject>>, episode: &Episode, tolerance: &Tolerance, resync: Resync) {
    let mut observation = vec![f32::NAN; episode.initial_obs.len()];
    env.reset(&mut Pcg64::seed_from(episode.reset_seed), &mut observation).expect("reset");
    if episode.how != "reset(seed)" {
        env.inner_mut().place(&episode.initial_state);
    }
    for i in 0..episode.actions.len() {
        let what = format!("{what} step {}", i + 1);
        if resync == Resync::EveryStep && i > 0 {
            env.inner_mut().place(&episode.states[i - 1]);
        }
        let step = act(env, &episode.actions, i, &mut observation);
        assert_near(&what, &env.inner().state(), &episode.states[i], tolerance.state);
        assert_observed(&what, &observation, &episode.observations[i], tolerance.state);
        assert_near(&what, &[step.reward], &[episode.rewards[i]], tolerance.reward);
        assert_eq!(step.terminated, episode.terminated[i], "{what}: terminated");
        assert_eq!(step.truncated, episode.truncated[i], "{what}: truncated");
    }
}
