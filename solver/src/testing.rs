//! Checks as functions: one call for a new loss or network.
//!
//! They panic with the numbers when a check fails, so they belong in tests.

use crate::{
    loss::{
        loss::{Loss, Outputs},
        root::Root,
    },
    network::{network::Network, pass::Pass},
};

/// Step of a central difference in f64.
const DIFFERENCE: f64 = 1e-5;

/// Checks a loss against differences at `outputs`.
///
/// The loss as the mean of its samples; r = ∂ℓ/∂f by differences of the value; S ρ = r, unless the
/// loss says that it is not so; and, with `exact_curvature`, Q = S Sᵀ by differences of r. (Q is
/// positive semi-definite by its form.)
///
/// # Panics
/// When a derivative disagrees.
pub fn check_loss(loss: &dyn Loss, outputs: &Outputs, exact_curvature: bool) {
    let (b, c) = (outputs.batch(), outputs.n_outputs);
    let (mut residual, mut root) = (Vec::new(), Root::default());
    let value = loss.residual(outputs, &mut residual);
    close(loss.value(outputs), value, 1e-14, "value and value with residual");
    close(loss.root(outputs, &mut root), value, 1e-14, "value and value with root");
    let mut values = Vec::new();
    loss.values(outputs, &mut values);
    assert_eq!(values.len(), b, "values of {b} samples");
    close(values.iter().sum::<f64>() / b as f64, value, 1e-14, "mean of the values and value");
    let k = root.rho.len() / b;
    assert_eq!(root.rows.len(), b * k * c, "rows of S");
    assert_eq!(loss.rows_per_sample(outputs), k, "rows of a sample");
    let nudged = |entry: usize, by: f64| {
        let mut outputs = outputs.clone();
        outputs.values[entry] += by;
        outputs
    };
    for i in 0..b {
        let rows = || root.rows[i * k * c..(i + 1) * k * c].chunks_exact(c);
        for j in 0..c {
            let entry = i * c + j;
            let (up, down) = (nudged(entry, DIFFERENCE), nudged(entry, -DIFFERENCE));
            let slope = (loss.value(&up) - loss.value(&down)) / (2.0 * DIFFERENCE) * b as f64;
            close(residual[entry], slope, 1e-7, "residual and difference of the value");
            let product: f64 = root.rho[i * k..].iter().zip(rows()).map(|(rho, row)| rho * row[j]).sum();
            if loss.spans_residual() {
                close(product, residual[entry], 1e-12, "S rho and residual");
            }
            if !exact_curvature {
                continue;
            }
            let (mut above, mut below) = (Vec::new(), Vec::new());
            loss.residual(&up, &mut above);
            loss.residual(&down, &mut below);
            for m in 0..c {
                let difference = (above[i * c + m] - below[i * c + m]) / (2.0 * DIFFERENCE);
                let q: f64 = rows().map(|row| row[j] * row[m]).sum();
                close(q, difference, 1e-7, "curvature and difference of the residual");
            }
        }
    }
}

/// The explicit Jacobian (b·c, p), row-major, by back-propagating one unit row per output.
///
/// For tests: its memory is what the rest of this crate avoids.
pub fn explicit_jacobian(network: &Network, params: &[f64], inputs: &[f64]) -> Vec<f64> {
    let mut pass = Pass::new();
    let (b, c, p) = (inputs.len() / network.n_inputs(), network.n_outputs(), network.n_params());
    pass.inputs_mut(network, b).copy_from_slice(inputs);
    pass.forward(network, params);
    let mut jacobian = vec![0.0; b * c * p];
    for (row, gradient) in jacobian.chunks_exact_mut(p).enumerate() {
        let mut unit = vec![0.0; b * c];
        unit[row] = 1.0;
        pass.propagate_rows(network, params, &unit);
        pass.pull_back(network, &vec![1.0; b], gradient);
    }
    jacobian
}

/// Checks a network's derivatives by parameters and by inputs against central differences of its
/// outputs.
///
/// # Panics
/// When an entry disagrees.
pub fn check_jacobian(network: &Network, params: &[f64], inputs: &[f64]) {
    let jacobian = explicit_jacobian(network, params, inputs);
    let (n, c, p) = (network.n_inputs(), network.n_outputs(), network.n_params());
    let outputs = |params: &[f64], inputs: &[f64]| {
        let mut pass = Pass::new();
        pass.inputs_mut(network, inputs.len() / n).copy_from_slice(inputs);
        pass.forward(network, params).to_vec()
    };
    let difference = |of: &dyn Fn(f64) -> Vec<f64>| -> Vec<f64> {
        of(DIFFERENCE).iter().zip(of(-DIFFERENCE)).map(|(up, down)| (up - down) / (2.0 * DIFFERENCE)).collect()
    };
    let nudged = |values: &[f64], entry: usize, by: f64| {
        let mut values = values.to_vec();
        values[entry] += by;
        values
    };
    for parameter in 0..p {
        let expected = difference(&|by| outputs(&nudged(params, parameter, by), inputs));
        for (row, expected) in expected.into_iter().enumerate() {
            close(jacobian[row * p + parameter], expected, 1e-7, "Jacobian");
        }
    }
    for sample in inputs.chunks_exact(n) {
        let by_inputs = input_jacobian(network, params, sample);
        for entry in 0..n {
            let expected = difference(&|by| outputs(params, &nudged(sample, entry, by)));
            for (j, expected) in expected.into_iter().enumerate().take(c) {
                close(by_inputs[j * n + entry], expected, 1e-7, "derivative by the inputs");
            }
        }
    }
}

/// ∂f/∂x (c, n_inputs) of one sample x, row-major: one propagated row an output.
fn input_jacobian(network: &Network, params: &[f64], sample: &[f64]) -> Vec<f64> {
    let (mut pass, c) = (Pass::new(), network.n_outputs());
    pass.inputs_mut(network, 1).copy_from_slice(sample);
    pass.forward(network, params);
    let units: Vec<f64> = (0..c * c).map(|e| f64::from(u8::from(e / c == e % c))).collect();
    pass.propagate_rows(network, params, &units);
    pass.rows_at_inputs(network, params).to_vec()
}

fn close(a: f64, b: f64, tolerance: f64, what: &str) {
    let error = (a - b).abs();
    assert!(error <= tolerance * (1.0 + a.abs().max(b.abs())), "{what}: {a} against {b}");
}
