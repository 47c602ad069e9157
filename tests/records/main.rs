//! Records: reproduced, resumed, read, and whatever is done to them.
// Helpers of tests may panic like tests.
#![allow(clippy::unwrap_used)]

mod custom_agent;
mod determinism;
mod fuzz;
mod init_from;
mod mujoco;
mod older_record;
mod resume;
