//! NumPy's legacy generator `RandomState`, bit for bit, for the packages that still use it.
//!
//! MinAtar draws from `numpy.random.RandomState(seed)`. With [`Mt19937::seed_from`] as the
//! generator, and the draws of this module, a MinAtar game here goes as it goes there. The draws
//! take any [`RngCore`].
//!
//! Source: M. Matsumoto and T. Nishimura (1998), *Mersenne Twister: A 623-Dimensionally
//! Equidistributed Uniform Pseudo-Random Number Generator*; checked against NumPy 2.4.6.

use rand::RngCore;

/// Words of state.
const N: usize = 624;
/// Distance over which words are mixed.
const M: usize = 397;

/// The Mersenne Twister as `RandomState(seed)` starts it.
#[derive(Clone, PartialEq, Eq)]
pub struct Mt19937 {
    words: [u32; N],
    /// Words of this round already handed out.
    used: usize,
}

impl Mt19937 {
    /// The generator of `numpy.random.RandomState(seed)`.
    pub fn seed_from(seed: u32) -> Self {
        let mut words = [seed; N];
        for i in 1..N {
            let previous = words[i - 1];
            words[i] = (previous ^ previous >> 30).wrapping_mul(1_812_433_253).wrapping_add(i as u32);
        }
        Mt19937 { words, used: N }
    }

    /// Makes the next round of words.
    fn twist(&mut self) {
        for i in 0..N {
            let joined = self.words[i] & 0x8000_0000 | self.words[(i + 1) % N] & 0x7fff_ffff;
            let odd = if joined & 1 == 1 { 0x9908_b0df } else { 0 };
            self.words[i] = self.words[(i + M) % N] ^ joined >> 1 ^ odd;
        }
        self.used = 0;
    }
}

impl std::fmt::Debug for Mt19937 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mt19937").field("used", &self.used).finish_non_exhaustive()
    }
}

impl RngCore for Mt19937 {
    fn next_u32(&mut self) -> u32 {
        if self.used == N {
            self.twist();
        }
        let mut word = self.words[self.used];
        self.used += 1;
        word ^= word >> 11;
        word ^= word << 7 & 0x9d2c_5680;
        word ^= word << 15 & 0xefc6_0000;
        word ^ word >> 18
    }

    /// Draws 64 bits, the upper half first, as NumPy's `mt19937_next64`.
    fn next_u64(&mut self) -> u64 {
        let high = u64::from(self.next_u32());
        high << 32 | u64::from(self.next_u32())
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        rand::rand_core::impls::fill_bytes_via_next(self, bytes);
    }
}

/// A draw from [0, 1) with 53 random bits out of two words, as `RandomState.rand`.
pub fn rand(rng: &mut dyn RngCore) -> f64 {
    let high = f64::from(rng.next_u32() >> 5);
    let low = f64::from(rng.next_u32() >> 6);
    (high * f64::from(1 << 26) + low) / (1u64 << 53) as f64
}

/// A draw from low to high − 1, as `RandomState.randint(low, high)`: words are cut to as many bits
/// as are needed until one fits. A range of one number takes no draw.
///
/// # Panics
/// When there is nothing between `low` and `high`.
pub fn randint(rng: &mut dyn RngCore, low: u32, high: u32) -> u32 {
    assert!(low < high, "nothing from {low} below {high}");
    let greatest = high - low - 1;
    if greatest == 0 {
        return low;
    }
    let mask = u32::MAX >> greatest.leading_zeros();
    loop {
        let word = rng.next_u32() & mask;
        if word <= greatest {
            return low + word;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_equal_those_of_numpy() {
        // numpy.random.RandomState(1001), NumPy 2.4.6: the sticky draws of MinAtar's recordings.
        let mut rng = Mt19937::seed_from(1001);
        assert_eq!([rand(&mut rng), rand(&mut rng)], [0.306_232_179_548_805_44, 0.265_063_565_607_505_77]);
    }

    #[test]
    fn words_after_a_thousand_equal_those_of_numpy() {
        // numpy.random.RandomState(42)._bit_generator.random_raw(1003)[1000:] and randint(1, 9).
        let mut rng = Mt19937::seed_from(42);
        for _ in 0..1000 {
            rng.next_u32();
        }
        assert_eq!([(); 3].map(|()| rng.next_u32()), [2998581749, 138795966, 2302516368]);
        let mut rng = Mt19937::seed_from(42);
        assert_eq!([(); 12].map(|()| randint(&mut rng, 1, 9)), [7, 4, 5, 7, 3, 8, 5, 5, 7, 2, 3, 7]);
    }

    #[test]
    fn one_number_takes_no_draw() {
        let mut rng = Mt19937::seed_from(1);
        assert_eq!(randint(&mut rng, 7, 8), 7);
        assert_eq!(rng, Mt19937::seed_from(1));
    }
}
