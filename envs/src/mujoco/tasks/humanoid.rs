//! Humanoid-v5: a body with arms and legs walks forward.
//!
//! Equal to `humanoid_v5.py` of Gymnasium 1.4.0. Traps: the speed is that of the center of mass,
//! in positions that a step of MuJoCo leaves where they were before the last integration; the cost
//! of contacts is clipped as a whole.

use rand::RngCore;

use crate::error::EnvError;
use crate::mujoco::env::{Facts, Task, World, perturb, skipped, within};
use crate::mujoco::error::MujocoError;
use crate::mujoco::film::View;
use crate::mujoco::model::Model;
use crate::mujoco::tasks::runner::Health;
use crate::numpy::sum::sum;
use crate::settings::Settings;

/// The humanoid.
pub(in crate::mujoco) struct Humanoid {
    forward_reward_weight: f64,
    ctrl_cost_weight: f64,
    contact_cost_weight: f64,
    contact_cost_range: [f64; 2],
    health: Health,
    healthy_z_range: [f64; 2],
    reset_noise_scale: f64,
    observed: Observed,
    masses: Vec<f64>,
}

/// Fields of MuJoCo's data that the humanoid's tasks read, in the order of these indices.
pub(super) const OUTPUTS: &[&str] = &["xipos", "cinert", "cvel", "qfrc_actuator", "cfrc_ext"];
const XIPOS: usize = 0;
const CINERT: usize = 1;
const CVEL: usize = 2;
const QFRC_ACTUATOR: usize = 3;
pub(super) const CFRC_EXT: usize = 4;

/// What of a humanoid is observed.
pub(super) struct Observed {
    skipped_positions: usize,
    cinert: bool,
    cvel: bool,
    qfrc_actuator: bool,
    cfrc_ext: bool,
}

impl Observed {
    pub fn new(settings: &mut Settings<'_>) -> Result<Self, EnvError> {
        Ok(Observed {
            skipped_positions: skipped(settings, 2)?,
            cinert: settings.flag("include_cinert_in_observation", true)?,
            cvel: settings.flag("include_cvel_in_observation", true)?,
            qfrc_actuator: settings.flag("include_qfrc_actuator_in_observation", true)?,
            cfrc_ext: settings.flag("include_cfrc_ext_in_observation", true)?,
        })
    }

    /// Writes what is observed; the world's row of each field, and the root's forces, are left out.
    pub fn write(&self, world: &World, entries: &mut Vec<f64>) {
        entries.extend(&world.qpos()[self.skipped_positions..]);
        entries.extend(world.qvel());
        let fields = [
            (self.cinert, CINERT, 10),
            (self.cvel, CVEL, 6),
            (self.qfrc_actuator, QFRC_ACTUATOR, 6),
            (self.cfrc_ext, CFRC_EXT, 6),
        ];
        for (_, field, left_out) in fields.into_iter().filter(|(included, ..)| *included) {
            entries.extend(&world.output(field)[left_out..]);
        }
    }
}

impl Humanoid {
    /// The center of mass, along the way.
    fn x(&self, world: &World) -> f64 {
        let positions = world.output(XIPOS).iter().step_by(3);
        self.masses.iter().zip(positions).map(|(mass, x)| mass * x).sum::<f64>() / sum(&self.masses)
    }
}

impl Task for Humanoid {
    const FACTS: Facts = Facts {
        id: "Humanoid-v5",
        max_episode_steps: 1000,
        reward_threshold: None,
        model: ("humanoid.xml", include_str!("../models/humanoid.xml")),
        frame_skip: 5,
        frames_per_second: 67.0,
        needs: (3, 6),
        n_observations: 348,
        actions: (17, 0.4),
        outputs: OUTPUTS,
        view: View::TRACK,
    };

    fn new(settings: &mut Settings<'_>, model: &Model) -> Result<Self, EnvError> {
        Ok(Humanoid {
            forward_reward_weight: settings.number("forward_reward_weight", 1.25)?,
            ctrl_cost_weight: settings.number("ctrl_cost_weight", 0.1)?,
            contact_cost_weight: settings.number("contact_cost_weight", 5e-7)?,
            contact_cost_range: settings.range("contact_cost_range", [f64::NEG_INFINITY, 10.0])?,
            health: Health::new(settings, 5.0)?,
            healthy_z_range: settings.range("healthy_z_range", [1.0, 2.0])?,
            reset_noise_scale: settings.magnitude("reset_noise_scale", 1e-2)?,
            observed: Observed::new(settings)?,
            masses: model.fields()?.get("body_mass")?,
        })
    }

    fn draw_start(&self, rng: &mut dyn RngCore, qpos: &mut [f64], qvel: &mut [f64]) {
        perturb(qpos, self.reset_noise_scale, rng);
        perturb(qvel, self.reset_noise_scale, rng);
    }

    fn step(&self, world: &mut World, action: &[f32]) -> Result<(f64, bool), MujocoError> {
        let before = self.x(world);
        world.advance_with_forces(action)?;
        let velocity = (self.x(world) - before) / world.dt();
        let (healthy_reward, terminated) = self.health.judge(within(world.qpos()[2], self.healthy_z_range));
        let control_cost = self.ctrl_cost_weight * sum_of_squares(world.ctrl());
        let [low, high] = self.contact_cost_range;
        let contact_cost = (self.contact_cost_weight * sum_of_squares(world.output(CFRC_EXT))).clamp(low, high);
        let reward = self.forward_reward_weight * velocity + healthy_reward - (control_cost + contact_cost);
        Ok((reward, terminated))
    }

    fn observe(&self, world: &World, entries: &mut Vec<f64>) {
        self.observed.write(world, entries);
    }
}

/// The sum of squares in the order of NumPy.
pub(super) fn sum_of_squares(entries: &[f64]) -> f64 {
    sum(&entries.iter().map(|x| x * x).collect::<Vec<_>>())
}
