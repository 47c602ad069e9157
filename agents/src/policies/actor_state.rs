//! The state of acting in each environment.

use crate::streams::{Purpose, Stream, stream};

/// The state of acting in one environment: the stream that it draws from, and what it remembers of
/// the episode under way.
///
/// *Design.* A policy is frozen and shared by all threads; what changes from step to step is here,
/// one for each environment, with whoever steps it. An evaluation begins with fresh ones.
#[derive(Debug, Clone)]
pub struct ActorState {
    /// Draws of exploration.
    pub rng: Stream,
    /// The last noise that is correlated in time, one value for each entry of an action; empty at
    /// the start of an episode.
    pub noise: Vec<f64>,
}

impl ActorState {
    /// The state before the first step in environment `env` of the run with this seed.
    pub fn new(seed: u64, env: u64) -> Self {
        Self { rng: stream(seed, Purpose::Exploration, env), noise: Vec::new() }
    }

    /// Forgets the episode that has ended.
    pub fn begin_episode(&mut self) {
        self.noise.clear();
    }
}
