//! Losses: a value, a residual and a square root of the curvature at the outputs of a network.

mod binary_cross_entropy;
mod chosen_distribution;
pub(crate) mod cross_entropy;
pub(crate) mod few_rows;
mod gaussian_policy;
#[allow(clippy::module_inception)] // The trait that the folder is named after.
pub(crate) mod loss;
mod policy_gradient;
mod quadratic_model;
mod quantile_huber;
pub(crate) mod root;
mod sampled;
pub(crate) mod squared_error;
mod weighted;

pub use binary_cross_entropy::BinaryCrossEntropy;
pub use chosen_distribution::ChosenDistribution;
pub use cross_entropy::{CrossEntropy, log_softmax};
pub use few_rows::FewRows;
pub use gaussian_policy::{GaussianPolicyGradient, gaussian_entropy, gaussian_kl, gaussian_log_prob};
pub use loss::{Loss, Outputs};
pub use policy_gradient::{CategoricalPolicyGradient, KlPenalty, PolicySample};
pub use quadratic_model::QuadraticModel;
pub use quantile_huber::QuantileHuber;
pub use root::Root;
pub use sampled::{Curvature, Sampled};
pub use squared_error::{ChosenAction, SquaredError};
pub use weighted::Weighted;
