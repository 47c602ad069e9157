//! NumPy's sum of contiguous numbers, bit for bit.

use std::ops::Add;

/// Numbers up to which a sum is made in one go.
const BLOCK: usize = 128;
/// Partial sums that run beside each other.
const LANES: usize = 8;

/// The sum in the order of `numpy.sum`: in halves down to 128 numbers, and those in eight partial
/// sums.
pub fn sum<T: Copy + Default + Add<Output = T>>(numbers: &[T]) -> T {
    let n = numbers.len();
    if n < LANES {
        return numbers.iter().copied().reduce(T::add).unwrap_or_default();
    }
    if n > BLOCK {
        let half = n / 2 - n / 2 % LANES;
        return sum(&numbers[..half]) + sum(&numbers[half..]);
    }
    let (rounds, rest) = numbers.split_at(n - n % LANES);
    let mut lanes: [T; LANES] = std::array::from_fn(|i| rounds[i]);
    for round in rounds[LANES..].chunks_exact(LANES) {
        lanes.iter_mut().zip(round).for_each(|(lane, &x)| *lane = *lane + x);
    }
    let [a, b, c, d, e, f, g, h] = lanes;
    rest.iter().fold(((a + b) + (c + d)) + ((e + f) + (g + h)), |total, &x| total + x)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numpy::{pcg64::Pcg64, ziggurat::standard_normal};

    #[test]
    fn sums_equal_those_of_numpy() {
        // x = numpy.random.default_rng(n).standard_normal(n); numpy.sum(numpy.square(x)) of NumPy
        // 2.4.6, with x in float32 and as that in float64.
        for (n, single, double) in [
            (3, 10.871_58_f32, 10.871_580_944_334_006),
            (8, 13.882_955, 13.882_954_548_848_069),
            (17, 24.247_654, 24.247_652_920_165_436),
            (84, 77.064_35, 77.064_345_565_327_63),
            (130, 104.197_58, 104.197_582_996_751_56),
        ] {
            let mut rng = Pcg64::seed_from(n);
            let x: Vec<f32> = (0..n).map(|_| standard_normal(&mut rng) as f32).collect();
            assert_eq!(sum(&x.iter().map(|x| x * x).collect::<Vec<_>>()), single, "{n}");
            let squares: Vec<f64> = x.iter().map(|&x| f64::from(x) * f64::from(x)).collect();
            assert_eq!(sum(&squares), double, "{n}");
        }
    }
}
