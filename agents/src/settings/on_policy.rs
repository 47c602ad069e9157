//! The settings that every on-policy agent has.

use egn_solver::{SettingError, require};

/// Whether the settings that every on-policy agent has are in their ranges.
///
/// # Errors
/// The first setting that is not, with the range.
pub(crate) fn check_scales(reward_scale: f64, log_std_init: f64) -> Result<(), SettingError> {
    require(reward_scale > 0.0 && reward_scale.is_finite(), "reward_scale", "above 0", reward_scale)?;
    require(log_std_init.abs() <= 20.0, "log_std_init", "in [-20, 20]", log_std_init)
}
