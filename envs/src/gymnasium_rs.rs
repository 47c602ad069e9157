//! Environments of the crate `gymnasium-rs` behind [`Env`].
//!
//! For code that already has such an environment. The crate's own and only one, `CartPole`, is not
//! Gymnasium's: `tests/gymnasium_rs.rs` measures how far it is off. Use [`crate::CartPole`].
//!
//! Its environments keep a generator of their own, seeded by `reset`; the seed is drawn from our
//! `rng`, so that a trajectory is still a function of generator and actions.

use ::gymnasium_rs::core::{Env as ForeignEnv, Space as ForeignSpace};
use ndarray::Array1;
use rand::RngCore;

use crate::action::Action;
use crate::env::{Env, Step};
use crate::episode::EpisodePhase;
use crate::error::EnvError;
use crate::space::Space;

/// An environment of `gymnasium-rs` with flat observations and discrete actions.
#[derive(Debug)]
pub struct GymnasiumRs<E> {
    env: E,
    observation_space: Space,
    action_space: Space,
    phase: EpisodePhase,
}

impl<E: ForeignEnv<Array1<f32>, i32> + Send> GymnasiumRs<E> {
    /// Takes over `env`.
    pub fn new(env: E) -> Self {
        let (observation_space, action_space) = (space(env.observation_space()), space(env.action_space()));
        GymnasiumRs { env, observation_space, action_space, phase: EpisodePhase::NotStarted }
    }
}

fn space(foreign: ForeignSpace) -> Space {
    match foreign {
        ForeignSpace::Discrete(n) => Space::Discrete { n: n.max(0) as usize },
        ForeignSpace::Box { low, high } => Space::Box { low: low.to_vec(), high: high.to_vec() },
    }
}

impl<E: ForeignEnv<Array1<f32>, i32> + Send> Env for GymnasiumRs<E> {
    fn observation_space(&self) -> &Space {
        &self.observation_space
    }

    fn action_space(&self) -> &Space {
        &self.action_space
    }

    fn reset(&mut self, rng: &mut dyn RngCore, observation: &mut [f32]) -> Result<(), EnvError> {
        // Halved, for the seed is a signed number there.
        let (first, _) = self.env.reset_seed((rng.next_u32() >> 1) as i32);
        self.phase = EpisodePhase::Running;
        observation.copy_from_slice(&first.to_vec());
        Ok(())
    }

    fn step(&mut self, action: Action<'_>, _rng: &mut dyn RngCore, observation: &mut [f32]) -> Result<Step, EnvError> {
        self.phase.require_running()?;
        let n = self.action_space.n_actions().unwrap_or(0);
        let (next, reward, terminated, truncated, _) = self.env.step(action.as_discrete(n)? as i32);
        self.phase = EpisodePhase::after(terminated || truncated);
        observation.copy_from_slice(&next.to_vec());
        Ok(Step { reward: f64::from(reward), terminated, truncated })
    }
}
