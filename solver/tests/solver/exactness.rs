//! Two independent routes to every answer: rows against parameters, factors against an explicit
//! Jacobian.

use crate::kinds::{N_ACTIVATIONS, N_NETWORKS, Sizes, distance, network, norm, tolerance};
use crate::setting::{N_LOSSES, Setting};
use candle_core::{DType, Device, Tensor};
use egn_solver::{
    Activation, Direction, EgnConfig, Form, GramPanels, Initialization, Learner, Loss, Measures, Model, Network,
    NetworkProblem, OptimizerConfig, OptimizerName, Pass, Precision, Problem, RowSystem, SgnConfig, SolverError,
    StepContext,
    loss::{FewRows, Root, SquaredError},
    testing::{check_jacobian, explicit_jacobian},
};
use nalgebra::DMatrix as Mat;
use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// All that can be measured of a solve.
const ALL: Measures = Measures { norms: true, fit: Some(0) };

fn sizes() -> impl Strategy<Value = Sizes> {
    let sizes = (1_usize..5, 1_usize..9, 2_usize..5, 1_usize..4);
    sizes.prop_map(|(n_inputs, hidden, n_outputs, extra)| Sizes { n_inputs, hidden, n_outputs, extra })
}

/// What a dense solve in parameter space says.
struct Dense {
    /// d by an LU solve of (H̃ + λI) d = −g, with H̃ of the rows that are kept and g
    /// from the explicit Jacobian.
    direction: Vec<f64>,
    /// dᵀHd, with H of all rows, and ‖H‖‖d‖², which it may be far below.
    curvature: [f64; 2],
    /// Of H̃ + λI, roughly.
    condition: f64,
    /// Rounding of g over λ: samples may cancel in g, whose error is that of its terms.
    rounding: f64,
}

fn dense(setting: &Setting, loss: &dyn Loss, rows: Option<FewRows>, lambda: f64) -> Dense {
    let (b, c, p) = (setting.batch(), setting.network.n_outputs(), setting.network.n_params());
    let jacobian = explicit_jacobian(&setting.network, &setting.params, &setting.x);
    let outputs = setting.model().forward().clone();
    let (mut residual, mut root) = (Vec::new(), Root::default());
    loss.residual(&outputs, &mut residual);
    let jacobian = Mat::from_fn(b * c, p, |i, j| jacobian[i * p + j]);
    let hessian = |root: &Root| {
        let k = root.rho.len() / b;
        let s = Mat::from_fn(b * c, b * k, |i, row| if i / c == row / k { root.rows[row * c + i % c] } else { 0.0 });
        let half = s.transpose() * &jacobian;
        half.transpose() * &half / b as f64
    };
    loss.root(&outputs, &mut root);
    let full = hessian(&root);
    let mut h = full.clone();
    if let Some(rows) = rows.filter(|rows| rows.per_sample < loss.rows_per_sample(&outputs)) {
        loss.few_rows(&outputs, rows, &mut root);
        h = hessian(&root);
    }
    let r = Mat::from_fn(b * c, 1, |i, _| residual[i]);
    let largest = (0..p).map(|i| h[(i, i)]).fold(0.0, f64::max);
    for i in 0..p {
        h[(i, i)] += lambda;
    }
    let of_sample = |i: usize| (jacobian.rows(i * c, c).transpose() * r.rows(i * c, c)).norm();
    let rounding = 1e-15 * (0..b).map(of_sample).sum::<f64>() / (b as f64 * lambda);
    let g = jacobian.transpose() * r;
    let d = h.lu().solve(&g).expect("λ > 0") / -(b as f64);
    let curvature = [(d.transpose() * &full * &d)[(0, 0)], full.norm() * d.norm_squared()];
    Dense { direction: d.iter().copied().collect(), curvature, condition: p as f64 * largest / lambda, rounding }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]

    /// The row-space step equals the dense parameter-space step.
    #[test]
    fn row_space_step_equals_dense_step(
        kind in 0..N_NETWORKS, sizes in sizes(), activation in 0..N_ACTIVATIONS, batch in 1_usize..96,
        which in 0..N_LOSSES, exponent in -6.0..3.0_f64, seed: u64,
    ) {
        let setting = Setting::draw(network(kind, sizes, Activation::ALL[activation]), batch, seed);
        let lambda = libm::pow(10_f64, exponent);
        setting.with_loss(which, |loss| {
            let Dense { direction: expected, condition, rounding, .. } = dense(&setting, loss, None, lambda);
            let mut model = setting.model();
            let mut problem = NetworkProblem::new(&mut model, loss);
            let (mut direction, system) = (Direction::default(), &mut RowSystem::default());
            let tolerance = tolerance(kind) + 1e-14 * condition + rounding / norm(&expected);
            let spans = loss.spans_residual();
            // In the form that is cheapest, then in each that is right for the loss.
            for form in [None, Some(Form::Rows).filter(|_| spans), Some(Form::Parameters), Some(Form::Woodbury)] {
                let solution = match form {
                    None => direction.solve(problem.linearize(None).unwrap(), lambda, ALL, system),
                    Some(form) => direction.solve_as(form, problem.linearize(None).unwrap(), lambda, ALL, system),
                };
                let solution = solution.unwrap();
                // Rounding of the dense solve grows with its condition number, that of Woodbury's
                // form with the square root of it too: g and JᵀSw cancel.
                let error = distance(direction.values(), &expected) / norm(&expected);
                assert!(error <= tolerance, "{form:?} off by {error:e}, {tolerance:e} allowed");
                assert!(solution.solve_residual.unwrap() <= 1e-13 + 1e-15 * condition);
                let relative = solution.norm / norm(&expected) - 1.0;
                assert!(relative.abs() <= tolerance, "norm off by {relative:e}");
                assert!(solution.slope < 0.0, "{form:?}: a step up, {solution:?}");
            }
            let solution = direction.solve(problem.linearize(None).unwrap(), lambda, ALL, system).unwrap();
            let mut gradient = vec![0.0; expected.len()];
            problem.gradient(&mut gradient).unwrap();
            let slope: f64 = gradient.iter().zip(&expected).map(|(g, d)| g * d).sum();
            assert!((slope - solution.slope).abs() <= 1e-9 + tolerance * slope.abs(), "{slope} {}", solution.slope);
            let relative = (norm(&gradient) - solution.gradient_norm.unwrap()).abs() / norm(&gradient);
            assert!(relative < 1e-7, "gradient norm off by {relative:e}");
        });
    }

    /// With few rows a sample the step is exact for the curvature that is left, and what is said
    /// of it is true of all rows.
    #[test]
    fn a_step_with_few_rows_equals_the_dense_one_with_those_rows(
        kind in 0..N_NETWORKS, sizes in sizes(), activation in 0..N_ACTIVATIONS, batch in 1_usize..48,
        which in 0..N_LOSSES, per_sample in 1_usize..4, exponent in -3.0..3.0_f64, seed: u64,
    ) {
        let setting = Setting::draw(network(kind, sizes, Activation::ALL[activation]), batch, seed);
        let lambda = libm::pow(10_f64, exponent);
        let rows = Some(FewRows { per_sample, seed });
        setting.with_loss(which, |loss| {
            let Dense { direction: expected, curvature, condition, rounding } = dense(&setting, loss, rows, lambda);
            let mut model = setting.model();
            let mut problem = NetworkProblem::new(&mut model, loss);
            let (mut direction, system) = (Direction::default(), &mut RowSystem::default());
            let solution = direction.solve(problem.linearize(rows).unwrap(), lambda, ALL, system).unwrap();
            let tolerance = tolerance(kind) + 1e-14 * condition + rounding / norm(&expected);
            let error = distance(direction.values(), &expected) / norm(&expected);
            assert!(error <= tolerance, "off by {error:e}, {tolerance:e} allowed");
            let [curvature, most] = curvature;
            let error = (solution.curvature - curvature).abs();
            assert!(error <= 1e-14 + 4.0 * tolerance * most, "{} for {curvature}", solution.curvature);
            let slope = direction.measure(problem.linearize(rows).unwrap(), &expected).0;
            let error = (slope - solution.slope).abs();
            assert!(error <= 1e-9 + tolerance * slope.abs(), "{slope} {}", solution.slope);
            // Where there are no more rows, not a bit is different.
            if per_sample >= loss.rows_per_sample(&setting.model().forward().clone()) {
                let kept = direction.solve(problem.linearize(rows).unwrap(), lambda, ALL, system).unwrap();
                let values = direction.values().to_vec();
                let whole = direction.solve(problem.linearize(None).unwrap(), lambda, ALL, system).unwrap();
                assert_eq!((kept, &values[..]), (whole, direction.values()));
            }
        });
    }

    /// Products with the Jacobian that never form it equal those with the explicit one.
    #[test]
    fn factored_products_equal_explicit_ones(
        kind in 0..N_NETWORKS, sizes in sizes(), activation in 0..N_ACTIVATIONS, batch in 1_usize..80, k in 1_usize..4,
        seed: u64,
    ) {
        let setting = Setting::draw(network(kind, sizes, Activation::ALL[activation]), batch, seed);
        let (network, params) = (&setting.network, &setting.params);
        let (p, c, n) = (network.n_params(), network.n_outputs(), batch * k);
        let jacobian = explicit_jacobian(network, params, &setting.x);
        let jacobian = Mat::from_fn(batch * c, p, |i, j| jacobian[i * p + j]);
        let rng = &mut ChaCha8Rng::seed_from_u64(seed ^ 1);
        let mut many = |n: usize| (0..n).map(|_| rng.random_range(-1.0..1.0)).collect::<Vec<f64>>();
        let (rows, v, tangent) = (many(n * c), many(n), many(p));
        let s = Mat::from_fn(batch * c, n, |i, row| if i / c == row / k { rows[row * c + i % c] } else { 0.0 });
        let half = s.transpose() * &jacobian;

        let mut pass = Pass::new();
        pass.inputs_mut(network, batch).copy_from_slice(&setting.x);
        pass.forward(network, params);
        pass.propagate_rows(network, params, &rows);

        let mut gram = vec![f64::NAN; n * n];
        pass.gram(network, &mut gram, &mut GramPanels::default());
        let expected = &half * half.transpose();
        let scale = expected.amax();
        for j in 0..n {
            for i in j..n {
                let error = (gram[j * n + i] - expected[(i, j)]).abs();
                assert!(error <= 1e-13 * scale, "Gram ({i}, {j}) off by {error:e}");
            }
        }

        let mut pulled = vec![f64::NAN; p];
        pass.pull_back(network, &v, &mut pulled);
        let expected = half.transpose() * Mat::from_fn(n, 1, |i, _| v[i]);
        let expected: Vec<f64> = (0..p).map(|i| expected[(i, 0)]).collect();
        assert!(distance(&pulled, &expected) <= 1e-13 * (1.0 + norm(&expected)));

        let pushed = pass.push_forward(network, params, &tangent).to_vec();
        let expected = &jacobian * Mat::from_fn(p, 1, |i, _| tangent[i]);
        let expected: Vec<f64> = (0..batch * c).map(|i| expected[(i, 0)]).collect();
        assert!(distance(&pushed, &expected) <= 1e-13 * (1.0 + norm(&expected)));
    }
}

/// A pass that has forgotten some of its samples knows of the others what a pass over them alone
/// knows.
#[test]
fn selected_samples_are_those_of_a_batch_of_their_own() {
    let sizes = Sizes { n_inputs: 3, hidden: 5, n_outputs: 2, extra: 2 };
    for (kind, activation) in (0..N_NETWORKS).flat_map(|kind| Activation::ALL.map(|activation| (kind, activation))) {
        let setting = Setting::draw(network(kind, sizes, activation), 7, 23);
        let (network, params) = (&setting.network, &setting.params);
        let (n, c, kept) = (network.n_inputs(), network.n_outputs(), [1, 2, 5]);
        let rows: Vec<f64> = (0..kept.len() * c).map(|i| libm::cos(i as f64)).collect();
        let known = |pass: &mut Pass<f64>| {
            pass.propagate_rows(network, params, &rows);
            let mut pulled = vec![0.0; network.n_params()];
            pass.pull_back(network, &[1.0, -0.5, 2.0], &mut pulled);
            pulled.extend_from_slice(pass.push_forward(network, params, params));
            pulled.extend_from_slice(pass.outputs());
            pulled
        };
        let (mut all, mut alone) = (Pass::new(), Pass::new());
        all.inputs_mut(network, 7).copy_from_slice(&setting.x);
        all.forward(network, params);
        all.select(&kept);
        let x: Vec<f64> = kept.iter().flat_map(|&i| setting.x[i * n..][..n].iter().copied()).collect();
        alone.inputs_mut(network, kept.len()).copy_from_slice(&x);
        alone.forward(network, params);
        let (selected, expected) = (known(&mut all), known(&mut alone));
        assert!(distance(&selected, &expected) <= 1e-13 * norm(&expected), "{network} with {activation:?}");
    }
}

#[test]
fn jacobians_equal_differences() {
    let sizes = Sizes { n_inputs: 3, hidden: 5, n_outputs: 2, extra: 2 };
    for (kind, activation) in (0..N_NETWORKS).flat_map(|kind| Activation::ALL.map(|activation| (kind, activation))) {
        let setting = Setting::draw(network(kind, sizes, activation), 4, 7);
        check_jacobian(&setting.network, &setting.params, &setting.x);
    }
}

/// A convolution as large as its image is the dense layer on it, and factored like one.
#[test]
fn a_convolution_with_one_position_is_a_dense_layer() {
    let [image, row] = ["2x2x3-5k2s1-4", "12-5-4"].map(|text| Network::parse(text, Activation::Tanh).unwrap());
    let setting = Setting::draw(row, 6, 3);
    let jacobian = explicit_jacobian(&image, &setting.params, &setting.x);
    assert_eq!(jacobian, explicit_jacobian(&setting.network, &setting.params, &setting.x));
}

/// The matrix that comes back is the one whose form the network is.
#[test]
fn a_quadratic_network_is_the_form_that_is_read_back() -> Result<(), SolverError> {
    for text in ["3-quadratic", "3-quadratic-constant"] {
        let setting = Setting::draw(Network::parse(text, Activation::Identity).unwrap(), 5, 8);
        let params = Tensor::new(&*setting.params, &Device::Cpu)?;
        let learner = Learner::from_params(setting.network.clone(), params, &OptimizerName::Egn.into())?;
        let form = learner.snapshot().quadratic_form().expect("a quadratic network");
        assert_eq!(form.constant != 0.0, text.ends_with("constant"));
        for (x, value) in setting.x.chunks_exact(3).zip(&setting.model().forward().values) {
            let products = (0..9).map(|e| form.matrix[e] * x[e / 3] * x[e % 3]);
            assert!((products.sum::<f64>() + form.constant - value).abs() < 1e-13);
        }
        assert!((0..9).all(|e| form.matrix[e] == form.matrix[e % 3 * 3 + e / 3]));
    }
    Ok(())
}

/// One full step fits a form to data that has one, on the side of its few parameters.
#[test]
fn a_quadratic_network_is_fitted_in_one_step() -> Result<(), SolverError> {
    let network = Network::quadratic(3, true);
    let setting = Setting::draw(network.clone(), 60, 21);
    let truth = [2.0, 0.5, -1.0, 3.0, 0.25, 1.0, -4.0];
    let mut model = Model::<f64>::new(network.clone(), truth.to_vec());
    model.load(&setting.inputs())?;
    let targets = model.forward().values.clone();
    let optimizer = OptimizerConfig::Egn(EgnConfig { lambda: 1e-12.into(), ..Default::default() });
    let mut learner = Learner::from_params(network, Tensor::new(&*setting.params, &Device::Cpu)?, &optimizer)?;
    learner.step(&setting.inputs(), &SquaredError { targets: &targets }, StepContext::default())?;
    let form = learner.snapshot().quadratic_form().expect("a quadratic network");
    let expected = [2.0, 0.5, -1.0, 0.5, 3.0, 0.25, -1.0, 0.25, 1.0];
    assert!(distance(&form.matrix, &expected) < 1e-9 && (form.constant + 4.0).abs() < 1e-9, "{form:?}");
    Ok(())
}

/// A learner's derivative by its inputs is the transposed Jacobian's product, in both number types.
#[test]
fn input_gradient_sums_the_cotangents_of_a_sample() -> Result<(), SolverError> {
    let setting = Setting::draw(Network::mlp(&[3, 6, 2], Activation::Tanh).with_free_outputs(1), 5, 17);
    let (n, c) = (3, 3);
    let cotangents: Vec<f64> = (0..5 * c).map(|i| libm::cos(i as f64)).collect();
    for (dtype, tolerance) in [(DType::F64, 1e-9), (DType::F32, 1e-5)] {
        let params = Tensor::new(&*setting.params, &Device::Cpu)?.to_dtype(dtype)?;
        let mut learner = Learner::from_params(setting.network.clone(), params, &OptimizerName::Sgd.into())?;
        let found = learner.evaluate(&setting.inputs())?.input_gradient(&cotangents);
        let weighed = |x: Vec<f64>, sample: usize| -> f64 {
            let mut model = Model::<f64>::new(setting.network.clone(), setting.params.clone());
            model.load(&Tensor::from_slice(&x, (5, n), &Device::Cpu).unwrap()).unwrap();
            let outputs = &model.forward().values[sample * c..][..c];
            outputs.iter().zip(&cotangents[sample * c..]).map(|(f, u)| f * u).sum()
        };
        for entry in 0..5 * n {
            let at = |by: f64| {
                let mut x = setting.x.clone();
                x[entry] += by;
                weighed(x, entry / n)
            };
            let expected = (at(1e-5) - at(-1e-5)) / 2e-5;
            assert!(
                (found[entry] - expected).abs() < tolerance * 10.0,
                "{dtype:?} {entry}: {} {expected}",
                found[entry]
            );
        }
    }
    Ok(())
}

/// Free outputs start at zero, are set together, and are the last outputs of every sample.
#[test]
fn free_outputs_are_the_same_for_every_sample() -> Result<(), SolverError> {
    let network = Network::mlp(&[3, 4, 2], Activation::Tanh).with_free_outputs(2);
    assert_eq!((network.to_string(), network.n_outputs()), ("3-4-2+2".into(), 4));
    let rng = &mut ChaCha8Rng::seed_from_u64(1);
    for precision in [Precision::F32, Precision::F64] {
        let optimizer = OptimizerName::Egn.into();
        let mut learner = Learner::new(network.clone(), Initialization::Uniform, precision, &optimizer, rng)?;
        let inputs = Tensor::new(&[[1.0, 2.0, 3.0], [-1.0, 0.0, 1.0]], &Device::Cpu)?;
        assert!(learner.forward(&inputs)?.rows().all(|row| row[2..] == [0.0, 0.0] && row[0] != 0.0));
        assert_eq!(learner.forward(&inputs.narrow(0, 0, 0)?)?.rows().count(), 0);
        learner.set_free_outputs(-0.5);
        assert!(learner.forward(&inputs)?.rows().all(|row| row[2..] == [-0.5, -0.5]));
        // They are fitted like any other output: by the mean error of 2.5 over 1 + λ.
        let targets = [0.0, 0.0, 1.0, 2.0, 0.0, 0.0, 3.0, 2.0];
        let egn = EgnConfig { lambda: 0.25.into(), ..Default::default() };
        let params = learner.snapshot().to_tensor()?;
        let mut learner = Learner::from_params(network.clone(), params, &OptimizerConfig::Egn(egn))?;
        learner.step(&inputs, &SquaredError { targets: &targets }, StepContext::default())?;
        let fitted = learner.forward(&inputs)?;
        assert!(fitted.rows().all(|row| (row[2] - 1.5).abs() < 1e-5 && (row[3] - 1.5).abs() < 1e-5), "{fitted:?}");
    }
    Ok(())
}

/// Conjugate gradients that run to the end find the exact step.
#[test]
fn sgn_tends_to_the_exact_step() {
    let setting = Setting::draw(Network::mlp(&[3, 6, 3], Activation::Tanh), 12, 3);
    for which in 0..N_LOSSES {
        let after = |optimizer: OptimizerConfig| {
            let params = Tensor::new(&*setting.params, &Device::Cpu).unwrap();
            let mut learner = Learner::from_params(setting.network.clone(), params, &optimizer).unwrap();
            setting.with_loss(which, |loss| learner.step(&setting.inputs(), loss, StepContext::default()).unwrap());
            learner.snapshot().parameters()
        };
        let lambda = 0.1.into();
        let exact = after(OptimizerConfig::Egn(EgnConfig { lambda, ..Default::default() }));
        let inexact =
            after(OptimizerConfig::Sgn(SgnConfig { lambda, cg_steps: 200, cg_tolerance: 1e-13, ..Default::default() }));
        let error = distance(&exact, &inexact) / distance(&exact, &setting.params);
        assert!(error < 1e-10, "loss {which}: off by {error:e}");
    }
}
