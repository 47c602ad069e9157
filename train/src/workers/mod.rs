//! Worker threads that step environments.
//!
//! ```text
//! trainer ── policy snapshot (Arc) ──► bounded channel ──► worker: act, step, for its own environments
//! trainer ◄─ segments, one a worker ── bounded channel ◄──
//! ```
//!
//! *Design.* Environments are acted for in groups of [`GROUP_SIZE`], whatever the number of
//! workers: matrix shapes, and so every rounding, are the same however the groups are spread over
//! threads. Each environment has its own random streams. Segments are put together in environment
//! order. Hence the same record for any number of workers. What a worker has is stepped in one go:
//! Gymnasium's environments are one child process a worker, and one round trip a step.

pub mod pool;
pub mod task;
mod worker_envs;

pub use pool::{Workers, n_cores};
pub use task::{Collected, Episode, GROUP_SIZE, Task, WorkerError};
