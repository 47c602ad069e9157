//! Random numbers as a hash of their place.

/// The SplitMix64 hash of a state and a number; of the numbers 0, 1, 2, … it is the generator of
/// that name.
///
/// Source: Steele, Lea, Flood (2014), "Fast splittable pseudorandom number generators".
pub(crate) fn mixed(state: u64, number: u64) -> u64 {
    let mut z = state.wrapping_add(number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of Vigna's splitmix64.c with seed 1234567.
    #[test]
    fn numbers_are_those_of_the_published_generator() {
        let first = [0, 1, 2].map(|number| mixed(1_234_567, number));
        assert_eq!(first, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }
}
