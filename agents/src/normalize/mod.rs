//! Normalization of observations and rewards to unit scale.

pub mod normalizer;
pub mod running_moments;
