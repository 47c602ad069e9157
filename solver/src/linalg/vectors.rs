//! Vector instructions: which ones the kernels run with, and how a kernel is run with them.
//!
//! A record is the same for all of them: no kernel's sum is taken in an order that depends on the
//! length of a vector. Where a chain of sums runs along vectors, each lane holds another result;
//! where it runs along the lanes of one, their number is fixed in the kernel and spread over as
//! many vectors as it takes. Products within a sum are fused in every kernel or in none.
//!
//! `EGN_VECTORS` lowers what is used: `avx512`, `avx2` or `plain`, each the most that is wanted.
//! What the machine lacks is not used whatever it says.

use std::{fmt, str::FromStr, sync::OnceLock};

use pulp::{Scalar256b, Simd, WithSimd};

/// Vector instructions that kernels can be compiled for, the least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Vectors {
    /// Whatever the compiler's target has; products are fused by a library
    /// where the machine cannot.
    Plain,
    /// AVX2 with FMA.
    Avx2,
    /// AVX-512: F, BW, CD, DQ and VL.
    Avx512,
}

/// A value of `EGN_VECTORS` that names none of [`Vectors::ALL`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("EGN_VECTORS: unknown vectors {0:?}, expected avx512, avx2 or plain")]
pub struct UnknownVectors(pub String);

impl Vectors {
    /// All vector instructions, the least first.
    pub const ALL: [Self; 3] = [Self::Plain, Self::Avx2, Self::Avx512];

    /// The vector instructions in use: the most that the machine has and that `EGN_VECTORS` allows,
    /// settled at the first call.
    ///
    /// # Panics
    /// When `EGN_VECTORS` is none of [`Vectors::ALL`]; [`Vectors::wanted`] tells without a panic.
    pub fn in_use() -> Self {
        token().vectors()
    }

    /// The most vector instructions that `EGN_VECTORS` allows.
    ///
    /// # Errors
    /// [`UnknownVectors`] when it names no vectors.
    pub fn wanted() -> Result<Self, UnknownVectors> {
        match std::env::var_os("EGN_VECTORS") {
            None => Ok(Self::Avx512),
            Some(name) => name.to_string_lossy().parse(),
        }
    }

    /// Whether the machine has these vector instructions.
    pub fn are_available(self) -> bool {
        Token::new(self).is_some()
    }
}

impl fmt::Display for Vectors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain => "plain",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
        })
    }
}

impl FromStr for Vectors {
    type Err = UnknownVectors;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|vectors| vectors.to_string() == name).ok_or_else(|| UnknownVectors(name.into()))
    }
}

/// The proof that the machine has certain vector instructions.
#[derive(Clone, Copy)]
pub(crate) enum Token {
    Plain(Scalar256b),
    #[cfg(target_arch = "x86_64")]
    Avx2(pulp::x86::V3),
    #[cfg(target_arch = "x86_64")]
    Avx512(pulp::x86::V4),
}

impl Token {
    /// The token of `vectors`; `None` where the machine lacks them.
    pub(crate) fn new(vectors: Vectors) -> Option<Self> {
        match vectors {
            Vectors::Plain => Some(Self::Plain(Scalar256b)),
            #[cfg(target_arch = "x86_64")]
            Vectors::Avx2 => pulp::x86::V3::try_new().map(Self::Avx2),
            #[cfg(target_arch = "x86_64")]
            Vectors::Avx512 => pulp::x86::V4::try_new().map(Self::Avx512),
            #[cfg(not(target_arch = "x86_64"))]
            Vectors::Avx2 | Vectors::Avx512 => None,
        }
    }

    fn vectors(self) -> Vectors {
        match self {
            Self::Plain(_) => Vectors::Plain,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(_) => Vectors::Avx2,
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(_) => Vectors::Avx512,
        }
    }

    /// The token for vectors of at most 256 bits, for data too short to fill longer ones.
    pub(crate) fn short(self) -> Self {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(v4) => Self::Avx2(*v4),
            other => other,
        }
    }

    /// Runs a kernel.
    #[inline(always)]
    pub(crate) fn run<K: WithSimd>(self, kernel: K) -> K::Output {
        match self {
            Self::Plain(plain) => plain.vectorize(kernel),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(v3) => Simd::vectorize(v3, kernel),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(v4) => Simd::vectorize(v4, kernel),
        }
    }
}

/// The token of the vectors in use.
pub(crate) fn token() -> Token {
    static IN_USE: OnceLock<Token> = OnceLock::new();
    *IN_USE.get_or_init(|| {
        let wanted = Vectors::wanted().unwrap_or_else(|error| panic!("{error}"));
        let admitted = Vectors::ALL.into_iter().rev().filter(|&vectors| vectors <= wanted);
        admitted.filter_map(Token::new).next().unwrap_or(Token::Plain(Scalar256b))
    })
}

/// Runs `body`, which is to be an `#[inline(always)]` closure, compiled for the vectors in use.
///
/// A closure handed to pulp itself is called through `FnOnce::call_once`, which is
/// inlined only where the compiler thinks the body short; a long one is left with the
/// vectors that every machine has.
pub(crate) fn vectorized<R>(body: impl FnMut() -> R) -> R {
    token().run(Body(body))
}

struct Body<F>(F);

impl<R, F: FnMut() -> R> WithSimd for Body<F> {
    type Output = R;

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, _: S) -> R {
        (self.0)()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back_and_others_refused() {
        for vectors in Vectors::ALL {
            assert_eq!(vectors.to_string().parse(), Ok(vectors));
        }
        assert_eq!("sse".parse::<Vectors>(), Err(UnknownVectors("sse".into())));
        assert!(Vectors::in_use() <= Vectors::wanted().unwrap() && Vectors::in_use().are_available());
    }
}
