//! The square root of a loss's curvature.

/// Square root of the curvature and what it leaves of the residual.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Root {
    /// Rows of Sᵀ, (b·k, c), sample-major: what is propagated back through the network.
    pub rows: Vec<f64>,
    /// ρ with S ρ = r, (b·k); see [`crate::Loss::spans_residual`].
    pub rho: Vec<f64>,
}
