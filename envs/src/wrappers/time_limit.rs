//! Ends episodes after a number of steps.

use rand::RngCore;

use crate::action::Action;
use crate::env::{Env, Step};
use crate::error::EnvError;
use crate::frame::Frame;
use crate::space::Space;

/// Cuts the episodes of `E` after a number of steps, as Gymnasium's `TimeLimit`.
///
/// The step that reaches the limit is `truncated` whatever `terminated` says, so both can be true;
/// [`Step::outcome`] then says terminated.
#[derive(Debug, Clone)]
pub struct TimeLimit<E> {
    env: E,
    max_episode_steps: usize,
    elapsed: usize,
}

impl<E: Env> TimeLimit<E> {
    /// Wraps `env`.
    ///
    /// # Panics
    /// When `max_episode_steps` is zero: no episode could be stepped.
    pub fn new(env: E, max_episode_steps: usize) -> Self {
        assert!(max_episode_steps > 0, "a time limit must leave room for a step");
        TimeLimit { env, max_episode_steps, elapsed: 0 }
    }

    /// The wrapped environment.
    pub fn inner(&self) -> &E {
        &self.env
    }

    /// The wrapped environment; resetting it through this reference does not restart the clock.
    pub fn inner_mut(&mut self) -> &mut E {
        &mut self.env
    }

    /// Steps taken in this episode.
    pub fn elapsed(&self) -> usize {
        self.elapsed
    }
}

impl<E: Env> Env for TimeLimit<E> {
    fn observation_space(&self) -> &Space {
        self.env.observation_space()
    }

    fn action_space(&self) -> &Space {
        self.env.action_space()
    }

    fn reset(&mut self, rng: &mut dyn RngCore, observation: &mut [f32]) -> Result<(), EnvError> {
        self.elapsed = 0;
        self.env.reset(rng, observation)
    }

    fn step(&mut self, action: Action<'_>, rng: &mut dyn RngCore, observation: &mut [f32]) -> Result<Step, EnvError> {
        if self.elapsed >= self.max_episode_steps {
            return Err(EnvError::EpisodeOver);
        }
        let step = self.env.step(action, rng, observation)?;
        self.elapsed += 1;
        let truncated = step.truncated || self.elapsed >= self.max_episode_steps;
        Ok(Step { truncated, ..step })
    }

    fn render(&self) -> Option<Frame> {
        self.env.render()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classic_control::cart_pole::CartPole;
    use crate::env::Outcome;
    use crate::numpy::pcg64::Pcg64;

    #[test]
    fn time_limit_is_not_terminal() {
        let mut env = TimeLimit::new(CartPole::default(), 3);
        let (mut rng, mut observation) = (Pcg64::seed_from(0), [0.0; 4]);
        for _episode in 0..2 {
            env.reset(&mut rng, &mut observation).expect("reset");
            let mut outcomes = Vec::new();
            for action in [0, 1, 0] {
                let step = env.step(Action::Discrete(action), &mut rng, &mut observation);
                outcomes.push(step.expect("step").outcome());
            }
            assert_eq!(outcomes, [Outcome::Continues, Outcome::Continues, Outcome::Truncated]);
            let late = env.step(Action::Discrete(0), &mut rng, &mut observation);
            assert!(matches!(late, Err(EnvError::EpisodeOver)));
        }
    }

    #[test]
    fn refused_steps_do_not_run_the_clock() {
        let mut env = TimeLimit::new(CartPole::default(), 1);
        let (mut rng, mut observation) = (Pcg64::seed_from(0), [0.0; 4]);
        env.reset(&mut rng, &mut observation).expect("reset");
        assert!(env.step(Action::Discrete(9), &mut rng, &mut observation).is_err());
        assert_eq!(env.elapsed(), 0);
        let step = env.step(Action::Discrete(0), &mut rng, &mut observation).expect("step");
        assert!(step.truncated);
    }
}
