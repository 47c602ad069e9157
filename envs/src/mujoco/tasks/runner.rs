//! What tasks of running share: pay for speed, the price of effort, and staying upright.

use crate::error::EnvError;
use crate::mujoco::env::{World, skipped, squares};
use crate::mujoco::error::MujocoError;
use crate::settings::Settings;

/// A body that is paid for its speed along the first position, less its effort.
pub(super) struct Runner {
    forward_reward_weight: f64,
    ctrl_cost_weight: f64,
    pub reset_noise_scale: f64,
    skipped_positions: usize,
}

/// What differs between runners of the settings that all have.
pub(super) struct Defaults {
    pub ctrl_cost_weight: f64,
    pub reset_noise_scale: f64,
    /// Positions along the ground, which an observation leaves out.
    pub skipped_positions: usize,
}

impl Runner {
    pub fn new(settings: &mut Settings<'_>, defaults: &Defaults) -> Result<Self, EnvError> {
        Ok(Runner {
            forward_reward_weight: settings.number("forward_reward_weight", 1.0)?,
            ctrl_cost_weight: settings.number("ctrl_cost_weight", defaults.ctrl_cost_weight)?,
            reset_noise_scale: settings.magnitude("reset_noise_scale", defaults.reset_noise_scale)?,
            skipped_positions: skipped(settings, defaults.skipped_positions)?,
        })
    }

    /// Takes a step; the reward for speed, and the cost of control, which is made in float32.
    pub fn step(&self, world: &mut World, action: &[f32]) -> Result<(f64, f64), MujocoError> {
        let before = world.qpos()[0];
        world.advance(action)?;
        let velocity = (world.qpos()[0] - before) / world.dt();
        let control_cost = self.ctrl_cost_weight as f32 * squares(action);
        Ok((self.forward_reward_weight * velocity, f64::from(control_cost)))
    }

    /// The positions that are observed.
    pub fn positions<'a>(&self, world: &'a World) -> &'a [f64] {
        &world.qpos()[self.skipped_positions..]
    }
}

/// What staying upright is worth, and whether falling ends the task.
pub(super) struct Health {
    healthy_reward: f64,
    terminate_when_unhealthy: bool,
}

impl Health {
    pub fn new(settings: &mut Settings<'_>, healthy_reward: f64) -> Result<Self, EnvError> {
        Ok(Health {
            healthy_reward: settings.number("healthy_reward", healthy_reward)?,
            terminate_when_unhealthy: settings.flag("terminate_when_unhealthy", true)?,
        })
    }

    /// The reward of a step after which the body is healthy or not, and whether the task has ended.
    pub fn judge(&self, is_healthy: bool) -> (f64, bool) {
        (if is_healthy { self.healthy_reward } else { 0.0 }, !is_healthy && self.terminate_when_unhealthy)
    }
}
