//! HumanoidStandup-v5: a body with arms and legs stands up from lying.
//!
//! Equal to `humanoidstandup_v5.py` of Gymnasium 1.4.0. Traps: height is divided by the time of
//! one step of the simulation, not of the task; the task never ends.

use rand::RngCore;

use crate::error::EnvError;
use crate::mujoco::env::{Facts, Task, World, perturb};
use crate::mujoco::error::MujocoError;
use crate::mujoco::film::View;
use crate::mujoco::model::Model;
use crate::mujoco::tasks::humanoid::{CFRC_EXT, OUTPUTS, Observed, sum_of_squares};
use crate::settings::Settings;

/// The humanoid that lies.
pub(in crate::mujoco) struct HumanoidStandup {
    ctrl_cost_weight: f64,
    impact_cost_weight: f64,
    impact_cost_range: [f64; 2],
    reset_noise_scale: f64,
    observed: Observed,
}

impl Task for HumanoidStandup {
    const FACTS: Facts = Facts {
        id: "HumanoidStandup-v5",
        max_episode_steps: 1000,
        reward_threshold: None,
        model: ("humanoidstandup.xml", include_str!("../models/humanoidstandup.xml")),
        frame_skip: 5,
        frames_per_second: 67.0,
        needs: (3, 6),
        n_observations: 348,
        actions: (17, 0.4),
        outputs: OUTPUTS,
        view: View::TRACK,
    };

    fn new(settings: &mut Settings<'_>, _: &Model) -> Result<Self, EnvError> {
        // Without effect, as there.
        settings.number("uph_cost_weight", 1.0)?;
        Ok(HumanoidStandup {
            ctrl_cost_weight: settings.number("ctrl_cost_weight", 0.1)?,
            impact_cost_weight: settings.number("impact_cost_weight", 0.5e-6)?,
            impact_cost_range: settings.range("impact_cost_range", [f64::NEG_INFINITY, 10.0])?,
            reset_noise_scale: settings.magnitude("reset_noise_scale", 1e-2)?,
            observed: Observed::new(settings)?,
        })
    }

    fn draw_start(&self, rng: &mut dyn RngCore, qpos: &mut [f64], qvel: &mut [f64]) {
        perturb(qpos, self.reset_noise_scale, rng);
        perturb(qvel, self.reset_noise_scale, rng);
    }

    fn step(&self, world: &mut World, action: &[f32]) -> Result<(f64, bool), MujocoError> {
        world.advance_with_forces(action)?;
        let height_reward = world.qpos()[2] / world.timestep;
        let control_cost = self.ctrl_cost_weight * sum_of_squares(world.ctrl());
        let [low, high] = self.impact_cost_range;
        let impact_cost = (self.impact_cost_weight * sum_of_squares(world.output(CFRC_EXT))).clamp(low, high);
        Ok((height_reward - control_cost - impact_cost + 1.0, false))
    }

    fn observe(&self, world: &World, entries: &mut Vec<f64>) {
        self.observed.write(world, entries);
    }
}
