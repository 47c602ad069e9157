//! Optimizers that know which parameter is which matrix against their authors' packages, step by
//! step: `tests/data/torch/layered.py`.

use candle_core::{DType, Device, Tensor};
use egn_solver::{
    Activation, Initialization, Learner, Network, OptimizerConfig, OptimizerName, Precision, StepContext,
    loss::SquaredError,
};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

use crate::recorded::{distance, norm, numbers, read, repository_copy};

#[test]
fn every_step_is_that_of_the_authors() {
    let file = read(&repository_copy().join("torch/layered.json"));
    let widths: Vec<usize> = numbers(&file["widths"]).iter().map(|&n| n as usize).collect();
    let (x, targets, start) = (numbers(&file["x"]), numbers(&file["y"]), numbers(&file["start"]));
    let inputs = Tensor::from_vec(x, (targets.len() / widths[widths.len() - 1], widths[0]), &Device::Cpu).unwrap();
    // In single precision steps of nearly constant length go their own ways after a while, and at
    // once where a tiny ε has rounding errors divided by each other.
    for (dtype, n_steps, tolerance) in [(DType::F64, 25, 1e-9), (DType::F32, 5, 1e-6)] {
        let is_near = |run: &&Value| dtype == DType::F64 || run["is_near_in_single"] == true;
        for run in file["runs"].as_array().unwrap().iter().filter(is_near) {
            let optimizer: OptimizerConfig = serde_json::from_value(run["optimizer"].clone()).unwrap();
            let params = Tensor::new(&*start, &Device::Cpu).unwrap().to_dtype(dtype).unwrap();
            let network = Network::mlp(&widths, Activation::Tanh);
            let mut learner = Learner::from_params(network, params, &optimizer).unwrap();
            for (i, expected) in run["steps"].as_array().unwrap().iter().take(n_steps).enumerate() {
                let expected = numbers(expected);
                learner.step(&inputs, &SquaredError { targets: &targets }, StepContext::default()).unwrap();
                let error = distance(&learner.snapshot().parameters(), &expected) / norm(&expected);
                assert!(error < tolerance, "{optimizer:?} {dtype:?} step {i}: off by {error:e}");
            }
        }
    }
}

/// A learner goes on as if it had never stopped, with all that is remembered of matrices.
#[test]
fn a_state_holds_what_belongs_to_hidden_matrices() {
    let x: Vec<f64> = (0..18).map(|i| libm::sin(f64::from(7 * i))).collect();
    let (x, targets) = (Tensor::from_vec(x, (6, 3), &Device::Cpu).unwrap(), [0.5, -0.5].repeat(6));
    for precision in [Precision::F32, Precision::F64] {
        for &name in OptimizerName::ALL {
            let [mut whole, mut resumed] = [1, 2].map(|seed| {
                let rng = &mut ChaCha8Rng::seed_from_u64(seed);
                let network = Network::mlp(&[3, 5, 4, 2], Activation::Tanh);
                Learner::new(network, Initialization::Uniform, precision, &name.into(), rng).unwrap()
            });
            let step = |learner: &mut Learner| {
                learner.step(&x, &SquaredError { targets: &targets }, StepContext::default()).unwrap()
            };
            for _ in 0..13 {
                step(&mut whole);
            }
            resumed.restore(&whole.state()).unwrap();
            for _ in 0..13 {
                assert_eq!(step(&mut whole), step(&mut resumed), "{name}");
            }
            assert_eq!(whole.state(), resumed.state(), "{name}");
        }
    }
}
