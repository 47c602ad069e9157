//! Two independent routes to every answer: rows against parameters, factors against an explicit
//! Jacobian, our derivatives against candle's autograd.

#![allow(clippy::unwrap_used)]

use candle_core::{D, DType, Device, Tensor, Var};
use egn_solver::{
    Activation, Direction, EgnConfig, Initialisation, Learner, Loss, Model, Network, NetworkProblem, OptimizerConfig,
    OptimizerName, Pass, Precision, Problem, SgnConfig, SolverError, StepContext,
    loss::{
        BinaryCrossEntropy, CategoricalPolicyGradient, ChosenAction, CrossEntropy, PolicySample, Root, SquaredError,
    },
    testing::{check_jacobian, explicit_jacobian},
};
use faer::{Mat, linalg::solvers::Solve};
use proptest::prelude::*;
use rand::{Rng, RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;

const N_LOSSES: usize = 7;

/// A random network, batch and data for every loss.
struct Setting {
    network: Network,
    params: Vec<f64>,
    x: Vec<f64>,
    targets: Vec<f64>,
    chosen_targets: Vec<f64>,
    actions: Vec<u32>,
    weights: Vec<f64>,
    samples: Vec<PolicySample>,
    probabilities: Vec<f64>,
}

impl Setting {
    fn draw(network: Network, batch: usize, seed: u64) -> Self {
        let rng = &mut ChaCha8Rng::seed_from_u64(seed);
        let mut params: Vec<f64> = Initialisation::Uniform.draw(&network, rng).iter().map(|x| 2.0 * x).collect();
        params[network.free_outputs()].fill_with(|| rng.random_range(-1.0..1.0));
        let c = network.n_outputs();
        let many = |n: usize, rng: &mut ChaCha8Rng| (0..n).map(|_| rng.random_range(-2.0..2.0)).collect::<Vec<f64>>();
        let actions: Vec<u32> = (0..batch).map(|_| rng.next_u32() % c as u32).collect();
        let samples = actions.iter().map(|&action| PolicySample {
            action,
            advantage: rng.random_range(-2.0..2.0),
            old_log_prob: -rng.random_range(0.2..2.0),
        });
        Self {
            samples: samples.collect(),
            x: many(batch * network.n_inputs(), rng),
            targets: many(batch * c, rng),
            chosen_targets: many(batch, rng),
            weights: (0..batch).map(|_| rng.random_range(0.1..2.0)).collect(),
            probabilities: (0..batch * c).map(|_| rng.random()).collect(),
            network,
            params,
            actions,
        }
    }

    fn with_loss<R>(&self, which: usize, check: impl FnOnce(&dyn Loss) -> R) -> R {
        let chosen = ChosenAction { actions: &self.actions, targets: &self.chosen_targets, weights: None, huber: None };
        match which {
            0 => check(&SquaredError { targets: &self.targets }),
            1 => check(&chosen),
            2 => check(&ChosenAction { weights: Some(&self.weights), ..chosen }),
            3 => check(&ChosenAction { weights: Some(&self.weights), huber: Some(0.7), ..chosen }),
            4 => check(&CrossEntropy { labels: &self.actions }),
            5 => check(&BinaryCrossEntropy { targets: &self.probabilities }),
            _ => check(&CategoricalPolicyGradient { samples: &self.samples, clip: None, entropy: 0.1 }),
        }
    }

    fn batch(&self) -> usize {
        self.actions.len()
    }

    fn model(&self) -> Model<f64> {
        let mut model = Model::new(self.network.clone(), Tensor::new(&*self.params, &Device::Cpu).unwrap());
        model.load(&self.inputs()).unwrap();
        model
    }

    fn inputs(&self) -> Tensor {
        Tensor::from_slice(&self.x, (self.batch(), self.network.n_inputs()), &Device::Cpu).unwrap()
    }

    /// d by an LU solve of (H + λI) d = −g, with H and g from the explicit Jacobian.
    fn dense_direction(&self, loss: &dyn Loss, lambda: f64) -> (Vec<f64>, f64) {
        let (b, c, p) = (self.batch(), self.network.n_outputs(), self.network.n_params());
        let jacobian = explicit_jacobian(&self.network, &self.params, &self.x);
        let outputs = self.model().forward().clone();
        let (mut residual, mut root) = (Vec::new(), Root::default());
        loss.residual(&outputs, &mut residual);
        loss.root(&outputs, &mut root);
        let k = root.rho.len() / b;
        let jacobian = Mat::from_fn(b * c, p, |i, j| jacobian[i * p + j]);
        let s = Mat::from_fn(b * c, b * k, |i, row| if i / c == row / k { root.rows[row * c + i % c] } else { 0.0 });
        let r = Mat::from_fn(b * c, 1, |i, _| residual[i]);
        let half = s.transpose() * &jacobian;
        let mut h = half.transpose() * &half;
        h /= faer::Scale(b as f64);
        let largest = (0..p).map(|i| h[(i, i)]).fold(0.0, f64::max);
        for i in 0..p {
            h[(i, i)] += lambda;
        }
        let g = jacobian.transpose() * r;
        let d = h.partial_piv_lu().solve(&g);
        ((0..p).map(|i| -d[(i, 0)] / b as f64).collect(), p as f64 * largest / lambda)
    }
}

fn norm(values: &[f64]) -> f64 {
    values.iter().map(|x| x * x).sum::<f64>().sqrt()
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    norm(&a.iter().zip(b).map(|(a, b)| a - b).collect::<Vec<_>>())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]

    /// The row-space step equals the dense parameter-space step.
    #[test]
    fn row_space_step_equals_dense_step(
        n_inputs in 1_usize..5, hidden in 1_usize..9, n_outputs in 2_usize..5, free in 0_usize..3, batch in 1_usize..96,
        which in 0..N_LOSSES, tanh: bool, exponent in -6.0..3.0_f64, seed: u64,
    ) {
        let activation = if tanh { Activation::Tanh } else { Activation::Relu };
        let network = Network::mlp(&[n_inputs, hidden, n_outputs], activation).with_free_outputs(free);
        let setting = Setting::draw(network, batch, seed);
        let lambda = 10_f64.powf(exponent);
        setting.with_loss(which, |loss| {
            let (expected, condition) = setting.dense_direction(loss, lambda);
            let mut model = setting.model();
            let mut problem = NetworkProblem::new(&mut model, loss);
            let mut direction = Direction::default();
            let tolerance = 1e-11 + 1e-14 * condition;
            // On whichever side is cheaper, then on the side of the rows.
            for rows in [false, true] {
                let solution = if rows {
                    direction.solve_rows(&mut problem, lambda, true).unwrap()
                } else {
                    direction.solve(&mut problem, lambda, true).unwrap()
                };
                let error = distance(direction.values(), &expected) / norm(&expected);
                // Rounding of the dense solve grows with its condition number.
                assert!(error <= tolerance, "off by {error:e}, {tolerance:e} allowed");
                assert!(solution.solve_residual.unwrap() <= 1e-13 + 1e-15 * condition);
                let relative = solution.norm / norm(&expected) - 1.0;
                assert!(relative.abs() <= tolerance, "norm off by {relative:e}");
            }
            let solution = direction.solve(&mut problem, lambda, true).unwrap();
            let mut gradient = vec![0.0; expected.len()];
            problem.gradient(&mut gradient).unwrap();
            let slope: f64 = gradient.iter().zip(&expected).map(|(g, d)| g * d).sum();
            assert!((slope - solution.slope).abs() <= 1e-9 + tolerance * slope.abs(), "{slope} {}", solution.slope);
            let relative = (norm(&gradient) - solution.gradient_norm.unwrap()).abs() / norm(&gradient);
            assert!(relative < 1e-7, "gradient norm off by {relative:e}");
        });
    }

    /// Products with the Jacobian that never form it equal those with the explicit one.
    #[test]
    fn factored_products_equal_explicit_ones(
        n_inputs in 1_usize..5, hidden in 1_usize..9, n_outputs in 1_usize..5, free in 0_usize..3, batch in 1_usize..80,
        k in 1_usize..4, tanh: bool, seed: u64,
    ) {
        let activation = if tanh { Activation::Tanh } else { Activation::Relu };
        let network = Network::mlp(&[n_inputs, hidden, hidden, n_outputs], activation).with_free_outputs(free);
        let setting = Setting::draw(network, batch, seed);
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
        pass.gram(network, &mut gram);
        let expected = &half * half.transpose();
        let scale = expected.norm_max();
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

#[test]
fn jacobians_equal_differences() {
    for activation in [Activation::Tanh, Activation::Relu, Activation::Identity] {
        for widths in [vec![3, 2], vec![2, 5, 3], vec![4, 6, 5, 2]] {
            for free in [0, 2] {
                let setting = Setting::draw(Network::mlp(&widths, activation).with_free_outputs(free), 4, 7);
                check_jacobian(&setting.network, &setting.params, &setting.x);
            }
        }
    }
}

/// Our gradient against candle's autograd, for every loss that candle's operations can express.
#[test]
fn gradients_equal_autograd() -> Result<(), SolverError> {
    for activation in [Activation::Tanh, Activation::Relu] {
        let setting = Setting::draw(Network::mlp(&[4, 7, 6, 3], activation), 9, 11);
        let params = Var::new(&*setting.params, &Device::Cpu)?;
        for which in 0..N_LOSSES {
            let loss = autograd_loss(&setting, which, &autograd_forward(&setting, params.as_tensor())?)?;
            let gradients = loss.backward()?;
            let expected = gradients.get(&params).expect("the loss depends on θ").to_vec1::<f64>()?;
            let mut model = setting.model();
            let mut gradient = vec![0.0; expected.len()];
            setting.with_loss(which, |ours| {
                let value = NetworkProblem::new(&mut model, ours).gradient(&mut gradient).unwrap();
                let theirs = loss.to_scalar::<f64>().unwrap();
                assert!((value - theirs).abs() < 1e-12, "loss {which}: {value} against {theirs}");
            });
            let error = distance(&gradient, &expected);
            assert!(error < 1e-12, "loss {which}, {activation:?}: gradient off by {error:e}");
        }
    }
    Ok(())
}

/// A learner's derivative by its inputs is the transposed Jacobian's product, in both number types.
#[test]
fn input_gradient_sums_the_cotangents_of_a_sample() -> Result<(), SolverError> {
    let setting = Setting::draw(Network::mlp(&[3, 6, 2], Activation::Tanh).with_free_outputs(1), 5, 17);
    let (n, c) = (3, 3);
    let cotangents: Vec<f64> = (0..5 * c).map(|i| (i as f64).cos()).collect();
    for (dtype, tolerance) in [(DType::F64, 1e-9), (DType::F32, 1e-5)] {
        let params = Tensor::new(&*setting.params, &Device::Cpu)?.to_dtype(dtype)?;
        let mut learner = Learner::from_params(setting.network.clone(), params, &OptimizerName::Sgd.into())?;
        let found = learner.input_gradient(&setting.inputs(), &cotangents)?;
        let weighed = |x: Vec<f64>, sample: usize| -> f64 {
            let params = Tensor::new(&*setting.params, &Device::Cpu).unwrap();
            let mut model = Model::<f64>::new(setting.network.clone(), params);
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
        let mut learner = Learner::new(network.clone(), Initialisation::Uniform, precision, &optimizer, rng)?;
        let inputs = Tensor::new(&[[1.0, 2.0, 3.0], [-1.0, 0.0, 1.0]], &Device::Cpu)?;
        assert!(learner.forward(&inputs)?.rows().all(|row| row[2..] == [0.0, 0.0] && row[0] != 0.0));
        learner.set_free_outputs(-0.5);
        assert!(learner.forward(&inputs)?.rows().all(|row| row[2..] == [-0.5, -0.5]));
        // They are fitted like any other output: by the mean error of 2.5 over 1 + λ.
        let targets = [0.0, 0.0, 1.0, 2.0, 0.0, 0.0, 3.0, 2.0];
        let egn = EgnConfig { lambda: 0.25.into(), ..Default::default() };
        let params = learner.snapshot()?.params().copy()?;
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
            learner.snapshot().unwrap().params().to_vec1::<f64>().unwrap()
        };
        let lambda = 0.1.into();
        let exact = after(OptimizerConfig::Egn(EgnConfig { lambda, ..Default::default() }));
        let inexact =
            after(OptimizerConfig::Sgn(SgnConfig { lambda, cg_steps: 200, cg_tolerance: 1e-13, ..Default::default() }));
        let error = distance(&exact, &inexact) / distance(&exact, &setting.params);
        assert!(error < 1e-10, "loss {which}: off by {error:e}");
    }
}

fn autograd_forward(setting: &Setting, params: &Tensor) -> candle_core::Result<Tensor> {
    let mut h = setting.inputs();
    for layer in setting.network.layers() {
        let part = |range: std::ops::Range<usize>| params.narrow(0, range.start, range.len());
        let weight = part(layer.weight())?.reshape((layer.n_inputs, layer.n_outputs))?;
        h = h.matmul(&weight)?.broadcast_add(&part(layer.bias())?)?;
        h = match layer.activation {
            Activation::Identity => h,
            Activation::Tanh => h.tanh()?,
            Activation::Relu => h.relu()?,
        };
    }
    Ok(h)
}

fn autograd_loss(setting: &Setting, which: usize, outputs: &Tensor) -> candle_core::Result<Tensor> {
    let (b, c) = (setting.batch(), setting.network.n_outputs());
    let vector = |values: &[f64]| Tensor::from_slice(values, b, &Device::Cpu);
    let matrix = |values: &[f64]| Tensor::from_slice(values, (b, c), &Device::Cpu);
    let index = Tensor::from_slice(&setting.actions, (b, 1), &Device::Cpu)?;
    let chosen = |of: &Tensor| of.gather(&index, 1)?.squeeze(1);
    let log_p = {
        let largest = outputs.max_keepdim(D::Minus1)?.detach();
        let shifted = outputs.broadcast_sub(&largest)?;
        shifted.broadcast_sub(&shifted.exp()?.sum_keepdim(D::Minus1)?.log()?)?
    };
    let weights = vector(&setting.weights)?;
    let error = (chosen(outputs)? - vector(&setting.chosen_targets)?)?;
    let terms = match which {
        0 => ((outputs - matrix(&setting.targets)?)?.sqr()? * 0.5)?,
        1 => (error.sqr()? * 0.5)?,
        2 => (weights * (error.sqr()? * 0.5)?)?,
        3 => {
            let size = error.abs()?;
            let inside = size.le(0.7)?.to_dtype(DType::F64)?;
            let outside = (1.0 - &inside)?;
            let linear = ((size - 0.35)? * 0.7)?;
            (weights * ((inside * (error.sqr()? * 0.5)?)? + (outside * linear)?)?)?
        }
        4 => chosen(&log_p)?.neg()?,
        5 => {
            let softplus = outputs.exp()?.affine(1.0, 1.0)?.log()?;
            (softplus - (matrix(&setting.probabilities)? * outputs)?)?
        }
        _ => {
            let column = |of: fn(&PolicySample) -> f64| vector(&setting.samples.iter().map(of).collect::<Vec<_>>());
            let ratio = (chosen(&log_p)? - column(|s| s.old_log_prob)?)?.exp()?;
            let entropy = (log_p.exp()? * &log_p)?.sum(1)?.neg()?;
            ((ratio * column(|s| s.advantage)?)? + (entropy * 0.1)?)?.neg()?
        }
    };
    terms.sum_all()? / b as f64
}
