//! Reinforcement learning whose agents learn by exact Gauss-Newton updates, and whose users swap
//! that optimizer for Adam with one flag.
//!
//! This package is the program `egn` and the library behind it; the mathematics is in `egn-solver`,
//! the environments in `egn-envs`, the algorithms in `egn-agents`.
//!
//! | folder | what it holds |
//! |---|---|
//! | [`config`] | settings, presets, and how they merge; the environment that they name |
//! | [`environments`] | environments stepped together, here or in a child process |
//! | [`workers`] | environments on threads |
//! | [`trainer`] | the loop: collect, learn, evaluate |
//! | [`record`] | a run on disk |
//! | [`run`] | one run from configuration to record, its policy, and whether it can be reproduced |
//! | [`formats`] | a run as TensorBoard reads it, a policy as ONNX |
//! | [`machine`] | whether a run fits into the machine, and what it takes of it |
//!
//! These know nothing of a terminal or of pictures, and will be a crate of their own. The program:
//!
//! | folder | what it holds |
//! |---|---|
//! | [`cli`], [`commands`] | what a person types, and what comes of it |
//! | [`compare`] | many runs side by side, and published ones |
//! | [`progress`] | where a run stands, on the screen |
//! | [`analysis`] | seeds of one kind, and what they say together |
//! | [`pictures`] | charts, films, and a page for a browser |
//!
//! The modules re-exported below stand where they stood before there were folders.

/// The example of the README is a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct MainReadme;

/// The examples of the environments' README are tests; one of them trains.
#[cfg(doctest)]
#[doc = include_str!("../envs/README.md")]
pub struct EnvsReadme;

/// The example of the agents' README is a test.
#[cfg(doctest)]
#[doc = include_str!("../agents/README.md")]
pub struct AgentsReadme;

pub mod analysis;
pub mod cli;
pub mod commands;
pub mod compare;
pub mod config;
pub mod environments;
mod exit_code;
pub mod formats;
pub mod machine;
pub mod pictures;
pub mod progress;
pub mod record;
pub mod run;
pub mod trainer;
mod usage;
pub mod workers;

pub use analysis::{cohort, learning_curve, statistics, table};
pub use commands::list as listing;
pub use compare::published;
pub use config::env_name;
pub use environments::group as env_group;
pub use formats::{onnx, tensorboard};
pub use machine::{memory, resources};
pub use pictures::{chart, film, present, report};
pub use run::{saved_policy, verify};
pub use trainer::evaluation;
