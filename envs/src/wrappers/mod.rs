//! Wrappers: environments around environments.

pub mod episode_statistics;
pub mod rescale_action;
pub mod time_limit;
