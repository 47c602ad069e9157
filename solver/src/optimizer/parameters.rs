//! Changes of θ, refused where the network's number type cannot hold what would come of them.

use candle_core::Tensor;

use crate::{
    error::SolverError,
    linalg::{
        flat::update_flat,
        real::Real,
        vector::{all_finite, sum_of_squares},
        vectors::vectorized,
    },
};

/// θ ← `origin` + α·direction.
pub(crate) fn place<T: Real>(params: &Tensor, origin: &[T], direction: &[T], alpha: f64) {
    let alpha = T::of(alpha);
    update_flat::<T, _>(params, |theta| {
        for ((x, &origin), &d) in theta.iter_mut().zip(origin).zip(direction) {
            *x = origin + alpha * d;
        }
    });
}

/// θ ← θ + α·direction, unless an entry of it would not be finite. `norm` is ‖direction‖; returns
/// ‖α·direction‖.
///
/// # Errors
/// [`SolverError::NonFiniteStep`]; θ is then as it was.
pub(crate) fn take_step<T: Real>(
    params: &Tensor,
    direction: &[T],
    norm: f64,
    alpha: f64,
    damping: Option<f64>,
) -> Result<f64, SolverError> {
    let step_norm = alpha.abs() * norm;
    if !step_norm.is_finite() {
        return Err(SolverError::NonFiniteStep { step_norm, damping });
    }
    let alpha = T::of(alpha);
    let taken = update_flat::<T, _>(params, |theta| {
        // In T, where an overflow would happen.
        let finite = all_finite(theta.iter().zip(direction).map(|(&x, &d)| x + alpha * d));
        if finite {
            vectorized(
                #[inline(always)]
                || theta.iter_mut().zip(direction).for_each(|(x, &d)| *x += alpha * d),
            );
        }
        finite
    });
    if taken { Ok(step_norm) } else { Err(SolverError::NonFiniteStep { step_norm, damping }) }
}

/// ‖g‖ of a gradient whose squares a network's type can hold.
///
/// # Errors
/// [`SolverError::NonFiniteStep`] otherwise.
pub(crate) fn finite_norm<T: Real>(gradient: &[T]) -> Result<f64, SolverError> {
    let squares = sum_of_squares(gradient);
    if T::of(squares).is_finite() {
        Ok(squares.sqrt())
    } else {
        Err(SolverError::NonFiniteStep { step_norm: squares.sqrt(), damping: None })
    }
}

/// What a gradient of this norm is multiplied by, as `torch.nn.utils.clip_grad_norm_`.
pub(crate) fn clip_factor(norm: f64, limit: Option<f64>) -> f64 {
    limit.map_or(1.0, |limit| (limit / (norm + 1e-6)).min(1.0))
}
