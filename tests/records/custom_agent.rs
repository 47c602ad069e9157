//! A program's own agent in its own environment is recorded, resumed, verified and charted.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use candle_core::{Device, Tensor};
use egn_agents::{
    ActionValues, ActorPlan, Agent, AgentContext, AgentError, AgentSettings, Clock, EpsilonGreedyPolicy, GreedyRule,
    Learned, Policy, Purpose, Rollout, Spaces, Update, Workload, stream,
};
use egn_envs::{Action, Env, EnvError, Outcome, Space, Step, TimeLimit};
use egn_solver::{
    Activation, EgnConfig, Initialization, Learner, Network, OptimizerConfig, Snapshot, SolverError, State, StateError,
    StepContext, loss::ChosenAction,
};
use egn_train::{
    config::{AgentChoice, RunConfig, RunSettings},
    record::{CurvePoint, Ended},
    run::{
        Execution, dir_of, run, run_in,
        saved_policy::read_config,
        verify::{Verdict, verify_in},
    },
    trainer::{Callback, Flow, RolloutEvent, TrainError},
};
use rand::RngCore;
use serde::Serialize;

/// Four cells; right of the last one is a reward of 1 and the end. It begins left.
struct Corridor {
    cell: usize,
    observations: Space,
    actions: Space,
}

const N_CELLS: usize = 4;

impl Corridor {
    fn new() -> Self {
        let observations = Space::Box { low: vec![0.0; N_CELLS], high: vec![1.0; N_CELLS] };
        Self { cell: 0, observations, actions: Space::Discrete { n: 2 } }
    }

    fn show(&self, observation: &mut [f32]) {
        observation.fill(0.0);
        observation[self.cell] = 1.0;
    }
}

impl Env for Corridor {
    fn observation_space(&self) -> &Space {
        &self.observations
    }

    fn action_space(&self) -> &Space {
        &self.actions
    }

    fn reset(&mut self, _: &mut dyn RngCore, observation: &mut [f32]) -> Result<(), EnvError> {
        self.cell = 0;
        self.show(observation);
        Ok(())
    }

    fn step(&mut self, action: Action<'_>, _: &mut dyn RngCore, observation: &mut [f32]) -> Result<Step, EnvError> {
        let terminated = action.as_discrete(2)? == 1 && self.cell == N_CELLS - 1;
        self.cell = match action.as_discrete(2)? {
            0 => self.cell.saturating_sub(1),
            _ => (self.cell + 1).min(N_CELLS - 1),
        };
        self.show(observation);
        Ok(Step { reward: f64::from(u8::from(terminated)), terminated, truncated: false })
    }
}

fn make_env(_: usize) -> Result<Box<dyn Env>, EnvError> {
    Ok(Box::new(TimeLimit::new(Corridor::new(), 40)))
}

/// Monte-Carlo control: regresses the discounted rewards that followed, and acts on them.
#[derive(Debug, Clone, Serialize)]
struct MonteCarlo {
    gamma: f64,
    hidden: usize,
}

impl MonteCarlo {
    fn network(&self, spaces: Spaces<'_>) -> Network {
        Network::mlp(&[spaces.n_observations, self.hidden, spaces.n_actions()], Activation::Tanh)
    }
}

fn epsilon_greedy(q: Snapshot) -> Arc<dyn Policy> {
    Arc::new(EpsilonGreedyPolicy { q, values: ActionValues::ONE_OUTPUT, epsilon: 0.8.into(), random_before: 0.0 })
}

impl AgentSettings for MonteCarlo {
    fn summary(&self) -> &'static str {
        "Monte-Carlo control"
    }

    fn gamma(&self) -> f64 {
        self.gamma
    }

    fn actor(&self, spaces: Spaces<'_>) -> Result<ActorPlan, AgentError> {
        Ok(ActorPlan::new(self.network(spaces), GreedyRule::Argmax(ActionValues::ONE_OUTPUT), epsilon_greedy))
    }

    fn workload(&self, spaces: Spaces<'_>, n_envs: usize, _: u64) -> Workload {
        let (widths, n) = (vec![spaces.n_observations, self.hidden, spaces.n_actions()], 64 * n_envs as u64);
        Workload { widths, transitions: n, batch_size: n, rows_per_sample: 1 }
    }

    fn build(&self, context: &AgentContext) -> Result<Box<dyn Agent>, AgentError> {
        let network = self.network(context.spaces());
        let rng = &mut stream(context.seed, Purpose::Initialization, 0);
        let q = Learner::new(network, Initialization::Uniform, context.precision, &context.optimizer, rng)?;
        Ok(Box::new(InTraining { q, gamma: self.gamma }))
    }
}

struct InTraining {
    q: Learner,
    gamma: f64,
}

impl Agent for InTraining {
    fn steps_per_rollout(&self) -> usize {
        64
    }

    fn policy(&self) -> Result<Arc<dyn Policy>, AgentError> {
        Ok(epsilon_greedy(self.q.snapshot()))
    }

    fn learn(&mut self, rollout: &Rollout, _: Clock) -> Result<Learned, AgentError> {
        let mut returns = rollout.rewards.clone();
        for t in (0..returns.len().saturating_sub(1)).rev() {
            if rollout.outcomes[t] == Outcome::Continues && (t + 1) % rollout.n_steps != 0 {
                returns[t] += self.gamma * returns[t + 1];
            }
        }
        let inputs = Tensor::from_slice(
            &rollout.observations,
            (rollout.len(), rollout.observations.len() / rollout.len()),
            &Device::Cpu,
        );
        let inputs = inputs.map_err(SolverError::from)?;
        let loss = ChosenAction { actions: rollout.actions.discrete(), targets: &returns, weights: None, huber: None };
        let result = self.q.step(&inputs, &loss, StepContext::default());
        Ok(Learned { updates: vec![Update { network: "q", result }], metrics: vec![] })
    }

    fn policy_network(&self) -> Result<Snapshot, AgentError> {
        Ok(self.q.snapshot())
    }

    fn state(&self) -> State {
        self.q.state()
    }

    fn restore(&mut self, state: &State) -> Result<(), StateError> {
        self.q.restore(state)
    }
}

fn agent() -> AgentChoice {
    AgentChoice::custom("monte-carlo", MonteCarlo { gamma: 0.9, hidden: 8 }).unwrap()
}

fn config(env: &str) -> RunConfig {
    let run = RunSettings { steps: 2560, envs: 2, eval_every: Some(512), eval_episodes: 5, ..RunSettings::default() };
    RunConfig {
        run: RunSettings { env: env.parse().unwrap(), final_episodes: 5, ..run },
        agent: agent(),
        optimizer: OptimizerConfig::Egn(EgnConfig { lr: 0.3.into(), momentum: 0.5, ..EgnConfig::default() }),
        ..RunConfig::default()
    }
}

/// Presses Ctrl-C after some rollouts.
struct StopAfter<'a>(u64, &'a AtomicBool);

impl Callback for StopAfter<'_> {
    fn on_rollout(&mut self, _: &RolloutEvent<'_>) -> Result<Flow, TrainError> {
        self.0 = self.0.saturating_sub(1);
        self.1.store(self.0 == 0, Ordering::Relaxed);
        Ok(Flow::Continue(()))
    }

    fn on_evaluation(&mut self, _: &CurvePoint) -> Result<Flow, TrainError> {
        Ok(Flow::Continue(()))
    }
}

/// How a run of the corridor ends that is stopped after some rollouts.
fn go(records: &Path, rollouts: u64) -> Ended {
    let stop = AtomicBool::new(false);
    let execution = Execution::new(records, &stop);
    let mut watch = StopAfter(rollouts, &stop);
    run_in(&config("custom:Corridor"), &make_env, Some(1.0), &execution, &mut watch).unwrap().ended
}

/// Repeats the run of a record with `agent` in place of the one that the record names.
fn repeated(record: &Path, agent: AgentChoice) -> Verdict {
    let (folder, stop) = (tempfile::tempdir().unwrap(), AtomicBool::new(false));
    let config = RunConfig { agent, ..read_config(record).unwrap() };
    let (execution, mut watch) = (Execution::new(folder.path(), &stop), StopAfter(u64::MAX, &stop));
    verify_in(record, &config, &make_env, Some(1.0), &execution, &mut watch).unwrap().0
}

fn egn(args: &[&str], folder: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_egn")).args(args).current_dir(folder).output().unwrap()
}

#[test]
fn an_agent_of_ones_own_is_trained_stopped_resumed_verified_and_charted() {
    let [whole, parts] = [0, 1].map(|_| tempfile::tempdir().unwrap());
    assert_eq!(go(whole.path(), u64::MAX), Ended::Finished);
    for rollouts in [3, 6] {
        assert_eq!(go(parts.path(), rollouts), Ended::Stopped);
    }
    assert_eq!(go(parts.path(), u64::MAX), Ended::Finished);

    let [whole, resumed] = [&whole, &parts].map(|folder| dir_of(&config("custom:Corridor"), folder.path()));
    assert!(whole.ends_with("custom:Corridor/custom:monte-carlo/egn/seed-0"), "{}", whole.display());
    let written = fs::read_to_string(whole.join("config.toml")).unwrap();
    assert!(written.contains("agent = \"custom:monte-carlo\"") && written.contains("[agent]\ngamma = 0.9\nhidden = 8"));
    let summary = egn_train::record::Record::read(&whole).unwrap().summary.unwrap();
    assert_eq!(summary.final_evaluation.unwrap().mean, 1.0, "it has learned to walk to the right");

    // Against the run that never stopped, and against itself.
    for record in [&whole, &resumed] {
        assert_eq!(repeated(record, agent()), Verdict::Reproduced);
    }
    let other = AgentChoice::custom("monte-carlo", MonteCarlo { gamma: 0.5, hidden: 8 }).unwrap();
    let Verdict::Differs(files) = repeated(&whole, other) else { panic!("another agent reproduced the record") };
    assert!(files.contains(&"config.toml".to_owned()), "{files:?}");

    // The program knows the record, and not the agent.
    let records = parts.path();
    for args in [&["plot", "."][..], &["report", ".", "--html", "report.html"]] {
        let output = egn(args, records);
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    assert!(fs::read_to_string(records.join("report.html")).unwrap().contains("monte-carlo"));
    assert!(records.join("plots/custom-Corridor-custom-monte-carlo.svg").exists());
}

#[test]
fn the_program_says_which_agent_it_lacks() {
    let (folder, stop) = (tempfile::tempdir().unwrap(), AtomicBool::new(false));
    let mut config = config("CartPole-v1");
    config.run.steps = 512;
    let execution = Execution::new(folder.path(), &stop);
    run(&config, &execution, &mut StopAfter(u64::MAX, &stop)).unwrap();
    let record = dir_of(&config, folder.path()).display().to_string();
    let (file, out) = (format!("{record}/config.toml"), folder.path().join("policy.onnx").display().to_string());
    for args in [
        &["verify", &record][..],
        &["evaluate", &record],
        &["export", &record, "--format", "onnx", "--out", &out],
        &["train", "--config", &file, "--records", "elsewhere"],
        &["train", "--env", "CartPole-v1", "--agent", "custom:monte-carlo", "--optimizer", "egn"],
    ] {
        let output = egn(args, folder.path());
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {said}");
        assert!(said.contains("agent custom:monte-carlo is another program's"), "{args:?}: {said}");
    }
}
