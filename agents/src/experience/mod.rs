//! What environments and policies lived through: rollouts, replay memory, returns and advantages.

pub mod replay;
pub mod returns;
pub mod rollout;
mod sum_tree;
