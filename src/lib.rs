//! Reinforcement learning whose agents learn by exact Gauss-Newton updates, and whose users swap
//! that optimizer for Adam with one flag.
//!
//! This package is the program `egn` and the library behind it; the mathematics is in `egn-solver`,
//! the environments in `egn-envs`, the algorithms in `egn-agents`.
//!
//! | file | what it holds |
//! |---|---|
//! | [`config`] | settings, presets, and how they merge |
//! | [`env_name`] | the environment that a configuration names |
//! | [`env_group`], `child_group` | environments stepped together, here or in a child process |
//! | [`workers`] | environments on threads |
//! | [`trainer`] | the loop: collect, learn, evaluate |
//! | [`tensorboard`], `protobuf` | the run as TensorBoard reads it |
//! | [`film`] | greedy episodes as pictures |
//! | [`memory`] | whether a run fits into the machine |
//! | [`run`] | one run from configuration to record |
//! | [`saved_policy`], [`onnx`] | the policy of a record, and for other programs |
//! | [`verify`], [`published`] | whether a record, or a published table, can be reproduced |
//! | [`record`] | a run on disk |
//! | [`statistics`], [`cohort`], [`learning_curve`] | seeds of one kind, and what they say together |
//! | [`chart`], [`table`], [`present`] | records as pictures and as text |
//! | [`report`] | records as one page for a browser |
//! | [`cli`], [`commands`] | what a person types |
//! | [`listing`] | what can be trained |
//! | [`compare`] | many runs side by side |

/// The examples of the environments' README are tests; one of them trains.
#[cfg(doctest)]
#[doc = include_str!("../envs/README.md")]
pub struct EnvsReadme;

/// The example of the agents' README is a test.
#[cfg(doctest)]
#[doc = include_str!("../agents/README.md")]
pub struct AgentsReadme;

pub mod chart;
#[cfg(unix)]
mod child_group;
pub mod cli;
pub mod cohort;
pub mod commands;
pub mod compare;
pub mod config;
pub mod env_group;
pub mod env_name;
pub mod evaluation;
pub mod film;
pub mod learning_curve;
pub mod listing;
pub mod memory;
pub mod onnx;
mod png_image;
pub mod present;
pub mod progress;
mod protobuf;
pub mod published;
pub mod record;
pub mod report;
pub mod resources;
pub mod run;
pub mod saved_policy;
pub mod statistics;
mod suggest;
pub mod table;
pub mod tensorboard;
pub mod trainer;
pub mod verify;
pub mod workers;
