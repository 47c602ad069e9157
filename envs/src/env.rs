//! What an environment is: the [`Env`] trait, and the result of a step.

use rand::RngCore;

use crate::action::Action;
use crate::error::EnvError;
use crate::frame::Frame;
use crate::space::Space;

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
    /// The space of observations.
    fn observation_space(&self) -> &Space;

    /// The space of actions.
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
}
