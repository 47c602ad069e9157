//! RMSprop, with PyTorch's semantics.
//!
//! ```text
//! s ← αs + (1−α)g²,  u ← μu + g/(√s + ε),  θ ← θ − lr·u
//! ```
//!
//! Source: Hinton, "Neural networks for machine learning", lecture 6e (2012); `torch.optim.RMSprop`.

use serde::{Deserialize, Serialize};

use crate::{
    Optimizer, Problem, Real, Report, Schedule, SolverError, StepContext,
    adam::clip_factor,
    optimizer::require,
    problem::{sum_of_squares, take_step},
};

/// Settings of [`RmsProp`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RmsPropConfig {
    /// Step size, in [0, ∞).
    pub lr: Schedule,
    /// α, decay of the squared gradient's average, in [0, 1).
    pub alpha: f64,
    /// Added to the root, in (0, ∞).
    pub eps: f64,
    /// μ, in [0, 1).
    pub momentum: f64,
    /// Greatest norm of a gradient, in (0, ∞): longer ones are shortened to it.
    pub max_grad_norm: Option<f64>,
}

impl Default for RmsPropConfig {
    fn default() -> Self {
        // torch.optim.RMSprop.
        Self { lr: 1e-2.into(), alpha: 0.99, eps: 1e-8, momentum: 0.0, max_grad_norm: None }
    }
}

impl RmsPropConfig {
    /// Whether every setting is in its range.
    ///
    /// # Errors
    /// The first setting that is not, with the range.
    pub fn validate(&self) -> Result<(), String> {
        require(self.lr.stays_within(0.0, f64::MAX), "lr", "0 or more", self.lr)?;
        require((0.0..1.0).contains(&self.alpha), "alpha", "in [0, 1)", self.alpha)?;
        require(self.eps > 0.0 && self.eps.is_finite(), "eps", "positive", self.eps)?;
        require((0.0..1.0).contains(&self.momentum), "momentum", "in [0, 1)", self.momentum)?;
        let limit = self.max_grad_norm.unwrap_or(1.0);
        require(limit > 0.0 && limit.is_finite(), "max_grad_norm", "positive", limit)
    }
}

/// The optimizer.
#[derive(Debug)]
pub struct RmsProp<T> {
    config: RmsPropConfig,
    /// s.
    squares: Vec<T>,
    /// u.
    momentum: Vec<T>,
    gradient: Vec<T>,
}

impl<T: Real> RmsProp<T> {
    /// Ready to take its first step.
    pub fn new(config: RmsPropConfig) -> Self {
        Self { config, squares: Vec::new(), momentum: Vec::new(), gradient: Vec::new() }
    }
}

impl<T: Real> Optimizer<T> for RmsProp<T> {
    fn step(&mut self, problem: &mut dyn Problem<T>, context: StepContext) -> Result<Report, SolverError> {
        let RmsPropConfig { lr, alpha, eps, momentum, max_grad_norm } = self.config;
        let p = problem.params().elem_count();
        for state in [&mut self.gradient, &mut self.squares, &mut self.momentum] {
            state.resize(p, T::zero());
        }
        let loss = problem.gradient(&mut self.gradient)?;
        let gradient_norm = sum_of_squares(&self.gradient).sqrt();
        if !gradient_norm.is_finite() {
            return Err(SolverError::NonFiniteStep { step_norm: gradient_norm, damping: 0.0 });
        }
        let shrink = T::of(clip_factor(gradient_norm, max_grad_norm));
        let (keep, take, eps, mu) = (T::of(alpha), T::of(1.0 - alpha), T::of(eps), T::of(momentum));
        for ((&g, s), u) in self.gradient.iter().zip(&mut self.squares).zip(&mut self.momentum) {
            let g = shrink * g;
            *s = keep * *s + take * (g * g);
            *u = mu * *u + g / (s.sqrt() + eps);
        }
        let lr = lr.at(context.progress);
        let norm = sum_of_squares(&self.momentum).sqrt();
        let step_norm = take_step(problem.params(), &self.momentum, norm, -lr, 0.0)?;
        Ok(Report { loss, gradient_norm: Some(gradient_norm), step_norm, alpha: lr, ..Report::default() })
    }
}
