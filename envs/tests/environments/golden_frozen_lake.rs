//! Every recorded walk on Gymnasium's frozen lakes, replayed from its seed and compared exactly.
//!
//! Reads `$EGN_GOLDEN/gymnasium/frozenlake-v1.json` (default: the repository's copy), which
//! `envs/scripts/frozen_lake.py` recorded. One generator a run, which its episodes share.

use std::collections::BTreeMap;
use std::path::PathBuf;

use egn_envs::{Action, EnvId, Pcg64};
use serde::Deserialize;

#[derive(Deserialize)]
struct Recording {
    runs: Vec<Run>,
}

#[derive(Deserialize)]
struct Run {
    env_id: String,
    env_kwargs: BTreeMap<String, f64>,
    seed: u64,
    max_episode_steps: usize,
    reward_threshold: f64,
    episodes: Vec<Episode>,
}

/// Entry i of a list belongs to step i + 1.
#[derive(Deserialize)]
struct Episode {
    first: usize,
    actions: Vec<usize>,
    cells: Vec<usize>,
    rewards: Vec<f64>,
    terminated: Vec<bool>,
    truncated: Vec<bool>,
}

fn recording() -> Recording {
    let root = std::env::var_os("EGN_GOLDEN")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/data"), PathBuf::from);
    let path = root.join("gymnasium/frozenlake-v1.json");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path:?}: {error}"))
}

/// The observation of a cell.
fn one_hot(cell: usize, n_cells: usize) -> Vec<f32> {
    (0..n_cells).map(|i| f32::from(u8::from(i == cell))).collect()
}

#[test]
fn golden_frozen_lake() {
    let (mut n_steps, mut ends) = (0, [0; 3]);
    for run in recording().runs {
        let id: EnvId = run.env_id.parse().expect("a registered lake");
        let spec = id.spec();
        assert_eq!(spec.max_episode_steps, Some(run.max_episode_steps), "{id}");
        assert_eq!(spec.reward_threshold, Some(run.reward_threshold), "{id}");
        let settings: Vec<_> = run.env_kwargs.into_iter().map(|(name, value)| (name, value.into())).collect();
        let mut env = id.make_with(&settings, None).expect("Gymnasium's names are ours");
        let (mut rng, n_cells) = (Pcg64::seed_from(run.seed), spec.observation_space.len());
        let mut observation = vec![f32::NAN; n_cells];
        for (i, episode) in run.episodes.iter().enumerate() {
            let what = format!("{id} {settings:?} seed {} episode {i}", run.seed);
            env.reset(&mut rng, &mut observation).expect("reset");
            assert_eq!(observation, one_hot(episode.first, n_cells), "{what}: first cell");
            for (t, &action) in episode.actions.iter().enumerate() {
                let step = env.step(Action::Discrete(action), &mut rng, &mut observation).expect("step");
                let what = format!("{what} step {}", t + 1);
                assert_eq!(observation, one_hot(episode.cells[t], n_cells), "{what}: cell");
                assert_eq!(step.reward, episode.rewards[t], "{what}: reward");
                assert_eq!(step.terminated, episode.terminated[t], "{what}: terminated");
                assert_eq!(step.truncated, episode.truncated[t], "{what}: truncated");
                n_steps += 1;
                ends[0] += usize::from(step.reward == 1.0);
                ends[1] += usize::from(step.terminated && step.reward == 0.0);
                ends[2] += usize::from(step.truncated);
            }
        }
    }
    // Goals, holes and time limits are all in it.
    assert!(n_steps > 1000 && ends.iter().all(|&n| n > 0), "{n_steps} steps, ends {ends:?}");
}
