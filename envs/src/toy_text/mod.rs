//! Gymnasium's toy-text tasks.

pub mod frozen_lake;
