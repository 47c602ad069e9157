//! Exact Gauss-Newton: the damped step, solved on the side of the mini-batch.
//!
//! Quick facts: any loss with a declared curvature; one symmetric system of b·k rows a step; exact,
//! without conjugate gradients, Kronecker factors or a hidden epsilon.
//!
//! ```text
//! (SᵀKS + bλI) v = ρ,   d = −Jᵀ S v,   θ ← θ + α d
//! ```
//!
//! With `kl_limit` δ the step of a policy is shortened to a predicted KL divergence of δ:
//! α = min(lr, √(2δ / dᵀHd)). With the Fisher curvature this is TRPO's step (Schulman et al. 2015,
//! arXiv 1502.05477, appendix C) with an exact solve in place of conjugate gradients.
//!
//! *Design.* What the solve leaves behind answers most questions without another pass:
//! SᵀKSv = ρ − bλv, hence dᵀHd = ‖ρ − bλv‖²/b and g·d = −ρ·(ρ − bλv)/b.
//!
//! Source: Korbit, Adeoye, Bemporad, Zanon, arXiv 2405.14402.

use serde::{Deserialize, Serialize};

use crate::{
    Linearization, Optimizer, Problem, Real, Report, RowSystem, Schedule, SolverError, StepContext,
    cholesky::symmetric_product, optimizer::require, problem::take_step,
};

/// Settings of [`Egn`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EgnConfig {
    /// Longest step α, in [0, ∞); 1 is the full Gauss-Newton step.
    pub lr: Schedule,
    /// λ, in [0, ∞): damping in parameter space. Zero needs a row system of full rank.
    pub lambda: Schedule,
    /// δ, in (0, ∞): greatest predicted KL divergence of a step, for policies.
    pub kl_limit: Option<Schedule>,
}

impl Default for EgnConfig {
    fn default() -> Self {
        // The authors' own defaults: full steps, λ = 1 (python-somax 1.0.1).
        Self { lr: 1.0.into(), lambda: 1.0.into(), kl_limit: None }
    }
}

impl EgnConfig {
    /// Whether every setting is in its range.
    ///
    /// # Errors
    /// The first setting that is not, with the range.
    pub fn validate(&self) -> Result<(), String> {
        require(self.lr.stays_within(0.0, f64::MAX), "lr", "0 or more", self.lr)?;
        require(self.lambda.stays_within(0.0, f64::MAX), "lambda", "0 or more", self.lambda)?;
        self.kl_limit.map_or(Ok(()), |limit| {
            require(limit.stays_within(f64::MIN_POSITIVE, f64::MAX), "kl_limit", "positive", limit)
        })
    }
}

/// The optimizer.
pub struct Egn<T> {
    config: EgnConfig,
    system: RowSystem,
    rho: Vec<f64>,
    v: Vec<f64>,
    direction: Vec<T>,
}

impl<T: Real> Egn<T> {
    /// Ready to take its first step.
    pub fn new(config: EgnConfig) -> Self {
        Self { config, system: RowSystem::default(), rho: Vec::new(), v: Vec::new(), direction: Vec::new() }
    }
}

impl<T: Real> Optimizer<T> for Egn<T> {
    fn step(&mut self, problem: &mut dyn Problem<T>, context: StepContext) -> Result<Report, SolverError> {
        let lambda = self.config.lambda.at(context.progress);
        let Linearization { loss, batch } = problem.linearize(&mut self.rho)?;
        let b = batch as f64;

        problem.gram(self.system.gram_mut(self.rho.len()));
        let gram = context.diagnose.then(|| self.system.gram());
        self.v.clone_from(&self.rho);
        let factorization = self.system.solve(lambda, batch, &mut self.v)?;

        // SᵀJ d = −SᵀKS v = −(ρ − bλv).
        let (mut curvature, mut slope) = (0.0, 0.0);
        for (rho, v) in self.rho.iter().zip(&self.v) {
            let change = rho - b * lambda * v;
            curvature += change * change / b;
            slope -= rho * change / b;
        }
        let kl_limit = self.config.kl_limit.map(|limit| limit.at(context.progress));
        let lr = self.config.lr.at(context.progress);
        let alpha = kl_limit.map_or(lr, |limit| lr.min((2.0 * limit / curvature).sqrt()));

        self.direction.resize(problem.params().elem_count(), T::zero());
        problem.pull_back(&self.v, &mut self.direction);
        let step_norm = take_step(problem.params(), &self.direction, -alpha, lambda)?;

        let model_curvature = 0.5 * alpha * alpha * curvature;
        Ok(Report {
            loss,
            step_norm,
            alpha,
            damping: Some(lambda),
            predicted_decrease: Some(-alpha * slope - model_curvature),
            predicted_kl: kl_limit.map(|_| model_curvature),
            smallest_pivot: Some(factorization.smallest_pivot),
            gradient_norm: gram.as_ref().map(|gram| gradient_norm(gram, &self.rho, b)),
            solve_residual: gram.as_ref().map(|gram| solve_residual(gram, &self.rho, &self.v, b * lambda)),
        })
    }
}

/// ‖g‖ = ‖JᵀSρ‖/b = √(ρᵀ SᵀKS ρ)/b.
fn gradient_norm(gram: &[f64], rho: &[f64], b: f64) -> f64 {
    let squares: f64 = symmetric_product(gram, rho).iter().zip(rho).map(|(k, r)| k * r).sum();
    squares.max(0.0).sqrt() / b
}

/// ‖(SᵀKS + shift·I) v − ρ‖ / ‖ρ‖, zero where ρ is.
fn solve_residual(gram: &[f64], rho: &[f64], v: &[f64], shift: f64) -> f64 {
    let errors = symmetric_product(gram, v).into_iter().zip(v).zip(rho).map(|((k, v), r)| k + shift * v - r);
    let size = rho.iter().map(|r| r * r).sum::<f64>().sqrt();
    if size == 0.0 { 0.0 } else { errors.map(|e| e * e).sum::<f64>().sqrt() / size }
}
