//! Non-linearities, and their derivatives from what a forward pass leaves behind.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::linalg::{real::Real, vectors::vectorized};

/// The non-linearity after a dense or convolutional layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Activation {
    /// No activation.
    Identity,
    /// Hyperbolic tangent.
    Tanh,
    /// max(z, 0), with derivative 0 at 0 as in PyTorch (candle takes 1).
    Relu,
    /// z σ(z), σ the logistic function.
    ///
    /// Source: Elfwing, Uchibe, Doya (2018), "Sigmoid-weighted linear units for neural network
    /// function approximation in reinforcement learning", arXiv 1702.03118.
    Silu,
    /// z Φ(z), Φ the distribution function of the standard normal: PyTorch's default, by the error
    /// function and not by its tanh approximation.
    ///
    /// Source: Hendrycks, Gimpel (2016), "Gaussian error linear units", arXiv 1606.08415.
    Gelu,
    /// z above 0 and eᶻ − 1 below: PyTorch's, with α = 1.
    ///
    /// Source: Clevert, Unterthiner, Hochreiter (2016), "Fast and accurate deep network learning by
    /// exponential linear units", arXiv 1511.07289.
    Elu,
}

impl Activation {
    /// All there are.
    pub const ALL: [Self; 6] = [Self::Identity, Self::Tanh, Self::Relu, Self::Silu, Self::Gelu, Self::Elu];
}

/// `values` ← activation(`values`). Where the derivative is no function of the output it is written
/// to `slopes`, which is left empty otherwise.
pub(crate) fn activate<T: Real>(activation: Activation, values: &mut [T], slopes: &mut Vec<T>) {
    slopes.clear();
    match activation {
        Activation::Identity => {}
        Activation::Tanh => T::tanh_in_place(values),
        // Written so that NaN stays NaN.
        Activation::Relu => vectorized(
            #[inline(always)]
            || values.iter_mut().for_each(|x| *x = if *x < T::zero() { T::zero() } else { *x }),
        ),
        Activation::Silu => {
            slopes.extend_from_slice(values);
            T::logistic_in_place(slopes);
            vectorized(
                #[inline(always)]
                || {
                    for (z, s) in values.iter_mut().zip(slopes.iter_mut()) {
                        let logistic = *s;
                        *s = logistic * (T::one() + *z * (T::one() - logistic));
                        *z *= logistic;
                    }
                },
            );
        }
        Activation::Gelu => {
            slopes.resize(values.len(), T::zero());
            for (z, slope) in values.iter_mut().zip(slopes) {
                let [below, density] = z.standard_normal();
                *slope = below + *z * density;
                *z *= below;
            }
        }
        // Written so that NaN stays NaN.
        Activation::Elu => values.iter_mut().for_each(|x| *x = if *x > T::zero() { *x } else { x.exp_minus_one() }),
    }
}

/// Multiplies each row (b·k, n) by the derivative of its sample, known from the `outputs` (b, n)
/// and `slopes` of [`activate`].
pub(crate) fn scale_by_derivative<T: Real>(
    activation: Activation,
    outputs: &[T],
    slopes: &[T],
    width: usize,
    rows: &mut [T],
) {
    match activation {
        Activation::Identity => {}
        Activation::Tanh => scale(outputs, width, rows, |a| T::one() - a * a),
        Activation::Relu => scale(outputs, width, rows, |a| if a > T::zero() { T::one() } else { T::zero() }),
        Activation::Silu | Activation::Gelu => scale(slopes, width, rows, |slope| slope),
        Activation::Elu => scale(outputs, width, rows, |a| if a > T::zero() { T::one() } else { a + T::one() }),
    }
}

fn scale<T: Real>(known: &[T], width: usize, rows: &mut [T], derivative: impl Fn(T) -> T) {
    if rows.is_empty() {
        return;
    }
    assert_eq!(rows.len() % known.len(), 0, "{} entries of rows for {} outputs", rows.len(), known.len());
    let k = rows.len() / known.len();
    // One row a sample: all in one run.
    let width = if k == 1 { known.len() } else { width };
    vectorized(
        #[inline(always)]
        || {
            for (known, group) in known.chunks_exact(width).zip(rows.chunks_exact_mut(k * width)) {
                for row in group.chunks_exact_mut(width) {
                    row.iter_mut().zip(known).for_each(|(d, &a)| *d *= derivative(a));
                }
            }
        },
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silu_by_hand() {
        // z σ(z) and σ(1 + z(1 − σ)) at ln 3, where σ = ¾; NaN stays NaN.
        let (mut values, mut slopes) = ([libm::log(3.0_f64), 0.0, f64::NAN, -800.0], Vec::new());
        activate(Activation::Silu, &mut values, &mut slopes);
        let z = libm::log(3.0_f64);
        assert!((values[0] - 0.75 * z).abs() < 1e-15 && (slopes[0] - 0.75 * (1.0 + 0.25 * z)).abs() < 1e-15);
        assert!((values[1], slopes[1]) == (0.0, 0.5) && values[2].is_nan() && (values[3], slopes[3]) == (-0.0, 0.0));
    }

    #[test]
    fn gelu_by_hand() {
        // Φ(1) and φ(1) of any table; far below nothing is left, and NaN stays NaN.
        let (mut values, mut slopes) = ([1.0_f64, 0.0, f64::NAN, -800.0, 800.0], Vec::new());
        activate(Activation::Gelu, &mut values, &mut slopes);
        let (below, density) = (0.841_344_746_068_542_9, 0.241_970_724_519_143_37);
        assert!((values[0] - below).abs() < 1e-15 && (slopes[0] - below - density).abs() < 1e-15);
        assert!((values[1], slopes[1]) == (0.0, 0.5) && values[2].is_nan());
        assert!((values[3], slopes[3]) == (0.0, 0.0) && (values[4], slopes[4]) == (800.0, 1.0));
    }

    #[test]
    fn elu_by_hand() {
        let (mut values, mut slopes) = ([-libm::log(4.0_f64), 0.0, 2.5, f64::NAN, -800.0], Vec::new());
        activate(Activation::Elu, &mut values, &mut slopes);
        assert!((values[0] + 0.75).abs() < 1e-15 && values[1..3] == [0.0, 2.5] && values[3].is_nan());
        let mut rows = [2.0; 5];
        scale_by_derivative(Activation::Elu, &values, &slopes, 5, &mut rows);
        assert!((rows[0] - 0.5).abs() < 1e-15 && rows[1..3] == [2.0, 2.0] && (values[4], rows[4]) == (-1.0, 0.0));
    }
}
