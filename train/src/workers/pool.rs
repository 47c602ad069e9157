//! The worker threads of a run, seen from its trainer.

use std::thread::{self, Scope};

use crossbeam::channel::{Receiver, Sender, bounded};
use egn_agents::Rollout;
use egn_envs::Space;
use egn_solver::State;

use crate::{
    environments::group::Environments,
    workers::{
        task::{Collected, GROUP_SIZE, Task, WorkerError},
        worker_envs::{Segment, WorkerEnvs},
    },
};

/// What a worker is told.
enum Order {
    /// Step.
    Collect(Task),
    /// Say where the environments stand.
    Save,
}

/// Environments on worker threads.
pub struct Workers {
    orders: Vec<Sender<Order>>,
    segments: Receiver<Result<Segment, WorkerError>>,
    states: Receiver<(usize, Vec<State>)>,
    /// Environments that a saved state could not be restored to.
    restarted: Vec<usize>,
    n_envs: usize,
    observation_space: Space,
    action_space: Space,
}

impl Workers {
    /// Makes all environments, or restores them to a `saved` state, and starts at most `n_workers`
    /// threads in `scope`, which end when the pool is dropped.
    ///
    /// # Errors
    /// When an environment cannot be made or reset, or the state is of other environments.
    pub fn start<'scope, 'env>(
        scope: &'scope Scope<'scope, 'env>,
        environments: &dyn Environments,
        n_envs: usize,
        n_workers: usize,
        seed: u64,
        saved: Option<&State>,
    ) -> Result<Self, WorkerError> {
        let n_groups = n_envs.div_ceil(GROUP_SIZE);
        let n_workers = n_workers.clamp(1, n_groups);
        // Whole groups, as equally many as can be.
        let first_env = |worker: usize| n_envs.min(worker * n_groups / n_workers * GROUP_SIZE);
        let (mut shares, mut restarted) = (Vec::new(), Vec::new());
        for worker in 0..n_workers {
            let envs = first_env(worker)..first_env(worker + 1);
            let mut share = WorkerEnvs::new(environments, envs, n_envs, seed, saved)?;
            if let Some(state) = saved {
                restarted.extend(share.restore(state)?);
            }
            shares.push(share);
        }
        let first = &shares[0].envs;
        let (observation_space, action_space) = (first.observation_space().clone(), first.action_space().clone());
        let (sender, segments) = bounded(n_workers);
        let (state_sender, states) = bounded(n_workers);
        let orders = shares
            .into_iter()
            .map(|share| {
                let (order_sender, orders) = bounded(1);
                let (sender, state_sender) = (sender.clone(), state_sender.clone());
                scope.spawn(move || work(share, &orders, &sender, &state_sender));
                order_sender
            })
            .collect();
        Ok(Self { orders, segments, states, restarted, n_envs, observation_space, action_space })
    }

    /// Environments that began a new episode, since the one they were saved in
    /// could not be played again.
    pub fn restarted(&self) -> &[usize] {
        &self.restarted
    }

    /// Where all environments stand between two rollouts.
    pub fn state(&self) -> State {
        for sender in &self.orders {
            // A worker that is gone says so at the next rollout.
            let _ = sender.send(Order::Save);
        }
        let mut state = State::default();
        for (first_env, parts) in self.states.iter().take(self.orders.len()) {
            for (i, part) in parts.into_iter().enumerate() {
                state.put_part(&(first_env + i).to_string(), part);
            }
        }
        state
    }

    /// The space of observations.
    pub fn observation_space(&self) -> &Space {
        &self.observation_space
    }

    /// The space of actions.
    pub fn action_space(&self) -> &Space {
        &self.action_space
    }

    /// Tells the workers to step every environment; [`Workers::finish`] has what came of it.
    pub fn begin(&self, task: &Task) {
        for sender in &self.orders {
            // A worker that is gone has reported why; the segments below say it.
            let _ = sender.send(Order::Collect(task.clone()));
        }
    }

    /// Waits for what was begun; the rollout and the episodes that ended are in environment order,
    /// whichever worker was first.
    ///
    /// # Errors
    /// The failure of the environment with the lowest index, if any fails.
    pub fn finish(&self) -> Result<Collected, WorkerError> {
        let mut segments = Vec::with_capacity(self.orders.len());
        let mut failures = Vec::new();
        for _ in &self.orders {
            match self.segments.recv() {
                Ok(Ok(segment)) => segments.push(segment),
                Ok(Err(failure)) => failures.push(failure),
                Err(_) => break,
            }
        }
        if let Some(failure) = failures.into_iter().min_by_key(|failure| failure.envs.start) {
            return Err(failure);
        }
        segments.sort_by_key(|segment| segment.first_env);
        let n_steps = segments.first().map_or(0, |segment: &Segment| segment.rollout.n_steps);
        let mut rollout = Rollout::empty(n_steps, &self.action_space);
        let mut episodes = Vec::new();
        for segment in &segments {
            rollout.append(&segment.rollout);
            episodes.extend_from_slice(&segment.episodes);
        }
        assert_eq!(rollout.n_envs, self.n_envs, "environments heard from");
        episodes.sort_by_key(|episode| (episode.step, episode.env));
        Ok(Collected { rollout, episodes })
    }
}

/// A worker's life: one order after the other.
fn work(
    mut share: WorkerEnvs,
    orders: &Receiver<Order>,
    segments: &Sender<Result<Segment, WorkerError>>,
    states: &Sender<(usize, Vec<State>)>,
) {
    for order in orders {
        let heard = match order {
            Order::Collect(task) => segments.send(share.collect(&task)).is_ok(),
            Order::Save => states.send(share.states()).is_ok(),
        };
        if !heard {
            return;
        }
    }
}

/// Cores of this machine, 1 when unknown.
pub fn n_cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}
