//! Optimizers that know which parameter is which matrix against their authors' packages, step by
//! step: `tests/data/torch/layered.py`.

use candle_core::{DType, Device, Tensor};
use egn_solver::{Activation, Learner, Network, OptimizerConfig, StepContext, loss::SquaredError};

use crate::recorded::{distance, norm, numbers, read, repository_copy};

#[test]
fn every_step_is_that_of_the_authors() {
    let file = read(&repository_copy().join("torch/layered.json"));
    let widths: Vec<usize> = numbers(&file["widths"]).iter().map(|&n| n as usize).collect();
    let (x, targets, start) = (numbers(&file["x"]), numbers(&file["y"]), numbers(&file["start"]));
    let inputs = Tensor::from_vec(x, (targets.len() / widths[widths.len() - 1], widths[0]), &Device::Cpu).unwrap();
    // In single precision steps of nearly constant length go their own ways after a while.
    for (dtype, n_steps, tolerance) in [(DType::F64, 25, 1e-10), (DType::F32, 5, 1e-5)] {
        for run in file["runs"].as_array().unwrap() {
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
