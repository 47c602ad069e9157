//! The environments of one worker: how they are stepped, and how they are saved.
//!
//! *Design.* No environment is asked for its state: an episode is a function of where the random
//! stream stood at its start and of the actions since, so that is what is saved, and restoring
//! plays it again. Every environment can thus be resumed, those of a child process too.

use std::{
    ops::Range,
    panic::{AssertUnwindSafe, catch_unwind},
};

use egn_agents::{Actions, ActorState, AgentError, Mode, Purpose, Rollout, Stream, position, seek, stream};
use egn_envs::{Outcome, Step};
use egn_solver::{State, StateError};

use crate::{
    environments::group::{Draws, EnvGroup, Environments, GroupError, NO_STEP, checked_group, panic_message},
    workers::task::{Episode, GROUP_SIZE, Task, WorkerError},
};

/// The part of a rollout that the environments of one worker made.
pub(super) struct Segment {
    pub first_env: usize,
    pub rollout: Rollout,
    pub episodes: Vec<Episode>,
}

/// Whole groups of environments, stepped together: one round trip where they
/// live in a child process.
pub(super) struct WorkerEnvs {
    first_env: usize,
    n_envs_of_run: usize,
    seed: u64,
    pub envs: Box<dyn EnvGroup>,
    /// All indices within the worker.
    everyone: Vec<usize>,
    actors: Vec<ActorState>,
    /// What each environment shows now, (environment, observation).
    observations: Vec<f32>,
    /// What the last step of each environment brought.
    steps: Vec<Step>,
    episodes: Vec<Tally>,
    /// Where each environment's stream stood before the present episode.
    starts: Vec<[u64; 2]>,
    /// Actions taken in the present episode: from the same start the same actions lead to the same
    /// state.
    since: Vec<Actions>,
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

impl WorkerEnvs {
    /// The environments `indices` of a run, at the start of an episode: that of
    /// `saved`, or a first one.
    pub fn new(
        environments: &dyn Environments,
        indices: Range<usize>,
        n_envs_of_run: usize,
        seed: u64,
        saved: Option<&State>,
    ) -> Result<Self, WorkerError> {
        let (first_env, size) = (indices.start, indices.len());
        let failed = |error: GroupError| in_run(error, first_env, seed);
        let numbers = || indices.clone().map(|i| i as u64);
        let mut draws: Vec<Stream> = numbers().map(|i| stream(seed, Purpose::Environment, i)).collect();
        let mut actors: Vec<ActorState> = numbers().map(|i| ActorState::new(seed, i)).collect();
        if let Some(state) = saved {
            for (i, env) in indices.clone().enumerate() {
                let state = state.part(&env.to_string());
                let sought = take_back(&mut draws[i], &mut actors[i], &state);
                sought.map_err(|error| unfit(&error, env, seed))?;
            }
        }
        let draws = draws.into_iter().map(|stream| Draws::Stream(Box::new(stream))).collect();
        let envs = checked_group(environments, first_env, draws).map_err(failed)?;
        let none = Actions::none(envs.action_space());
        let mut share = Self {
            first_env,
            n_envs_of_run,
            seed,
            everyone: (0..size).collect(),
            actors,
            observations: vec![0.0; size * envs.observation_space().len()],
            steps: vec![NO_STEP; size],
            episodes: vec![Tally::default(); size],
            starts: vec![[0; 2]; size],
            since: vec![none; size],
            envs,
        };
        let everyone = share.everyone.clone();
        share.reset(&everyone).map_err(failed)?;
        Ok(share)
    }

    /// Begins an episode in each of `which`.
    fn reset(&mut self, which: &[usize]) -> Result<(), GroupError> {
        for &i in which {
            self.starts[i] = self.envs.draws()[i].position();
            self.since[i].clear();
            self.episodes[i] = Tally::default();
        }
        self.envs.reset(which, &mut self.observations)
    }

    /// Index in the run of the first environment, and where each stands between two rollouts.
    pub fn states(&self) -> (usize, Vec<State>) {
        let width = self.envs.observation_space().len();
        let state = |i: usize| {
            let mut state = State::default();
            state.put("start", &self.starts[i]);
            state.put("exploration", &position(&self.actors[i].rng));
            state.put("noise", &self.actors[i].noise);
            state.put("observation", &self.observations[i * width..(i + 1) * width]);
            match &self.since[i] {
                Actions::Discrete(actions) => state.put("actions", actions),
                Actions::Continuous { values, .. } => state.put("actions", values),
            }
            state
        };
        (self.first_env, self.everyone.iter().map(|&i| state(i)).collect())
    }

    /// Plays the saved episodes again, up to where they stood. Returns the environments that
    /// then show something else, as a simulator may that is not wholly a function of its seed:
    /// they begin a new episode.
    ///
    /// # Errors
    /// When the state is of other environments.
    pub fn restore(&mut self, state: &State) -> Result<Vec<usize>, WorkerError> {
        let (first_env, seed) = (self.first_env, self.seed);
        let width = self.envs.observation_space().len();
        let mut restarted = Vec::new();
        for i in 0..self.everyone.len() {
            let state = state.part(&(first_env + i).to_string());
            let unfit = |error: StateError| unfit(&error, first_env + i, seed);
            let saved = state.get_all::<f32>("observation", width).map_err(unfit)?;
            let mut actions = self.since[i].clone();
            match &mut actions {
                Actions::Discrete(actions) => *actions = state.get("actions").map_err(unfit)?,
                Actions::Continuous { values, .. } => *values = state.get("actions").map_err(unfit)?,
            }
            let replayed = self.replay(i, &actions);
            if replayed.is_err() || self.observations[i * width..(i + 1) * width] != saved {
                self.reset(&[i]).map_err(|error| in_run(error, first_env, seed))?;
                self.actors[i].begin_episode();
                restarted.push(first_env + i);
            }
        }
        Ok(restarted)
    }

    /// Takes actions in one environment.
    fn replay(&mut self, i: usize, actions: &Actions) -> Result<(), GroupError> {
        let mut one = self.since[i].clone();
        for step in 0..actions.len() {
            one.clear();
            one.push_from(actions, step);
            self.envs.step(&[i], &one, &mut self.observations, &mut self.steps)?;
            self.since[i].push_from(actions, step);
            self.episodes[i].length += 1;
            self.episodes[i].episode_return += self.steps[i].reward;
        }
        Ok(())
    }

    /// Collects one segment of a rollout.
    pub fn collect(&mut self, task: &Task) -> Result<Segment, WorkerError> {
        let (first_env, seed) = (self.first_env, self.seed);
        let envs = first_env..first_env + self.everyone.len();
        let of_all = |message| WorkerError { envs, seed, message };
        match catch_unwind(AssertUnwindSafe(|| self.step_all(task))) {
            Ok(Ok(segment)) => Ok(segment),
            Ok(Err(Broken::Env(error))) => Err(in_run(error, first_env, seed)),
            Ok(Err(Broken::Agent(error))) => Err(of_all(error.to_string())),
            Err(panic) => Err(of_all(panic_message(&*panic))),
        }
    }

    fn step_all(&mut self, task: &Task) -> Result<Segment, Broken> {
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
            let env_steps = task.env_steps + (t * self.n_envs_of_run) as u64;
            let mode = Mode::Explore { progress: env_steps as f64 / task.total_steps as f64 };
            actions.clear();
            // A batch for every group, whatever else this worker has: the
            // same rounding for any share.
            let groups = self.observations.chunks(GROUP_SIZE * width).zip(self.actors.chunks_mut(GROUP_SIZE));
            for (observations, states) in groups {
                task.policy.act(observations, mode, states, &mut actions)?;
            }
            let row_of = |i: usize| (i * task.n_steps + t) * width..(i * task.n_steps + t + 1) * width;
            for (i, observation) in self.observations.chunks_exact(width).enumerate() {
                by_env[i].push_from(&actions, i);
                rollout.observations[row_of(i)].copy_from_slice(observation);
            }
            // Learned from as it was drawn, taken as the environment can take it.
            actions.clip_to(&space);
            self.since.iter_mut().enumerate().for_each(|(i, since)| since.push_from(&actions, i));
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
                    let Tally { length, episode_return } = *tally;
                    let (env, outcome) = (self.first_env + i, step.outcome());
                    episodes.push(Episode { env, step: t, length, episode_return, outcome });
                    self.actors[i].begin_episode();
                    ended.push(i);
                }
            }
            if !ended.is_empty() {
                self.reset(&ended)?;
            }
        }
        by_env.iter().for_each(|actions| rollout.actions.extend(actions));
        Ok(Segment { first_env: self.first_env, rollout, episodes })
    }
}

/// A failure, with the indices of the worker that begins with `first_env` made those of the run.
fn in_run(GroupError { envs, message }: GroupError, first_env: usize, seed: u64) -> WorkerError {
    WorkerError { envs: first_env + envs.start..first_env + envs.end, seed, message }
}

/// The saved state is not that of environment `env`.
fn unfit(error: &StateError, env: usize, seed: u64) -> WorkerError {
    WorkerError { envs: env..env + 1, seed, message: error.to_string() }
}

/// Puts the streams of one environment, and the noise of its actions, where its saved state says.
fn take_back(draws: &mut Stream, actor: &mut ActorState, state: &State) -> Result<(), StateError> {
    for (stream, name) in [(draws, "start"), (&mut actor.rng, "exploration")] {
        let position = state.get_all::<u64>(name, 2)?;
        seek(stream, [position[0], position[1]]);
    }
    actor.noise = state.get("noise")?;
    Ok(())
}
