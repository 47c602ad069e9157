//! One run from configuration to record, begun or resumed.

pub mod checkpoint;
pub mod execution;
pub mod initial;
mod log;
pub mod policy_file;
pub mod saved_policy;
pub mod verify;

pub use execution::{BEST_POLICY, Execution, LAST_POLICY, RunError, admit, dir_of, run, run_in};
