//! Environments that are stepped together, here or in a child process.

#[cfg(unix)]
mod child_group;
pub mod group;
pub mod registered;
