//! What an optimizer may ask of the thing it minimises.
//!
//! *Design.* A first-order method asks for a gradient, a Gauss-Newton method for a linearisation;
//! neither pays for the other. The parameters are one slice that the optimizer changes in
//! place, where they stay once its step is known to be good; those of trials are taken back.

use crate::{
    error::SolverError,
    linalg::{params::Block, real::Real},
};

/// Loss and size of a batch at the parameters it was linearised at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Linearization {
    /// L = (1/b) Σ ℓᵢ.
    pub loss: f64,
    /// Samples, b.
    pub batch: usize,
}

/// A loss as a function of a flat parameter vector θ (p).
pub trait Problem<T: Real> {
    /// θ, (p); what was evaluated before it is changed does not hold after.
    fn params(&mut self) -> &mut [T];

    /// Number of parameters, p.
    fn n_params(&self) -> usize;

    /// Which part of θ is which matrix or vector, in order, without gaps: for rules that are not entry by
    /// entry. One vector unless the problem knows better.
    fn blocks(&self) -> Vec<Block> {
        vec![Block { range: 0..self.n_params(), shape: [1, self.n_params()] }]
    }

    /// The loss, and its gradient g (p).
    ///
    /// # Errors
    /// When the loss is not finite or the batch is empty.
    fn gradient(&mut self, gradient: &mut [T]) -> Result<f64, SolverError>;

    /// Linearises at θ: fills ρ (b·k) and prepares [`Problem::gram`] and [`Problem::pull_back`].
    ///
    /// # Errors
    /// As [`Problem::gradient`].
    fn linearize(&mut self, rho: &mut Vec<f64>) -> Result<Linearization, SolverError>;

    /// Whether g = JᵀSρ/b. Where it is not, ρ means nothing and only [`Problem::gradient`] has g.
    fn spans_residual(&self) -> bool {
        true
    }

    /// Lower triangle of SᵀKS, (b·k, b·k) column-major, at the last linearisation. Every entry of
    /// it is to be written: `gram` comes with anything in it.
    fn gram(&mut self, gram: &mut [f64]);

    /// Jᵀ S v into `result` (p), at the last linearisation.
    fn pull_back(&mut self, v: &[f64], result: &mut [T]);

    /// Sᵀ J t into `result` (b·k), at the last linearisation, for a `tangent` t (p).
    fn push_forward(&mut self, tangent: &[T], result: &mut Vec<f64>);

    /// The loss alone, which may be NaN; the last linearisation is lost.
    fn loss(&mut self) -> f64;
}
