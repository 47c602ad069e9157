//! Loops that the compiler turns into vectors, for the widest that the machine has.

use pulp::{Arch, Simd, WithSimd};

/// Runs `body`, which is to be an `#[inline(always)]` closure, compiled for the machine's vectors.
///
/// [`Arch::dispatch`] alone calls a closure through `FnOnce::call_once`, which is inlined only where the
/// compiler thinks the body short; a long one is left with the vectors that every machine has.
pub(crate) fn vectorized<R>(body: impl FnMut() -> R) -> R {
    Arch::new().dispatch(Body(body))
}

struct Body<F>(F);

impl<R, F: FnMut() -> R> WithSimd for Body<F> {
    type Output = R;

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, _: S) -> R {
        (self.0)()
    }
}
