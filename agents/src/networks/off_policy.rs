//! What every agent that learns from a replay memory holds besides its networks.
//!
//! *Design.* The counterpart of [`crate::networks::actor_critic`] for off-policy agents: it
//! remembers, says when updates are due, and draws their batches. What an update does is the
//! algorithm's, which is in the algorithm's file.

use egn_solver::{State, StateError};

use crate::{
    context::{AgentContext, Clock},
    experience::{
        replay::{Memory, ReplayBuffer, Transitions},
        rollout::Rollout,
    },
    streams::{Purpose, Stream, position, seek_to, stream},
};

/// When an agent learns from its memory, and how much at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rounds {
    /// Environment steps before the first update.
    pub learning_starts: u64,
    /// Updates after each rollout.
    pub gradient_steps: usize,
    /// Transitions in the batch of an update.
    pub batch_size: usize,
}

/// A replay memory, the rounds of updates made from it, and the stream that learning draws from.
pub(crate) struct OffPolicy {
    /// The replay memory.
    pub replay: ReplayBuffer,
    /// Stream that learning draws from: batches, and whatever the algorithm needs besides.
    pub rng: Stream,
    /// Entries of an observation.
    pub width: usize,
    rounds: Rounds,
    total_steps: u64,
}

impl OffPolicy {
    /// Makes an empty replay memory and the stream that learning draws from.
    pub fn new(memory: Memory, rounds: Rounds, context: &AgentContext) -> Self {
        let width = context.observation_space.len();
        Self {
            replay: ReplayBuffer::new(memory, width, &context.action_space),
            rng: stream(context.seed, Purpose::Learning, 0),
            width,
            rounds,
            total_steps: context.total_steps,
        }
    }

    /// Remembers a rollout, at whose end `clock` stands, and says how many updates are due.
    pub fn collect(&mut self, rollout: &Rollout, clock: Clock) -> usize {
        self.replay.extend(rollout);
        let waits = clock.env_steps <= self.rounds.learning_starts || self.replay.is_empty();
        if waits { 0 } else { self.rounds.gradient_steps }
    }

    /// Draws the batch of an update; `correction` is β of a prioritized memory.
    pub fn batch(&mut self, correction: f64) -> Transitions {
        self.replay.sample(self.rounds.batch_size, correction, &mut self.rng)
    }

    /// Progress of training before which every action is random.
    pub fn random_before(&self) -> f64 {
        self.rounds.learning_starts as f64 / self.total_steps as f64
    }

    /// Adds memory and stream to an agent's state, for [`OffPolicy::restore`].
    pub fn put_into(&self, state: &mut State) {
        state.put_part("replay", self.replay.state());
        state.put("stream", &position(&self.rng));
    }

    /// Restores memory and stream from an agent's state.
    ///
    /// # Errors
    /// When they are not in it.
    pub fn restore(&mut self, state: &State) -> Result<(), StateError> {
        self.replay.restore(&state.part("replay"))?;
        seek_to(&mut self.rng, state)
    }
}

#[cfg(test)]
mod tests {
    use egn_envs::{Outcome, Space};
    use egn_solver::{OptimizerName, Precision};

    use super::*;
    use crate::experience::actions::Actions;

    fn off_policy(seed: u64) -> OffPolicy {
        let context = AgentContext {
            observation_space: Space::symmetric(vec![1.0]),
            action_space: Space::Discrete { n: 2 },
            total_steps: 100,
            seed,
            precision: Precision::F32,
            optimizer: OptimizerName::Adam.into(),
            critic_optimizer: OptimizerName::Adam.into(),
        };
        let memory = Memory { capacity: 50, n_steps: 1, gamma: 0.5, priority: 0.0 };
        OffPolicy::new(memory, Rounds { learning_starts: 8, gradient_steps: 3, batch_size: 5 }, &context)
    }

    fn rollout() -> Rollout {
        Rollout {
            n_envs: 1,
            n_steps: 4,
            observations: vec![0.0, 1.0, 2.0, 3.0],
            actions: Actions::Discrete(vec![0, 1, 0, 1]),
            rewards: vec![1.0, 2.0, 3.0, 4.0],
            next_observations: vec![1.0, 2.0, 3.0, 4.0],
            outcomes: vec![Outcome::Continues; 4],
        }
    }

    #[test]
    fn updates_are_due_once_learning_has_started() {
        let mut experience = off_policy(1);
        let due = [4, 8, 12]
            .map(|env_steps| experience.collect(&rollout(), Clock { env_steps, total_steps: 100, diagnose: false }));
        assert_eq!(due, [0, 0, 3]);
        assert_eq!(experience.random_before(), 0.08);
    }

    #[test]
    fn a_restored_memory_draws_the_same_batches() {
        let (mut left, mut resumed) = (off_policy(1), off_policy(1));
        left.collect(&rollout(), Clock { env_steps: 12, total_steps: 100, diagnose: false });
        left.batch(0.0);
        let mut state = State::default();
        left.put_into(&mut state);
        resumed.restore(&state).unwrap();
        assert_eq!(left.batch(0.0).rewards, resumed.batch(0.0).rewards);
        assert!(resumed.restore(&State::default()).is_err());
    }
}
