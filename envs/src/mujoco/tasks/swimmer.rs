//! Swimmer-v5: a chain of three links swims forward in a viscous fluid.
//!
//! Equal to `swimmer_v5.py` of Gymnasium 1.4.0. Trap: velocities are drawn uniformly.

use rand::RngCore;

use crate::error::EnvError;
use crate::mujoco::env::{Facts, Task, World, perturb, skipped, squares};
use crate::mujoco::error::MujocoError;
use crate::mujoco::film::View;
use crate::mujoco::model::Model;
use crate::settings::Settings;

/// The swimmer.
pub(in crate::mujoco) struct Swimmer {
    forward_reward_weight: f64,
    ctrl_cost_weight: f64,
    reset_noise_scale: f64,
    skipped_positions: usize,
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
        Ok(Swimmer {
            forward_reward_weight: settings.number("forward_reward_weight", 1.0)?,
            ctrl_cost_weight: settings.number("ctrl_cost_weight", 1e-4)?,
            reset_noise_scale: settings.magnitude("reset_noise_scale", 0.1)?,
            skipped_positions: skipped(settings, 2)?,
        })
    }

    fn draw_start(&self, rng: &mut dyn RngCore, qpos: &mut [f64], qvel: &mut [f64]) {
        perturb(qpos, self.reset_noise_scale, rng);
        perturb(qvel, self.reset_noise_scale, rng);
    }

    fn step(&self, world: &mut World, action: &[f32]) -> Result<(f64, bool), MujocoError> {
        let before = world.qpos()[0];
        world.advance(action)?;
        let velocity = (world.qpos()[0] - before) / world.dt();
        let control_cost = self.ctrl_cost_weight as f32 * squares(action);
        Ok((self.forward_reward_weight * velocity - f64::from(control_cost), false))
    }

    fn observe(&self, world: &World, entries: &mut Vec<f64>) {
        entries.extend(&world.qpos()[self.skipped_positions..]);
        entries.extend(world.qvel());
    }
}
