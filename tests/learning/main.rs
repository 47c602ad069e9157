//! Every agent with every optimizer learns the smallest tasks that can fail.
//!
//! Each setting here was counted: with it 20 of the seeds 0 to 19 pass, unless its line says how
//! many do. The tests themselves train seed 0 of each. `scripts/count_learning.sh` counts again.
// Helpers of tests may panic like tests.
#![allow(clippy::unwrap_used)]

mod corridor;
mod line;
mod naming;
mod scalar_lqr;
mod training;
