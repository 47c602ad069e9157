//! Orthonormal bases, in f64: from a matrix's singular vectors, and from the columns of another.
//!
//! Both are for few matrices and seldom: loops in a fixed order, and no blocks.

use crate::linalg::{
    matrix::transposed,
    vector::{inner_product, sum_of_squares},
    vectors::vectorized,
};

/// Sweeps over all pairs of columns after which a matrix is taken as it is; ten are many.
const MOST_SWEEPS: usize = 60;

/// Bases of left (n, n) and right (m, m) singular vectors of a `matrix` (n, m), the greatest
/// singular value first; all are row-major, vectors are columns, and completed where there are
/// fewer than n or m. Signs are anyone's.
///
/// Source: Hestenes (1958), "Inversion of matrices by biorthogonalization": rotations of pairs of
/// columns until all are orthogonal. Golub and Van Loan (2013), section 8.6.3.
pub(crate) fn singular_bases(matrix: &[f64], [n, m]: [usize; 2]) -> [Vec<f64>; 2] {
    if n < m {
        let [right, left] = singular_bases(&transposed(matrix, [n, m]), [m, n]);
        return [left, right];
    }
    // Columns as rows: those of the matrix, and those of the product of all rotations.
    let (mut columns, mut right) = (transposed(matrix, [n, m]), identity(m));
    for _ in 0..MOST_SWEEPS {
        let mut is_done = true;
        for (i, j) in (0..m).flat_map(|i| (i + 1..m).map(move |j| (i, j))) {
            let [a, b] = [i, j].map(|row| &columns[row * n..][..n]);
            let (alpha, beta, gamma) = (sum_of_squares(a), sum_of_squares(b), inner_product(a, b));
            if gamma.abs() > f64::EPSILON * alpha.sqrt() * beta.sqrt() {
                is_done = false;
                let zeta = (beta - alpha) / (2.0 * gamma);
                let tangent = 1.0_f64.copysign(zeta) / (zeta.abs() + (1.0 + zeta * zeta).sqrt());
                rotate(&mut columns, n, [i, j], tangent);
                rotate(&mut right, m, [i, j], tangent);
            }
        }
        if is_done {
            break;
        }
    }
    let mut order: Vec<(f64, usize)> = columns.chunks_exact(n).map(sum_of_squares).zip(0..).collect();
    order.sort_by(|a, b| b.0.total_cmp(&a.0));
    let sorted = |rows: &[f64], width: usize| -> Vec<f64> {
        order.iter().flat_map(|&(_, row)| rows[row * width..][..width].to_vec()).collect()
    };
    let (columns, right) = (sorted(&columns, n), sorted(&right, m));
    [orthonormal(&transposed(&columns, [m, n]), [n, m]), transposed(&right, [m, m])]
}

/// A basis (n, n) whose first k columns are those of a `matrix` (n, k), k ≤ n, each made orthogonal
/// to those before it; row-major, signs are anyone's.
///
/// Source: Householder (1958), "Unitary triangularization of a nonsymmetric matrix".
pub(crate) fn orthonormal(matrix: &[f64], [n, k]: [usize; 2]) -> Vec<f64> {
    let mut matrix = matrix.to_vec();
    let mut reflections = Vec::with_capacity(k);
    for j in 0..k {
        let mut v: Vec<f64> = (j..n).map(|i| matrix[i * k + j]).collect();
        let length = sum_of_squares(&v).sqrt();
        v[0] += length.copysign(v[0]);
        reflect(&mut matrix, k, j, &v);
        reflections.push(v);
    }
    let mut basis = identity(n);
    reflections.iter().enumerate().rev().for_each(|(j, v)| reflect(&mut basis, n, j, v));
    basis
}

/// `matrix` ← (I − 2vvᵀ/vᵀv) `matrix`, v beginning at row `first`; unchanged where v is zero.
fn reflect(matrix: &mut [f64], width: usize, first: usize, v: &[f64]) {
    let squares = sum_of_squares(v);
    if squares == 0.0 {
        return;
    }
    let mut along = vec![0.0; width];
    vectorized(
        #[inline(always)]
        || {
            let rows = matrix[first * width..].chunks_exact(width);
            for (row, v) in rows.zip(v) {
                along.iter_mut().zip(row).for_each(|(sum, x)| *sum += v * x);
            }
            for (row, v) in matrix[first * width..].chunks_exact_mut(width).zip(v) {
                let factor = 2.0 * v / squares;
                row.iter_mut().zip(&along).for_each(|(x, sum)| *x -= factor * sum);
            }
        },
    );
}

/// Rows i and j of `rows` turned into one another by the angle of a `tangent`.
fn rotate(rows: &mut [f64], width: usize, [i, j]: [usize; 2], tangent: f64) {
    let cosine = 1.0 / (1.0 + tangent * tangent).sqrt();
    let sine = cosine * tangent;
    let (upper, lower) = rows.split_at_mut(j * width);
    for (a, b) in upper[i * width..][..width].iter_mut().zip(&mut lower[..width]) {
        (*a, *b) = (cosine * *a - sine * *b, sine * *a + cosine * *b);
    }
}

fn identity(n: usize) -> Vec<f64> {
    (0..n * n).map(|at| f64::from(u8::from(at / n == at % n))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linalg::{
        matmul::matmul,
        matrix::{Matrix, Start},
    };

    fn product(a: Matrix<'_, f64>, b: Matrix<'_, f64>) -> Vec<f64> {
        let mut product = vec![0.0; a.n_rows() * b.n_columns()];
        matmul(&mut product, Start::Zero, a, b, &mut Vec::new());
        product
    }

    fn is_orthonormal(basis: &[f64], n: usize) {
        let basis = Matrix::new(basis, n, n);
        for (found, expected) in product(basis.transposed(), basis).iter().zip(identity(n)) {
            assert!((found - expected).abs() < 1e-13, "{found} for {expected}");
        }
    }

    #[test]
    fn singular_bases_make_a_matrix_diagonal_and_the_greatest_first() {
        for [n, m] in [[1, 1], [4, 4], [7, 3], [3, 7], [6, 1], [1, 5]] {
            let entry = |at: usize| libm::sin((at * at + 3 * at) as f64);
            let full: Vec<f64> = (0..n * m).map(entry).collect();
            // Of rank one, and of none.
            let one: Vec<f64> = (0..n * m).map(|at| entry(at / m) * entry(at % m + 9)).collect();
            for matrix in [full, one, vec![0.0; n * m]] {
                let [left, right] = singular_bases(&matrix, [n, m]);
                is_orthonormal(&left, n);
                is_orthonormal(&right, m);
                let half = product(Matrix::new(&left, n, n).transposed(), Matrix::new(&matrix, n, m));
                let whole = product(Matrix::new(&half, n, m), Matrix::new(&right, m, m));
                for (at, x) in whole.iter().enumerate().filter(|(at, _)| at / m != at % m) {
                    assert!(x.abs() < 1e-13, "({n}, {m}) at {at}: {x}");
                }
                let values: Vec<f64> = (0..n.min(m)).map(|i| whole[i * m + i].abs()).collect();
                assert!(values.is_sorted_by(|a, b| a >= &(b - 1e-13)), "{values:?}");
            }
        }
    }

    #[test]
    fn a_basis_of_columns_leaves_a_triangle() {
        for [n, k] in [[5, 5], [6, 3], [4, 1]] {
            let matrix: Vec<f64> = (0..n * k).map(|at| libm::cos((at * at) as f64)).collect();
            let basis = orthonormal(&matrix, [n, k]);
            is_orthonormal(&basis, n);
            let triangle = product(Matrix::new(&basis, n, n).transposed(), Matrix::new(&matrix, n, k));
            assert!((0..n * k).filter(|at| at / k > at % k).all(|at| triangle[at].abs() < 1e-14));
        }
    }
}
