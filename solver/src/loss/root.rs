//! The square root of a loss's curvature.

/// The factors S and ρ of a loss: Q = S Sᵀ and r = S ρ.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Root {
    /// Rows of Sᵀ, (b·k, c), sample-major: what is propagated back through the network.
    pub rows: Vec<f64>,
    /// ρ with S ρ = r, (b·k); see [`crate::Loss::spans_residual`].
    pub rho: Vec<f64>,
}
