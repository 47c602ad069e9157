//! What an optimizer may ask of the thing it minimises.
//!
//! *Design.* A first-order method asks for a gradient, a Gauss-Newton method for a linearisation;
//! neither pays for the other. The parameters are one flat tensor that the optimizer changes in
//! place, where they stay once its step is known to be good; those of trials are taken back.

use candle_core::Tensor;

use crate::{
    Loss, Model, Real, SolverError,
    flat::{read_flat, update_flat},
    vectors::vectorized,
};

/// Loss and size of a batch at the parameters it was linearised at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Linearization {
    /// L = (1/b) Σ ℓᵢ.
    pub loss: f64,
    /// Samples, b.
    pub batch: usize,
}

/// A loss as a function of a flat parameter vector θ (p).
pub trait Problem<T: Real> {
    /// θ, (p), contiguous on the CPU.
    fn params(&self) -> &Tensor;

    /// The loss, and its gradient g (p).
    ///
    /// # Errors
    /// When the loss is not finite or the batch is empty.
    fn gradient(&mut self, gradient: &mut [T]) -> Result<f64, SolverError>;

    /// Linearises at θ: fills ρ (b·k) and prepares [`Problem::gram`] and [`Problem::pull_back`].
    ///
    /// # Errors
    /// As [`Problem::gradient`].
    fn linearize(&mut self, rho: &mut Vec<f64>) -> Result<Linearization, SolverError>;

    /// Whether g = JᵀSρ/b. Where it is not, ρ means nothing and only [`Problem::gradient`] has g.
    fn spans_residual(&self) -> bool {
        true
    }

    /// Lower triangle of SᵀKS, (b·k, b·k) column-major, at the last linearisation. Every entry of it is to be
    /// written: `gram` comes with anything in it.
    fn gram(&mut self, gram: &mut [f64]);

    /// Jᵀ S v into `result` (p), at the last linearisation.
    fn pull_back(&mut self, v: &[f64], result: &mut [T]);

    /// Sᵀ J t into `result` (b·k), at the last linearisation, for a `tangent` t (p).
    fn push_forward(&mut self, tangent: &[T], result: &mut Vec<f64>);

    /// The loss alone, which may be NaN; the last linearisation is lost.
    fn loss(&mut self) -> f64;
}

/// A network on the batch last loaded, with a loss.
pub struct NetworkProblem<'a, T> {
    model: &'a mut Model<T>,
    loss: &'a dyn Loss,
}

impl<'a, T: Real> NetworkProblem<'a, T> {
    /// `loss` at the batch last loaded into `model`.
    pub fn new(model: &'a mut Model<T>, loss: &'a dyn Loss) -> Self {
        Self { model, loss }
    }

    fn checked(&self, loss: f64) -> Result<f64, SolverError> {
        let batch = self.model.pass.batch();
        if loss.is_finite() { Ok(loss) } else { Err(SolverError::NonFiniteLoss { loss, batch }) }
    }

    fn outputs(&mut self) -> Result<(), SolverError> {
        if self.model.pass.batch() == 0 {
            return Err(SolverError::EmptyBatch);
        }
        // Once: the parameters move behind the model's back.
        if !std::mem::take(&mut self.model.is_current) {
            self.model.forward();
        }
        Ok(())
    }
}

impl<T: Real> Problem<T> for NetworkProblem<'_, T> {
    fn params(&self) -> &Tensor {
        &self.model.params
    }

    fn gradient(&mut self, gradient: &mut [T]) -> Result<f64, SolverError> {
        self.outputs()?;
        let mut residual = std::mem::take(&mut self.model.residual);
        let loss = self.loss.residual(&self.model.outputs, &mut residual);
        let batch = self.model.pass.batch();
        self.model.propagate(&residual);
        self.model.residual = residual;
        self.model.pass.pull_back(&self.model.network, &vec![1.0 / batch as f64; batch], gradient);
        self.checked(loss)
    }

    fn linearize(&mut self, rho: &mut Vec<f64>) -> Result<Linearization, SolverError> {
        self.outputs()?;
        let mut root = std::mem::take(&mut self.model.root);
        let loss = self.loss.root(&self.model.outputs, &mut root);
        if root.rho.is_empty() {
            return Err(SolverError::NoCurvature { n_outputs: self.model.outputs.n_outputs });
        }
        self.model.propagate(&root.rows);
        rho.clone_from(&root.rho);
        self.model.root = root;
        Ok(Linearization { loss: self.checked(loss)?, batch: self.model.pass.batch() })
    }

    fn spans_residual(&self) -> bool {
        self.loss.spans_residual()
    }

    fn gram(&mut self, gram: &mut [f64]) {
        self.model.pass.gram(&self.model.network, gram);
    }

    fn pull_back(&mut self, v: &[f64], result: &mut [T]) {
        self.model.pass.pull_back(&self.model.network, v, result);
    }

    fn push_forward(&mut self, tangent: &[T], result: &mut Vec<f64>) {
        let Model { network, params, pass, root, .. } = &mut *self.model;
        let change = read_flat::<T, _>(params, |theta| pass.push_forward(network, theta, tangent));
        let (c, k) = (network.n_outputs(), root.rho.len() * network.n_outputs() / change.len());
        let rows = root.rows.chunks_exact(c).enumerate();
        result.clear();
        result.extend(rows.map(|(row, s)| {
            let change = &change[row / k * c..][..c];
            s.iter().zip(change).map(|(s, t)| s * t.to_f64()).sum::<f64>()
        }));
    }

    fn loss(&mut self) -> f64 {
        self.model.forward();
        self.loss.value(&self.model.outputs)
    }
}

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

/// Whether every value is finite; without an early end, so that it vectorises.
pub(crate) fn all_finite<T: Real>(values: impl Iterator<Item = T> + Clone) -> bool {
    vectorized(
        #[inline(always)]
        || values.clone().fold(true, |finite, x| finite & x.is_finite()),
    )
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

/// Σ x² in f64, in 32 interleaved sums so that it vectorises; the order is fixed.
pub(crate) fn sum_of_squares<T: Real>(values: &[T]) -> f64 {
    vectorized(
        #[inline(always)]
        || {
            let mut sums = [0.0_f64; 32];
            let (chunks, rest) = values.as_chunks::<32>();
            for chunk in chunks {
                for i in 0..32 {
                    let x = chunk[i].to_f64();
                    sums[i] += x * x;
                }
            }
            let rest: f64 = rest.iter().map(|x| x.to_f64() * x.to_f64()).sum();
            sums.iter().sum::<f64>() + rest
        },
    )
}
