//! Reinforcement learning whose agents learn by exact Gauss-Newton updates, and whose users swap
//! that optimizer for Adam with one flag.
//!
//! This package is the program `egn` and the library behind it; the mathematics is in `egn-solver`,
//! the environments in `egn-envs`, the algorithms in `egn-agents`.
//!
//! | file | what it holds |
//! |---|---|
//! | [`config`] | settings, presets, and how they merge |
//! | [`workers`] | environments on threads |
//! | [`trainer`] | the loop: collect, learn, evaluate |
//! | [`run`] | one run from configuration to record |
//! | [`record`] | a run on disk |
//! | [`statistics`] | interquartile means and bootstrap intervals |
//! | [`chart`], [`table`] | records as pictures and as text |
//! | [`compare`] | many runs side by side |

pub mod cli;
pub mod commands;
pub mod config;
pub mod evaluation;
pub mod progress;
pub mod record;
pub mod resources;
pub mod run;
pub mod statistics;
mod suggest;
pub mod trainer;
pub mod workers;
