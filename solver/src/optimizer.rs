//! The one trait behind which every optimizer stands, and the choice among them.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{
    Adam, AdamConfig, AdamWConfig, Egn, EgnConfig, Problem, Real, RmsProp, RmsPropConfig, Sgd, SgdConfig, Sgn,
    SgnConfig, SolverError, State, StateError,
};

/// A rule that changes a problem's parameters.
pub trait Optimizer<T: Real>: Send {
    /// One step on the problem as it stands.
    ///
    /// # Errors
    /// When no step could be taken; the parameters and the optimizer's own state are then as before.
    fn step(&mut self, problem: &mut dyn Problem<T>, context: StepContext) -> Result<Report, SolverError>;

    /// All that later steps depend on, the parameters aside.
    fn state(&self) -> State;

    /// Takes back a state of an optimizer with the same settings on `n_params` parameters.
    ///
    /// # Errors
    /// When it is not such a state; this optimizer is then as it was.
    fn restore(&mut self, state: &State, n_params: usize) -> Result<(), StateError>;
}

/// What a step needs to know of the run around it.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct StepContext {
    /// Fraction of training done, in [0, 1]: where schedules stand.
    pub progress: f64,
    /// Also report what costs extra: gradient norm and solve residual of an EGN step.
    pub diagnose: bool,
}

/// What a step did. Fields that do not apply to the optimizer, or were not asked for, are `None`.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Report {
    /// Loss of the batch before the step.
    pub loss: f64,
    /// ‖g‖, before clipping.
    pub gradient_norm: Option<f64>,
    /// ‖Δθ‖.
    pub step_norm: f64,
    /// α: what the direction was multiplied by.
    pub alpha: f64,
    /// λ.
    pub damping: Option<f64>,
    /// −(g·Δ + ½ ΔᵀHΔ): what the undamped model says the step gains, weight decay aside.
    pub predicted_decrease: Option<f64>,
    /// ½ α² dᵀHd, the KL divergence a policy's step was predicted to make, weight decay aside.
    pub predicted_kl: Option<f64>,
    /// ‖(SᵀKS + bλI) v + ρ‖ / ‖ρ‖.
    pub solve_residual: Option<f64>,
    /// Smallest squared pivot of the row system's Cholesky factor.
    pub smallest_pivot: Option<f64>,
    /// Losses that a line search evaluated.
    pub trials: Option<u32>,
    /// How much the loss of the batch fell at the last point tried.
    pub actual_decrease: Option<f64>,
    /// Actual over predicted decrease, damping included.
    pub gain_ratio: Option<f64>,
    /// Why the step was taken back, if it was; α and the step's norm are then zero.
    pub rejection: Option<Rejection>,
}

/// Why a step was taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rejection {
    /// The line search found no step that gains enough.
    LineSearch,
    /// The loss rose, or is not finite.
    GainRatio,
}

/// An optimizer's textbook name, as on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OptimizerName {
    /// Exact Gauss-Newton.
    Egn,
    /// Adam.
    Adam,
    /// Adam with decoupled weight decay.
    AdamW,
    /// RMSprop.
    RmsProp,
    /// Stochastic gradient descent.
    Sgd,
    /// Stochastic Gauss-Newton: inexact, by conjugate gradients.
    Sgn,
}

impl OptimizerName {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Egn, Self::Adam, Self::AdamW, Self::RmsProp, Self::Sgd, Self::Sgn];

    /// One line on what it is.
    pub fn summary(self) -> &'static str {
        match self {
            Self::Egn => {
                "exact Gauss-Newton: damped; line search, adaptive damping, KL trust region (arXiv 2405.14402)"
            }
            Self::Adam => "Adam with PyTorch's semantics, optional global-norm clipping",
            Self::AdamW => "Adam with decoupled weight decay, with PyTorch's semantics",
            Self::RmsProp => "RMSprop with PyTorch's semantics",
            Self::Sgd => "stochastic gradient descent with PyTorch's momentum",
            Self::Sgn => "Gauss-Newton by conjugate gradients, inexact (arXiv 2006.02409)",
        }
    }
}

impl fmt::Display for OptimizerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Egn => "egn",
            Self::Adam => "adam",
            Self::AdamW => "adamw",
            Self::RmsProp => "rmsprop",
            Self::Sgd => "sgd",
            Self::Sgn => "sgn",
        })
    }
}

impl FromStr for OptimizerName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|name| name.to_string() == text).ok_or_else(|| format!("unknown optimizer '{text}'"))
    }
}

/// An optimizer with its settings.
#[derive(Debug, Clone, PartialEq)]
pub enum OptimizerConfig {
    /// Exact Gauss-Newton.
    Egn(EgnConfig),
    /// Adam.
    Adam(AdamConfig),
    /// Adam with decoupled weight decay.
    AdamW(AdamWConfig),
    /// RMSprop.
    RmsProp(RmsPropConfig),
    /// Stochastic gradient descent.
    Sgd(SgdConfig),
    /// Stochastic Gauss-Newton.
    Sgn(SgnConfig),
}

impl From<OptimizerName> for OptimizerConfig {
    /// With default settings.
    fn from(name: OptimizerName) -> Self {
        match name {
            OptimizerName::Egn => Self::Egn(EgnConfig::default()),
            OptimizerName::Adam => Self::Adam(AdamConfig::default()),
            OptimizerName::AdamW => Self::AdamW(AdamWConfig::default()),
            OptimizerName::RmsProp => Self::RmsProp(RmsPropConfig::default()),
            OptimizerName::Sgd => Self::Sgd(SgdConfig::default()),
            OptimizerName::Sgn => Self::Sgn(SgnConfig::default()),
        }
    }
}

impl OptimizerConfig {
    /// Which one it is.
    pub fn name(&self) -> OptimizerName {
        match self {
            Self::Egn(_) => OptimizerName::Egn,
            Self::Adam(_) => OptimizerName::Adam,
            Self::AdamW(_) => OptimizerName::AdamW,
            Self::RmsProp(_) => OptimizerName::RmsProp,
            Self::Sgd(_) => OptimizerName::Sgd,
            Self::Sgn(_) => OptimizerName::Sgn,
        }
    }

    /// Ready to take its first step.
    pub fn build<T: Real>(&self) -> Box<dyn Optimizer<T>> {
        match self {
            Self::Egn(config) => Box::new(Egn::new(config.clone())),
            Self::Adam(config) => Box::new(Adam::new(config.clone())),
            Self::AdamW(config) => Box::new(Adam::decoupled(config.clone())),
            Self::RmsProp(config) => Box::new(RmsProp::new(config.clone())),
            Self::Sgd(config) => Box::new(Sgd::new(config.clone())),
            Self::Sgn(config) => Box::new(Sgn::new(config.clone())),
        }
    }

    /// Whether every setting is in its range.
    ///
    /// # Errors
    /// The first setting that is not, with the range.
    pub fn validate(&self) -> Result<(), String> {
        match self {
            Self::Egn(config) => config.validate(),
            Self::Adam(config) => config.validate(),
            Self::AdamW(config) => config.validate(),
            Self::RmsProp(config) => config.validate(),
            Self::Sgd(config) => config.validate(),
            Self::Sgn(config) => config.validate(),
        }
    }
}

/// Checks a setting: `ok`, or an error that names it, its range and its value.
///
/// # Errors
/// Unless `ok`.
pub fn require(ok: bool, name: &str, range: &str, value: impl fmt::Debug) -> Result<(), String> {
    if ok { Ok(()) } else { Err(format!("{name} must be {range}, not {value:?}")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for name in OptimizerName::ALL {
            assert_eq!(name.to_string().parse(), Ok(name));
        }
        assert!("adamw2".parse::<OptimizerName>().is_err());
    }
}
