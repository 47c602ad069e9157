//! The training loop: collect, learn, evaluate.
//!
//! ```text
//! policy n ──► workers ──► rollout n ──► agent.learn ──► policy n+1 ──► …
//! ```
//!
//! With `run.overlap` the workers collect rollout n + 1 with policy n while the agent learns from
//! rollout n: the policy that acts is exactly one rollout behind, whatever is the faster.
//!
//! A [`Callback`] sees every rollout and evaluation and may stop the run: the record is one, the
//! progress line another. Nothing here touches the disk. `agents/README.md` has an agent of the
//! caller's own, trained here with a callback.

pub mod callback;
pub mod error;
pub mod evaluation;
pub mod setup;
pub mod trained;
pub(crate) mod training;

pub use callback::{Callback, Flow, RolloutEvent};
pub use error::TrainError;
pub use setup::{Interval, Trainer, build_agent};
pub use trained::Trained;
