//! Optimizers: rules that change the parameters of a problem.

pub(crate) mod choice;
pub(crate) mod first_order;
pub(crate) mod gauss_newton;
#[allow(clippy::module_inception)] // The trait that the folder is named after.
pub(crate) mod optimizer;
pub(crate) mod parameters;
pub(crate) mod problem;
pub mod schedule;
pub(crate) mod settings;
