//! Memory of an EGN step: it grows with the parameters and with the batch,
//! never with their product.
//!
//! `cargo run --release -p egn-solver --example step_memory` counts every byte allocated, from
//! before the learner is made until after its second step, at 32 samples and one chosen output.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

use egn_solver::{
    Activation, Network, OptimizerName, SolverError,
    bench_step::{BenchLoss, BenchStep},
};

const BATCH: usize = 32;

/// The system's allocator, and how much it has given out.
struct Counting;

static IN_USE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is passed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let in_use = IN_USE.fetch_add(layout.size(), Relaxed) + layout.size();
        PEAK.fetch_max(in_use, Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() -> Result<(), SolverError> {
    println!(
        "| network | p | bytes at most | bytes a parameter | a stored Jacobian | Adam |\n|---|---|---|---|---|---|"
    );
    for width in [96, 312, 996, 3156] {
        let network = Network::mlp(&[8, width, width, 1], Activation::Relu);
        let p = network.n_params();
        let egn = peak_of_a_thread(&network, OptimizerName::Egn)?;
        let adam = peak_of_a_thread(&network, OptimizerName::Adam)?;
        let jacobian = 4 * p * BATCH;
        println!("| {network} | {p} | {egn} | {:.1} | {jacobian} | {adam} |", egn as f64 / p as f64);
    }
    Ok(())
}

/// [`peak`] on a thread of its own, for what the learners of a thread share is
/// taken at the first step.
fn peak_of_a_thread(network: &Network, optimizer: OptimizerName) -> Result<usize, SolverError> {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            // What the matrix product keeps for itself is taken at its first
            // call; Adam shares nothing.
            let scratch = peak(&Network::mlp(&[8, 512, 512, 1], Activation::Relu), OptimizerName::Adam)?;
            assert!(scratch > 0, "the allocator counts");
            peak(network, optimizer)
        });
        thread.join().expect("a measurement does not panic")
    })
}

/// Most bytes in use at once by a learner that takes two steps.
fn peak(network: &Network, optimizer: OptimizerName) -> Result<usize, SolverError> {
    let before = IN_USE.load(Relaxed);
    PEAK.store(before, Relaxed);
    let mut bench = BenchStep::new(network, BATCH, BenchLoss::MseSelected, &optimizer.into())?;
    // What drawing the parameters took is over.
    PEAK.store(IN_USE.load(Relaxed), Relaxed);
    bench.step()?;
    bench.step()?;
    Ok(PEAK.load(Relaxed) - before)
}
