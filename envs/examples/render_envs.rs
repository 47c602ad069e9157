//! Writes pictures of an environment under random actions, as `<folder>/<number>.ppm`.
//!
//!     cargo run --release -p egn-envs --example render_envs CartPole-v1 folder
//!     [frames] [steps a frame]

use std::error::Error;
use std::io::Write;
use std::path::PathBuf;

use egn_envs::{EnvId, Pcg64};

fn main() -> Result<(), Box<dyn Error>> {
    let argument = |i: usize, default: &str| std::env::args().nth(i).unwrap_or_else(|| default.to_owned());
    let (id, folder) = (argument(1, "CartPole-v1").parse::<EnvId>()?, PathBuf::from(argument(2, "frames")));
    let (n_frames, stride) = (argument(3, "5").parse::<usize>()?, argument(4, "4").parse::<usize>()?);

    let mut env = id.make()?;
    let mut rng = Pcg64::seed_from(0);
    let action_space = env.action_space().clone();
    let mut observation = vec![0.0; env.observation_space().len()];
    let mut action = vec![0.0; action_space.len()];
    env.reset(&mut rng, &mut observation)?;
    std::fs::create_dir_all(&folder)?;
    for i in 0..n_frames {
        let frame = env.render().ok_or("this environment has no picture")?;
        let mut file = std::fs::File::create(folder.join(format!("{i}.ppm")))?;
        write!(file, "P6\n{} {}\n255\n", frame.width(), frame.height())?;
        file.write_all(frame.pixels())?;
        for _ in 0..stride {
            action_space.sample(&mut rng, &mut action);
            let step = env.step(action_space.action(&action), &mut rng, &mut observation)?;
            if step.outcome().is_end() {
                env.reset(&mut rng, &mut observation)?;
            }
        }
    }
    Ok(())
}
