//! Bad input and degenerate batches: an exact answer, or an error with numbers and θ untouched.

use crate::kinds::{N_NETWORKS, Sizes, network};
use crate::setting::Setting;
use candle_core::{Device, Tensor};
use egn_solver::{
    Activation, AdamConfig, AdamWConfig, AdaptiveConfig, EgnConfig, Initialization, KronConfig, Learner,
    LineSearchConfig, LionConfig, Loss, MomentumForm, MuonConfig, Network, NetworkProblem, OptimizerConfig,
    OptimizerName, Outputs, Precision, Problem, RmsPropConfig, RowSystem, ScheduleFreeConfig, SgdConfig, SgnConfig,
    SoapConfig, SolverError, State, StepContext,
    loss::{ChosenAction, CrossEntropy, Root, SquaredError},
};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

const PRECISIONS: [Precision; 2] = [Precision::F32, Precision::F64];

fn every_optimizer() -> Vec<OptimizerConfig> {
    OptimizerName::ALL.iter().copied().map(OptimizerConfig::from).chain([with_everything()]).collect()
}

/// EGN with all that can be added to it.
fn with_everything() -> OptimizerConfig {
    OptimizerConfig::Egn(EgnConfig {
        momentum: 0.5,
        weight_decay: 1e-3,
        line_search: Some(LineSearchConfig::default()),
        ..Default::default()
    })
}

fn egn(lambda: f64) -> OptimizerConfig {
    OptimizerConfig::Egn(EgnConfig { lambda: lambda.into(), ..Default::default() })
}

fn learner(widths: &[usize], precision: Precision, optimizer: &OptimizerConfig) -> Learner {
    let network = Network::mlp(widths, Activation::Tanh);
    Learner::new(network, Initialization::Uniform, precision, optimizer, &mut ChaCha8Rng::seed_from_u64(5)).unwrap()
}

fn inputs(values: &[f64], width: usize) -> Tensor {
    Tensor::from_slice(values, (values.len() / width, width), &Device::Cpu).unwrap()
}

/// The bits of θ.
fn bits(learner: &Learner) -> Vec<u64> {
    learner.snapshot().parameters().iter().map(|x| x.to_bits()).collect()
}

/// The error of a step that must leave θ, and later steps, as if it had not been tried.
fn refused(optimizer: &OptimizerConfig, precision: Precision, x: &Tensor, loss: &dyn Loss) -> SolverError {
    let (good_x, good) = (inputs(&[0.5, -1.0], 1), SquaredError { targets: &[1.0, 0.0] });
    let step = |learner: &mut Learner| learner.step(&good_x, &good, StepContext::default()).unwrap();
    let (mut tried, mut spared) =
        (learner(&[1, 3, 1], precision, optimizer), learner(&[1, 3, 1], precision, optimizer));
    step(&mut tried);
    step(&mut spared);
    let before = bits(&tried);
    let error = tried.step(x, loss, StepContext::default()).unwrap_err();
    assert_eq!(bits(&tried), before, "{optimizer:?}: parameters changed");
    step(&mut tried);
    step(&mut spared);
    assert_eq!(bits(&tried), bits(&spared), "{optimizer:?}: a refused step left a trace");
    error
}

#[test]
fn a_refused_step_leaves_no_trace() {
    for precision in PRECISIONS {
        for optimizer in &every_optimizer() {
            let targets = SquaredError { targets: &[0.0, 1.0] };
            let error = refused(optimizer, precision, &inputs(&[f64::NAN, 0.0], 1), &targets);
            assert!(matches!(error, SolverError::NonFiniteLoss { batch: 2, .. }), "{error}");
            // tanh(∞) is finite, and so is the loss: which part of the step
            // fails depends on the rule.
            refused(optimizer, precision, &inputs(&[f64::INFINITY, 0.0], 1), &targets);
            let error =
                refused(optimizer, precision, &inputs(&[1.0, 0.0], 1), &SquaredError { targets: &[f64::NAN, 1.0] });
            assert!(matches!(error, SolverError::NonFiniteLoss { batch: 2, .. }), "{error}");
            let error = refused(optimizer, precision, &inputs(&[], 1), &SquaredError { targets: &[] });
            assert_eq!(error, SolverError::EmptyBatch);
            // A loss near the end of f64 is finite, but its gradient or step is not finite in f32.
            let far = SquaredError { targets: &[1e150, 1e150] };
            let x = inputs(&[1.0, 0.5], 1);
            if precision == Precision::F32 {
                let error = refused(optimizer, precision, &x, &far);
                assert!(matches!(error, SolverError::NonFiniteStep { .. }), "{error}");
            }
        }
    }
}

#[test]
fn a_step_beyond_the_number_type_is_not_taken() {
    // 1e300 is no f32, and what it is multiplied by is not zero.
    let lr = 1e300.into();
    let optimizers = OptimizerName::ALL.iter().map(|name| match name {
        OptimizerName::Egn => OptimizerConfig::Egn(EgnConfig { lr, ..Default::default() }),
        OptimizerName::Adam => OptimizerConfig::Adam(AdamConfig { lr, ..Default::default() }),
        OptimizerName::AdamW => {
            OptimizerConfig::AdamW(AdamWConfig { adam: AdamConfig { lr, ..Default::default() }, ..Default::default() })
        }
        OptimizerName::RmsProp => OptimizerConfig::RmsProp(RmsPropConfig { lr, ..Default::default() }),
        OptimizerName::Sgd => OptimizerConfig::Sgd(SgdConfig { lr, ..Default::default() }),
        OptimizerName::Lion => OptimizerConfig::Lion(LionConfig { lr, ..Default::default() }),
        OptimizerName::ScheduleFree => OptimizerConfig::ScheduleFree(ScheduleFreeConfig { lr, ..Default::default() }),
        OptimizerName::Muon => OptimizerConfig::Muon(MuonConfig { lr, adam_lr: lr, ..Default::default() }),
        OptimizerName::Soap => OptimizerConfig::Soap(SoapConfig { lr, ..Default::default() }),
        OptimizerName::Kron => OptimizerConfig::Kron(KronConfig { lr, ..Default::default() }),
        OptimizerName::Sgn => OptimizerConfig::Sgn(SgnConfig { lr, ..Default::default() }),
    });
    let (x, loss) = (inputs(&[0.5, -1.0], 1), SquaredError { targets: &[1.0, 0.0] });
    for optimizer in optimizers {
        let mut learner = learner(&[1, 3, 1], Precision::F32, &optimizer);
        let before = bits(&learner);
        for _ in 0..2 {
            let error = learner.step(&x, &loss, StepContext::default()).unwrap_err();
            assert!(matches!(error, SolverError::NonFiniteStep { .. }), "{optimizer:?}: {error}");
            assert_eq!(bits(&learner), before, "{optimizer:?}: parameters changed");
        }
    }
}

#[test]
fn a_search_that_begins_beyond_the_number_type_still_ends_at_finite_parameters() {
    let search = LineSearchConfig { max_trials: 2, ..Default::default() };
    let config = EgnConfig { lr: 1e300.into(), line_search: Some(search), ..Default::default() };
    let mut learner = learner(&[1, 3, 1], Precision::F32, &OptimizerConfig::Egn(config));
    let before = bits(&learner);
    let report = learner.step(&inputs(&[0.5, -1.0], 1), &SquaredError { targets: &[1.0, 0.0] }, StepContext::default());
    assert!(report.unwrap().rejection.is_some());
    assert_eq!(bits(&learner), before);
}

#[test]
fn a_singular_system_without_damping_is_refused_with_its_numbers() {
    // Two equal samples: rank one.
    let (x, loss) = (inputs(&[0.5, 0.5], 1), SquaredError { targets: &[1.0, 1.0] });
    for precision in PRECISIONS {
        let error = refused(&egn(0.0), precision, &x, &loss);
        assert!(
            matches!(error, SolverError::NotPositiveDefinite { rows: 2, row: 1, damping: 0.0, batch: 2 }),
            "{error}"
        );
        assert!(error.to_string().contains("raise the damping"));
    }
}

#[test]
fn one_sample_without_damping_is_fitted_to_first_order() {
    // A linear network is its own linearization: one full step removes the residual.
    for (precision, tolerance) in [(Precision::F64, 1e-14), (Precision::F32, 1e-6)] {
        for optimizer in
            [egn(0.0), OptimizerConfig::Sgn(SgnConfig { lambda: 0.0.into(), cg_steps: 1, ..Default::default() })]
        {
            let mut learner = learner(&[2, 1], precision, &optimizer);
            let (x, loss) = (inputs(&[0.5, -2.0], 2), SquaredError { targets: &[3.0] });
            learner.step(&x, &loss, StepContext::default()).unwrap();
            assert!((learner.forward(&x).unwrap().values[0] - 3.0).abs() < tolerance);
        }
    }
}

#[test]
fn one_sample_has_the_gradient_that_is_known_for_it() {
    for precision in PRECISIONS {
        for optimizer in &every_optimizer() {
            let mut learner = learner(&[2, 1], precision, optimizer);
            let (x, loss) = (inputs(&[0.5, -2.0], 2), SquaredError { targets: &[3.0] });
            let residual = learner.forward(&x).unwrap().values[0] - 3.0;
            let diagnosed = StepContext { diagnose: true, ..Default::default() };
            let report = learner.step(&x, &loss, diagnosed).unwrap();
            // SOAP's first step moves nothing.
            learner.step(&x, &loss, StepContext::default()).unwrap();
            // g = r (x, 1).
            let expected = residual.abs() * (0.25_f64 + 4.0 + 1.0).sqrt();
            assert!((report.gradient_norm.unwrap() / expected - 1.0).abs() < 1e-6, "{optimizer:?}: {report:?}");
            let reached = 0.5 * (learner.forward(&x).unwrap().values[0] - 3.0).powi(2);
            assert!(reached < report.loss, "{optimizer:?}: {} to {reached}", report.loss);
        }
    }
}

#[test]
fn duplicated_samples_give_the_step_of_one() {
    // Rounding is divided by λ, which is 1e-3 for SGN.
    for (precision, tolerance) in [(Precision::F64, 1e-12), (Precision::F32, 3e-4)] {
        for optimizer in every_optimizer().iter().chain([&egn(0.1)]) {
            let mut once = learner(&[1, 3, 1], precision, optimizer);
            let mut twice = learner(&[1, 3, 1], precision, optimizer);
            once.step(&inputs(&[0.5], 1), &SquaredError { targets: &[1.0] }, StepContext::default()).unwrap();
            twice.step(&inputs(&[0.5; 3], 1), &SquaredError { targets: &[1.0; 3] }, StepContext::default()).unwrap();
            for (a, b) in bits(&once).into_iter().zip(bits(&twice)) {
                assert!((f64::from_bits(a) - f64::from_bits(b)).abs() < tolerance, "{optimizer:?}");
            }
        }
    }
}

#[test]
fn more_rows_than_parameters_solve_the_least_squares_problem() {
    // y = 3x − 1 from 50 samples by a network of two parameters; λ small enough not to show.
    let x: Vec<f64> = (0..50).map(|i| f64::from(i) / 25.0 - 1.0).collect();
    let targets: Vec<f64> = x.iter().map(|x| 3.0 * x - 1.0).collect();
    let sgn = OptimizerConfig::Sgn(SgnConfig { lambda: 1e-9.into(), ..Default::default() });
    for precision in PRECISIONS {
        for optimizer in [&egn(1e-9), &sgn] {
            let mut learner = learner(&[1, 1], precision, optimizer);
            learner.step(&inputs(&x, 1), &SquaredError { targets: &targets }, StepContext::default()).unwrap();
            let params: Vec<f64> = bits(&learner).into_iter().map(f64::from_bits).collect();
            assert!((params[0] - 3.0).abs() < 1e-6 && (params[1] + 1.0).abs() < 1e-6, "{optimizer:?}: {params:?}");
        }
    }
}

#[test]
fn a_zero_residual_moves_nothing() {
    for precision in PRECISIONS {
        let decays = [OptimizerName::AdamW.into(), with_everything()];
        for optimizer in every_optimizer().iter().filter(|optimizer| !decays.contains(optimizer)) {
            let mut learner = learner(&[1, 3, 2], precision, optimizer);
            let x = inputs(&[0.5, 1.5], 1);
            let targets = learner.forward(&x).unwrap().values.clone();
            let before = bits(&learner);
            let report = learner.step(&x, &SquaredError { targets: &targets }, StepContext::default()).unwrap();
            assert_eq!((report.loss, report.step_norm), (0.0, 0.0));
            assert_eq!(bits(&learner), before);
        }
    }
}

#[test]
fn a_saturated_softmax_takes_the_damped_gradient_step() {
    // One linear layer whose logits are ±1000: the curvature underflows, so d = −g/λ.
    for (c, label) in [(2, 1), (3, 1)] {
        let network = Network::mlp(&[1, c], Activation::Identity);
        let mut params = vec![0.0; 2 * c];
        (params[0], params[1]) = (1000.0, -1000.0);
        let before = params.clone();
        let tensor = Tensor::new(params, &Device::Cpu).unwrap();
        let mut learner = Learner::from_params(network, tensor, &egn(0.5)).unwrap();
        let labels = [label, label];
        learner.step(&inputs(&[1.0, 1.0], 1), &CrossEntropy { labels: &labels }, StepContext::default()).unwrap();
        let after = learner.snapshot().parameters();
        let change: Vec<f64> = after.iter().zip(&before).map(|(a, b)| a - b).collect();
        let mut expected = vec![0.0; 2 * c];
        for part in [0, c] {
            (expected[part], expected[part + 1]) = (-2.0, 2.0);
        }
        for (got, want) in change.iter().zip(&expected) {
            assert!((got - want).abs() < 1e-10, "{c} classes: {change:?} for {expected:?}");
        }
        // Already right: nothing to gain, nothing done.
        let done = learner.step(&inputs(&[1.0], 1), &CrossEntropy { labels: &[0] }, StepContext::default()).unwrap();
        assert_eq!((done.loss, done.step_norm), (0.0, 0.0));
    }
}

#[test]
fn a_saturated_softmax_has_its_gradient_under_every_optimizer() {
    for dtype in [candle_core::DType::F32, candle_core::DType::F64] {
        for optimizer in &every_optimizer() {
            let network = Network::mlp(&[1, 3], Activation::Identity);
            let params = Tensor::new(&[1000.0, -1000.0, 0.0, 0.0, 0.0, 0.0], &Device::Cpu).unwrap();
            let mut learner = Learner::from_params(network, params.to_dtype(dtype).unwrap(), optimizer).unwrap();
            let (x, loss) = (inputs(&[1.0, 1.0], 1), CrossEntropy { labels: &[1, 1] });
            let diagnosed = StepContext { diagnose: true, ..Default::default() };
            let report = learner.step(&x, &loss, diagnosed).unwrap();
            // r = (1, −1, 0), once for the weights and once for the biases.
            assert!((report.gradient_norm.unwrap() - 2.0).abs() < 1e-6, "{optimizer:?}: {report:?}");
            assert_eq!(report.loss, 2000.0);
            // SOAP's first step moves nothing.
            learner.step(&x, &loss, StepContext::default()).unwrap();
            assert!(learner.forward(&x).unwrap().values[1] > -1000.0, "{optimizer:?}");
        }
    }
}

#[test]
fn a_kl_limit_holds_for_a_saturated_policy() {
    let network = Network::mlp(&[1, 2], Activation::Identity);
    let tensor = Tensor::new(vec![40.0, -40.0, 0.0, 0.0], &Device::Cpu).unwrap();
    let limit = 0.01;
    let config = EgnConfig { lambda: 1e-3.into(), kl_limit: Some(limit.into()), ..Default::default() };
    let mut learner = Learner::from_params(network, tensor, &OptimizerConfig::Egn(config)).unwrap();
    let (x, labels) = (inputs(&[1.0, -0.01, 0.02], 1), [1, 0, 1]);
    let report = learner.step(&x, &CrossEntropy { labels: &labels }, StepContext::default()).unwrap();
    let kl = report.predicted_kl.expect("there is a limit");
    assert!((kl - limit).abs() < 1e-9 || (report.alpha == 1.0 && kl < limit), "{report:?}");
}

#[test]
fn two_runs_give_the_same_bits() {
    let run = |precision, optimizer: &OptimizerConfig| {
        let mut learner = learner(&[3, 17, 2], precision, optimizer);
        for step in 0..20 {
            let x: Vec<f64> = (0..99).map(|i| libm::sin(f64::from(i * 7 + step))).collect();
            let (actions, targets) = ([0, 1, 1].repeat(11), vec![0.5; 33]);
            let loss = ChosenAction { actions: &actions, targets: &targets, weights: None, huber: Some(1.0) };
            learner.step(&inputs(&x, 3), &loss, StepContext::default()).unwrap();
        }
        bits(&learner)
    };
    for precision in PRECISIONS {
        for optimizer in &every_optimizer() {
            assert_eq!(run(precision, optimizer), run(precision, optimizer));
        }
    }
}

/// With everything that an optimizer carries from step to step.
fn with_memory() -> Vec<OptimizerConfig> {
    let adaptive = Some(AdaptiveConfig::default());
    let line_search = Some(LineSearchConfig::default());
    let egn = |momentum_form| EgnConfig { momentum: 0.9, momentum_form, adaptive, line_search, ..Default::default() };
    let forms = [MomentumForm::Average, MomentumForm::Trace, MomentumForm::Nesterov];
    let sgd = SgdConfig { momentum: 0.9, nesterov: true, ..Default::default() };
    let rms_prop = RmsPropConfig { momentum: 0.9, ..Default::default() };
    let more = [OptimizerConfig::Sgd(sgd), OptimizerConfig::RmsProp(rms_prop)];
    every_optimizer().into_iter().chain(forms.map(|form| OptimizerConfig::Egn(egn(form)))).chain(more).collect()
}

#[test]
fn a_learner_restored_from_its_state_goes_on_bit_for_bit() {
    let (x, loss) = (inputs(&[0.5, -1.0, 0.25], 1), SquaredError { targets: &[1.0, 0.0, -1.0] });
    for precision in PRECISIONS {
        for optimizer in &with_memory() {
            let step = |learner: &mut Learner| learner.step(&x, &loss, StepContext::default()).unwrap();
            let mut whole = learner(&[1, 4, 1], precision, optimizer);
            for _ in 0..3 {
                step(&mut whole);
            }
            let saved = State::from_bytes(&whole.state().to_bytes().unwrap()).unwrap();
            let mut resumed = learner(&[1, 4, 1], precision, optimizer);
            resumed.restore(&saved).unwrap();
            for _ in 0..3 {
                assert_eq!(step(&mut whole), step(&mut resumed), "{optimizer:?}");
            }
            assert_eq!(bits(&whole), bits(&resumed), "{optimizer:?}");
            let before = bits(&whole);
            let error = learner(&[1, 5, 1], precision, optimizer).restore(&saved).unwrap_err();
            assert!(error.to_string().contains("'params' has 13 values where 16 are needed"), "{error}");
            assert!(whole.restore(&State::default()).is_err());
            assert_eq!(bits(&whole), before, "a state refused changes nothing");
        }
    }
}

/// A step that goes on from an evaluation is the step at the same inputs, whatever came before.
#[test]
fn a_step_from_an_evaluation_is_the_step_there() {
    let (x, loss) = (inputs(&[0.5, -1.0, 0.25], 1), SquaredError { targets: &[1.0, 0.0, 0.5] });
    for optimizer in every_optimizer() {
        let [mut plain, mut evaluated] = [(); 2].map(|()| learner(&[1, 3, 1], Precision::F64, &optimizer));
        for _ in 0..3 {
            let report = evaluated.evaluate(&x).unwrap().step(&loss, StepContext::default());
            assert_eq!(plain.step(&x, &loss, StepContext::default()), report, "{optimizer:?}");
            assert_eq!(bits(&plain), bits(&evaluated), "{optimizer:?}");
        }
    }
}

/// The signs of probes go on where they stood.
#[test]
fn a_learner_with_few_rows_goes_on_as_it_would_have() {
    let egn = |rows| OptimizerConfig::Egn(EgnConfig { rows, ..Default::default() });
    let (x, loss) = (inputs(&[0.5, -1.0, 0.25], 1), CrossEntropy { labels: &[3, 0, 1] });
    for precision in [Precision::F32, Precision::F64] {
        let [mut whole, mut again] = [(); 2].map(|()| learner(&[1, 3, 4], precision, &egn(Some(2))));
        let step = |learner: &mut Learner| learner.step(&x, &loss, StepContext::default()).unwrap();
        for _ in 0..3 {
            step(&mut whole);
        }
        again.restore(&whole.state()).unwrap();
        assert_eq!(step(&mut whole), step(&mut again));
        assert_eq!(bits(&whole), bits(&again));
        // As many rows as there are leave a step as it is, its length by a divergence included.
        let limited = |rows| EgnConfig { rows, kl_limit: Some(1e-3.into()), ..Default::default() };
        let [mut all, mut every] =
            [None, Some(3)].map(|rows| learner(&[1, 3, 4], precision, &OptimizerConfig::Egn(limited(rows))));
        assert_eq!(step(&mut all), step(&mut every));
        assert_eq!(all.snapshot().parameters(), every.snapshot().parameters());
    }
}

/// Whatever stands in storage that is lent, a step is the one with storage of its own.
#[test]
fn networks_that_share_storage_do_not_meet_in_it() {
    let egn = OptimizerConfig::Egn(EgnConfig::default());
    let (x, loss) = (inputs(&[0.5, -1.0, 0.25], 1), SquaredError { targets: &[1.0, 0.0, 0.5] });
    for precision in [Precision::F32, Precision::F64] {
        let [mut alone, mut sharing] = [(); 2].map(|()| learner(&[1, 3, 1], precision, &egn));
        let mut larger = learner(&[2, 40, 40, 2], precision, &egn);
        let mut system = RowSystem::default();
        for broken in [0.5, f64::NAN, f64::INFINITY] {
            let lost = (inputs(&[broken; 100], 2), SquaredError { targets: &[0.0; 100] });
            let lent = StepContext::default().lending(&mut system);
            assert_eq!(larger.step(&lost.0, &lost.1, lent).is_ok(), broken == 0.5);
            let lent = StepContext::default().lending(&mut system);
            assert_eq!(sharing.step(&x, &loss, lent), alone.step(&x, &loss, StepContext::default()));
            assert_eq!(bits(&sharing), bits(&alone));
        }
    }
}

/// A problem evaluates its network anew once its parameters have been touched.
#[test]
fn a_problem_does_not_believe_outputs_of_other_parameters() {
    let setting = Setting::draw(Network::mlp(&[2, 3, 1], Activation::Tanh), 4, 3);
    let targets = [0.5, -0.5, 1.0, 0.0];
    let loss = SquaredError { targets: &targets };
    let (mut model, mut fresh) = (setting.model(), setting.model());
    let mut problem = NetworkProblem::new(&mut model, &loss);
    let mut gradient = vec![0.0; problem.n_params()];
    problem.gradient(&mut gradient).unwrap();
    problem.params()[0] += 0.25;
    let moved = problem.gradient(&mut gradient).unwrap();
    let mut other = NetworkProblem::new(&mut fresh, &loss);
    other.params()[0] += 0.25;
    assert_eq!(moved, other.gradient(&mut vec![0.0; gradient.len()]).unwrap());
    assert_eq!(moved, problem.loss());
}

/// The blocks of a network tile its parameters, and the dense ones have the shape of their layer.
#[test]
fn blocks_tile_the_parameters() {
    let sizes = Sizes { n_inputs: 4, hidden: 7, n_outputs: 3, extra: 2 };
    for network in (0..N_NETWORKS).map(|kind| network(kind, sizes, Activation::Tanh)) {
        let mut end = 0;
        for block in network.blocks() {
            assert_eq!(block.range.start, end, "{network}");
            assert_eq!(block.range.len(), block.shape[0] * block.shape[1], "{network}");
            end = block.range.end;
        }
        assert_eq!(end, network.n_params(), "{network}");
    }
    let shapes: Vec<_> = Network::mlp(&[4, 8, 2], Activation::Relu).blocks().into_iter().map(|b| b.shape).collect();
    assert_eq!(shapes, [[4, 8], [1, 8], [8, 2], [1, 2]]);
}

#[test]
fn settings_out_of_range_and_other_parameters_make_no_learner() {
    let make = |n_params: usize, optimizer: OptimizerConfig| {
        let params = Tensor::zeros(n_params, candle_core::DType::F64, &Device::Cpu).unwrap();
        Learner::from_params(Network::mlp(&[2, 1], Activation::Identity), params, &optimizer).map(drop)
    };
    assert_eq!(make(3, OptimizerName::Sgd.into()), Ok(()));
    let found = make(4, OptimizerName::Sgd.into()).unwrap_err();
    assert!(matches!(found, SolverError::Parameters { expected: 3, found: 4, .. }), "{found}");
    for (optimizer, name) in [
        (OptimizerConfig::Sgd(SgdConfig { lr: (-0.1).into(), ..Default::default() }), "lr"),
        (OptimizerConfig::Sgn(SgnConfig { cg_steps: 0, ..Default::default() }), "cg_steps"),
        (OptimizerConfig::Egn(EgnConfig { lr: f64::NAN.into(), ..Default::default() }), "lr"),
    ] {
        let error = make(3, optimizer).unwrap_err().to_string();
        assert!(error.contains(name), "{error}");
    }
}

/// Labels and choices are asserted wherever they are read: before any parameter moves.
#[test]
fn labels_of_other_batches_are_bugs() {
    let outputs = Outputs { values: vec![0.1; 6], n_outputs: 3 };
    let (few, many, beyond) = ([0], [0, 1, 2], [0, 3]);
    for labels in [&few[..], &many, &beyond] {
        let losses: [&dyn Loss; 2] = [
            &CrossEntropy { labels },
            &ChosenAction { actions: labels, targets: &[0.0; 2], weights: None, huber: None },
        ];
        for loss in losses {
            let (mut values, mut root) = (Vec::new(), Root { rows: Vec::new(), rho: Vec::new() });
            let panics = |work: &mut dyn FnMut()| {
                assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).is_err(), "{labels:?}");
            };
            panics(&mut || loss.values(&outputs, &mut values));
            panics(&mut || drop(loss.residual(&outputs, &mut Vec::new()).to_string()));
            panics(&mut || drop(loss.root(&outputs, &mut root).to_string()));
        }
    }
}

#[test]
fn a_step_whose_length_overflows_moves_nothing() {
    // x = 1e-40, y = 1e90: the step is 1e170 long, and its square beyond f64.
    let params = Tensor::new(vec![1.0_f64], &Device::Cpu).unwrap();
    let mut learner = Learner::from_params(Network::quadratic(1, false), params, &egn(0.0)).unwrap();
    let before = bits(&learner);
    let error = learner.step(&inputs(&[1e-40], 1), &SquaredError { targets: &[1e90] }, StepContext::default());
    assert!(matches!(error, Err(SolverError::NonFiniteStep { .. })), "{error:?}");
    assert_eq!(bits(&learner), before);
}
