//! Pusher-v5: an arm pushes a cylinder to a place.
//!
//! Equal to `pusher_v5.py` of Gymnasium 1.4.0. Trap: the cylinder is drawn until it lies far
//! enough from its goal.

use rand::RngCore;

use crate::error::EnvError;
use crate::mujoco::env::{Facts, Task, World, difference, norm, perturb, squares};
use crate::mujoco::error::MujocoError;
use crate::mujoco::film::View;
use crate::mujoco::model::Model;
use crate::numpy::pcg64::uniform;
use crate::settings::Settings;

/// The arm and its cylinder.
pub(in crate::mujoco) struct Pusher {
    reward_near_weight: f64,
    reward_dist_weight: f64,
    reward_control_weight: f64,
    object: usize,
    tips_arm: usize,
    goal: usize,
}

const XPOS: usize = 0;

impl Task for Pusher {
    const FACTS: Facts = Facts {
        id: "Pusher-v5",
        max_episode_steps: 100,
        reward_threshold: Some(0.0),
        model: ("pusher_v5.xml", include_str!("../models/pusher_v5.xml")),
        frame_skip: 5,
        frames_per_second: 20.0,
        needs: (7, 7),
        n_observations: 23,
        actions: (7, 2.0),
        outputs: &["xpos"],
        // Gymnasium stands twice as far away, and has half as many pixels again.
        view: View::free(2.0),
    };

    fn new(settings: &mut Settings<'_>, model: &Model) -> Result<Self, EnvError> {
        Ok(Pusher {
            reward_near_weight: settings.number("reward_near_weight", 0.5)?,
            reward_dist_weight: settings.number("reward_dist_weight", 1.0)?,
            reward_control_weight: settings.number("reward_control_weight", 0.1)?,
            object: model.body("object")?,
            tips_arm: model.body("tips_arm")?,
            goal: model.body("goal")?,
        })
    }

    fn draw_start(&self, rng: &mut dyn RngCore, qpos: &mut [f64], qvel: &mut [f64]) {
        let (n, m) = (qpos.len(), qvel.len());
        loop {
            let cylinder = [uniform(rng, -0.3, 0.0), uniform(rng, -0.2, 0.2)];
            qpos[n - 4..n - 2].copy_from_slice(&cylinder);
            if norm(&cylinder) > 0.17 {
                break;
            }
        }
        qpos[n - 2..].fill(0.0);
        perturb(qvel, 0.005, rng);
        qvel[m - 4..].fill(0.0);
    }

    fn step(&self, world: &mut World, action: &[f32]) -> Result<(f64, bool), MujocoError> {
        world.advance(action)?;
        let positions = world.output(XPOS);
        let near_reward = -norm(&difference(positions, self.object, self.tips_arm)) * self.reward_near_weight;
        let distance_reward = -norm(&difference(positions, self.object, self.goal)) * self.reward_dist_weight;
        let control_reward = -squares(action) * self.reward_control_weight as f32;
        Ok((distance_reward + f64::from(control_reward) + near_reward, false))
    }

    fn observe(&self, world: &World, entries: &mut Vec<f64>) {
        entries.extend(&world.qpos()[..7]);
        entries.extend(&world.qvel()[..7]);
        for body in [self.tips_arm, self.object, self.goal] {
            entries.extend(&world.output(XPOS)[3 * body..3 * body + 3]);
        }
    }
}
