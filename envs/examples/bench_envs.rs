//! Steps per second of every environment, one thread, random actions, resets included.
//!
//!     cargo run --release -p egn-envs --example bench_envs [name part]
//!
//! Prints one line an environment, `<id> <million steps per second>`: the best of many short batches,
//! because other jobs on the machine only ever slow a batch down.
//! `envs/scripts/bench.py` prints Gymnasium's and MinAtar's own numbers beside these.

use std::time::Instant;

use egn_envs::{Env, EnvError, EnvId, Pcg64, Space};

const BATCHES: usize = 50;
const BATCH_SECONDS: f64 = 0.02;

fn main() -> Result<(), EnvError> {
    let part = std::env::args().nth(1).unwrap_or_default();
    // Of the LQR problems one small and one large.
    let is_shown = |id: &str| !id.starts_with("LQR/") || id.ends_with("recht") || id.ends_with("cm1-QI");
    for id in EnvId::ALL.iter().filter(|id| id.name().contains(&part) && is_shown(id.name())) {
        let mut walk = Walk::new(id.make()?)?;
        let mut best = 0.0_f64;
        for _ in 0..BATCHES {
            best = best.max(walk.batch()?);
        }
        println!("{id:32} {:8.2}", best / 1e6);
    }
    Ok(())
}

struct Walk {
    env: Box<dyn Env>,
    rng: Pcg64,
    observation: Vec<f32>,
    /// Drawn beforehand: the cost of drawing actions is not that of the environment.
    actions: Vec<Vec<f32>>,
    action_space: Space,
}

impl Walk {
    fn new(mut env: Box<dyn Env>) -> Result<Self, EnvError> {
        let mut rng = Pcg64::seed_from(0);
        let action_space = env.action_space().clone();
        let mut actions = vec![vec![0.0; action_space.len()]; 4096];
        actions.iter_mut().for_each(|action| action_space.sample(&mut rng, action));
        let mut observation = vec![0.0; env.observation_space().len()];
        env.reset(&mut rng, &mut observation)?;
        Ok(Walk { env, rng, observation, actions, action_space })
    }

    /// Steps per second over one batch.
    fn batch(&mut self) -> Result<f64, EnvError> {
        let (start, mut n_steps) = (Instant::now(), 0);
        loop {
            for action in &self.actions {
                let action = self.action_space.action(action);
                let step = self.env.step(action, &mut self.rng, &mut self.observation)?;
                if step.outcome().is_end() {
                    self.env.reset(&mut self.rng, &mut self.observation)?;
                }
            }
            n_steps += self.actions.len();
            let seconds = start.elapsed().as_secs_f64();
            if seconds > BATCH_SECONDS {
                return Ok(n_steps as f64 / seconds);
            }
        }
    }
}
