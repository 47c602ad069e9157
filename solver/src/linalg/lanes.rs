//! Vector operations that a kernel needs, under one name for f32 and f64.

use pulp::Simd;

/// A number type that has SIMD vectors.
pub trait Lanes: Copy + Default + std::ops::Add<Output = Self> + 'static {
    /// A SIMD vector of this number type.
    type Vector<S: Simd>: Copy;

    /// Numbers in a SIMD vector.
    fn lanes<S: Simd>() -> usize;

    /// A SIMD vector with the same number in every lane.
    fn splat<S: Simd>(simd: S, value: Self) -> Self::Vector<S>;

    /// a·b + c, rounded once.
    fn mul_add<S: Simd>(simd: S, a: Self::Vector<S>, b: Self::Vector<S>, c: Self::Vector<S>) -> Self::Vector<S>;

    /// Views a slice as SIMD vectors; entries after the last whole vector are left out.
    fn vectors<S: Simd>(values: &[Self]) -> &[Self::Vector<S>];

    /// Views a mutable slice as SIMD vectors; entries after the last whole vector are left out.
    fn vectors_mut<S: Simd>(values: &mut [Self]) -> &mut [Self::Vector<S>];
}

macro_rules! lanes {
    ($number:ty, $vector:ident, $count:ident, $splat:ident, $mul_add:ident, $of:ident, $of_mut:ident) => {
        impl Lanes for $number {
            type Vector<S: Simd> = S::$vector;

            #[inline(always)]
            fn lanes<S: Simd>() -> usize {
                S::$count
            }

            #[inline(always)]
            fn splat<S: Simd>(simd: S, value: Self) -> S::$vector {
                simd.$splat(value)
            }

            #[inline(always)]
            fn mul_add<S: Simd>(simd: S, a: S::$vector, b: S::$vector, c: S::$vector) -> S::$vector {
                simd.$mul_add(a, b, c)
            }

            #[inline(always)]
            fn vectors<S: Simd>(values: &[Self]) -> &[S::$vector] {
                S::$of(values).0
            }

            #[inline(always)]
            fn vectors_mut<S: Simd>(values: &mut [Self]) -> &mut [S::$vector] {
                S::$of_mut(values).0
            }
        }
    };
}

lanes!(f32, f32s, F32_LANES, splat_f32s, mul_add_f32s, as_simd_f32s, as_mut_simd_f32s);
lanes!(f64, f64s, F64_LANES, splat_f64s, mul_add_f64s, as_simd_f64s, as_mut_simd_f64s);
