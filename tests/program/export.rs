//! Exported policies act as the policy in the record does.
//!
//! The models are run here operator by operator. With `EGN_ONNX=FOLDER` every model is also written
//! there, with observations and actions, for `tests/data/onnx/check.py` to run with onnxruntime.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
    sync::Mutex,
};

use crate::onnx::{self, Value};
use candle_core::{Device, Tensor};
use egn_agents::{ActionValues, Actions, ActorState, AgentError, GreedyRule, Mode, Policy};
use egn_solver::{Activation, Initialization, Network, Snapshot};
use egn_train::{
    formats::onnx::model,
    run::saved_policy::{SavedPolicy, WhichPolicy},
    trainer::evaluation::greedy_returns,
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Greatest difference of an entry of an action: f32 sums in another order.
const TOLERANCE: f64 = 1e-5;

/// Runs the model and compares; leaves the case for onnxruntime where that is wanted.
fn check(name: &str, model: &[u8], n: usize, observations: &[f32], actions: &[f64]) {
    let batch = observations.len() / n;
    let values: Vec<f64> = observations.iter().map(|&x| f64::from(x)).collect();
    let acted = onnx::run(model, Value { shape: vec![batch, n], values });
    assert_eq!(acted.shape[0], batch, "{name}");
    assert_eq!(acted.values.len(), actions.len(), "{name}");
    for (i, (acted, expected)) in acted.values.iter().zip(actions).enumerate() {
        assert!((acted - expected).abs() <= TOLERANCE, "{name}: entry {i} is {acted}, not {expected}");
    }
    if let Some(folder) = std::env::var_os("EGN_ONNX") {
        let folder = Path::new(&folder);
        let write = |ending, bytes: &[u8]| fs::write(folder.join(format!("{name}.{ending}")), bytes);
        fs::create_dir_all(folder).expect("the folder of EGN_ONNX can be made");
        write("onnx", model).expect("the folder of EGN_ONNX can be written");
        let case = serde_json::json!({"observations": observations, "n": n, "actions": actions});
        write("json", case.to_string().as_bytes()).expect("the folder of EGN_ONNX can be written");
    }
}

/// What `rule` makes of one row of outputs, as the policies of the agents have it.
fn act(rule: &GreedyRule, outputs: &[f64]) -> Vec<f64> {
    let bounded = |x: f64, low: f32, high: f32| x.clamp(f64::from(low), f64::from(high));
    match rule {
        GreedyRule::Argmax(values) => {
            let value = |group: &[f64]| match values {
                ActionValues::Mean { .. } => group.iter().sum::<f64>(),
                ActionValues::Expectation { support } => {
                    let weights = group.iter().map(|&x| libm::exp(x));
                    weights.clone().zip(support).map(|(w, z)| w * z).sum::<f64>() / weights.sum::<f64>()
                }
            };
            let values: Vec<f64> = outputs.chunks(values.outputs_per_action()).map(value).collect();
            let best = (0..values.len()).rev().max_by(|&i, &j| values[i].total_cmp(&values[j]));
            vec![best.expect("there are actions") as f64]
        }
        GreedyRule::Clip { low, high } => (0..low.len()).map(|j| bounded(outputs[j], low[j], high[j])).collect(),
        GreedyRule::Tanh { low, high } => (0..low.len())
            .map(|j| f64::from(low[j]) + 0.5 * (libm::tanh(outputs[j]) + 1.0) * f64::from(high[j] - low[j]))
            .collect(),
    }
}

#[test]
fn every_layer_activation_and_rule() {
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let argmax = |outputs_per_action| GreedyRule::Argmax(ActionValues::Mean { outputs_per_action });
    let expectation = |support: &[f64]| GreedyRule::Argmax(ActionValues::Expectation { support: support.to_vec() });
    let clip = || GreedyRule::Clip { low: vec![-0.2, f32::NEG_INFINITY], high: vec![0.2, f32::INFINITY] };
    let tanh = || GreedyRule::Tanh { low: vec![-2.0, 0.0], high: vec![2.0, 10.0] };
    for (text, rule) in [
        ("4-16-8-3", argmax(1)),
        ("4-16-12", argmax(4)),
        ("3-16-2", clip()),
        ("3-16-2+2", clip()),
        ("3-16-2", tanh()),
        ("3-16-4", tanh()),
        ("4-16-4-dueling", argmax(1)),
        ("6x5x2-4k3s1-3k2s2p1-7-4-dueling", argmax(1)),
        ("7x6x3-5k3s2p1-2", tanh()),
        ("3-quadratic", GreedyRule::Clip { low: vec![-1.0], high: vec![1.0] }),
        ("3-quadratic-constant", GreedyRule::Clip { low: vec![-1.0], high: vec![1.0] }),
        ("4-16-12", expectation(&[-2.0, 0.5, 3.0])),
        ("3-16n-8n-2", tanh()),
        ("3-8-16r-5r-2+2", tanh()),
        ("3-8r-2", clip()),
        ("6x5x2-4k3s1-7n-4-dueling", argmax(1)),
    ] {
        for activation in Activation::ALL {
            let network = Network::parse(text, activation).unwrap();
            let n = network.n_inputs();
            let mut draw = || {
                let params = Initialization::Uniform.draw(&network, &mut rng);
                let params: Vec<f32> = params.iter().map(|&x| 2.0 * x as f32).collect();
                let snapshot = Snapshot::new(network.clone(), &Tensor::new(params, &Device::Cpu).unwrap()).unwrap();
                let observations: Vec<f32> = (0..50 * n).map(|_| rng.random_range(-2.0..2.0)).collect();
                let batch = Tensor::from_slice(&observations, (50, n), &Device::Cpu).unwrap();
                let outputs = snapshot.predict(&batch).unwrap();
                let actions: Vec<f64> = outputs.rows().flat_map(|row| act(&rule, row)).collect();
                (snapshot, observations, actions)
            };
            // Of networks that have more than one action.
            let (snapshot, observations, actions) = std::iter::repeat_with(&mut draw)
                .take(20)
                .find(|(_, _, actions)| actions.iter().any(|action| *action != actions[0]))
                .unwrap_or_else(|| panic!("{text}: all actions are one"));
            let name = format!("{text}-{activation:?}-{rule:?}").to_lowercase();
            let name = name.split(' ').next().unwrap();
            check(name, &model(&snapshot, None, &rule, &[]), n, &observations, &actions);
        }
    }
}

/// Notes what a policy sees and does.
struct Noted<'a> {
    policy: &'a dyn Policy,
    seen: Mutex<(Vec<f32>, Vec<f64>)>,
}

impl Policy for Noted<'_> {
    fn act(
        &self,
        seen: &[f32],
        mode: Mode,
        states: &mut [ActorState],
        actions: &mut Actions,
    ) -> Result<(), AgentError> {
        self.policy.act(seen, mode, states, actions)?;
        let mut noted = self.seen.lock().expect("nobody panicked");
        noted.0.extend_from_slice(seen);
        match actions {
            Actions::Discrete(actions) => noted.1.extend(actions.iter().map(|&action| f64::from(action))),
            Actions::Continuous { values, .. } => noted.1.extend(values.iter().map(|&x| f64::from(x))),
        }
        Ok(())
    }
}

fn egn(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_egn")).current_dir(folder).args(args).output().expect("egn runs")
}

/// A network that is quickly trained.
const SMALL: &str = "agent.hidden=[16]";

/// Settings that make a run take a moment, and yet move its network.
fn train(folder: &Path, env: &str, agent: &str, optimizer: &str, set: &[&str]) {
    let names = ["train", "--env", env, "--agent", agent, "--optimizer", optimizer];
    let small = ["--steps", "1200", "--eval-every", "600", "--set", "run.eval_episodes=2"];
    let set: Vec<&str> = ["run.final_episodes=2"].iter().chain(set).flat_map(|pair| ["--set", pair]).collect();
    let output = egn(folder, &[&names[..], &small[..], &set[..]].concat());
    assert!(output.status.success(), "{agent}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn an_exported_policy_acts_as_the_one_in_the_record() {
    let folder = tempfile::tempdir().unwrap();
    let (small, warm) = (SMALL, "agent.learning_starts=200");
    for (env, agent, optimizer, set) in [
        ("CartPole-v1", "dqn", "egn", &[small, warm, "agent.dueling=true"][..]),
        ("CartPole-v1", "c51", "egn", &[small, warm, "agent.n_atoms=11"]),
        ("CartPole-v1", "qrdqn", "adam", &[small, warm, "agent.n_quantiles=10"]),
        ("CartPole-v1", "ppo", "egn", &[small]),
        ("CartPole-v1", "a2c", "egn", &[small, "agent.normalization=layer", "agent.activation=gelu"]),
        ("CartPole-v1", "trpo", "egn", &[small, "agent.hidden=[8, 16]", "agent.residual=true"]),
        ("Pendulum-v1", "sac", "egn", &[small, warm]),
        ("Pendulum-v1", "td3", "adam", &[small, warm, "run.precision=f64"]),
        ("Pendulum-v1", "ppo", "adam", &[small, "env.normalize_observation=true", "env.clip_observation=1.2"]),
        ("LQR/uav-2d", "lqr-pi", "egn", &["agent.n_steps=400"]),
        ("MinAtar/Breakout-v1", "dqn", "adam", &[small, warm, "agent.convolutions={image=[10,10,4],filters=[4]}"]),
    ] {
        train(folder.path(), env, agent, optimizer, set);
        let record = format!("runs/records/{env}/{agent}/{optimizer}/seed-0");
        let file = format!("{agent}.onnx");
        let export = ["export", &record, "--format", "onnx", "--which", "best", "--out", &file];
        let output = egn(folder.path(), &export);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

        let saved = SavedPolicy::open(&folder.path().join(&record), WhichPolicy::Best, None).unwrap();
        let noted = Noted { policy: &*saved.policy, seen: Mutex::default() };
        greedy_returns(&*saved.env.environments, &noted, 3, 0).unwrap();
        let (observations, actions) = noted.seen.into_inner().unwrap();
        let model = fs::read(folder.path().join(&file)).unwrap();
        let name = format!("record-{env}-{agent}").replace('/', "-");
        check(&name, &model, saved.env.observation_space.len(), &observations, &actions);
    }
}

#[test]
fn an_exported_safetensors_file_says_how_to_act() {
    let folder = tempfile::tempdir().unwrap();
    train(folder.path(), "Pendulum-v1", "ppo", "egn", &[SMALL, "env.normalize_observation=true"]);
    let record = "runs/records/Pendulum-v1/ppo/egn/seed-0";
    let output = egn(folder.path(), &["export", record, "--format", "safetensors", "--out", "policy.safetensors"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let bytes = fs::read(folder.path().join("policy.safetensors")).unwrap();
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header: serde_json::Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    assert_eq!(header["0.weight"]["shape"], serde_json::json!([16, 3]));
    let policy: serde_json::Value = serde_json::from_str(header["__metadata__"]["policy"].as_str().unwrap()).unwrap();
    assert_eq!(policy["network"], "3-16-1+1");
    assert_eq!(policy["activations"], serde_json::json!(["tanh", "identity"]));
    let (deviation, clip) = (&policy["observation"]["deviation"], &policy["observation"]["clip"]);
    assert!(deviation.as_array().unwrap().len() == 3 && deviation[0].as_f64().unwrap() > 0.0 && clip == 10.0);
    assert_eq!(policy["greedy"], serde_json::json!({"rule": "clip", "low": [-2.0], "high": [2.0]}));
    // The same tensors as the record's own, which has no metadata.
    let own = fs::read(folder.path().join(record).join("policy.safetensors")).unwrap();
    let own_length = u64::from_le_bytes(own[..8].try_into().unwrap()) as usize;
    assert_eq!(bytes[8 + length..], own[8 + own_length..]);
}

#[test]
fn a_record_without_policy_is_said() {
    let folder = tempfile::tempdir().unwrap();
    train(folder.path(), "CartPole-v1", "ppo", "egn", &[SMALL]);
    let record = "runs/records/CartPole-v1/ppo/egn/seed-0";
    fs::remove_file(folder.path().join(record).join("best/policy.safetensors")).unwrap();
    let export = |which| egn(folder.path(), &["export", record, "--format", "onnx", "--which", which, "--out", "x"]);
    let refused = export("best");
    assert_eq!(refused.status.code(), Some(2));
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("has no policy best/policy.safetensors"), "{said}");
    assert!(!folder.path().join("x").exists());
    assert!(export("last").status.success());
}
