//! Stochastic Gauss-Newton: the damped Gauss-Newton direction by conjugate gradients, matrix-free.
//!
//! (H + λI) d = −g is solved roughly in parameter space, with products H t = Jᵀ S (Sᵀ J t)/b only:
//! the inexact method that [`crate::optimizer::gauss_newton::egn::Egn`] is compared with.
//!
//! Source: Gargiani, Zanelli, Diehl, Hutter (2020), "On the promise of the stochastic generalized
//! Gauss-Newton method for training DNNs", arXiv 2006.02409; the conjugate gradients of Hestenes
//! and Stiefel (1952), started from the last direction as in Martens (2010).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    error::SolverError,
    linalg::{
        real::Real,
        vector::{inner_product, sum_of_squares},
    },
    optimizer::{
        optimizer::{Optimizer, Report, StepContext},
        parameters::take_step,
        problem::Problem,
        schedule::Schedule,
        settings::{BuildOptimizer, OptimizerSettings},
    },
    setting::{SettingError, require},
    state::{State, StateError},
};

/// Settings of [`Sgn`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SgnConfig {
    /// Step size α, in [0, ∞).
    pub lr: Schedule,
    /// λ, in [0, ∞): damping in parameter space.
    pub lambda: Schedule,
    /// Most iterations of conjugate gradients, 1 or more.
    pub cg_steps: u32,
    /// ‖(H + λI)d + g‖ / ‖g‖ that is small enough, in [0, 1).
    pub cg_tolerance: f64,
    /// Whether conjugate gradients start from the last direction; otherwise from zero.
    pub warm_start: bool,
}

impl Default for SgnConfig {
    fn default() -> Self {
        // cor3bit/somax 5a14c1b, sgn.py: lr 1, λ 1e-3, 10 iterations.
        Self { lr: 1.0.into(), lambda: 1e-3.into(), cg_steps: 10, cg_tolerance: 1e-10, warm_start: true }
    }
}

impl OptimizerSettings for SgnConfig {
    fn summary(&self) -> &'static str {
        "Gauss-Newton by conjugate gradients, inexact (arXiv 2006.02409)"
    }

    fn validate(&self) -> Result<(), SettingError> {
        self.lr.require("lr", [0.0, f64::MAX], "0 or more and finite")?;
        self.lambda.require("lambda", [0.0, f64::MAX], "0 or more and finite")?;
        require(self.cg_steps > 0, "cg_steps", "1 or more", self.cg_steps)?;
        require((0.0..1.0).contains(&self.cg_tolerance), "cg_tolerance", "in [0, 1)", self.cg_tolerance)
    }
}

impl<T: Real> BuildOptimizer<T> for SgnConfig {
    fn build(&self) -> Box<dyn Optimizer<T>> {
        Box::new(Sgn::new(self.clone()))
    }
}

/// The stochastic Gauss-Newton optimizer.
#[derive(Debug)]
pub struct Sgn<T> {
    config: SgnConfig,
    direction: Vec<T>,
}

impl<T: Real> Sgn<T> {
    /// Stochastic Gauss-Newton, ready to take its first step.
    pub fn new(config: SgnConfig) -> Self {
        Self { config, direction: Vec::new() }
    }
}

impl<T: Real> Optimizer<T> for Sgn<T> {
    fn step(&mut self, problem: &mut dyn Problem<T>, context: StepContext<'_>) -> Result<Report, SolverError> {
        let lambda = self.config.lambda.at(context.progress);
        let linearized = problem.linearize(None)?;
        let (loss, b) = (linearized.value(), linearized.batch() as f64);
        let mut rho: Vec<f64> = linearized.rho().iter().map(|rho| rho / b).collect();
        let mut gradient = vec![T::zero(); linearized.shape()[1]];
        match linearized.separate_gradient() {
            Some(given) => gradient.copy_from_slice(given),
            None => linearized.pull_back(&rho, &mut gradient),
        }
        let gradient_norm = sum_of_squares(&gradient).sqrt();

        let mut direction = if self.config.warm_start { self.direction.clone() } else { Vec::new() };
        direction.resize(gradient.len(), T::zero());
        let mut product = vec![T::zero(); gradient.len()];
        let mut apply = |t: &[T], product: &mut [T]| {
            linearized.push_forward(t, &mut rho);
            rho.iter_mut().for_each(|rho| *rho /= b);
            linearized.pull_back(&rho, product);
            add_scaled(product, lambda, t);
        };

        // The residual −g − (H + λI)d, and the direction searched along.
        apply(&direction, &mut product);
        let mut residual: Vec<T> = gradient.iter().zip(&product).map(|(&g, &h)| -g - h).collect();
        let mut search = residual.clone();
        let mut squares = sum_of_squares(&residual);
        for _ in 0..self.config.cg_steps {
            if squares.sqrt() <= self.config.cg_tolerance * gradient_norm {
                break;
            }
            apply(&search, &mut product);
            let curvature = inner_product(&search, &product);
            if curvature <= 0.0 {
                return Err(SolverError::NotConvex { curvature, damping: lambda });
            }
            let length = squares / curvature;
            add_scaled(&mut direction, length, &search);
            add_scaled(&mut residual, -length, &product);
            let next = sum_of_squares(&residual);
            let keep = T::of(next / squares);
            search.iter_mut().zip(&residual).for_each(|(s, &r)| *s = r + keep * *s);
            squares = next;
        }

        let alpha = self.config.lr.at(context.progress);
        let norm = sum_of_squares(&direction).sqrt();
        let step_norm = take_step(problem.params(), &direction, norm, alpha, Some(lambda))?;
        self.direction = direction;
        Ok(Report {
            loss,
            gradient_norm: Some(gradient_norm),
            step_norm,
            alpha,
            damping: Some(lambda),
            solve_residual: Some(if gradient_norm > 0.0 { squares.sqrt() / gradient_norm } else { 0.0 }),
            ..Report::default()
        })
    }

    fn state(&self) -> State {
        let mut state = State::default();
        state.put("direction", &self.direction);
        state
    }

    fn restore(&mut self, state: &State, n_params: usize) -> Result<(), StateError> {
        self.direction = state.get_grown("direction", n_params)?;
        Ok(())
    }
}

/// `sum` ← `sum` + `factor`·`values`.
fn add_scaled<T: Real>(sum: &mut [T], factor: f64, values: &[T]) {
    let factor = T::of(factor);
    sum.iter_mut().zip(values).for_each(|(s, &x)| *s += factor * x);
}
