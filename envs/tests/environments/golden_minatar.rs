//! Every recording of MinAtar, replayed here in two ways and compared exactly.
//!
//! Once from the seed, with NumPy's legacy generator; once from the recorded draws alone, handed to
//! the game word by word. Reads `$EGN_GOLDEN/gymnasium/minatar-*.json` (default: the repository's
//! copy). Format: `tests/data/gymnasium/FORMAT.md`.

use std::collections::VecDeque;
use std::path::PathBuf;

use egn_envs::minatar::{MinAtar, MinAtarConfig, MinAtarGame};
use egn_envs::numpy::mt19937::Mt19937;
use egn_envs::{Action, Env};
use rand::RngCore;
use serde::Deserialize;

/// (method, arguments, values)
type Draw = (String, Vec<u32>, Vec<f64>);

#[derive(Deserialize)]
struct Recording {
    game: String,
    state_shape: [usize; 3],
    runs: Vec<Run>,
}

#[derive(Deserialize)]
struct Run {
    name: String,
    seed: u32,
    sticky_action_prob: f64,
    difficulty_ramping: bool,
    /// (step before which the game was reset, draws of the reset)
    reset_draws: Vec<(usize, Vec<Draw>)>,
    /// (step, method, arguments, values)
    draws: Vec<(usize, String, Vec<u32>, Vec<f64>)>,
    actions: String,
    effective_actions: String,
    /// (step, value), where not zero
    rewards: Vec<(usize, f64)>,
    terminals: Vec<usize>,
    state_crc32: Vec<u32>,
    initial_state_hex: String,
    state_hex: Option<Vec<String>>,
}

fn recordings() -> Vec<Recording> {
    let root = std::env::var_os("EGN_GOLDEN")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/data"), PathBuf::from);
    let folder = root.join("gymnasium");
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("entry").path()).collect();
    paths.sort();
    let is_ours = |path: &&PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.starts_with("minatar-") && name.ends_with(".json")
    };
    let read = |path: &PathBuf| -> Recording {
        let text = std::fs::read_to_string(path).expect("readable");
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path:?}: {error}"))
    };
    let found: Vec<Recording> = paths.iter().filter(is_ours).map(read).collect();
    assert!(!found.is_empty(), "no recording of a MinAtar game in {folder:?}");
    found
}

fn game(name: &str) -> MinAtarGame {
    match name {
        "asterix" => MinAtarGame::Asterix,
        "breakout" => MinAtarGame::Breakout,
        "freeway" => MinAtarGame::Freeway,
        "seaquest" => MinAtarGame::Seaquest,
        "space_invaders" => MinAtarGame::SpaceInvaders,
        _ => panic!("MinAtar has no game {name:?}"),
    }
}

/// Ones and zeros packed eight to a byte, the first one highest, as `numpy.packbits`.
fn pack(observation: &[f32]) -> Vec<u8> {
    let byte = |eight: &[f32]| eight.iter().enumerate().map(|(i, &x)| (x as u8) << (7 - i)).sum();
    observation.chunks(8).map(byte).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// CRC-32 of zlib.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| crc >> 1 ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 })
    })
}

/// Plays the run, whose steps count from zero; `prepare` is told what comes next.
fn replay<R: RngCore>(recording: &Recording, run: &Run, rng: &mut R, mut prepare: impl FnMut(&mut R, Due)) {
    let config = MinAtarConfig {
        sticky_action_probability: run.sticky_action_prob,
        difficulty_ramping: run.difficulty_ramping,
        minimal_actions: false,
    };
    let mut env = MinAtar::new(game(&recording.game), config).expect("a probability");
    assert_eq!(env.board_shape(), recording.state_shape);
    let what = format!("{} {}", recording.game, run.name);

    let mut observation = vec![f32::NAN; env.observation_space().len()];
    prepare(rng, Due::Reset { before_step: 0 });
    env.reset(rng, &mut observation).expect("reset");
    assert_eq!(hex(&pack(&observation)), run.initial_state_hex, "{what}: first state");
    for (step, action) in (0..).zip(run.actions.bytes()) {
        prepare(rng, Due::Step(step));
        let played = env.step(Action::Discrete(usize::from(action - b'0')), rng, &mut observation);
        let played = played.expect("a recorded step is accepted");
        let packed = pack(&observation);
        if let Some(states) = &run.state_hex {
            assert_eq!(hex(&packed), states[step], "{what}: state after step {step}");
        }
        assert_eq!(crc32(&packed), run.state_crc32[step], "{what}: state after step {step}");
        let reward = run.rewards.iter().find(|(at, _)| *at == step).map_or(0.0, |(_, reward)| *reward);
        assert_eq!(played.reward, reward, "{what}: reward of step {step}");
        assert_eq!(played.terminated, run.terminals.contains(&step), "{what}: end at step {step}");
        assert!(!played.truncated);
        if played.terminated {
            prepare(rng, Due::Reset { before_step: step + 1 });
            env.reset(rng, &mut observation).expect("reset");
        }
    }
}

/// What comes next in a run.
enum Due {
    Reset { before_step: usize },
    Step(usize),
}

#[test]
fn games_from_a_seed_equal_minatar() {
    for recording in &recordings() {
        for run in &recording.runs {
            replay(recording, run, &mut Mt19937::seed_from(run.seed), |_, _| {});
        }
    }
}

#[test]
fn games_from_recorded_draws_equal_minatar() {
    for recording in &recordings() {
        for run in &recording.runs {
            let words = &mut Words(VecDeque::new());
            replay(recording, run, words, |words, due| words.load(run, due));
            assert!(words.0.is_empty(), "{} {}: draws are left over", recording.game, run.name);
        }
    }
}

/// Words from which the game's own draws make the recorded values.
struct Words(VecDeque<u32>);

impl Words {
    fn load(&mut self, run: &Run, due: Due) {
        assert!(self.0.is_empty(), "{}: the step before drew too little", run.name);
        match due {
            Due::Reset { before_step } => {
                let recorded = run.reset_draws.iter().find(|(at, _)| *at == before_step);
                for (method, arguments, values) in recorded.map_or(&[][..], |(_, draws)| draws) {
                    self.add(method, arguments, values);
                }
            }
            Due::Step(step) => {
                let effective = run.effective_actions.as_bytes()[step];
                // The sticky test: only its outcome is recorded for every step.
                let sticks = effective != run.actions.as_bytes()[step];
                self.add("rand", &[], &[if sticks { 0.0 } else { 0.999 }]);
                for (_, method, arguments, values) in run.draws.iter().filter(|draw| draw.0 == step) {
                    self.add(method, arguments, values);
                }
            }
        }
    }

    fn add(&mut self, method: &str, arguments: &[u32], values: &[f64]) {
        for &value in values {
            match method {
                "rand" => {
                    let bits = (value * (1u64 << 53) as f64) as u64;
                    self.0.push_back(((bits >> 26) as u32) << 5);
                    self.0.push_back(((bits & 0x3ff_ffff) as u32) << 6);
                }
                "randint" => {
                    let [low, high] = *arguments else { panic!("randint takes two arguments") };
                    if high - low > 1 {
                        self.0.push_back(value as u32 - low);
                    }
                }
                _ => panic!("unknown draw {method:?}"),
            }
        }
    }
}

impl RngCore for Words {
    fn next_u32(&mut self) -> u32 {
        self.0.pop_front().expect("the game draws no more than was recorded")
    }

    fn next_u64(&mut self) -> u64 {
        panic!("MinAtar draws words of 32 bits")
    }

    fn fill_bytes(&mut self, _bytes: &mut [u8]) {
        panic!("MinAtar draws words of 32 bits")
    }
}
