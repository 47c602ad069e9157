//! One random row a sample in place of a loss's exact curvature.

use rand::RngCore;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    loss::{Loss, Outputs},
    root::Root,
};
use crate::split_mix::mixed;

/// How much of a loss's curvature a step sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Curvature {
    /// The whole curvature that the loss declares.
    #[default]
    Exact,
    /// One random row a sample, [`Sampled`].
    Sampled,
}

/// A loss whose curvature is replaced by a random one of one row a sample, where the loss's own has
/// too many: softmax over many classes.
///
/// With the columns Sⱼ of the loss's own root and independent signs εⱼ = ±1, the row is s = Σ εⱼ
/// Sⱼ, so that E[s sᵀ] = S Sᵀ = Q: the curvature is unbiased, and exact where S has one column (two
/// classes). Value and residual are those of the loss; since r is no multiple of s, there is no ρ,
/// and the step takes the gradient apart ([`crate::Form::Woodbury`]). The step is **not** the
/// Gauss-Newton step, nor is its mean; it solves (H̃ + λI) d = −g for a positive semi-definite H̃
/// with E[H̃] = H, so that it is a descent direction whatever the signs are.
///
/// Source: the signs are those of Hutchinson (1990), used on output curvature as in Dangel,
/// Kunstner, Hennig (2020), "BackPACK", arXiv 1912.10985, who draw labels instead.
#[derive(Clone, Copy)]
pub struct Sampled<'a> {
    loss: &'a dyn Loss,
    seed: u64,
}

impl<'a> Sampled<'a> {
    /// `loss` with signs from the caller's stream, of which it takes one number.
    pub fn new(loss: &'a dyn Loss, rng: &mut dyn RngCore) -> Self {
        Self { loss, seed: rng.next_u64() }
    }

    /// ε of a row: the same at every call, so that a loss stays one function.
    fn sign(&self, row: usize) -> f64 {
        if mixed(self.seed, row as u64) & 1 == 0 { 1.0 } else { -1.0 }
    }
}

impl Loss for Sampled<'_> {
    fn rows_per_sample(&self, _: &Outputs) -> usize {
        1
    }

    fn values(&self, outputs: &Outputs, values: &mut Vec<f64>) {
        self.loss.values(outputs, values);
    }

    fn residual(&self, outputs: &Outputs, residual: &mut Vec<f64>) -> f64 {
        self.loss.residual(outputs, residual)
    }

    /// s of every sample; ρ is zero, and means nothing.
    fn root(&self, outputs: &Outputs, root: &mut Root) -> f64 {
        let (b, c) = (outputs.batch(), outputs.n_outputs);
        let value = self.loss.root(outputs, root);
        let k = root.rho.len() / b.max(1);
        let mut sums = vec![0.0; b * c];
        for (row, s) in root.rows.chunks_exact(c).enumerate() {
            let sign = self.sign(row);
            sums[row / k * c..][..c].iter_mut().zip(s).for_each(|(sum, s)| *sum += sign * s);
        }
        root.rows = sums;
        root.rho.clear();
        root.rho.resize(b, 0.0);
        value
    }

    fn spans_residual(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::loss::CrossEntropy;

    fn outputs(c: usize) -> Outputs {
        Outputs { values: (0..2 * c).map(|i| libm::sin(1.7 * i as f64)).collect(), n_outputs: c }
    }

    /// Σ over the rows of a sample of s sᵀ, (b, c, c).
    fn curvature(loss: &dyn Loss, outputs: &Outputs) -> Vec<f64> {
        let (mut root, c) = (Root::default(), outputs.n_outputs);
        loss.root(outputs, &mut root);
        let k = root.rows.len() / c / outputs.batch();
        let mut q = vec![0.0; outputs.batch() * c * c];
        for (row, s) in root.rows.chunks_exact(c).enumerate() {
            (0..c * c).for_each(|e| q[row / k * c * c + e] += s[e / c] * s[e % c]);
        }
        q
    }

    #[test]
    fn the_mean_of_many_draws_is_the_curvature() {
        let (outputs, exact) = (outputs(5), CrossEntropy { labels: &[3, 0] });
        let expected = curvature(&exact, &outputs);
        let rng = &mut ChaCha8Rng::seed_from_u64(4);
        let n = 40_000;
        let mut mean = vec![0.0; expected.len()];
        for _ in 0..n {
            let drawn = curvature(&Sampled::new(&exact, rng), &outputs);
            mean.iter_mut().zip(drawn).for_each(|(mean, q)| *mean += q / f64::from(n));
        }
        // Entries of s sᵀ are below ½, so that five standard errors of a mean are below this.
        let error = mean.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(error < 5.0 * 0.5 / f64::from(n).sqrt(), "{error}");
        let one = curvature(&Sampled::new(&exact, rng), &outputs);
        assert!(one.iter().zip(&expected).any(|(a, b)| (a - b).abs() > 0.01), "a draw is not the mean");
    }

    #[test]
    fn for_two_classes_every_draw_is_exact() {
        let (outputs, exact) = (outputs(2), CrossEntropy { labels: &[1, 0] });
        let rng = &mut ChaCha8Rng::seed_from_u64(4);
        for _ in 0..8 {
            assert_eq!(curvature(&Sampled::new(&exact, rng), &outputs), curvature(&exact, &outputs));
        }
    }
}
