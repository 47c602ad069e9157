//! Plants, costs, and the controllers that are best for them.

use std::borrow::Cow;

/// A linear plant with a quadratic cost. Matrices are stored row by row.
#[derive(Debug, Clone, PartialEq)]
pub struct LqrProblem {
    /// Name as an environment, `LQR/…`.
    pub name: Cow<'static, str>,
    /// Where plant and weights come from.
    pub source: Cow<'static, str>,
    /// Number of states n.
    pub n_states: usize,
    /// Number of inputs m.
    pub n_inputs: usize,
    /// A (n, n).
    pub dynamics: Cow<'static, [f64]>,
    /// B (n, m).
    pub input: Cow<'static, [f64]>,
    /// Q (n, n), symmetric and positive semi-definite.
    pub state_cost: Cow<'static, [f64]>,
    /// R (m, m), symmetric and positive definite.
    pub input_cost: Cow<'static, [f64]>,
    /// Best controller when every step counts the same.
    pub optimum: LqrOptimum,
    /// Best controller when a step counts 0.99 of the one before.
    pub discounted_optimum: LqrOptimum,
    /// Greatest input by entry (m): ten standard deviations under the best controller.
    pub action_limit: Cow<'static, [f64]>,
    /// An episode is cut when a state exceeds this: a hundred standard deviations of the most
    /// excited state under the best controller.
    pub state_limit: f64,
    /// Steps after which an episode is truncated: the best controller has paid 99 % of its cost
    /// by then, or has used the thousand steps that no episode exceeds.
    pub max_episode_steps: usize,
    /// Expected undiscounted cost of the best controller over so many steps from x₀ ~ N(0, I),
    /// without noise.
    pub episode_cost: f64,
}

impl LqrProblem {
    /// Expected undiscounted cost of the best controller from x₀ ~ N(0, I), tr P, without noise.
    pub fn expected_cost(&self) -> f64 {
        self.optimum.expected_cost(self.n_states)
    }

    /// Mean return from which the task counts as solved: a tenth worse than the best controller.
    /// None where an episode is too short for the plant to settle: there, doing nothing can look
    /// better than the controller that is best in the long run.
    pub fn reward_threshold(&self) -> Option<f64> {
        let settles = self.episode_cost >= 0.99 * self.expected_cost();
        settles.then(|| -1.1 * self.episode_cost)
    }
}

/// The best controller u = −K x of a [`LqrProblem`] and its cost.
#[derive(Debug, Clone, PartialEq)]
pub struct LqrOptimum {
    /// γ: the weight of a step relative to the one before.
    pub discount: f64,
    /// K (m, n).
    pub gain: Cow<'static, [f64]>,
    /// P (n, n): the cost from x is xᵀPx.
    pub value: Cow<'static, [f64]>,
}

impl LqrOptimum {
    /// The best input at `state`, −K x.
    pub fn input(&self, state: &[f64]) -> Vec<f64> {
        let n = state.len();
        self.gain.chunks_exact(n).map(|row| -dot(row, state)).collect()
    }

    /// Cost of the best controller from `state`, xᵀPx, without noise.
    pub fn cost(&self, state: &[f64]) -> f64 {
        quadratic(&self.value, state)
    }

    /// Expected cost of the best controller from x₀ ~ N(0, I), tr P, without noise.
    pub fn expected_cost(&self, n_states: usize) -> f64 {
        self.value.iter().step_by(n_states + 1).sum()
    }
}

/// Σ xᵢ yᵢ.
pub(super) fn dot(left: &[f64], right: &[f64]) -> f64 {
    left.iter().zip(right).map(|(x, y)| x * y).sum()
}

/// xᵀ M x.
pub(super) fn quadratic(matrix: &[f64], x: &[f64]) -> f64 {
    matrix.chunks_exact(x.len()).zip(x).map(|(row, xi)| xi * dot(row, x)).sum()
}
