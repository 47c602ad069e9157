//! Outputs and derivatives of torch's layers, recorded by `tests/data/torch/layers.py`.
//!
//! Both are f64 and differ by rounding alone, of sums of less than a hundred terms.

use crate::kinds::{distance, norm};
use crate::recorded::{numbers, read, repository_copy};
use candle_core::{Device, Tensor};
use egn_solver::{Activation, Model, Network, NetworkProblem, Problem, loss::SquaredError};

const TOLERANCE: f64 = 1e-13;

#[test]
fn outputs_and_gradients_are_torchs() {
    let file = read(&repository_copy().join("torch/layers.json"));
    for case in file["cases"].as_array().unwrap() {
        let activation: Activation = serde_json::from_value(case["activation"].clone()).unwrap();
        let network = Network::parse(case["network"].as_str().unwrap(), activation).unwrap();
        let name = format!("{network} with {activation:?}");
        let (x, outputs) = (numbers(&case["x"]), numbers(&case["outputs"]));
        let batch = x.len() / network.n_inputs();
        let mut model = Model::<f64>::new(network.clone(), numbers(&case["params"]));
        model.load(&Tensor::from_slice(&x, (batch, network.n_inputs()), &Device::Cpu).unwrap()).unwrap();
        check(&name, "outputs", &model.forward().values, &outputs);
        check(&name, "derivative by the inputs", &model.input_gradient(&outputs), &numbers(&case["input_gradient"]));
        // Half the mean over samples of the squared distance to zero.
        let (targets, mut gradient) = (vec![0.0; outputs.len()], vec![0.0; network.n_params()]);
        NetworkProblem::new(&mut model, &SquaredError { targets: &targets }).gradient(&mut gradient).unwrap();
        gradient.iter_mut().for_each(|x| *x *= batch as f64);
        check(&name, "gradient", &gradient, &numbers(&case["gradient"]));
    }
}

fn check(name: &str, what: &str, ours: &[f64], theirs: &[f64]) {
    let error = distance(ours, theirs) / norm(theirs);
    assert!(error < TOLERANCE, "{name}: {what} off by {error:e}");
}
