//! Normal random numbers that are the same on every machine.

use rand::{Rng, RngCore};

/// Draws from N(0, 1), by Box and Muller (1958).
///
/// The ziggurat of the `rand_distr` crate is faster, but rejects by an exponential of the C
/// library, which differs between processors in its last digit.
pub fn standard_normal(rng: &mut dyn RngCore) -> f64 {
    let radius = (-2.0 * libm::log(1.0 - rng.random::<f64>())).sqrt();
    radius * libm::cos(std::f64::consts::TAU * rng.random::<f64>())
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[test]
    fn box_muller_has_unit_variance() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let n = 100_000;
        let (sum, squares) = (0..n).fold((0.0, 0.0), |(s, q), _| {
            let x = standard_normal(&mut rng);
            (s + x, q + x * x)
        });
        assert!((sum / f64::from(n)).abs() < 0.01 && (squares / f64::from(n) - 1.0).abs() < 0.015);
    }
}
