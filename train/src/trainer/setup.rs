//! What is trained and where, as the training loop is given it.

use std::{sync::atomic::AtomicBool, time::Duration};

use egn_agents::{AgentConfig, AgentContext, AgentError, NormalizedAgent, lqr_pi::LqrPi};
use egn_envs::Space;
use egn_solver::State;

use crate::{
    config::{agent_choice::AgentChoice, run_config::RunConfig},
    environments::group::Environments,
};

/// What lies between two checkpoints.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Interval {
    /// Environment steps, at least one; a rollout is not broken up.
    Steps(u64),
    /// Wall time.
    Wall(Duration),
}

/// A trainer: what is trained, where, and how often it is saved.
pub struct Trainer<'a> {
    /// All settings.
    pub config: &'a RunConfig,
    /// Makes the environments, of training and of evaluation; a function
    /// `Fn(usize) -> Result<Box<dyn Env>, EnvError>` from index to environment is one.
    pub environments: &'a dyn Environments,
    /// Mean return from which the task counts as solved.
    pub reward_threshold: Option<f64>,
    /// Threads that step environments.
    pub n_workers: usize,
    /// Where an earlier run of the same configuration stood, to go on from there.
    pub resume: Option<&'a State>,
    /// Networks of an earlier run ([`egn_agents::networks_of`]) that the agent starts from, where
    /// nothing is resumed.
    pub initial: Option<&'a State>,
    /// How often callbacks get the state of the run, which they then get at its end, too; `None` is
    /// never.
    pub checkpoint_every: Option<Interval>,
    /// Flag set from outside, for example by Ctrl-C: the run stops after the present rollout.
    pub stop: &'a AtomicBool,
}

impl<'a> Trainer<'a> {
    /// A trainer on one thread, without checkpoints.
    pub fn new(config: &'a RunConfig, environments: &'a dyn Environments, stop: &'a AtomicBool) -> Self {
        let (reward_threshold, resume, initial, checkpoint_every) = (None, None, None, None);
        Self { config, environments, reward_threshold, n_workers: 1, resume, initial, checkpoint_every, stop }
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
    let RunConfig { run, optimizer, .. } = config;
    let context = AgentContext {
        observation_space: observation_space.clone(),
        action_space: action_space.clone(),
        total_steps: run.steps,
        seed: run.seed,
        precision: run.precision,
        optimizer: optimizer.clone(),
        critic_optimizer: config.critic_optimizer().clone(),
    };
    let agent = match (&config.agent, run.env.linear_quadratic()) {
        (AgentChoice::BuiltIn(AgentConfig::LqrPi(settings)), Some(problem)) => {
            Box::new(LqrPi::new(settings.clone(), &context)?.with_optimum_of(problem))
        }
        (agent, _) => agent.settings()?.build(&context)?,
    };
    Ok(NormalizedAgent::new(agent, config.normalizer(observation_space.len())?))
}
