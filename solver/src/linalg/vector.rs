//! Arithmetic of one or two vectors.

use crate::linalg::{number::Number, vectors::vectorized};

/// Whether every value is finite; without an early end, so that it vectorizes.
pub(crate) fn all_finite<T: Number>(values: impl Iterator<Item = T> + Clone) -> bool {
    vectorized(
        #[inline(always)]
        || values.clone().fold(true, |finite, x| finite & x.is_finite()),
    )
}

/// Σ x² in f64, in 32 interleaved sums so that it vectorizes; the order is fixed.
pub(crate) fn sum_of_squares<T: Number>(values: &[T]) -> f64 {
    vectorized(
        #[inline(always)]
        || {
            let mut sums = [0.0_f64; 32];
            let (chunks, rest) = values.as_chunks::<32>();
            for chunk in chunks {
                for i in 0..32 {
                    let x = chunk[i].to_f64();
                    sums[i] += x * x;
                }
            }
            let rest: f64 = rest.iter().map(|x| x.to_f64() * x.to_f64()).sum();
            sums.iter().sum::<f64>() + rest
        },
    )
}

/// Σ aᵢ bᵢ in f64.
pub(crate) fn inner_product<T: Number>(a: &[T], b: &[T]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a.to_f64() * b.to_f64()).sum()
}
