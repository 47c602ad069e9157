//! The solver beside independent truths: golden data, dense solves, automatic differentiation.
// Helpers of tests may panic like tests.
#![allow(clippy::unwrap_used)]

mod autograd;
mod exactness;
mod first_order;
mod fit;
mod golden;
mod kinds;
mod layered;
mod layers;
mod losses;
mod recorded;
mod reports;
mod robustness;
mod setting;
mod toy_problems;
mod trajectories;
