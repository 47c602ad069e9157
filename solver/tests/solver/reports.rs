//! What a step reports, and the order in which the parts of EGN act, against a dense computation
//! that knows nothing of the solver: explicit Jacobian, LU in parameter space, and the update
//! rule as `egn.rs` states it.

use candle_core::{Device, Tensor};
use egn_solver::{
    Activation, AdaptiveConfig, EgnConfig, Initialization, Learner, LineSearchConfig, MomentumForm, Network,
    OptimizerConfig, OptimizerName, OptimizerSettings, Report, Restart, Schedule, StepContext, loss::SquaredError,
    schedule::Moving, testing::explicit_jacobian,
};
use nalgebra::DMatrix as Mat;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

const N_STEPS: usize = 12;

/// Least squares: a curve of 24 points for a network of 22 parameters.
struct Curve {
    network: Network,
    x: Vec<f64>,
    targets: Vec<f64>,
}

/// The quadratic model at θ, by dense algebra.
struct Dense {
    loss: f64,
    gradient: Mat<f64>,
    hessian: Mat<f64>,
    /// J Jᵀ.
    rows: Mat<f64>,
}

impl Curve {
    fn new() -> Self {
        let x: Vec<f64> = (0..24).map(|i| f64::from(i) / 12.0 - 1.0).collect();
        let targets = x.iter().map(|x| libm::sin(3.0 * x) + 0.5).collect();
        Self { network: Network::mlp(&[1, 7, 1], Activation::Tanh), x, targets }
    }

    fn learner(&self, optimizer: &OptimizerConfig) -> Learner {
        let params = Initialization::Uniform.draw(&self.network, &mut ChaCha8Rng::seed_from_u64(9));
        Learner::from_params(self.network.clone(), Tensor::new(params, &Device::Cpu).unwrap(), optimizer).unwrap()
    }

    fn inputs(&self) -> Tensor {
        Tensor::from_slice(&self.x, (self.x.len(), 1), &Device::Cpu).unwrap()
    }

    fn step(&self, learner: &mut Learner, progress: f64) -> Report {
        let loss = SquaredError { targets: &self.targets };
        learner.step(&self.inputs(), &loss, StepContext { progress, diagnose: true, storage: None }).unwrap()
    }

    fn residual(&self, learner: &mut Learner) -> Vec<f64> {
        let outputs = learner.forward(&self.inputs()).unwrap();
        outputs.values.iter().zip(&self.targets).map(|(f, y)| f - y).collect()
    }

    fn loss(&self, learner: &mut Learner) -> f64 {
        0.5 * self.residual(learner).iter().map(|r| r * r).sum::<f64>() / self.x.len() as f64
    }

    /// The loss of the network with other parameters.
    fn loss_at(&self, params: Mat<f64>) -> f64 {
        let params: Vec<f64> = (0..params.nrows()).map(|i| params[(i, 0)]).collect();
        let params = Tensor::new(params, &Device::Cpu).unwrap();
        let sgd = OptimizerName::Sgd.into();
        self.loss(&mut Learner::from_params(self.network.clone(), params, &sgd).unwrap())
    }

    fn dense(&self, learner: &mut Learner) -> Dense {
        let (b, p) = (self.x.len(), self.network.n_params());
        let jacobian = explicit_jacobian(&self.network, &params(learner), &self.x);
        let jacobian = Mat::from_fn(b, p, |i, j| jacobian[i * p + j]);
        let residual = self.residual(learner);
        let residual = Mat::from_fn(b, 1, |i, _| residual[i]);
        let mean = 1.0 / b as f64;
        Dense {
            loss: self.loss(learner),
            gradient: jacobian.transpose() * residual * (mean),
            hessian: jacobian.transpose() * &jacobian * (mean),
            rows: &jacobian * jacobian.transpose(),
        }
    }
}

impl Dense {
    fn direction(&self, lambda: f64) -> Mat<f64> {
        let p = self.gradient.nrows();
        let damped = Mat::from_fn(p, p, |i, j| self.hessian[(i, j)] + if i == j { lambda } else { 0.0 });
        damped.lu().solve(&self.gradient).expect("λ > 0") * -1.0
    }

    /// g·Δ and ΔᵀHΔ.
    fn along(&self, step: &Mat<f64>) -> (f64, f64) {
        ((self.gradient.transpose() * step)[(0, 0)], (step.transpose() * &self.hessian * step)[(0, 0)])
    }

    fn smallest_pivot(&self, lambda: f64) -> f64 {
        let b = self.rows.nrows();
        let shift = b as f64 * lambda;
        let damped = Mat::from_fn(b, b, |i, j| self.rows[(i, j)] + if i == j { shift } else { 0.0 });
        let factor = damped.cholesky().expect("λ > 0").l();
        (0..b).map(|i| factor[(i, i)].powi(2)).fold(f64::INFINITY, f64::min)
    }
}

fn params(learner: &Learner) -> Vec<f64> {
    learner.snapshot().parameters()
}

fn column(values: &[f64]) -> Mat<f64> {
    Mat::from_fn(values.len(), 1, |i, _| values[i])
}

#[track_caller]
fn close(ours: f64, theirs: f64, scale: f64, what: &str) {
    assert!((ours - theirs).abs() <= 1e-8 * scale.abs() + 1e-13, "{what}: {ours:e}, not {theirs:e}");
}

/// Learning rates or dampings around `value`, one of every kind.
fn schedules(value: f64) -> [Schedule; 4] {
    let (from, to, over) = (value, 0.5 * value, 0.8);
    [
        value.into(),
        Schedule::Moving(Moving::Linear { from, to, over }),
        Schedule::Moving(Moving::Exponential { from, to, over }),
        Schedule::Moving(Moving::Cosine { from, to, over }),
    ]
}

/// Every combination of what can be added to the plain step.
fn combinations() -> Vec<EgnConfig> {
    let searches = [Restart::Increase, Restart::Conservative, Restart::Goldstein, Restart::Longest]
        .map(|restart| Some(LineSearchConfig { restart, ..Default::default() }));
    let moments = [MomentumForm::Average, MomentumForm::Trace, MomentumForm::Nesterov].map(|form| (0.5, form));
    let mut all = Vec::new();
    for line_search in searches.into_iter().chain([None]) {
        for adaptive in [None, Some(AdaptiveConfig::default())] {
            for (momentum, momentum_form) in moments.into_iter().chain([(0.0, MomentumForm::default())]) {
                for kl_limit in [None, Some(0.02.into())] {
                    for weight_decay in [0.0, 1e-3] {
                        for lr in schedules(0.4) {
                            for lambda in schedules(0.02) {
                                let rest = (lr, lambda, kl_limit, weight_decay);
                                let (lr, lambda, kl_limit, weight_decay) = rest;
                                all.push(EgnConfig {
                                    lr,
                                    lambda,
                                    kl_limit,
                                    momentum,
                                    momentum_form,
                                    weight_decay,
                                    line_search,
                                    adaptive,
                                    ..EgnConfig::default()
                                });
                            }
                        }
                    }
                }
            }
        }
    }
    all
}

/// What must be carried from step to step to know the next: the rule of `egn.rs`, once more.
#[derive(Default)]
struct Reference {
    velocity: Option<Mat<f64>>,
    n_accepted: i32,
}

impl Reference {
    /// The direction that is followed, but for decay, and the velocity that is kept if it is.
    fn follow(&self, config: &EgnConfig, direction: Mat<f64>, theta: &[f64]) -> (Mat<f64>, Mat<f64>) {
        let mu = config.momentum;
        let zero = Mat::zeros(theta.len(), 1);
        let velocity = self.velocity.as_ref().unwrap_or(&zero);
        let (velocity, used) = match config.momentum_form {
            MomentumForm::Average => {
                let v = velocity * (mu) + &direction * (1.0 - mu);
                (v.clone(), v * (1.0 / (1.0 - mu.powi(self.n_accepted + 1))))
            }
            MomentumForm::Trace => {
                let m = velocity * (mu) + &direction;
                (m.clone(), m)
            }
            MomentumForm::Nesterov => {
                let m = velocity * (mu) + &direction;
                (m.clone(), &direction + m * (mu))
            }
        };
        (used, velocity)
    }
}

/// Takes `N_STEPS` and checks each report and each step against the dense rule; the final loss.
fn check(config: &EgnConfig, curve: &Curve) -> (f64, f64) {
    let mut learner = curve.learner(&OptimizerConfig::Egn(config.clone()));
    let mut reference = Reference::default();
    let first = curve.loss(&mut learner);
    for i in 0..N_STEPS {
        let progress = i as f64 / N_STEPS as f64;
        let (before, dense) = (params(&learner), curve.dense(&mut learner));
        let report = curve.step(&mut learner, progress);
        let after = params(&learner);

        let lambda = report.damping.unwrap();
        let clamps = config.adaptive.map(|adaptive| adaptive.min..=adaptive.max);
        match clamps {
            None => assert_eq!(lambda, config.lambda.at(progress)),
            Some(clamps) => assert!(clamps.contains(&lambda)),
        }
        close(report.loss, dense.loss, dense.loss, "loss");
        close(report.gradient_norm.unwrap(), dense.gradient.norm(), dense.gradient.norm(), "gradient norm");
        let pivot = dense.smallest_pivot(lambda);
        close(report.smallest_pivot.unwrap(), pivot, pivot, "smallest pivot");
        assert!(report.solve_residual.unwrap() < 1e-10, "{report:?}");
        assert!((0.0..=1.0).contains(&report.fitted.unwrap()) && report.rows == report.all_rows, "{report:?}");

        let (used, velocity) = reference.follow(config, dense.direction(lambda), &before);
        let curvature = dense.along(&used).1;
        let lr = config.lr.at(progress);
        let kl_limit = config.kl_limit.map(|limit| limit.at(progress));
        let longest = kl_limit.map_or(lr, |limit| lr.min((2.0 * limit / curvature).sqrt()));
        let rejected = report.rejection.is_some();
        assert_eq!(report.alpha == 0.0, rejected, "{report:?}");
        assert!(report.alpha <= longest * (1.0 + 1e-9), "{report:?}");
        if config.line_search.is_none() && !rejected {
            close(report.alpha, longest, longest, "step length");
        }

        let judged = &used * (report.alpha);
        let step = &judged - column(&before) * (report.alpha * config.weight_decay);
        let error = (column(&after) - column(&before) - &step).norm();
        assert!(error <= 1e-8 * used.norm(), "step {i} off by {error:e}: {config:?}");
        close(report.step_norm, step.norm(), step.norm(), "step norm");
        let (slope, curvature) = dense.along(&judged);
        close(report.predicted_decrease.unwrap(), -(slope + 0.5 * curvature), slope, "predicted decrease");
        assert_eq!(report.predicted_kl.is_some(), kl_limit.is_some());
        close(report.predicted_kl.unwrap_or(0.5 * curvature), 0.5 * curvature, curvature, "predicted KL");

        assert_eq!(report.trials.is_some(), config.line_search.is_some());
        assert_eq!(report.gain_ratio.is_some(), config.adaptive.is_some());
        assert_eq!(report.actual_decrease.is_some(), config.line_search.is_some() || config.adaptive.is_some());
        if rejected {
            assert_eq!(before, after, "a step taken back leaves no trace");
            // And nothing is carried on from what led there.
            reference = Reference::default();
            continue;
        }
        reference.velocity = Some(velocity);
        reference.n_accepted += 1;
        // Before decay, which is judged by nobody.
        let gained = dense.loss - curve.loss_at(column(&before) + &judged);
        if let Some(actual) = report.actual_decrease {
            close(actual, gained, dense.loss, "actual decrease");
        }
        if let Some(search) = config.line_search {
            assert!(gained + 1e-12 >= -search.sufficient * slope, "no Armijo step: {report:?}");
        }
        if let Some(ratio) = report.gain_ratio {
            let model = slope + 0.5 * (curvature + lambda * judged.norm_squared());
            // Momentum may go where the model sees a rise, and be right.
            assert!(gained >= 0.0 && (ratio * -model - gained).abs() < 1e-8 * dense.loss, "{report:?}");
        }
    }
    (first, curve.loss(&mut learner))
}

#[test]
fn every_combination_follows_its_rule_and_reports_it() {
    let curve = Curve::new();
    for config in combinations() {
        config.validate().unwrap();
        let (first, last) = check(&config, &curve);
        assert!(last < 0.8 * first, "{first} to {last}: {config:?}");
    }
}

/// What leads astray once is not followed for ever: with momentum or decay,
/// steps go on being taken.
#[test]
fn no_combination_freezes() {
    let curve = Curve::new();
    let searched = [None, Some(LineSearchConfig::default())];
    let moments = [(0.9, MomentumForm::Average), (0.9, MomentumForm::Trace), (0.9, MomentumForm::Nesterov)];
    for line_search in searched {
        for (momentum, momentum_form) in moments.into_iter().chain([(0.0, MomentumForm::Average)]) {
            for weight_decay in [0.0, 1e-4, 1e-2] {
                let adaptive = Some(AdaptiveConfig::default());
                let parts = EgnConfig { momentum, momentum_form, weight_decay, line_search, ..Default::default() };
                let config = EgnConfig { lambda: 1e-3.into(), adaptive, ..parts };
                let mut learner = curve.learner(&OptimizerConfig::Egn(config.clone()));
                let first = curve.loss(&mut learner);
                let reports: Vec<Report> = (0..300).map(|_| curve.step(&mut learner, 0.0)).collect();
                let n_taken = reports[200..].iter().filter(|report| report.rejection.is_none()).count();
                let last = curve.loss(&mut learner);
                let learned = last < 0.05 * first || weight_decay == 1e-2;
                assert!(n_taken >= 10 && learned, "{n_taken} of 100, {first:e} to {last:e}: {config:?}");
            }
        }
    }
}

/// A learning rate that begins at zero is no step length to go on from.
#[test]
fn a_line_search_survives_a_warm_up() {
    let curve = Curve::new();
    for restart in [Restart::Increase, Restart::Conservative, Restart::Goldstein, Restart::Longest] {
        let line_search = Some(LineSearchConfig { restart, ..Default::default() });
        let lr = Schedule::Moving(Moving::Linear { from: 0.0, to: 1.0, over: 0.1 });
        let config = EgnConfig { lr, lambda: 1e-3.into(), line_search, ..Default::default() };
        let mut learner = curve.learner(&OptimizerConfig::Egn(config));
        let first = curve.loss(&mut learner);
        for i in 0..100 {
            curve.step(&mut learner, f64::from(i) / 100.0);
        }
        let last = curve.loss(&mut learner);
        assert!(last < 0.1 * first, "{restart:?}: {first:e} to {last:e}");
    }
}

/// Every other optimizer: what applies is right, what does not is absent.
#[test]
fn first_order_and_inexact_steps_report_what_they_know() {
    let curve = Curve::new();
    for &name in OptimizerName::ALL.iter().filter(|&&name| name != OptimizerName::Egn) {
        let mut learner = curve.learner(&name.into());
        for _ in 0..N_STEPS {
            let (before, dense) = (params(&learner), curve.dense(&mut learner));
            let report = curve.step(&mut learner, 0.0);
            let step = column(&params(&learner)) - column(&before);
            close(report.loss, dense.loss, dense.loss, "loss");
            close(report.gradient_norm.unwrap(), dense.gradient.norm(), dense.gradient.norm(), "gradient norm");
            close(report.step_norm, step.norm(), step.norm(), "step norm");
            let expected = match name {
                OptimizerName::Sgn => Report {
                    damping: Some(1e-3),
                    solve_residual: Some({
                        let d = &step * (1.0 / report.alpha);
                        let residual = &dense.hessian * &d + &d * (1e-3) + &dense.gradient;
                        let relative = residual.norm() / dense.gradient.norm();
                        close(report.solve_residual.unwrap(), relative, 1.0, "residual");
                        report.solve_residual.unwrap()
                    }),
                    ..Report::default()
                },
                _ => Report::default(),
            };
            let Report { loss, gradient_norm, step_norm, alpha, .. } = report;
            assert!(alpha > 0.0);
            assert_eq!(report, Report { loss, gradient_norm, step_norm, alpha, ..expected }, "{name}");
        }
    }
}
