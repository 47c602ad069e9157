//! Environments beside the real ones, and whatever is done to them.

mod conformance;
mod fuzz;
mod golden_frozen_lake;
mod golden_gymnasium;
mod golden_lqr;
mod golden_minatar;
mod golden_mujoco;
#[cfg(unix)]
mod gymnasium_child;
#[cfg(unix)]
mod gymnasium_host;
#[cfg(feature = "gymnasium-rs")]
mod gymnasium_rs;
