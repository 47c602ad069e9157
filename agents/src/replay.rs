//! Replay memory: a ring of transitions, sampled uniformly.

use egn_envs::Outcome;
use rand::{Rng, RngCore};

use crate::Rollout;

/// Transitions with discrete actions, the oldest overwritten first.
///
/// Source: Lin (1992); Mnih et al. (2015), doi 10.1038/nature14236.
#[derive(Debug, Clone)]
pub struct ReplayBuffer {
    capacity: usize,
    width: usize,
    /// Where the next transition goes.
    head: usize,
    observations: Vec<f32>,
    next_observations: Vec<f32>,
    actions: Vec<u32>,
    rewards: Vec<f64>,
    /// No value follows. A truncated transition is not terminal.
    terminal: Vec<bool>,
}

/// Transitions drawn from a [`ReplayBuffer`]: b of them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Transitions {
    /// s, (b, observation).
    pub observations: Vec<f32>,
    /// s′, (b, observation).
    pub next_observations: Vec<f32>,
    /// a, (b).
    pub actions: Vec<u32>,
    /// r, (b).
    pub rewards: Vec<f64>,
    /// Whether no value follows, (b).
    pub terminal: Vec<bool>,
}

impl ReplayBuffer {
    /// An empty buffer for `capacity` transitions between observations of `width` entries.
    pub fn new(capacity: usize, width: usize) -> Self {
        Self {
            capacity,
            width,
            head: 0,
            observations: Vec::new(),
            next_observations: Vec::new(),
            actions: Vec::new(),
            rewards: Vec::new(),
            terminal: Vec::new(),
        }
    }

    /// Transitions held.
    pub fn len(&self) -> usize {
        self.rewards.len()
    }

    /// Whether no transition is held.
    pub fn is_empty(&self) -> bool {
        self.rewards.is_empty()
    }

    /// Adds a rollout in the order of time, as if its environments had stepped together.
    pub fn extend(&mut self, rollout: &Rollout) {
        for t in 0..rollout.n_steps {
            for env in 0..rollout.n_envs {
                self.push(rollout, env * rollout.n_steps + t);
            }
        }
    }

    fn push(&mut self, rollout: &Rollout, row: usize) {
        let width = self.width;
        let observation = &rollout.observations[row * width..(row + 1) * width];
        let next = &rollout.next_observations[row * width..(row + 1) * width];
        let action = rollout.actions.discrete()[row];
        let terminal = rollout.outcomes[row] == Outcome::Terminated;
        if self.len() < self.capacity {
            self.observations.extend_from_slice(observation);
            self.next_observations.extend_from_slice(next);
            self.actions.push(action);
            self.rewards.push(rollout.rewards[row]);
            self.terminal.push(terminal);
        } else {
            let at = self.head;
            self.observations[at * width..(at + 1) * width].copy_from_slice(observation);
            self.next_observations[at * width..(at + 1) * width].copy_from_slice(next);
            self.actions[at] = action;
            self.rewards[at] = rollout.rewards[row];
            self.terminal[at] = terminal;
        }
        self.head = (self.head + 1) % self.capacity;
    }

    /// Draws `batch` transitions uniformly, with replacement.
    ///
    /// # Panics
    /// When the buffer is empty.
    pub fn sample(&self, batch: usize, rng: &mut dyn RngCore) -> Transitions {
        let mut drawn = Transitions::default();
        let width = self.width;
        for _ in 0..batch {
            let row = rng.random_range(0..self.len());
            drawn.observations.extend_from_slice(&self.observations[row * width..(row + 1) * width]);
            drawn.next_observations.extend_from_slice(&self.next_observations[row * width..(row + 1) * width]);
            drawn.actions.push(self.actions[row]);
            drawn.rewards.push(self.rewards[row]);
            drawn.terminal.push(self.terminal[row]);
        }
        drawn
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Actions, Purpose, stream};

    fn rollout(first: usize, n_steps: usize) -> Rollout {
        let numbers = first..first + n_steps;
        Rollout {
            n_envs: 1,
            n_steps,
            observations: numbers.clone().map(|i| i as f32).collect(),
            actions: Actions::Discrete(numbers.clone().map(|i| i as u32).collect()),
            rewards: numbers.clone().map(|i| i as f64).collect(),
            next_observations: numbers.map(|i| i as f32 + 1.0).collect(),
            outcomes: vec![Outcome::Truncated; n_steps],
        }
    }

    #[test]
    fn the_oldest_transitions_are_overwritten() {
        let mut buffer = ReplayBuffer::new(4, 1);
        buffer.extend(&rollout(0, 3));
        buffer.extend(&rollout(3, 3));
        assert_eq!(buffer.rewards, [4.0, 5.0, 2.0, 3.0]);
        assert_eq!(buffer.observations, [4.0, 5.0, 2.0, 3.0]);
        assert_eq!(buffer.terminal, [false; 4]);
    }

    #[test]
    fn every_transition_is_drawn_whole_and_equally_often() {
        let mut buffer = ReplayBuffer::new(10, 1);
        buffer.extend(&rollout(0, 10));
        let drawn = buffer.sample(100_000, &mut stream(0, Purpose::Learning, 0));
        let mut counts = [0; 10];
        for (i, &action) in drawn.actions.iter().enumerate() {
            assert_eq!(drawn.next_observations[i], action as f32 + 1.0);
            assert_eq!(drawn.rewards[i], f64::from(action));
            counts[action as usize] += 1;
        }
        assert!(counts.iter().all(|&count| (9_500..10_500).contains(&count)), "{counts:?}");
    }
}
