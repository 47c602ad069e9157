//! Experience of environments and policies: rollouts, replay memory, returns and advantages.

pub mod actions;
pub mod replay;
pub mod returns;
pub mod rollout;
mod sum_tree;
mod windows;
