//! The networks that algorithms share, and what their outputs mean.

pub mod actor_critic;
pub mod body;
pub mod clipped_value;
pub mod critics;
pub mod distribution;
pub mod layers;
pub mod off_policy;
pub mod q_learning;
pub mod rollout_limit;
pub mod target_network;
pub mod temperature;
