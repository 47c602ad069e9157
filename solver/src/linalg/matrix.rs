//! A matrix in a slice, and what the sums of a product start from.

use std::ops::Range;

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

    /// Entries of the slice from one row to the next.
    pub(crate) fn row_stride(self) -> usize {
        self.row_stride
    }

    /// Entries of the slice from one column to the next.
    pub(crate) fn column_stride(self) -> usize {
        self.column_stride
    }

    /// Some rows of a row-major matrix.
    pub fn slice_rows(self, rows: Range<usize>) -> Self {
        Self::new(&self.values[rows.start * self.columns..rows.end * self.columns], rows.len(), self.columns)
    }

    /// The transpose: the same entries as a (columns, rows) matrix.
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

/// The transpose (m, n) of a row-major `matrix` (n, m), copied.
pub(crate) fn transposed<T: Copy>(matrix: &[T], [n, m]: [usize; 2]) -> Vec<T> {
    (0..n * m).map(|at| matrix[at % n * m + at / n]).collect()
}

/// The starting values of a product's sums.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Start<'a, T> {
    /// Zero.
    Zero,
    /// The entries that the result already has.
    Kept,
    /// One row (n), the same for every row of the result.
    Row(&'a [T]),
}
