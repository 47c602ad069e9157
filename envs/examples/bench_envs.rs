//! Steps per second of every environment, one thread, random actions, resets included.
//!
//!     cargo run --release -p egn-envs --example bench_envs [name part]
//!
//! Prints one line an environment, `<id> <million steps per CPU second>`: the best of many short
//! batches, because other jobs on the machine only ever slow a batch down. `envs/scripts/bench.py`
//! prints Gymnasium's and MinAtar's own numbers beside these.

use egn_envs::{Action, Env, EnvError, EnvId, Pcg64};

const BATCHES: usize = 50;
const BATCH_SECONDS: f64 = 0.02;

fn main() -> Result<(), EnvError> {
    let part = std::env::args().nth(1).unwrap_or_default();
    // Of the LQR problems one small and one large.
    let is_shown = |id: &str| !id.starts_with("LQR/") || id.ends_with("recht") || id.ends_with("cm1-QI");
    // MuJoCo's tasks are a thousand times slower: example `mujoco_rate`.
    let ours = EnvId::ALL.iter().filter(|id| !matches!(id, EnvId::Mujoco(_)));
    for id in ours.filter(|id| id.name().contains(&part) && is_shown(id.name())) {
        println!("{id:32} {:8.2}", best_rate(&mut *id.make()?)? / 1e6);
    }
    Ok(())
}

/// Best steps per CPU second over all batches. Actions are drawn beforehand: their cost is not
/// that of the environment.
fn best_rate(env: &mut dyn Env) -> Result<f64, EnvError> {
    let mut rng = Pcg64::seed_from(0);
    let action_space = env.action_space().clone();
    let mut drawn = vec![vec![0.0; action_space.len()]; 4096];
    drawn.iter_mut().for_each(|action| action_space.sample(&mut rng, action));
    let actions: Vec<Action<'_>> = drawn.iter().map(|action| action_space.action(action)).collect();
    let mut observation = vec![0.0; env.observation_space().len()];
    env.reset(&mut rng, &mut observation)?;
    let mut best = 0.0_f64;
    for _ in 0..BATCHES {
        let (start, mut n_steps) = (cpu_seconds(), 0);
        let mut seconds = 0.0;
        while seconds < BATCH_SECONDS {
            for action in &actions {
                if env.step(*action, &mut rng, &mut observation)?.outcome().is_end() {
                    env.reset(&mut rng, &mut observation)?;
                }
            }
            n_steps += actions.len();
            seconds = cpu_seconds() - start;
        }
        best = best.max(n_steps as f64 / seconds);
    }
    Ok(best)
}

/// CPU time of this thread (s).
fn cpu_seconds() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the clock writes into the one timespec that it is given.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}
