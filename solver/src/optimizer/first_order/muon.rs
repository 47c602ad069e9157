//! Muon: momentum whose matrices are made orthogonal, and AdamW for all that is no hidden matrix.
//!
//! ```text
//! M ← μM + (1−μ)G,  U = μM + (1−μ)G,  X = U/‖U‖
//! X ← aX + (bXXᵀ + c(XXᵀ)²)X   five times,   W ← W − lr · (√max(1, n_out/n_in) · X + wW)
//! ```
//!
//! The iteration, of Newton and Schulz, brings every singular value of X near one without finding
//! any of them, so that a step moves a layer by as much along its rare directions as along its
//! common ones.
//!
//! *Design.* Which part of θ is which matrix is asked of [`Problem::blocks`]. The last matrix is
//! the head, which the authors leave to AdamW with biases, embeddings and whatever has one row; the
//! first one reads numbers, as a convolution does, and is no embedding. A network of one layer is
//! AdamW's alone. The number type is the network's, where the authors' is bfloat16.
//!
//! Source: Jordan (2024), "Muon: an optimizer for hidden layers in neural networks",
//! <https://kellerjordan.github.io/posts/muon/>; the steps are those of
//! `SingleDeviceMuonWithAuxAdam` of `muon-optimizer` 0.1.0.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    error::SolverError,
    linalg::{
        matmul::matmul,
        matrix::{Matrix, Start},
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

/// Settings of [`Muon`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MuonConfig {
    /// Step size of hidden matrices, in [0, ∞).
    pub lr: Schedule,
    /// μ, in [0, 1): how much of the momentum of hidden matrices is kept.
    pub momentum: f64,
    /// Iterations of Newton and Schulz a step, 1 or more.
    pub newton_schulz_steps: u32,
    /// w, in [0, ∞): θ loses lr·w·θ a step, each part by its own lr.
    pub weight_decay: f64,
    /// Step size of all other parameters, in [0, ∞).
    pub adam_lr: Schedule,
    /// Decay of the other parameters' average of the gradient, in [0, 1).
    pub beta1: f64,
    /// Decay of the other parameters' average of the squared gradient, in [0, 1).
    pub beta2: f64,
    /// ε, in (0, ∞): added to the root of the squared gradient's average.
    pub eps: f64,
    /// Greatest norm of a gradient, in (0, ∞): longer ones are shortened to it.
    pub max_grad_norm: Option<f64>,
}

impl Default for MuonConfig {
    fn default() -> Self {
        // muon-optimizer 0.1.0.
        let (adam_lr, beta1, beta2, eps) = (3e-4.into(), 0.9, 0.95, 1e-10);
        let (lr, momentum, newton_schulz_steps, weight_decay) = (0.02.into(), 0.95, 5, 0.0);
        Self { lr, momentum, newton_schulz_steps, weight_decay, adam_lr, beta1, beta2, eps, max_grad_norm: None }
    }
}

impl OptimizerSettings for MuonConfig {
    fn summary(&self) -> &'static str {
        "orthogonalized momentum for hidden matrices, AdamW for the rest (Jordan 2024)"
    }

    fn validate(&self) -> Result<(), SettingError> {
        check_first_order(self.lr, self.max_grad_norm)?;
        self.adam_lr.require("adam_lr", [0.0, f64::MAX], "0 or more and finite")?;
        require((0.0..1.0).contains(&self.momentum), "momentum", "in [0, 1)", self.momentum)?;
        let steps = self.newton_schulz_steps;
        require(steps > 0, "newton_schulz_steps", "1 or more", steps)?;
        check_moments(self.beta1, self.beta2, self.eps)?;
        check_decay(self.weight_decay)
    }
}

impl<T: Real> BuildOptimizer<T> for MuonConfig {
    fn build(&self) -> Box<dyn Optimizer<T>> {
        Box::new(Muon::new(self.clone()))
    }
}

/// The Muon optimizer.
#[derive(Debug)]
pub struct Muon<T> {
    config: MuonConfig,
    memory: Memory<T>,
    /// The memory after the step under way.
    proposed: Memory<T>,
    gradient: Vec<T>,
    /// Change of θ.
    change: Vec<T>,
    work: [Vec<T>; 3],
}

/// What is carried from step to step.
#[derive(Debug, Clone, Default)]
struct Memory<T> {
    /// t, steps taken.
    n_steps: u64,
    /// M of hidden matrices, the average of g of the rest.
    momentum: Vec<T>,
    /// The average of g² of the rest.
    second_moment: Vec<T>,
}

impl<T: Real> Muon<T> {
    /// Muon, ready to take its first step.
    pub fn new(config: MuonConfig) -> Self {
        let [memory, proposed] = [(); 2].map(|()| Memory::default());
        Self { config, memory, proposed, gradient: Vec::new(), change: Vec::new(), work: Default::default() }
    }

    /// Writes −lr times the direction of a hidden matrix into `change`.
    fn orthogonal_step(&mut self, block: &Block, lr: f64) {
        let Self { config, proposed, gradient, change, work, .. } = self;
        let (keep, take) = (T::of(config.momentum), T::of(1.0 - config.momentum));
        let change = &mut change[block.range.clone()];
        let momentum = &mut proposed.momentum[block.range.clone()];
        for ((u, m), &g) in change.iter_mut().zip(momentum).zip(&gradient[block.range.clone()]) {
            *m = keep * *m + take * g;
            *u = keep * *m + take * g;
        }
        orthogonalize(change, block.shape, config.newton_schulz_steps, work);
        let [n_in, n_out] = block.shape.map(|n| n as f64);
        let scale = T::of(-lr * (n_out / n_in).max(1.0).sqrt());
        change.iter_mut().for_each(|u| *u *= scale);
    }

    /// Writes −lr times Adam's direction into `change`.
    fn adam_step(&mut self, block: &Block, lr: f64) {
        let Self { config: MuonConfig { beta1, beta2, eps, .. }, proposed, gradient, change, .. } = self;
        let t = proposed.n_steps as f64;
        let ([keep, keep_squares], [take, take_squares]) =
            ([*beta1, *beta2].map(T::of), [*beta1, *beta2].map(|beta| T::of(1.0 - beta)));
        let [unbias, unbias_squares] = [*beta1, *beta2].map(|beta| T::of(1.0 / (1.0 - libm::pow(beta, t))));
        let (eps, scale) = (T::of(*eps), T::of(-lr));
        let moments =
            proposed.momentum[block.range.clone()].iter_mut().zip(&mut proposed.second_moment[block.range.clone()]);
        let entries = change[block.range.clone()].iter_mut().zip(&gradient[block.range.clone()]);
        for ((u, &g), (m, v)) in entries.zip(moments) {
            *m = keep * *m + take * g;
            *v = keep_squares * *v + take_squares * (g * g);
            *u = scale * (*m * unbias / ((*v * unbias_squares).sqrt() + eps));
        }
    }
}

impl<T: Real> Optimizer<T> for Muon<T> {
    fn step(&mut self, problem: &mut dyn Problem<T>, context: StepContext<'_>) -> Result<Report, SolverError> {
        let p = problem.n_params();
        self.gradient.resize(p, T::zero());
        let loss = problem.gradient(&mut self.gradient)?;
        let gradient_norm = finite_norm(&self.gradient)?;
        let shrink = T::of(clip_factor(gradient_norm, self.config.max_grad_norm));
        self.gradient.iter_mut().for_each(|g| *g *= shrink);

        self.proposed.clone_from(&self.memory);
        self.proposed.n_steps += 1;
        self.proposed.momentum.resize(p, T::zero());
        self.proposed.second_moment.resize(p, T::zero());
        self.change.resize(p, T::zero());
        let [lr, adam_lr] = [self.config.lr, self.config.adam_lr].map(|lr| lr.at(context.progress));
        let blocks = problem.blocks();
        let theta = problem.params();
        for (i, block) in blocks.iter().enumerate() {
            let is_hidden = is_matrix(block) && blocks[i + 1..].iter().any(is_matrix);
            let lr = if is_hidden { lr } else { adam_lr };
            if is_hidden {
                self.orthogonal_step(block, lr)
            } else {
                self.adam_step(block, lr)
            }
            let decay = T::of(lr * self.config.weight_decay);
            let entries = self.change[block.range.clone()].iter_mut().zip(&theta[block.range.clone()]);
            entries.for_each(|(u, &x)| *u -= decay * x);
        }
        let norm = sum_of_squares(&self.change).sqrt();
        let step_norm = take_step(theta, &self.change, norm, 1.0, None)?;
        std::mem::swap(&mut self.memory, &mut self.proposed);
        Ok(Report { loss, gradient_norm: Some(gradient_norm), step_norm, alpha: lr, ..Report::default() })
    }

    fn state(&self) -> State {
        let mut state = State::default();
        state.put("n_steps", &[self.memory.n_steps]);
        state.put("momentum", &self.memory.momentum);
        state.put("second_moment", &self.memory.second_moment);
        state
    }

    fn restore(&mut self, state: &State, n_params: usize) -> Result<(), StateError> {
        self.memory = Memory {
            n_steps: state.number("n_steps")?,
            momentum: state.get_grown("momentum", n_params)?,
            second_moment: state.get_grown("second_moment", n_params)?,
        };
        Ok(())
    }
}

fn is_matrix(block: &Block) -> bool {
    block.shape[0] > 1
}

/// X (n, m), row-major, in place of itself with singular values near one; zero stays zero.
fn orthogonalize<T: Real>(x: &mut [T], [n, m]: [usize; 2], steps: u32, [gram, squared, product]: &mut [Vec<T>; 3]) {
    // Of Jordan's polynomial, steepest at zero among those that keep [0, 1] within about [0, 1.2].
    let [a, b, c] = [3.4445, -4.7750, 2.0315].map(T::of);
    let scale = T::of(1.0 / (sum_of_squares(x).sqrt() + 1e-7));
    x.iter_mut().for_each(|x| *x *= scale);
    let side = n.min(m);
    gram.resize(side * side, T::zero());
    squared.resize(side * side, T::zero());
    product.resize(x.len(), T::zero());
    let panel = &mut Vec::new();
    for _ in 0..steps {
        let matrix = Matrix::new(x, n, m);
        let [left, right] = if n <= m { [matrix, matrix.transposed()] } else { [matrix.transposed(), matrix] };
        matmul(gram, Start::Zero, left, right, panel);
        let square = Matrix::new(gram, side, side);
        matmul(squared, Start::Zero, square, square, panel);
        squared.iter_mut().zip(&*gram).for_each(|(s, &g)| *s = b * g + c * *s);
        let square = Matrix::new(squared, side, side);
        let [left, right] = if n <= m { [square, matrix] } else { [matrix, square] };
        matmul(product, Start::Zero, left, right, panel);
        x.iter_mut().zip(&*product).for_each(|(x, &p)| *x = a * *x + p);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn singular_values_come_near_one_on_either_side() {
        // Singular values 3 and 0.02 before.
        let tall: [f64; 6] = [1.8, -0.016, 0.0, 0.0, 2.4, 0.012];
        for (mut x, shape) in [(tall, [3, 2]), ([1.8, 0.0, 2.4, -0.016, 0.0, 0.012], [2, 3])] {
            orthogonalize(&mut x, shape, 5, &mut Default::default());
            let by_columns = if shape[0] == 3 { x } else { [x[0], x[3], x[1], x[4], x[2], x[5]] };
            let lengths = [0, 1].map(|j| (0..3).map(|i| by_columns[2 * i + j].powi(2)).sum::<f64>().sqrt());
            assert!(lengths.iter().all(|length| (0.6..1.25).contains(length)), "{lengths:?}");
            assert!((0..3).map(|i| by_columns[2 * i] * by_columns[2 * i + 1]).sum::<f64>().abs() < 1e-12);
        }
    }

    #[test]
    fn nothing_stays_nothing() {
        let mut x = [0.0_f32; 6];
        orthogonalize(&mut x, [2, 3], 5, &mut Default::default());
        assert_eq!(x, [0.0; 6]);
    }
}
