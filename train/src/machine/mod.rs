//! What this machine has, and what of it a run takes.

pub mod memory;
pub mod resources;
