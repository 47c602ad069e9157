//! The row system (SᵀKS + bλ I) v = ρ, in f64.

use crate::{
    error::SolverError,
    linalg::{
        cholesky_tiles::TiledCholesky,
        gram_tiles::GramPanels,
        vectors::{token, vectorized},
    },
};

/// A row system and the storage of its solve, which can be megabytes.
///
/// It is kept from step to step, and networks that step in turns share one, which they then find in
/// the cache.
#[derive(Debug, Default)]
pub struct RowSystem {
    /// SᵀKS: lower triangle, column-major (n, n).
    gram: Vec<f64>,
    /// Cholesky factor of the system, in panels.
    factor: Vec<f64>,
    /// Storage for the kernel that writes `gram`.
    panels: GramPanels,
}

/// What is known of a Cholesky factorization besides the factor.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Factorization {
    /// Smallest pivot of the Cholesky factor, squared: near bλ when the system is nearly singular.
    pub smallest_pivot: f64,
}

impl RowSystem {
    /// Buffer for the lower triangle of SᵀKS, n × n column-major, with undefined contents.
    pub fn gram_mut(&mut self, n: usize) -> &mut [f64] {
        self.gram.resize(n * n, 0.0);
        &mut self.gram
    }

    /// The buffer of [`RowSystem::gram_mut`], and storage for the kernel that fills it.
    pub fn gram_and_panels(&mut self, n: usize) -> (&mut [f64], &mut GramPanels) {
        self.gram.resize(n * n, 0.0);
        (&mut self.gram, &mut self.panels)
    }

    /// SᵀKS as last written to [`RowSystem::gram_mut`].
    pub fn gram(&self) -> &[f64] {
        &self.gram
    }

    /// Solves for v in place of `rho`, given the damping λ of the diagonal shift bλ.
    ///
    /// # Errors
    /// [`SolverError::NotPositiveDefinite`] when a pivot is not positive, which λ > 0 excludes in
    /// exact arithmetic.
    pub fn solve(&mut self, damping: f64, batch: usize, rho: &mut [f64]) -> Result<Factorization, SolverError> {
        self.solve_all(damping, batch, rho.len(), rho)
    }

    /// Solves for several right sides of n entries, one after the other in `right`, with one
    /// factorization.
    ///
    /// # Errors
    /// [`SolverError::NotPositiveDefinite`] when a pivot is not positive, which λ > 0 excludes in
    /// exact arithmetic.
    pub(crate) fn solve_all(
        &mut self,
        damping: f64,
        batch: usize,
        n: usize,
        right: &mut [f64],
    ) -> Result<Factorization, SolverError> {
        let (matrix, shift, storage) = (&self.gram, batch as f64 * damping, &mut self.factor);
        let solved = token().run(TiledCholesky { matrix, n, shift, right, storage });
        let singular = |row| SolverError::NotPositiveDefinite { rows: n, row, damping, batch };
        solved.map(|smallest_pivot| Factorization { smallest_pivot }).map_err(singular)
    }
}

/// M u for a symmetric M given by its lower triangle, (n, n) column-major.
pub(crate) fn symmetric_product(lower: &[f64], u: &[f64]) -> Vec<f64> {
    const LANES: usize = 16;
    let n = u.len();
    let mut product = vec![0.0; n];
    vectorized(
        #[inline(always)]
        || {
            for (j, column) in lower.chunks_exact(n).enumerate() {
                // A column below the diagonal is a row beside it, too.
                let (upto, below) = product.split_at_mut(j + 1);
                let (below, below_rest) = below.as_chunks_mut::<LANES>();
                let (column_chunks, column_rest) = column[j + 1..].as_chunks::<LANES>();
                let (u_chunks, u_rest) = u[j + 1..].as_chunks::<LANES>();
                let (u_j, mut sums) = (u[j], [0.0; LANES]);
                for ((below, column), x) in below.iter_mut().zip(column_chunks).zip(u_chunks) {
                    // All is read before anything is written, for the compiler's sake.
                    *below = std::array::from_fn(|lane| below[lane] + column[lane] * u_j);
                    sums = std::array::from_fn(|lane| sums[lane] + column[lane] * x[lane]);
                }
                let mut sum = column[j] * u_j + sums.iter().sum::<f64>();
                for ((below, column), x) in below_rest.iter_mut().zip(column_rest).zip(u_rest) {
                    *below += column * u_j;
                    sum += column * x;
                }
                upto[j] += sum;
            }
        },
    );
    product
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two_by_two(damping: f64) -> (Result<Factorization, SolverError>, [f64; 2]) {
        let mut system = RowSystem::default();
        system.gram_mut(2).copy_from_slice(&[1.0, 1.0, f64::NAN, 1.0]);
        let mut rho = [3.0, 3.0];
        let result = system.solve(damping, 2, &mut rho);
        (result, rho)
    }

    #[test]
    fn solves_a_system_given_by_its_lower_triangle() {
        // (1 + 1)(v) + v = 3 on both rows.
        let (result, v) = two_by_two(0.5);
        assert!(v.iter().all(|v| (v - 1.0).abs() < 1e-15), "{v:?}");
        assert!((result.unwrap().smallest_pivot - 1.5).abs() < 1e-15);
    }

    #[test]
    fn a_singular_system_is_refused_with_its_row() {
        let (result, _) = two_by_two(0.0);
        assert_eq!(result, Err(SolverError::NotPositiveDefinite { rows: 2, row: 1, damping: 0.0, batch: 2 }));
    }

    #[test]
    fn applies_the_matrix_from_its_triangle() {
        assert_eq!(symmetric_product(&[2.0, 1.0, f64::NAN, 3.0], &[1.0, 10.0]), [12.0, 31.0]);
        // Whole numbers, so that the order of a sum does not matter; NaN above the diagonal.
        let (n, entry) = (41, |i: usize, j: usize| ((7 * i.max(j) + 3 * i.min(j)) % 11) as f64 - 5.0);
        let lower: Vec<f64> =
            (0..n * n).map(|at| if at % n < at / n { f64::NAN } else { entry(at % n, at / n) }).collect();
        let u: Vec<f64> = (0..n).map(|i| (i % 5) as f64 - 2.0).collect();
        let expected: Vec<f64> = (0..n).map(|i| (0..n).map(|j| entry(i, j) * u[j]).sum()).collect();
        assert_eq!(symmetric_product(&lower, &u), expected);
    }
}
