//! The Gram matrix of a network's Jacobian, from the two factors of every dense layer.
//!
//! The plain form, for any number type; [`crate::linalg::gram_tiles`] is the fast one.
//!
//! *Design.* Only the lower triangle is computed, block by block, so that both factors of a block
//! are still in the first cache when their entrywise product is added. Factors are products in the
//! network's own type; the sum over layers is f64.

use crate::linalg::{
    matmul::matmul,
    matrix::{Matrix, Start},
    number::Number,
    vectors::vectorized,
};

/// Samples in a block, before a sample's k rows: a 64 × 64 block of f32 is 16 KiB.
const BLOCK_ROWS: usize = 64;

/// One layer's factors of the Jacobian: inputs A (b, n_in) and rows D (b·k, n_out), sample-major.
#[derive(Clone, Copy)]
pub struct Factors<'a, T> {
    pub(crate) inputs: Matrix<'a, T>,
    pub(crate) rows: Matrix<'a, T>,
}

impl<'a, T: Number> Factors<'a, T> {
    /// A Jacobian that is written out, (b·k, columns): without inputs A Aᵀ is zero, and
    /// D alone is the Jacobian.
    pub(crate) fn of_jacobian(jacobian: &'a [T], batch: usize, n_rows: usize) -> Self {
        Self { inputs: Matrix::new(&[], batch, 0), rows: Matrix::new(jacobian, n_rows, jacobian.len() / n_rows) }
    }
}

/// Writes the lower triangle of Σ (A Aᵀ + 1) ∘ (D Dᵀ); see [`Real::gram`].
pub(crate) fn gram_plain<T: Number>(layers: &[Factors<'_, T>], k: usize, gram: &mut [f64]) {
    gram.fill(0.0);
    let (mut input_gram, mut row_gram, mut panel) = (Vec::new(), Vec::new(), Vec::new());
    for &layer in layers {
        add_layer(layer, k, [&mut input_gram, &mut row_gram, &mut panel], gram);
    }
}

fn add_layer<T: Number>(
    Factors { inputs, rows }: Factors<'_, T>,
    k: usize,
    [input_gram, row_gram, panel]: [&mut Vec<T>; 3],
    gram: &mut [f64],
) {
    let (b, n) = (inputs.n_rows(), rows.n_rows());
    let block = (BLOCK_ROWS / k).max(1);
    let starts = || (0..b).step_by(block);
    for first in starts() {
        let i = first..(first + block).min(b);
        for second in starts().take_while(|&start| start <= first) {
            let j = second..(second + block).min(b);
            // Transposed, (j, i): a column of the result is then contiguous.
            input_gram.resize(i.len() * j.len(), T::zero());
            row_gram.resize(i.len() * j.len() * k * k, T::zero());
            let inputs = |samples: &std::ops::Range<usize>| inputs.slice_rows(samples.clone());
            matmul(input_gram, Start::Zero, inputs(&j), inputs(&i).transposed(), panel);
            let row_block = |samples: &std::ops::Range<usize>| rows.slice_rows(samples.start * k..samples.end * k);
            matmul(row_gram, Start::Zero, row_block(&j), row_block(&i).transposed(), panel);
            vectorized(
                #[inline(always)]
                || {
                    for (column, products) in row_gram.chunks_exact(i.len() * k).enumerate() {
                        let inner = &input_gram[column / k * i.len()..][..i.len()];
                        let column = j.start * k + column;
                        let sums = &mut gram[column * n + i.start * k..][..i.len() * k];
                        add_column(inner, products, k, sums);
                    }
                },
            );
        }
    }
}

/// One column of a block: sums += (inner + 1) ∘ products, `inner` repeated k times.
#[inline(always)]
fn add_column<T: Number>(inner: &[T], products: &[T], k: usize, sums: &mut [f64]) {
    if k == 1 {
        for ((sum, &product), &a) in sums.iter_mut().zip(products).zip(inner) {
            *sum += ((a + T::one()) * product).to_f64();
        }
        return;
    }
    for ((sums, products), &a) in sums.chunks_exact_mut(k).zip(products.chunks_exact(k)).zip(inner) {
        for (sum, &product) in sums.iter_mut().zip(products) {
            *sum += ((a + T::one()) * product).to_f64();
        }
    }
}
