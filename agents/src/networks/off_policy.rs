//! What every agent that learns from a replay memory holds besides its networks.
//!
//! *Design.* The counterpart of [`crate::networks::actor_critic`] for off-policy agents: it
//! remembers, says when updates are due, and draws their batches. What an update does is the
//! algorithm's, which is in the algorithm's file.

use egn_solver::{State, StateError};

use crate::{
    context::{Clock, Setting},
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
    /// What was lived through.
    pub replay: ReplayBuffer,
    /// Where learning draws from: batches, and whatever the algorithm needs besides.
    pub rng: Stream,
    /// Entries of an observation.
    pub width: usize,
    rounds: Rounds,
    total_steps: u64,
}

impl OffPolicy {
    /// An empty memory.
    pub fn new(memory: Memory, rounds: Rounds, setting: &Setting) -> Self {
        let width = setting.observation_space.len();
        Self {
            replay: ReplayBuffer::new(memory, width, &setting.action_space),
            rng: stream(setting.seed, Purpose::Learning, 0),
            width,
            rounds,
            total_steps: setting.total_steps,
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

    /// Adds memory and stream to an agent's state, to be taken back by [`OffPolicy::restore`].
    pub fn put_into(&self, state: &mut State) {
        state.put_part("replay", self.replay.state());
        state.put("stream", &position(&self.rng));
    }

    /// Takes memory and stream back from an agent's state.
    ///
    /// # Errors
    /// When they are not in it.
    pub fn restore(&mut self, state: &State) -> Result<(), StateError> {
        self.replay.restore(&state.part("replay"))?;
        seek_to(&mut self.rng, state)
    }
}
