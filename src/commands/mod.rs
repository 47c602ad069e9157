//! What each subcommand does, on top of the library.

pub mod dispatch;
mod export;
pub mod list;
mod report;
mod verify;

pub use dispatch::{Usage, execute};
