//! The damped Gauss-Newton direction d = −(H + λI)⁻¹ g, from a system on the side of the batch.
//!
//! ```text
//! (SᵀKS + bλI) v = −ρ,   d = Jᵀ S v
//! ```
//!
//! *Design.* How far to go along d is another question (see [`crate::Egn`]). What the solve leaves
//! behind answers most of it without another pass: SᵀJd = SᵀKSv = −(ρ + bλv), so dᵀHd = ‖ρ + bλv‖²/b,
//! and g·d = −dᵀHd − λ‖d‖².

use crate::{
    Linearization, Problem, Real, RowSystem, SolverError, cholesky::symmetric_product, problem::sum_of_squares,
};

/// Where ‖ρ + bλv‖ falls below this part of ‖ρ‖ the difference has lost too many digits, and SᵀKSv
/// is multiplied out instead: strong damping, or ρ = r/√p of a saturated softmax.
const CANCELLED: f64 = 1e-5;

/// The last direction, and storage kept from step to step.
pub struct Direction<T> {
    system: RowSystem,
    rho: Vec<f64>,
    v: Vec<f64>,
    values: Vec<T>,
    /// SᵀJt of the tangent last measured.
    change: Vec<f64>,
    batch: usize,
}

/// What is known of a direction besides its entries.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Solution {
    /// Loss of the batch at θ.
    pub loss: f64,
    /// Samples, b.
    pub batch: usize,
    /// ‖d‖.
    pub norm: f64,
    /// g·d, never positive.
    pub slope: f64,
    /// dᵀHd.
    pub curvature: f64,
    /// Smallest squared pivot of the row system's Cholesky factor.
    pub smallest_pivot: f64,
    /// ‖g‖, when asked for.
    pub gradient_norm: Option<f64>,
    /// ‖(SᵀKS + bλI) v + ρ‖ / ‖ρ‖, when asked for.
    pub solve_residual: Option<f64>,
}

impl<T: Real> Default for Direction<T> {
    fn default() -> Self {
        Self {
            system: RowSystem::default(),
            rho: Vec::new(),
            v: Vec::new(),
            values: Vec::new(),
            change: Vec::new(),
            batch: 0,
        }
    }
}

impl<T: Real> Direction<T> {
    /// d, (p).
    pub fn values(&self) -> &[T] {
        &self.values
    }

    /// Linearises `problem` and solves for d with damping λ; `diagnose` asks for the norms that cost
    /// extra.
    ///
    /// # Errors
    /// When the loss is not finite, or the system is singular, which λ > 0 excludes in exact
    /// arithmetic.
    ///
    /// Source: Korbit et al., arXiv 2405.14402, with a square root of Q so that the system is
    /// symmetric.
    pub fn solve(
        &mut self,
        problem: &mut dyn Problem<T>,
        damping: f64,
        diagnose: bool,
    ) -> Result<Solution, SolverError> {
        let Self { system, rho, v, values, .. } = self;
        let Linearization { loss, batch } = problem.linearize(rho)?;
        self.batch = batch;
        problem.gram(system.gram_mut(rho.len()));
        let gram = diagnose.then(|| system.gram());

        v.clear();
        v.extend(rho.iter().map(|r| -r));
        let smallest_pivot = system.solve(damping, batch, v)?.smallest_pivot;
        values.resize(problem.params().elem_count(), T::zero());
        problem.pull_back(v, values);

        let b = batch as f64;
        let norm = sum_of_squares(values).sqrt();
        let mut change: f64 = rho.iter().zip(&*v).map(|(rho, v)| (rho + b * damping * v).powi(2)).sum();
        if change < CANCELLED * CANCELLED * sum_of_squares(rho) {
            problem.gram(system.gram_mut(rho.len()));
            change = sum_of_squares(&symmetric_product(&system.gram(), v));
        }
        let curvature = change / b;
        Ok(Solution {
            loss,
            batch,
            norm,
            slope: -curvature - damping * norm * norm,
            curvature,
            smallest_pivot,
            gradient_norm: gram.as_ref().map(|gram| gradient_norm(gram, rho, b)),
            solve_residual: gram.as_ref().map(|gram| solve_residual(gram, rho, v, b * damping)),
        })
    }

    /// g·t and tᵀHt of any tangent t (p), at the last linearisation: g = JᵀSρ/b, H = JᵀSSᵀJ/b.
    pub fn measure(&mut self, problem: &mut dyn Problem<T>, tangent: &[T]) -> (f64, f64) {
        problem.push_forward(tangent, &mut self.change);
        let b = self.batch as f64;
        let slope: f64 = self.rho.iter().zip(&self.change).map(|(rho, change)| rho * change).sum();
        (slope / b, sum_of_squares(&self.change) / b)
    }
}

/// ‖g‖ = ‖JᵀSρ‖/b = √(ρᵀ SᵀKS ρ)/b.
fn gradient_norm(gram: &[f64], rho: &[f64], b: f64) -> f64 {
    let squares: f64 = symmetric_product(gram, rho).iter().zip(rho).map(|(k, r)| k * r).sum();
    squares.max(0.0).sqrt() / b
}

/// ‖(SᵀKS + shift·I) v + ρ‖ / ‖ρ‖, zero where ρ is.
fn solve_residual(gram: &[f64], rho: &[f64], v: &[f64], shift: f64) -> f64 {
    let errors = symmetric_product(gram, v).into_iter().zip(v).zip(rho).map(|((k, v), r)| k + shift * v + r);
    let size = rho.iter().map(|r| r * r).sum::<f64>().sqrt();
    if size == 0.0 { 0.0 } else { errors.map(|e| e * e).sum::<f64>().sqrt() / size }
}
