//! Steps per second of a native MuJoCo task, random actions, resets included.
//!
//!     EGN_PYTHON=… cargo run --release -p egn-envs --example mujoco_rate [id] [threads]
//!     [environments a thread] [seconds]
//!
//! Prints id, threads, environments a thread, steps per second, steps per CPU second and peak
//! memory (MB); `envs/scripts/mujoco_rate.py` prints what Python does by itself beside it.

use std::time::{Duration, Instant};

use egn_envs::{EnvError, EnvId, Pcg64};

fn main() -> Result<(), EnvError> {
    let argument = |i: usize, default: &str| std::env::args().nth(i).unwrap_or_else(|| default.to_owned());
    let id: EnvId = argument(1, "HalfCheetah-v5").parse()?;
    let [threads, n_envs] = [2, 3].map(|i| argument(i, "1").parse().unwrap_or(1_usize));
    let duration = Duration::from_secs_f64(argument(4, "3").parse().unwrap_or(3.0));
    let counts: Vec<u64> = std::thread::scope(|scope| {
        let started: Vec<_> =
            (0..threads).map(|seed| scope.spawn(move || steps(id, n_envs, duration, seed as u64))).collect();
        started.into_iter().map(|thread| thread.join().expect("no panic")).collect::<Result<_, _>>()
    })?;
    let (n_steps, usage) = (counts.iter().sum::<u64>() as f64, usage());
    let rate = n_steps / duration.as_secs_f64();
    println!("{id} {threads} {n_envs} {rate:.0} {:.0} {:.0}", n_steps / usage.0, usage.1);
    Ok(())
}

/// Steps that one thread takes in its environments, one after the other.
fn steps(id: EnvId, n_envs: usize, duration: Duration, seed: u64) -> Result<u64, EnvError> {
    let mut rng = Pcg64::seed_from(seed);
    let mut envs = (0..n_envs).map(|_| id.make()).collect::<Result<Vec<_>, _>>()?;
    let action_space = envs[0].action_space().clone();
    let mut actions = vec![vec![0.0; action_space.len()]; 1000];
    actions.iter_mut().for_each(|action| action_space.sample(&mut rng, action));
    let mut observation = vec![0.0; envs[0].observation_space().len()];
    envs.iter_mut().try_for_each(|env| env.reset(&mut rng, &mut observation))?;
    let (start, mut n_steps) = (Instant::now(), 0);
    while start.elapsed() < duration {
        for env in &mut envs {
            let action = action_space.action(&actions[n_steps as usize % actions.len()]);
            if env.step(action, &mut rng, &mut observation)?.outcome().is_end() {
                env.reset(&mut rng, &mut observation)?;
            }
            n_steps += 1;
        }
    }
    Ok(n_steps)
}

/// CPU seconds of this process so far, and its greatest memory (MB).
fn usage() -> (f64, f64) {
    // SAFETY: all zeros is a value of this structure, which the system then fills.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &raw mut usage);
        usage
    };
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 * 1e-6;
    (seconds(usage.ru_utime) + seconds(usage.ru_stime), usage.ru_maxrss as f64 / 1024.0)
}
