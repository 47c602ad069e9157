//! Files that a person may have edited, cut or mixed up are read or refused; nothing panics.
//!
//! Valid files with some bytes changed, doubled, taken out or replaced by words that
//! parsers trip over, and plain noise. A few hundred inputs each; `EGN_FUZZ_SECONDS=600`
//! makes every test last ten minutes.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::OnceLock,
    sync::atomic::AtomicBool,
    time::Instant,
};

use egn_envs::Space;
use egn_rl::{
    analysis::{
        cohort::{self, Cohort},
        table,
    },
    pictures::chart::Chart,
    progress::Watch,
};
use egn_solver::{Network, Snapshot, State};
use egn_train::{
    config::{RunConfig, Sources, flat_settings},
    formats::tensorboard::{EVENTS, scalars},
    machine::memory::check_memory,
    record::{Record, read_episodes, record_dir, without_clock_fields},
    run::{Execution, LAST_POLICY, checkpoint, checkpoint::CHECKPOINT, run},
    trainer::build_agent,
};
use proptest::{prelude::*, sample::Index, test_runner::TestRunner};

/// Words that numbers and names are replaced by.
const WORDS: [&str; 20] = [
    "nan",
    "inf",
    "-inf",
    "-1",
    "0",
    "1e999",
    "-0.0",
    "1e308",
    "18446744073709551616",
    "9223372036854775807",
    "4294967296",
    "true",
    "\"",
    "[",
    "{",
    ",",
    "\n",
    "\0",
    "none",
    "\u{fffd}",
];

/// One change of a file.
#[derive(Debug, Clone)]
enum Change {
    Byte(Index, u8),
    Word(Index, usize),
    Number(Index, usize),
    Cut(Index),
    Remove(Index, usize),
    Double(Index, usize),
}

impl Change {
    fn any() -> impl Strategy<Value = Self> {
        let at = any::<Index>;
        prop_oneof![
            1 => (at(), any::<u8>()).prop_map(|(at, byte)| Self::Byte(at, byte)),
            1 => (at(), 0..WORDS.len()).prop_map(|(at, word)| Self::Word(at, word)),
            4 => (at(), 0..WORDS.len()).prop_map(|(at, word)| Self::Number(at, word)),
            1 => at().prop_map(Self::Cut),
            1 => (at(), 1..40_usize).prop_map(|(at, n)| Self::Remove(at, n)),
            1 => (at(), 1..40_usize).prop_map(|(at, n)| Self::Double(at, n)),
        ]
    }

    fn apply(&self, bytes: &mut Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        let n = bytes.len();
        let range = |at: &Index, length: usize| at.index(n)..(at.index(n) + length).min(n);
        match self {
            Self::Byte(at, byte) => bytes[at.index(n)] = *byte,
            Self::Word(at, word) => drop(bytes.splice(at.index(n)..at.index(n), WORDS[*word].bytes())),
            Self::Number(at, word) => {
                // The number that stands there or after it, as a whole.
                let is_part = |byte: &u8| byte.is_ascii_digit() || b".-+e".contains(byte);
                let Some(start) = (at.index(n)..n).find(|&i| bytes[i].is_ascii_digit()) else { return };
                let end = (start..n).find(|&i| !is_part(&bytes[i])).unwrap_or(n);
                drop(bytes.splice(start..end, WORDS[*word].bytes()));
            }
            Self::Cut(at) => bytes.truncate(at.index(n)),
            Self::Remove(at, length) => drop(bytes.drain(range(at, *length))),
            Self::Double(at, length) => {
                let copy = bytes[range(at, *length)].to_vec();
                drop(bytes.splice(at.index(n)..at.index(n), copy));
            }
        }
    }
}

/// One of the files with a few changes, or noise; and which of them.
fn changed(files: Vec<Vec<u8>>) -> impl Strategy<Value = (usize, Vec<u8>)> {
    let n = files.len();
    let edited = (0..n, prop::collection::vec(Change::any(), 1..5)).prop_map(move |(which, changes)| {
        let mut bytes = files[which].clone();
        changes.iter().for_each(|change| change.apply(&mut bytes));
        (which, bytes)
    });
    let noise = (0..n, prop::collection::vec(any::<u8>(), 0..300));
    prop_oneof![7 => edited, 1 => noise]
}

/// Gives `test` inputs for as long as is wanted.
fn fuzz<S: Strategy>(name: &str, inputs: &S, test: impl Fn(S::Value)) {
    let seconds: u64 = std::env::var("EGN_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(0);
    let (started, mut n) = (Instant::now(), 0);
    while n == 0 || started.elapsed().as_secs() < seconds {
        let config = ProptestConfig { cases: 128, failure_persistence: None, ..Default::default() };
        let result = TestRunner::new(config).run(inputs, |input| {
            test(input);
            Ok(())
        });
        result.unwrap_or_else(|error| panic!("{name}: {error}"));
        n += 128;
    }
    eprintln!("{name}: {n} inputs in {} s", started.elapsed().as_secs());
}

const CONFIG: &str = "[run]\nenv = 'CartPole-v1'\nagent = 'ppo'\noptimizer = 'egn'\nsteps = 256\nenvs = 2\n\
    eval_every = 64\neval_episodes = 2\nfinal_episodes = 2\n\
    [agent]\nhidden = [4]\nn_steps = 16\nbatch_size = 32\n[optimizer]\nmomentum = 0.5\n\
    lambda = { kind = 'linear', from = 1.0, to = 0.1 }\n[optimizer.adaptive]\n[critic_optimizer]\nkl_limit = 'none'\n";

fn configs() -> Vec<Vec<u8>> {
    let presets = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("presets")).unwrap();
    let mut files: Vec<PathBuf> = presets.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut texts: Vec<Vec<u8>> = files.iter().map(|file| fs::read(file).unwrap()).collect();
    let env = "[run]\nenv = 'MinAtar/Freeway-v1'\nagent = 'dqn'\noptimizer = 'adam'\n\
        [env.kwargs]\ndifficulty_ramping = false\n";
    texts.extend([CONFIG, env].map(|text| text.as_bytes().to_vec()));
    texts
}

/// A finished record, made once.
fn record() -> &'static Path {
    static FOLDER: OnceLock<(tempfile::TempDir, PathBuf)> = OnceLock::new();
    let made = FOLDER.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let (config, stop) = (RunConfig::from_toml(CONFIG).unwrap(), AtomicBool::new(false));
        run(&config, &Execution::new(folder.path(), &stop), &mut Watch::new(256, |_| {})).unwrap();
        let dir = record_dir(folder.path(), "CartPole-v1", "ppo", "egn", 0);
        (folder, dir)
    });
    &made.1
}

/// A copy of the record in which one file is other than it was.
fn with(name: &str, bytes: &[u8]) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for file in ["config.toml", "curve.csv", "episodes.csv", "updates.jsonl", "summary.json", CHECKPOINT] {
        let to = copy.path().join(file);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(record().join(file), to).unwrap();
    }
    fs::write(copy.path().join(name), bytes).unwrap();
    copy
}

#[test]
fn configurations() {
    fuzz("configurations", &changed(configs()), |(_, bytes)| {
        let text = String::from_utf8_lossy(&bytes);
        flat_settings(&text);
        if let Ok(config) = RunConfig::from_toml(&text) {
            assert_eq!(RunConfig::from_toml(&config.to_toml()).unwrap().to_toml(), config.to_toml());
            let _ = check_memory(&config, &Space::symmetric(vec![1.0; 4]), &Space::Discrete { n: 2 });
        }
    });
}

#[test]
fn networks() {
    let texts = ["4-64-64-2+2", "4-64-3-dueling", "10x10x4-16k3s1p1-8k2s2-128-3", "6-quadratic-constant"];
    fuzz("networks", &changed(texts.map(|text| text.as_bytes().to_vec()).to_vec()), |(_, bytes)| {
        if let Ok(network) = Network::parse(&String::from_utf8_lossy(&bytes), egn_solver::Activation::Relu) {
            assert!(network.n_params() > 0, "{network}");
        }
    });
}

#[test]
fn settings_on_the_command_line() {
    let names = ["run.env=CartPole-v1", "run.agent=ppo", "run.optimizer=egn"];
    let pairs =
        ["optimizer.lambda={kind=\"linear\",from=1.0,to=0.0}", "agent.hidden=[8,8]", "env.kwargs.x=1", "run.seed=3"];
    fuzz("settings", &changed(pairs.map(|pair| pair.as_bytes().to_vec()).to_vec()), |(_, bytes)| {
        let pair = String::from_utf8_lossy(&bytes);
        let set = names.into_iter().chain([&*pair]).map(str::to_owned).collect();
        let _ = Sources { set, ..Sources::default() }.resolve();
    });
}

#[test]
fn records() {
    let names = ["curve.csv", "summary.json", "config.toml", "episodes.csv", "updates.jsonl"];
    let files = names.map(|name| fs::read(record().join(name)).unwrap()).to_vec();
    fuzz("records", &changed(files), |(which, bytes)| {
        let copy = with(names[which], &bytes);
        let _ = without_clock_fields(copy.path());
        let _ = read_episodes(copy.path());
        if let Ok(record) = Record::read(copy.path()) {
            let cohorts = Cohort::of(vec![record]);
            let threshold = cohort::reward_threshold_of(&cohorts);
            table::table(&table::rows(&cohorts, threshold));
            if let Ok(chart) = Chart::of(&cohorts, threshold) {
                let _ = chart.panel_svgs();
            }
        }
    });
}

#[test]
fn event_files() {
    fuzz("event files", &changed(vec![fs::read(record().join(EVENTS)).unwrap()]), |(_, bytes)| {
        scalars(&bytes);
    });
}

#[test]
fn checkpoint_files() {
    let config = RunConfig::from_toml(CONFIG).unwrap();
    let whole = fs::read(record().join(CHECKPOINT)).unwrap();
    fuzz("checkpoint files", &changed(vec![whole.clone()]), |(_, bytes)| {
        let copy = with(CHECKPOINT, &bytes);
        // Only a change that changes nothing leaves it of use.
        assert!(checkpoint::find(copy.path(), &config, true).is_err() || bytes == whole || same(&bytes, &whole));
    });
}

fn same(bytes: &[u8], whole: &[u8]) -> bool {
    State::from_bytes(bytes).ok() == State::from_bytes(whole).ok()
}

#[test]
fn policy_files() {
    let network = || Network::parse("4-4-2", egn_solver::Activation::Tanh).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("policy.safetensors");
    fuzz("policy files", &changed(vec![fs::read(record().join(LAST_POLICY)).unwrap()]), |(_, bytes)| {
        fs::write(&path, bytes).unwrap();
        let _ = Snapshot::load(&path, network());
    });
}

/// Behind the digest: arrays that are missing, of another length, or hold other bits.
#[test]
fn states_of_agents() {
    let agents = [
        ("CartPole-v1", "dqn", "learning_starts = 4\npriority = 0.6\nn_steps = 3\nbuffer_size = 50"),
        ("CartPole-v1", "c51", "learning_starts = 4\nn_atoms = 3\nbuffer_size = 50"),
        ("CartPole-v1", "qrdqn", "learning_starts = 4\nn_quantiles = 3\nbuffer_size = 50"),
        ("Pendulum-v1", "td3", "learning_starts = 4\nbuffer_size = 50"),
        ("Pendulum-v1", "sac", "learning_starts = 4\nbuffer_size = 50"),
        ("CartPole-v1", "trpo", "n_steps = 16"),
        ("CartPole-v1", "reinforce", "n_steps = 16"),
    ];
    let configs = agents.map(|(env, agent, settings)| {
        let text =
            format!("[run]\nenv = '{env}'\nagent = '{agent}'\noptimizer = 'egn'\n[agent]\nhidden = [4]\n{settings}\n");
        RunConfig::from_toml(&text).unwrap()
    });
    let input = (0..configs.len(), any::<Index>(), 0..4, prop::collection::vec(any::<u64>(), 0..60));
    fuzz("states of agents", &input, |(which, array, change, values)| {
        let config = &configs[which];
        let opened = config.run.env.open(&config.env, None).unwrap();
        let mut agent = build_agent(config, &opened.observation_space, &opened.action_space).unwrap();
        let state = agent.state();
        let names: Vec<String> = state.names().map(str::to_owned).collect();
        let name = array.get(&names);
        let mut state = if change == 0 { state.filtered(|other| other != name) } else { state };
        match change {
            1 => state.put(name, &values),
            2 => state.put(name, &values.iter().map(|&bits| f64::from_bits(bits)).collect::<Vec<_>>()),
            3 => state.put(name, &values.iter().map(|&bits| f32::from_bits(bits as u32)).collect::<Vec<_>>()),
            _ => {}
        }
        let _ = agent.restore(&state);
    });
}
