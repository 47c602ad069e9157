//! What an environment is: the [`Env`] trait, actions, and the result of a step.

use rand::RngCore;

use crate::frame::Frame;
use crate::{EnvError, Space};

/// What an agent does in one step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Action<'a> {
    /// One of n actions, counted from zero.
    Discrete(usize),
    /// One number for every entry of a [`Space::Box`].
    Continuous(&'a [f32]),
}

impl<'a> Action<'a> {
    /// The index of a discrete action, checked to be below `n`.
    ///
    /// # Errors
    /// [`EnvError::ActionKind`] for a continuous action, [`EnvError::ActionRange`] for `n` and above.
    pub fn as_discrete(self, n: usize) -> Result<usize, EnvError> {
        match self {
            Action::Discrete(action) if action < n => Ok(action),
            Action::Discrete(action) => Err(EnvError::ActionRange { action, n }),
            Action::Continuous(_) => Err(EnvError::ActionKind { expected: "discrete", found: "continuous" }),
        }
    }

    /// The numbers of a continuous action, checked to be `len` finite ones.
    ///
    /// # Errors
    /// [`EnvError::ActionKind`] for a discrete action, [`EnvError::ActionLength`], and
    /// [`EnvError::ActionNotFinite`], where Gymnasium would carry NaN into the state.
    pub fn as_continuous(self, len: usize) -> Result<&'a [f32], EnvError> {
        let Action::Continuous(values) = self else {
            return Err(EnvError::ActionKind { expected: "continuous", found: "discrete" });
        };
        if values.len() != len {
            return Err(EnvError::ActionLength { found: values.len(), expected: len });
        }
        match values.iter().position(|value| !value.is_finite()) {
            Some(index) => Err(EnvError::ActionNotFinite { index, value: values[index] }),
            None => Ok(values),
        }
    }
}

/// What one step brought, the observation aside.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// Reward of this step.
    pub reward: f64,
    /// The task itself ended: no value follows.
    pub terminated: bool,
    /// The episode was cut from outside, by a time limit: value would have followed.
    pub truncated: bool,
}

impl Step {
    /// The two flags as one; termination wins where both are true, because no value follows then
    /// and so nothing may be bootstrapped.
    pub fn outcome(&self) -> Outcome {
        match (self.terminated, self.truncated) {
            (true, _) => Outcome::Terminated,
            (false, true) => Outcome::Truncated,
            (false, false) => Outcome::Continues,
        }
    }
}

/// How an episode stands after a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Another step may follow.
    Continues,
    /// The task ended.
    Terminated,
    /// The episode was cut; bootstrap from the observation that came with it.
    Truncated,
}

impl Outcome {
    /// Whether the next call must be a reset.
    pub fn is_end(self) -> bool {
        self != Outcome::Continues
    }
}

/// An environment: episodes of observations, actions and rewards.
///
/// `observation` buffers have [`Space::len`] entries; a buffer of another length is a bug of the
/// caller and panics.
pub trait Env: Send {
    /// Where observations lie.
    fn observation_space(&self) -> &Space;

    /// Where actions lie.
    fn action_space(&self) -> &Space;

    /// Starts an episode and writes its first observation; draws only from `rng`.
    ///
    /// # Errors
    /// Only where an environment can fail to start, as a child process can.
    fn reset(&mut self, rng: &mut dyn RngCore, observation: &mut [f32]) -> Result<(), EnvError>;

    /// Takes one step and writes the next observation; at the end of an episode that is the real
    /// last one, not the first of an episode to come.
    ///
    /// # Errors
    /// [`EnvError::EpisodeOver`] and [`EnvError::NotReset`] when a reset is due, and the action
    /// errors of [`Action::as_discrete`] and [`Action::as_continuous`]. A refused step changes
    /// nothing.
    fn step(&mut self, action: Action<'_>, rng: &mut dyn RngCore, observation: &mut [f32]) -> Result<Step, EnvError>;

    /// A picture of the present state, for those who have one to show.
    fn render(&self) -> Option<Frame> {
        None
    }
}

impl<E: Env + ?Sized> Env for Box<E> {
    fn observation_space(&self) -> &Space {
        (**self).observation_space()
    }

    fn action_space(&self) -> &Space {
        (**self).action_space()
    }

    fn reset(&mut self, rng: &mut dyn RngCore, observation: &mut [f32]) -> Result<(), EnvError> {
        (**self).reset(rng, observation)
    }

    fn step(&mut self, action: Action<'_>, rng: &mut dyn RngCore, observation: &mut [f32]) -> Result<Step, EnvError> {
        (**self).step(action, rng, observation)
    }

    fn render(&self) -> Option<Frame> {
        (**self).render()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn termination_wins_over_truncation() {
        let outcome = |terminated, truncated| Step { reward: 0.0, terminated, truncated }.outcome();
        assert_eq!(outcome(true, true), Outcome::Terminated);
        assert_eq!(outcome(true, false), Outcome::Terminated);
        assert_eq!(outcome(false, true), Outcome::Truncated);
        assert_eq!(outcome(false, false), Outcome::Continues);
    }

    #[test]
    fn wrong_actions_are_refused_with_their_numbers() {
        assert!(matches!(Action::Discrete(2).as_discrete(2), Err(EnvError::ActionRange { action: 2, n: 2 })));
        assert!(matches!(Action::Discrete(0).as_continuous(1), Err(EnvError::ActionKind { .. })));
        assert!(matches!(Action::Continuous(&[]).as_discrete(1), Err(EnvError::ActionKind { .. })));
        let too_long = Action::Continuous(&[0.0, 0.0]).as_continuous(1);
        assert!(matches!(too_long, Err(EnvError::ActionLength { found: 2, expected: 1 })));
        let infinite = Action::Continuous(&[0.0, f32::INFINITY]).as_continuous(2);
        assert!(matches!(infinite, Err(EnvError::ActionNotFinite { index: 1, .. })));
    }
}
