//! The best controller of every problem in `lqr.json`, simulated, reaches the stated cost.
//!
//! Reads `$EGN_GOLDEN/lqr.json` (default: the repository's copy), whatever problems it holds.

use std::borrow::Cow;
use std::path::PathBuf;

use egn_envs::lqr::problem::LqrOptimum;
use egn_envs::{Action, Env, Lqr, LqrId, LqrProblem, Pcg64};
use serde::Deserialize;

type Matrix = Vec<Vec<f64>>;

#[derive(Deserialize)]
struct Reference {
    problems: Vec<Problem>,
}

#[derive(Deserialize)]
#[allow(non_snake_case)] // The letters of the control literature, as in the file.
struct Problem {
    name: String,
    n: usize,
    m: usize,
    A: Matrix,
    B: Matrix,
    Q: Matrix,
    R: Matrix,
    solutions: Vec<Solution>,
}

#[derive(Deserialize)]
#[allow(non_snake_case)]
struct Solution {
    gamma: f64,
    K: Matrix,
    P: Matrix,
    #[serde(rename = "trace_P")]
    trace: f64,
    cost_from_ones: f64,
}

fn flat(matrix: &Matrix) -> Cow<'static, [f64]> {
    Cow::Owned(matrix.concat())
}

impl Solution {
    fn optimum(&self) -> LqrOptimum {
        LqrOptimum { discount: self.gamma, gain: flat(&self.K), value: flat(&self.P) }
    }
}

impl Problem {
    fn solution(&self, gamma: f64) -> &Solution {
        let found = self.solutions.iter().find(|solution| solution.gamma == gamma);
        found.unwrap_or_else(|| panic!("{} has no solution for gamma {gamma}", self.name))
    }

    /// The problem without limits, which are ours and not in the file.
    fn plant(&self) -> LqrProblem {
        LqrProblem {
            name: Cow::Owned(format!("LQR/{}", self.name)),
            source: Cow::Borrowed("the file"),
            n_states: self.n,
            n_inputs: self.m,
            dynamics: flat(&self.A),
            input: flat(&self.B),
            state_cost: flat(&self.Q),
            input_cost: flat(&self.R),
            optimum: self.solution(1.0).optimum(),
            discounted_optimum: self.solution(0.99).optimum(),
            action_limit: Cow::Owned(vec![f64::INFINITY; self.m]),
            state_limit: f64::INFINITY,
            max_episode_steps: usize::MAX,
            episode_cost: f64::INFINITY,
        }
    }
}

fn reference() -> Reference {
    let root = std::env::var_os("EGN_GOLDEN")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/data"), PathBuf::from);
    let path = root.join("lqr.json");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    let reference: Reference = serde_json::from_str(&text).expect("LQR reference data");
    assert!(!reference.problems.is_empty(), "{path:?} holds no problem");
    reference
}

/// Discounted cost that the environment charges the controller u = −K x from `state`, acting on
/// observations as an agent does, until 1e-9 of the cost is left or a million steps are over.
fn simulated_cost(env: &mut Lqr, optimum: &LqrOptimum, state: &[f64]) -> f64 {
    env.set_state(state);
    let mut rng = Pcg64::seed_from(0);
    let mut observation: Vec<f32> = state.iter().map(|&x| x as f32).collect();
    let (mut cost, mut weight) = (0.0, 1.0);
    for _ in 0..1_000_000 {
        let seen: Vec<f64> = observation.iter().map(|&x| f64::from(x)).collect();
        let action: Vec<f32> = optimum.input(&seen).iter().map(|&u| u as f32).collect();
        let step = env.step(Action::Continuous(&action), &mut rng, &mut observation);
        let step = step.expect("step");
        assert!(!step.outcome().is_end(), "the best controller keeps the plant within limits");
        cost -= weight * step.reward;
        weight *= optimum.discount;
        if weight * optimum.cost(env.state()) < 1e-9 * cost {
            break;
        }
    }
    cost
}

#[test]
fn best_controller_reaches_the_stated_cost_of_every_problem() {
    for problem in &reference().problems {
        let mut env = Lqr::new(Cow::Owned(problem.plant()));
        for solution in &problem.solutions {
            let optimum = solution.optimum();
            let basis = (0..problem.n).map(|i| (0..problem.n).map(|j| f64::from(i == j)).collect());
            // E[x₀ᵀPx₀] over x₀ ~ N(0, I) is the sum of the costs from the unit vectors.
            let from_basis = |e: Vec<f64>| simulated_cost(&mut env, &optimum, &e);
            let trace: f64 = basis.map(from_basis).sum();
            let ones = simulated_cost(&mut env, &optimum, &vec![1.0; problem.n]);
            for (found, stated) in [(trace, solution.trace), (ones, solution.cost_from_ones)] {
                let error = (found / stated - 1.0).abs();
                let (name, gamma) = (&problem.name, solution.gamma);
                // Observations and actions are float32: 6e-8, times the plant's amplification.
                println!("{name} gamma {gamma}: error {error:e}");
                assert!(error < 1e-5, "{name} gamma {gamma}: {found}, stated {stated}");
            }
        }
    }
}

#[test]
fn registered_problems_are_those_of_the_file() {
    let registered: Vec<_> = (0..LqrId::COUNT).map(|i| LqrId::new(i).problem()).collect();
    let mut compared = 0;
    for problem in &reference().problems {
        let plant = problem.plant();
        let Some(&ours) = registered.iter().find(|ours| ours.name == plant.name) else { continue };
        compared += 1;
        let action_limit = ours.action_limit.clone();
        let LqrProblem { state_limit, max_episode_steps, episode_cost, .. } = *ours;
        let source = ours.source.clone();
        let plant = LqrProblem { action_limit, state_limit, max_episode_steps, episode_cost, source, ..plant };
        assert_eq!(ours, &plant);
    }
    println!("{compared} problems compared");
}

#[test]
fn limits_do_not_touch_the_best_controller() {
    for i in 0..LqrId::COUNT {
        let problem = LqrId::new(i).problem();
        let mut env = Lqr::new(Cow::Borrowed(problem));
        let (mut rng, mut observation) = (Pcg64::seed_from(i as u64), vec![0.0; problem.n_states]);
        for _episode in 0..20 {
            env.reset(&mut rng, &mut observation).expect("reset");
            for _ in 0..problem.max_episode_steps {
                let input = problem.optimum.input(env.state());
                let within = input.iter().zip(&*problem.action_limit).all(|(u, max)| u.abs() < *max);
                assert!(within, "{}: input {input:?}", problem.name);
                let action: Vec<f32> = input.iter().map(|&u| u as f32).collect();
                let step = env.step(Action::Continuous(&action), &mut rng, &mut observation);
                assert!(!step.expect("step").truncated, "{}", problem.name);
            }
        }
    }
}

#[test]
fn the_best_controller_reaches_the_threshold_and_doing_nothing_does_not() {
    for i in 0..LqrId::COUNT {
        let problem = LqrId::new(i).problem();
        let Some(threshold) = problem.reward_threshold() else { continue };
        let mut env = Lqr::new(Cow::Borrowed(problem));
        let best = mean_return(&mut env, |state| problem.optimum.input(state));
        let idle = mean_return(&mut env, |_| vec![0.0; problem.n_inputs]);
        // Returns vary with the first state; a hundred of them leave a tenth or two.
        assert!(best > 1.5 * threshold, "{}: {best}, threshold {threshold}", problem.name);
        assert!(idle < threshold, "{}: doing nothing returns {idle}, threshold {threshold}", problem.name);
    }
}

fn mean_return(env: &mut Lqr, controller: impl Fn(&[f64]) -> Vec<f64>) -> f64 {
    let (mut rng, mut observation) = (Pcg64::seed_from(1), vec![0.0; env.problem().n_states]);
    let (n_episodes, max_episode_steps) = (100, env.problem().max_episode_steps);
    let mut total = 0.0;
    for _ in 0..n_episodes {
        env.reset(&mut rng, &mut observation).expect("reset");
        for _ in 0..max_episode_steps {
            let action: Vec<f32> = controller(env.state()).iter().map(|&u| u as f32).collect();
            let step = env.step(Action::Continuous(&action), &mut rng, &mut observation).expect("step");
            total += step.reward;
            if step.outcome().is_end() {
                break;
            }
        }
    }
    total / f64::from(n_episodes)
}
