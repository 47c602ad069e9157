//! Policy gradient for discrete actions.

use super::{
    cross_entropy::{SoftmaxRoot, log_softmax, softmax_curvature_along},
    few_rows::FewRows,
    loss::{Loss, Outputs},
    root::Root,
};

/// An action that was taken, as the policy gradient needs to know it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PolicySample {
    /// The action, below c.
    pub action: u32,
    /// Advantage A of the action.
    pub advantage: f64,
    /// log π_old(a|s) of the policy that took the action.
    pub old_log_prob: f64,
}

/// The penalty κ KL(π_old‖π), which keeps a policy near the one that acted.
///
/// Source: Schulman et al. (2017), eq. 5 and 8, arXiv 1707.06347.
#[derive(Debug, Clone, Copy)]
pub struct KlPenalty<'a> {
    /// Coefficient κ > 0.
    pub coefficient: f64,
    /// Outputs of the network of the policy that acted, (b, c).
    pub old_outputs: &'a [f64],
}

impl KlPenalty<'_> {
    /// Adds the curvature of a penalty to `root`: at π = π_old it is κ times the Fisher matrix, so
    /// that Q = (1 + κ) F in all.
    pub(super) fn scale(penalty: Option<Self>, root: &mut Root) {
        let Some(penalty) = penalty else { return };
        let scale = (1.0 + penalty.coefficient).sqrt();
        root.rows.iter_mut().for_each(|s| *s *= scale);
        root.rho.iter_mut().for_each(|rho| *rho /= scale);
    }
}

/// The clipped surrogate of PPO with an entropy bonus, on logits (b, c):
///
/// ℓ = −min(ρ A, clip(ρ, 1 − ε, 1 + ε) A) − β H(π) + κ KL(π_old‖π),  ρ = π(a|s) / π_old(a|s).
///
/// Without `clip` it is the surrogate of TRPO, whose gradient at π = π_old is the policy gradient.
/// This is no convex loss of the logits: ∂²ℓ/∂z² is indefinite where A < 0. The curvature declared
/// is the Fisher matrix of the policy, Q = diag(p) − p pᵀ (Kakade 2001, Schulman et al. 2015, arXiv
/// 1502.05477), so that the Gauss-Newton step **is** the damped natural policy gradient.
///
/// Source: Schulman et al. (2017), eq. 7 and 9, arXiv 1707.06347.
#[derive(Debug, Clone, Copy)]
pub struct CategoricalPolicyGradient<'a> {
    /// Actions taken, one a sample, (b).
    pub samples: &'a [PolicySample],
    /// ε > 0; `None` does not clip.
    pub clip: Option<f64>,
    /// β ≥ 0, the entropy coefficient.
    pub entropy: f64,
    /// κ KL(π_old‖π); `None` does not penalize.
    pub kl: Option<KlPenalty<'a>>,
}

/// The clipped surrogate min(ρA, clip(ρ)A) of a probability ratio, and its derivative by log π.
pub(super) fn surrogate(ratio: f64, advantage: f64, clip: Option<f64>) -> (f64, f64) {
    let clipped = clip.map_or(ratio, |clip| ratio.clamp(1.0 - clip, 1.0 + clip));
    let (free, bound) = (ratio * advantage, clipped * advantage);
    // Where the bound is the smaller of the two it is constant in the policy. NaN stays NaN.
    (if bound < free { bound } else { free }, if bound < free { 0.0 } else { free })
}

impl CategoricalPolicyGradient<'_> {
    /// Calls `each` with (ℓ, log p, r) of every sample and returns the loss.
    fn scan(&self, outputs: &Outputs, mut each: impl FnMut(f64, &[f64], &[f64])) -> f64 {
        let c = outputs.n_outputs;
        assert_eq!(self.samples.len(), outputs.batch(), "samples and outputs");
        let (mut log_p, mut residual, mut old) = (vec![0.0; c], vec![0.0; c], vec![0.0; c]);
        let mut sum = 0.0;
        for (i, (z, sample)) in outputs.rows().zip(self.samples).enumerate() {
            log_softmax(z, &mut log_p);
            let mut loss = self.sample(&log_p, sample, &mut residual);
            if let Some(KlPenalty { coefficient, old_outputs }) = self.kl {
                log_softmax(&old_outputs[i * c..(i + 1) * c], &mut old);
                for (r, (&old, &l)) in residual.iter_mut().zip(old.iter().zip(&log_p)) {
                    loss += coefficient * libm::exp(old) * (old - l);
                    *r += coefficient * (libm::exp(l) - libm::exp(old));
                }
            }
            sum += loss;
            each(loss, &log_p, &residual);
        }
        sum / outputs.batch() as f64
    }

    /// ℓ of one sample, and r into `residual`.
    fn sample(&self, log_p: &[f64], sample: &PolicySample, residual: &mut [f64]) -> f64 {
        let action = sample.action as usize;
        let ratio = libm::exp(log_p[action] - sample.old_log_prob);
        let (value, slope) = surrogate(ratio, sample.advantage, self.clip);
        let entropy: f64 = -log_p.iter().map(|&l| libm::exp(l) * l).sum::<f64>();
        for (j, (r, &l)) in residual.iter_mut().zip(log_p).enumerate() {
            let p = libm::exp(l);
            let taken = f64::from(u8::from(j == action));
            *r = -slope * (taken - p) + self.entropy * p * (l + entropy);
        }
        -value - self.entropy * entropy
    }
}

impl Loss for CategoricalPolicyGradient<'_> {
    fn rows_per_sample(&self, outputs: &Outputs) -> usize {
        outputs.n_outputs - 1
    }

    fn values(&self, outputs: &Outputs, values: &mut Vec<f64>) {
        values.clear();
        self.scan(outputs, |loss, _, _| values.push(loss));
    }

    fn residual(&self, outputs: &Outputs, residual: &mut Vec<f64>) -> f64 {
        residual.clear();
        self.scan(outputs, |_, _, r| residual.extend_from_slice(r))
    }

    fn root(&self, outputs: &Outputs, root: &mut Root) -> f64 {
        let mut softmax = SoftmaxRoot::new(outputs.n_outputs, root);
        let value = self.scan(outputs, |_, log_p, r| softmax.push(log_p, r));
        KlPenalty::scale(self.kl, root);
        value
    }

    fn few_rows(&self, outputs: &Outputs, rows: FewRows, root: &mut Root) -> f64 {
        let mut softmax = SoftmaxRoot::few(outputs.n_outputs, rows, root);
        let value = self.scan(outputs, |_, log_p, r| softmax.push(log_p, r));
        KlPenalty::scale(self.kl, root);
        value
    }

    fn curvature_along(&self, outputs: &Outputs, change: &[f64]) -> f64 {
        let mut changes = change.chunks_exact(outputs.n_outputs);
        let mut sum = 0.0;
        self.scan(outputs, |_, log_p, _| {
            sum += changes.next().map_or(0.0, |change| softmax_curvature_along(log_p, change));
        });
        (1.0 + self.kl.map_or(0.0, |kl| kl.coefficient)) * sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::check_loss;

    fn samples() -> [PolicySample; 3] {
        let sample = |action, advantage, p: f64| PolicySample { action, advantage, old_log_prob: libm::log(p) };
        [sample(0, 1.5, 0.2), sample(1, -0.7, 0.5), sample(1, 2.0, 0.05)]
    }

    fn pair_outputs() -> Outputs {
        Outputs { values: vec![0.5, -1.0, 0.2, 0.25, 0.0, -0.5], n_outputs: 2 }
    }

    #[test]
    fn the_divergence_by_hand() {
        // π = (½, ½), π_old = (¼, ¾): KL = ¼ log ½ + ¾ log 3/2.
        let samples = [PolicySample { action: 0, advantage: 0.0, old_log_prob: 0.0 }];
        let kl = Some(KlPenalty { coefficient: 2.0, old_outputs: &[0.0, libm::log(3.0_f64)] });
        let loss = CategoricalPolicyGradient { samples: &samples, clip: None, entropy: 0.0, kl };
        let value = loss.value(&Outputs { values: vec![0.0, 0.0], n_outputs: 2 });
        assert!((value - 2.0 * (0.25 * libm::log(0.5_f64) + 0.75 * libm::log(1.5_f64))).abs() < 1e-15, "{value}");
    }

    #[test]
    fn gradient_equals_differences_for_two_and_three_actions() {
        let (values, samples) = (vec![0.5, -1.0, 0.2, 0.25, 0.0, -0.5], samples());
        let loss = CategoricalPolicyGradient { samples: &samples, clip: None, entropy: 0.3, kl: None };
        check_loss(&loss, &Outputs { values: values.clone(), n_outputs: 2 }, false);
        let pair = CategoricalPolicyGradient { samples: &samples[..2], ..loss };
        check_loss(&pair, &Outputs { values, n_outputs: 3 }, false);
        let clipped = CategoricalPolicyGradient { samples: &samples, clip: Some(0.2), entropy: 0.0, kl: None };
        check_loss(&clipped, &Outputs { values: vec![0.5, -1.0, 0.2, 0.25, 0.0, -0.5], n_outputs: 2 }, false);
        let kl = Some(KlPenalty { coefficient: 0.7, old_outputs: &[0.1, 0.2, -0.3, 1.0, 0.5, 0.0] });
        check_loss(&CategoricalPolicyGradient { kl, ..pair }, &Outputs { n_outputs: 3, ..pair_outputs() }, false);
    }

    #[test]
    fn clipping_stops_the_gradient_only_where_it_would_go_further() {
        // p = ½ for both actions; the old probability makes the ratio 2 or ½.
        let slope = |advantage: f64, old: f64| {
            let samples = [PolicySample { action: 0, advantage, old_log_prob: libm::log(old) }];
            let loss = CategoricalPolicyGradient { samples: &samples, clip: Some(0.2), entropy: 0.0, kl: None };
            let mut residual = Vec::new();
            loss.residual(&Outputs { values: vec![0.0, 0.0], n_outputs: 2 }, &mut residual);
            residual[0]
        };
        assert_eq!(slope(1.0, 0.25), 0.0);
        assert!((slope(-1.0, 0.25) - 1.0).abs() < 1e-12);
        assert!((slope(1.0, 1.0) + 0.25).abs() < 1e-12);
        assert_eq!(slope(-1.0, 1.0), 0.0);
    }
}
