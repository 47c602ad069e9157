//! What a solve says of its own damping, against dense matrices and the evidence itself.

use candle_core::{DType, Device, Tensor};
use egn_solver::{
    Activation, DampingRule, Direction, EgnConfig, Fit, Form, Learner, Linearized, Measures, Network, NetworkProblem,
    OptimizerConfig, Problem, RowSystem, StepContext,
    loss::{CrossEntropy, SquaredError},
};
use nalgebra::{DMatrix, DVector};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::{
    kinds::{Sizes, network},
    setting::Setting,
};

/// X = SᵀJ, by a forward-mode pass a parameter, and ρ.
fn regression(linearized: &mut dyn Linearized<f64>) -> (DMatrix<f64>, DVector<f64>) {
    let [n, p] = linearized.shape();
    let mut x = DMatrix::zeros(n, p);
    let mut change = Vec::new();
    for j in 0..p {
        let mut tangent = vec![0.0; p];
        tangent[j] = 1.0;
        linearized.push_forward(&tangent, &mut change);
        x.set_column(j, &DVector::from_column_slice(&change));
    }
    (x, DVector::from_column_slice(linearized.rho()))
}

/// Minus twice the log evidence with the noise at its best, for shift bλ.
fn cost(x: &DMatrix<f64>, rho: &DVector<f64>, shift: f64) -> f64 {
    let n = rho.len();
    let a = x * x.transpose() + DMatrix::identity(n, n) * shift;
    let form = rho.dot(&a.clone().lu().solve(rho).unwrap());
    n as f64 * libm::log(form) + a.symmetric_eigenvalues().iter().map(|&e| libm::log(e)).sum::<f64>()
}

/// The share and the misfit by dense algebra.
fn dense_fit(x: &DMatrix<f64>, rho: &DVector<f64>, shift: f64) -> Fit {
    let n = rho.len();
    let inverse = (x * x.transpose() + DMatrix::identity(n, n) * shift).try_inverse().unwrap();
    let v = &inverse * rho;
    let share = (x * x.transpose() * inverse).trace() / n as f64;
    Fit { share, misfit: shift * v.norm_squared() / rho.dot(&v) }
}

fn setting(seed: u64) -> Setting {
    let sizes = Sizes { n_inputs: 3, hidden: 4, n_outputs: 3, extra: 1 };
    Setting::draw(network(0, sizes, Activation::Tanh), 6, seed)
}

#[test]
fn share_and_misfit_are_those_of_a_dense_solve() {
    const N_PROBES: usize = 4000;
    let setting = setting(3);
    let targets: Vec<f64> = (0..18).map(|i| libm::cos(2.3 * f64::from(i))).collect();
    let loss = SquaredError { targets: &targets };
    for (lambda, form) in [(0.3, Form::Rows), (0.3, Form::Parameters), (0.001, Form::Rows), (20.0, Form::Rows)] {
        let mut model = setting.model();
        let mut problem = NetworkProblem::new(&mut model, &loss);
        let linearized = problem.linearize(None).unwrap();
        let (x, rho) = regression(linearized);
        let expected = dense_fit(&x, &rho, 6.0 * lambda);
        let (mut direction, system) = (Direction::default(), &mut RowSystem::default());
        let mut fit_of = |seed: usize| {
            let measures = Measures { fit: Some(seed as u64), ..Measures::default() };
            direction.solve_as(form, linearized, lambda, measures, system).unwrap().fit.unwrap()
        };
        let shares: Vec<f64> = (0..N_PROBES).map(|seed| fit_of(seed).share).collect();
        let mean = shares.iter().sum::<f64>() / N_PROBES as f64;
        let variance = shares.iter().map(|share| (share - mean).powi(2)).sum::<f64>() / N_PROBES as f64;
        let error = (variance / N_PROBES as f64).sqrt();
        assert!((mean - expected.share).abs() < 4.0 * error + 1e-12, "{form:?}: {mean} for {}", expected.share);
        let misfit = fit_of(0).misfit;
        assert!((misfit - expected.misfit).abs() < 1e-9, "{form:?}: {misfit} for {}", expected.misfit);
    }
}

/// The identity that the rule rests on: d cost / d log λ = n (1 − share − misfit).
#[test]
fn the_slope_of_the_evidence_is_what_the_fit_says() {
    let setting = setting(5);
    let loss = CrossEntropy { labels: &[0, 2, 1, 1, 0, 2] };
    let mut model = setting.model();
    let mut problem = NetworkProblem::new(&mut model, &loss);
    let (x, rho) = regression(problem.linearize(None).unwrap());
    for shift in [0.02, 0.5, 3.0, 40.0] {
        let Fit { share, misfit } = dense_fit(&x, &rho, shift);
        let h = 1e-4;
        let slope = (cost(&x, &rho, shift * libm::exp(h)) - cost(&x, &rho, shift * libm::exp(-h))) / (2.0 * h);
        let expected = rho.len() as f64 * (1.0 - share - misfit);
        assert!((slope - expected).abs() < 1e-5 * rho.len() as f64, "{shift}: {slope} for {expected}");
    }
}

/// A regression whose best damping is known: targets are a linear function with weights of variance
/// s² and noise of variance σ², so that bλ = σ²/s². One λ for all batches, which are drawn anew.
#[test]
fn evidence_finds_the_ratio_of_noise_to_signal() {
    const N_INPUTS: usize = 20;
    const BATCH: usize = 40;
    for noise in [0.3, 1.0] {
        let network = Network::mlp(&[N_INPUTS, 1], Activation::Identity);
        let p = network.n_params();
        let config = EgnConfig {
            lr: 0.0.into(), // Every step looks from the same parameters.
            lambda: 1e-3.into(),
            damping: DampingRule::Evidence,
            ..EgnConfig::default()
        };
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let optimizer = OptimizerConfig::Egn(config);
        let zeros = Tensor::zeros(p, DType::F64, &Device::Cpu).unwrap();
        let mut learner = Learner::from_params(network, zeros, &optimizer).unwrap();
        let mut lambdas = Vec::new();
        for _ in 0..3000 {
            let normal = |rng: &mut ChaCha8Rng| egn_solver::standard_normal(rng);
            let weights: Vec<f64> = (0..p).map(|_| normal(&mut rng)).collect();
            let x: Vec<f64> = (0..BATCH * N_INPUTS).map(|_| rng.random_range(-1.0..1.0)).collect();
            let linear = |row: &[f64]| row.iter().zip(&weights).map(|(x, w)| x * w).sum::<f64>() + weights[p - 1];
            let targets: Vec<f64> =
                x.chunks_exact(N_INPUTS).map(|row| linear(row) + noise * normal(&mut rng)).collect();
            let inputs = Tensor::from_vec(x, (BATCH, N_INPUTS), &Device::Cpu).unwrap();
            let report = learner.step(&inputs, &SquaredError { targets: &targets }, StepContext::default()).unwrap();
            lambdas.push(libm::log(report.damping.unwrap()));
        }
        let late = &lambdas[1000..];
        let mean = libm::exp(late.iter().sum::<f64>() / late.len() as f64);
        let expected = noise * noise / BATCH as f64;
        assert!((mean / expected - 1.0).abs() < 0.15, "noise {noise}: λ {mean:e} for {expected:e}");
    }
}
