//! Swimmer-v5: a chain of three links swims forward in a viscous fluid.
//!
//! Equal to `swimmer_v5.py` of Gymnasium 1.4.0. Trap: velocities are drawn uniformly.

use rand::RngCore;

use crate::error::EnvError;
use crate::mujoco::env::{Facts, Task, World, perturb};
use crate::mujoco::error::MujocoError;
use crate::mujoco::film::View;
use crate::mujoco::model::Model;
use crate::mujoco::tasks::runner::{Defaults, Runner};
use crate::settings::Settings;

/// The swimmer.
pub(in crate::mujoco) struct Swimmer {
    runner: Runner,
}

impl Task for Swimmer {
    const FACTS: Facts = Facts {
        id: "Swimmer-v5",
        max_episode_steps: 1000,
        reward_threshold: Some(360.0),
        model: ("swimmer.xml", include_str!("../models/swimmer.xml")),
        frame_skip: 4,
        frames_per_second: 25.0,
        needs: (2, 1),
        n_observations: 8,
        actions: (2, 1.0),
        outputs: &[],
        view: View::TRACK,
    };

    fn new(settings: &mut Settings<'_>, _: &Model) -> Result<Self, EnvError> {
        let defaults = Defaults { ctrl_cost_weight: 1e-4, reset_noise_scale: 0.1, skipped_positions: 2 };
        Ok(Swimmer { runner: Runner::new(settings, &defaults)? })
    }

    fn draw_start(&self, rng: &mut dyn RngCore, qpos: &mut [f64], qvel: &mut [f64]) {
        perturb(qpos, self.runner.reset_noise_scale, rng);
        perturb(qvel, self.runner.reset_noise_scale, rng);
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
