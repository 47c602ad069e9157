//! Many runs side by side, and published ones.

pub mod processes;
pub mod published;

pub use processes::{CompareError, Fate, Jobs, Planned, check_writable, make_runs};
