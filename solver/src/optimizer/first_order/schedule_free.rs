//! Schedule-Free AdamW: an average of the iterates in place of a falling learning rate.
//!
//! ```text
//! v ← β₂v + (1−β₂)g²,  d = g / (√(v/(1−β₂ᵗ)) + ε) + wθ,  c = lr² / Σ lr²
//! θ ← (1−c)θ + cz − lr(1 − β₁(1−c))d,  z ← z − lr·d
//! ```
//!
//! Three points move: z as Adam's, without momentum, x as the average of the z, and between them
//! y = (1−β₁)z + β₁x, where gradients are taken. The weights lr² are those of the greatest lr so
//! far.
//!
//! *Design.* θ is y, always. What acts, what a target network follows and what is recorded are
//! copies of θ, so that here they are y too, where the paper evaluates x = (θ − (1−β₁)z)/β₁: a
//! policy gradient has to be taken at the policy that acted, and its first ratio has to be one.
//! What is given up is a distance of (1−β₁)‖z − x‖; a greater β₁ makes it smaller.
//!
//! Source: Defazio, Yang, Mehta et al. (2024), "The road less scheduled", algorithm 1, arXiv
//! 2405.15682; the steps are those of `AdamWScheduleFree` of `schedulefree` 1.4.1.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    error::SolverError,
    linalg::{
        real::Real,
        vector::{all_finite, sum_of_squares},
    },
    optimizer::{
        optimizer::{Optimizer, Report, StepContext},
        parameters::{clip_factor, finite_norm, take_step},
        problem::Problem,
        schedule::Schedule,
        settings::{BuildOptimizer, OptimizerSettings, check_decay, check_first_order, check_moments},
    },
    setting::SettingError,
    state::{State, StateError},
};

/// Settings of [`ScheduleFree`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ScheduleFreeConfig {
    /// Step size, in [0, ∞).
    pub lr: Schedule,
    /// Weight of the average where the gradient is taken, in [0, 1).
    pub beta1: f64,
    /// Decay of the squared gradient's average, in [0, 1).
    pub beta2: f64,
    /// ε, in (0, ∞): added to the root of the squared gradient's average.
    pub eps: f64,
    /// w, in [0, ∞): θ loses lr·w·θ a step.
    pub weight_decay: f64,
    /// Steps over which lr rises from zero, 0 or more.
    pub warmup_steps: u32,
    /// Greatest norm of a gradient, in (0, ∞): longer ones are shortened to it.
    pub max_grad_norm: Option<f64>,
}

impl Default for ScheduleFreeConfig {
    fn default() -> Self {
        // schedulefree 1.4.1, whose `r` is 0 and whose `weight_lr_power` is 2.
        let (lr, beta1, beta2, eps) = (2.5e-3.into(), 0.9, 0.999, 1e-8);
        Self { lr, beta1, beta2, eps, weight_decay: 0.0, warmup_steps: 0, max_grad_norm: None }
    }
}

impl OptimizerSettings for ScheduleFreeConfig {
    fn summary(&self) -> &'static str {
        "AdamW with an average in place of a schedule (arXiv 2405.15682)"
    }

    fn validate(&self) -> Result<(), SettingError> {
        check_first_order(self.lr, self.max_grad_norm)?;
        check_moments(self.beta1, self.beta2, self.eps)?;
        check_decay(self.weight_decay)
    }
}

impl<T: Real> BuildOptimizer<T> for ScheduleFreeConfig {
    fn build(&self) -> Box<dyn Optimizer<T>> {
        Box::new(ScheduleFree::new(self.clone()))
    }
}

/// The Schedule-Free optimizer.
#[derive(Debug)]
pub struct ScheduleFree<T> {
    config: ScheduleFreeConfig,
    memory: Memory<T>,
    /// The memory after the step under way.
    proposed: Memory<T>,
    gradient: Vec<T>,
    /// Change of θ.
    change: Vec<T>,
}

/// What is carried from step to step.
#[derive(Debug, Clone, Default)]
struct Memory<T> {
    /// t, steps taken.
    n_steps: u64,
    /// The greatest lr so far, and Σ of its squares.
    greatest_lr: f64,
    weight_sum: f64,
    /// z; θ before the first step.
    z: Vec<T>,
    /// v, average of g².
    second_moment: Vec<T>,
}

impl<T: Real> ScheduleFree<T> {
    /// Schedule-Free, ready to take its first step.
    pub fn new(config: ScheduleFreeConfig) -> Self {
        let [memory, proposed] = [(); 2].map(|()| Memory::default());
        Self { config, memory, proposed, gradient: Vec::new(), change: Vec::new() }
    }
}

impl<T: Real> Optimizer<T> for ScheduleFree<T> {
    fn step(&mut self, problem: &mut dyn Problem<T>, context: StepContext<'_>) -> Result<Report, SolverError> {
        let ScheduleFreeConfig { lr, beta1, beta2, eps, weight_decay, warmup_steps, max_grad_norm } = self.config;
        let p = problem.n_params();
        let Self { memory, proposed, gradient, change, .. } = self;
        gradient.resize(p, T::zero());
        let loss = problem.gradient(gradient)?;
        let gradient_norm = finite_norm(gradient)?;
        let shrink = T::of(clip_factor(gradient_norm, max_grad_norm));

        proposed.clone_from(memory);
        let theta = problem.params();
        if proposed.z.is_empty() {
            proposed.z.extend_from_slice(theta);
            proposed.second_moment.resize(p, T::zero());
        }
        proposed.n_steps += 1;
        let t = proposed.n_steps as f64;
        let lr = lr.at(context.progress) * (t / f64::from(warmup_steps.max(1))).min(1.0);
        proposed.greatest_lr = proposed.greatest_lr.max(lr);
        let weight = proposed.greatest_lr * proposed.greatest_lr;
        proposed.weight_sum += weight;
        let mix = if weight > 0.0 { weight / proposed.weight_sum } else { 0.0 };

        let (keep, take, eps, decay) = (T::of(beta2), T::of(1.0 - beta2), T::of(eps), T::of(weight_decay));
        let unbias = T::of(1.0 / (1.0 - libm::pow(beta2, t)));
        let (mix, along, length) = (T::of(mix), T::of(lr * (beta1 * (1.0 - mix) - 1.0)), T::of(lr));
        change.clear();
        let moved = proposed.z.iter_mut().zip(&mut proposed.second_moment);
        change.extend(moved.zip(gradient.iter().zip(&*theta)).map(|((z, v), (&g, &x))| {
            let g = g * shrink;
            *v = keep * *v + take * (g * g);
            let d = g / ((*v * unbias).sqrt() + eps) + decay * x;
            let change = mix * (*z - x) + along * d;
            *z -= length * d;
            change
        }));

        let norm = sum_of_squares(change).sqrt();
        if !all_finite(proposed.z.iter().chain(&proposed.second_moment).copied()) {
            return Err(SolverError::NonFiniteStep { step_norm: norm, damping: None });
        }
        let step_norm = take_step(theta, change, norm, 1.0, None)?;
        std::mem::swap(memory, proposed);
        Ok(Report { loss, gradient_norm: Some(gradient_norm), step_norm, alpha: lr, ..Report::default() })
    }

    fn state(&self) -> State {
        let Memory { n_steps, greatest_lr, weight_sum, z, second_moment } = &self.memory;
        let mut state = State::default();
        state.put("n_steps", &[*n_steps]);
        state.put("greatest_lr", &[*greatest_lr]);
        state.put("weight_sum", &[*weight_sum]);
        state.put("z", z);
        state.put("second_moment", second_moment);
        state
    }

    fn restore(&mut self, state: &State, n_params: usize) -> Result<(), StateError> {
        self.memory = Memory {
            n_steps: state.number("n_steps")?,
            greatest_lr: state.number("greatest_lr")?,
            weight_sum: state.number("weight_sum")?,
            z: state.get_grown("z", n_params)?,
            second_moment: state.get_grown("second_moment", n_params)?,
        };
        Ok(())
    }
}
