//! How much of a batch a damped step fits, and whether that is too much.
//!
//! The row system is a ridge regression of ρ on the n rows of X = SᵀJ: with A = XXᵀ + bλI, the step
//! explains ρ but for bλA⁻¹ρ. Two numbers, both in [0, 1], say how λ stands to the data:
//!
//! ```text
//! share   tr(XXᵀA⁻¹)/n           how many of its n rows the step believes, of n
//! misfit  bλ‖A⁻¹ρ‖² / ρᵀA⁻¹ρ     how large what is left is, against noise of the model's size
//! ```
//!
//! Model: ρ = −Xd + noise, d ~ N(0, s²I), noise ~ N(0, σ²I), bλ = σ²/s². With σ² at its best, minus
//! twice the log evidence is n log(ρᵀA⁻¹ρ) + log det A; its slope in log λ is n·(1 − share −
//! misfit). So the evidence asks for more damping while misfit > 1 − share.
//!
//! Source: MacKay (1992), "Bayesian interpolation", Neural Computation 4; the trace by one probe of
//! random signs: Hutchinson (1990).

use crate::split_mix::mixed;

/// How much of a batch a damped step fits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fit {
    /// tr(XXᵀA⁻¹)/n, in [0, 1], estimated by one probe.
    pub share: f64,
    /// bλ‖A⁻¹ρ‖² / ρᵀA⁻¹ρ, in [0, 1].
    pub misfit: f64,
}

impl Fit {
    /// The fit of ρ (n) of which `unfitted` = bλA⁻¹ρ is left; `inverse_form` is zᵀA⁻¹z of random
    /// signs z, as many as the system has `unknowns`, on either side, and `shift` is bλ.
    pub(crate) fn of(rho: &[f64], unfitted: &[f64], inverse_form: f64, shift: f64, unknowns: usize) -> Self {
        let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let squares = product(unfitted, unfitted);
        // XᵀX and XXᵀ have the same nonzero eigenvalues, and so the same trace of the fitted part.
        let fitted_rows = unknowns as f64 - shift * inverse_form;
        Self {
            share: (fitted_rows / rho.len() as f64).clamp(0.0, 1.0),
            misfit: if squares == 0.0 { 0.0 } else { (squares / product(rho, unfitted)).clamp(0.0, 1.0) },
        }
    }
}

/// n random signs.
pub(crate) fn random_signs(seed: u64, n: usize) -> impl Iterator<Item = f64> {
    (0..n as u64).map(move |i| if mixed(seed, i) & 1 == 0 { 1.0 } else { -1.0 })
}
