//! Recorded runs of line search, adaptive damping and momentum, step by step
//! from the stored weights.

use crate::recorded::{distance, files, flat, model, network, norm, numbers, with_loss};
use candle_core::{DType, Device, Tensor};
use egn_solver::{
    AdaptiveConfig, Egn, EgnConfig, LineSearchConfig, MomentumForm, NetworkProblem, Optimizer, Problem, Real,
    Rejection, Report, Restart, StepContext,
};
use serde_json::Value;

fn number(value: &Value, key: &str) -> f64 {
    value[key].as_f64().unwrap_or_else(|| panic!("{key} is {}", value[key]))
}

/// The settings that a recorded run stands for. The authors' rules differ from ours in two places:
/// they never take a step back, and `reported_lambda_only` never uses the λ it adapts.
fn config(run: &Value) -> EgnConfig {
    let lambda = run["lambda"].as_f64().or(run["lambda0"].as_f64()).expect("lambda or lambda0");
    let plain = EgnConfig { lr: number(run, "learning_rate").into(), lambda: lambda.into(), ..Default::default() };
    let line_search = run["reset_option"].as_str().map(|restart| LineSearchConfig {
        restart: match restart {
            "increase" => Restart::Increase,
            "conservative" => Restart::Conservative,
            "goldstein" => Restart::Goldstein,
            other => panic!("unknown restart {other}"),
        },
        ..Default::default()
    });
    let momentum = run["momentum"].as_f64().unwrap_or(0.0);
    let trace = if run["nesterov"].as_bool() == Some(true) { MomentumForm::Nesterov } else { MomentumForm::Trace };
    match run["kind"].as_str().expect("kind") {
        "trust_region_damping" => {
            let options = &run["options"];
            let adaptive = AdaptiveConfig {
                lower: number(options, "lower"),
                upper: number(options, "upper"),
                raise: number(options, "inc"),
                lower_by: number(options, "dec"),
                min: number(options, "min_lam"),
                max: number(options, "max_lam"),
                every: number(options, "every_k") as u32,
                reject: false,
            };
            EgnConfig { adaptive: Some(adaptive), ..plain }
        }
        "line_search" | "line_search+momentum" => EgnConfig { line_search, momentum, ..plain },
        "bias_corrected_ema_momentum" => EgnConfig { momentum, ..plain },
        // Heavy ball on the parameters is the trace of the steps.
        "heavy_ball_on_parameters" | "heavy_ball_trace" => EgnConfig { momentum, momentum_form: trace, ..plain },
        "reported_lambda_only" => plain,
        other => panic!("unknown kind of run {other}"),
    }
}

fn check_step<T: Real>(id: &str, step: &Value, report: &Report, before: &[f64], after: &[f64], tolerance: f64) {
    let expected = flat(&step["params_after"]);
    let moved: Vec<f64> = expected.iter().zip(before).map(|(a, b)| a - b).collect();
    if report.rejection == Some(Rejection::LineSearch) {
        // The authors keep a last trial that fails their own test; we take no step.
        let [loss, reached] = ["loss_before", "loss_after"].map(|key| number(step, key));
        let needed = -0.1 * number(step, "stepsize") * number(step, "directional_derivative");
        assert!(loss - reached + f64::EPSILON < needed, "{id}: a good step was refused, {report:?}");
        assert!(report.trials == Some(15) && before == after, "{id}: {report:?}");
        return;
    }
    assert_eq!(report.rejection, None, "{id}");
    let rounding = if T::DTYPE == DType::F64 { 1e-15 } else { 1e-7 };
    // A run that has converged moves by little more than the rounding of its weights.
    let allowed = tolerance * norm(&moved) + rounding * norm(&expected);
    let error = distance(after, &expected);
    assert!(error <= allowed, "{id}: step off by {error:e}, {report:?} for {:?}", step["stepsize"]);
    let near = |got: Option<f64>, key: &str| {
        if let Some(expected) = step.get(key).and_then(Value::as_f64) {
            let got = got.unwrap_or_else(|| panic!("{id}: no {key}"));
            // The recorded ratios were computed in single precision.
            let allowed = if T::DTYPE == DType::F64 { 1e-6 } else { 1e-2 };
            assert!((got - expected).abs() <= allowed * expected.abs().max(1e-3), "{id}: {key} {got}, not {expected}");
        }
    };
    near(Some(report.loss), "loss_before");
    near(report.damping, "lambda_used");
    near(Some(report.alpha), "stepsize");
}

/// Where a number type can follow a recorded run. Recorded runs diverge to ‖θ‖ = 7·10⁵, where
/// outputs in f32 are off by so much that the loss after a step, and with it the next λ, is
/// another; and they converge to losses below 10⁻¹⁴, where the residuals of f32 are its rounding.
struct Reach {
    largest_norm: f64,
    smallest_loss: f64,
}

fn check<T: Real>(tolerance: f64, reach: Reach) {
    let mut n_steps = 0;
    for (name, file) in files("egn-trajectories/1") {
        let (network, start) = (network(&file), flat(&file["layers"]));
        let batches = file["batches"].as_array().expect("batches");
        for run in file["runs"].as_array().expect("runs") {
            let mut optimizer = Egn::<T>::new(config(run));
            let mut before = start.clone();
            for (i, step) in run["steps"].as_array().expect("steps").iter().enumerate() {
                let id = format!("{name} {} step {i}", run["name"]);
                let converged = step["loss_before"].as_f64().is_some_and(|loss| loss < reach.smallest_loss);
                if converged || norm(&before) > reach.largest_norm {
                    break;
                }
                let batch = &batches[number(step, "batch_index") as usize];
                let mut model = model::<T>(&network, &before, &numbers(&batch["x"]));
                let params = Tensor::new(&*before, &Device::Cpu).unwrap().to_dtype(T::DTYPE).unwrap();
                let mut model_after = Vec::new();
                with_loss(file["loss"].as_str().expect("loss"), &numbers(&batch["y"]), &[], |loss| {
                    let mut problem = NetworkProblem::new(&mut model, loss);
                    let report = optimizer.step(&mut problem, StepContext::default()).unwrap();
                    model_after.extend(problem.params().iter().map(|x| x.to_f64()));
                    // What T makes of the weights before, so that a step of zero is zero.
                    let held = params.to_dtype(DType::F64).unwrap().to_vec1::<f64>().unwrap();
                    check_step::<T>(&id, step, &report, &held, &model_after, tolerance);
                });
                before = flat(&step["params_after"]);
                n_steps += 1;
            }
        }
    }
    assert!(n_steps > 240, "{n_steps} recorded steps");
}

#[test]
fn recorded_steps_are_met_in_f64() {
    check::<f64>(1e-9, Reach { largest_norm: f64::INFINITY, smallest_loss: 0.0 });
}

#[test]
fn recorded_steps_are_met_in_f32() {
    check::<f32>(1e-3, Reach { largest_norm: 1e4, smallest_loss: 1e-12 });
}
