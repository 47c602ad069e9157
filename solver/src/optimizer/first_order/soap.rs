//! SOAP: Adam in the bases that Shampoo would find, which turn slowly.
//!
//! ```text
//! L ← βL + (1−β)GGᵀ,  R ← βR + (1−β)GᵀG,  Q_L, Q_R: their eigenvectors
//! M ← β₁M + (1−β₁)G,  V ← β₂V + (1−β₂)(Q_LᵀGQ_R)²
//! W ← W − lr · √(1−β₂ᵗ)/(1−β₁ᵗ) · Q_L (Q_LᵀMQ_R / (√V + ε)) Q_Rᵀ,  then W ← W − lr·wW
//! ```
//!
//! Every few steps one power iteration with orthogonal columns, Q ← QR(LQ), takes the place of an
//! eigendecomposition. β is β₂. What has one row, a bias above all, is Adam's. The first step only
//! looks for bases and moves nothing: in its own bases a gradient is diagonal, and Adam would
//! divide rounding errors by each other.
//!
//! *Design.* The first L and R are of one gradient, whose singular vectors are their eigenvectors;
//! from these the larger side is completed as it comes. The cost of bases is n³ a matrix of n rows
//! (columns, n), every `precondition_frequency` steps; `max_precondition_dim` leaves the longer
//! sides out. A state holds L, R, Q_L and Q_R.
//!
//! Source: Vyas, Morwani, Zhao et al. (2024), "SOAP: improving and stabilizing Shampoo using Adam",
//! algorithm 3, arXiv 2409.11321; the steps are those of `SOAP` of `pytorch_optimizer` 4.1.0.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    error::SolverError,
    linalg::{
        matmul::matmul,
        matrix::{Matrix, Start},
        orthogonal::{orthonormal, singular_bases},
        params::Block,
        real::Real,
        vector::sum_of_squares,
    },
    optimizer::{
        optimizer::{Optimizer, Report, StepContext},
        parameters::{clip_factor, finite_norm, take_step},
        problem::Problem,
        schedule::Schedule,
        settings::{BuildOptimizer, OptimizerSettings, check_decay, check_first_order, check_moments},
    },
    setting::{SettingError, require},
    state::{State, StateError},
};

/// Settings of [`Soap`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SoapConfig {
    /// Step size, in [0, ∞).
    pub lr: Schedule,
    /// Decay of the gradient's average, in [0, 1).
    pub beta1: f64,
    /// Decay of the averages of squares, those that bases are found from included, in [0, 1).
    pub beta2: f64,
    /// ε, in (0, ∞): added to the root of the squared gradient's average.
    pub eps: f64,
    /// w, in [0, ∞): θ loses lr·w·θ a step.
    pub weight_decay: f64,
    /// Steps from one turn of the bases to the next, 1 or more.
    pub precondition_frequency: u32,
    /// Longest side of a matrix that has a basis, 0 or more.
    pub max_precondition_dim: u32,
    /// Greatest norm of a gradient, in (0, ∞): longer ones are shortened to it.
    pub max_grad_norm: Option<f64>,
}

impl Default for SoapConfig {
    fn default() -> Self {
        // The authors' https://github.com/nikhilvyas/SOAP.
        let (lr, beta1, beta2, eps, weight_decay) = (3e-3.into(), 0.95, 0.95, 1e-8, 0.01);
        let (precondition_frequency, max_precondition_dim) = (10, 10_000);
        Self { lr, beta1, beta2, eps, weight_decay, precondition_frequency, max_precondition_dim, max_grad_norm: None }
    }
}

impl SoapConfig {
    /// Lengths of the sides of a block that have a basis.
    fn sides(&self, block: &Block) -> [Option<usize>; 2] {
        let is_matrix = block.shape[0] > 1;
        block.shape.map(|n| Some(n).filter(|&n| is_matrix && n <= self.max_precondition_dim as usize))
    }
}

impl OptimizerSettings for SoapConfig {
    fn summary(&self) -> &'static str {
        "Adam in the slowly turning bases of Shampoo (arXiv 2409.11321)"
    }

    fn validate(&self) -> Result<(), SettingError> {
        check_first_order(self.lr, self.max_grad_norm)?;
        check_moments(self.beta1, self.beta2, self.eps)?;
        check_decay(self.weight_decay)?;
        let every = self.precondition_frequency;
        require(every > 0, "precondition_frequency", "1 or more", every)
    }
}

impl<T: Real> BuildOptimizer<T> for SoapConfig {
    fn build(&self) -> Box<dyn Optimizer<T>> {
        Box::new(Soap::new(self.clone()))
    }
}

/// The SOAP optimizer.
#[derive(Debug)]
pub struct Soap<T> {
    config: SoapConfig,
    memory: Memory<T>,
    /// The memory after the step under way.
    proposed: Memory<T>,
    gradient: Vec<T>,
    /// Change of θ.
    change: Vec<T>,
}

/// What is carried from step to step.
#[derive(Debug, Clone, Default)]
struct Memory<T> {
    /// Steps taken, the first included.
    n_steps: u64,
    /// M and V, (p) each.
    first_moment: Vec<T>,
    second_moment: Vec<T>,
    /// L and R of every block that has them, one after the other, and Q_L and Q_R.
    statistics: Vec<T>,
    bases: Vec<T>,
}

impl<T: Real> Soap<T> {
    /// SOAP, ready to take its first step.
    pub fn new(config: SoapConfig) -> Self {
        let [memory, proposed] = [(); 2].map(|()| Memory::default());
        Self { config, memory, proposed, gradient: Vec::new(), change: Vec::new() }
    }

    /// Statistics and bases from the first gradient.
    fn begin(&mut self, blocks: &[Block]) {
        let Self { config, proposed: Memory { statistics, bases, first_moment, second_moment, .. }, gradient, .. } =
            self;
        first_moment.resize(gradient.len(), T::zero());
        second_moment.resize(gradient.len(), T::zero());
        statistics.clear();
        bases.clear();
        for block in blocks {
            let sides = config.sides(block);
            if sides == [None; 2] {
                continue;
            }
            let values: Vec<f64> = gradient[block.range.clone()].iter().map(|x| x.to_f64()).collect();
            for (basis, n) in singular_bases(&values, block.shape).iter().zip(sides) {
                if let Some(n) = n {
                    statistics.resize(statistics.len() + n * n, T::zero());
                    bases.extend(basis.iter().map(|&x| T::of(x)));
                }
            }
        }
        self.gather(blocks);
    }

    /// Averages GGᵀ and GᵀG.
    fn gather(&mut self, blocks: &[Block]) {
        let [keep, take] = [self.config.beta2, 1.0 - self.config.beta2].map(T::of);
        let mut statistics = &mut self.proposed.statistics[..];
        let (mut product, mut panel) = (Vec::new(), Vec::new());
        for block in blocks {
            let [rows, columns] = block.shape;
            let gradient = Matrix::new(&self.gradient[block.range.clone()], rows, columns);
            let pairs = [[gradient, gradient.transposed()], [gradient.transposed(), gradient]];
            for ([left, right], n) in pairs.into_iter().zip(self.config.sides(block)) {
                let Some(n) = n else { continue };
                let (sums, rest) = statistics.split_at_mut(n * n);
                product.resize(n * n, T::zero());
                matmul(&mut product, Start::Zero, left, right, &mut panel);
                sums.iter_mut().zip(&product).for_each(|(sum, &x)| *sum = keep * *sum + take * x);
                statistics = rest;
            }
        }
    }

    /// Writes −`length` times Adam's direction in the bases into the change of θ.
    fn adam_step(&mut self, blocks: &[Block], length: T) {
        let Self { config: SoapConfig { beta1, beta2, eps, .. }, proposed, gradient, change, .. } = self;
        let ([keep, keep_squares], [take, take_squares]) =
            ([*beta1, *beta2].map(T::of), [1.0 - *beta1, 1.0 - *beta2].map(T::of));
        let eps = T::of(*eps);
        let mut bases = &proposed.bases[..];
        let panel = &mut Vec::new();
        for block in blocks {
            let q = self.config.sides(block).map(|n| {
                let (basis, rest) = bases.split_at(n.map_or(0, |n| n * n));
                bases = rest;
                n.map(|n| Matrix::new(basis, n, n))
            });
            let turned = q.map(|q| q.map(Matrix::transposed));
            let gradient = &gradient[block.range.clone()];
            let first = &mut proposed.first_moment[block.range.clone()];
            first.iter_mut().zip(gradient).for_each(|(m, &g)| *m = keep * *m + take * g);
            let mut direction = between(turned[0], first, q[1], block.shape, panel);
            let projected = between(turned[0], gradient, q[1], block.shape, panel);
            let second = &mut proposed.second_moment[block.range.clone()];
            for ((d, g), v) in direction.iter_mut().zip(projected).zip(second) {
                *v = keep_squares * *v + take_squares * (g * g);
                *d /= v.sqrt() + eps;
            }
            let direction = between(q[0], &direction, turned[1], block.shape, panel);
            change[block.range.clone()].iter_mut().zip(direction).for_each(|(u, d)| *u = -(length * d));
        }
    }

    /// Turns every basis by one power iteration, its greatest eigenvalue first; V follows.
    fn turn(&mut self, blocks: &[Block]) {
        let Memory { statistics, bases, second_moment, .. } = &mut self.proposed;
        let (mut statistics, mut bases, panel) = (&statistics[..], &mut bases[..], &mut Vec::new());
        for block in blocks {
            let second = &mut second_moment[block.range.clone()];
            for (side, n) in self.config.sides(block).into_iter().enumerate() {
                let Some(n) = n else { continue };
                let (sums, more) = statistics.split_at(n * n);
                let (basis, rest) = bases.split_at_mut(n * n);
                (statistics, bases) = (more, rest);
                let mut product = vec![T::zero(); n * n];
                let (sums, columns) = (Matrix::new(sums, n, n), Matrix::new(basis, n, n));
                matmul(&mut product, Start::Zero, sums, columns, panel);
                let value = |j: usize| (0..n).map(|i| (basis[i * n + j] * product[i * n + j]).to_f64()).sum::<f64>();
                let mut order: Vec<(f64, usize)> = (0..n).map(|j| (value(j), j)).collect();
                order.sort_by(|a, b| b.0.total_cmp(&a.0));
                let sorted = (0..n).flat_map(|i| order.iter().map(move |&(_, j)| i * n + j));
                let sorted: Vec<f64> = sorted.map(|at| product[at].to_f64()).collect();
                basis.iter_mut().zip(orthonormal(&sorted, [n, n])).for_each(|(q, x)| *q = T::of(x));

                let (before, columns) = (second.to_vec(), block.shape[1]);
                for (at, v) in second.iter_mut().enumerate() {
                    let (i, j) = (at / columns, at % columns);
                    *v = before[if side == 0 { order[i].1 * columns + j } else { i * columns + order[j].1 }];
                }
            }
        }
    }
}

impl<T: Real> Optimizer<T> for Soap<T> {
    fn step(&mut self, problem: &mut dyn Problem<T>, context: StepContext<'_>) -> Result<Report, SolverError> {
        self.gradient.resize(problem.n_params(), T::zero());
        let loss = problem.gradient(&mut self.gradient)?;
        let gradient_norm = finite_norm(&self.gradient)?;
        let shrink = T::of(clip_factor(gradient_norm, self.config.max_grad_norm));
        self.gradient.iter_mut().for_each(|g| *g *= shrink);
        let SoapConfig { lr, beta1, beta2, weight_decay, precondition_frequency, .. } = self.config;
        let lr = lr.at(context.progress);
        if !T::of(lr).is_finite() {
            return Err(SolverError::NonFiniteStep { step_norm: lr, damping: None });
        }

        self.proposed.clone_from(&self.memory);
        self.proposed.n_steps += 1;
        self.change.clear();
        self.change.resize(self.gradient.len(), T::zero());
        let blocks = problem.blocks();
        let theta = problem.params();
        let t = self.proposed.n_steps - 1;
        if t == 0 {
            self.begin(&blocks);
        } else {
            let [unbias, unbias_squares] = [beta1, beta2].map(|beta| 1.0 - libm::pow(beta, t as f64));
            self.adam_step(&blocks, T::of(lr * unbias_squares.sqrt() / unbias));
            let decay = T::of(lr * weight_decay);
            self.change.iter_mut().zip(&*theta).for_each(|(u, &x)| *u -= decay * (x + *u));
            self.gather(&blocks);
            if t.is_multiple_of(u64::from(precondition_frequency)) {
                self.turn(&blocks);
            }
        }
        let norm = sum_of_squares(&self.change).sqrt();
        let step_norm = take_step(theta, &self.change, norm, 1.0, None)?;
        std::mem::swap(&mut self.memory, &mut self.proposed);
        Ok(Report { loss, gradient_norm: Some(gradient_norm), step_norm, alpha: lr, ..Report::default() })
    }

    fn state(&self) -> State {
        let Memory { n_steps, first_moment, second_moment, statistics, bases } = &self.memory;
        let mut state = State::default();
        state.put("n_steps", &[*n_steps]);
        state.put("first_moment", first_moment);
        state.put("second_moment", second_moment);
        state.put("statistics", statistics);
        state.put("bases", bases);
        state
    }

    fn restore(&mut self, state: &State, n_params: usize) -> Result<(), StateError> {
        let statistics = state.get("statistics")?;
        self.memory = Memory {
            n_steps: state.number("n_steps")?,
            first_moment: state.get_grown("first_moment", n_params)?,
            second_moment: state.get_grown("second_moment", n_params)?,
            bases: state.get_all("bases", statistics.len())?,
            statistics,
        };
        Ok(())
    }
}

/// `left` · x · `right` for x (n, m), without those that are not there.
fn between<T: Real>(
    left: Option<Matrix<'_, T>>,
    x: &[T],
    right: Option<Matrix<'_, T>>,
    [n, m]: [usize; 2],
    panel: &mut Vec<T>,
) -> Vec<T> {
    let mut result = x.to_vec();
    let mut product = |result: &mut Vec<T>, is_left: bool, factor: Matrix<'_, T>| {
        let x = std::mem::replace(result, vec![T::zero(); n * m]);
        let x = Matrix::new(&x, n, m);
        let [lhs, rhs] = if is_left { [factor, x] } else { [x, factor] };
        matmul(result, Start::Zero, lhs, rhs, panel);
    };
    if let Some(left) = left {
        product(&mut result, true, left);
    }
    if let Some(right) = right {
        product(&mut result, false, right);
    }
    result
}
