//! One run from configuration to record, begun or resumed.

pub mod checkpoint;
pub mod error;
pub mod execution;
pub mod initial;
mod lock;
mod log;
pub mod policy_file;
pub mod saved_policy;
pub mod verify;

pub use error::RunError;
pub use execution::{Execution, admit, dir_of, run, run_in};
pub use policy_file::{BEST_POLICY, LAST_POLICY};
