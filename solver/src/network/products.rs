//! Products of the inputs, which make a linear layer after them a quadratic form.

use crate::linalg::real::Real;

/// From x (n) to the products of a symmetric form, in the order of its upper triangle by rows: xᵢ² on
/// the diagonal, 2 xᵢ xⱼ beside it, so that their inner product with the triangle of H is xᵀHx.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Products {
    /// n.
    pub n_inputs: usize,
}

impl Products {
    /// n(n + 1)/2.
    pub fn n_outputs(&self) -> usize {
        self.n_inputs * (self.n_inputs + 1) / 2
    }

    /// (i, j) of every product, i ≤ j.
    pub fn pairs(&self) -> impl Iterator<Item = (usize, usize)> {
        let n = self.n_inputs;
        (0..n).flat_map(move |i| (i..n).map(move |j| (i, j)))
    }

    /// (b, n) to (b, n(n + 1)/2), in place of what `outputs` held.
    pub fn apply<T: Real>(&self, inputs: &[T], outputs: &mut Vec<T>) {
        self.bilinear(inputs, inputs, outputs);
    }

    /// The change of the products per unit of a change of x: xᵢtⱼ + xⱼtᵢ, twice the symmetric bilinear
    /// form.
    pub(crate) fn push_forward<T: Real>(&self, inputs: &[T], tangents: &[T], outputs: &mut Vec<T>) {
        self.bilinear(inputs, tangents, outputs);
        outputs.iter_mut().for_each(|x| *x += *x);
    }

    /// ½(xᵢyⱼ + xⱼyᵢ) on the diagonal, twice that beside it.
    fn bilinear<T: Real>(&self, x: &[T], y: &[T], outputs: &mut Vec<T>) {
        outputs.clear();
        let n = self.n_inputs;
        for (x, y) in x.chunks_exact(n).zip(y.chunks_exact(n)) {
            let products = self.pairs().map(|(i, j)| if i == j { x[i] * y[i] } else { x[i] * y[j] + x[j] * y[i] });
            outputs.extend(products);
        }
    }

    /// Rows at the products (b·k, n(n + 1)/2) to rows at x (b·k, n), for inputs (b, n).
    pub(crate) fn carry<T: Real>(&self, inputs: &[T], rows: &[T], into: &mut Vec<T>) {
        let (n, n_outputs) = (self.n_inputs, self.n_outputs());
        into.clear();
        into.resize(rows.len() / n_outputs * n, T::zero());
        let k = into.len() / inputs.len();
        for (row, (into, products)) in into.chunks_exact_mut(n).zip(rows.chunks_exact(n_outputs)).enumerate() {
            let x = &inputs[row / k * n..][..n];
            for ((i, j), &d) in self.pairs().zip(products) {
                // Twice over for xᵢ², once each for 2xᵢxⱼ, which is 2d on either side.
                into[i] += (d + d) * x[j];
                if i != j {
                    into[j] += (d + d) * x[i];
                }
            }
        }
    }
}
