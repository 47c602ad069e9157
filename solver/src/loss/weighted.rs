//! A weight for every sample of another loss.

use super::{
    few_rows::FewRows,
    loss::{Loss, Outputs},
    root::Root,
};

/// A loss weighted sample by sample, wᵢ ℓᵢ, as importance weights of prioritized replay are used: r
/// and Q are w times what they were, S and ρ are √w times. The mean is still over b samples.
#[derive(Clone, Copy)]
pub struct Weighted<'a> {
    /// The loss ℓ that is weighted.
    pub loss: &'a dyn Loss,
    /// w ≥ 0, (b).
    pub weights: &'a [f64],
}

impl Loss for Weighted<'_> {
    fn rows_per_sample(&self, outputs: &Outputs) -> usize {
        self.loss.rows_per_sample(outputs)
    }

    fn values(&self, outputs: &Outputs, values: &mut Vec<f64>) {
        assert_eq!(self.weights.len(), outputs.batch(), "weights of {} samples", outputs.batch());
        self.loss.values(outputs, values);
        values.iter_mut().zip(self.weights).for_each(|(value, w)| *value *= w);
    }

    fn residual(&self, outputs: &Outputs, residual: &mut Vec<f64>) -> f64 {
        self.loss.residual(outputs, residual);
        scale(residual, self.weights, |w| w);
        self.value(outputs)
    }

    fn root(&self, outputs: &Outputs, root: &mut Root) -> f64 {
        self.loss.root(outputs, root);
        scale(&mut root.rows, self.weights, f64::sqrt);
        scale(&mut root.rho, self.weights, f64::sqrt);
        self.value(outputs)
    }

    fn few_rows(&self, outputs: &Outputs, rows: FewRows, root: &mut Root) -> f64 {
        self.loss.few_rows(outputs, rows, root);
        scale(&mut root.rows, self.weights, f64::sqrt);
        scale(&mut root.rho, self.weights, f64::sqrt);
        self.value(outputs)
    }

    fn curvature_along(&self, outputs: &Outputs, change: &[f64]) -> f64 {
        let mut scaled = change.to_vec();
        scale(&mut scaled, self.weights, f64::sqrt);
        self.loss.curvature_along(outputs, &scaled)
    }

    fn spans_residual(&self) -> bool {
        self.loss.spans_residual()
    }
}

/// Multiplies every sample's equal share of `entries` by a function of its weight.
fn scale(entries: &mut [f64], weights: &[f64], factor: impl Fn(f64) -> f64) {
    let n = (entries.len() / weights.len().max(1)).max(1);
    for (entries, &weight) in entries.chunks_exact_mut(n).zip(weights) {
        entries.iter_mut().for_each(|x| *x *= factor(weight));
    }
}
