//! InvertedPendulum-v5: a cart balances a pole.
//!
//! Equal to `inverted_pendulum_v5.py` of Gymnasium 1.4.0.

use rand::RngCore;

use crate::error::EnvError;
use crate::mujoco::env::{Facts, Task, World, perturb};
use crate::mujoco::error::MujocoError;
use crate::mujoco::film::View;
use crate::mujoco::model::Model;
use crate::settings::Settings;

/// The cart and its pole.
pub(in crate::mujoco) struct InvertedPendulum {
    reset_noise_scale: f64,
}

impl Task for InvertedPendulum {
    const FACTS: Facts = Facts {
        id: "InvertedPendulum-v5",
        max_episode_steps: 1000,
        reward_threshold: Some(950.0),
        model: ("inverted_pendulum.xml", include_str!("../models/inverted_pendulum.xml")),
        frame_skip: 2,
        frames_per_second: 25.0,
        needs: (2, 1),
        n_observations: 4,
        actions: (1, 3.0),
        outputs: &[],
        view: View::free(2.04),
    };

    fn new(settings: &mut Settings<'_>, _: &Model) -> Result<Self, EnvError> {
        Ok(InvertedPendulum { reset_noise_scale: settings.magnitude("reset_noise_scale", 0.01)? })
    }

    fn draw_start(&self, rng: &mut dyn RngCore, qpos: &mut [f64], qvel: &mut [f64]) {
        perturb(qpos, self.reset_noise_scale, rng);
        perturb(qvel, self.reset_noise_scale, rng);
    }

    fn step(&self, world: &mut World, action: &[f32]) -> Result<(f64, bool), MujocoError> {
        world.advance(action)?;
        let (qpos, qvel) = (world.qpos(), world.qvel());
        let is_finite = qpos.iter().chain(qvel).all(|x| x.is_finite());
        let terminated = !is_finite || qpos[1].abs() > 0.2;
        Ok((if terminated { 0.0 } else { 1.0 }, terminated))
    }

    fn observe(&self, world: &World, entries: &mut Vec<f64>) {
        entries.extend(world.qpos());
        entries.extend(world.qvel());
    }
}
