//! The training loop: collect, learn, evaluate.
//!
//! ```text
//! policy n ──► workers ──► rollout n ──► agent.learn ──► policy n+1 ──► …
//! ```
//!
//! With `run.overlap` the workers collect rollout n + 1 with policy n while the agent learns from rollout
//! n: the policy that acts is exactly one rollout behind, whatever is the faster.
//!
//! A [`Callback`] sees every rollout and evaluation and may stop the run: the record is one, the
//! progress line another. Nothing here touches the disk.
//!
//! # An agent of your own, and a callback
//!
//! ```
//! use std::{ops::ControlFlow, sync::Arc};
//!
//! use egn_agents::{Agent, AgentError, Clock, EpsilonGreedyPolicy, Learned, Policy, Rollout, Setting, Update};
//! use egn_rl::{config::RunConfig, record::CurvePoint, trainer::{Callback, Flow, RolloutEvent, TrainError, Trainer}};
//! use egn_solver::{Activation, Initialisation, Learner, Network, Snapshot, State, StateError, StepContext, loss::ChosenAction};
//!
//! /// Monte-Carlo control with one environment: regress the discounted rewards that followed, act on them.
//! struct MonteCarlo { q: Learner, width: usize }
//!
//! impl Agent for MonteCarlo {
//!     fn steps_per_rollout(&self) -> usize { 256 }
//!     fn policy(&self) -> Result<Arc<dyn Policy>, AgentError> {
//!         let q = self.q.snapshot()?;
//!         Ok(Arc::new(EpsilonGreedyPolicy { q, n_quantiles: 1, epsilon: 0.3.into(), random_before: 0.0 }))
//!     }
//!     fn learn(&mut self, rollout: &Rollout, _: Clock) -> Result<Learned, AgentError> {
//!         let mut returns = rollout.rewards.clone();
//!         for t in (0..returns.len() - 1).rev() {
//!             if !rollout.outcomes[t].is_end() { returns[t] += 0.95 * returns[t + 1]; }
//!         }
//!         let shape = (rollout.len(), self.width);
//!         let observations = candle_core::Tensor::from_slice(&rollout.observations, shape, &candle_core::Device::Cpu)
//!             .map_err(egn_solver::SolverError::from)?;
//!         let loss = ChosenAction { actions: rollout.actions.discrete(), targets: &returns, weights: None, huber: None };
//!         let result = self.q.step(&observations, &loss, StepContext::default());
//!         Ok(Learned { updates: vec![Update { network: "q", result }], metrics: vec![] })
//!     }
//!     fn policy_network(&self) -> Result<Snapshot, AgentError> { Ok(self.q.snapshot()?) }
//!     fn state(&self) -> State { self.q.state() }
//!     fn restore(&mut self, state: &State) -> Result<(), StateError> { self.q.restore(state) }
//! }
//!
//! /// Stops the run at a mean return.
//! struct StopAt(f64);
//!
//! impl Callback for StopAt {
//!     fn on_rollout(&mut self, _: &RolloutEvent<'_>) -> Result<Flow, TrainError> { Ok(ControlFlow::Continue(())) }
//!     fn on_evaluation(&mut self, point: &CurvePoint) -> Result<Flow, TrainError> {
//!         Ok(if point.mean >= self.0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
//!     }
//! }
//!
//! let config = RunConfig::from_toml(
//!     "run = { env = 'CartPole-v1', agent = 'dqn', optimizer = 'egn', steps = 50000 }\noptimizer = { lr = 0.3 }",
//! )?;
//! let opened = config.run.env.open(&config.env, None)?;
//! let monte_carlo = |setting: &Setting| -> Result<Box<dyn Agent>, AgentError> {
//!     let (width, rng) = (setting.observation_space.len(), &mut egn_envs::Pcg64::seed_from(setting.seed));
//!     let network = Network::mlp(&[width, 32, 2], Activation::Tanh);
//!     let q = Learner::new(network, Initialisation::Uniform, setting.precision, &setting.optimizer, rng)?;
//!     Ok(Box::new(MonteCarlo { q, width }))
//! };
//! let stop = false.into();
//! let trainer = Trainer::new(&config, &*opened.environments, &stop).with_agent(&monte_carlo);
//! let trained = trainer.train(&mut [&mut StopAt(150.0)])?;
//! assert!((1..50_000).contains(&trained.env_steps) && trained.best.expect("was evaluated").0.mean >= 150.0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::{
    collections::BTreeMap,
    ops::ControlFlow,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use egn_agents::{Agent, AgentError, Clock, Learned, NormalizedAgent, Setting, TrainedPolicy};
use egn_envs::Space;
use egn_solver::{SolverError, State, StateError};

use crate::{
    config::RunConfig,
    env_group::Environments,
    evaluation::{EvaluationError, TRAINING_SEED, greedy_returns, summarise},
    record::{CurvePoint, Ended, Evaluation, RecordError, Threshold},
    resources::Stopwatch,
    run::initial::Initial,
    workers::{Collected, Episode, Task, WorkerError, Workers},
};

/// Why a run broke off.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// An environment failed or panicked.
    #[error(transparent)]
    Worker(#[from] WorkerError),
    /// The agent cannot be made, or cannot go on.
    #[error(transparent)]
    Agent(#[from] AgentError),
    /// One of the agent's networks has long found no step: it learns nothing any more.
    #[error("{failures} steps of network '{network}' in a row changed nothing, the last because: {last}")]
    Stuck {
        /// The network.
        network: &'static str,
        /// Failed steps without one that succeeded.
        failures: u64,
        /// Why the last one failed.
        last: SolverError,
    },
    /// A run ended without a single step of an optimizer.
    #[error(
        "nothing was learned in {env_steps} environment steps: no optimizer step was due (is learning_starts too late?)"
    )]
    Idle {
        /// Environment steps of the run.
        env_steps: u64,
    },
    /// An evaluation failed.
    #[error(transparent)]
    Evaluation(#[from] EvaluationError),
    /// The record cannot be written.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// A saved state is not that of such a run.
    #[error("the checkpoint does not fit this run: {0}")]
    State(#[from] StateError),
}

/// What a callback answers: go on, or stop the run.
pub type Flow = ControlFlow<()>;

/// A rollout that has been learned from.
#[derive(Debug, Clone, Copy)]
pub struct RolloutEvent<'a> {
    /// Where the run stood before the rollout.
    pub before: Clock,
    /// Where it stands now.
    pub after: Clock,
    /// Environments.
    pub n_envs: usize,
    /// Episodes that ended, by time and environment.
    pub episodes: &'a [Episode],
    /// What the agent did with it.
    pub learned: &'a Learned,
}

/// Watches a run.
pub trait Callback {
    /// After every rollout.
    ///
    /// # Errors
    /// Ends the run as failed.
    fn on_rollout(&mut self, event: &RolloutEvent<'_>) -> Result<Flow, TrainError>;

    /// After every evaluation.
    ///
    /// # Errors
    /// Ends the run as failed.
    fn on_evaluation(&mut self, point: &CurvePoint) -> Result<Flow, TrainError>;

    /// When the run can be resumed from `state`, now and then; adds to it what it needs itself.
    ///
    /// # Errors
    /// Ends the run as failed.
    fn on_checkpoint(&mut self, _state: &mut State) -> Result<(), TrainError> {
        Ok(())
    }
}

/// Makes an agent for the spaces and optimizers of a run.
pub type MakeAgent<'a> = dyn Fn(&Setting) -> Result<Box<dyn Agent>, AgentError> + 'a;

/// What is trained and where.
pub struct Trainer<'a> {
    /// All settings.
    pub config: &'a RunConfig,
    /// Makes the environments, of training and of evaluation; a function `Fn(usize) -> Result<Box<dyn
    /// Env>, EnvError>` from index to environment is one.
    pub environments: &'a dyn Environments,
    /// Makes an agent of the caller's own, in place of the one that `config` names.
    pub agent: Option<&'a MakeAgent<'a>>,
    /// Mean return from which the task counts as solved.
    pub reward_threshold: Option<f64>,
    /// Threads that step environments.
    pub n_workers: usize,
    /// Where an earlier run of the same configuration stood, to go on from there.
    pub resume: Option<&'a State>,
    /// Networks of an earlier run that the agent starts from, where nothing is resumed.
    pub initial: Option<&'a Initial>,
    /// Wall time between two checkpoints, none without it; there is also one at the end.
    pub checkpoint_every: Option<Duration>,
    /// Set from outside, by Ctrl-C for one: the run stops after the present rollout.
    pub stop: &'a AtomicBool,
}

/// What came of a run.
#[derive(Debug)]
pub struct Trained {
    /// How it ended.
    pub ended: Ended,
    /// What broke it, when it failed.
    pub error: Option<String>,
    /// Environment steps, all environments together.
    pub env_steps: u64,
    /// Optimizer steps taken.
    pub updates: u64,
    /// Optimizer steps that failed and changed nothing.
    pub updates_failed: u64,
    /// CPU seconds of training, evaluations left out.
    pub cpu_seconds: f64,
    /// Wall seconds of training, evaluations left out.
    pub wall_seconds: f64,
    /// When the threshold was first reached.
    pub threshold: Option<Threshold>,
    /// The policy as it is at the end.
    pub last: TrainedPolicy,
    /// Where its actions lie.
    pub action_space: Space,
    /// The policy with the best evaluation, and that evaluation.
    pub best: Option<(Evaluation, TrainedPolicy)>,
    /// Environments whose episode could not be resumed and was begun anew.
    pub restarted: Vec<usize>,
}

/// A run under way.
struct Run<'a> {
    trainer: &'a Trainer<'a>,
    agent: NormalizedAgent,
    watch: Stopwatch,
    clock: Clock,
    updates: u64,
    updates_failed: u64,
    /// Failed steps of each network since its last good one.
    failures_in_a_row: BTreeMap<String, u64>,
    threshold: Option<Threshold>,
    best: Option<(Evaluation, TrainedPolicy)>,
    /// Collected while the agent learned from the rollout before.
    ahead: Option<Collected>,
    /// None before the first: that is due at once.
    last_checkpoint: Option<Instant>,
}

impl<'a> Trainer<'a> {
    /// On one thread, without checkpoints.
    pub fn new(config: &'a RunConfig, environments: &'a dyn Environments, stop: &'a AtomicBool) -> Self {
        let (agent, reward_threshold, resume, initial, checkpoint_every) = (None, None, None, None, None);
        Self { config, environments, agent, reward_threshold, n_workers: 1, resume, initial, checkpoint_every, stop }
    }

    /// The same with an agent of the caller's own.
    pub fn with_agent(self, make: &'a MakeAgent<'a>) -> Self {
        Self { agent: Some(make), ..self }
    }

    /// Trains to the end, or until a callback, `stop` or a failure ends it.
    ///
    /// # Errors
    /// When the run cannot begin. A failure after that is in [`Trained::error`], with what was
    /// learned until then.
    pub fn train(&self, callbacks: &mut [&mut dyn Callback]) -> Result<Trained, TrainError> {
        let settings = &self.config.run;
        thread::scope(|scope| {
            let saved = self.resume.map(|state| state.part("workers"));
            let n_workers = self.n_workers;
            let workers =
                Workers::start(scope, self.environments, settings.envs, n_workers, settings.seed, saved.as_ref())?;
            let (observations, actions) = (workers.observation_space(), workers.action_space());
            let agent = match self.agent {
                None => build_agent(self.config, observations, actions)?,
                Some(make) => {
                    normalized(self.config, make(&setting(self.config, observations, actions))?, observations)
                }
            };
            let mut run = Run {
                trainer: self,
                agent,
                watch: Stopwatch::start(),
                clock: Clock { env_steps: 0, total_steps: settings.steps },
                updates: 0,
                updates_failed: 0,
                failures_in_a_row: BTreeMap::new(),
                threshold: None,
                best: None,
                ahead: None,
                last_checkpoint: self.resume.map(|_| Instant::now()),
            };
            match (self.resume, self.initial) {
                (Some(state), _) => run.restore(state, observations.len(), actions)?,
                (None, Some(initial)) => initial.start(&mut run.agent)?,
                (None, None) => {}
            }
            let restarted = workers.restarted().to_vec();
            run.agent.forget_episodes(&restarted);
            let result = run.train(&workers, callbacks);
            run.into_trained(result, restarted, actions.clone())
        })
    }
}

/// The agent of a run, untrained, behind a normaliser that has seen nothing.
///
/// # Errors
/// When it cannot act in these spaces.
pub fn build_agent(
    config: &RunConfig,
    observation_space: &Space,
    action_space: &Space,
) -> Result<NormalizedAgent, AgentError> {
    let agent = config.agent.build(&setting(config, observation_space, action_space))?;
    Ok(normalized(config, agent, observation_space))
}

fn normalized(config: &RunConfig, agent: Box<dyn Agent>, observation_space: &Space) -> NormalizedAgent {
    NormalizedAgent::new(agent, config.normalizer(observation_space.len()))
}

fn setting(config: &RunConfig, observation_space: &Space, action_space: &Space) -> Setting {
    let RunConfig { run, optimizer, critic_optimizer, .. } = config;
    Setting {
        observation_space: observation_space.clone(),
        action_space: action_space.clone(),
        total_steps: run.steps,
        seed: run.seed,
        precision: run.precision,
        optimizer: optimizer.clone(),
        critic_optimizer: critic_optimizer.clone(),
        linear_quadratic: run.env.linear_quadratic(),
    }
}

impl Run<'_> {
    fn train(&mut self, workers: &Workers, callbacks: &mut [&mut dyn Callback]) -> Result<Flow, TrainError> {
        let mut flow = if self.clock.env_steps == 0 { self.evaluate(callbacks)? } else { Flow::Continue(()) };
        while flow.is_continue() && self.clock.env_steps < self.clock.total_steps {
            flow = if self.trainer.stop.load(Ordering::Relaxed) {
                Flow::Break(())
            } else {
                self.advance(workers, callbacks)?
            };
            self.checkpoint(workers, callbacks, flow)?;
        }
        let tried = self.updates + self.updates_failed;
        if tried > 0 || flow.is_break() { Ok(flow) } else { Err(TrainError::Idle { env_steps: self.clock.env_steps }) }
    }

    /// Hands the state of the run to the callbacks where that is due.
    fn checkpoint(
        &mut self,
        workers: &Workers,
        callbacks: &mut [&mut dyn Callback],
        flow: Flow,
    ) -> Result<(), TrainError> {
        let Some(every) = self.trainer.checkpoint_every else { return Ok(()) };
        let is_over = flow.is_break() || self.clock.env_steps >= self.clock.total_steps;
        if !is_over && self.last_checkpoint.is_some_and(|last| last.elapsed() < every) {
            return Ok(());
        }
        let mut state = self.state();
        state.put_part("workers", workers.state());
        for callback in callbacks.iter_mut() {
            callback.on_checkpoint(&mut state)?;
        }
        self.last_checkpoint = Some(Instant::now());
        Ok(())
    }

    /// All that the rest of the run depends on, its environments aside.
    fn state(&self) -> State {
        let mut state = State::default();
        state.put_part("agent", self.agent.state());
        state.put("counters", &[self.clock.env_steps, self.updates, self.updates_failed]);
        let (cpu_seconds, wall_seconds) = self.watch.read();
        state.put("seconds", &[cpu_seconds, wall_seconds]);
        for (network, failures) in &self.failures_in_a_row {
            state.put(&format!("failures/{network}"), &[*failures]);
        }
        let threshold = self.threshold.map(|t| [t.threshold_return, t.env_steps as f64, t.cpu_seconds]);
        state.put("threshold", threshold.as_slice().as_flattened());
        if let Some((evaluation, policy)) = &self.best {
            let Evaluation { env_steps, episodes, mean, std, min, max } = *evaluation;
            state.put("best/evaluation", &[env_steps as f64, episodes as f64, mean, std, min, max]);
            state.put_part("best", policy.state());
        }
        if let Some(ahead) = &self.ahead {
            state.put_part("ahead", ahead.state());
        }
        state
    }

    fn restore(&mut self, state: &State, width: usize, actions: &Space) -> Result<(), TrainError> {
        self.agent.restore(&state.part("agent"))?;
        let counters = state.get_all::<u64>("counters", 3)?;
        (self.clock.env_steps, self.updates, self.updates_failed) = (counters[0], counters[1], counters[2]);
        let seconds = state.get_all::<f64>("seconds", 2)?;
        self.watch = Stopwatch::resume((seconds[0], seconds[1]));
        let failures = state.part("failures");
        for network in failures.names() {
            self.failures_in_a_row.insert(network.to_owned(), failures.number(network)?);
        }
        self.threshold = match state.get_grown::<f64>("threshold", 3)?[..] {
            [threshold_return, env_steps, cpu_seconds] => {
                Some(Threshold { threshold_return, env_steps: env_steps as u64, cpu_seconds })
            }
            _ => None,
        };
        let best = state.get_all::<f64>("best/evaluation", 6)?;
        let evaluation = Evaluation {
            env_steps: best[0] as u64,
            episodes: best[1] as u64,
            mean: best[2],
            std: best[3],
            min: best[4],
            max: best[5],
        };
        self.best = Some((evaluation, self.agent.trained_policy()?.restored(&state.part("best"))?));
        let ahead = state.part("ahead");
        if ahead.names().next().is_some() {
            self.ahead = Some(Collected::from_state(&ahead, width, actions)?);
        }
        Ok(())
    }

    /// One rollout, learned from; and an evaluation where one is due.
    fn advance(&mut self, workers: &Workers, callbacks: &mut [&mut dyn Callback]) -> Result<Flow, TrainError> {
        let settings = &self.trainer.config.run;
        let before = self.clock;
        let Collected { rollout, episodes } = match self.ahead.take() {
            Some(ahead) => ahead,
            None => {
                workers.begin(&self.task()?);
                workers.finish()?
            }
        };
        self.clock.env_steps += rollout.len() as u64;
        let overlaps = settings.overlap && self.clock.env_steps < self.clock.total_steps;
        if overlaps {
            workers.begin(&self.task()?);
        }
        let learned = self.agent.learn(rollout, self.clock)?;
        if overlaps {
            self.ahead = Some(workers.finish()?);
        }
        let stuck = self.count(&learned);
        let event =
            RolloutEvent { before, after: self.clock, n_envs: settings.envs, episodes: &episodes, learned: &learned };
        let mut flow = Flow::Continue(());
        for callback in callbacks.iter_mut() {
            flow = either(flow, callback.on_rollout(&event)?);
        }
        // After the callbacks, so that the record holds the steps that led there.
        stuck?;
        let every = settings.eval_every();
        let is_due = self.clock.env_steps / every > before.env_steps / every;
        if is_due || self.clock.env_steps >= self.clock.total_steps {
            flow = either(flow, self.evaluate(callbacks)?);
        }
        Ok(flow)
    }

    /// A rollout with the policy as it is now.
    fn task(&self) -> Result<Task, AgentError> {
        Ok(Task {
            policy: self.agent.policy()?,
            n_steps: self.agent.steps_per_rollout(),
            env_steps: self.clock.env_steps,
            total_steps: self.clock.total_steps,
        })
    }

    /// Counts steps that were taken and steps that failed.
    ///
    /// # Errors
    /// [`TrainError::Stuck`] when too many of one network failed in a row.
    fn count(&mut self, learned: &Learned) -> Result<(), TrainError> {
        let limit = self.trainer.config.run.max_failed_updates;
        for update in &learned.updates {
            if !self.failures_in_a_row.contains_key(update.network) {
                self.failures_in_a_row.insert(update.network.to_owned(), 0);
            }
            let Some(in_a_row) = self.failures_in_a_row.get_mut(update.network) else { continue };
            match &update.result {
                Ok(_) => {
                    self.updates += 1;
                    *in_a_row = 0;
                }
                Err(error) => {
                    self.updates_failed += 1;
                    *in_a_row += 1;
                    if *in_a_row >= limit {
                        let (network, failures) = (update.network, *in_a_row);
                        return Err(TrainError::Stuck { network, failures, last: error.clone() });
                    }
                }
            }
        }
        Ok(())
    }

    fn evaluate(&mut self, callbacks: &mut [&mut dyn Callback]) -> Result<Flow, TrainError> {
        let (cpu_seconds, wall_seconds) = self.watch.read();
        let policy = self.agent.policy()?;
        let n_episodes = self.trainer.config.run.eval_episodes;
        let environments = self.trainer.environments;
        let returns = self.watch.paused(|| greedy_returns(environments, &*policy, n_episodes, TRAINING_SEED))?;
        let evaluation = summarise(self.clock.env_steps, &returns);
        // Of equals the later one, which has learned from more.
        if self.best.as_ref().is_none_or(|(best, _)| evaluation.mean >= best.mean) {
            self.best = Some((evaluation, self.agent.trained_policy()?));
        }
        if let Some(threshold_return) = self.trainer.reward_threshold
            && self.threshold.is_none()
            // What an untrained network reaches by luck says nothing of how it learns.
            && self.clock.env_steps > 0
            && evaluation.mean >= threshold_return
        {
            self.threshold = Some(Threshold { threshold_return, env_steps: self.clock.env_steps, cpu_seconds });
        }
        let point = CurvePoint::new(evaluation, cpu_seconds, wall_seconds);
        let mut flow = Flow::Continue(());
        for callback in callbacks.iter_mut() {
            flow = either(flow, callback.on_evaluation(&point)?);
        }
        Ok(flow)
    }

    fn into_trained(
        self,
        result: Result<Flow, TrainError>,
        restarted: Vec<usize>,
        action_space: Space,
    ) -> Result<Trained, TrainError> {
        let (cpu_seconds, wall_seconds) = self.watch.read();
        let (ended, error) = match result {
            Ok(Flow::Continue(())) => (Ended::Finished, None),
            Ok(Flow::Break(())) => (Ended::Stopped, None),
            Err(error) => (Ended::Failed, Some(error.to_string())),
        };
        Ok(Trained {
            ended,
            error,
            env_steps: self.clock.env_steps,
            updates: self.updates,
            updates_failed: self.updates_failed,
            cpu_seconds,
            wall_seconds,
            threshold: self.threshold,
            last: self.agent.trained_policy()?,
            action_space,
            best: self.best,
            restarted,
        })
    }
}

/// Every callback is asked; one that says stop is enough.
fn either(a: Flow, b: Flow) -> Flow {
    if a.is_break() { a } else { b }
}
