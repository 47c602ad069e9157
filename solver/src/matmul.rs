//! One matrix product over slices, with strides: the `gemm` crate behind checked lengths.

use std::ops::Range;

use gemm::Parallelism;

use crate::Real;

/// A matrix in a slice: entry (i, j) is at `i * row_stride + j * column_stride`.
#[derive(Clone, Copy)]
pub struct Matrix<'a, T> {
    values: &'a [T],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl<'a, T: Copy> Matrix<'a, T> {
    /// A row-major (rows, columns) matrix.
    pub fn new(values: &'a [T], rows: usize, columns: usize) -> Self {
        assert_eq!(values.len(), rows * columns, "matrix of {rows} rows and {columns} columns");
        Self { values, rows, columns, row_stride: columns, column_stride: 1 }
    }

    /// Number of rows.
    pub fn n_rows(self) -> usize {
        self.rows
    }

    /// Number of columns.
    pub fn n_columns(self) -> usize {
        self.columns
    }

    /// All entries, in the order they are stored in.
    pub fn values(self) -> &'a [T] {
        self.values
    }

    /// Some rows of a row-major matrix.
    pub fn slice_rows(self, rows: Range<usize>) -> Self {
        Self::new(&self.values[rows.start * self.columns..rows.end * self.columns], rows.len(), self.columns)
    }

    /// The same entries as a (columns, rows) matrix.
    pub fn transposed(self) -> Self {
        Self {
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
            ..self
        }
    }
}

/// `dst ← keep · dst + lhs · rhs`, with row-major `dst`; `keep` is 0 or 1.
///
/// Single-threaded: the cores belong to the environment workers and to other runs.
pub(crate) fn matmul<T: Real>(dst: &mut [T], keep: bool, lhs: Matrix<'_, T>, rhs: Matrix<'_, T>) {
    let (m, n, k) = (lhs.rows, rhs.columns, lhs.columns);
    assert_eq!(k, rhs.rows, "inner dimensions of a matrix product");
    assert_eq!(dst.len(), m * n, "result of a ({m}, {k}) by ({k}, {n}) product");
    if k == 0 && !keep {
        dst.fill(T::zero());
    }
    // SAFETY: the three assertions above and `Matrix::new` bound every entry that gemm touches, and
    // `dst` is borrowed mutably, so it overlaps neither operand.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            dst.as_mut_ptr(),
            1,
            n as isize,
            keep,
            lhs.values.as_ptr(),
            lhs.column_stride as isize,
            lhs.row_stride as isize,
            rhs.values.as_ptr(),
            rhs.column_stride as isize,
            rhs.row_stride as isize,
            T::one(),
            T::one(),
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn product_by_hand() {
        let a = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        let mut square = [10.0; 4];
        let a = Matrix::new(&a, 2, 3);
        matmul(&mut square, false, a, a.transposed());
        assert_eq!(square, [14.0, 32.0, 32.0, 77.0]);
        matmul(&mut square, true, a, a.transposed());
        assert_eq!(square, [28.0, 64.0, 64.0, 154.0]);
    }
}
