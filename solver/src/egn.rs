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
//! Source: Korbit, Adeoye, Bemporad, Zanon, arXiv 2405.14402.

use serde::{Deserialize, Serialize};

use crate::{
    Direction, Optimizer, Problem, Real, Report, Schedule, SolverError, StepContext, optimizer::require,
    problem::take_step,
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
    direction: Direction<T>,
}

impl<T: Real> Egn<T> {
    /// Ready to take its first step.
    pub fn new(config: EgnConfig) -> Self {
        Self { config, direction: Direction::default() }
    }
}

impl<T: Real> Optimizer<T> for Egn<T> {
    fn step(&mut self, problem: &mut dyn Problem<T>, context: StepContext) -> Result<Report, SolverError> {
        let lambda = self.config.lambda.at(context.progress);
        let solution = self.direction.solve(problem, lambda, context.diagnose)?;
        let kl_limit = self.config.kl_limit.map(|limit| limit.at(context.progress));
        let lr = self.config.lr.at(context.progress);
        let alpha = kl_limit.map_or(lr, |limit| lr.min((2.0 * limit / solution.curvature).sqrt()));
        let step_norm = take_step(problem.params(), self.direction.values(), solution.norm, alpha, lambda)?;

        let half_curvature = 0.5 * alpha * alpha * solution.curvature;
        Ok(Report {
            loss: solution.loss,
            step_norm,
            alpha,
            damping: Some(lambda),
            predicted_decrease: Some(-alpha * solution.slope - half_curvature),
            predicted_kl: kl_limit.map(|_| half_curvature),
            smallest_pivot: Some(solution.smallest_pivot),
            gradient_norm: solution.gradient_norm,
            solve_residual: solution.solve_residual,
        })
    }
}
