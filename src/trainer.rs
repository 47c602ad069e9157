//! The training loop: collect, learn, evaluate.
//!
//! ```text
//! policy n ──► workers ──► rollout n ──► agent.learn ──► policy n+1 ──► …
//! ```
//!
//! A [`Callback`] sees every rollout and evaluation and may stop the run: the record is one, the
//! progress line another. Nothing here touches the disk.

use std::{
    collections::BTreeMap,
    ops::ControlFlow,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use egn_agents::{Agent, AgentError, Clock, Learned, Setting};
use egn_envs::Space;
use egn_solver::{Snapshot, SolverError};

use crate::{
    config::RunConfig,
    env_group::Environments,
    evaluation::{EvaluationError, TRAINING_SEED, greedy_returns, summarise},
    record::{CurvePoint, Ended, Evaluation, RecordError, Threshold},
    resources::Stopwatch,
    workers::{Episode, Task, WorkerError, Workers},
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
}

/// What is trained and where.
pub struct Trainer<'a> {
    /// All settings.
    pub config: &'a RunConfig,
    /// Makes the environments, of training and of evaluation; a function `Fn(usize) -> Result<Box<dyn
    /// Env>, EnvError>` from index to environment is one.
    pub environments: &'a dyn Environments,
    /// Mean return from which the task counts as solved.
    pub reward_threshold: Option<f64>,
    /// Threads that step environments.
    pub n_workers: usize,
    /// Set from outside, by Ctrl-C for one: the run stops, leaving out the rollout under way.
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
    /// The network that acts, as it is at the end.
    pub last: Snapshot,
    /// The network with the best evaluation, and that evaluation.
    pub best: Option<(Evaluation, Snapshot)>,
}

/// A run under way.
struct Run<'a> {
    trainer: &'a Trainer<'a>,
    agent: Box<dyn Agent>,
    watch: Stopwatch,
    clock: Clock,
    updates: u64,
    updates_failed: u64,
    /// Failed steps of each network since its last good one.
    failures_in_a_row: BTreeMap<&'static str, u64>,
    threshold: Option<Threshold>,
    best: Option<(Evaluation, Snapshot)>,
}

impl Trainer<'_> {
    /// Trains to the end, or until a callback, `stop` or a failure ends it.
    ///
    /// # Errors
    /// When the run cannot begin. A failure after that is in [`Trained::error`], with what was
    /// learned until then.
    pub fn train(&self, callbacks: &mut [&mut dyn Callback]) -> Result<Trained, TrainError> {
        let settings = &self.config.run;
        thread::scope(|scope| {
            let workers =
                Workers::start(scope, self.environments, settings.envs, self.n_workers, settings.seed, self.stop)?;
            let (observations, actions) = (workers.observation_space(), workers.action_space());
            let agent = build_agent(self.config, observations, actions)?;
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
            };
            let result = run.train(&workers, callbacks);
            run.into_trained(result)
        })
    }
}

/// The agent of a run, untrained.
///
/// # Errors
/// When it cannot act in these spaces.
pub fn build_agent(
    config: &RunConfig,
    observation_space: &Space,
    action_space: &Space,
) -> Result<Box<dyn Agent>, AgentError> {
    let RunConfig { run, optimizer, critic_optimizer, .. } = config;
    config.agent.build(&Setting {
        observation_space: observation_space.clone(),
        action_space: action_space.clone(),
        total_steps: run.steps,
        seed: run.seed,
        precision: run.precision,
        optimizer: optimizer.clone(),
        critic_optimizer: critic_optimizer.clone(),
    })
}

impl Run<'_> {
    fn train(&mut self, workers: &Workers, callbacks: &mut [&mut dyn Callback]) -> Result<Flow, TrainError> {
        if self.evaluate(callbacks)?.is_break() {
            return Ok(Flow::Break(()));
        }
        while self.clock.env_steps < self.clock.total_steps {
            if self.trainer.stop.load(Ordering::Relaxed) || self.advance(workers, callbacks)?.is_break() {
                return Ok(Flow::Break(()));
            }
        }
        let tried = self.updates + self.updates_failed;
        if tried > 0 { Ok(Flow::Continue(())) } else { Err(TrainError::Idle { env_steps: self.clock.env_steps }) }
    }

    /// One rollout, learned from; and an evaluation where one is due.
    fn advance(&mut self, workers: &Workers, callbacks: &mut [&mut dyn Callback]) -> Result<Flow, TrainError> {
        let settings = &self.trainer.config.run;
        let before = self.clock;
        let task = Task {
            policy: self.agent.policy()?,
            n_steps: self.agent.steps_per_rollout(),
            env_steps: before.env_steps,
            total_steps: before.total_steps,
        };
        let Some((rollout, episodes)) = workers.collect(&task)? else {
            return Ok(Flow::Break(()));
        };
        self.clock.env_steps += rollout.len() as u64;
        let learned = self.agent.learn(&rollout, self.clock)?;
        let stuck = self.count(&learned);
        let event =
            RolloutEvent { before, after: self.clock, n_envs: settings.envs, episodes: &episodes, learned: &learned };
        for callback in callbacks.iter_mut() {
            if callback.on_rollout(&event)?.is_break() {
                return Ok(Flow::Break(()));
            }
        }
        // After the callbacks, so that the record holds the steps that led there.
        stuck?;
        let every = settings.eval_every();
        let is_due = self.clock.env_steps / every > before.env_steps / every;
        if is_due || self.clock.env_steps >= self.clock.total_steps {
            return self.evaluate(callbacks);
        }
        Ok(Flow::Continue(()))
    }

    /// Counts steps that were taken and steps that failed.
    ///
    /// # Errors
    /// [`TrainError::Stuck`] when too many of one network failed in a row.
    fn count(&mut self, learned: &Learned) -> Result<(), TrainError> {
        let limit = self.trainer.config.run.max_failed_updates;
        for update in &learned.updates {
            let in_a_row = self.failures_in_a_row.entry(update.network).or_default();
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
            self.best = Some((evaluation, self.agent.policy_network()?));
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
        for callback in callbacks.iter_mut() {
            if callback.on_evaluation(&point)?.is_break() {
                return Ok(Flow::Break(()));
            }
        }
        Ok(Flow::Continue(()))
    }

    fn into_trained(self, result: Result<Flow, TrainError>) -> Result<Trained, TrainError> {
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
            last: self.agent.policy_network()?,
            best: self.best,
        })
    }
}
