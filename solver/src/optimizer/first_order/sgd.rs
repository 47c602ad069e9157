//! Stochastic gradient descent with momentum, with PyTorch's semantics.
//!
//! u ← μu + g, θ ← θ − lr·u: the first step is lr·g, and u is no average. Nesterov's form
//! uses g + μu in place of u.
//!
//! Source: `torch.optim.SGD` (no dampening).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    error::SolverError,
    linalg::{real::Real, vector::sum_of_squares},
    optimizer::{
        optimizer::{Optimizer, Report, StepContext},
        parameters::{clip_factor, finite_norm, take_step},
        problem::Problem,
        schedule::Schedule,
        settings::{BuildOptimizer, OptimizerSettings, check_first_order},
    },
    setting::{SettingError, require},
    state::{State, StateError},
};

/// Settings of [`Sgd`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SgdConfig {
    /// Step size, in [0, ∞).
    pub lr: Schedule,
    /// μ, in [0, 1): how much of the last step a step keeps.
    pub momentum: f64,
    /// Whether momentum is of Nesterov's form.
    pub nesterov: bool,
    /// Greatest norm of a gradient, in (0, ∞): longer ones are shortened to it.
    pub max_grad_norm: Option<f64>,
}

impl Default for SgdConfig {
    fn default() -> Self {
        // torch.optim.SGD.
        Self { lr: 1e-3.into(), momentum: 0.0, nesterov: false, max_grad_norm: None }
    }
}

impl OptimizerSettings for SgdConfig {
    fn summary(&self) -> &'static str {
        "stochastic gradient descent with PyTorch's momentum"
    }

    fn validate(&self) -> Result<(), SettingError> {
        check_first_order(self.lr, self.max_grad_norm)?;
        require((0.0..1.0).contains(&self.momentum), "momentum", "in [0, 1)", self.momentum)
    }
}

impl<T: Real> BuildOptimizer<T> for SgdConfig {
    fn build(&self) -> Box<dyn Optimizer<T>> {
        Box::new(Sgd::new(self.clone()))
    }
}

/// The stochastic gradient descent optimizer.
#[derive(Debug)]
pub struct Sgd<T> {
    config: SgdConfig,
    /// u, and u after the step under way.
    momentum: Vec<T>,
    proposed: Vec<T>,
    gradient: Vec<T>,
}

impl<T: Real> Sgd<T> {
    /// Stochastic gradient descent, ready to take its first step.
    pub fn new(config: SgdConfig) -> Self {
        Self { config, momentum: Vec::new(), proposed: Vec::new(), gradient: Vec::new() }
    }
}

impl<T: Real> Optimizer<T> for Sgd<T> {
    fn step(&mut self, problem: &mut dyn Problem<T>, context: StepContext<'_>) -> Result<Report, SolverError> {
        let p = problem.n_params();
        self.gradient.resize(p, T::zero());
        self.momentum.resize(p, T::zero());
        let loss = problem.gradient(&mut self.gradient)?;
        let gradient_norm = finite_norm(&self.gradient)?;
        let shrink = T::of(clip_factor(gradient_norm, self.config.max_grad_norm));
        let keep = T::of(self.config.momentum);
        self.proposed.clear();
        self.proposed.extend(self.momentum.iter().zip(&self.gradient).map(|(&u, &g)| keep * u + shrink * g));
        if self.config.nesterov {
            self.gradient.iter_mut().zip(&self.proposed).for_each(|(g, &u)| *g = shrink * *g + keep * u);
        }
        let direction = if self.config.nesterov { &self.gradient } else { &self.proposed };
        let alpha = self.config.lr.at(context.progress);
        let step_norm = take_step(problem.params(), direction, sum_of_squares(direction).sqrt(), -alpha, None)?;
        std::mem::swap(&mut self.momentum, &mut self.proposed);
        Ok(Report { loss, gradient_norm: Some(gradient_norm), step_norm, alpha, ..Report::default() })
    }

    fn state(&self) -> State {
        let mut state = State::default();
        state.put("momentum", &self.momentum);
        state
    }

    fn restore(&mut self, state: &State, n_params: usize) -> Result<(), StateError> {
        self.momentum = state.get_grown("momentum", n_params)?;
        Ok(())
    }
}
