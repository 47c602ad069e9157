//! What is trained and where, as the training loop is given it.

use std::{sync::atomic::AtomicBool, time::Duration};

use egn_agents::{Agent, AgentContext, AgentError, NormalizedAgent};
use egn_envs::Space;
use egn_solver::State;

use crate::{config::run_config::RunConfig, environments::group::Environments};

/// What lies between two checkpoints.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Interval {
    /// Environment steps, at least one; a rollout is not broken up.
    Steps(u64),
    /// Wall time.
    Wall(Duration),
}

/// Makes an agent for the spaces and optimizers of a run.
pub type MakeAgent<'a> = dyn Fn(&AgentContext) -> Result<Box<dyn Agent>, AgentError> + 'a;

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
    /// Networks of an earlier run ([`egn_agents::networks_of`]) that the agent starts from, where
    /// nothing is resumed.
    pub initial: Option<&'a State>,
    /// How often callbacks get the state of the run; never without it, else at the end, too.
    pub checkpoint_every: Option<Interval>,
    /// Set from outside, by Ctrl-C for one: the run stops after the present rollout.
    pub stop: &'a AtomicBool,
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
}

/// The agent of a run, untrained, behind a normalizer that has seen nothing.
///
/// # Errors
/// When it cannot act in these spaces.
pub fn build_agent(
    config: &RunConfig,
    observation_space: &Space,
    action_space: &Space,
) -> Result<NormalizedAgent, AgentError> {
    let agent = config.agent.settings().build(&agent_context(config, observation_space, action_space))?;
    Ok(normalized(config, agent, observation_space))
}

pub(super) fn normalized(config: &RunConfig, agent: Box<dyn Agent>, observation_space: &Space) -> NormalizedAgent {
    NormalizedAgent::new(agent, config.normalizer(observation_space.len()))
}

pub(super) fn agent_context(config: &RunConfig, observation_space: &Space, action_space: &Space) -> AgentContext {
    let RunConfig { run, optimizer, critic_optimizer, .. } = config;
    AgentContext {
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
