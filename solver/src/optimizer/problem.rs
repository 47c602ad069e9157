//! What an optimizer may ask of the thing it minimizes.
//!
//! *Design.* A first-order method asks for a gradient, a Gauss-Newton method for a linearization;
//! neither pays for the other. The parameters are one slice that the optimizer changes in
//! place, where they stay once its step is known to be good; those of trials are taken back.

use crate::{
    error::SolverError,
    linalg::{gram_tiles::GramPanels, params::Block, real::Real},
    loss::few_rows::FewRows,
};

/// A loss as a function of a flat parameter vector θ (p).
pub trait Problem<T: Real> {
    /// The parameters θ, (p); what was evaluated before a change of them does not hold after it.
    fn params(&mut self) -> &mut [T];

    /// Number of parameters, p.
    fn n_params(&self) -> usize;

    /// Which part of θ is which matrix or vector, in order, without gaps: for rules that are not
    /// entry by entry. One vector unless the problem knows better.
    fn blocks(&self) -> Vec<Block> {
        vec![Block { range: 0..self.n_params(), shape: [1, self.n_params()] }]
    }

    /// The loss, and its gradient g (p).
    ///
    /// # Errors
    /// When the loss is not finite or the batch is empty.
    fn gradient(&mut self, gradient: &mut [T]) -> Result<f64, SolverError>;

    /// Linearizes at θ, with few rows of every sample, where that is asked for and there are more.
    ///
    /// # Errors
    /// As [`Problem::gradient`], and when the loss has no curvature.
    fn linearize(&mut self, rows: Option<FewRows>) -> Result<&mut dyn Linearized<T>, SolverError>;

    /// The loss alone, which may be NaN.
    fn loss(&mut self) -> f64;
}

/// A problem linearized at θ: H = JᵀSSᵀJ/b, and g = JᵀSρ/b unless S does not span it.
///
/// It borrows the problem, so the parameters stand still while it is in use.
pub trait Linearized<T: Real> {
    /// L = (1/b) Σ ℓᵢ at θ.
    fn value(&self) -> f64;

    /// Samples in the batch, b.
    fn batch(&self) -> usize;

    /// Rows and columns of SᵀJ: b·k and p.
    fn shape(&self) -> [usize; 2];

    /// Rows that S has with all rows of every sample.
    fn all_rows(&self) -> usize {
        self.shape()[0]
    }

    /// ρ, (b·k).
    fn rho(&self) -> &[f64];

    /// The gradient g (p), where it is not JᵀSρ/b.
    fn separate_gradient(&self) -> Option<&[T]> {
        None
    }

    /// tᵀHt of a `tangent` t (p) with all rows of every sample, where few of them are kept.
    fn full_curvature(&mut self, _tangent: &[T]) -> Option<f64> {
        None
    }

    /// Writes the lower triangle of SᵀKS, (b·k, b·k) column-major. Every entry of it is to be
    /// written: `gram` comes with anything in it; `panels` is storage for whoever has a use for it.
    fn gram(&mut self, gram: &mut [f64], panels: &mut GramPanels);

    /// Writes Jᵀ S v into `result` (p).
    fn pull_back(&mut self, v: &[f64], result: &mut [T]);

    /// Writes Sᵀ J t into `result` (b·k), for a `tangent` t (p).
    fn push_forward(&mut self, tangent: &[T], result: &mut Vec<f64>);
}
