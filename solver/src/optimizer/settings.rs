//! The traits behind which an optimizer's settings describe and make their optimizer.
//!
//! *Design.* Two traits, because settings know no number type and optimizers have one: what is
//! generic stays apart from what a list or a check asks.

use crate::{
    optimizer::{optimizer::Optimizer, schedule::Schedule},
    setting::{SettingError, require},
};

/// Settings from which an optimizer can be made.
pub trait OptimizerSettings {
    /// One line on what the optimizer is.
    fn summary(&self) -> &'static str;

    /// Whether every setting is in its range.
    ///
    /// # Errors
    /// The first setting that is not, with the range.
    fn validate(&self) -> Result<(), SettingError>;

    /// Whether a step factors a system with a row for every output of the batch, which has to be
    /// held.
    fn holds_row_system(&self) -> bool {
        false
    }

    /// How many of the rows of a sample a step holds.
    fn rows_kept(&self, rows_per_sample: u64) -> u64 {
        rows_per_sample
    }
}

/// Settings of an optimizer of networks whose numbers are `T`.
pub trait BuildOptimizer<T>: OptimizerSettings {
    /// The optimizer, ready to take its first step.
    fn build(&self) -> Box<dyn Optimizer<T>>;
}

/// Checks the settings that every first-order optimizer has.
///
/// # Errors
/// The first setting that is not in its range.
pub(crate) fn check_first_order(lr: Schedule, max_grad_norm: Option<f64>) -> Result<(), SettingError> {
    lr.require("lr", [0.0, f64::MAX], "0 or more and finite")?;
    let limit = max_grad_norm.unwrap_or(1.0);
    require(limit > 0.0 && limit.is_finite(), "max_grad_norm", "positive", limit)
}

/// Checks the settings of a first and a second moment of the gradient, as Adam's.
///
/// # Errors
/// The first setting that is not in its range.
pub(crate) fn check_moments(beta1: f64, beta2: f64, eps: f64) -> Result<(), SettingError> {
    require((0.0..1.0).contains(&beta1), "beta1", "in [0, 1)", beta1)?;
    require((0.0..1.0).contains(&beta2), "beta2", "in [0, 1)", beta2)?;
    require(eps > 0.0 && eps.is_finite(), "eps", "positive", eps)
}

/// Checks a decoupled decay of the parameters.
///
/// # Errors
/// When it is negative or not finite.
pub(crate) fn check_decay(weight_decay: f64) -> Result<(), SettingError> {
    require(weight_decay >= 0.0 && weight_decay.is_finite(), "weight_decay", "0 or more", weight_decay)
}
