//! What can go wrong in a step. Every error leaves the parameters as they were.

use crate::setting::SettingError;

/// Why no step was taken, or a learner not made.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SolverError {
    /// The loss of the batch is NaN or infinite: inputs, targets or parameters are not finite.
    #[error(
        "no step: the loss of the batch of {batch} is {loss}; inputs, targets or outputs are not finite, or training \
         diverged"
    )]
    NonFiniteLoss {
        /// Loss of the batch.
        loss: f64,
        /// Samples in the batch.
        batch: usize,
    },
    /// The row system has no Cholesky factor.
    #[error(
        "no step: row system of {rows} rows not positive definite at row {row} \
         (damping {damping:e}, batch {batch}); raise the damping, or compute in f64"
    )]
    NotPositiveDefinite {
        /// Rows of the system, b·k.
        rows: usize,
        /// First row whose pivot is not positive.
        row: usize,
        /// Damping λ.
        damping: f64,
        /// Samples in the batch.
        batch: usize,
    },
    /// The step computed is NaN or infinite.
    #[error("no step: its length is {step_norm}{}", raise_damping(*damping))]
    NonFiniteStep {
        /// Norm ‖d‖ of the step.
        step_norm: f64,
        /// Damping λ, for an optimizer that has one.
        damping: Option<f64>,
    },
    /// Conjugate gradients met a direction along which the damped model does not curve upwards.
    #[error("no step: curvature {curvature:e} along a direction (damping {damping:e}); raise the damping")]
    NotConvex {
        /// Curvature tᵀ(H + λI)t along the direction t.
        curvature: f64,
        /// Damping λ.
        damping: f64,
    },
    /// The loss has no curvature for so few outputs: a softmax over one class is always 1.
    #[error("no step: the loss has no rows of curvature for a network of {n_outputs} output(s)")]
    NoCurvature {
        /// Outputs of the network.
        n_outputs: usize,
    },
    /// A setting of the optimizer is out of its range.
    #[error("optimizer: {0}")]
    Setting(#[from] SettingError),
    /// The parameters given belong to another network.
    #[error("{found} parameters for a network {network}, which has {expected}")]
    Parameters {
        /// The network, as text.
        network: String,
        /// Parameters that the network has.
        expected: usize,
        /// The parameters given.
        found: usize,
    },
    /// A batch without samples has no mean.
    #[error("no step: the batch is empty")]
    EmptyBatch,
    /// candle refused a tensor operation.
    #[error("tensor operation failed: {message}")]
    Tensor {
        /// What candle said.
        message: String,
    },
}

/// What helps against a step that is too long.
fn raise_damping(damping: Option<f64>) -> String {
    damping.map_or("; training diverged".to_owned(), |damping| format!(" (damping {damping:e}); raise the damping"))
}

impl From<candle_core::Error> for SolverError {
    fn from(error: candle_core::Error) -> Self {
        Self::Tensor { message: error.to_string() }
    }
}
