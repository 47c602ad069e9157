//! Walker2d-v5: two planar legs walk forward.
//!
//! Equal to `walker2d_v5.py` of Gymnasium 1.4.0. Trap: velocities are clipped to 10 in the
//! observation alone.

use rand::RngCore;

use crate::error::EnvError;
use crate::mujoco::env::{Facts, Task, World, perturb, skipped, squares, within};
use crate::mujoco::error::MujocoError;
use crate::mujoco::film::View;
use crate::mujoco::model::Model;
use crate::settings::Settings;

/// The walker.
pub(in crate::mujoco) struct Walker2d {
    forward_reward_weight: f64,
    ctrl_cost_weight: f64,
    healthy_reward: f64,
    terminate_when_unhealthy: bool,
    healthy_z_range: [f64; 2],
    healthy_angle_range: [f64; 2],
    reset_noise_scale: f64,
    skipped_positions: usize,
}

impl Walker2d {
    fn is_healthy(&self, world: &World) -> bool {
        within(world.qpos()[1], self.healthy_z_range) && within(world.qpos()[2], self.healthy_angle_range)
    }
}

impl Task for Walker2d {
    const FACTS: Facts = Facts {
        id: "Walker2d-v5",
        max_episode_steps: 1000,
        reward_threshold: None,
        model: ("walker2d_v5.xml", include_str!("../models/walker2d_v5.xml")),
        frame_skip: 4,
        frames_per_second: 125.0,
        needs: (3, 1),
        n_observations: 17,
        actions: (6, 1.0),
        outputs: &[],
        view: View::TRACK,
    };

    fn new(settings: &mut Settings<'_>, _: &Model) -> Result<Self, EnvError> {
        Ok(Walker2d {
            forward_reward_weight: settings.number("forward_reward_weight", 1.0)?,
            ctrl_cost_weight: settings.number("ctrl_cost_weight", 1e-3)?,
            healthy_reward: settings.number("healthy_reward", 1.0)?,
            terminate_when_unhealthy: settings.flag("terminate_when_unhealthy", true)?,
            healthy_z_range: settings.range("healthy_z_range", [0.8, 2.0])?,
            healthy_angle_range: settings.range("healthy_angle_range", [-1.0, 1.0])?,
            reset_noise_scale: settings.magnitude("reset_noise_scale", 5e-3)?,
            skipped_positions: skipped(settings, 1)?,
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
        let is_healthy = self.is_healthy(world);
        let healthy_reward = if is_healthy { self.healthy_reward } else { 0.0 };
        let control_cost = self.ctrl_cost_weight as f32 * squares(action);
        let reward = self.forward_reward_weight * velocity + healthy_reward - f64::from(control_cost);
        Ok((reward, !is_healthy && self.terminate_when_unhealthy))
    }

    fn observe(&self, world: &World, entries: &mut Vec<f64>) {
        entries.extend(&world.qpos()[self.skipped_positions..]);
        entries.extend(world.qvel().iter().map(|x| x.clamp(-10.0, 10.0)));
    }
}
