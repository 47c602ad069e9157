//! HalfCheetah-v5: a planar cheetah runs forward.
//!
//! Equal to `half_cheetah_v5.py` of Gymnasium 1.4.0. Traps: positions are drawn uniformly and
//! velocities from the normal distribution; the cost of control is made in float32.

use rand::RngCore;

use crate::error::EnvError;
use crate::mujoco::env::{Facts, Task, World, perturb};
use crate::mujoco::error::MujocoError;
use crate::mujoco::film::View;
use crate::mujoco::model::Model;
use crate::mujoco::tasks::runner::{Defaults, Runner};
use crate::numpy::ziggurat::standard_normal;
use crate::settings::Settings;

/// The cheetah.
pub(in crate::mujoco) struct HalfCheetah {
    runner: Runner,
}

impl Task for HalfCheetah {
    const FACTS: Facts = Facts {
        id: "HalfCheetah-v5",
        max_episode_steps: 1000,
        reward_threshold: Some(4800.0),
        model: ("half_cheetah.xml", include_str!("../models/half_cheetah.xml")),
        frame_skip: 5,
        frames_per_second: 20.0,
        needs: (1, 1),
        n_observations: 17,
        actions: (6, 1.0),
        outputs: &[],
        view: View::TRACK,
    };

    fn new(settings: &mut Settings<'_>, _: &Model) -> Result<Self, EnvError> {
        let defaults = Defaults { ctrl_cost_weight: 0.1, reset_noise_scale: 0.1, skipped_positions: 1 };
        Ok(HalfCheetah { runner: Runner::new(settings, &defaults)? })
    }

    fn draw_start(&self, rng: &mut dyn RngCore, qpos: &mut [f64], qvel: &mut [f64]) {
        perturb(qpos, self.runner.reset_noise_scale, rng);
        qvel.iter_mut().for_each(|entry| *entry += self.runner.reset_noise_scale * standard_normal(rng));
    }

    fn step(&self, world: &mut World, action: &[f32]) -> Result<(f64, bool), MujocoError> {
        let (forward_reward, control_cost) = self.runner.step(world, action)?;
        Ok((forward_reward - control_cost, false))
    }

    fn observe(&self, world: &World, entries: &mut Vec<f64>) {
        entries.extend(self.runner.positions(world));
        entries.extend(world.qvel());
    }
}
