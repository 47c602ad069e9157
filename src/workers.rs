//! Worker threads that step environments.
//!
//! ```text
//! trainer ── policy snapshot (Arc) ──► bounded channel ──► worker: act, step, for its own groups
//! trainer ◄── segments, one a group ── bounded channel ◄──
//! ```
//!
//! *Design.* Environments live in groups of [`GROUP_SIZE`], whatever the number of workers, and a
//! group is acted for in one batch: matrix shapes, and so every rounding, are the same however the
//! groups are spread over threads. Each environment has its own random streams. Segments are put
//! together in environment order. Hence the same record for any number of workers.

use std::{
    any::Any,
    cell::Cell,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread::{self, Scope},
};

use crossbeam::channel::{Receiver, Sender, bounded};
use egn_agents::{Actions, AgentError, Mode, Policy, Purpose, Rollout, Stream, stream};
use egn_envs::{Env, EnvError, Outcome, Space};

/// Environments that are acted for in one batch.
pub const GROUP_SIZE: usize = 4;

/// Makes environment number i of a run.
pub type MakeEnv<'a> = dyn Fn(usize) -> Result<Box<dyn Env>, EnvError> + Sync + 'a;

/// What stepping an environment can end in.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("environment {env} (run seed {seed}) failed: {message}")]
pub struct WorkerError {
    /// Index of the environment.
    pub env: usize,
    /// Seed of the run.
    pub seed: u64,
    /// The environment's error, or what it panicked with.
    pub message: String,
}

/// An episode that ended in a rollout.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Episode {
    /// Index of the environment.
    pub env: usize,
    /// Step of the rollout at which it ended, from 0.
    pub step: usize,
    /// Steps.
    pub length: u64,
    /// Sum of its rewards.
    pub episode_return: f64,
    /// Why it ended.
    pub outcome: Outcome,
}

/// What workers are asked for.
#[derive(Clone)]
pub struct Task {
    /// Who acts.
    pub policy: Arc<dyn Policy>,
    /// Steps of each environment.
    pub n_steps: usize,
    /// Environment steps before this task, all environments together.
    pub env_steps: u64,
    /// Environment steps of the whole run.
    pub total_steps: u64,
}

/// Environments on worker threads.
pub struct Workers {
    tasks: Vec<Sender<Task>>,
    segments: Receiver<Result<Segment, WorkerError>>,
    n_groups: usize,
    n_envs: usize,
    action_space: Space,
}

/// What one group lived through.
struct Segment {
    group: usize,
    rollout: Rollout,
    episodes: Vec<Episode>,
}

impl Workers {
    /// Makes all environments and starts at most `n_workers` threads in `scope`; they end when this
    /// is dropped.
    ///
    /// # Errors
    /// When an environment cannot be made or reset.
    pub fn start<'scope, 'env>(
        scope: &'scope Scope<'scope, 'env>,
        make_env: &MakeEnv<'_>,
        n_envs: usize,
        n_workers: usize,
        seed: u64,
    ) -> Result<Self, WorkerError> {
        let groups: Vec<Group> = (0..n_envs)
            .step_by(GROUP_SIZE)
            .map(|first| Group::new(make_env, first, GROUP_SIZE.min(n_envs - first), n_envs, seed))
            .collect::<Result<_, _>>()?;
        let n_groups = groups.len();
        let action_space = groups[0].slots[0].env.action_space().clone();
        let n_workers = n_workers.clamp(1, n_groups);
        let mut shares: Vec<Vec<Group>> = (0..n_workers).map(|_| Vec::new()).collect();
        for (i, group) in groups.into_iter().enumerate() {
            shares[i % n_workers].push(group);
        }
        let (sender, segments) = bounded(n_groups);
        let tasks = shares
            .into_iter()
            .map(|share| {
                let (task_sender, tasks) = bounded(1);
                let sender = sender.clone();
                scope.spawn(move || work(share, &tasks, &sender));
                task_sender
            })
            .collect();
        Ok(Self { tasks, segments, n_groups, n_envs, action_space })
    }

    /// Steps every environment; the rollout and the episodes that ended are in environment order,
    /// whichever worker was first.
    ///
    /// # Errors
    /// The failure of the environment with the lowest index, if any fails.
    pub fn collect(&self, task: &Task) -> Result<(Rollout, Vec<Episode>), WorkerError> {
        for sender in &self.tasks {
            // A worker that is gone has reported why; the segments below say it.
            let _ = sender.send(task.clone());
        }
        let mut segments = Vec::with_capacity(self.n_groups);
        let mut failures = Vec::new();
        for _ in 0..self.n_groups {
            match self.segments.recv() {
                Ok(Ok(segment)) => segments.push(segment),
                Ok(Err(failure)) => failures.push(failure),
                Err(_) => break,
            }
        }
        if let Some(failure) = failures.into_iter().min_by_key(|failure| failure.env) {
            return Err(failure);
        }
        segments.sort_by_key(|segment| segment.group);
        let mut rollout = Rollout::empty(task.n_steps, &self.action_space);
        let mut episodes = Vec::new();
        for segment in &segments {
            rollout.append(&segment.rollout);
            episodes.extend_from_slice(&segment.episodes);
        }
        assert_eq!(rollout.n_envs, self.n_envs, "environments heard from");
        episodes.sort_by_key(|episode| (episode.step, episode.env));
        Ok((rollout, episodes))
    }
}

/// A worker's life: every task, for each of its groups.
fn work(mut groups: Vec<Group>, tasks: &Receiver<Task>, segments: &Sender<Result<Segment, WorkerError>>) {
    for task in tasks {
        for group in &mut groups {
            if segments.send(group.collect(&task)).is_err() {
                return;
            }
        }
    }
}

/// Environments that are acted for together.
struct Group {
    index: usize,
    first_env: usize,
    n_envs_of_run: usize,
    seed: u64,
    slots: Vec<Slot>,
    exploration: Vec<Stream>,
    /// What each environment shows now, (group, observation).
    observations: Vec<f32>,
    width: usize,
}

/// One environment and its present episode.
struct Slot {
    env: Box<dyn Env>,
    rng: Stream,
    length: u64,
    episode_return: f64,
}

/// Why a segment broke off.
enum Broken {
    Env(EnvError),
    Agent(AgentError),
}

impl From<EnvError> for Broken {
    fn from(error: EnvError) -> Self {
        Self::Env(error)
    }
}

impl From<AgentError> for Broken {
    fn from(error: AgentError) -> Self {
        Self::Agent(error)
    }
}

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Env(error) => error.fmt(f),
            Self::Agent(error) => error.fmt(f),
        }
    }
}

impl Group {
    fn new(
        make_env: &MakeEnv<'_>,
        first_env: usize,
        size: usize,
        n_envs_of_run: usize,
        seed: u64,
    ) -> Result<Self, WorkerError> {
        let mut group = Self {
            index: first_env / GROUP_SIZE,
            first_env,
            n_envs_of_run,
            seed,
            slots: Vec::with_capacity(size),
            exploration: Vec::with_capacity(size),
            observations: Vec::new(),
            width: 0,
        };
        for env in first_env..first_env + size {
            // A panic here is a failure of this environment as much as one in a step.
            let made = catch_unwind(AssertUnwindSafe(|| -> Result<_, EnvError> {
                let mut rng = stream(seed, Purpose::Environment, env as u64);
                let mut slot = make_env(env)?;
                let mut observation = vec![0.0; slot.observation_space().len()];
                slot.reset(&mut rng, &mut observation)?;
                Ok((Slot { env: slot, rng, length: 0, episode_return: 0.0 }, observation))
            }));
            let (slot, observation) = match made {
                Ok(Ok(made)) => made,
                Ok(Err(error)) => return Err(WorkerError { env, seed, message: error.to_string() }),
                Err(panic) => return Err(WorkerError { env, seed, message: panic_message(&*panic) }),
            };
            group.width = observation.len();
            group.observations.extend(observation);
            group.slots.push(slot);
            group.exploration.push(stream(seed, Purpose::Exploration, env as u64));
        }
        Ok(group)
    }

    fn collect(&mut self, task: &Task) -> Result<Segment, WorkerError> {
        let seed = self.seed;
        let current = Cell::new(self.first_env);
        let failure = |message| WorkerError { env: current.get(), seed, message };
        match catch_unwind(AssertUnwindSafe(|| self.step_all(task, &current))) {
            Ok(Ok(segment)) => Ok(segment),
            Ok(Err(broken)) => Err(failure(broken.to_string())),
            Err(panic) => Err(failure(panic_message(&*panic))),
        }
    }

    /// `current` follows the environment being stepped.
    fn step_all(&mut self, task: &Task, current: &Cell<usize>) -> Result<Segment, Broken> {
        let (size, width) = (self.slots.len(), self.width);
        let space = self.slots[0].env.action_space().clone();
        let n = size * task.n_steps;
        let mut rollout = Rollout {
            n_envs: size,
            n_steps: task.n_steps,
            observations: vec![0.0; n * width],
            actions: Actions::none(&space),
            rewards: vec![0.0; n],
            next_observations: vec![0.0; n * width],
            outcomes: vec![Outcome::Continues; n],
        };
        // Actions come step by step and are wanted environment by environment.
        let mut by_env: Vec<Actions> = (0..size).map(|_| Actions::none(&space)).collect();
        let mut actions = Actions::none(&space);
        let mut episodes = Vec::new();
        for t in 0..task.n_steps {
            let env_steps = task.env_steps + (t * self.n_envs_of_run) as u64;
            let mode = Mode::Explore { progress: env_steps as f64 / task.total_steps as f64 };
            actions.clear();
            task.policy.act(&self.observations, mode, &mut self.exploration, &mut actions)?;
            for (i, slot) in self.slots.iter_mut().enumerate() {
                current.set(self.first_env + i);
                by_env[i].push_from(&actions, i);
                let row = i * task.n_steps + t;
                let observation = &mut self.observations[i * width..(i + 1) * width];
                rollout.observations[row * width..(row + 1) * width].copy_from_slice(observation);
                let step = slot.env.step(actions.get(i), &mut slot.rng, observation)?;
                rollout.next_observations[row * width..(row + 1) * width].copy_from_slice(observation);
                rollout.rewards[row] = step.reward;
                rollout.outcomes[row] = step.outcome();
                slot.length += 1;
                slot.episode_return += step.reward;
                if step.outcome().is_end() {
                    episodes.push(Episode {
                        env: self.first_env + i,
                        step: t,
                        length: slot.length,
                        episode_return: slot.episode_return,
                        outcome: step.outcome(),
                    });
                    (slot.length, slot.episode_return) = (0, 0.0);
                    slot.env.reset(&mut slot.rng, observation)?;
                }
            }
        }
        by_env.iter().for_each(|actions| rollout.actions.extend(actions));
        Ok(Segment { group: self.index, rollout, episodes })
    }
}

/// The text that a panic carries.
fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    format!("panicked: {}", text.unwrap_or_else(|| "without a message".to_owned()))
}

/// Cores of this machine, 1 when unknown.
pub fn n_cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}
