//! Lion: the sign of an interpolated momentum, so that every entry moves by the same length.
//!
//! ```text
//! c = β₁m + (1−β₁)g,  θ ← θ − lr · (sign(c) + wθ),  m ← β₂m + (1−β₂)g
//! ```
//!
//! A good lr is three to ten times smaller than Adam's, a good w as much larger. Near a minimum the
//! steps do not shrink by themselves: let lr fall.
//!
//! Source: Chen, Liang, Huang et al. (2023), "Symbolic discovery of optimization
//! algorithms", algorithm 2, arXiv 2302.06675; the steps are those of `lion-pytorch` 0.2.5,
//! and sign(0) is 0 as in torch.

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
        settings::{BuildOptimizer, OptimizerSettings, check_decay, check_first_order},
    },
    setting::{SettingError, require},
    state::{State, StateError},
};

/// Settings of [`Lion`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LionConfig {
    /// Step size, in [0, ∞).
    pub lr: Schedule,
    /// Weight of the momentum in the direction, in [0, 1).
    pub beta1: f64,
    /// Decay of the momentum, in [0, 1).
    pub beta2: f64,
    /// w, in [0, ∞): θ loses lr·w·θ a step.
    pub weight_decay: f64,
    /// Greatest norm of a gradient, in (0, ∞): longer ones are shortened to it.
    pub max_grad_norm: Option<f64>,
}

impl Default for LionConfig {
    fn default() -> Self {
        // lion-pytorch 0.2.5; the betas are the paper's, too.
        Self { lr: 1e-4.into(), beta1: 0.9, beta2: 0.99, weight_decay: 0.0, max_grad_norm: None }
    }
}

impl OptimizerSettings for LionConfig {
    fn summary(&self) -> &'static str {
        "sign of a momentum, with decoupled weight decay (arXiv 2302.06675)"
    }

    fn validate(&self) -> Result<(), SettingError> {
        check_first_order(self.lr, self.max_grad_norm)?;
        require((0.0..1.0).contains(&self.beta1), "beta1", "in [0, 1)", self.beta1)?;
        require((0.0..1.0).contains(&self.beta2), "beta2", "in [0, 1)", self.beta2)?;
        check_decay(self.weight_decay)
    }
}

impl<T: Real> BuildOptimizer<T> for LionConfig {
    fn build(&self) -> Box<dyn Optimizer<T>> {
        Box::new(Lion::new(self.clone()))
    }
}

/// The Lion optimizer.
#[derive(Debug)]
pub struct Lion<T> {
    config: LionConfig,
    /// m, and m after the step under way.
    momentum: Vec<T>,
    proposed: Vec<T>,
    gradient: Vec<T>,
    /// sign(c) + wθ.
    direction: Vec<T>,
}

impl<T: Real> Lion<T> {
    /// Lion, ready to take its first step.
    pub fn new(config: LionConfig) -> Self {
        let [momentum, proposed, gradient, direction] = [const { Vec::new() }; 4];
        Self { config, momentum, proposed, gradient, direction }
    }
}

impl<T: Real> Optimizer<T> for Lion<T> {
    fn step(&mut self, problem: &mut dyn Problem<T>, context: StepContext<'_>) -> Result<Report, SolverError> {
        let LionConfig { lr, beta1, beta2, weight_decay, max_grad_norm } = self.config;
        let p = problem.n_params();
        let Self { momentum, proposed, gradient, direction, .. } = self;
        gradient.resize(p, T::zero());
        momentum.resize(p, T::zero());
        let loss = problem.gradient(gradient)?;
        let gradient_norm = finite_norm(gradient)?;
        let shrink = T::of(clip_factor(gradient_norm, max_grad_norm));
        gradient.iter_mut().for_each(|g| *g *= shrink);

        let mix = |beta: f64| {
            let (keep, take) = (T::of(beta), T::of(1.0 - beta));
            move |m: T, g: T| keep * m + take * g
        };
        let (interpolate, average, decay) = (mix(beta1), mix(beta2), T::of(weight_decay));
        let theta = problem.params();
        let entries = momentum.iter().zip(&*gradient);
        direction.clear();
        direction.extend(entries.clone().zip(&*theta).map(|((&m, &g), &x)| sign(interpolate(m, g)) + decay * x));
        proposed.clear();
        proposed.extend(entries.map(|(&m, &g)| average(m, g)));

        let lr = lr.at(context.progress);
        let step_norm = take_step(theta, direction, sum_of_squares(direction).sqrt(), -lr, None)?;
        std::mem::swap(momentum, proposed);
        Ok(Report { loss, gradient_norm: Some(gradient_norm), step_norm, alpha: lr, ..Report::default() })
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

/// −1, 0 or 1; 0 at either zero, where `signum` of Rust has ±1.
fn sign<T: Real>(x: T) -> T {
    if x > T::zero() {
        T::one()
    } else if x < T::zero() {
        -T::one()
    } else {
        T::zero()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_has_no_sign() {
        assert_eq!([1e-300, 0.0, -0.0, -1e-300].map(sign), [1.0, 0.0, 0.0, -1.0]);
    }
}
