//! The f64 kernel of the Cholesky solve: panels of rows, factored in register tiles.
//!
//! *Design.* L is kept in panels of `WIDTH` vectors of rows, column after column, so that every
//! inner loop reads memory in order. Panels are factored top to bottom, each tile of eight columns
//! by one sweep over the columns before it (the row-wise, left-looking order), whose sums stay in
//! registers; then the tile is solved against its diagonal block.

use pulp::{Simd, WithSimd};

/// Vectors of rows in a panel.
const WIDTH: usize = 2;
/// Columns in a tile.
const COLUMNS: usize = 8;

/// Diagonal entry of the rows that fill up the last panel: never the smallest pivot.
const PADDING: f64 = f64::MAX;

/// Solves (M + shift·I) x = right side, in place, for a symmetric positive definite M given by its
/// lower triangle, (n, n) column-major, which is only read.
///
/// Answers the smallest squared pivot, or the first row whose pivot is not positive. `None` where the
/// machine's vectors are too short for this kernel.
pub(crate) struct TiledCholesky<'a> {
    pub matrix: &'a [f64],
    pub shift: f64,
    pub right: &'a mut [f64],
    pub storage: &'a mut Vec<f64>,
}

impl WithSimd for TiledCholesky<'_> {
    type Output = Option<Result<f64, usize>>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Self::Output {
        let Self { matrix, shift, right, storage } = self;
        let height = WIDTH * S::F64_LANES;
        if !height.is_multiple_of(COLUMNS) {
            return None;
        }
        let n = right.len();
        let padded = n.next_multiple_of(height);
        storage.resize(padded * (padded + 2), 0.0);
        let (panels, vectors) = storage.split_at_mut(padded * padded);
        let (inverses, x) = vectors.split_at_mut(padded);
        pack(matrix, n, shift, height, panels);
        let smallest = match factor(simd, height, padded, panels, inverses) {
            Ok(smallest) => smallest,
            Err(row) => return Some(Err(row)),
        };
        x[..n].copy_from_slice(right);
        x[n..].fill(0.0);
        for p in 0..padded / height {
            simd.vectorize(Forward { panel: &panels[p * height * padded..], inverses, x, first: p * height });
        }
        for p in (0..padded / height).rev() {
            simd.vectorize(Backward { panel: &panels[p * height * padded..], inverses, x, first: p * height });
        }
        right.copy_from_slice(&x[..n]);
        Some(Ok(smallest))
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
        for column in (0..(p + 1) * height).step_by(COLUMNS) {
            let (done, tile) = panel.split_at_mut(column * height);
            let tile = &mut tile[..COLUMNS * height];
            let (q, offset) = (column / height, column % height);
            if q < p {
                let other = &above[q * height * padded..][..(column + COLUMNS) * height];
                let inverses = &inverses[column..column + COLUMNS];
                simd.vectorize(Tile { done, other, offset, tile, inverses });
            } else {
                simd.vectorize(Tile { done, other: done, offset, tile, inverses: &[] });
                let inverses = &mut inverses[column..column + COLUMNS];
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
        let mut sums = [[simd.splat_f64s(0.0); WIDTH]; COLUMNS];
        for t in 0..n_done {
            let rows = &done[t * WIDTH..][..WIDTH];
            let columns = &other[t * height + offset..][..COLUMNS];
            for j in 0..COLUMNS {
                let column = simd.splat_f64s(columns[j]);
                for i in 0..WIDTH {
                    sums[j][i] = simd.mul_add_f64s(rows[i], column, sums[j][i]);
                }
            }
        }
        for j in 0..COLUMNS {
            for i in 0..WIDTH {
                tile[j * WIDTH + i] = simd.sub_f64s(tile[j * WIDTH + i], sums[j][i]);
            }
        }
        if inverses.len() == COLUMNS {
            for j in 0..COLUMNS {
                let diagonal = &other[(n_done + j) * height + offset..][..COLUMNS];
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

/// Factors a tile whose diagonal starts at row `offset`: its smallest squared pivot, or the column
/// whose pivot is not positive.
#[inline(always)]
fn factor_diagonal(tile: &mut [f64], height: usize, offset: usize, inverses: &mut [f64]) -> Result<f64, usize> {
    let mut smallest = f64::INFINITY;
    for j in 0..COLUMNS {
        let (column, later) = tile[j * height..].split_at_mut(height);
        let pivot = column[offset + j];
        if !(pivot > 0.0 && pivot.is_finite()) {
            return Err(j);
        }
        smallest = smallest.min(pivot);
        inverses[j] = 1.0 / pivot.sqrt();
        column.iter_mut().for_each(|x| *x *= inverses[j]);
        for (after, other) in later.chunks_exact_mut(height).enumerate() {
            let factor = column[offset + j + 1 + after];
            other.iter_mut().zip(&*column).for_each(|(x, l)| *x -= factor * l);
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

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { panel, inverses, x, first } = self;
        let height = WIDTH * S::F64_LANES;
        let (known, own) = x.split_at_mut(first);
        let own = &mut own[..height];
        {
            let (own, _) = S::as_mut_simd_f64s(own);
            let (columns, _) = S::as_simd_f64s(&panel[..first * height]);
            // Four sums, so that one does not wait for the other.
            let mut sums = [[simd.splat_f64s(0.0); WIDTH]; 4];
            for t in (0..known.len()).step_by(4) {
                let (columns, known) = (&columns[t * WIDTH..][..4 * WIDTH], &known[t..t + 4]);
                for s in 0..4 {
                    let factor = simd.splat_f64s(known[s]);
                    for i in 0..WIDTH {
                        sums[s][i] = simd.mul_add_f64s(columns[s * WIDTH + i], factor, sums[s][i]);
                    }
                }
            }
            for sum in sums {
                for i in 0..WIDTH {
                    own[i] = simd.sub_f64s(own[i], sum[i]);
                }
            }
        }
        for r in 0..height {
            let column = &panel[(first + r) * height..][..height];
            let value = own[r] * inverses[first + r];
            own[r] = value;
            for below in r + 1..height {
                own[below] -= column[below] * value;
            }
        }
    }
}

/// One panel of Lᵀ x = y, in place, and its share of the rows above.
struct Backward<'a> {
    panel: &'a [f64],
    inverses: &'a [f64],
    x: &'a mut [f64],
    first: usize,
}

impl WithSimd for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { panel, inverses, x, first } = self;
        let height = WIDTH * S::F64_LANES;
        let (above, own) = x.split_at_mut(first);
        let own = &mut own[..height];
        for r in (0..height).rev() {
            let column = &panel[(first + r) * height..][..height];
            let mut value = own[r];
            for below in r + 1..height {
                value -= column[below] * own[below];
            }
            own[r] = value * inverses[first + r];
        }
        let (own, _) = S::as_simd_f64s(own);
        let (columns, _) = S::as_simd_f64s(&panel[..first * height]);
        for t in 0..above.len() {
            let column = &columns[t * WIDTH..][..WIDTH];
            let mut product = simd.mul_f64s(column[0], own[0]);
            for i in 1..WIDTH {
                product = simd.mul_add_f64s(column[i], own[i], product);
            }
            above[t] -= simd.reduce_sum_f64s(product);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A made-up positive definite matrix, NaN above the diagonal.
    fn matrix(n: usize) -> Vec<f64> {
        let entry = |i: usize, t: usize| ((i * 31 + t * 17) % 23) as f64 / 11.0 - 1.0;
        let product = |i: usize, j: usize| (0..n / 2 + 1).map(|t| entry(i, t) * entry(j, t)).sum::<f64>();
        (0..n * n).map(|e| if e % n >= e / n { product(e % n, e / n) } else { f64::NAN }).collect()
    }

    fn solve(matrix: &[f64], shift: f64, right: &mut [f64], storage: &mut Vec<f64>) -> Option<Result<f64, usize>> {
        pulp::Arch::new().dispatch(TiledCholesky { matrix, shift, right, storage })
    }

    #[test]
    fn solutions_satisfy_their_system() {
        let mut storage = Vec::new();
        for n in [1, 2, 7, 8, 15, 16, 17, 40, 64, 100, 131] {
            let (matrix, shift) = (matrix(n), 0.3);
            let right: Vec<f64> = (0..n).map(|i| (i as f64).sin() + 0.1).collect();
            let mut x = right.clone();
            let Some(solved) = solve(&matrix, shift, &mut x, &mut storage) else { return };
            assert!(solved.unwrap() > 0.0);
            // AVX2, which the machine may have besides something wider.
            #[cfg(target_arch = "x86_64")]
            if let Some(simd) = pulp::x86::V3::try_new() {
                let mut y = right.clone();
                let tiled = TiledCholesky { matrix: &matrix, shift, right: &mut y, storage: &mut storage };
                assert!(Simd::vectorize(simd, tiled).unwrap().unwrap() > 0.0);
                assert!(x.iter().zip(&y).all(|(x, y)| (x - y).abs() < 1e-12 * n as f64), "n {n}");
            }
            let product = crate::cholesky::symmetric_product(&matrix, &x);
            for ((product, x), right) in product.iter().zip(&x).zip(&right) {
                assert!((product + shift * x - right).abs() < 1e-12 * n as f64, "n {n}");
            }
        }
    }

    #[test]
    fn the_first_bad_pivot_is_named() {
        for bad in [0, 5, 16, 39] {
            let mut matrix = matrix(40);
            matrix[bad * 41] = -1e3;
            let Some(solved) = solve(&matrix, 1.0, &mut [1.0; 40], &mut Vec::new()) else { return };
            assert_eq!(solved, Err(bad));
        }
    }
}
