//! Steps per second of a Gymnasium environment through a child process.
//!
//!     EGN_PYTHON=… cargo run --release -p egn-envs --example gymnasium_rate [id]
//!     [environments] [seconds]
//!
//! Prints `<id> <environments> <steps per second>`; `envs/scripts/gymnasium_rate.py` prints what
//! Python does by itself beside it.

use std::time::Instant;

use egn_envs::gymnasium::{GymnasiumGroup, GymnasiumSettings, Request};
use egn_envs::{EnvError, Pcg64, Step};
use rand::RngCore;

fn main() -> Result<(), EnvError> {
    let argument = |i: usize, default: &str| std::env::args().nth(i).unwrap_or_else(|| default.to_owned());
    let (id, n_envs) = (argument(1, "CartPole-v1"), argument(2, "16").parse().unwrap_or(16));
    let seconds = argument(3, "3").parse().unwrap_or(3.0);

    let mut group = GymnasiumGroup::start(GymnasiumSettings::new(id.clone()), n_envs)?;
    let mut rng = Pcg64::seed_from(0);
    let action_space = group.action_space().clone();
    let mut actions = vec![vec![0.0; action_space.len()]; 1000];
    actions.iter_mut().for_each(|action| action_space.sample(&mut rng, action));

    let mut observations = vec![0.0; n_envs * group.observation_space().len()];
    let mut steps = vec![Step { reward: 0.0, terminated: true, truncated: false }; n_envs];
    let (start, mut n_steps) = (Instant::now(), 0);
    while start.elapsed().as_secs_f64() < seconds {
        let request = |(i, step): (usize, &Step)| match step.outcome().is_end() {
            true => Request::Reset { seed: rng.next_u32() },
            false => Request::Step(action_space.action(&actions[(n_steps + i) % actions.len()])),
        };
        let requests: Vec<_> = steps.iter().enumerate().map(request).collect();
        n_steps += requests.iter().filter(|request| matches!(request, Request::Step(_))).count();
        group.exchange(&requests, &mut observations, &mut steps)?;
    }
    println!("{id} {n_envs} {:.0}", n_steps as f64 / start.elapsed().as_secs_f64());
    Ok(())
}
