//! RMSprop, with PyTorch's semantics.
//!
//! ```text
//! s ← αs + (1−α)g²,  u ← μu + g/(√s + ε),  θ ← θ − lr·u
//! ```
//!
//! Source: Hinton, "Neural networks for machine learning", lecture 6e
//! (2012); `torch.optim.RMSprop`.

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

/// Settings of [`RmsProp`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RmsPropConfig {
    /// Step size, in [0, ∞).
    pub lr: Schedule,
    /// α, decay of the squared gradient's average, in [0, 1).
    pub alpha: f64,
    /// ε, in (0, ∞): added to the root of the squared gradient's average.
    pub eps: f64,
    /// μ, in [0, 1): how much of the last step a step keeps.
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

impl OptimizerSettings for RmsPropConfig {
    fn summary(&self) -> &'static str {
        "RMSprop with PyTorch's semantics"
    }

    fn validate(&self) -> Result<(), SettingError> {
        check_first_order(self.lr, self.max_grad_norm)?;
        require((0.0..1.0).contains(&self.alpha), "alpha", "in [0, 1)", self.alpha)?;
        require(self.eps > 0.0 && self.eps.is_finite(), "eps", "positive", self.eps)?;
        require((0.0..1.0).contains(&self.momentum), "momentum", "in [0, 1)", self.momentum)
    }
}

impl<T: Real> BuildOptimizer<T> for RmsPropConfig {
    fn build(&self) -> Box<dyn Optimizer<T>> {
        Box::new(RmsProp::new(self.clone()))
    }
}

/// The RMSprop optimizer.
#[derive(Debug)]
pub struct RmsProp<T> {
    config: RmsPropConfig,
    averages: Averages<T>,
    /// The averages after the step under way.
    proposed: Averages<T>,
    gradient: Vec<T>,
}

/// What is carried from step to step.
#[derive(Debug, Default)]
struct Averages<T> {
    /// s.
    squares: Vec<T>,
    /// u.
    momentum: Vec<T>,
}

impl<T: Real> RmsProp<T> {
    /// RMSprop, ready to take its first step.
    pub fn new(config: RmsPropConfig) -> Self {
        Self { config, averages: Averages::default(), proposed: Averages::default(), gradient: Vec::new() }
    }
}

impl<T: Real> Optimizer<T> for RmsProp<T> {
    fn step(&mut self, problem: &mut dyn Problem<T>, context: StepContext<'_>) -> Result<Report, SolverError> {
        let RmsPropConfig { lr, alpha, eps, momentum, max_grad_norm } = self.config;
        let p = problem.n_params();
        let Self { averages, proposed, gradient, .. } = self;
        for values in [&mut *gradient, &mut averages.squares, &mut averages.momentum] {
            values.resize(p, T::zero());
        }
        let loss = problem.gradient(gradient)?;
        let gradient_norm = finite_norm(gradient)?;
        let shrink = T::of(clip_factor(gradient_norm, max_grad_norm));
        let (keep, take, eps, mu) = (T::of(alpha), T::of(1.0 - alpha), T::of(eps), T::of(momentum));
        gradient.iter_mut().for_each(|g| *g *= shrink);
        let squares = averages.squares.iter().zip(&*gradient).map(|(&s, &g)| keep * s + take * (g * g));
        proposed.squares.clear();
        proposed.squares.extend(squares);
        let roots = proposed.squares.iter().map(|s| s.sqrt() + eps);
        proposed.momentum.clear();
        proposed
            .momentum
            .extend(averages.momentum.iter().zip(&*gradient).zip(roots).map(|((&u, &g), r)| mu * u + g / r));

        let lr = lr.at(context.progress);
        let norm = sum_of_squares(&proposed.momentum).sqrt();
        let step_norm = take_step(problem.params(), &proposed.momentum, norm, -lr, None)?;
        std::mem::swap(averages, proposed);
        Ok(Report { loss, gradient_norm: Some(gradient_norm), step_norm, alpha: lr, ..Report::default() })
    }

    fn state(&self) -> State {
        let mut state = State::default();
        state.put("squares", &self.averages.squares);
        state.put("momentum", &self.averages.momentum);
        state
    }

    fn restore(&mut self, state: &State, n_params: usize) -> Result<(), StateError> {
        let squares = state.get_grown("squares", n_params)?;
        self.averages = Averages { squares, momentum: state.get_grown("momentum", n_params)? };
        Ok(())
    }
}
