//! The f32 kernel of the Gram matrix: register tiles of both factors, lower triangle only.
//!
//! *Design.* Every factor is packed once, transposed, into panels of `WIDTH` vectors of rows, so
//! that the inner loop is two loads, eight broadcasts and sixteen fused multiply-adds. A block of
//! the result (one panel by another) gathers all layers in f64 before it is written, once. Blocks
//! above the diagonal are never computed; a block on it is computed whole. A lane holds one entry
//! and adds along the factors' columns in order, so that the height of a panel, which is the
//! machine's, changes no digit.

use pulp::{Simd, WithSimd};

use crate::linalg::{gram::Factors, matrix::Matrix, vectors::token};

/// Vectors of rows in a tile.
const WIDTH: usize = 2;
/// Columns in a tile.
const COLUMNS: usize = 8;
/// Most rows in a panel: two vectors of AVX-512.
const MOST_ROWS: usize = 32;

/// Every layer's factors in panels: storage of a Gram matrix, kept from step to step.
#[derive(Debug, Default)]
pub struct GramPanels {
    /// Inputs A of every layer.
    inputs: Vec<Vec<f32>>,
    /// Rows D of every layer.
    rows: Vec<Vec<f32>>,
    /// A Aᵀ, where a sample has several rows.
    inner: Vec<Vec<f32>>,
}

/// Writes the lower triangle of Σ (A Aᵀ + 1) ∘ (D Dᵀ); see [`crate::Real::gram`].
pub(crate) fn gram_f32(layers: &[Factors<'_, f32>], k: usize, gram: &mut [f64], panels: &mut GramPanels) {
    token().run(Kernel { layers, k, panels, gram });
}

struct Kernel<'a> {
    layers: &'a [Factors<'a, f32>],
    k: usize,
    panels: &'a mut GramPanels,
    gram: &'a mut [f64],
}

impl WithSimd for Kernel<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { layers, k, panels, gram } = self;
        let height = WIDTH * S::F32_LANES;
        assert!(height.is_multiple_of(COLUMNS), "vectors of {} numbers", S::F32_LANES);
        let n = layers[0].rows.n_rows();
        let GramPanels { inputs, rows, inner } = panels;
        for buffer in [&mut *inputs, &mut *rows, &mut *inner] {
            // Another network may have more layers.
            buffer.resize_with(layers.len().max(buffer.len()), Vec::new);
        }
        for (l, layer) in layers.iter().enumerate() {
            pack(simd, layer.inputs, height, &mut inputs[l]);
            pack(simd, layer.rows, height, &mut rows[l]);
            if k > 1 {
                inner_products(simd, &inputs[l], layer.inputs, &mut inner[l]);
            }
        }

        let (mut left, mut right) = ([0.0; MOST_ROWS * COLUMNS], [0.0; MOST_ROWS * COLUMNS]);
        let (left, right) = (&mut left[..height * COLUMNS], &mut right[..height * COLUMNS]);
        let mut sums = [0.0; MOST_ROWS * MOST_ROWS];
        let (b, n_panels) = (layers[0].inputs.n_rows(), n.div_ceil(height));
        for (p, q) in (0..n_panels).flat_map(|p| (0..=p).map(move |q| (p, q))) {
            sums.fill(0.0);
            let n_columns = height.min(n - q * height);
            // Of the rows of panel p; those behind the last are zero.
            let samples: [usize; MOST_ROWS] = std::array::from_fn(|i| ((p * height + i) / k).min(b - 1));
            for (l, layer) in layers.iter().enumerate() {
                let (n_inputs, n_outputs) = (layer.inputs.n_columns(), layer.rows.n_columns());
                for column in (0..n_columns).step_by(COLUMNS) {
                    simd.vectorize(Product::new(&rows[l], n_outputs * height, p, q, column, right));
                    let sums = &mut sums[column * height..][..height * COLUMNS];
                    if k == 1 {
                        simd.vectorize(Product::new(&inputs[l], n_inputs * height, p, q, column, left));
                    } else {
                        let columns = (q * height + column..n).map(|column| column / k);
                        simd.vectorize(|| {
                            repeat(&inner[l], b.next_multiple_of(height), &samples[..height], columns, left)
                        });
                    }
                    simd.vectorize(|| add_product(left, right, sums));
                }
            }
            let n_rows = height.min(n - p * height);
            for (j, sums) in sums.chunks_exact(height).enumerate().take(n_columns) {
                gram[(q * height + j) * n + p * height..][..n_rows].copy_from_slice(&sums[..n_rows]);
            }
        }
    }
}

#[inline(always)]
fn add_product(left: &[f32], right: &[f32], sums: &mut [f64]) {
    for ((sum, a), d) in sums.iter_mut().zip(left).zip(right) {
        *sum += f64::from((a + 1.0) * d);
    }
}

/// A Aᵀ, (b, b) padded to whole panels; of columns right of a panel's block on the diagonal, none.
fn inner_products<S: Simd>(simd: S, panels: &[f32], inputs: Matrix<'_, f32>, inner: &mut Vec<f32>) {
    let (height, depth) = (WIDTH * S::F32_LANES, inputs.n_columns());
    let padded = inputs.n_rows().next_multiple_of(height);
    let mut tile = [0.0; MOST_ROWS * COLUMNS];
    let tile = &mut tile[..height * COLUMNS];
    inner.resize(padded * padded, 0.0);
    for p in 0..padded / height {
        for column in (0..(p + 1) * height).step_by(COLUMNS) {
            simd.vectorize(Product::new(panels, depth * height, p, column / height, column % height, tile));
            for (j, tile) in tile.chunks_exact(height).enumerate() {
                inner[(column + j) * padded + p * height..][..height].copy_from_slice(tile);
            }
        }
    }
}

/// A tile of A Aᵀ: the entries of `samples`, which are a panel's rows, in `columns`, of which a
/// tile takes the first.
#[inline(always)]
fn repeat(inner: &[f32], padded: usize, samples: &[usize], columns: impl Iterator<Item = usize>, tile: &mut [f32]) {
    let height = samples.len();
    let mut last = None;
    for (j, column) in columns.take(COLUMNS).enumerate() {
        if last == Some(column) {
            tile.copy_within((j - 1) * height..j * height, j * height);
            continue;
        }
        last = Some(column);
        let inner = &inner[column * padded..][..padded];
        for (x, &sample) in tile[j * height..][..height].iter_mut().zip(samples) {
            *x = inner[sample];
        }
    }
}

/// Row-major (rows, columns) to panels of `height` rows, each (columns, height), padded with zeros.
fn pack<S: Simd>(simd: S, matrix: Matrix<'_, f32>, height: usize, panels: &mut Vec<f32>) {
    let (n, columns) = (matrix.n_rows(), matrix.n_columns());
    panels.resize(n.next_multiple_of(height) * columns, 0.0);
    if columns == 0 {
        return;
    }
    for (p, panel) in panels.chunks_exact_mut(columns * height).enumerate() {
        let first = p * height;
        if n - first < height {
            panel.fill(0.0);
        }
        let rows = matrix.slice_rows(first..n.min(first + height)).values();
        simd.vectorize(|| transpose(rows, columns, height, panel));
    }
}

/// Rows packed together: a block that the compiler turns into vector stores.
const PACKED: usize = 8;

#[inline(always)]
fn transpose(rows: &[f32], columns: usize, height: usize, panel: &mut [f32]) {
    let mut groups = rows.chunks_exact(PACKED * columns);
    for (g, group) in groups.by_ref().enumerate() {
        for (t, entries) in panel.chunks_exact_mut(height).enumerate() {
            let entries = &mut entries[g * PACKED..][..PACKED];
            for i in 0..PACKED {
                entries[i] = group[i * columns + t];
            }
        }
    }
    let done = rows.len() / columns / PACKED * PACKED;
    for (i, row) in groups.remainder().chunks_exact(columns).enumerate() {
        for (entries, &x) in panel.chunks_exact_mut(height).zip(row) {
            entries[done + i] = x;
        }
    }
}

/// Inner products of a panel's rows with `COLUMNS` rows of another, from its row `offset` on.
///
/// A function of its own for the compiler's sake: inlined into the loops around it, the sums do not
/// stay in registers.
struct Product<'a> {
    panel: &'a [f32],
    other: &'a [f32],
    offset: usize,
    tile: &'a mut [f32],
}

impl<'a> Product<'a> {
    /// The product of panels `p` and `q`, each of `size` entries.
    fn new(panels: &'a [f32], size: usize, p: usize, q: usize, offset: usize, tile: &'a mut [f32]) -> Self {
        Self { panel: &panels[p * size..][..size], other: &panels[q * size..][..size], offset, tile }
    }
}

impl WithSimd for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { panel, other, offset, tile } = self;
        let (panel, _) = S::as_simd_f32s(panel);
        let (tile, _) = S::as_mut_simd_f32s(tile);
        if S::REGISTER_COUNT >= 2 * WIDTH * COLUMNS {
            inner_products_of::<S, COLUMNS>(simd, panel, other, offset, tile);
        } else {
            // As many sums as there are registers for.
            let (left, right) = tile.split_at_mut(WIDTH * COLUMNS / 2);
            inner_products_of::<S, { COLUMNS / 2 }>(simd, panel, other, offset, left);
            inner_products_of::<S, { COLUMNS / 2 }>(simd, panel, other, offset + COLUMNS / 2, right);
        }
    }
}

/// C columns of a tile.
#[inline(always)]
fn inner_products_of<S: Simd, const C: usize>(
    simd: S,
    panel: &[S::f32s],
    other: &[f32],
    offset: usize,
    tile: &mut [S::f32s],
) {
    let height = WIDTH * S::F32_LANES;
    let mut sums = [[simd.splat_f32s(0.0); WIDTH]; C];
    for t in 0..panel.len() / WIDTH {
        let rows = &panel[t * WIDTH..][..WIDTH];
        let columns = &other[t * height + offset..][..C];
        for j in 0..C {
            let column = simd.splat_f32s(columns[j]);
            for i in 0..WIDTH {
                sums[j][i] = simd.mul_add_f32s(rows[i], column, sums[j][i]);
            }
        }
    }
    for j in 0..C {
        tile[j * WIDTH..][..WIDTH].copy_from_slice(&sums[j]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linalg::{
        gram::gram_plain,
        vectors::{Token, Vectors},
    };

    #[test]
    fn tiles_equal_the_plain_product() {
        for (b, k, n_in, n_out) in [
            (1, 1, 1, 1),
            (5, 1, 3, 2),
            (33, 1, 64, 5),
            (70, 1, 8, 40),
            (9, 4, 7, 4),
            (40, 3, 2, 9),
            (40, 3, 0, 9),
            (7, 1, 0, 2),
        ] {
            let numbers = |n: usize, step: usize| -> Vec<f32> {
                (0..n).map(|i| ((i * step) % 101) as f32 / 50.0 - 1.0).collect()
            };
            let (inputs, rows) = (numbers(b * n_in, 37), numbers(b * k * n_out, 53));
            let factors = Factors { inputs: Matrix::new(&inputs, b, n_in), rows: Matrix::new(&rows, b * k, n_out) };
            let n = b * k;
            let (mut plain, mut fast) = (vec![0.5; n * n], vec![0.5; n * n]);
            gram_plain(&[factors, factors], k, &mut plain);
            // After another network, larger in everything, that had come to nothing.
            let lost = vec![f32::NAN; 300 * 50];
            let broken = Factors { inputs: Matrix::new(&lost[..100 * 50], 100, 50), rows: Matrix::new(&lost, 300, 50) };
            let mut panels = GramPanels::default();
            gram_f32(&[broken; 3], 3, &mut vec![0.0; 300 * 300], &mut panels);
            gram_f32(&[factors, factors], k, &mut fast, &mut panels);
            check(&plain, &fast, n);
            let lower = |gram: &[f64]| -> Vec<u64> {
                (0..n * n).filter(|at| at % n >= at / n).map(|at| gram[at].to_bits()).collect()
            };
            for token in Vectors::ALL.into_iter().filter_map(Token::new) {
                let mut other = vec![0.5; n * n];
                let layers = &[factors, factors];
                token.run(Kernel { layers, k, panels: &mut GramPanels::default(), gram: &mut other });
                assert_eq!(lower(&other), lower(&fast), "({b}, {k}, {n_in}, {n_out})");
            }
        }
    }

    fn check(plain: &[f64], fast: &[f64], n: usize) {
        let scale = plain.iter().fold(0.0_f64, |m, x| m.max(x.abs()));
        for j in 0..n {
            for i in j..n {
                let error = (plain[j * n + i] - fast[j * n + i]).abs();
                assert!(error <= 1e-6 * scale, "({i}, {j}) of {n}: {error:e} of {scale}");
            }
        }
    }
}
