//! Changes of θ, refused where the network's number type cannot hold what would come of them.

use crate::{
    error::SolverError,
    linalg::{
        real::Real,
        vector::{all_finite, sum_of_squares},
        vectors::vectorized,
    },
};

/// θ ← `origin` + α·direction.
pub(crate) fn place<T: Real>(theta: &mut [T], origin: &[T], direction: &[T], alpha: f64) {
    let alpha = T::of(alpha);
    for ((x, &origin), &d) in theta.iter_mut().zip(origin).zip(direction) {
        *x = origin + alpha * d;
    }
}

/// θ ← θ + α·direction, unless an entry of it would not be finite. `norm` is ‖direction‖; returns
/// ‖α·direction‖.
///
/// # Errors
/// [`SolverError::NonFiniteStep`]; θ is then as it was.
pub(crate) fn take_step<T: Real>(
    theta: &mut [T],
    direction: &[T],
    norm: f64,
    alpha: f64,
    damping: Option<f64>,
) -> Result<f64, SolverError> {
    let step_norm = alpha.abs() * norm;
    let beyond = SolverError::NonFiniteStep { step_norm, damping };
    if !step_norm.is_finite() {
        return Err(beyond);
    }
    let alpha = T::of(alpha);
    // In T, where an overflow would happen.
    if !all_finite(theta.iter().zip(direction).map(|(&x, &d)| x + alpha * d)) {
        return Err(beyond);
    }
    vectorized(
        #[inline(always)]
        || theta.iter_mut().zip(direction).for_each(|(x, &d)| *x += alpha * d),
    );
    Ok(step_norm)
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

/// The factor that clips a gradient of this norm, as `torch.nn.utils.clip_grad_norm_`.
pub(crate) fn clip_factor(norm: f64, limit: Option<f64>) -> f64 {
    limit.map_or(1.0, |limit| (limit / (norm + 1e-6)).min(1.0))
}
