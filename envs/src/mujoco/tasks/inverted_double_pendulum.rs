//! InvertedDoublePendulum-v5: a cart balances a pole upon a pole.
//!
//! Equal to `inverted_double_pendulum_v5.py` of Gymnasium 1.4.0. Traps: the tip is a site, whose
//! position a step of MuJoCo leaves where it was before the last integration; only the first of
//! the forces of constraint is observed.

use rand::RngCore;

use crate::error::EnvError;
use crate::mujoco::env::{Facts, Task, World, perturb};
use crate::mujoco::error::MujocoError;
use crate::mujoco::film::View;
use crate::mujoco::model::Model;
use crate::numpy::ziggurat::standard_normal;
use crate::settings::Settings;

/// The cart and its poles.
pub(in crate::mujoco) struct InvertedDoublePendulum {
    healthy_reward: f64,
    reset_noise_scale: f64,
}

const SITE_XPOS: usize = 0;
const QFRC_CONSTRAINT: usize = 1;

impl Task for InvertedDoublePendulum {
    const FACTS: Facts = Facts {
        id: "InvertedDoublePendulum-v5",
        max_episode_steps: 1000,
        reward_threshold: Some(9100.0),
        model: ("inverted_double_pendulum.xml", include_str!("../models/inverted_double_pendulum.xml")),
        frame_skip: 5,
        frames_per_second: 20.0,
        needs: (2, 3),
        n_observations: 9,
        actions: (1, 1.0),
        outputs: &["site_xpos", "qfrc_constraint"],
        view: View::free(4.1225).at([0.0, 0.0, 0.1225]),
    };

    fn new(settings: &mut Settings<'_>, _: &Model) -> Result<Self, EnvError> {
        Ok(InvertedDoublePendulum {
            healthy_reward: settings.number("healthy_reward", 10.0)?,
            reset_noise_scale: settings.magnitude("reset_noise_scale", 0.1)?,
        })
    }

    fn draw_start(&self, rng: &mut dyn RngCore, qpos: &mut [f64], qvel: &mut [f64]) {
        perturb(qpos, self.reset_noise_scale, rng);
        qvel.iter_mut().for_each(|entry| *entry += standard_normal(rng) * self.reset_noise_scale);
    }

    fn step(&self, world: &mut World, action: &[f32]) -> Result<(f64, bool), MujocoError> {
        world.advance(action)?;
        let tip = world.output(SITE_XPOS);
        let (x, y, v1, v2) = (tip[0], tip[2], world.qvel()[1], world.qvel()[2]);
        let terminated = y <= 1.0;
        let distance_penalty = 0.01 * (x * x) + (y - 2.0) * (y - 2.0);
        let velocity_penalty = 1e-3 * (v1 * v1) + 5e-3 * (v2 * v2);
        let alive_bonus = if terminated { 0.0 } else { self.healthy_reward };
        Ok((alive_bonus - distance_penalty - velocity_penalty, terminated))
    }

    fn observe(&self, world: &World, entries: &mut Vec<f64>) {
        let (qpos, qvel) = (world.qpos(), world.qvel());
        entries.push(qpos[0]);
        entries.extend(qpos[1..].iter().map(|&angle| libm::sin(angle)));
        entries.extend(qpos[1..].iter().map(|&angle| libm::cos(angle)));
        entries.extend(qvel.iter().map(|x| x.clamp(-10.0, 10.0)));
        entries.push(world.output(QFRC_CONSTRAINT)[0].clamp(-10.0, 10.0));
    }
}
