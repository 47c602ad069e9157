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
//! together in environment order. Hence the same record for any number of workers. A group of
//! Gymnasium's environments is one child process, and one round trip a step.

use std::{
    ops::Range,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, Scope},
};

use crossbeam::channel::{Receiver, Sender, bounded};
use egn_agents::{Actions, AgentError, Mode, Policy, Purpose, Rollout, Stream, stream};
use egn_envs::{Outcome, Space, Step};

use crate::env_group::{Draws, EnvGroup, Environments, GroupError, NO_STEP, panic_message};

/// Environments that are acted for in one batch.
pub const GROUP_SIZE: usize = 4;

/// What stepping environments can end in.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{} (run seed {seed}) failed: {message}", named(envs))]
pub struct WorkerError {
    /// Indices: of one environment, or of all that share a policy or a child process that failed.
    pub envs: Range<usize>,
    /// Seed of the run.
    pub seed: u64,
    /// The environment's error, or what it panicked with.
    pub message: String,
}

fn named(envs: &Range<usize>) -> String {
    match envs.len() {
        1 => format!("environment {}", envs.start),
        _ => format!("environments {} to {}", envs.start, envs.end.saturating_sub(1)),
    }
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
    segments: Receiver<Result<Option<Segment>, WorkerError>>,
    n_groups: usize,
    n_envs: usize,
    observation_space: Space,
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
    /// is dropped. Once `stop` is set they break off.
    ///
    /// # Errors
    /// When an environment cannot be made or reset.
    pub fn start<'scope, 'env>(
        scope: &'scope Scope<'scope, 'env>,
        environments: &dyn Environments,
        n_envs: usize,
        n_workers: usize,
        seed: u64,
        stop: &'env AtomicBool,
    ) -> Result<Self, WorkerError> {
        let groups: Vec<Group> = (0..n_envs)
            .step_by(GROUP_SIZE)
            .map(|first| Group::new(environments, first, GROUP_SIZE.min(n_envs - first), n_envs, seed))
            .collect::<Result<_, _>>()?;
        let n_groups = groups.len();
        let first = &groups[0].envs;
        let (observation_space, action_space) = (first.observation_space().clone(), first.action_space().clone());
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
                scope.spawn(move || work(share, &tasks, &sender, stop));
                task_sender
            })
            .collect();
        Ok(Self { tasks, segments, n_groups, n_envs, observation_space, action_space })
    }

    /// Where observations lie.
    pub fn observation_space(&self) -> &Space {
        &self.observation_space
    }

    /// Where actions lie.
    pub fn action_space(&self) -> &Space {
        &self.action_space
    }

    /// Steps every environment; the rollout and the episodes that ended are in environment order,
    /// whichever worker was first. `None` when the run was stopped: part of a rollout is none.
    ///
    /// # Errors
    /// The failure of the environment with the lowest index, if any fails.
    pub fn collect(&self, task: &Task) -> Result<Option<(Rollout, Vec<Episode>)>, WorkerError> {
        for sender in &self.tasks {
            // A worker that is gone has reported why; the segments below say it.
            let _ = sender.send(task.clone());
        }
        let mut segments = Vec::with_capacity(self.n_groups);
        let mut failures = Vec::new();
        for _ in 0..self.n_groups {
            match self.segments.recv() {
                Ok(Ok(segment)) => segments.extend(segment),
                Ok(Err(failure)) => failures.push(failure),
                Err(_) => break,
            }
        }
        if let Some(failure) = failures.into_iter().min_by_key(|failure| failure.envs.start) {
            return Err(failure);
        }
        if segments.len() < self.n_groups {
            return Ok(None);
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
        Ok(Some((rollout, episodes)))
    }
}

/// A worker's life: every task, for each of its groups.
fn work(
    mut groups: Vec<Group>,
    tasks: &Receiver<Task>,
    segments: &Sender<Result<Option<Segment>, WorkerError>>,
    stop: &AtomicBool,
) {
    for task in tasks {
        for group in &mut groups {
            if segments.send(group.collect(&task, stop)).is_err() {
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
    envs: Box<dyn EnvGroup>,
    /// All indices of the group.
    everyone: Vec<usize>,
    exploration: Vec<Stream>,
    /// What each environment shows now, (group, observation).
    observations: Vec<f32>,
    /// What the last step of each environment brought.
    steps: Vec<Step>,
    episodes: Vec<Tally>,
}

/// An episode so far.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    length: u64,
    episode_return: f64,
}

/// Why a segment broke off.
enum Broken {
    Env(GroupError),
    Agent(AgentError),
}

impl From<GroupError> for Broken {
    fn from(error: GroupError) -> Self {
        Self::Env(error)
    }
}

impl From<AgentError> for Broken {
    fn from(error: AgentError) -> Self {
        Self::Agent(error)
    }
}

impl Group {
    fn new(
        environments: &dyn Environments,
        first_env: usize,
        size: usize,
        n_envs_of_run: usize,
        seed: u64,
    ) -> Result<Self, WorkerError> {
        let streams = |purpose| (0..size).map(move |i| stream(seed, purpose, (first_env + i) as u64));
        let failed = |error: GroupError| in_run(error, first_env, seed);
        let draws = streams(Purpose::Environment).map(|stream| Draws::Stream(Box::new(stream))).collect();
        let envs = environments.group(first_env, draws).map_err(failed)?;
        let observations = vec![0.0; size * envs.observation_space().len()];
        let mut group = Self {
            index: first_env / GROUP_SIZE,
            first_env,
            n_envs_of_run,
            seed,
            envs,
            everyone: (0..size).collect(),
            exploration: streams(Purpose::Exploration).collect(),
            observations,
            steps: vec![NO_STEP; size],
            episodes: vec![Tally::default(); size],
        };
        group.envs.reset(&group.everyone, &mut group.observations).map_err(failed)?;
        Ok(group)
    }

    fn collect(&mut self, task: &Task, stop: &AtomicBool) -> Result<Option<Segment>, WorkerError> {
        let (first_env, seed) = (self.first_env, self.seed);
        let envs = first_env..first_env + self.everyone.len();
        let of_all = |message| WorkerError { envs, seed, message };
        match catch_unwind(AssertUnwindSafe(|| self.step_all(task, stop))) {
            Ok(Ok(segment)) => Ok(segment),
            Ok(Err(Broken::Env(error))) => Err(in_run(error, first_env, seed)),
            Ok(Err(Broken::Agent(error))) => Err(of_all(error.to_string())),
            Err(panic) => Err(of_all(panic_message(&*panic))),
        }
    }

    fn step_all(&mut self, task: &Task, stop: &AtomicBool) -> Result<Option<Segment>, Broken> {
        let (size, width) = (self.everyone.len(), self.envs.observation_space().len());
        let space = self.envs.action_space().clone();
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
        let mut ended = Vec::with_capacity(size);
        let mut episodes = Vec::new();
        for t in 0..task.n_steps {
            if stop.load(Ordering::Relaxed) {
                return Ok(None);
            }
            let env_steps = task.env_steps + (t * self.n_envs_of_run) as u64;
            let mode = Mode::Explore { progress: env_steps as f64 / task.total_steps as f64 };
            actions.clear();
            task.policy.act(&self.observations, mode, &mut self.exploration, &mut actions)?;
            let row_of = |i: usize| (i * task.n_steps + t) * width..(i * task.n_steps + t + 1) * width;
            for (i, observation) in self.observations.chunks_exact(width).enumerate() {
                by_env[i].push_from(&actions, i);
                rollout.observations[row_of(i)].copy_from_slice(observation);
            }
            self.envs.step(&self.everyone, &actions, &mut self.observations, &mut self.steps)?;
            ended.clear();
            for (i, observation) in self.observations.chunks_exact(width).enumerate() {
                let (step, tally) = (self.steps[i], &mut self.episodes[i]);
                rollout.next_observations[row_of(i)].copy_from_slice(observation);
                rollout.rewards[i * task.n_steps + t] = step.reward;
                rollout.outcomes[i * task.n_steps + t] = step.outcome();
                tally.length += 1;
                tally.episode_return += step.reward;
                if step.outcome().is_end() {
                    let Tally { length, episode_return } = std::mem::take(tally);
                    let (env, outcome) = (self.first_env + i, step.outcome());
                    episodes.push(Episode { env, step: t, length, episode_return, outcome });
                    ended.push(i);
                }
            }
            if !ended.is_empty() {
                self.envs.reset(&ended, &mut self.observations)?;
            }
        }
        by_env.iter().for_each(|actions| rollout.actions.extend(actions));
        Ok(Some(Segment { group: self.index, rollout, episodes }))
    }
}

/// A failure in the group that begins with `first_env`.
fn in_run(GroupError { envs, message }: GroupError, first_env: usize, seed: u64) -> WorkerError {
    WorkerError { envs: first_env + envs.start..first_env + envs.end, seed, message }
}

/// Cores of this machine, 1 when unknown.
pub fn n_cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}
