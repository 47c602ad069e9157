//! The product of a row-major matrix and a vector, as dot products.
//!
//! Each is eight interleaved chains of fused multiply-adds, chain l along the entries l, l + 8, …,
//! added up as a tree of fixed shape.

use pulp::{Simd, WithSimd};

use crate::linalg::{
    lanes::Lanes,
    matrix::{Matrix, Start},
    number::Number,
};

/// Chains of a dot product.
pub(crate) const CHAINS: usize = 8;
/// Rows side by side, so that one chain does not wait for itself.
const ROWS: usize = 4;

/// `dst ← start + lhs · rhs` for a row-major `lhs` (m, k) and a vector `rhs` (k).
pub(crate) struct DotProducts<'a, T> {
    pub dst: &'a mut [T],
    pub start: Start<'a, T>,
    pub lhs: Matrix<'a, T>,
    pub rhs: &'a [T],
}

impl<T: Number> WithSimd for DotProducts<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { dst, start, lhs, rhs } = self;
        let k = rhs.len();
        let begin = |at: usize, dst: &[T]| match start {
            Start::Zero => T::zero(),
            Start::Kept => dst[at],
            Start::Row(row) => row[0],
        };
        let mut groups = lhs.values().chunks_exact(ROWS * k);
        let mut at = 0;
        for group in groups.by_ref() {
            let rows: [&[T]; ROWS] = std::array::from_fn(|i| &group[i * k..][..k]);
            for product in simd.vectorize(Group { rows, rhs }) {
                dst[at] = begin(at, dst) + product;
                at += 1;
            }
        }
        for row in groups.remainder().chunks_exact(k) {
            let [product] = simd.vectorize(Group { rows: [row], rhs });
            dst[at] = begin(at, dst) + product;
            at += 1;
        }
    }
}

/// The dot products of several rows with `rhs`.
struct Group<'a, T, const N: usize> {
    rows: [&'a [T]; N],
    rhs: &'a [T],
}

impl<T: Number, const N: usize> WithSimd for Group<'_, T, N> {
    type Output = [T; N];

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> [T; N] {
        let Self { rows, rhs } = self;
        // Vectors that hold the chains of a row.
        let width = CHAINS / T::lanes::<S>();
        let whole = rhs.len() / CHAINS * CHAINS;
        let mut chains = [[T::zero(); CHAINS]; N];
        for v in 0..width {
            let mut sums = [T::splat(simd, T::zero()); N];
            let rhs = T::vectors::<S>(&rhs[..whole]);
            let rows = rows.map(|row| T::vectors::<S>(&row[..whole]));
            for t in (v..rhs.len()).step_by(width) {
                for i in 0..N {
                    sums[i] = T::mul_add(simd, rows[i][t], rhs[t], sums[i]);
                }
            }
            for i in 0..N {
                T::vectors_mut::<S>(&mut chains[i])[v] = sums[i];
            }
        }
        for t in whole..rhs.len() {
            for i in 0..N {
                let chain = &mut chains[i][t % CHAINS];
                *chain = rows[i][t].fused(rhs[t], *chain);
            }
        }
        chains.map(add_up)
    }
}

#[inline(always)]
pub(crate) fn add_up<T: Lanes>(x: [T; CHAINS]) -> T {
    ((x[0] + x[4]) + (x[2] + x[6])) + ((x[1] + x[5]) + (x[3] + x[7]))
}
