//! PSGD Kron: momentum under a preconditioner that is fitted step by step, a factor for each side.
//!
//! ```text
//! M ← βM + (1−β)G,  P = LᵀL M RᵀR,  W ← W − lr · (P · min(1, 1.1/rms P) + wW)
//! A = L M Rᵀ,  B = L⁻ᵀ V R⁻¹,  V ~ N(0, 1)
//! L ← L − η · triu(AAᵀ − BBᵀ) L / ‖AAᵀ + BBᵀ‖,  R by AᵀA and BᵀB
//! ```
//!
//! L and R are upper triangular. At their fixed point PSGD's criterion E[gᵀPg + vᵀP⁻¹v] is least,
//! P whitens the gradient, and no matrix had to be inverted for that. They are fitted every step at
//! first, then less and less often, and now and then made equally large. What has one row, a bias
//! above all, has a diagonal factor, as have sides longer than `max_size_triangular`.
//!
//! *Design.* Where factors are fitted, M is disturbed by V, √ε₃₂ of its mean size, for the step as
//! well, as the reference does. The norm is estimated from below by two products. Probes are
//! numbered draws of one seed, so that a state is a count.
//!
//! Source: Li (2018), "Preconditioned stochastic gradient descent", arXiv 1512.04202, with the
//! factors of Li (2022), arXiv 2211.04422; the steps are those of `kron-torch` 0.3.3.

use rand::RngCore;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    error::SolverError,
    linalg::{
        params::Block,
        real::Real,
        vector::{all_finite, sum_of_squares},
    },
    optimizer::{
        first_order::kron_factors::{Action, Pair, Side},
        optimizer::{Optimizer, Report, StepContext},
        parameters::{clip_factor, finite_norm, take_step},
        problem::Problem,
        schedule::Schedule,
        settings::{BuildOptimizer, OptimizerSettings, check_decay, check_first_order},
    },
    setting::{SettingError, require},
    split_mix::mixed,
    state::{State, StateError},
};

/// Greatest root mean square of a block's direction; of the authors' code.
const MOST_RMS: f64 = 1.1;

/// Settings of [`Kron`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct KronConfig {
    /// Step size, in [0, ∞).
    pub lr: Schedule,
    /// β, in [0, 1): decay of the gradient's average.
    pub momentum: f64,
    /// w, in [0, ∞): matrices lose lr·w·W a step.
    pub weight_decay: f64,
    /// η, in (0, 1): how far a fit moves the factors.
    pub precond_lr: f64,
    /// Part of the steps that fit the factors in the end, in (0, 1].
    pub min_update_probability: f64,
    /// Fall of that part's logarithm a step, from one, in [0, ∞).
    pub update_decay: f64,
    /// Steps before the fall begins, 0 or more.
    pub update_flat_steps: u32,
    /// Part of the fits before which both factors of a matrix are made equally large, in [0, 1].
    pub balance_probability: f64,
    /// Longest side with a triangular factor, 0 or more; longer ones have a diagonal.
    pub max_size_triangular: u32,
    /// Greatest norm of a gradient, in (0, ∞): longer ones are shortened to it.
    pub max_grad_norm: Option<f64>,
}

impl Default for KronConfig {
    fn default() -> Self {
        // kron-torch 0.3.3.
        Self {
            lr: 3e-4.into(),
            momentum: 0.9,
            weight_decay: 0.0,
            precond_lr: 0.1,
            min_update_probability: 0.03,
            update_decay: 1e-3,
            update_flat_steps: 500,
            balance_probability: 0.01,
            max_size_triangular: 8192,
            max_grad_norm: None,
        }
    }
}

impl KronConfig {
    /// Steps from one fit to the next, after so many steps.
    fn interval(&self, n_steps: u64) -> f64 {
        let fallen = self.update_decay * (n_steps as f64 - f64::from(self.update_flat_steps));
        1.0 / libm::exp(-fallen).min(1.0).max(self.min_update_probability)
    }

    fn sides(&self, block: &Block) -> [Side; 2] {
        let is_matrix = block.shape[0] > 1;
        let side = |n: usize| match n {
            n if is_matrix && n <= self.max_size_triangular as usize => Side::Triangular(n),
            n => Side::Diagonal(n),
        };
        [if is_matrix { side(block.shape[0]) } else { Side::None }, side(block.shape[1])]
    }
}

impl OptimizerSettings for KronConfig {
    fn summary(&self) -> &'static str {
        "PSGD: a preconditioner of two fitted triangular factors (arXiv 2211.04422)"
    }

    fn validate(&self) -> Result<(), SettingError> {
        check_first_order(self.lr, self.max_grad_norm)?;
        require((0.0..1.0).contains(&self.momentum), "momentum", "in [0, 1)", self.momentum)?;
        check_decay(self.weight_decay)?;
        let fall = self.update_decay;
        let (rate, least, balance) = (self.precond_lr, self.min_update_probability, self.balance_probability);
        require(rate > 0.0 && rate < 1.0, "precond_lr", "in (0, 1)", rate)?;
        require(least > 0.0 && least <= 1.0, "min_update_probability", "in (0, 1]", least)?;
        require(fall >= 0.0 && fall.is_finite(), "update_decay", "0 or more", fall)?;
        require((0.0..=1.0).contains(&balance), "balance_probability", "in [0, 1]", balance)
    }
}

impl<T: Real> BuildOptimizer<T> for KronConfig {
    fn build(&self) -> Box<dyn Optimizer<T>> {
        Box::new(Kron::new(self.clone()))
    }
}

/// The PSGD Kron optimizer.
#[derive(Debug)]
pub struct Kron<T> {
    config: KronConfig,
    /// What probes are drawn from.
    seed: u64,
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
    /// Steps taken, steps since the last fit, and numbers drawn.
    n_steps: u64,
    since_fit: u64,
    n_drawn: u64,
    /// M, (p).
    momentum: Vec<T>,
    /// L and R of every block, one after the other.
    factors: Vec<T>,
}

impl<T: Real> Kron<T> {
    /// PSGD Kron, ready to take its first step.
    pub fn new(config: KronConfig) -> Self {
        let [memory, proposed] = [(); 2].map(|()| Memory::default());
        Self { config, seed: 0, memory, proposed, gradient: Vec::new(), change: Vec::new() }
    }

    /// Factors of one.
    fn begin(&mut self, blocks: &[Block]) {
        let Memory { momentum, factors, .. } = &mut self.proposed;
        momentum.resize(self.gradient.len(), T::zero());
        factors.clear();
        for side in blocks.iter().flat_map(|block| self.config.sides(block)) {
            let one = |is_one: bool| if is_one { T::one() } else { T::zero() };
            match side {
                Side::None => {}
                Side::Diagonal(n) => factors.resize(factors.len() + n, T::one()),
                Side::Triangular(n) => factors.extend((0..n * n).map(|at| one(at / n == at % n))),
            }
        }
    }

    /// A number from [0, 1).
    fn uniform(&mut self) -> f64 {
        let number = mixed(self.seed, self.proposed.n_drawn);
        self.proposed.n_drawn += 1;
        (number >> 11) as f64 * 0.5_f64.powi(53)
    }

    /// A number from N(0, 1), by Box and Muller (1958).
    fn normal(&mut self) -> T {
        let radius = (-2.0 * libm::log(1.0 - self.uniform())).sqrt();
        T::of(radius * libm::cos(std::f64::consts::TAU * self.uniform()))
    }

    /// Writes P, shortened, into the change of θ; fits the factors before.
    fn precondition(&mut self, blocks: &[Block], is_fitted: bool, is_balanced: bool) {
        let mut factors = std::mem::take(&mut self.proposed.factors);
        let mut rest = &mut factors[..];
        let unbias = T::of(1.0 / (1.0 - libm::pow(self.config.momentum, self.proposed.n_steps as f64)));
        for block in blocks {
            let sides = self.config.sides(block);
            let (left, more) = rest.split_at_mut(sides[0].len());
            let (right, more) = more.split_at_mut(sides[1].len());
            rest = more;
            let pair = &mut Pair { sides, factors: [left, right], shape: block.shape };
            if is_balanced && block.shape[0] > 1 {
                pair.balance();
            }
            let mut average: Vec<T> = self.proposed.momentum[block.range.clone()].iter().map(|&m| m * unbias).collect();
            if is_fitted {
                let probe: Vec<T> = average.iter().map(|_| self.normal()).collect();
                let size = average.iter().map(|m| m.to_f64().abs()).sum::<f64>() / average.len() as f64;
                let scale = T::of(f64::from(f32::EPSILON).sqrt() * size);
                average.iter_mut().zip(&probe).for_each(|(m, &v)| *m += scale * v);
                pair.fit(&average, &probe, self.config.precond_lr);
            }
            let half = pair.on_both_sides(&average, Action::Times);
            let direction = pair.on_both_sides(&half, Action::Transposed);
            let rms = (sum_of_squares(&direction) / direction.len() as f64).sqrt();
            let shrink = T::of((MOST_RMS / (rms + 1e-12)).min(1.0));
            self.change[block.range.clone()].iter_mut().zip(direction).for_each(|(u, d)| *u = shrink * d);
        }
        self.proposed.factors = factors;
    }
}

impl<T: Real> Optimizer<T> for Kron<T> {
    fn step(&mut self, problem: &mut dyn Problem<T>, context: StepContext<'_>) -> Result<Report, SolverError> {
        self.gradient.resize(problem.n_params(), T::zero());
        let loss = problem.gradient(&mut self.gradient)?;
        let gradient_norm = finite_norm(&self.gradient)?;
        let shrink = T::of(clip_factor(gradient_norm, self.config.max_grad_norm));
        let lr = self.config.lr.at(context.progress);

        self.proposed.clone_from(&self.memory);
        self.change.resize(self.gradient.len(), T::zero());
        let blocks = problem.blocks();
        let theta = problem.params();
        if self.proposed.n_steps == 0 {
            self.begin(&blocks);
        }
        let interval = self.config.interval(self.proposed.n_steps);
        self.proposed.n_steps += 1;
        self.proposed.since_fit += 1;
        let is_fitted = self.proposed.since_fit as f64 >= interval;
        let is_balanced = self.uniform() < self.config.balance_probability && is_fitted;
        if is_fitted {
            self.proposed.since_fit = 0;
        }
        let (keep, take) = (T::of(self.config.momentum), T::of(1.0 - self.config.momentum));
        let entries = self.proposed.momentum.iter_mut().zip(&self.gradient);
        entries.for_each(|(m, &g)| *m = keep * *m + take * (shrink * g));
        self.precondition(&blocks, is_fitted, is_balanced);
        let decay = T::of(self.config.weight_decay);
        for block in blocks.iter().filter(|block| block.shape[0] > 1) {
            let entries = self.change[block.range.clone()].iter_mut().zip(&theta[block.range.clone()]);
            entries.for_each(|(u, &x)| *u += decay * x);
        }
        let norm = sum_of_squares(&self.change).sqrt();
        if !all_finite(self.proposed.factors.iter().copied()) {
            return Err(SolverError::NonFiniteStep { step_norm: lr * norm, damping: None });
        }
        let step_norm = take_step(theta, &self.change, norm, -lr, None)?;
        std::mem::swap(&mut self.memory, &mut self.proposed);
        Ok(Report { loss, gradient_norm: Some(gradient_norm), step_norm, alpha: lr, ..Report::default() })
    }

    fn seed(&mut self, rng: &mut dyn RngCore) {
        self.seed = rng.next_u64();
    }

    fn state(&self) -> State {
        let Memory { n_steps, since_fit, n_drawn, momentum, factors } = &self.memory;
        let mut state = State::default();
        state.put("seed", &[self.seed]);
        state.put("counts", &[*n_steps, *since_fit, *n_drawn]);
        state.put("momentum", momentum);
        state.put("factors", factors);
        state
    }

    fn restore(&mut self, state: &State, n_params: usize) -> Result<(), StateError> {
        let (seed, counts) = (state.number("seed")?, state.get_all("counts", 3)?);
        let (momentum, factors) = (state.get_grown("momentum", n_params)?, state.get("factors")?);
        self.memory = Memory { n_steps: counts[0], since_fit: counts[1], n_drawn: counts[2], momentum, factors };
        self.seed = seed;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fits_become_rare() {
        let config = KronConfig::default();
        assert_eq!((config.interval(0), config.interval(500)), (1.0, 1.0));
        assert!((config.interval(1500) - libm::exp(1.0)).abs() < 1e-9 && config.interval(9000) > 33.0);
    }
}
