//! The settings that every on-policy agent has.

use egn_solver::{SettingError, require};

use crate::{
    context::{Spaces, Workload},
    networks::{body::Body, distribution::Distribution},
};

/// Checks the settings that every on-policy agent has.
///
/// # Errors
/// The first setting that is out of its range.
pub(crate) fn check_scales(reward_scale: f64, log_std_init: f64) -> Result<(), SettingError> {
    require(reward_scale > 0.0 && reward_scale.is_finite(), "reward_scale", "above 0", reward_scale)?;
    require(log_std_init.abs() <= 20.0, "log_std_init", "in [-20, 20]", log_std_init)
}

/// The workload of an actor with this inside, which learns from rollouts of `n_steps` in each
/// environment, in batches of at most `batch_size`.
pub(crate) fn workload(
    body: Body<'_>,
    n_steps: usize,
    batch_size: usize,
    spaces: Spaces<'_>,
    n_envs: usize,
) -> Workload {
    let distribution = Distribution::over(spaces.actions);
    let transitions = (n_steps as u64).saturating_mul(n_envs as u64);
    Workload {
        widths: body.widths(spaces.n_observations, distribution.n_outputs()),
        transitions,
        batch_size: (batch_size as u64).min(transitions),
        rows_per_sample: distribution.rows_per_sample() as u64,
    }
}
