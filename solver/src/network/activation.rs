//! Non-linearities, and their derivatives from what a forward pass leaves behind.

use serde::{Deserialize, Serialize};

use crate::linalg::{real::Real, vectors::vectorized};

/// The non-linearity after a dense or convolutional layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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
        Activation::Silu => scale(slopes, width, rows, |slope| slope),
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
}
