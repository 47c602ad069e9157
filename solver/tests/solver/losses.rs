//! Every loss at random outputs: r and Q against differences or their own definition, S ρ = r.

use crate::setting::{N_LOSSES, Setting};
use egn_solver::{
    Activation, Loss, Network, Outputs,
    loss::{GaussianPolicyGradient, Root, log_softmax},
    testing::check_loss,
};
use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Losses whose curvature is ∂²ℓ/∂f² everywhere.
const EXACT: [usize; 9] = [0, 1, 2, 4, 5, 7, 8, 10, 13];

/// Σ over rows of s sᵀ for every sample, (b, c, c).
fn curvature(loss: &dyn Loss, outputs: &Outputs) -> Vec<f64> {
    let (mut root, c) = (Root::default(), outputs.n_outputs);
    loss.root(outputs, &mut root);
    let k = root.rho.len() / outputs.batch();
    let mut q = vec![0.0; outputs.batch() * c * c];
    for (row, s) in root.rows.chunks_exact(c).enumerate() {
        (0..c * c).for_each(|e| q[row / k * c * c + e] += s[e / c] * s[e % c]);
    }
    q
}

fn near(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (a, b) in found.iter().zip(expected) {
        assert!((a - b).abs() <= tolerance * (1.0 + b.abs()), "{found:?}, not {expected:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn derivatives_equal_differences(which in 0..N_LOSSES, c in 2_usize..6, batch in 1_usize..6, seed: u64) {
        let setting = Setting::draw(Network::mlp(&[2, c], Activation::Identity), batch, seed);
        let outputs = setting.model().forward().clone();
        setting.with_loss(which, |loss| check_loss(loss, &outputs, EXACT.contains(&which)));
    }

    /// The Fisher matrix from its definition, Σₐ π(a) ∇log π(a) ∇log π(a)ᵀ.
    #[test]
    fn curvature_of_a_categorical_policy_is_its_fisher_matrix(c in 2_usize..6, batch in 1_usize..6, seed: u64) {
        let setting = Setting::draw(Network::mlp(&[2, c], Activation::Identity), batch, seed);
        let outputs = setting.model().forward().clone();
        let (mut log_p, mut expected) = (vec![0.0; c], Vec::new());
        for z in outputs.rows() {
            log_softmax(z, &mut log_p);
            let slope = |a: usize, j: usize| f64::from(u8::from(a == j)) - libm::exp(log_p[j]);
            let entry = |e: usize| (0..c).map(|a| libm::exp(log_p[a]) * slope(a, e / c) * slope(a, e % c)).sum::<f64>();
            expected.extend((0..c * c).map(entry));
        }
        near(&setting.with_loss(6, |loss| curvature(loss, &outputs)), &expected, 1e-13);
        let weights = &setting.weights;
        let weighted: Vec<f64> = expected.iter().enumerate().map(|(e, q)| weights[e / (c * c)] * q).collect();
        near(&setting.with_loss(9, |loss| curvature(loss, &outputs)), &weighted, 1e-13);
    }

    /// Iteratively reweighted least squares: w min(1, δ/|e|) on the chosen output.
    #[test]
    fn curvature_of_the_huber_loss_is_its_weight(c in 2_usize..6, batch in 1_usize..6, seed: u64) {
        let setting = Setting::draw(Network::mlp(&[2, c], Activation::Identity), batch, seed);
        let outputs = setting.model().forward().clone();
        let mut expected = vec![0.0; batch * c * c];
        for (i, (f, &a)) in outputs.rows().zip(&setting.actions).enumerate() {
            let a = a as usize;
            let error = (f[a] - setting.chosen_targets[i]).abs();
            expected[i * c * c + a * (c + 1)] = setting.weights[i] * if error > 0.7 { 0.7 / error } else { 1.0 };
        }
        near(&setting.with_loss(3, |loss| curvature(loss, &outputs)), &expected, 1e-13);
    }

    /// Gradient by differences, and the Fisher matrix as the Hessian of KL(π ‖ π′) at π′ = π.
    #[test]
    fn a_gaussian_policy_equals_differences(n in 1_usize..4, batch in 1_usize..4, entropy in 0.0..1.0_f64, seed: u64) {
        let rng = &mut ChaCha8Rng::seed_from_u64(seed);
        let mut many = |n: usize| (0..n).map(|_| rng.random_range(-1.0..1.0)).collect::<Vec<f64>>();
        let outputs = Outputs { values: many(2 * n * batch), n_outputs: 2 * n };
        let (actions, advantages, old_log_probs) = (many(n * batch), many(batch), many(batch));
        let loss = GaussianPolicyGradient {
            actions: &actions, advantages: &advantages, old_log_probs: &old_log_probs, clip: None, entropy,
            kl: None,
        };
        check_loss(&loss, &outputs, false);

        // Closed form of the divergence of diagonal Gaussians.
        let divergence = |from: &[f64], to: &[f64]| -> f64 {
            (0..n).map(|j| {
                let (s, t) = (from[n + j], to[n + j]);
                t - s + (libm::exp(2.0 * s) + (from[j] - to[j]).powi(2)) / (2.0 * libm::exp(2.0 * t)) - 0.5
            }).sum()
        };
        let (c, h) = (2 * n, 1e-3);
        let mut expected = Vec::new();
        for f in outputs.rows() {
            let at = |i: usize, by: f64, j: usize, and: f64| {
                let mut moved = f.to_vec();
                moved[i] += by;
                moved[j] += and;
                divergence(f, &moved)
            };
            expected.extend((0..c * c).map(|e| {
                let (i, j) = (e / c, e % c);
                (at(i, h, j, h) - at(i, h, j, -h) - at(i, -h, j, h) + at(i, -h, j, -h)) / (4.0 * h * h)
            }));
        }
        near(&curvature(&loss, &outputs), &expected, 2e-5);
    }
}

/// Value and residual of every sample are its weight times what they were.
#[test]
fn a_weight_multiplies_value_and_residual() {
    let setting = Setting::draw(Network::mlp(&[2, 3], Activation::Identity), 3, 5);
    let outputs = setting.model().forward().clone();
    for (plain, weighted) in [(0, 7), (4, 8), (6, 9)] {
        let values = |which| {
            setting.with_loss(which, |loss| {
                let (mut values, mut residual) = (Vec::new(), Vec::new());
                loss.values(&outputs, &mut values);
                loss.residual(&outputs, &mut residual);
                (values, residual)
            })
        };
        let ((values, residual), (w_values, w_residual)) = (values(plain), values(weighted));
        let scaled = |x: &[f64], n: usize| -> Vec<f64> {
            x.iter().enumerate().map(|(e, x)| setting.weights[e / n] * x).collect()
        };
        near(&w_values, &scaled(&values, 1), 1e-15);
        near(&w_residual, &scaled(&residual, 3), 1e-15);
    }
}
