//! Policies, which act in the environments, and what they share of noise and of bounds.

pub mod action_noise;
pub mod action_range;
pub mod actor_plan;
pub mod actor_state;
pub mod categorical;
pub mod deterministic;
pub mod epsilon_greedy;
pub mod gaussian;
pub mod greedy_rule;
pub mod policy;
pub mod squashed_gaussian;
