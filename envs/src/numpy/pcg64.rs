//! NumPy's default generator, bit for bit, and draws made the way NumPy makes them.
//!
//! Gymnasium seeds an environment with `SeedSequence(seed)` and draws from PCG64. [`Pcg64`] does
//! the same, so `env.reset(&mut Pcg64::seed_from(s), …)` starts where `env.reset(seed=s)` starts.
//! The draws take any [`RngCore`]: a trainer may hand in a generator of its own.
//!
//! Sources: M. E. O'Neill (2014), *PCG: A Family of Simple Fast Space-Efficient Statistically Good
//! Algorithms for Random Number Generation* (XSL-RR 128/64); M. E. O'Neill (2015), *Developing a
//! `seed_seq` Alternative*; checked against NumPy 2.4.6.

use rand::RngCore;

/// PCG XSL-RR 128/64 as NumPy runs it: the output is that of the state after the step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pcg64 {
    state: u128,
    increment: u128,
    /// Upper half of a 64-bit draw of which [`RngCore::next_u32`] has handed out the lower.
    half: Option<u32>,
}

impl Pcg64 {
    const MULTIPLIER: u128 = 0x2360_ED05_1FC6_5DA4_4385_DF64_9FCC_F645;

    /// The generator of NumPy's `default_rng(seed)`.
    pub fn seed_from(seed: u64) -> Self {
        let [state_high, state_low, stream_high, stream_low] = seed_sequence(seed);
        let join = |high: u64, low: u64| u128::from(high) << 64 | u128::from(low);
        let increment = join(stream_high, stream_low) << 1 | 1;
        let mut rng = Pcg64 { state: 0, increment, half: None };
        rng.advance();
        rng.state = rng.state.wrapping_add(join(state_high, state_low));
        rng.advance();
        rng
    }

    /// A draw from [low, high), as `Generator.uniform`.
    pub fn uniform(&mut self, low: f64, high: f64) -> f64 {
        uniform(self, low, high)
    }

    fn advance(&mut self) {
        self.state = self.state.wrapping_mul(Self::MULTIPLIER).wrapping_add(self.increment);
    }
}

impl RngCore for Pcg64 {
    fn next_u32(&mut self) -> u32 {
        if let Some(half) = self.half.take() {
            return half;
        }
        let both = self.next_u64();
        self.half = Some((both >> 32) as u32);
        both as u32
    }

    fn next_u64(&mut self) -> u64 {
        self.advance();
        let folded = (self.state >> 64) as u64 ^ self.state as u64;
        folded.rotate_right((self.state >> 122) as u32)
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        rand::rand_core::impls::fill_bytes_via_next(self, bytes);
    }
}

/// Four words of NumPy's `SeedSequence(seed).generate_state(4, uint64)`.
fn seed_sequence(seed: u64) -> [u64; 4] {
    /// Running multiplicative hash of 32-bit words.
    struct Hash {
        constant: u32,
        multiplier: u32,
    }
    impl Hash {
        fn word(&mut self, word: u32) -> u32 {
            let word = word ^ self.constant;
            self.constant = self.constant.wrapping_mul(self.multiplier);
            let word = word.wrapping_mul(self.constant);
            word ^ word >> 16
        }
    }

    let mut hash = Hash { constant: 0x43b0_d7e5, multiplier: 0x931e_8875 };
    let mut pool = [seed as u32, (seed >> 32) as u32, 0, 0].map(|word| hash.word(word));
    for source in 0..4 {
        for target in (0..4).filter(|&target| target != source) {
            let left = pool[target].wrapping_mul(0xca01_f9dd);
            let right = hash.word(pool[source]).wrapping_mul(0x4973_f715);
            let mixed = left.wrapping_sub(right);
            pool[target] = mixed ^ mixed >> 16;
        }
    }

    let mut hash = Hash { constant: 0x8b51_f9dd, multiplier: 0x58f3_8ded };
    std::array::from_fn(|i| {
        let low = hash.word(pool[2 * i % 4]);
        let high = hash.word(pool[(2 * i + 1) % 4]);
        u64::from(high) << 32 | u64::from(low)
    })
}

/// A draw from [low, high) with 53 random bits, as `Generator.uniform`.
pub fn uniform(rng: &mut dyn RngCore, low: f64, high: f64) -> f64 {
    low + (high - low) * unit(rng)
}

/// A draw from [0, 1) with 53 random bits, as `Generator.random`.
pub fn unit(rng: &mut dyn RngCore) -> f64 {
    const ULP: f64 = 1.0 / (1u64 << 53) as f64;
    (rng.next_u64() >> 11) as f64 * ULP
}

/// A draw from 0 to n − 1, every index equally likely.
///
/// Ours, by rejection (Lemire 2019); Gymnasium's `Discrete.sample` makes other draws.
pub fn uniform_index(rng: &mut dyn RngCore, n: usize) -> usize {
    assert!(n > 0, "nothing to draw from");
    let n = n as u64;
    loop {
        let product = u128::from(rng.next_u64()) * u128::from(n);
        if product as u64 >= n.wrapping_neg() % n {
            return (product >> 64) as usize;
        }
    }
}

/// A draw from the exponential distribution of mean 1, by inversion.
pub fn standard_exponential(rng: &mut dyn RngCore) -> f64 {
    -libm::log(1.0 - unit(rng))
}

/// A draw from the standard normal distribution (Box and Muller 1958).
pub fn standard_normal(rng: &mut dyn RngCore) -> f64 {
    let radius = (2.0 * standard_exponential(rng)).sqrt();
    radius * libm::cos(std::f64::consts::TAU * unit(rng))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_equal_those_of_numpy() {
        // numpy.random.PCG64(seed).random_raw(2), NumPy 2.4.6.
        for (seed, draws) in RANDOM_RAW {
            let mut rng = Pcg64::seed_from(seed);
            assert_eq!([rng.next_u64(), rng.next_u64()], draws, "seed {seed}");
        }
    }

    #[test]
    fn half_draws_come_lower_half_first() {
        let whole = Pcg64::seed_from(7).next_u64();
        let mut rng = Pcg64::seed_from(7);
        assert_eq!(u64::from(rng.next_u32()), whole & 0xffff_ffff);
        assert_eq!(u64::from(rng.next_u32()), whole >> 32);
    }

    #[test]
    fn normal_draws_have_mean_zero_and_variance_one() {
        let mut rng = Pcg64::seed_from(3);
        let draws: Vec<f64> = (0..100_000).map(|_| standard_normal(&mut rng)).collect();
        let mean = draws.iter().sum::<f64>() / 1e5;
        let variance = draws.iter().map(|x| x * x).sum::<f64>() / 1e5;
        assert!(mean.abs() < 0.02 && (variance - 1.0).abs() < 0.03, "mean {mean}, variance {variance}");
    }

    const RANDOM_RAW: [(u64, [u64; 2]); 6] = [
        (0, [11749869230777074271, 4976686463289251617]),
        (1, [9441442522235856127, 17532960557476522086]),
        (42, [14276969152011380360, 8095878257575067585]),
        (123456789, [511209809126027580, 16725663875132018381]),
        (8589934592, [1490940365631266091, 7423666954494463881]),
        (18446744073709551615, [12544278110101001871, 15593249672699323225]),
    ];
}
