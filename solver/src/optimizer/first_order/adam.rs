//! Adam, with PyTorch's semantics.
//!
//! ```text
//! m ← β₁m + (1−β₁)g,  v ← β₂v + (1−β₂)g²,  θ ← θ − lr · (m/(1−β₁ᵗ)) / (√(v/(1−β₂ᵗ)) + ε)
//! ```
//!
//! Source: Kingma and Ba (2015), algorithm 1, arXiv 1412.6980; ε outside the corrected root and
//! clipping of the global norm as in `torch.optim.Adam` and `torch.nn.utils.clip_grad_norm_`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    error::SolverError,
    linalg::{real::Real, vector::all_finite, vectors::vectorized},
    optimizer::{
        optimizer::{Optimizer, Report, StepContext},
        parameters::{clip_factor, finite_norm},
        problem::Problem,
        schedule::Schedule,
        settings::{BuildOptimizer, OptimizerSettings, check_decay, check_first_order, check_moments},
    },
    setting::SettingError,
    state::{State, StateError},
};

/// Settings of [`Adam`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AdamConfig {
    /// Step size, in [0, ∞).
    pub lr: Schedule,
    /// Decay of the gradient's average, in [0, 1).
    pub beta1: f64,
    /// Decay of the squared gradient's average, in [0, 1).
    pub beta2: f64,
    /// ε, in (0, ∞): added to the root of the squared gradient's average.
    pub eps: f64,
    /// Greatest norm of a gradient, in (0, ∞): longer ones are shortened to it.
    pub max_grad_norm: Option<f64>,
}

impl Default for AdamConfig {
    fn default() -> Self {
        // torch.optim.Adam.
        Self { lr: 1e-3.into(), beta1: 0.9, beta2: 0.999, eps: 1e-8, max_grad_norm: None }
    }
}

impl OptimizerSettings for AdamConfig {
    fn summary(&self) -> &'static str {
        "Adam with PyTorch's semantics, optional global-norm clipping"
    }

    fn validate(&self) -> Result<(), SettingError> {
        check_first_order(self.lr, self.max_grad_norm)?;
        check_moments(self.beta1, self.beta2, self.eps)
    }
}

impl<T: Real> BuildOptimizer<T> for AdamConfig {
    fn build(&self) -> Box<dyn Optimizer<T>> {
        Box::new(Adam::new(self.clone()))
    }
}

/// Settings of AdamW: Adam whose decay of the parameters is no part of the gradient.
///
/// Source: Loshchilov and Hutter (2019), arXiv 1711.05101.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct AdamWConfig {
    /// Adam's settings.
    #[serde(flatten)]
    pub adam: AdamConfig,
    /// w, in [0, ∞): θ loses lr·w·θ a step.
    pub weight_decay: f64,
}

impl Default for AdamWConfig {
    fn default() -> Self {
        // torch.optim.AdamW.
        Self { adam: AdamConfig::default(), weight_decay: 0.01 }
    }
}

impl OptimizerSettings for AdamWConfig {
    fn summary(&self) -> &'static str {
        "Adam with decoupled weight decay, with PyTorch's semantics"
    }

    fn validate(&self) -> Result<(), SettingError> {
        self.adam.validate()?;
        check_decay(self.weight_decay)
    }
}

impl<T: Real> BuildOptimizer<T> for AdamWConfig {
    fn build(&self) -> Box<dyn Optimizer<T>> {
        Box::new(Adam::decoupled(self.clone()))
    }
}

/// The Adam optimizer, with or without decoupled weight decay.
#[derive(Debug)]
pub struct Adam<T> {
    config: AdamConfig,
    weight_decay: f64,
    /// t, steps taken.
    n_steps: i32,
    /// m, v: averages of g and g².
    first_moment: Vec<T>,
    second_moment: Vec<T>,
    gradient: Vec<T>,
}

impl<T: Real> Adam<T> {
    /// Adam, ready to take its first step.
    pub fn new(config: AdamConfig) -> Self {
        Self::with_decay(config, 0.0)
    }

    /// AdamW, ready to take its first step.
    pub fn decoupled(config: AdamWConfig) -> Self {
        Self::with_decay(config.adam, config.weight_decay)
    }

    fn with_decay(config: AdamConfig, weight_decay: f64) -> Self {
        Self {
            config,
            weight_decay,
            n_steps: 0,
            first_moment: Vec::new(),
            second_moment: Vec::new(),
            gradient: Vec::new(),
        }
    }
}

impl<T: Real> Optimizer<T> for Adam<T> {
    fn step(&mut self, problem: &mut dyn Problem<T>, context: StepContext<'_>) -> Result<Report, SolverError> {
        let AdamConfig { lr, beta1, beta2, eps, max_grad_norm } = self.config;
        let p = problem.n_params();
        for state in [&mut self.gradient, &mut self.first_moment, &mut self.second_moment] {
            state.resize(p, T::zero());
        }
        let loss = problem.gradient(&mut self.gradient)?;
        let gradient_norm = finite_norm(&self.gradient)?;
        let n_steps = self.n_steps + 1;
        let lr = lr.at(context.progress);
        let update = Update {
            shrink: T::of(clip_factor(gradient_norm, max_grad_norm)),
            keep: [T::of(beta1), T::of(beta2)],
            take: [T::of(1.0 - beta1), T::of(1.0 - beta2)],
            step: T::of(lr / (1.0 - beta1.powi(n_steps))),
            unbias: T::of(1.0 / (1.0 - beta2.powi(n_steps)).sqrt()),
            eps: T::of(eps),
            decay: T::of(lr * self.weight_decay),
        };
        if !self.is_bounded(&update) {
            self.try_out(problem.params(), &update)?;
        }
        self.n_steps = n_steps;
        let theta = problem.params();
        let step_squared = vectorized(
            #[inline(always)]
            || update.apply(theta, &self.gradient, &mut self.first_moment, &mut self.second_moment),
        );
        Ok(Report {
            loss,
            gradient_norm: Some(gradient_norm),
            step_norm: step_squared.sqrt(),
            alpha: lr,
            ..Report::default()
        })
    }

    fn state(&self) -> State {
        let mut state = State::default();
        state.put("n_steps", &[self.n_steps as u64]);
        state.put("first_moment", &self.first_moment);
        state.put("second_moment", &self.second_moment);
        state
    }

    fn restore(&mut self, state: &State, n_params: usize) -> Result<(), StateError> {
        let n_steps = state.number::<u64>("n_steps")? as i32;
        let (first, second) = (state.get_grown("first_moment", n_params)?, state.get_grown("second_moment", n_params)?);
        (self.n_steps, self.first_moment, self.second_moment) = (n_steps, first, second);
        Ok(())
    }
}

impl<T: Real> Adam<T> {
    /// Whether no entry can overflow, whatever the gradients: by Cauchy and Schwarz
    /// |m|/√v ≤ (1−β₁) / √((1−β₂)(1−β₁²/β₂)), and ε is not lost where v underflows.
    fn is_bounded(&self, update: &Update<T>) -> bool {
        let AdamConfig { beta1, beta2, eps, .. } = self.config;
        let ratio = (1.0 - beta1) / ((1.0 - beta2) * (1.0 - beta1 * beta1 / beta2)).sqrt();
        ratio * update.step.to_f64() < 1e18 && eps > 1e-16 && update.decay <= T::one()
    }

    /// The step on copies.
    ///
    /// # Errors
    /// When one of them is no longer finite.
    fn try_out(&self, params: &[T], update: &Update<T>) -> Result<(), SolverError> {
        let (mut first, mut second) = (self.first_moment.clone(), self.second_moment.clone());
        let mut theta = params.to_vec();
        let step_squared = update.apply(&mut theta, &self.gradient, &mut first, &mut second);
        if [theta, first, second].into_iter().all(|values| all_finite(values.iter().copied())) {
            Ok(())
        } else {
            Err(SolverError::NonFiniteStep { step_norm: step_squared.sqrt(), damping: None })
        }
    }
}

/// The constants of one step.
struct Update<T> {
    shrink: T,
    keep: [T; 2],
    take: [T; 2],
    step: T,
    unbias: T,
    eps: T,
    decay: T,
}

/// Entries updated together: two vectors of AVX-512 in f32.
const LANES: usize = 32;

impl<T: Real> Update<T> {
    /// Moves θ, m and v by one step; returns ‖Δθ‖².
    #[inline(always)]
    fn apply(&self, theta: &mut [T], gradient: &[T], first: &mut [T], second: &mut [T]) -> f64 {
        let mut squares = [T::zero(); LANES];
        let (theta, theta_rest) = theta.as_chunks_mut::<LANES>();
        let (gradient, gradient_rest) = gradient.as_chunks::<LANES>();
        let (first, first_rest) = first.as_chunks_mut::<LANES>();
        let (second, second_rest) = second.as_chunks_mut::<LANES>();
        for ((x, g), (m, v)) in theta.iter_mut().zip(gradient).zip(first.iter_mut().zip(second)) {
            for i in 0..LANES {
                squares[i] += self.apply_one(&mut x[i], g[i], &mut m[i], &mut v[i]);
            }
        }
        let rest = theta_rest.iter_mut().zip(gradient_rest).zip(first_rest.iter_mut().zip(second_rest));
        for (((x, g), (m, v)), square) in rest.zip(&mut squares) {
            *square += self.apply_one(x, *g, m, v);
        }
        squares.iter().map(|s| s.to_f64()).sum()
    }

    /// One entry; returns its change, squared.
    #[inline(always)]
    fn apply_one(&self, x: &mut T, g: T, m: &mut T, v: &mut T) -> T {
        let g = g * self.shrink;
        *m = self.keep[0] * *m + self.take[0] * g;
        *v = self.keep[1] * *v + self.take[1] * (g * g);
        let change = self.decay * *x + self.step * *m / (v.sqrt() * self.unbias + self.eps);
        *x -= change;
        change * change
    }
}
