//! The one trait behind which every optimizer stands.

use rand::RngCore;
use serde::Serialize;

use crate::{
    error::SolverError,
    linalg::{cholesky::RowSystem, real::Real},
    optimizer::problem::Problem,
    state::{State, StateError},
};

/// A rule that changes a problem's parameters.
pub trait Optimizer<T: Real>: Send {
    /// One step on the problem as it stands.
    ///
    /// # Errors
    /// When no step could be taken; the parameters and the optimizer's own
    /// state are then as before.
    fn step(&mut self, problem: &mut dyn Problem<T>, context: StepContext<'_>) -> Result<Report, SolverError>;

    /// Seeds the random draws of an optimizer that makes any, from a stream; called once, before
    /// its first step.
    fn seed(&mut self, _rng: &mut dyn RngCore) {}

    /// All that later steps depend on, the parameters aside.
    fn state(&self) -> State;

    /// Restores the state of an optimizer with the same settings on `n_params` parameters.
    ///
    /// # Errors
    /// When it is not such a state; this optimizer is then as it was.
    fn restore(&mut self, state: &State, n_params: usize) -> Result<(), StateError>;
}

/// What a step needs to know of the run around it.
#[derive(Debug, Default)]
pub struct StepContext<'a> {
    /// Fraction of training done, in [0, 1]: where schedules stand.
    pub progress: f64,
    /// Also report what costs extra: gradient norm and solve residual of an EGN step.
    pub diagnose: bool,
    /// Storage of row systems that is shared with networks which step before and after; without it
    /// an optimizer uses its own.
    pub storage: Option<&'a mut RowSystem>,
}

impl<'a> StepContext<'a> {
    /// The context with row-system storage that other networks share.
    pub fn lending(self, storage: &'a mut RowSystem) -> Self {
        Self { storage: Some(storage), ..self }
    }
}

/// What a step did. Fields that do not apply to the optimizer, or were not asked for, are `None`.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Report {
    /// Loss of the batch before the step.
    pub loss: f64,
    /// Norm ‖g‖ of the gradient, before clipping.
    pub gradient_norm: Option<f64>,
    /// Norm ‖Δθ‖ of the step.
    pub step_norm: f64,
    /// α: what the direction was multiplied by.
    pub alpha: f64,
    /// Damping λ.
    pub damping: Option<f64>,
    /// Share of the system's rows that the step fits, tr(K̃A⁻¹)/n, in [0, 1], by one random probe:
    /// near 1 a step interpolates its batch, noise and all.
    pub fitted: Option<f64>,
    /// Rows of the system that was solved.
    pub rows: Option<usize>,
    /// Rows that it would have with all rows of every sample.
    pub all_rows: Option<usize>,
    /// −(g·Δ + ½ ΔᵀHΔ): what the undamped model says the step gains, weight decay aside.
    pub predicted_decrease: Option<f64>,
    /// ½ α² dᵀHd, the KL divergence a policy's step was predicted to make, weight decay aside.
    pub predicted_kl: Option<f64>,
    /// ‖(SᵀKS + bλI) v + ρ‖ / ‖ρ‖.
    pub solve_residual: Option<f64>,
    /// Smallest squared pivot of the row system's Cholesky factor.
    pub smallest_pivot: Option<f64>,
    /// Losses that a line search evaluated.
    pub trials: Option<u32>,
    /// How much the loss of the batch fell at the last point tried.
    pub actual_decrease: Option<f64>,
    /// Actual over predicted decrease, damping included.
    pub gain_ratio: Option<f64>,
    /// Why the step was taken back, if it was; α and the step's norm are then zero.
    pub rejection: Option<Rejection>,
}

/// Why a step was taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rejection {
    /// The line search found no step that gains enough.
    LineSearch,
    /// The loss rose, or is not finite.
    GainRatio,
}
