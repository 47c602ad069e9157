//! Optimizers: rules that change the parameters of a problem.

pub(crate) mod adam;
pub(crate) mod choice;
pub(crate) mod gauss_newton;
pub(crate) mod kron;
pub(crate) mod kron_factors;
pub(crate) mod lion;
pub(crate) mod muon;
#[allow(clippy::module_inception)] // The trait that the folder is named after.
pub(crate) mod optimizer;
pub(crate) mod parameters;
pub(crate) mod problem;
pub(crate) mod rms_prop;
pub mod schedule;
pub(crate) mod schedule_free;
pub(crate) mod settings;
pub(crate) mod sgd;
pub(crate) mod soap;
