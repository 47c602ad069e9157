//! The two number types a network can have, and the dense kernels written for them.

use crate::linalg::{
    gram::{Factors, gram_plain},
    gram_tiles::{GramPanels, gram_f32},
    number::Number,
    params::Held,
    vectors::vectorized,
};

/// `f32` or `f64`: the type of a network's parameters and activations.
///
/// Losses and the row system are always `f64`.
pub trait Real: Number + Held {
    /// tanh of every value.
    fn tanh_in_place(values: &mut [Self]);

    /// The logistic function 1/(1 + e⁻ˣ) of every value.
    fn logistic_in_place(values: &mut [Self]);

    /// Φ(x) and φ(x), the distribution function and the density of the standard normal.
    ///
    /// By the complement of the error function, which keeps the digits of a small Φ that 1 + erf
    /// would cancel.
    fn standard_normal(self) -> [Self; 2];

    /// eˣ − 1.
    fn exp_minus_one(self) -> Self;

    /// Writes the lower triangle of Σ over layers (A Aᵀ + 1) ∘ (D Dᵀ), (b·k, b·k) column-major; the
    /// 1 is the bias. What is above the diagonal is left undefined.
    fn gram(layers: &[Factors<'_, Self>], k: usize, gram: &mut [f64], panels: &mut GramPanels);
}

/// tanh on |x| ≤ 7.9 as an odd polynomial over an even one; beyond, f32 cannot tell it from ±1.
///
/// Coefficients: the widely used minimax fit of Eigen's `ptanh` for single precision.
#[inline(always)]
fn rational_tanh(x: f32) -> f32 {
    const ODD: [f32; 7] =
        [-2.760_768_5e-16, 2.000_188e-13, -8.604_672e-11, 5.122_297e-8, 1.485_722_4e-5, 6.372_619_3e-4, 4.893_524_6e-3];
    const EVEN: [f32; 4] = [1.198_258_4e-6, 1.185_347_1e-4, 2.268_434_6e-3, 4.893_525e-3];
    let x = x.clamp(-7.905_311, 7.905_311);
    let square = x * x;
    let odd = ODD[1..].iter().fold(ODD[0], |sum, c| sum * square + c);
    let even = EVEN[1..].iter().fold(EVEN[0], |sum, c| sum * square + c);
    (x * odd / even).clamp(-1.0, 1.0)
}

impl Real for f32 {
    /// Rational approximation of degree 13 over 6, which compilers vectorize; libm's `tanhf` is
    /// scalar and costs more than the layer's matrix product. Relative error at most 8·2⁻²⁴ (the
    /// worst measured is 6·2⁻²⁴, near |x| = 7), where one unit of f32 rounding is 2⁻²⁴.
    fn tanh_in_place(values: &mut [f32]) {
        vectorized(
            #[inline(always)]
            || values.iter_mut().for_each(|x| *x = rational_tanh(*x)),
        );
    }

    /// ½(1 + tanh ½x), which compilers vectorize: within 2⁻²² of the truth, absolutely.
    fn logistic_in_place(values: &mut [f32]) {
        vectorized(
            #[inline(always)]
            || values.iter_mut().for_each(|x| *x = 0.5 + 0.5 * rational_tanh(0.5 * *x)),
        );
    }

    fn standard_normal(self) -> [f32; 2] {
        let density = libm::expf(-0.5 * self * self) / f32::sqrt(std::f32::consts::TAU);
        [0.5 * libm::erfcf(-self * std::f32::consts::FRAC_1_SQRT_2), density]
    }

    fn exp_minus_one(self) -> f32 {
        libm::expm1f(self)
    }

    fn gram(layers: &[Factors<'_, Self>], k: usize, gram: &mut [f64], panels: &mut GramPanels) {
        gram_f32(layers, k, gram, panels);
    }
}

impl Real for f64 {
    fn tanh_in_place(values: &mut [f64]) {
        for x in values.iter_mut() {
            *x = libm::tanh(*x);
        }
    }

    fn logistic_in_place(values: &mut [f64]) {
        values.iter_mut().for_each(|x| *x = 1.0 / (1.0 + libm::exp(-*x)));
    }

    fn standard_normal(self) -> [f64; 2] {
        let density = libm::exp(-0.5 * self * self) / f64::sqrt(std::f64::consts::TAU);
        [0.5 * libm::erfc(-self * std::f64::consts::FRAC_1_SQRT_2), density]
    }

    fn exp_minus_one(self) -> f64 {
        libm::expm1(self)
    }

    fn gram(layers: &[Factors<'_, Self>], k: usize, gram: &mut [f64], _: &mut GramPanels) {
        gram_plain(layers, k, gram);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rational_tanh_is_within_eight_roundings_of_tanh() {
        for i in -200_000..=200_000 {
            let x = i as f32 * 5e-5;
            let exact = libm::tanh(f64::from(x));
            let error = (f64::from(rational_tanh(x)) - exact).abs();
            assert!(error <= 8.0 * 0.5_f64.powi(24) * exact.abs(), "x {x} error {error:e}");
        }
    }

    #[test]
    fn logistic_is_within_its_bound_and_keeps_nan() {
        for i in -200_000..=200_000 {
            let mut x = [i as f32 * 5e-4];
            let exact = 1.0 / (1.0 + libm::exp(-f64::from(x[0])));
            f32::logistic_in_place(&mut x);
            let error = (f64::from(x[0]) - exact).abs();
            assert!(error <= 0.5_f64.powi(22), "at {}: error {error:e}", i as f32 * 5e-4);
        }
        let mut nan = [f32::NAN];
        f32::logistic_in_place(&mut nan);
        assert!(nan[0].is_nan());
    }

    #[test]
    fn tanh_keeps_nan() {
        let mut values = [f32::NAN, 0.0, f32::INFINITY, f32::NEG_INFINITY];
        f32::tanh_in_place(&mut values);
        assert!(values[0].is_nan());
        assert_eq!(values[1..], [0.0, 1.0, -1.0]);
    }

    #[test]
    fn single_precision_is_within_a_few_roundings_of_double() {
        for i in -120_000..=120_000 {
            let x = i as f32 * 1e-4;
            let ([below, density], [exact_below, exact_density]) =
                (x.standard_normal(), f64::from(x).standard_normal());
            let unit = 0.5_f64.powi(24);
            assert!((f64::from(below) - exact_below).abs() <= 2.0 * unit, "Φ({x}) is {below}");
            assert!((f64::from(density) - exact_density).abs() <= unit, "φ({x}) is {density}");
            let (ours, exact) = (f64::from(x.exp_minus_one()), f64::from(x).exp_minus_one());
            assert!((ours - exact).abs() <= 2.0 * unit * exact.abs(), "at {x}: {ours} for {exact}");
        }
    }
}
