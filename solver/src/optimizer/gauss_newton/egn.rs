//! Exact Gauss-Newton: the damped step, solved on the side of the mini-batch.
//!
//! Quick facts: any loss with a declared curvature; one symmetric system of b·k rows a step; exact,
//! without conjugate gradients, Kronecker factors or a hidden epsilon.
//!
//! ```text
//! (SᵀKS + bλI) v = −ρ,   d = Jᵀ S v,   θ ← θ + α d
//! ```
//!
//! What is added to the plain step, in the order in which it acts, each off by default:
//! 1. `rows` m keeps m rows of each sample, the first of which carries the gradient: exact for the
//!    curvature that is left ([`FewRows`]); what is said of the step, dᵀHd, is still of all rows;
//! 2. adaptive λ chooses the damping of the solve, by how well the last steps were predicted, or by
//!    what the row system says of the noise in it ([`DampingRule`]);
//! 3. momentum carries directions over, and begins anew after a step that was taken back:
//!    carried on, what led astray once would lead astray again, whatever λ (O'Donoghue,
//!    Candès 2015, arXiv 1204.3982);
//! 4. `kl_limit` δ shortens a policy's step to a predicted KL divergence of δ, α = min(lr,
//!    √(2δ / dᵀHd)): with the Fisher curvature this is TRPO's step (Schulman et al. 2015, arXiv
//!    1502.05477, appendix C) with an exact solve in place of conjugate gradients;
//! 5. the line search shortens it further;
//! 6. adaptive λ judges the result, and may take it back;
//! 7. decoupled weight decay, of the parameters before a step that stands, θ ← θ + α (d − wθ): what
//!    it adds to the loss, or to the divergence of a policy, is wanted, and judged by nobody.
//!
//! Source: Korbit, Adeoye, Bemporad, Zanon, arXiv 2405.14402.

use rand::RngCore;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    error::SolverError,
    linalg::{
        cholesky::RowSystem,
        real::Real,
        vector::{all_finite, sum_of_squares},
    },
    loss::few_rows::FewRows,
    optimizer::{
        gauss_newton::{
            adaptive_damping::{AdaptiveConfig, AdaptiveDamping},
            data_damping::{DampingRule, DataDamping},
            direction::{Direction, Measures, Solution},
            line_search::LineSearchConfig,
            momentum::{Momentum, MomentumForm},
        },
        optimizer::{Optimizer, Rejection, Report, StepContext},
        parameters::{place, take_step},
        problem::{Linearized, Problem},
        schedule::Schedule,
        settings::{BuildOptimizer, OptimizerSettings, check_decay},
    },
    setting::{SettingError, require},
    split_mix::mixed,
    state::{State, StateError},
};

/// Settings of [`Egn`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct EgnConfig {
    /// Longest step α, in [0, ∞); 1 is the full Gauss-Newton step.
    pub lr: Schedule,
    /// λ, in [0, ∞): damping in parameter space; 0 needs a row system of full rank.
    pub lambda: Schedule,
    /// What decides λ: `fixed` is `lambda`, or `adaptive` where that is given; `evidence` begins at
    /// `lambda` and follows the noise of the batches, `fitted` the share of its rows that a step
    /// fits. For policies; without a `kl_limit` a large λ makes steps short as well.
    pub damping: DampingRule,
    /// Share of its rows that a step is to fit, in (0, 1), with damping `fitted`.
    pub fitted: f64,
    /// How much log λ changes at most in a step, above 0, with damping `evidence` or `fitted`.
    pub damping_rate: f64,
    /// m, 1 or more: rows of curvature kept of each sample, the first of which carries the
    /// gradient, for losses with many; all rows unless given.
    pub rows: Option<usize>,
    /// δ, in (0, ∞): greatest predicted KL divergence of a step, weight decay aside, for policies.
    pub kl_limit: Option<Schedule>,
    /// μ, in [0, 1): how much of the last directions a direction keeps.
    pub momentum: f64,
    /// How momentum carries directions over: `average`, `trace` (Polyak) or `nesterov`.
    pub momentum_form: MomentumForm,
    /// w, in [0, ∞): decoupled decay of the parameters, θ loses α w θ a step.
    pub weight_decay: f64,
    /// Armijo line search along the direction, from `lr` down; none unless given.
    pub line_search: Option<LineSearchConfig>,
    /// Adaptive damping, which starts at `lambda` and then follows its own rule; none unless given.
    pub adaptive: Option<AdaptiveConfig>,
}

impl Default for EgnConfig {
    fn default() -> Self {
        // The authors' own defaults: full steps, λ = 1 (python-somax 1.0.1).
        Self {
            lr: 1.0.into(),
            lambda: 1.0.into(),
            damping: DampingRule::Fixed,
            fitted: 0.02,
            damping_rate: 0.1,
            rows: None,
            kl_limit: None,
            momentum: 0.0,
            momentum_form: MomentumForm::default(),
            weight_decay: 0.0,
            line_search: None,
            adaptive: None,
        }
    }
}

impl OptimizerSettings for EgnConfig {
    fn summary(&self) -> &'static str {
        "exact Gauss-Newton: damped; line search, adaptive damping, KL trust region (arXiv 2405.14402)"
    }

    fn validate(&self) -> Result<(), SettingError> {
        self.lr.require("lr", [0.0, f64::MAX], "0 or more and finite")?;
        self.lambda.require("lambda", [0.0, f64::MAX], "0 or more and finite")?;
        require(self.fitted > 0.0 && self.fitted < 1.0, "fitted", "in (0, 1)", self.fitted)?;
        let rate = self.damping_rate;
        require(rate > 0.0 && rate.is_finite(), "damping_rate", "above 0", rate)?;
        if self.damping != DampingRule::Fixed {
            require(self.adaptive.is_none(), "adaptive", "none with a damping that is not fixed", "given")?;
        }
        require(self.rows.is_none_or(|rows| rows > 0), "rows", "1 or more", self.rows)?;
        if let Some(limit) = self.kl_limit {
            limit.require("kl_limit", [f64::MIN_POSITIVE, f64::MAX], "positive and finite")?;
        }
        require((0.0..1.0).contains(&self.momentum), "momentum", "in [0, 1)", self.momentum)?;
        check_decay(self.weight_decay)?;
        self.line_search.map_or(Ok(()), |search| search.validate())?;
        self.adaptive.map_or(Ok(()), |adaptive| adaptive.validate())
    }

    fn holds_row_system(&self) -> bool {
        true
    }

    fn rows_kept(&self, rows_per_sample: u64) -> u64 {
        self.rows.map_or(rows_per_sample, |rows| rows_per_sample.min(rows as u64))
    }
}

impl<T: Real> BuildOptimizer<T> for EgnConfig {
    fn build(&self) -> Box<dyn Optimizer<T>> {
        Box::new(Egn::new(self.clone()))
    }
}

/// The exact Gauss-Newton optimizer.
pub struct Egn<T> {
    config: EgnConfig,
    direction: Direction<T>,
    momentum: Momentum<T>,
    /// The direction after momentum and decay, where there are any.
    used: Vec<T>,
    damping: AdaptiveDamping,
    data_damping: DataDamping,
    /// α of the last line search.
    last_alpha: Option<f64>,
    /// θ before a step that may be taken back.
    origin: Vec<T>,
    /// What the signs of probes are drawn from, and how many steps have drawn.
    seed: u64,
    n_draws: u64,
    /// Row system of an optimizer that is lent no storage.
    system: RowSystem,
}

/// The loss along the direction used, to second order: f + α slope + ½α² curvature.
#[derive(Clone, Copy)]
struct Along {
    norm: f64,
    slope: f64,
    curvature: f64,
}

impl<T: Real> Egn<T> {
    /// Exact Gauss-Newton, ready to take its first step.
    pub fn new(config: EgnConfig) -> Self {
        Self {
            config,
            direction: Direction::default(),
            momentum: Momentum::default(),
            used: Vec::new(),
            damping: AdaptiveDamping::default(),
            data_damping: DataDamping::default(),
            last_alpha: None,
            origin: Vec::new(),
            seed: 0,
            n_draws: 0,
            system: RowSystem::default(),
        }
    }

    /// Whether the optimizer draws probes.
    fn draws(&self) -> bool {
        self.config.rows.is_some() || self.config.damping != DampingRule::Fixed
    }

    /// The λ of the next step.
    fn damping(&mut self, progress: f64) -> f64 {
        let scheduled = self.config.lambda.at(progress);
        match (self.config.damping, self.config.adaptive) {
            (DampingRule::Fixed, None) => scheduled,
            (DampingRule::Fixed, Some(adaptive)) => self.damping.at(&adaptive, scheduled),
            (DampingRule::Evidence | DampingRule::Fitted, _) => self.data_damping.at(scheduled),
        }
    }

    /// Raises the damping, where it moves at all, after an error that more of it may cure.
    fn raise(&mut self, error: SolverError) -> SolverError {
        let curable = !matches!(
            error,
            SolverError::NonFiniteLoss { .. } | SolverError::EmptyBatch | SolverError::NoCurvature { .. }
        );
        if curable {
            self.config.adaptive.iter().for_each(|adaptive| self.damping.raise(adaptive));
            self.data_damping.raise(self.config.damping_rate);
        }
        error
    }

    /// What to measure of a solve: the fit where λ follows it, and for reports.
    fn measures(&self, diagnose: bool) -> Measures {
        let fit = match self.config.damping {
            DampingRule::Evidence | DampingRule::Fitted => Some(!mixed(self.seed, self.n_draws)),
            // Any signs do for a report.
            DampingRule::Fixed => diagnose.then_some(0),
        };
        Measures { norms: diagnose, fit }
    }

    /// Momentum: the direction to follow, into `used`, and the model along it.
    fn combine(&mut self, linearized: &mut dyn Linearized<T>, solution: &Solution) -> Along {
        let EgnConfig { momentum, momentum_form, .. } = self.config;
        self.used.clear();
        if momentum == 0.0 {
            return Along { norm: solution.norm, slope: solution.slope, curvature: solution.curvature };
        }
        self.momentum.propose(momentum, momentum_form, self.direction.values(), &mut self.used);
        let (slope, curvature) = self.direction.measure(linearized, &self.used);
        Along { norm: sum_of_squares(&self.used).sqrt(), slope, curvature }
    }

    /// Turns the direction used towards zero for parameters `theta`, and gives its new length.
    fn decay(&mut self, theta: &[T]) -> f64 {
        if self.used.is_empty() {
            self.used.extend_from_slice(self.direction.values());
        }
        let decay = T::of(self.config.weight_decay);
        self.used.iter_mut().zip(theta).for_each(|(u, &x)| *u -= decay * x);
        sum_of_squares(&self.used).sqrt()
    }

    /// Takes a step of at most `longest`, searched for and judged where that is asked for.
    fn advance(
        &mut self,
        problem: &mut dyn Problem<T>,
        along: Along,
        longest: f64,
        loss: f64,
        lambda: f64,
    ) -> Result<Advance, SolverError> {
        let EgnConfig { line_search, adaptive, weight_decay, .. } = self.config;
        if line_search.is_none() && adaptive.is_none() {
            let mut norm = along.norm;
            if weight_decay > 0.0 {
                norm = self.decay(problem.params());
            }
            let direction = if self.used.is_empty() { self.direction.values() } else { &self.used };
            take_step(problem.params(), direction, norm, longest, Some(lambda))?;
            return Ok(Advance { alpha: longest, norm, ..Advance::default() });
        }
        let Self { direction, used, origin, .. } = self;
        let direction = if used.is_empty() { direction.values() } else { used };
        if !(along.norm * longest).is_finite() {
            return Err(SolverError::NonFiniteStep { step_norm: along.norm * longest, damping: Some(lambda) });
        }
        origin.clear();
        origin.extend_from_slice(problem.params());
        let mut loss_at = |alpha| {
            place(problem.params(), origin, direction, alpha);
            problem.loss()
        };
        let mut advance = Advance { alpha: longest, norm: along.norm, ..Advance::default() };
        let reached = match line_search {
            None => loss_at(longest),
            Some(config) => {
                let search = config.search(self.last_alpha, longest, loss, along.slope, &mut loss_at);
                // Also where none was found: the next search goes on below.
                // A learning rate of zero is no place to start from.
                self.last_alpha = Some(search.alpha).filter(|&alpha| alpha > 0.0);
                advance.alpha = search.alpha;
                advance.trials = Some(search.trials);
                advance.rejection = (!search.accepted).then_some(Rejection::LineSearch);
                search.loss
            }
        };
        advance.actual_decrease = Some(loss - reached);
        if let Some(config) = adaptive {
            let squares = along.curvature + lambda * along.norm * along.norm;
            let predicted = -advance.alpha * (along.slope + 0.5 * advance.alpha * squares);
            advance.gain_ratio = Some((loss - reached) / predicted);
            if !self.damping.judge(&config, loss, loss - reached, predicted) {
                advance.rejection = advance.rejection.or(Some(Rejection::GainRatio));
            }
        }
        if weight_decay > 0.0 && advance.rejection.is_none() {
            let origin = std::mem::take(&mut self.origin);
            advance.norm = self.decay(&origin);
            place(problem.params(), &origin, &self.used, advance.alpha);
            self.origin = origin;
        }
        let finite = reached.is_finite() && all_finite(problem.params().iter().copied());
        if advance.rejection.is_some() || !finite {
            advance.rejection = advance.rejection.or(Some(Rejection::GainRatio));
            advance.alpha = 0.0;
            problem.params().copy_from_slice(&self.origin);
        }
        Ok(advance)
    }
}

/// How far a step went.
#[derive(Default)]
struct Advance {
    alpha: f64,
    /// Length of the direction followed, decay included.
    norm: f64,
    trials: Option<u32>,
    actual_decrease: Option<f64>,
    gain_ratio: Option<f64>,
    rejection: Option<Rejection>,
}

impl<T: Real> Optimizer<T> for Egn<T> {
    /// Takes one step, as every optimizer does; a solve that fails raises an adaptive damping.
    fn step(&mut self, problem: &mut dyn Problem<T>, context: StepContext<'_>) -> Result<Report, SolverError> {
        let lambda = self.damping(context.progress);
        let (measures, rows) = (self.measures(context.diagnose), self.config.rows);
        let rows = rows.map(|per_sample| FewRows { per_sample, seed: mixed(self.seed, self.n_draws) });
        let linearized = problem.linearize(rows).map_err(|error| self.raise(error))?;
        let [n_rows, _] = linearized.shape();
        let all_rows = linearized.all_rows();
        let system = context.storage.unwrap_or(&mut self.system);
        let solution = self.direction.solve(linearized, lambda, measures, system);
        let solution = solution.map_err(|error| self.raise(error))?;
        let along = self.combine(linearized, &solution);

        let kl_limit = self.config.kl_limit.map(|limit| limit.at(context.progress));
        let lr = self.config.lr.at(context.progress);
        let longest = kl_limit.map_or(lr, |limit| lr.min((2.0 * limit / along.curvature).sqrt()));
        let advance = self.advance(problem, along, longest, solution.loss, lambda);
        let advance = advance.map_err(|error| self.raise(error))?;
        match advance.rejection {
            None => self.momentum.accept(),
            Some(_) => self.momentum.forget(),
        }

        match (self.config.damping, solution.fit) {
            (DampingRule::Fixed, _) | (_, None) => {}
            (DampingRule::Evidence, Some(fit)) => self.data_damping.follow_evidence(fit, self.config.damping_rate),
            (DampingRule::Fitted, Some(fit)) => {
                self.data_damping.follow_share(fit, self.config.fitted, self.config.damping_rate);
            }
        }
        self.n_draws += 1;
        let alpha = advance.alpha;
        let half_curvature = 0.5 * alpha * alpha * along.curvature;
        Ok(Report {
            loss: solution.loss,
            step_norm: alpha * advance.norm,
            alpha,
            damping: Some(lambda),
            predicted_decrease: Some(-alpha * along.slope - half_curvature),
            predicted_kl: kl_limit.map(|_| half_curvature),
            fitted: solution.fit.map(|fit| fit.share),
            rows: Some(n_rows),
            all_rows: Some(all_rows),
            smallest_pivot: Some(solution.smallest_pivot),
            gradient_norm: solution.gradient_norm,
            solve_residual: solution.solve_residual,
            trials: advance.trials,
            actual_decrease: advance.actual_decrease,
            gain_ratio: advance.gain_ratio,
            rejection: advance.rejection,
        })
    }

    fn seed(&mut self, rng: &mut dyn RngCore) {
        if self.draws() {
            self.seed = rng.next_u64();
        }
    }

    fn state(&self) -> State {
        let mut state = State::default();
        state.put_part("momentum", self.momentum.state());
        state.put_part("damping", self.damping.state());
        state.put("last_alpha", self.last_alpha.as_slice());
        if self.draws() {
            state.put_part("data_damping", self.data_damping.state());
            state.put("probes", &[self.seed, self.n_draws]);
        }
        state
    }

    fn restore(&mut self, state: &State, n_params: usize) -> Result<(), StateError> {
        let momentum = Momentum::restored(&state.part("momentum"), n_params)?;
        let damping = AdaptiveDamping::restored(&state.part("damping"))?;
        let last_alpha = state.optional("last_alpha")?;
        if self.draws() {
            let data_damping = DataDamping::restored(&state.part("data_damping"))?;
            let probes = state.get_all::<u64>("probes", 2)?;
            self.data_damping = data_damping;
            (self.seed, self.n_draws) = (probes[0], probes[1]);
        }
        (self.momentum, self.damping, self.last_alpha) = (momentum, damping, last_alpha);
        Ok(())
    }
}
