//! What records say together: cohorts of seeds, their statistics, curves and tables.

pub mod cohort;
pub mod learning_curve;
pub mod statistics;
pub mod table;
