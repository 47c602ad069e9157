//! Replay memory: a ring of transitions, drawn uniformly or by priority.
//!
//! With priorities p, transition i is drawn with probability P(i) = pᵢ^α / Σ p^α, and its loss is
//! weighted by wᵢ = (N P(i))^−β, relative to the largest weight of the batch. p is the size of the
//! last temporal-difference error, and the largest so far for what has not been drawn yet.
//!
//! What is remembered is a window of up to n steps: s, a, R = Σ γᵗ rₜ, the observation s′ at its
//! end, and the discount Γ of s′'s value, so that every target is R + Γ V(s′). A window ends where
//! its episode ends; Γ is γᵐ after m steps, and 0 after a termination alone.
//!
//! Source: Schaul, Quan, Antonoglou, Silver (2016), arXiv 1511.05952, proportional variant; windows
//! as in Sutton (1988) and Hessel et al. (2018), arXiv 1710.02298.

use std::sync::Arc;

use egn_envs::Space;
use egn_solver::{State, StateError};
use rand::{Rng, RngCore};

use crate::{
    experience::{
        actions::Actions,
        rollout::Rollout,
        sum_tree::SumTree,
        windows::{Window, Windows},
    },
    normalize::normalizer::Normalizer,
};

/// Added to every priority, so that no transition is out of reach (Schaul
/// et al. 2016, section 3.3).
const LEAST_PRIORITY: f64 = 1e-6;

/// Transitions, the oldest overwritten first.
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
    actions: Actions,
    rewards: Vec<f64>,
    discounts: Vec<f64>,
    windows: Windows,
    priorities: Option<Priorities>,
    normalizer: Arc<Normalizer>,
}

/// What is drawn how often.
#[derive(Debug, Clone)]
struct Priorities {
    /// p^α.
    tree: SumTree,
    /// α.
    exponent: f64,
    /// Largest p^α so far.
    largest: f64,
}

/// Transitions drawn from a [`ReplayBuffer`]: b of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Transitions {
    /// s, (b, observation).
    pub observations: Vec<f32>,
    /// s′, (b, observation).
    pub next_observations: Vec<f32>,
    /// a, (b).
    pub actions: Actions,
    /// R, (b).
    pub rewards: Vec<f64>,
    /// Γ, (b): what the value of s′ is multiplied by.
    pub discounts: Vec<f64>,
    /// Slots of the transitions in the buffer, (b).
    pub slots: Vec<usize>,
    /// wᵢ, (b); `None` for uniform draws, all of whose weights are one.
    pub weights: Option<Vec<f64>>,
}

/// Settings of a replay buffer: what it holds, and how it is drawn from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Memory {
    /// Transitions held.
    pub capacity: usize,
    /// n, steps of a window.
    pub n_steps: usize,
    /// Discount γ.
    pub gamma: f64,
    /// α of prioritized replay; 0 is uniform.
    pub priority: f64,
}

impl ReplayBuffer {
    /// An empty buffer for observations of `width` entries and actions of a space.
    pub fn new(memory: Memory, width: usize, action_space: &Space) -> Self {
        let Memory { capacity, n_steps, gamma, priority: exponent } = memory;
        let tree = || SumTree::new(capacity);
        Self {
            priorities: (exponent > 0.0).then(|| Priorities { tree: tree(), exponent, largest: 1.0 }),
            capacity,
            width,
            head: 0,
            observations: Vec::new(),
            next_observations: Vec::new(),
            actions: Actions::none(action_space),
            rewards: Vec::new(),
            discounts: Vec::new(),
            windows: Windows::new(n_steps, gamma),
            normalizer: Arc::default(),
        }
    }

    /// Makes later draws scale observations and rewards R as `normalizer` does. What is held stays
    /// as the environments gave it, so that old transitions are scaled by what is known now.
    pub fn set_normalizer(&mut self, normalizer: Arc<Normalizer>) {
        self.normalizer = normalizer;
    }

    /// Transitions held.
    pub fn len(&self) -> usize {
        self.rewards.len()
    }

    /// Whether no transition is held.
    pub fn is_empty(&self) -> bool {
        self.rewards.is_empty()
    }

    /// Adds a rollout in the order of time, as if its environments had stepped together. A window
    /// that the rollout leaves open is closed by the next one.
    pub fn extend(&mut self, rollout: &Rollout) {
        let width = self.width;
        let mut closed = Vec::new();
        for t in 0..rollout.n_steps {
            for env in 0..rollout.n_envs {
                let row = env * rollout.n_steps + t;
                let observation = &rollout.observations[row * width..(row + 1) * width];
                let step = (observation, &rollout.actions, row);
                self.windows.push(env, step, rollout.rewards[row], rollout.outcomes[row], &mut closed);
                let next = &rollout.next_observations[row * width..(row + 1) * width];
                closed.drain(..).for_each(|window| self.push(&window, next));
            }
        }
    }

    /// Drops the open windows of the environments `envs`.
    pub fn forget_episodes(&mut self, envs: &[usize]) {
        self.windows.forget(envs);
    }

    fn push(&mut self, window: &Window, next: &[f32]) {
        let width = self.width;
        if let Some(priorities) = &mut self.priorities {
            priorities.tree.set(self.head, priorities.largest);
        }
        if self.len() < self.capacity {
            self.observations.extend_from_slice(&window.observation);
            self.next_observations.extend_from_slice(next);
            self.actions.extend(&window.action);
            self.rewards.push(window.reward);
            self.discounts.push(window.discount);
        } else {
            let at = self.head;
            self.observations[at * width..(at + 1) * width].copy_from_slice(&window.observation);
            self.next_observations[at * width..(at + 1) * width].copy_from_slice(next);
            self.actions.replace(at, &window.action);
            self.rewards[at] = window.reward;
            self.discounts[at] = window.discount;
        }
        self.head = (self.head + 1) % self.capacity;
    }

    /// Draws `batch` transitions, with replacement; `correction` is β.
    ///
    /// # Panics
    /// When the buffer is empty.
    pub fn sample(&self, batch: usize, correction: f64, rng: &mut dyn RngCore) -> Transitions {
        let width = self.width;
        let mut drawn = Transitions {
            observations: Vec::with_capacity(batch * width),
            next_observations: Vec::with_capacity(batch * width),
            actions: self.actions.empty(),
            rewards: Vec::with_capacity(batch),
            discounts: Vec::with_capacity(batch),
            slots: Vec::with_capacity(batch),
            weights: None,
        };
        for i in 0..batch {
            let row = match &self.priorities {
                None => rng.random_range(0..self.len()),
                // One draw from each of `batch` equal shares of the mass.
                Some(priorities) => {
                    let share = priorities.tree.total() / batch as f64;
                    priorities.tree.find((i as f64 + rng.random::<f64>()) * share)
                }
            };
            drawn.observations.extend_from_slice(&self.observations[row * width..(row + 1) * width]);
            drawn.next_observations.extend_from_slice(&self.next_observations[row * width..(row + 1) * width]);
            drawn.actions.push_from(&self.actions, row);
            drawn.rewards.push(self.rewards[row]);
            drawn.discounts.push(self.discounts[row]);
            drawn.slots.push(row);
        }
        if let Some(normalizer) = &self.normalizer.observations {
            normalizer.apply(&mut drawn.observations);
            normalizer.apply(&mut drawn.next_observations);
        }
        if let Some(normalizer) = &self.normalizer.rewards {
            drawn.rewards.iter_mut().for_each(|reward| *reward = normalizer.apply(*reward));
        }
        drawn.weights = self.priorities.as_ref().map(|priorities| {
            let scale = self.len() as f64 / priorities.tree.total();
            let weight = |&slot: &usize| libm::pow(scale * priorities.tree.get(slot), -correction);
            let mut weights: Vec<f64> = drawn.slots.iter().map(weight).collect();
            let largest = weights.iter().copied().fold(0.0, f64::max);
            weights.iter_mut().for_each(|w| *w /= largest);
            weights
        });
        drawn
    }

    /// Takes the temporal-difference errors of the transitions drawn as their new priorities.
    pub fn reprioritize(&mut self, slots: &[usize], errors: impl Iterator<Item = f64>) {
        let Some(priorities) = &mut self.priorities else { return };
        for (&slot, error) in slots.iter().zip(errors) {
            let priority = libm::pow(error.abs() + LEAST_PRIORITY, priorities.exponent);
            // An error that is not finite says nothing about its transition.
            if priority.is_finite() {
                priorities.largest = priorities.largest.max(priority);
                priorities.tree.set(slot, priority);
            }
        }
    }

    /// All that later draws depend on: transitions, open windows and priorities.
    pub fn state(&self) -> State {
        let mut state = State::default();
        state.put("head", &[self.head as u64]);
        state.put("observations", &self.observations);
        state.put("next_observations", &self.next_observations);
        self.actions.put_into(&mut state, "actions");
        state.put("rewards", &self.rewards);
        state.put("discounts", &self.discounts);
        state.put_part("windows", self.windows.state(&self.actions));
        if let Some(priorities) = &self.priorities {
            let drawn: Vec<f64> = (0..self.len()).map(|slot| priorities.tree.get(slot)).collect();
            state.put("priorities", &drawn);
            state.put("largest_priority", &[priorities.largest]);
        }
        state
    }

    /// Restores the state of a buffer with the same settings.
    ///
    /// # Errors
    /// When the state is of no such buffer.
    pub fn restore(&mut self, state: &State) -> Result<(), StateError> {
        self.rewards = state.get("rewards")?;
        let n = self.rewards.len();
        self.head = state.number::<u64>("head")? as usize;
        self.observations = state.get_all("observations", n * self.width)?;
        self.next_observations = state.get_all("next_observations", n * self.width)?;
        self.actions.take_from(state, "actions", n)?;
        self.discounts = state.get_all("discounts", n)?;
        self.windows.restore(&state.part("windows"), &self.actions, self.width)?;
        if let Some(priorities) = &mut self.priorities {
            for (slot, priority) in state.get_all("priorities", n)?.into_iter().enumerate() {
                priorities.tree.set(slot, priority);
            }
            priorities.largest = state.number("largest_priority")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use egn_envs::Outcome;

    use super::*;
    use crate::streams::{Purpose, stream};

    fn buffer(capacity: usize, priority: f64) -> ReplayBuffer {
        let memory = Memory { capacity, n_steps: 1, gamma: 0.5, priority };
        ReplayBuffer::new(memory, 1, &Space::Discrete { n: 100 })
    }

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
        let mut buffer = buffer(4, 0.0);
        buffer.extend(&rollout(0, 3));
        buffer.extend(&rollout(3, 3));
        assert_eq!(buffer.rewards, [4.0, 5.0, 2.0, 3.0]);
        assert_eq!(buffer.observations, [4.0, 5.0, 2.0, 3.0]);
        // The end by a time limit is none: the value that follows counts.
        assert_eq!(buffer.discounts, [0.5; 4]);
    }

    #[test]
    fn every_transition_is_drawn_whole_and_equally_often() {
        let mut buffer = buffer(10, 0.0);
        buffer.extend(&rollout(0, 10));
        let drawn = buffer.sample(100_000, 0.0, &mut stream(0, Purpose::Learning, 0));
        let mut counts = [0; 10];
        for (i, &action) in drawn.actions.discrete().iter().enumerate() {
            assert_eq!(drawn.next_observations[i], action as f32 + 1.0);
            assert_eq!(drawn.rewards[i], f64::from(action));
            counts[action as usize] += 1;
        }
        assert!(counts.iter().all(|&count| (9_500..10_500).contains(&count)), "{counts:?}");
    }

    #[test]
    fn windows_go_on_from_rollout_to_rollout() {
        let memory = Memory { capacity: 9, n_steps: 3, gamma: 0.5, priority: 0.0 };
        let mut buffer = ReplayBuffer::new(memory, 1, &Space::Discrete { n: 100 });
        let mut first = rollout(1, 2);
        first.outcomes = vec![Outcome::Continues; 2];
        buffer.extend(&first);
        assert!(buffer.is_empty());
        // Saved and taken back in between.
        let state = buffer.state();
        let mut buffer = ReplayBuffer::new(memory, 1, &Space::Discrete { n: 100 });
        buffer.restore(&state).unwrap();
        let mut second = rollout(3, 2);
        second.outcomes = vec![Outcome::Continues, Outcome::Truncated];
        buffer.extend(&second);
        // 1 + 2/2 + 3/4; then 2 + 3/2 + 4/4, and what is left when the episode is cut.
        assert_eq!(buffer.rewards, [2.75, 4.5, 5.0, 4.0]);
        assert_eq!(buffer.observations, [1.0, 2.0, 3.0, 4.0]);
        assert_eq!(buffer.next_observations, [4.0, 5.0, 5.0, 5.0]);
        assert_eq!(buffer.discounts, [0.125, 0.125, 0.25, 0.5]);
        assert_eq!(buffer.actions, Actions::Discrete(vec![1, 2, 3, 4]));
    }

    #[test]
    fn windows_of_an_episode_that_does_not_go_on_are_dropped() {
        let memory = Memory { capacity: 9, n_steps: 3, gamma: 0.5, priority: 0.0 };
        let mut buffer = ReplayBuffer::new(memory, 1, &Space::Discrete { n: 100 });
        let mut lost = rollout(1, 2);
        lost.outcomes = vec![Outcome::Continues; 2];
        buffer.extend(&lost);
        // Of an environment that has not been met, too.
        buffer.forget_episodes(&[0, 7]);
        let mut next = rollout(50, 1);
        next.outcomes = vec![Outcome::Truncated];
        buffer.extend(&next);
        assert_eq!((&buffer.rewards[..], &buffer.observations[..]), (&[50.0][..], &[50.0][..]));
    }

    #[test]
    fn priorities_set_how_often_and_weights_undo_it() {
        let mut buffer = buffer(4, 0.5);
        buffer.extend(&rollout(0, 3));
        // p^½ = 1, 2, 3: drawn in the ratio 1 : 2 : 3.
        buffer.reprioritize(&[0, 1, 2], [1.0, -4.0, 9.0].into_iter());
        let drawn = buffer.sample(60_000, 1.0, &mut stream(0, Purpose::Learning, 0));
        let mut counts = [0.0; 3];
        let mut weighted = [0.0; 3];
        for (&slot, weight) in drawn.slots.iter().zip(drawn.weights.unwrap()) {
            counts[slot] += 1.0;
            weighted[slot] += weight;
        }
        for slot in 0..3 {
            assert!((counts[slot] / 10_000.0 - (slot + 1) as f64).abs() < 0.01, "{counts:?}");
            // With β = 1 every transition counts alike in the mean.
            assert!((weighted[slot] / weighted[0] - 1.0).abs() < 0.01, "{weighted:?}");
        }
    }
}
