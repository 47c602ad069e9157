//! The program as a person meets it.
// Helpers of tests may panic like tests.
#![allow(clippy::unwrap_used)]

mod cli;
mod columns;
mod command_line;
mod comparisons;
mod export;
mod faults;
#[cfg(unix)]
#[cfg(unix)]
mod gymnasium_host;
mod gymnasium_run;
mod imports;
mod mujoco;
mod onnx;
mod settings;
