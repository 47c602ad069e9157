//! Losses: a value, a residual and a square root of the curvature at the outputs of a network.
//!
//! Every loss is a mean over samples, L = (1/b) Σ ℓᵢ(fᵢ). It declares the positive semi-definite Q
//! that stands for ∂²ℓ/∂f² in its documentation; Q = S Sᵀ and r = S ρ hold exactly, so that the
//! gradient is the same whichever way it is taken. ([`Sampled`](crate::loss::sampled::Sampled) is
//! the exception: its Q is random, and exact on the mean only.)
//! [`Weighted`](crate::loss::weighted::Weighted) gives any loss a weight for every sample.
//! Everything here is f64, whatever the network is.

use super::{few_rows::FewRows, root::Root};

/// Least log p under the square root of a curvature: e⁻⁸⁰ is far below rounding next to any other
/// entry of S, and its inverse root is still far from overflow.
pub(super) const LEAST_LOG_P: f64 = -80.0;

/// Outputs of a network for a batch: (b, c), row-major.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Outputs {
    /// All entries, sample after sample.
    pub values: Vec<f64>,
    /// Entries of one output, c.
    pub n_outputs: usize,
}

impl Outputs {
    /// Number of samples, b.
    pub fn batch(&self) -> usize {
        self.values.len() / self.n_outputs
    }

    /// The output of every sample in turn.
    pub fn rows(&self) -> std::slice::ChunksExact<'_, f64> {
        self.values.chunks_exact(self.n_outputs)
    }
}

/// The choice of a sample among n outputs, or groups of outputs.
///
/// # Panics
/// When there is no such output: it would be another sample's.
pub(super) fn chosen(sample: usize, choice: u32, n: usize) -> usize {
    let choice = choice as usize;
    assert!(choice < n, "choice {choice} of sample {sample} among {n}");
    choice
}

/// A loss that a network is trained on, as a function of the network's outputs for a batch.
///
/// # Panics
/// Every method of a loss whose labels, targets or weights are not as many as the batch's samples.
pub trait Loss {
    /// Rows of curvature that [`Loss::root`] has for one sample, k.
    fn rows_per_sample(&self, outputs: &Outputs) -> usize;

    /// ℓᵢ of every sample into `values`, (b).
    fn values(&self, outputs: &Outputs, values: &mut Vec<f64>);

    /// The loss of the batch, the mean of ℓᵢ over its samples.
    fn value(&self, outputs: &Outputs) -> f64 {
        let mut values = Vec::with_capacity(outputs.batch());
        self.values(outputs, &mut values);
        values.iter().sum::<f64>() / outputs.batch() as f64
    }

    /// The loss, and r = ∂ℓ/∂f of every sample into `residual`, (b, c).
    fn residual(&self, outputs: &Outputs, residual: &mut Vec<f64>) -> f64;

    /// The loss, and Sᵀ and ρ of every sample into `root`.
    fn root(&self, outputs: &Outputs, root: &mut Root) -> f64;

    /// The loss, and few rows of every sample into `root`, in place of all that [`Loss::root`] has;
    /// to be asked for only where there are more of them ([`Loss::rows_per_sample`]).
    fn few_rows(&self, outputs: &Outputs, rows: FewRows, root: &mut Root) -> f64 {
        let value = self.root(outputs, root);
        rows.turn(root, outputs.batch(), outputs.n_outputs);
        value
    }

    /// Σ tᵢᵀ Q tᵢ over the samples for a change t (b, c) of the outputs, with all rows.
    fn curvature_along(&self, outputs: &Outputs, change: &[f64]) -> f64 {
        let (mut root, c, k) = (Root::default(), outputs.n_outputs, self.rows_per_sample(outputs));
        self.root(outputs, &mut root);
        let along = |(row, s): (usize, &[f64])| s.iter().zip(&change[row / k * c..]).map(|(s, t)| s * t).sum::<f64>();
        root.rows.chunks_exact(c).enumerate().map(along).map(|x| x * x).sum()
    }

    /// Whether S ρ = r, which every exact curvature here fulfills. A random part of a curvature
    /// cannot; its ρ is then meaningless.
    fn spans_residual(&self) -> bool {
        true
    }
}
