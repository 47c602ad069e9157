//! Walker2d-v5: two planar legs walk forward.
//!
//! Equal to `walker2d_v5.py` of Gymnasium 1.4.0. Trap: velocities are clipped to 10 in the
//! observation alone.

use rand::RngCore;

use crate::error::EnvError;
use crate::mujoco::env::{Facts, Task, World, perturb, within};
use crate::mujoco::error::MujocoError;
use crate::mujoco::film::View;
use crate::mujoco::model::Model;
use crate::mujoco::tasks::runner::{Defaults, Health, Runner};
use crate::settings::Settings;

/// The walker.
pub(in crate::mujoco) struct Walker2d {
    runner: Runner,
    health: Health,
    healthy_z_range: [f64; 2],
    healthy_angle_range: [f64; 2],
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
        let defaults = Defaults { ctrl_cost_weight: 1e-3, reset_noise_scale: 5e-3, skipped_positions: 1 };
        Ok(Walker2d {
            runner: Runner::new(settings, &defaults)?,
            health: Health::new(settings, 1.0)?,
            healthy_z_range: settings.range("healthy_z_range", [0.8, 2.0])?,
            healthy_angle_range: settings.range("healthy_angle_range", [-1.0, 1.0])?,
        })
    }

    fn draw_start(&self, rng: &mut dyn RngCore, qpos: &mut [f64], qvel: &mut [f64]) {
        perturb(qpos, self.runner.reset_noise_scale, rng);
        perturb(qvel, self.runner.reset_noise_scale, rng);
    }

    fn step(&self, world: &mut World, action: &[f32]) -> Result<(f64, bool), MujocoError> {
        let (forward_reward, control_cost) = self.runner.step(world, action)?;
        let (healthy_reward, terminated) = self.health.judge(self.is_healthy(world));
        Ok((forward_reward + healthy_reward - control_cost, terminated))
    }

    fn observe(&self, world: &World, entries: &mut Vec<f64>) {
        entries.extend(self.runner.positions(world));
        entries.extend(world.qvel().iter().map(|x| x.clamp(-10.0, 10.0)));
    }
}
