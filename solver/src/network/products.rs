//! Products of the inputs, which make a linear layer after them a quadratic form.

use crate::{
    linalg::real::Real,
    network::layer_pass::{At, LayerPass, Trace, Workspace},
};

/// The layer from x (n) to the products of a symmetric form, in the order of its upper triangle by
/// rows: xᵢ² on the diagonal, 2 xᵢ xⱼ beside it, so that their inner product with the triangle of H
/// is xᵀHx.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Products {
    /// Number of inputs, n.
    pub n_inputs: usize,
}

impl Products {
    /// Number of products, n(n + 1)/2.
    pub fn n_outputs(&self) -> usize {
        self.n_inputs * (self.n_inputs + 1) / 2
    }

    /// The pair (i, j) of every product, i ≤ j.
    pub fn pairs(&self) -> impl Iterator<Item = (usize, usize)> {
        let n = self.n_inputs;
        (0..n).flat_map(move |i| (i..n).map(move |j| (i, j)))
    }

    /// Writes the products of `inputs` (b, n) to `outputs` (b, n(n + 1)/2), in place of what it
    /// held.
    pub fn apply<T: Real>(&self, inputs: &[T], outputs: &mut Vec<T>) {
        outputs.resize(inputs.len() / self.n_inputs * self.n_outputs(), T::zero());
        self.bilinear(inputs, inputs, outputs);
    }

    /// ½(xᵢyⱼ + xⱼyᵢ) on the diagonal, twice that beside it.
    fn bilinear<T: Real>(&self, x: &[T], y: &[T], outputs: &mut [T]) {
        let n = self.n_inputs;
        let rows = x.chunks_exact(n).zip(y.chunks_exact(n)).zip(outputs.chunks_exact_mut(self.n_outputs()));
        for ((x, y), outputs) in rows {
            for ((i, j), output) in self.pairs().zip(outputs) {
                *output = if i == j { x[i] * y[i] } else { x[i] * y[j] + x[j] * y[i] };
            }
        }
    }
}

impl<T: Real> LayerPass<T> for Products {
    fn forward(&self, _: &[T], inputs: &[T], outputs: &mut [T], _: &mut Trace<T>, _: &mut Workspace<T>) {
        self.bilinear(inputs, inputs, outputs);
    }

    /// Rows at the products (b·k, n(n + 1)/2) to rows at x (b·k, n).
    fn carry(&self, at: At<'_, T>, into: &mut Vec<T>, _: &mut Workspace<T>) {
        let (n, n_outputs, rows) = (self.n_inputs, self.n_outputs(), &at.trace.rows);
        into.clear();
        into.resize(rows.len() / n_outputs * n, T::zero());
        let k = into.len() / at.inputs.len();
        for (row, (into, products)) in into.chunks_exact_mut(n).zip(rows.chunks_exact(n_outputs)).enumerate() {
            let x = &at.inputs[row / k * n..][..n];
            for ((i, j), &d) in self.pairs().zip(products) {
                // Twice over for xᵢ², once each for 2xᵢxⱼ, which is 2d on either side.
                into[i] += (d + d) * x[j];
                if i != j {
                    into[j] += (d + d) * x[i];
                }
            }
        }
    }

    /// xᵢtⱼ + xⱼtᵢ, twice the symmetric bilinear form.
    fn push(&self, at: At<'_, T>, _: &[T], incoming: Option<&[T]>, outgoing: &mut [T], _: &mut Workspace<T>) {
        if let Some(incoming) = incoming {
            self.bilinear(at.inputs, incoming, outgoing);
            outgoing.iter_mut().for_each(|x| *x += *x);
        }
    }
}
