//! Normalization of the entries of one sample, with a learned scale and shift.
//!
//! | symbol | meaning | shape |
//! |---|---|---|
//! | X, X̂ | inputs, and inputs of mean 0 and variance 1 in each row | (b, n) |
//! | s | 1/√(variance + ε) of each sample | (b) |
//! | γ, β | scale and shift, the layer's parameters in this order | (n), (n) |
//! | Δ | rows at γ ∘ X̂ + β | (b·k, n) |
//!
//! *Design.* A layer acts on one sample alone, so rows stay rows: the Jacobian by γ is Δ ∘ X̂ and
//! by β it is Δ, which together add (Δ∘X̂)(Δ∘X̂)ᵀ + ΔΔᵀ to the Gram matrix. (Batch normalization
//! mixes the samples of a batch: a row of the Jacobian would depend on all of them, and nothing
//! that this crate computes from rows would be exact. There is none.)
//!
//! Source: Ba, Kiros, Hinton (2016), "Layer normalization", arXiv 1607.06450; ε and the variance,
//! which is the biased one, are PyTorch's `nn.LayerNorm`.

use std::ops::Range;

use crate::{
    linalg::{
        dot_products::{CHAINS, add_up},
        gram::Factors,
        real::Real,
        vectors::vectorized,
    },
    network::{
        activation::{Activation, activate},
        dense::weigh_rows,
        layer_pass::{At, LayerPass, Trace, Workspace},
    },
};

/// output = activation(γ ∘ x̂ + β), x̂ the inputs of a sample, less their mean and over their
/// deviation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LayerNorm {
    /// Entries of an input, and of an output.
    pub width: usize,
    /// Activation applied to the output.
    pub activation: Activation,
    /// Where the layer's parameters start in the flat vector: γ, then β.
    pub offset: usize,
}

impl LayerNorm {
    /// ε, added to the variance: PyTorch's default.
    pub const EPSILON: f64 = 1e-5;

    /// Where γ is in the flat parameter vector.
    pub fn scale(&self) -> Range<usize> {
        self.offset..self.offset + self.width
    }

    /// Where β is in the flat parameter vector.
    pub fn shift(&self) -> Range<usize> {
        let start = self.scale().end;
        start..start + self.width
    }

    /// A row u at x̂ (n) to one at x, s (u − mean u − x̂ mean(u ∘ x̂)): ∂x̂/∂x times u, which is
    /// symmetric and so carries tangents, too.
    #[inline(always)]
    fn center<T: Real>(normalized: &[T], inverse_deviation: T, u: &mut [T]) {
        let n = T::of(u.len() as f64);
        let mean = sum(u, u, |u, _| u) / n;
        let along = sum(u, normalized, |u, x| u * x) / n;
        u.iter_mut().zip(normalized).for_each(|(u, &x)| *u = inverse_deviation * ((*u - mean) - x * along));
    }
}

/// Σ f(aⱼ, bⱼ) in eight interleaved chains, as dot products are added up.
#[inline(always)]
fn sum<T: Real>(a: &[T], b: &[T], f: impl Fn(T, T) -> T) -> T {
    let mut chains = [T::zero(); CHAINS];
    for (a, b) in a.chunks(CHAINS).zip(b.chunks(CHAINS)) {
        for (chain, (&a, &b)) in chains.iter_mut().zip(a.iter().zip(b)) {
            *chain += f(a, b);
        }
    }
    add_up(chains)
}

impl<T: Real> LayerPass<T> for LayerNorm {
    fn forward(&self, params: &[T], inputs: &[T], outputs: &mut [T], trace: &mut Trace<T>, _: &mut Workspace<T>) {
        let (n, scale, shift) = (self.width, &params[self.scale()], &params[self.shift()]);
        let Trace { normalized, inverse_deviations, slopes, .. } = trace;
        normalized.resize(inputs.len(), T::zero());
        inverse_deviations.resize(inputs.len() / n, T::zero());
        let (width, epsilon) = (T::of(n as f64), T::of(Self::EPSILON));
        vectorized(
            #[inline(always)]
            || {
                let rows = inputs.chunks_exact(n).zip(normalized.chunks_exact_mut(n)).zip(outputs.chunks_exact_mut(n));
                for (((x, normalized), output), inverse) in rows.zip(inverse_deviations.iter_mut()) {
                    let mean = sum(x, x, |x, _| x) / width;
                    let variance = sum(x, x, |x, _| (x - mean) * (x - mean)) / width;
                    *inverse = T::one() / (variance + epsilon).sqrt();
                    for (normalized, &x) in normalized.iter_mut().zip(x) {
                        *normalized = (x - mean) * *inverse;
                    }
                    for (j, output) in output.iter_mut().enumerate() {
                        *output = scale[j] * normalized[j] + shift[j];
                    }
                }
            },
        );
        activate(self.activation, outputs, slopes);
    }

    fn carry(&self, at: At<'_, T>, into: &mut Vec<T>, _: &mut Workspace<T>) {
        let (n, scale) = (self.width, &at.params[self.scale()]);
        let Trace { rows, normalized, inverse_deviations, .. } = at.trace;
        into.clear();
        into.extend_from_slice(rows);
        let k = rows.len() / normalized.len();
        vectorized(
            #[inline(always)]
            || {
                let samples = normalized.chunks_exact(n).zip(inverse_deviations).zip(into.chunks_exact_mut(k * n));
                for ((normalized, &inverse), rows) in samples {
                    for row in rows.chunks_exact_mut(n) {
                        row.iter_mut().zip(scale).for_each(|(d, &gamma)| *d *= gamma);
                        Self::center(normalized, inverse, row);
                    }
                }
            },
        );
    }

    fn push(&self, at: At<'_, T>, tangent: &[T], incoming: Option<&[T]>, outgoing: &mut [T], _: &mut Workspace<T>) {
        let (n, scale) = (self.width, &at.params[self.scale()]);
        let (by_scale, by_shift) = (&tangent[self.scale()], &tangent[self.shift()]);
        let Trace { normalized, inverse_deviations, .. } = at.trace;
        if let Some(incoming) = incoming {
            outgoing.copy_from_slice(incoming);
        }
        vectorized(
            #[inline(always)]
            || {
                let samples = normalized.chunks_exact(n).zip(inverse_deviations).zip(outgoing.chunks_exact_mut(n));
                for ((normalized, &inverse), moved) in samples {
                    Self::center(normalized, inverse, moved);
                    for (j, moved) in moved.iter_mut().enumerate() {
                        *moved = scale[j] * *moved + (by_scale[j] * normalized[j] + by_shift[j]);
                    }
                }
            },
        );
    }

    fn pull_back(&self, _: &[T], trace: &Trace<T>, weights: &[f64], result: &mut [T], work: &mut Workspace<T>) {
        let n = self.width;
        work.weighted.resize(trace.normalized.len(), T::zero());
        weigh_rows(&trace.rows, weights, &mut work.weighted, n, &mut result[self.shift()]);
        let (by_scale, weighted) = (&mut result[self.scale()], &work.weighted);
        by_scale.fill(T::zero());
        vectorized(
            #[inline(always)]
            || {
                for (normalized, weighted) in trace.normalized.chunks_exact(n).zip(weighted.chunks_exact(n)) {
                    for (sum, (&x, &d)) in by_scale.iter_mut().zip(normalized.iter().zip(weighted)) {
                        *sum += x * d;
                    }
                }
            },
        );
    }

    /// Δ ∘ X̂ beside Δ, (b·k, 2n).
    fn factors<'a>(
        &self,
        _inputs: &'a [T],
        trace: &'a mut Trace<T>,
        batch: usize,
        _work: &mut Workspace<T>,
    ) -> Option<Factors<'a, T>> {
        let n = self.width;
        let Trace { rows, normalized, jacobian, .. } = trace;
        let k = rows.len() / normalized.len();
        jacobian.resize(2 * rows.len(), T::zero());
        vectorized(
            #[inline(always)]
            || {
                for (i, (jacobian, row)) in jacobian.chunks_exact_mut(2 * n).zip(rows.chunks_exact(n)).enumerate() {
                    let (by_scale, by_shift) = jacobian.split_at_mut(n);
                    let normalized = &normalized[i / k * n..][..n];
                    by_scale.iter_mut().zip(row.iter().zip(normalized)).for_each(|(j, (&d, &x))| *j = d * x);
                    by_shift.copy_from_slice(row);
                }
            },
        );
        Some(Factors::of_jacobian(jacobian, batch, rows.len() / n))
    }
}
