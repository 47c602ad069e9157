//! The arithmetic of a network's number types, which the dense kernels are written in.

use candle_core::WithDType;

use crate::{linalg::lanes::Lanes, state::Element};

/// `f32` or `f64`, as far as matrix products need to know.
pub trait Number: WithDType + Default + Element + Lanes + num::Float {
    /// Rounds an `f64`.
    fn of(value: f64) -> Self {
        Self::from_f64(value)
    }
}

/// The arithmetic of [`Number`], kept apart from candle's traits.
pub mod num {
    /// Floating-point operations that the kernels use.
    pub trait Float:
        Copy + std::ops::Neg<Output = Self> + std::iter::Sum<Self> + std::fmt::Debug + Send + Sync
    {
        /// √x.
        fn sqrt(self) -> Self;

        /// Neither infinite nor NaN.
        fn is_finite(self) -> bool;

        /// `self`·b + c, rounded once.
        fn fused(self, b: Self, c: Self) -> Self;
    }

    impl Float for f32 {
        fn sqrt(self) -> Self {
            self.sqrt()
        }

        fn is_finite(self) -> bool {
            self.is_finite()
        }

        #[inline(always)]
        fn fused(self, b: Self, c: Self) -> Self {
            self.mul_add(b, c)
        }
    }

    impl Float for f64 {
        fn sqrt(self) -> Self {
            self.sqrt()
        }

        fn is_finite(self) -> bool {
            self.is_finite()
        }

        #[inline(always)]
        fn fused(self, b: Self, c: Self) -> Self {
            self.mul_add(b, c)
        }
    }
}

impl Number for f32 {}

impl Number for f64 {}
