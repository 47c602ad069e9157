//! Recordings of Gymnasium's MuJoCo tasks, replayed here.
//!
//! Reads `$EGN_GOLDEN/mujoco/*.json` (default: the repository's copy) and runs over whatever files
//! lie there, where the library of MuJoCo is found. Format: `tests/data/mujoco/FORMAT.md`.

use std::path::PathBuf;

use egn_envs::{Action, EnvId, Pcg64, Space, testing};
use serde::Deserialize;

#[derive(Deserialize)]
struct Recording {
    env: String,
    mujoco: String,
    action_low: Vec<f32>,
    action_high: Vec<f32>,
    observation_size: usize,
    time_limit: usize,
    reward_threshold: Option<f64>,
    episodes: Vec<Episode>,
}

#[derive(Deserialize)]
struct Episode {
    seed: u64,
    reset: Reset,
    actions: Vec<Vec<f64>>,
    rewards: Vec<f64>,
    terminated: Vec<bool>,
    truncated: Vec<bool>,
    kept: Vec<usize>,
    observations: Vec<Vec<f64>>,
}

#[derive(Deserialize)]
struct Reset {
    observation: Vec<f64>,
}

fn recordings() -> Vec<(PathBuf, Recording)> {
    let committed = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/data");
    let root = std::env::var_os("EGN_GOLDEN").map_or(committed, PathBuf::from);
    let folder = root.join("mujoco");
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("entry").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    assert!(!paths.is_empty(), "no recording in {folder:?}");
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).expect("readable");
        let recording = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path:?}: {error}"));
        (path, recording)
    };
    paths.into_iter().map(read).collect()
}

/// Observations leave an environment in float32.
fn single(entries: &[f64]) -> Vec<f32> {
    entries.iter().map(|&x| x as f32).collect()
}

#[test]
fn what_is_known_without_mujoco_equals_gymnasium() {
    for (path, recording) in recordings() {
        let spec = recording.env.parse::<EnvId>().expect("known").spec();
        let action_space = Space::Box { low: recording.action_low, high: recording.action_high };
        assert_eq!(spec.action_space, action_space, "{path:?}");
        assert_eq!(spec.observation_space.len(), recording.observation_size, "{path:?}");
        assert_eq!(spec.max_episode_steps, Some(recording.time_limit), "{path:?}");
        assert_eq!(spec.reward_threshold, recording.reward_threshold, "{path:?}");
    }
}

#[test]
fn episodes_equal_gymnasium() {
    let Some(mujoco) = testing::mujoco_or_skip() else { return };
    for (path, recording) in recordings() {
        let id = recording.env.parse::<EnvId>().expect("known");
        let mut env = id.make().expect("made");
        assert_eq!(
            (env.observation_space(), env.action_space()),
            (&id.spec().observation_space, &id.spec().action_space)
        );
        // Other versions take other steps: only the start is the same there.
        let same_library = mujoco.version() == recording.mujoco;
        for (number, episode) in recording.episodes.iter().enumerate() {
            let what = |step: usize| format!("{path:?}, episode {number}, step {step}");
            let rng = &mut Pcg64::seed_from(episode.seed);
            let mut observation = vec![f32::NAN; recording.observation_size];
            env.reset(rng, &mut observation).expect("reset");
            assert_eq!(observation, single(&episode.reset.observation), "{path:?}, episode {number}, reset");
            if !same_library {
                eprintln!("{}: recorded with {}, here {}", what(0), recording.mujoco, mujoco.version());
                continue;
            }
            let mut kept = episode.kept.iter().zip(&episode.observations).peekable();
            for (t, action) in episode.actions.iter().enumerate() {
                let step = env.step(Action::Continuous(&single(action)), rng, &mut observation).expect("step");
                let (reward, recorded) = (step.reward, episode.rewards[t]);
                assert!(
                    (reward - recorded).abs() <= 1e-9 * recorded.abs().max(1.0),
                    "{}: {reward} {recorded}",
                    what(t)
                );
                assert_eq!(
                    (step.terminated, step.truncated),
                    (episode.terminated[t], episode.truncated[t]),
                    "{}",
                    what(t)
                );
                if let Some((_, recorded)) = kept.next_if(|(at, _)| **at == t) {
                    assert_eq!(observation, single(recorded), "{}", what(t));
                }
            }
            assert!(kept.next().is_none(), "{path:?}: an observation of a step that is not there");
        }
    }
}
