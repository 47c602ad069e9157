//! Many runs side by side, and published ones.

pub mod error;
pub mod plan;
pub mod processes;
pub mod published;
pub mod writable;

pub use error::CompareError;
pub use plan::{Fate, Planned};
pub use processes::{Jobs, make_runs};
pub use writable::check_writable;
