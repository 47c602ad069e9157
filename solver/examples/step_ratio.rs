//! EGN step over Adam step, timed in turns, so that a busy machine slows both alike.
//!
//! `cargo run --release -p egn-solver --example step_ratio` prints the table of this crate's
//! README: the fastest tenth of 400 turns of four steps each (µs), forward pass included, f32, one
//! thread. The fastest, because other programs only ever add to a time.

use std::time::Instant;

use egn_solver::{
    Activation, Network, OptimizerName, SolverError,
    bench_step::{BenchLoss, BenchStep},
};

const TURNS: usize = 400;
const STEPS: usize = 4;

fn main() -> Result<(), SolverError> {
    println!("| network | loss | batch | EGN | Adam | ratio |\n|---|---|---|---|---|---|");
    for widths in [[4, 64, 64, 2], [8, 256, 256, 4]] {
        let network = Network::mlp(&widths, Activation::Relu);
        for loss in [BenchLoss::MseSelected, BenchLoss::Ce] {
            for batch in [32, 64, 128, 256] {
                let [egn, adam] = decile(&network, loss, batch)?;
                println!("| {network} | {loss} | {batch} | {egn:.0} | {adam:.0} | {:.2} |", egn / adam);
            }
        }
    }
    Ok(())
}

/// Time of a step of EGN and of Adam (µs), exceeded in nine turns of ten.
fn decile(network: &Network, loss: BenchLoss, batch: usize) -> Result<[f64; 2], SolverError> {
    let bench = |name: OptimizerName| BenchStep::new(network, batch, loss, &name.into());
    let mut benches = [bench(OptimizerName::Egn)?, bench(OptimizerName::Adam)?];
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..TURNS {
        for (bench, times) in benches.iter_mut().zip(&mut times) {
            // The first step finds the caches as the other optimizer left them.
            bench.step()?;
            let start = Instant::now();
            for _ in 0..STEPS {
                bench.step()?;
            }
            times.push(start.elapsed().as_secs_f64() * 1e6 / STEPS as f64);
        }
    }
    Ok(times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[TURNS / 10]
    }))
}
