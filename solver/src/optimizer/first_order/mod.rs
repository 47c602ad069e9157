//! Optimizers that see the gradient and nothing else of a problem, one a file.

pub(crate) mod adam;
pub(crate) mod kron;
pub(crate) mod kron_factors;
pub(crate) mod lion;
pub(crate) mod muon;
pub(crate) mod rms_prop;
pub(crate) mod schedule_free;
pub(crate) mod sgd;
pub(crate) mod soap;
