//! Reinforcement learning whose agents learn by exact Gauss-Newton updates, and whose users swap
//! that optimizer for Adam with one flag.
//!
//! This package is the program `egn`. The mathematics is in `egn-solver`, the environments in
//! `egn-envs`, the algorithms in `egn-agents`, and a training run, which is what a library user
//! wants, in `egn-train`.
//!
//! | folder | what it holds |
//! |---|---|
//! | [`cli`], [`values`], [`commands`] | what a person types, and what comes of it |
//! | [`compare`] | many runs side by side, and published ones |
//! | [`progress`] | where a run stands, on the screen |
//! | [`analysis`] | seeds of one kind, and what they say together |
//! | [`pictures`] | charts, films, and a page for a browser |

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
mod digits;
mod exit_code;
pub mod pictures;
pub mod progress;
mod usage;
pub mod values;
