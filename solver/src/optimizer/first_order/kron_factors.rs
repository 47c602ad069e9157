//! The two factors of PSGD Kron's preconditioner of a matrix, and one step of their fit.
//!
//! [`crate::optimizer::first_order::kron`] says what they are for.

use crate::linalg::{
    matmul::matmul,
    matrix::{Matrix, Start, transposed},
    real::Real,
    vector::sum_of_squares,
};

/// The factor of one side of a matrix, and the length of the side.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Side {
    None,
    Diagonal(usize),
    Triangular(usize),
}

/// What is done with a factor Q.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Action {
    /// Q x.
    Times,
    /// Qᵀ x.
    Transposed,
    /// Q⁻ᵀ x.
    SolveTransposed,
}

impl Side {
    /// Entries of the factor.
    pub fn len(self) -> usize {
        match self {
            Self::None => 0,
            Self::Diagonal(n) => n,
            Self::Triangular(n) => n * n,
        }
    }
}

/// The factors of one matrix (n, m), or of a vector as a matrix of one row.
pub(crate) struct Pair<'a, T> {
    pub sides: [Side; 2],
    pub factors: [&'a mut [T]; 2],
    pub shape: [usize; 2],
}

impl<T: Real> Pair<'_, T> {
    /// An action of the left factor on the columns of x (n, m), and of the right one on its rows.
    pub fn on_both_sides(&self, x: &[T], action: Action) -> Vec<T> {
        let [n, m] = self.shape;
        let x = transposed(&act(self.sides[0], self.factors[0], x, action), [n, m]);
        transposed(&act(self.sides[1], self.factors[1], &x, action), [m, n])
    }

    /// One step towards the factors that whiten `average`, with a random `probe`, (n, m) both.
    pub fn fit(&mut self, average: &[T], probe: &[T], rate: f64) {
        let whitened = self.on_both_sides(average, Action::Times);
        let inverse = self.on_both_sides(probe, Action::SolveTransposed);
        let turned = [&whitened, &inverse].map(|x| transposed(x, self.shape));
        fit_side(self.sides[0], self.factors[0], &whitened, &inverse, rate);
        fit_side(self.sides[1], self.factors[1], &turned[0], &turned[1], rate);
    }

    /// Makes the greatest entries of both factors the same; their product stays.
    pub fn balance(&mut self) {
        let [left, right] = self.factors.each_ref().map(|q| greatest(q));
        let mean = (left * right).sqrt();
        for (factor, size) in self.factors.iter_mut().zip([left, right]) {
            let scale = T::of(mean / size);
            factor.iter_mut().for_each(|q| *q *= scale);
        }
    }
}

/// An action of a factor on x, (side, any).
fn act<T: Real>(side: Side, factor: &[T], x: &[T], action: Action) -> Vec<T> {
    match (side, action) {
        (Side::None, _) => x.to_vec(),
        (Side::Diagonal(n), _) => {
            let rows = x.chunks_exact(x.len() / n).zip(factor);
            let is_inverse = matches!(action, Action::SolveTransposed);
            rows.flat_map(|(row, &q)| row.iter().map(move |&x| if is_inverse { x / q } else { x * q })).collect()
        }
        (Side::Triangular(n), Action::Times | Action::Transposed) => {
            let (matrix, x) = (Matrix::new(factor, n, n), Matrix::new(x, n, x.len() / n));
            let matrix = if matches!(action, Action::Times) { matrix } else { matrix.transposed() };
            product(matrix, x)
        }
        (Side::Triangular(n), Action::SolveTransposed) => {
            let width = x.len() / n;
            let mut solved = x.to_vec();
            for i in 0..n {
                let (above, row) = solved.split_at_mut(i * width);
                let row = &mut row[..width];
                for (k, above) in above.chunks_exact(width).enumerate() {
                    let q = factor[k * n + i];
                    row.iter_mut().zip(above).for_each(|(x, &y)| *x -= q * y);
                }
                row.iter_mut().for_each(|x| *x /= factor[i * n + i]);
            }
            solved
        }
    }
}

/// Q ← Q − η · triu(AAᵀ − BBᵀ) Q / ‖AAᵀ + BBᵀ‖ for A and B (side, any); of a diagonal factor, with
/// diagonals.
fn fit_side<T: Real>(side: Side, factor: &mut [T], a: &[T], b: &[T], rate: f64) {
    let rate = T::of(rate);
    let least = T::of(f64::from(f32::MIN_POSITIVE));
    match side {
        Side::None => {}
        Side::Diagonal(n) => {
            let squares = |x: &[T]| -> Vec<T> {
                x.chunks_exact(x.len() / n).map(|row| row.iter().map(|&x| x * x).sum()).collect()
            };
            let (a, b) = (squares(a), squares(b));
            let norm = a.iter().zip(&b).map(|(&a, &b)| a + b).fold(least, |most, x| if x > most { x } else { most });
            factor.iter_mut().zip(a.iter().zip(&b)).for_each(|(q, (&a, &b))| *q -= rate * (a - b) * (*q / norm));
        }
        Side::Triangular(n) => {
            let square = |x: &[T]| {
                let x = Matrix::new(x, n, x.len() / n);
                product(x, x.transposed())
            };
            let (a, b) = (square(a), square(b));
            let sum: Vec<T> = a.iter().zip(&b).map(|(&a, &b)| a + b).collect();
            let norm = norm_from_below(sum, n);
            let scale = rate / if norm > least { norm } else { least };
            let entry = |at: usize| if at / n <= at % n { scale * (a[at] - b[at]) } else { T::zero() };
            let triangle: Vec<T> = (0..n * n).map(entry).collect();
            let change = product(Matrix::new(&triangle, n, n), Matrix::new(factor, n, n));
            factor.iter_mut().zip(change).for_each(|(q, x)| *q -= x);
        }
    }
}

/// A lower bound of the spectral norm of a symmetric `matrix` (n, n): of its longest row, twice
/// multiplied.
fn norm_from_below<T: Real>(mut matrix: Vec<T>, n: usize) -> T {
    let size = greatest(&matrix);
    if size == 0.0 {
        return T::zero();
    }
    let scale = T::of(1.0 / size);
    matrix.iter_mut().for_each(|x| *x *= scale);
    let longest = |(best, length): (usize, f64), (row, x): (usize, &[T])| {
        let squares = sum_of_squares(x);
        if squares > length { (row, squares) } else { (best, length) }
    };
    let (row, _) = matrix.chunks_exact(n).enumerate().fold((0, -1.0), longest);
    let all = Matrix::new(&matrix, n, n);
    let mut x = product(all, Matrix::new(&matrix[row * n..][..n], n, 1));
    let scale = T::of(1.0 / sum_of_squares(&x).sqrt());
    x.iter_mut().for_each(|x| *x *= scale);
    T::of(sum_of_squares(&product(all, Matrix::new(&x, n, 1))).sqrt() * size)
}

/// The greatest size of an entry.
fn greatest<T: Real>(values: &[T]) -> f64 {
    values.iter().map(|x| x.to_f64().abs()).fold(0.0, f64::max)
}

fn product<T: Real>(left: Matrix<'_, T>, right: Matrix<'_, T>) -> Vec<T> {
    let mut product = vec![T::zero(); left.n_rows() * right.n_columns()];
    matmul(&mut product, Start::Zero, left, right, &mut Vec::new());
    product
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_triangle_is_solved_and_a_norm_bounded() {
        let upper = [2.0, 1.0, -1.0, 0.0, 0.5, 3.0, 0.0, 0.0, -4.0];
        let x = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        let solved = act(Side::Triangular(3), &upper, &x, Action::SolveTransposed);
        let back = act(Side::Triangular(3), &upper, &solved, Action::Transposed);
        assert!(back.iter().zip(x).all(|(a, b): (&f64, f64)| (a - b).abs() < 1e-12), "{back:?}");
        // Eigenvalues 1 and 3.
        let norm: f64 = norm_from_below(vec![2.0, 1.0, 1.0, 2.0], 2);
        assert!((2.5..=3.0).contains(&norm), "{norm}");
        assert_eq!(norm_from_below(vec![0.0_f32; 4], 2), 0.0);
    }
}
