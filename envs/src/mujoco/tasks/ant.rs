//! Ant-v5: a body on four legs runs forward.
//!
//! Equal to `ant_v5.py` of Gymnasium 1.4.0. Traps: the body's position is `xpos`, which a step of
//! MuJoCo leaves where it was before the last integration; the cost of control is made in float32
//! and that of contacts in float64; the world's own row of `cfrc_ext` costs but is not observed.
//! `main_body` is the number of a body, or its name.

use rand::RngCore;

use crate::error::EnvError;
use crate::mujoco::env::{Facts, Task, World, perturb, skipped, squares};
use crate::mujoco::error::MujocoError;
use crate::mujoco::film::View;
use crate::mujoco::model::Model;
use crate::mujoco::tasks::runner::Health;
use crate::numpy::sum::sum;
use crate::numpy::ziggurat::standard_normal;
use crate::setting_value::SettingValue;
use crate::settings::Settings;

/// The ant.
pub(in crate::mujoco) struct Ant {
    forward_reward_weight: f64,
    ctrl_cost_weight: f64,
    contact_cost_weight: f64,
    health: Health,
    main_body: usize,
    healthy_z_range: [f64; 2],
    contact_force_range: [f64; 2],
    reset_noise_scale: f64,
    skipped_positions: usize,
    include_cfrc_ext: bool,
}

const XPOS: usize = 0;
const CFRC_EXT: usize = 1;

impl Ant {
    fn x(&self, world: &World) -> f64 {
        world.output(XPOS)[3 * self.main_body]
    }

    fn contact_forces<'a>(&self, world: &'a World) -> impl Iterator<Item = f64> + use<'a> {
        let [low, high] = self.contact_force_range;
        world.output(CFRC_EXT).iter().map(move |x| x.clamp(low, high))
    }

    fn is_healthy(&self, world: &World) -> bool {
        let (qpos, [low, high]) = (world.qpos(), self.healthy_z_range);
        qpos.iter().chain(world.qvel()).all(|x| x.is_finite()) && low <= qpos[2] && qpos[2] <= high
    }
}

impl Task for Ant {
    const FACTS: Facts = Facts {
        id: "Ant-v5",
        max_episode_steps: 1000,
        reward_threshold: Some(6000.0),
        model: ("ant.xml", include_str!("../models/ant.xml")),
        frame_skip: 5,
        frames_per_second: 20.0,
        needs: (3, 1),
        n_observations: 105,
        actions: (8, 1.0),
        outputs: &["xpos", "cfrc_ext"],
        view: View::TRACK,
    };

    fn new(settings: &mut Settings<'_>, model: &Model) -> Result<Self, EnvError> {
        Ok(Ant {
            forward_reward_weight: settings.number("forward_reward_weight", 1.0)?,
            ctrl_cost_weight: settings.number("ctrl_cost_weight", 0.5)?,
            contact_cost_weight: settings.number("contact_cost_weight", 5e-4)?,
            health: Health::new(settings, 1.0)?,
            main_body: main_body(settings, model)?,
            healthy_z_range: settings.range("healthy_z_range", [0.2, 1.0])?,
            contact_force_range: settings.range("contact_force_range", [-1.0, 1.0])?,
            reset_noise_scale: settings.magnitude("reset_noise_scale", 0.1)?,
            skipped_positions: skipped(settings, 2)?,
            include_cfrc_ext: settings.flag("include_cfrc_ext_in_observation", true)?,
        })
    }

    fn draw_start(&self, rng: &mut dyn RngCore, qpos: &mut [f64], qvel: &mut [f64]) {
        perturb(qpos, self.reset_noise_scale, rng);
        qvel.iter_mut().for_each(|entry| *entry += self.reset_noise_scale * standard_normal(rng));
    }

    fn step(&self, world: &mut World, action: &[f32]) -> Result<(f64, bool), MujocoError> {
        let before = self.x(world);
        world.advance_with_forces(action)?;
        let velocity = (self.x(world) - before) / world.dt();
        let (healthy_reward, terminated) = self.health.judge(self.is_healthy(world));
        let control_cost = self.ctrl_cost_weight as f32 * squares(action);
        let forces: Vec<f64> = self.contact_forces(world).map(|force| force * force).collect();
        let contact_cost = self.contact_cost_weight * sum(&forces);
        let costs = f64::from(control_cost) + contact_cost;
        let reward = velocity * self.forward_reward_weight + healthy_reward - costs;
        Ok((reward, terminated))
    }

    fn observe(&self, world: &World, entries: &mut Vec<f64>) {
        entries.extend(&world.qpos()[self.skipped_positions..]);
        entries.extend(world.qvel());
        if self.include_cfrc_ext {
            entries.extend(self.contact_forces(world).skip(6));
        }
    }
}

fn main_body(settings: &mut Settings<'_>, model: &Model) -> Result<usize, EnvError> {
    let n_bodies = model.fields()?.get::<f64>("body_mass")?.len();
    let accepted = "the number of a body of the model, or its name";
    match settings.take("main_body") {
        None => Ok(1),
        Some(SettingValue::Text(name)) => Ok(model.body(name)?),
        Some(SettingValue::Number(i)) if i.fract() == 0.0 && (0.0..n_bodies as f64).contains(i) => Ok(*i as usize),
        Some(value) => Err(EnvError::Setting { setting: "main_body", value: value.clone(), accepted }),
    }
}
