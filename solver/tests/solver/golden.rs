//! Recorded directions: from the authors' code and from an independent solve in parameter space.
//!
//! Tolerances are those that `FORMAT.md` beside the recordings calls honest: in f64 1e-9 of the
//! direction's norm (1e-8 where the softmax is saturated, absolute where the gradient is zero); for
//! an f32 network with an f64 row solve 1e-4 below λ = 1 and 1e-5 from there on.

use crate::recorded::{distance, files, flat, folder, model, network, norm, numbers, read, repository_copy, with_loss};
use candle_core::DType;
use egn_solver::{Direction, Loss, Measures, Network, NetworkProblem, Problem, Real, RowSystem};
use serde_json::Value;

/// One recorded solve.
struct Case<'a> {
    id: String,
    network: &'a Network,
    params: &'a [f64],
    x: &'a [f64],
    loss: &'a dyn Loss,
    loss_value: f64,
    gradient: Vec<f64>,
    lambda: f64,
    direction: Vec<f64>,
    loss_after: f64,
}

impl Case<'_> {
    fn check<T: Real>(&self) {
        let Self { id, lambda, .. } = self;
        let tolerance = match T::DTYPE {
            DType::F64 if id.contains("saturated") => 1e-8,
            DType::F64 => 1e-9,
            _ if *lambda < 1.0 => 1e-4,
            _ => 1e-5,
        };
        let mut model = model::<T>(self.network, self.params, self.x);
        let mut problem = NetworkProblem::new(&mut model, self.loss);
        let mut gradient = vec![T::zero(); self.params.len()];
        let value = problem.gradient(&mut gradient).unwrap();
        let size = if norm(&self.gradient) < 1e-12 { 1.0 } else { norm(&self.gradient) };
        within(tolerance, distance(&gradient, &self.gradient) / size, id, "gradient");
        within(tolerance, (value - self.loss_value).abs() / self.loss_value.abs().max(1e-3), id, "loss");

        let mut direction = Direction::default();
        let measures = Measures { norms: true, fit: None };
        let solution =
            direction.solve(problem.linearize(None).unwrap(), *lambda, measures, &mut RowSystem::default()).unwrap();
        assert_eq!(solution.loss, value, "{id}: loss of a linearization");
        let size = if norm(&self.direction) < 1e-12 { 1e3 } else { norm(&self.direction) };
        within(tolerance, distance(direction.values(), &self.direction) / size, id, "direction");
        let slope: f64 = self.gradient.iter().zip(&self.direction).map(|(g, d)| g * d).sum();
        within(tolerance, (solution.slope - slope).abs() / slope.abs().max(1e-9), id, "g·d");
        within(1e-12, solution.solve_residual.unwrap(), id, "residual of the row system");

        let after: Vec<f64> = self.params.iter().zip(direction.values()).map(|(x, d)| x + d.to_f64()).collect();
        let loss_after = self.loss.value(crate::recorded::model::<T>(self.network, &after, self.x).forward());
        let scale = self.loss_after.abs().max(self.loss_value);
        within(tolerance, (loss_after - self.loss_after).abs() / scale.max(1e-3), id, "loss after a unit step");
    }
}

fn within(tolerance: f64, error: f64, id: &str, what: &str) {
    assert!(error <= tolerance, "{id}: {what} off by {error:e}, {tolerance:e} allowed");
}

/// Calls `check` with every solve of every recorded file; returns how many there were.
fn for_each_case(check: impl Fn(&Case<'_>)) -> usize {
    let mut n_solves = 0;
    for (name, file) in files("egn-vectors/1") {
        let (network, params) = (network(&file), flat(&file["layers"]));
        for case in file["cases"].as_array().expect("cases") {
            let (x, y) = (numbers(&case["x"]), numbers(&case["y"]));
            let select = case.get("select").map(numbers).unwrap_or_default();
            check_outputs(&name, &network, &params, &x, case);
            with_loss(case["loss"].as_str().expect("loss"), &y, &select, |loss| {
                for solve in case["solves"].as_array().expect("solves") {
                    let lambda = solve["lambda"].as_f64().expect("lambda");
                    n_solves += 1;
                    check(&Case {
                        id: format!("{name} {} λ {lambda}", case["id"]),
                        network: &network,
                        params: &params,
                        x: &x,
                        loss,
                        loss_value: case["loss_value"].as_f64().expect("loss_value"),
                        gradient: flat(&case["gradient"]),
                        lambda,
                        direction: flat(&solve["direction"]),
                        loss_after: solve["loss_after_unit_step"].as_f64().expect("loss_after_unit_step"),
                    });
                }
            });
        }
    }
    assert!(n_solves > 0, "no recorded solve");
    n_solves
}

fn check_outputs(name: &str, network: &Network, params: &[f64], x: &[f64], case: &Value) {
    let expected = numbers(&case["outputs"]);
    let mut model = model::<f64>(network, params, x);
    within(1e-12, distance(&model.forward().values, &expected) / norm(&expected), name, "outputs");
}

#[test]
fn recorded_directions_are_met_in_f64() {
    println!("{} solves", for_each_case(|case| case.check::<f64>()));
}

#[test]
fn recorded_directions_are_met_in_f32() {
    println!("{} solves", for_each_case(|case| case.check::<f32>()));
}

#[test]
fn six_steps_of_a_parameter_space_solve_are_met() {
    let replaced = folder().join("egn-six-steps.json");
    let path = if replaced.exists() { replaced } else { repository_copy().join("egn-six-steps.json") };
    for case in read(&path)["cases"].as_array().expect("cases") {
        let sizes: Vec<usize> = numbers(&case["layer_sizes"]).iter().map(|&n| n as usize).collect();
        assert!(case["activation"].as_str().expect("activation").starts_with("tanh"));
        let layers = |key: &str| {
            let of = |part: String| numbers(&case[key][part]);
            (0..sizes.len() - 1).flat_map(|l| of(format!("W{l}")).into_iter().chain(of(format!("b{l}")))).collect()
        };
        let (network, params): (_, Vec<f64>) = (Network::mlp(&sizes, egn_solver::Activation::Tanh), layers("params"));
        let name = case["loss"].as_str().expect("loss");
        with_loss(name, &numbers(&case["y"]), &[], |loss| {
            let lambda = case["lam"].as_f64().expect("lam");
            let case = Case {
                id: format!("six steps {network} {name} λ {lambda}"),
                network: &network,
                params: &params,
                x: &numbers(&case["x"]),
                loss,
                loss_value: case["loss_value"].as_f64().expect("loss_value"),
                gradient: layers("gradient"),
                lambda,
                direction: layers("direction"),
                loss_after: case["loss_after_full_step"].as_f64().expect("loss_after_full_step"),
            };
            case.check::<f64>();
            case.check::<f32>();
        });
    }
}
