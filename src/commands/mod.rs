//! What each subcommand does, on top of the library.

mod bench_step;
mod compare;
mod complaint;
mod ctrl_c;
pub mod dispatch;
mod evaluate;
mod export;
pub mod list;
mod open_policy;
mod out_file;
mod plot;
mod report;
mod scratch;
mod settings;
mod train;
mod verify;
mod verify_published;

pub use crate::usage::Usage;
pub use dispatch::execute;
