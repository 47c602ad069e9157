//! What is trained and where, and what comes of it.

use std::{ops::ControlFlow, sync::atomic::AtomicBool, thread, time::Duration};

use egn_agents::{Agent, AgentError, Clock, Learned, NormalizedAgent, Setting, TrainedPolicy};
use egn_envs::Space;
use egn_solver::{SolverError, State, StateError};

use crate::{
    config::run_config::RunConfig,
    environments::group::Environments,
    record::{
        contents::{CurvePoint, Ended, Evaluation, Threshold},
        reader::RecordError,
    },
    trainer::{evaluation::EvaluationError, training::Training},
    workers::pool::{Episode, WorkerError, Workers},
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
        /// Failed steps without one that was taken.
        failures: u64,
        /// Why the last one failed.
        last: SolverError,
    },
    /// A run ended without a single step of an optimizer.
    #[error(
        "nothing was learned in {env_steps} environment steps: the agent waits for more of them, or for whole episodes"
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
    /// A callback could not do its work.
    #[error(transparent)]
    Callback(Box<dyn std::error::Error + Send + Sync>),
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

    /// When an evaluation was the best so far, with the policy that was judged.
    ///
    /// # Errors
    /// Ends the run as failed.
    fn on_best(&mut self, _policy: &TrainedPolicy) -> Result<(), TrainError> {
        Ok(())
    }

    /// When the run can be resumed from `state`, now and then; adds to it what it needs itself.
    ///
    /// # Errors
    /// Ends the run as failed.
    fn on_checkpoint(&mut self, _state: &mut State) -> Result<(), TrainError> {
        Ok(())
    }
}

/// What lies between two checkpoints.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Interval {
    /// Environment steps, at least one; a rollout is not broken up.
    Steps(u64),
    /// Wall time.
    Wall(Duration),
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
    /// Networks of an earlier run ([`egn_agents::networks_of`]) that the agent starts from, where nothing is
    /// resumed.
    pub initial: Option<&'a State>,
    /// How often callbacks get the state of the run; never without it, else at the end, too.
    pub checkpoint_every: Option<Interval>,
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
    /// Optimizer steps that changed nothing: none was found, or it was taken back.
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
    pub restarted: Vec<u64>,
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
            let mut training = Training::begin(self, agent, &workers)?;
            let result = training.train(&workers, callbacks);
            training.into_trained(result, &workers)
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
