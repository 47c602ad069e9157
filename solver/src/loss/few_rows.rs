//! Few rows of curvature a sample, the first of which carries the gradient.
//!
//! The k rows of a sample, Q = S Sᵀ and r = S ρ, may be turned by any orthogonal matrix. One whose
//! first column is u = ρ/‖ρ‖ makes (‖ρ‖, 0, …, 0) of ρ: the first row alone carries the gradient,
//! the others only damp. That row is kept, and m − 1 random probes stand for the k − 1 others:
//!
//! ```text
//! s₁ = S u,            ρ̃₁ = ‖ρ‖
//! sⱼ = S z / √(m − 1),  ρ̃ⱼ = 0,   z = ξ − (u·ξ) u,  ξ random signs     (j = 2 … m)
//! ```
//!
//! S̃ ρ̃ = r for every m. From m = 2 on E[S̃ S̃ᵀ] = Q; with m = 1, S̃ S̃ᵀ is the largest
//! multiple of r rᵀ that Q exceeds, and for a policy gradient the step is the natural
//! gradient by compatible features.
//!
//! Source: Kakade (2001), "A natural policy gradient"; Peters and Schaal (2008), "Natural
//! actor-critic", Neurocomputing 71; the signs are Hutchinson's (1990).

use super::root::Root;
use crate::split_mix::mixed;

/// How many rows a sample keeps, and which signs its probes have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FewRows {
    /// Rows kept of each sample, m, 1 or more.
    pub per_sample: usize,
    /// Seed of the signs, which depend on seed, sample, row and entry alone, so that a loss stays
    /// one function.
    pub seed: u64,
}

impl FewRows {
    /// Turns all rows of every sample into few, in place, for outputs of c entries and b samples.
    pub fn turn(self, root: &mut Root, batch: usize, c: usize) {
        let k = root.rho.len() / batch.max(1);
        let mut few = Root::default();
        for (i, (rows, rho)) in root.rows.chunks_exact(k * c).zip(root.rho.chunks_exact(k)).enumerate() {
            self.push(i, rho, c, &mut few, |z, s| {
                for (z, row) in z.iter().zip(rows.chunks_exact(c)) {
                    s.iter_mut().zip(row).for_each(|(s, x)| *s += z * x);
                }
            });
        }
        *root = few;
    }

    /// Appends the rows of sample i to `few`, given its ρ (k) and S:
    /// `add_product` adds S z (c) to zeros.
    pub fn push(
        self,
        i: usize,
        rho: &[f64],
        c: usize,
        few: &mut Root,
        mut add_product: impl FnMut(&[f64], &mut [f64]),
    ) {
        let norm = rho.iter().map(|x| x * x).sum::<f64>().sqrt();
        let mut u: Vec<f64> = rho.iter().map(|x| x / norm).collect();
        if norm == 0.0 {
            // Any direction: there is no gradient to carry.
            u.fill(0.0);
            u[0] = 1.0;
        }
        let mut append = |z: &[f64], rho: f64| {
            let start = few.rows.len();
            few.rows.resize(start + c, 0.0);
            add_product(z, &mut few.rows[start..]);
            few.rho.push(rho);
        };
        append(&u, norm);
        let scale = 1.0 / ((self.per_sample - 1) as f64).sqrt();
        for row in 1..self.per_sample {
            let signs = (0..u.len()).map(|entry| self.sign(i, row, entry));
            let along: f64 = signs.clone().zip(&u).map(|(sign, u)| sign * u).sum();
            let z: Vec<f64> = signs.zip(&u).map(|(sign, u)| scale * (sign - along * u)).collect();
            append(&z, 0.0);
        }
    }

    /// ξ of an entry of a probe.
    fn sign(self, sample: usize, row: usize, entry: usize) -> f64 {
        let place = [sample, row, entry].into_iter().fold(self.seed, |seed, at| mixed(seed, at as u64));
        if place & 1 == 0 { 1.0 } else { -1.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loss::{
        CategoricalPolicyGradient, ChosenDistribution, CrossEntropy, GaussianPolicyGradient, KlPenalty, Loss, Outputs,
        PolicySample, QuantileHuber, Weighted,
    };

    /// Σ over the rows of each sample of s sᵀ (b, c, c), and of ρ s (b, c).
    fn moments(root: &Root, b: usize, c: usize) -> (Vec<f64>, Vec<f64>) {
        let k = root.rho.len() / b;
        let (mut q, mut r) = (vec![0.0; b * c * c], vec![0.0; b * c]);
        for (row, (s, rho)) in root.rows.chunks_exact(c).zip(&root.rho).enumerate() {
            let i = row / k;
            (0..c * c).for_each(|e| q[i * c * c + e] += s[e / c] * s[e % c]);
            (0..c).for_each(|j| r[i * c + j] += rho * s[j]);
        }
        (q, r)
    }

    fn outputs(b: usize, c: usize) -> Outputs {
        Outputs { values: (0..b * c).map(|i| libm::sin(1.7 * i as f64)).collect(), n_outputs: c }
    }

    /// Every loss with more rows than one, at outputs of its own.
    fn for_each_loss(mut check: impl FnMut(&str, &dyn Loss, &Outputs)) {
        let six = outputs(2, 6);
        check("classes", &CrossEntropy { labels: &[3, 0] }, &six);
        let sample = |action, advantage| PolicySample { action, advantage, old_log_prob: -1.5 };
        let samples = [sample(4, 1.25), sample(1, -0.5)];
        let kl = Some(KlPenalty { coefficient: 0.5, old_outputs: &[0.25; 12] });
        let policy = CategoricalPolicyGradient { samples: &samples, clip: None, entropy: 0.1, kl };
        check("choices", &policy, &six);
        let targets = [0.2, 0.5, 0.3, 0.0, 0.9, 0.1];
        check("atoms", &ChosenDistribution { actions: &[1, 0], targets: &targets, n_atoms: 3 }, &six);
        let quantiles = QuantileHuber { actions: &[1, 0], targets: &[0.3, -0.2], n_quantiles: 3, huber: 1.0 };
        check("quantiles", &quantiles, &six);
        check("weighted", &Weighted { loss: &quantiles, weights: &[0.5, 2.0] }, &six);
        check("weighted classes", &Weighted { loss: &CrossEntropy { labels: &[3, 0] }, weights: &[0.5, 2.0] }, &six);
        let (actions, advantages, old_log_probs) = ([0.5, 1.0, -1.0, 0.0, 0.25, 2.0], [1.0, -2.0], [-3.0, -2.0]);
        let (actions, advantages, old_log_probs) = (&actions[..], &advantages[..], &old_log_probs[..]);
        let bell = GaussianPolicyGradient { actions, advantages, old_log_probs, clip: None, entropy: 0.0, kl: None };
        check("bells", &bell, &six);
    }

    fn assert_close(found: &[f64], expected: &[f64], tolerance: f64, what: &str) {
        assert_eq!(found.len(), expected.len(), "{what}");
        let error = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(error <= tolerance, "{what} off by {error:e}: {found:?}, not {expected:?}");
    }

    #[test]
    fn whatever_is_kept_carries_the_whole_gradient() {
        for_each_loss(|name, loss, outputs| {
            let mut residual = Vec::new();
            let value = loss.residual(outputs, &mut residual);
            for per_sample in 1..loss.rows_per_sample(outputs) {
                let mut root = Root::default();
                assert_eq!(loss.few_rows(outputs, FewRows { per_sample, seed: 9 }, &mut root), value);
                assert_eq!(root.rho.len(), 2 * per_sample, "{name}");
                assert_close(&moments(&root, 2, 6).1, &residual, 1e-14, name);
            }
        });
    }

    #[test]
    fn the_mean_of_many_draws_is_the_curvature() {
        for_each_loss(|name, loss, outputs| {
            let mut root = Root::default();
            loss.root(outputs, &mut root);
            let expected = moments(&root, 2, 6).0;
            let largest = expected.iter().fold(0.0_f64, |m, x| m.max(x.abs()));
            let n = 20_000;
            let mut mean = vec![0.0; expected.len()];
            for seed in 0..n {
                loss.few_rows(outputs, FewRows { per_sample: 2, seed }, &mut root);
                let drawn = moments(&root, 2, 6).0;
                mean.iter_mut().zip(drawn).for_each(|(mean, q)| *mean += q / n as f64);
            }
            // The deviation of an entry of s sᵀ is of the size of Q's trace: five standard errors.
            assert_close(&mean, &expected, 5.0 * 6.0 * largest / (n as f64).sqrt(), name);
        });
    }

    /// r rᵀ / (rᵀQ⁺r), where ‖ρ‖² is rᵀQ⁺r: of all ρ with Sρ = r that of a root of
    /// full rank is the shortest.
    #[test]
    fn one_row_is_the_residual_at_its_own_length() {
        for_each_loss(|name, loss, outputs| {
            let (mut all, mut one, mut residual) = (Root::default(), Root::default(), Vec::new());
            loss.root(outputs, &mut all);
            loss.residual(outputs, &mut residual);
            loss.few_rows(outputs, FewRows { per_sample: 1, seed: 0 }, &mut one);
            for i in 0..2 {
                let k = all.rho.len() / 2;
                let norm = all.rho[i * k..][..k].iter().map(|x| x * x).sum::<f64>().sqrt();
                let row: Vec<f64> = residual[i * 6..][..6].iter().map(|r| r / norm).collect();
                assert_close(&one.rows[i * 6..][..6], &row, 1e-13, name);
                assert_close(&one.rho[i..=i], &[norm], 1e-13, name);
            }
        });
    }

    #[test]
    fn the_curvature_along_a_change_is_that_of_all_rows() {
        for_each_loss(|name, loss, outputs| {
            let mut root = Root::default();
            loss.root(outputs, &mut root);
            let change: Vec<f64> = (0..12).map(|i| libm::cos(0.7 * f64::from(i))).collect();
            let q = moments(&root, 2, 6).0;
            let form = |i: usize, e: usize| q[i * 36 + e] * change[i * 6 + e / 6] * change[i * 6 + e % 6];
            let expected: f64 = (0..72).map(|e| form(e / 36, e % 36)).sum();
            let found = loss.curvature_along(outputs, &change);
            assert!((found - expected).abs() <= 1e-13 * expected, "{name}: {found}, not {expected}");
        });
    }

    #[test]
    fn a_sample_without_a_gradient_keeps_a_row() {
        let mut root = Root { rows: vec![3.0, 0.0, 0.0, 4.0], rho: vec![0.0, 0.0] };
        FewRows { per_sample: 1, seed: 0 }.turn(&mut root, 1, 2);
        assert_eq!(root, Root { rows: vec![3.0, 0.0], rho: vec![0.0] });
    }

    /// The rows of all would be 8 GB.
    #[test]
    fn a_thousand_choices_of_a_thousand_samples_are_affordable() {
        let (b, c) = (1000, 1000);
        let samples = vec![PolicySample { action: 7, advantage: 1.0, old_log_prob: -7.0 }; b];
        let policy = CategoricalPolicyGradient { samples: &samples, clip: None, entropy: 0.0, kl: None };
        let mut root = Root::default();
        policy.few_rows(&outputs(b, c), FewRows { per_sample: 2, seed: 1 }, &mut root);
        assert_eq!((root.rows.len(), root.rho.len()), (2 * b * c, 2 * b));
    }
}
