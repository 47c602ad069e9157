//! The f64 kernel of the Cholesky solve: panels of rows, factored in register tiles.
//!
//! *Design.* L is kept in panels of `WIDTH` vectors of rows, column after column, so that every
//! inner loop reads memory in order. Panels are factored top to bottom, each tile of eight columns
//! by one sweep over the columns before it (the row-wise, left-looking order), whose sums stay in
//! registers; then the tile is solved against its diagonal block.
//!
//! A panel is one block of eight rows high with AVX2 and two with AVX-512. No sum depends on which:
//! in the factor a row's sums run along the columns, tile by tile; the triangular solves go from
//! block to block, and a panel of two blocks is gone through as two.

use pulp::{Simd, WithSimd};

/// Vectors of rows in a panel.
const WIDTH: usize = 2;
/// Columns in a tile, and rows in a block of the triangular solves.
const BLOCK: usize = 8;

/// Diagonal entry of the rows that fill up the last panel: never the smallest pivot.
const PADDING: f64 = f64::MAX;

/// Solves (M + shift·I) x = right side, in place, for a symmetric positive definite M given by its
/// lower triangle, (n, n) column-major, which is only read, and for one right side after another.
///
/// Answers the smallest squared pivot, or the first row whose pivot is not positive.
pub(crate) struct TiledCholesky<'a> {
    pub matrix: &'a [f64],
    pub n: usize,
    pub shift: f64,
    pub right: &'a mut [f64],
    pub storage: &'a mut Vec<f64>,
}

impl WithSimd for TiledCholesky<'_> {
    type Output = Result<f64, usize>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Self::Output {
        let Self { matrix, n, shift, right, storage } = self;
        let height = WIDTH * S::F64_LANES;
        assert!(height.is_multiple_of(BLOCK), "vectors of {} numbers", S::F64_LANES);
        let padded = n.next_multiple_of(height);
        storage.resize(padded * (padded + 2), 0.0);
        let (panels, vectors) = storage.split_at_mut(padded * padded);
        let (inverses, x) = vectors.split_at_mut(padded);
        pack(matrix, n, shift, height, panels);
        let smallest = factor(simd, height, padded, panels, inverses)?;
        for right in right.chunks_exact_mut(n.max(1)) {
            x[..n].copy_from_slice(right);
            x[n..].fill(0.0);
            for first in (0..padded).step_by(height) {
                simd.vectorize(Forward { panel: &panels[first * padded..], inverses, x, first });
            }
            for first in (0..padded).step_by(BLOCK).rev() {
                simd.vectorize(Backward { panels, inverses, x, first });
            }
            right.copy_from_slice(&x[..n]);
        }
        Ok(smallest)
    }
}

/// M + shift·I in panels; rows past the last have only `PADDING`.
#[inline(always)]
fn pack(matrix: &[f64], n: usize, shift: f64, height: usize, panels: &mut [f64]) {
    let padded = n.next_multiple_of(height);
    for (p, panel) in panels.chunks_exact_mut(height * padded).enumerate() {
        let first = p * height;
        let n_rows = height.min(n - first);
        for (j, column) in panel.chunks_exact_mut(height).enumerate().take(first + height) {
            if j < n && n_rows == height {
                // Of a length that the compiler knows.
                column.copy_from_slice(&matrix[j * n + first..][..height]);
            } else if j < n {
                column[..n_rows].copy_from_slice(&matrix[j * n + first..][..n_rows]);
                column[n_rows..].fill(0.0);
            } else {
                column.fill(0.0);
            }
            if j >= first {
                column[j - first] = if j < n { column[j - first] + shift } else { PADDING };
            }
        }
    }
}

/// L in place of the matrix, and the inverses of its diagonal.
#[inline(always)]
fn factor<S: Simd>(
    simd: S,
    height: usize,
    padded: usize,
    panels: &mut [f64],
    inverses: &mut [f64],
) -> Result<f64, usize> {
    let mut smallest = f64::INFINITY;
    for p in 0..padded / height {
        let (above, rest) = panels.split_at_mut(p * height * padded);
        let panel = &mut rest[..height * padded];
        for column in (0..(p + 1) * height).step_by(BLOCK) {
            let (done, tile) = panel.split_at_mut(column * height);
            let tile = &mut tile[..BLOCK * height];
            let (q, offset) = (column / height, column % height);
            if q < p {
                let other = &above[q * height * padded..][..(column + BLOCK) * height];
                let inverses = &inverses[column..column + BLOCK];
                simd.vectorize(Tile { done, other, offset, tile, inverses });
            } else {
                simd.vectorize(Tile { done, other: done, offset, tile, inverses: &[] });
                let inverses = &mut inverses[column..column + BLOCK];
                let factored = simd.vectorize(|| factor_diagonal(tile, height, offset, inverses));
                smallest = smallest.min(factored.map_err(|row| column + row)?);
            }
        }
    }
    Ok(smallest)
}

/// A tile less its inner products with the columns before it; then, below the diagonal (where
/// `inverses` are given), solved against the diagonal block, which follows them in `other`.
struct Tile<'a> {
    done: &'a [f64],
    other: &'a [f64],
    offset: usize,
    tile: &'a mut [f64],
    inverses: &'a [f64],
}

impl WithSimd for Tile<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { done, other, offset, tile, inverses } = self;
        let height = WIDTH * S::F64_LANES;
        let (done, _) = S::as_simd_f64s(done);
        let (tile, _) = S::as_mut_simd_f64s(tile);
        let n_done = done.len() / WIDTH;
        if S::REGISTER_COUNT >= 2 * WIDTH * BLOCK {
            subtract_products::<S, BLOCK>(simd, done, other, offset, tile);
        } else {
            // As many sums as there are registers for.
            let (left, right) = tile.split_at_mut(WIDTH * BLOCK / 2);
            subtract_products::<S, { BLOCK / 2 }>(simd, done, other, offset, left);
            subtract_products::<S, { BLOCK / 2 }>(simd, done, other, offset + BLOCK / 2, right);
        }
        if inverses.len() == BLOCK {
            for j in 0..BLOCK {
                let diagonal = &other[(n_done + j) * height + offset..][..BLOCK];
                let inverse = simd.splat_f64s(inverses[j]);
                let (known, later) = tile[j * WIDTH..].split_at_mut(WIDTH);
                known.iter_mut().for_each(|x| *x = simd.mul_f64s(*x, inverse));
                for (after, column) in later.chunks_exact_mut(WIDTH).enumerate() {
                    let below = simd.splat_f64s(-diagonal[j + 1 + after]);
                    for i in 0..WIDTH {
                        column[i] = simd.mul_add_f64s(known[i], below, column[i]);
                    }
                }
            }
        }
    }
}

/// C columns of a tile less their inner products with the columns before them.
#[inline(always)]
fn subtract_products<S: Simd, const C: usize>(
    simd: S,
    done: &[S::f64s],
    other: &[f64],
    offset: usize,
    tile: &mut [S::f64s],
) {
    let height = WIDTH * S::F64_LANES;
    let mut sums = [[simd.splat_f64s(0.0); WIDTH]; C];
    for t in 0..done.len() / WIDTH {
        let rows = &done[t * WIDTH..][..WIDTH];
        let columns = &other[t * height + offset..][..C];
        for j in 0..C {
            let column = simd.splat_f64s(columns[j]);
            for i in 0..WIDTH {
                sums[j][i] = simd.mul_add_f64s(rows[i], column, sums[j][i]);
            }
        }
    }
    for j in 0..C {
        for i in 0..WIDTH {
            tile[j * WIDTH + i] = simd.sub_f64s(tile[j * WIDTH + i], sums[j][i]);
        }
    }
}

/// Factors a tile whose diagonal starts at row `offset`: its smallest squared pivot, or the column
/// whose pivot is not positive.
#[inline(always)]
fn factor_diagonal(tile: &mut [f64], height: usize, offset: usize, inverses: &mut [f64]) -> Result<f64, usize> {
    let mut smallest = f64::INFINITY;
    for j in 0..BLOCK {
        let (column, later) = tile[j * height..].split_at_mut(height);
        let pivot = column[offset + j];
        if !(pivot > 0.0 && pivot.is_finite()) {
            return Err(j);
        }
        smallest = smallest.min(pivot);
        inverses[j] = 1.0 / pivot.sqrt();
        column.iter_mut().for_each(|x| *x *= inverses[j]);
        for (after, other) in later.chunks_exact_mut(height).enumerate() {
            // Fused, as in a tile below the diagonal: the rows of a panel's second
            // block are below it, too.
            let factor = -column[offset + j + 1 + after];
            other.iter_mut().zip(&*column).for_each(|(x, l)| *x = factor.mul_add(*l, *x));
        }
    }
    Ok(smallest)
}

/// One panel of L y = x, in place.
struct Forward<'a> {
    panel: &'a [f64],
    inverses: &'a [f64],
    x: &'a mut [f64],
    first: usize,
}

/// Chains of a sum in the forward solve, so that one does not wait for the other.
const CHAINS: usize = 4;

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { panel, inverses, x, first } = self;
        let height = WIDTH * S::F64_LANES;
        let (known, own) = x.split_at_mut(first);
        let own = &mut own[..height];
        let mut sums = [[simd.splat_f64s(0.0); WIDTH]; CHAINS];
        add_columns::<S>(simd, &panel[..first * height], known, &mut sums);
        for block in (0..height).step_by(BLOCK) {
            if block > 0 {
                // The columns of the block above.
                let (columns, known) = (&panel[(first + block - BLOCK) * height..], &own[block - BLOCK..block]);
                add_columns::<S>(simd, &columns[..BLOCK * height], known, &mut sums);
            }
            {
                let (own, _) = S::as_mut_simd_f64s(own);
                for sum in &sums {
                    for i in block / S::F64_LANES..(block + BLOCK) / S::F64_LANES {
                        own[i] = simd.sub_f64s(own[i], sum[i]);
                    }
                }
            }
            let own = &mut own[block..block + BLOCK];
            for r in 0..BLOCK {
                let column = &panel[(first + block + r) * height + block..][..BLOCK];
                let value = own[r] * inverses[first + block + r];
                own[r] = value;
                for below in r + 1..BLOCK {
                    own[below] -= column[below] * value;
                }
            }
        }
    }
}

/// Adds what columns of a panel, each times a known value, have in its rows: column t to chain t
/// mod `CHAINS`.
#[inline(always)]
fn add_columns<S: Simd>(simd: S, columns: &[f64], known: &[f64], sums: &mut [[S::f64s; WIDTH]; CHAINS]) {
    let (columns, _) = S::as_simd_f64s(columns);
    for (columns, known) in columns.chunks_exact(CHAINS * WIDTH).zip(known.chunks_exact(CHAINS)) {
        for s in 0..CHAINS {
            let factor = simd.splat_f64s(known[s]);
            for i in 0..WIDTH {
                sums[s][i] = simd.mul_add_f64s(columns[s * WIDTH + i], factor, sums[s][i]);
            }
        }
    }
}

/// One block of Lᵀ x = y, in place, with all blocks below it solved.
struct Backward<'a> {
    panels: &'a [f64],
    inverses: &'a [f64],
    x: &'a mut [f64],
    first: usize,
}

impl WithSimd for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { panels, inverses, x, first } = self;
        let below = if S::REGISTER_COUNT >= 32 {
            products_below::<S, BLOCK>(simd, panels, x, first, first)
        } else {
            let (left, right) = (first, first + BLOCK / 2);
            let halves = [left, right].map(|column| products_below::<S, { BLOCK / 2 }>(simd, panels, x, first, column));
            std::array::from_fn(|j| halves[j / (BLOCK / 2)][j % (BLOCK / 2)])
        };
        let (height, padded) = (WIDTH * S::F64_LANES, x.len());
        let (offset, panel) = (first % height, &panels[first / height * height * padded..]);
        let own = &mut x[first..first + BLOCK];
        for r in (0..BLOCK).rev() {
            let column = &panel[(first + r) * height + offset..][..BLOCK];
            let mut value = own[r] - add_up(below[r]);
            for below in r + 1..BLOCK {
                value -= column[below] * own[below];
            }
            own[r] = value * inverses[first + r];
        }
    }
}

/// The products of C columns of L with x in the rows below the block that starts at `first`: row i
/// in chain i mod `BLOCK`.
#[inline(always)]
fn products_below<S: Simd, const C: usize>(
    simd: S,
    panels: &[f64],
    x: &[f64],
    first: usize,
    column: usize,
) -> [[f64; BLOCK]; C] {
    let (height, padded) = (WIDTH * S::F64_LANES, x.len());
    // Vectors in a block.
    let width = BLOCK / S::F64_LANES;
    let mut sums = [[simd.splat_f64s(0.0); WIDTH]; C];
    let start = (first + BLOCK) / height;
    for (p, panel) in panels.chunks_exact(height * padded).enumerate().skip(start) {
        let (columns, _) = S::as_simd_f64s(&panel[column * height..][..C * height]);
        let (x, _) = S::as_simd_f64s(&x[p * height..][..height]);
        let skipped = (first + BLOCK).saturating_sub(p * height) / S::F64_LANES;
        if skipped == 0 {
            for j in 0..C {
                for i in 0..WIDTH {
                    sums[j][i % width] = simd.mul_add_f64s(columns[j * WIDTH + i], x[i], sums[j][i % width]);
                }
            }
        } else {
            for j in 0..C {
                for i in skipped..WIDTH {
                    sums[j][i % width] = simd.mul_add_f64s(columns[j * WIDTH + i], x[i], sums[j][i % width]);
                }
            }
        }
    }
    sums.map(|sums| {
        let mut chains = [0.0; BLOCK];
        S::as_mut_simd_f64s(&mut chains).0.copy_from_slice(&sums[..width]);
        chains
    })
}

/// The sum of the chains, as a tree of fixed shape.
#[inline(always)]
fn add_up(x: [f64; BLOCK]) -> f64 {
    ((x[0] + x[4]) + (x[2] + x[6])) + ((x[1] + x[5]) + (x[3] + x[7]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linalg::vectors::{Token, Vectors};

    /// A made-up positive definite matrix, NaN above the diagonal.
    fn matrix(n: usize) -> Vec<f64> {
        let entry = |i: usize, t: usize| ((i * 31 + t * 17) % 23) as f64 / 11.0 - 1.0;
        let product = |i: usize, j: usize| (0..n / 2 + 1).map(|t| entry(i, t) * entry(j, t)).sum::<f64>();
        (0..n * n).map(|e| if e % n >= e / n { product(e % n, e / n) } else { f64::NAN }).collect()
    }

    /// With each of the machine's vectors, which have to agree to the last bit.
    fn solve(matrix: &[f64], shift: f64, right: &mut [f64]) -> Result<f64, usize> {
        let solutions = Vectors::ALL.into_iter().filter_map(Token::new).map(|token| {
            // After a larger system that had come to nothing.
            let (mut x, mut storage) = (right.to_vec(), vec![f64::NAN; 200 * 202]);
            let solved =
                token.run(TiledCholesky { matrix, n: right.len(), shift, right: &mut x, storage: &mut storage });
            (solved.map(f64::to_bits), x.into_iter().map(f64::to_bits).collect::<Vec<_>>())
        });
        let solutions: Vec<_> = solutions.collect();
        for solution in &solutions[1..] {
            assert_eq!(solution, &solutions[0], "{} rows", right.len());
        }
        right.iter_mut().zip(&solutions[0].1).for_each(|(x, &bits)| *x = f64::from_bits(bits));
        solutions[0].0.map(f64::from_bits)
    }

    #[test]
    fn solutions_satisfy_their_system() {
        for n in [1, 2, 7, 8, 9, 15, 16, 17, 24, 25, 40, 64, 100, 131] {
            let (matrix, shift) = (matrix(n), 0.3);
            let right: Vec<f64> = (0..n).map(|i| libm::sin(i as f64) + 0.1).collect();
            let mut x = right.clone();
            assert!(solve(&matrix, shift, &mut x).unwrap() > 0.0);
            let product = crate::linalg::cholesky::symmetric_product(&matrix, &x);
            for ((product, x), right) in product.iter().zip(&x).zip(&right) {
                assert!((product + shift * x - right).abs() < 1e-12 * n as f64, "n {n}");
            }
        }
    }

    /// The textbook's loops, row by row.
    fn smallest_pivot(matrix: &[f64], shift: f64, n: usize) -> f64 {
        let mut factor = vec![0.0; n * n];
        let mut smallest = f64::INFINITY;
        for j in 0..n {
            for i in j..n {
                let product: f64 = (0..j).map(|t| factor[i * n + t] * factor[j * n + t]).sum();
                let rest = matrix[j * n + i] - product;
                factor[i * n + j] = if i == j { (rest + shift).sqrt() } else { rest / factor[j * n + j] };
            }
            smallest = smallest.min(factor[j * n + j].powi(2));
        }
        smallest
    }

    #[test]
    fn the_smallest_pivot_is_that_of_the_plain_factor() {
        for n in [1, 8, 37, 64] {
            let found = solve(&matrix(n), 1.5, &mut vec![1.0; n]).unwrap();
            assert!((found - smallest_pivot(&matrix(n), 1.5, n)).abs() < 1e-12, "n {n}");
        }
    }

    #[test]
    fn the_first_bad_pivot_is_named() {
        for bad in [0, 5, 16, 39] {
            let mut matrix = matrix(40);
            matrix[bad * 41] = -1e3;
            assert_eq!(solve(&matrix, 1.0, &mut [1.0; 40]), Err(bad));
        }
    }
}
