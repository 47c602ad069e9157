//! Reacher-v5: an arm of two links brings its tip to a point.
//!
//! Equal to `reacher_v5.py` of Gymnasium 1.4.0. Traps: positions are drawn before the target and
//! velocities after it; the target is drawn from a square until it lies in a disc.

use rand::RngCore;

use crate::error::EnvError;
use crate::mujoco::env::{Facts, Task, World, difference, norm, perturb, squares};
use crate::mujoco::error::MujocoError;
use crate::mujoco::film::View;
use crate::mujoco::model::Model;
use crate::numpy::pcg64::uniform;
use crate::settings::Settings;

/// The arm and its target.
pub(in crate::mujoco) struct Reacher {
    reward_dist_weight: f64,
    reward_control_weight: f64,
    fingertip: usize,
    target: usize,
}

const XPOS: usize = 0;
/// Radius of the disc of targets, and half a side of the square around it.
const REACH: f64 = 0.2;

impl Reacher {
    /// From the target to the tip.
    fn to_tip(&self, world: &World) -> [f64; 3] {
        difference(world.output(XPOS), self.fingertip, self.target)
    }
}

impl Task for Reacher {
    const FACTS: Facts = Facts {
        id: "Reacher-v5",
        max_episode_steps: 50,
        reward_threshold: Some(-3.75),
        model: ("reacher.xml", include_str!("../models/reacher.xml")),
        frame_skip: 2,
        frames_per_second: 50.0,
        needs: (4, 2),
        n_observations: 10,
        actions: (2, 1.0),
        outputs: &["xpos"],
        view: View::free(0.9).seen_from_above(),
    };

    fn new(settings: &mut Settings<'_>, model: &Model) -> Result<Self, EnvError> {
        Ok(Reacher {
            reward_dist_weight: settings.number("reward_dist_weight", 1.0)?,
            reward_control_weight: settings.number("reward_control_weight", 1.0)?,
            fingertip: model.body("fingertip")?,
            target: model.body("target")?,
        })
    }

    fn draw_start(&self, rng: &mut dyn RngCore, qpos: &mut [f64], qvel: &mut [f64]) {
        perturb(qpos, 0.1, rng);
        let (n, m) = (qpos.len(), qvel.len());
        loop {
            let target = [(); 2].map(|()| uniform(rng, -REACH, REACH));
            qpos[n - 2..].copy_from_slice(&target);
            if norm(&target) < REACH {
                break;
            }
        }
        perturb(qvel, 0.005, rng);
        qvel[m - 2..].fill(0.0);
    }

    fn step(&self, world: &mut World, action: &[f32]) -> Result<(f64, bool), MujocoError> {
        world.advance(action)?;
        let distance_reward = -norm(&self.to_tip(world)) * self.reward_dist_weight;
        let control_reward = -squares(action) * self.reward_control_weight as f32;
        Ok((distance_reward + f64::from(control_reward), false))
    }

    fn observe(&self, world: &World, entries: &mut Vec<f64>) {
        let (angles, targets) = world.qpos().split_at(2);
        entries.extend(angles.iter().map(|&angle| libm::cos(angle)));
        entries.extend(angles.iter().map(|&angle| libm::sin(angle)));
        entries.extend(targets);
        entries.extend(&world.qvel()[..2]);
        entries.extend(&self.to_tip(world)[..2]);
    }
}
