//! One matrix product over slices, with strides, whose sums are taken in an order that the shapes
//! alone decide.
//!
//! Every entry of a result is one chain of fused multiply-adds along the inner dimension. It is
//! kept in a lane of its own ([`crate::linalg::matmul_tiles`]), so that neither the length of
//! vectors nor the size of tiles and panels changes a digit. Where the result is one column, lanes
//! would be empty: there [`crate::linalg::dot_products`] takes each entry as eight interleaved
//! chains, which are then added up.
//!
//! *Design.* The `gemm` crate does the same work at the same speed, but cuts the inner dimension by
//! the size of the machine's caches and takes another kernel on another processor, so that its last
//! digit depends on both.

use crate::linalg::{
    dot_products::DotProducts,
    matmul_tiles::Product,
    matrix::{Matrix, Start},
    number::Number,
    vectors::{Token, token},
};

/// `dst ← start + lhs · rhs`, with row-major `dst`; `panel` is storage that
/// is kept from call to call.
///
/// Single-threaded: the cores belong to the environment workers and to other runs.
pub(crate) fn matmul<T: Number>(
    dst: &mut [T],
    start: Start<'_, T>,
    lhs: Matrix<'_, T>,
    rhs: Matrix<'_, T>,
    panel: &mut Vec<T>,
) {
    matmul_with(token(), dst, start, lhs, rhs, panel);
}

/// Inner dimension from which a single column is taken as dot products.
const LEAST_DOT: usize = 16;

fn matmul_with<T: Number>(
    token: Token,
    dst: &mut [T],
    start: Start<'_, T>,
    lhs: Matrix<'_, T>,
    rhs: Matrix<'_, T>,
    panel: &mut Vec<T>,
) {
    let (m, n, k) = (lhs.n_rows(), rhs.n_columns(), lhs.n_columns());
    assert_eq!(k, rhs.n_rows(), "inner dimensions of a matrix product");
    assert_eq!(dst.len(), m * n, "result of a ({m}, {k}) by ({k}, {n}) product");
    if let Start::Row(row) = start {
        assert_eq!(row.len(), n, "row to start from");
    }
    if k == 0 {
        match start {
            Start::Zero => dst.fill(T::zero()),
            Start::Kept => {}
            Start::Row(row) => dst.chunks_exact_mut(n.max(1)).for_each(|to| to.copy_from_slice(row)),
        }
    } else if n == 1 && lhs.column_stride() == 1 && rhs.row_stride() == 1 && k >= LEAST_DOT {
        token.short().run(DotProducts { dst, start, lhs, rhs: rhs.values() });
    } else if let (1, 1, Start::Zero | Start::Kept) = (n, lhs.row_stride(), start) {
        // One row of the transposed product, whose columns fill vectors.
        token.run(Product { dst, start, lhs: rhs.transposed(), rhs: lhs.transposed(), panel });
    } else {
        let token = if n * size_of::<T>() <= 32 { token.short() } else { token };
        token.run(Product { dst, start, lhs, rhs, panel });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linalg::vectors::Vectors;

    #[test]
    fn product_by_hand() {
        let a = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        let mut square = [10.0; 4];
        let a = Matrix::new(&a, 2, 3);
        matmul(&mut square, Start::Zero, a, a.transposed(), &mut Vec::new());
        assert_eq!(square, [14.0, 32.0, 32.0, 77.0]);
        matmul(&mut square, Start::Kept, a, a.transposed(), &mut Vec::new());
        assert_eq!(square, [28.0, 64.0, 64.0, 154.0]);
        matmul(&mut square, Start::Row(&[1.0, 0.5]), a, a.transposed(), &mut Vec::new());
        assert_eq!(square, [15.0, 32.5, 33.0, 77.5]);
    }

    /// Shapes (m, n, k) at the edges of tiles, panels and blocks of depth.
    const SHAPES: [(usize, usize, usize); 16] = [
        (1, 1, 1),
        (1, 64, 5),
        (4, 2, 64),
        (5, 1, 64),
        (5, 1, 15),
        (64, 1, 17),
        (9, 1, 300),
        (23, 7, 31),
        (8, 8, 8),
        (6, 9, 256),
        (13, 16, 257),
        (17, 33, 40),
        (20, 32, 300),
        (33, 65, 20),
        (70, 40, 600),
        (3, 31, 0),
    ];

    fn check<T: Number>(tolerance: f64) {
        let numbers = |n: usize, step: usize| -> Vec<T> {
            (0..n).map(|i| T::of(((i * step) % 101) as f64 / 50.0 - 1.0 + 0.1 / (i + 1) as f64)).collect()
        };
        for (m, n, k) in SHAPES {
            let (a, b, row) = (numbers(m * k, 37), numbers(k * n, 53), numbers(n, 29));
            let layouts = |values, rows, columns| {
                [Matrix::new(values, rows, columns), Matrix::new(values, columns, rows).transposed()]
            };
            for (lhs, rhs) in layouts(&a, m, k).into_iter().flat_map(|lhs| layouts(&b, k, n).map(|rhs| (lhs, rhs))) {
                for start in [Start::Zero, Start::Kept, Start::Row(&row)] {
                    let entry = |i: usize, j: usize| {
                        let at = |x: Matrix<'_, T>, i: usize, j: usize| -> f64 {
                            let value: T = x.values()[i * x.row_stride() + j * x.column_stride()];
                            value.to_f64()
                        };
                        let from = match start {
                            Start::Zero => 0.0,
                            Start::Kept => 0.25,
                            Start::Row(row) => row[j].to_f64(),
                        };
                        from + (0..k).map(|t| at(lhs, i, t) * at(rhs, t, j)).sum::<f64>()
                    };
                    let expected: Vec<f64> = (0..m * n).map(|at| entry(at / n, at % n)).collect();
                    let results = Vectors::ALL.into_iter().filter_map(Token::new).map(|token| {
                        let mut dst = vec![T::of(0.25); m * n];
                        matmul_with(token, &mut dst, start, lhs, rhs, &mut Vec::new());
                        dst
                    });
                    let results: Vec<Vec<T>> = results.collect();
                    for (found, expected) in results[0].iter().zip(&expected) {
                        let error = (found.to_f64() - expected).abs();
                        assert!(error <= tolerance * (k + 1) as f64, "({m}, {n}, {k}): {found:?}, {expected}");
                    }
                    for result in &results[1..] {
                        // -0 and 0 differ here as well.
                        assert_eq!(bits(result), bits(&results[0]), "({m}, {n}, {k}) from {start:?}");
                    }
                }
            }
        }
    }

    fn bits<T: Number>(values: &[T]) -> Vec<u64> {
        values.iter().map(|x| x.to_f64().to_bits()).collect()
    }

    #[test]
    fn products_are_right_and_the_same_with_all_vectors() {
        check::<f32>(1e-6);
        check::<f64>(1e-15);
    }
}
