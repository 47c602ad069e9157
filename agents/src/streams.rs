//! Named random streams: every random number of a run comes from one of them.
//!
//! A stream is a function of (seed, purpose, index) alone, so it does not matter in which order
//! streams are made, or on which thread: a run is the same for any number of workers.

use egn_solver::{State, StateError};
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

/// Random numbers for one purpose, from a generator that is the same in every version.
pub type Stream = ChaCha8Rng;

/// What the numbers of a stream are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Resets and noise of an environment; index: the environment.
    Environment,
    /// Exploration in an environment; index: the environment.
    Exploration,
    /// First parameters of an agent's networks.
    Initialization,
    /// Minibatches and other draws of learning.
    Learning,
}

/// The stream for a purpose of the run with this seed.
pub fn stream(seed: u64, purpose: Purpose, index: u64) -> Stream {
    let purpose: u64 = match purpose {
        Purpose::Environment => 1,
        Purpose::Exploration => 2,
        Purpose::Initialization => 3,
        Purpose::Learning => 4,
    };
    let mut key = [0; 32];
    for (part, value) in key.chunks_exact_mut(8).zip([seed, purpose, index]) {
        part.copy_from_slice(&value.to_le_bytes());
    }
    Stream::from_seed(key)
}

/// Where a stream stands: words drawn, in two halves.
pub fn position(stream: &Stream) -> [u64; 2] {
    let words = stream.get_word_pos();
    [words as u64, (words >> 64) as u64]
}

/// Puts a stream where [`position`] said it stood.
pub fn seek(stream: &mut Stream, [low, high]: [u64; 2]) {
    stream.set_word_pos(u128::from(low) | u128::from(high) << 64);
}

/// Puts an agent's stream where entry `stream` of its state says.
///
/// # Errors
/// When there is no such entry.
pub(crate) fn seek_to(stream: &mut Stream, state: &State) -> Result<(), StateError> {
    let position = state.get_all::<u64>("stream", 2)?;
    seek(stream, [position[0], position[1]]);
    Ok(())
}

#[cfg(test)]
mod tests {
    use rand::RngCore;

    use super::*;

    #[test]
    fn a_stream_goes_on_from_its_position() {
        let mut whole = stream(3, Purpose::Learning, 7);
        for _ in 0..1001 {
            whole.next_u32();
        }
        let mut resumed = stream(3, Purpose::Learning, 7);
        seek(&mut resumed, position(&whole));
        assert_eq!(whole.next_u64(), resumed.next_u64());
    }

    #[test]
    fn streams_differ_in_every_part_of_their_name() {
        let first = |seed, purpose, index| stream(seed, purpose, index).next_u64();
        let base = first(0, Purpose::Environment, 0);
        assert_eq!(base, first(0, Purpose::Environment, 0));
        for other in
            [first(1, Purpose::Environment, 0), first(0, Purpose::Exploration, 0), first(0, Purpose::Environment, 1)]
        {
            assert_ne!(base, other);
        }
    }
}
