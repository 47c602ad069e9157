//! Unit scale for what an agent sees and is paid.

pub mod normalizer;
pub mod running_moments;
