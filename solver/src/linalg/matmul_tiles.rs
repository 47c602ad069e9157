//! The matrix product in register tiles: every lane holds one entry of the result and adds along
//! the inner dimension, in order.
//!
//! *Design.* The result is cut into panels of two vectors of columns and these into tiles of
//! eight rows (six where there are sixteen registers), whose sums stay in registers while the
//! tile runs along a block of the inner dimension; between blocks they rest in the result. `lhs`
//! is read where it lies, a broadcast at a time. The panel of `rhs` is copied out where its rows
//! do not lie in order, where it is not a whole number of vectors wide, or where it is used so
//! often that the copy pays.

use pulp::{Simd, WithSimd};

use crate::linalg::{
    lanes::Lanes,
    matrix::{Matrix, Start},
};

/// Vectors in a row of a panel.
const WIDTH: usize = 2;
/// Most entries in a row of a panel: two vectors of AVX-512.
const MOST_COLUMNS: usize = 32;
/// Rows of a panel, so that the panel stays in the first cache.
const DEPTH: usize = 256;
/// Rows of the result from which a panel is used so often that it is copied.
const MANY_ROWS: usize = 16;
/// Entries of `rhs` up to which it stays in the cache as it is, and no panel of it is copied.
const SMALL: usize = 4096;

/// `dst ← start + lhs · rhs`, with row-major `dst`, for an inner dimension that is not empty.
pub(crate) struct Product<'a, T> {
    pub dst: &'a mut [T],
    pub start: Start<'a, T>,
    pub lhs: Matrix<'a, T>,
    pub rhs: Matrix<'a, T>,
    pub panel: &'a mut Vec<T>,
}

impl<T: Lanes> WithSimd for Product<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { dst, start, lhs, rhs, panel: storage } = self;
        let (m, n, k) = (lhs.n_rows(), rhs.n_columns(), lhs.n_columns());
        let lanes = T::lanes::<S>();
        storage.resize(DEPTH * MOST_COLUMNS, T::default());
        for column in (0..n).step_by(lanes * WIDTH) {
            let width = (n - column).min(lanes * WIDTH);
            let n_vectors = width.div_ceil(lanes);
            for first in (0..k).step_by(DEPTH) {
                let depth = DEPTH.min(k - first);
                let is_whole = rhs.column_stride() == 1 && width == n_vectors * lanes;
                let (panel, stride) = if is_whole && (m <= MANY_ROWS || n * depth <= SMALL) {
                    (&rhs.values()[first * rhs.row_stride() + column..], rhs.row_stride())
                } else {
                    let stride = n_vectors * lanes;
                    let panel = &mut storage[..depth * stride];
                    copy_panel::<S, T>(rhs, first, column, width, stride, panel);
                    (&*panel, stride)
                };
                let start = match start {
                    Start::Row(row) if first == 0 => Start::Row(&row[column..][..width]),
                    Start::Zero if first == 0 => Start::Zero,
                    Start::Zero | Start::Kept | Start::Row(_) => Start::Kept,
                };
                let block = Block { lhs, first, depth, panel, stride, start, n, column, width };
                match n_vectors {
                    1 => simd.vectorize(Panel::<T, 1> { block, dst }),
                    _ => simd.vectorize(Panel::<T, WIDTH> { block, dst }),
                }
            }
        }
    }
}

/// Rows copied together: a block that the compiler turns into vector stores.
const GROUP: usize = 8;

/// `panel` (depth, stride) ← `rhs` from row `first` and `column` on,
/// `width` columns and then zeros.
#[inline(always)]
fn copy_panel<S: Simd, T: Lanes>(
    rhs: Matrix<'_, T>,
    first: usize,
    column: usize,
    width: usize,
    stride: usize,
    panel: &mut [T],
) {
    let at = |j: usize| &rhs.values()[first * rhs.row_stride() + (column + j) * rhs.column_stride()..];
    if rhs.column_stride() == 1 {
        for (t, row) in panel.chunks_exact_mut(stride).enumerate() {
            copy_row::<S, T>(&at(0)[t * rhs.row_stride()..][..width], row);
        }
        return;
    }
    if width < stride {
        panel.chunks_exact_mut(stride).for_each(|row| row[width..].fill(T::default()));
    }
    let grouped = if rhs.row_stride() == 1 { width / GROUP * GROUP } else { 0 };
    let depth = panel.len() / stride;
    for j in (0..grouped).step_by(GROUP) {
        let columns: [&[T]; GROUP] = std::array::from_fn(|g| &at(j + g)[..depth]);
        for (t, row) in panel.chunks_exact_mut(stride).enumerate() {
            let entries = &mut row[j..][..GROUP];
            for g in 0..GROUP {
                entries[g] = columns[g][t];
            }
        }
    }
    for j in grouped..width {
        let column = at(j).iter().step_by(rhs.row_stride());
        panel.chunks_exact_mut(stride).zip(column).for_each(|(row, &x)| row[j] = x);
    }
}

/// `row` ← `from` and then zeros; vector by vector, for a call of `memcpy` costs more.
#[inline(always)]
fn copy_row<S: Simd, T: Lanes>(from: &[T], row: &mut [T]) {
    let whole = T::vectors::<S>(from);
    T::vectors_mut::<S>(row).iter_mut().zip(whole).for_each(|(to, &from)| *to = from);
    for (j, to) in row.iter_mut().enumerate().skip(whole.len() * T::lanes::<S>()) {
        *to = from.get(j).copied().unwrap_or_default();
    }
}

/// A panel of `rhs` and what is multiplied with it.
#[derive(Clone, Copy)]
struct Block<'a, T> {
    lhs: Matrix<'a, T>,
    /// First row of `rhs`, and the number of rows.
    first: usize,
    depth: usize,
    panel: &'a [T],
    /// Entries from one row of the panel to the next.
    stride: usize,
    start: Start<'a, T>,
    /// Columns of the result, the first of the panel, and how many there are.
    n: usize,
    column: usize,
    width: usize,
}

/// All rows of the result, in the columns of a panel of V vectors.
struct Panel<'a, 'b, T, const V: usize> {
    block: Block<'a, T>,
    dst: &'b mut [T],
}

impl<T: Lanes, const V: usize> WithSimd for Panel<'_, '_, T, V> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { block, dst } = self;
        let m = block.lhs.n_rows();
        let height = if S::REGISTER_COUNT >= 32 { 8 } else { 6 };
        let mut row = 0;
        while row < m {
            match (m - row).min(height) {
                1 => simd.vectorize(Tile::<T, 1, V> { block, dst, row }),
                2 => simd.vectorize(Tile::<T, 2, V> { block, dst, row }),
                3 => simd.vectorize(Tile::<T, 3, V> { block, dst, row }),
                4 => simd.vectorize(Tile::<T, 4, V> { block, dst, row }),
                5 => simd.vectorize(Tile::<T, 5, V> { block, dst, row }),
                6 => simd.vectorize(Tile::<T, 6, V> { block, dst, row }),
                7 => simd.vectorize(Tile::<T, 7, V> { block, dst, row }),
                _ => simd.vectorize(Tile::<T, 8, V> { block, dst, row }),
            }
            row += height;
        }
    }
}

/// R rows of the result from `row` on, in the columns of a panel of V vectors.
struct Tile<'a, 'b, T, const R: usize, const V: usize> {
    block: Block<'a, T>,
    dst: &'b mut [T],
    row: usize,
}

impl<T: Lanes, const R: usize, const V: usize> WithSimd for Tile<'_, '_, T, R, V> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { block: Block { lhs, first, depth, panel, stride, start, n, column, width }, dst, row } = self;
        let lanes = T::lanes::<S>();
        let mut edge = [T::default(); MOST_COLUMNS];
        let mut sums = match start {
            Start::Zero => [[T::splat(simd, T::default()); V]; R],
            Start::Row(from) => [load::<S, T, V>(from, &mut edge); R],
            Start::Kept => std::array::from_fn(|i| load::<S, T, V>(&dst[(row + i) * n + column..][..width], &mut edge)),
        };

        let (row_step, depth_step) = (lhs.row_stride(), lhs.column_stride());
        let lhs = &lhs.values()[row * row_step + first * depth_step..];
        assert!((R - 1) * row_step + (depth - 1) * depth_step < lhs.len());
        assert!((depth - 1) * stride + V * lanes <= panel.len());
        for t in 0..depth {
            // SAFETY: t < depth and i < R, so that both assertions above bound what is read.
            unsafe {
                let columns = T::vectors::<S>(panel.get_unchecked(t * stride..t * stride + V * lanes));
                for (i, sums) in sums.iter_mut().enumerate() {
                    let x = T::splat(simd, *lhs.get_unchecked(i * row_step + t * depth_step));
                    for (sum, &column) in sums.iter_mut().zip(columns) {
                        *sum = T::mul_add(simd, x, column, *sum);
                    }
                }
            }
        }

        for (i, sums) in sums.iter().enumerate() {
            let to = &mut dst[(row + i) * n + column..][..width];
            if width == V * lanes {
                T::vectors_mut::<S>(to).copy_from_slice(sums);
            } else {
                T::vectors_mut::<S>(&mut edge)[..V].copy_from_slice(sums);
                to.copy_from_slice(&edge[..width]);
            }
        }
    }
}

/// V vectors from a slice that may end within the last; `edge` has what follows.
#[inline(always)]
fn load<S: Simd, T: Lanes, const V: usize>(from: &[T], edge: &mut [T; MOST_COLUMNS]) -> [T::Vector<S>; V] {
    let whole = T::vectors::<S>(from);
    if whole.len() == V {
        return std::array::from_fn(|v| whole[v]);
    }
    edge[..from.len()].copy_from_slice(from);
    let vectors = T::vectors::<S>(edge);
    std::array::from_fn(|v| vectors[v])
}
