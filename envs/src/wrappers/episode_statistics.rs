//! Return and length of each episode.

use rand::RngCore;

use crate::action::Action;
use crate::env::{Env, Outcome, Step};
use crate::error::EnvError;
use crate::frame::Frame;
use crate::space::Space;

/// An episode that is over.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EpisodeSummary {
    /// Sum of the rewards.
    pub episode_return: f64,
    /// Number of steps.
    pub n_steps: usize,
    /// How the episode ended.
    pub outcome: Outcome,
}

/// Adds up the rewards and steps of `E`.
#[derive(Debug, Clone)]
pub struct EpisodeStatistics<E> {
    env: E,
    episode_return: f64,
    n_steps: usize,
    last: Option<EpisodeSummary>,
}

impl<E: Env> EpisodeStatistics<E> {
    /// Wraps `env`, which is to include any time limit: truncations further out are not seen.
    pub fn new(env: E) -> Self {
        EpisodeStatistics { env, episode_return: 0.0, n_steps: 0, last: None }
    }

    /// The last episode that is over. Resetting in its middle ends no episode.
    pub fn last(&self) -> Option<EpisodeSummary> {
        self.last
    }
}

impl<E: Env> Env for EpisodeStatistics<E> {
    fn observation_space(&self) -> &Space {
        self.env.observation_space()
    }

    fn action_space(&self) -> &Space {
        self.env.action_space()
    }

    fn reset(&mut self, rng: &mut dyn RngCore, observation: &mut [f32]) -> Result<(), EnvError> {
        (self.episode_return, self.n_steps) = (0.0, 0);
        self.env.reset(rng, observation)
    }

    fn step(&mut self, action: Action<'_>, rng: &mut dyn RngCore, observation: &mut [f32]) -> Result<Step, EnvError> {
        let step = self.env.step(action, rng, observation)?;
        self.episode_return += step.reward;
        self.n_steps += 1;
        if step.outcome().is_end() {
            let EpisodeStatistics { episode_return, n_steps, .. } = *self;
            self.last = Some(EpisodeSummary { episode_return, n_steps, outcome: step.outcome() });
        }
        Ok(step)
    }

    fn render(&self) -> Option<Frame> {
        self.env.render()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classic_control::cart_pole::CartPole;
    use crate::numpy::pcg64::Pcg64;
    use crate::wrappers::time_limit::TimeLimit;

    #[test]
    fn an_episode_is_summed_up_when_it_ends() {
        let mut env = EpisodeStatistics::new(TimeLimit::new(CartPole::default(), 4));
        let (mut rng, mut observation) = (Pcg64::seed_from(0), [0.0; 4]);
        for _ in 0..2 {
            env.reset(&mut rng, &mut observation).expect("reset");
            for action in [0, 1, 0, 1] {
                env.step(Action::Discrete(action), &mut rng, &mut observation).expect("step");
            }
            let whole = EpisodeSummary { episode_return: 4.0, n_steps: 4, outcome: Outcome::Truncated };
            assert_eq!(env.last(), Some(whole));
        }
    }
}
