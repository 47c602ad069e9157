//! Policy gradient for continuous actions.

use super::{
    loss::{Loss, Outputs},
    policy_gradient::KlPenalty,
    policy_gradient::surrogate,
    root::Root,
};

/// The clipped surrogate of PPO with an entropy bonus for a diagonal Gaussian policy:
///
/// ℓ = −min(ρ A, clip(ρ, 1 − ε, 1 + ε) A) − β H(π) + κ KL(π_old‖π),  ρ = π(a|s) / π_old(a|s).
///
/// Outputs, (b, 2n): the mean μ of every action entry, then every log σ. This is no convex loss of
/// them; the curvature declared is the Fisher matrix of the policy, Q = diag(1/σ², 2), so that the
/// Gauss-Newton step **is** the damped natural policy gradient. 2n rows a sample.
///
/// Source: Schulman et al. (2017), arXiv 1707.06347; Kakade (2001) for the curvature.
#[derive(Debug, Clone, Copy)]
pub struct GaussianPolicyGradient<'a> {
    /// a, (b, n).
    pub actions: &'a [f64],
    /// A, (b).
    pub advantages: &'a [f64],
    /// log π_old(a|s), (b).
    pub old_log_probs: &'a [f64],
    /// ε > 0; `None` does not clip.
    pub clip: Option<f64>,
    /// β ≥ 0, the entropy coefficient.
    pub entropy: f64,
    /// κ KL(π_old‖π); `None` does not penalize.
    pub kl: Option<KlPenalty<'a>>,
}

/// ½ log 2π.
const HALF_LOG_TAU: f64 = 0.918_938_533_204_672_7;

/// log π(a) of a diagonal Gaussian with the given outputs (2n): means, then log σ.
pub fn gaussian_log_prob(outputs: &[f64], action: &[f64]) -> f64 {
    let (means, log_stds) = outputs.split_at(action.len());
    let terms = means.iter().zip(log_stds).zip(action);
    terms.map(|((mean, &log_std), a)| -0.5 * ((a - mean) / libm::exp(log_std)).powi(2) - log_std - HALF_LOG_TAU).sum()
}

/// H(π) of a diagonal Gaussian with the given log σ.
pub fn gaussian_entropy(log_stds: &[f64]) -> f64 {
    log_stds.iter().map(|log_std| log_std + 0.5 + HALF_LOG_TAU).sum()
}

/// KL(π_old‖π) of two diagonal Gaussians, each with outputs (2n): means, then log σ.
pub fn gaussian_kl(old: &[f64], new: &[f64]) -> f64 {
    let n = new.len() / 2;
    let term = |j: usize| {
        let (old_std, std) = (libm::exp(old[n + j]), libm::exp(new[n + j]));
        new[n + j] - old[n + j] + (old_std * old_std + (old[j] - new[j]).powi(2)) / (2.0 * std * std) - 0.5
    };
    (0..n).map(term).sum()
}

impl GaussianPolicyGradient<'_> {
    /// Calls `each` with (ℓ, outputs, r) of every sample and returns the loss.
    fn scan(&self, outputs: &Outputs, mut each: impl FnMut(f64, &[f64], &[f64])) -> f64 {
        let (b, n) = (outputs.batch(), outputs.n_outputs / 2);
        assert_eq!(2 * n, outputs.n_outputs, "a mean and a log σ for every action entry");
        let given = (self.actions.len(), self.advantages.len(), self.old_log_probs.len());
        assert_eq!(given, (b * n, b, b), "actions, advantages and log probabilities of {b} samples");
        let mut residual = vec![0.0; 2 * n];
        let mut sum = 0.0;
        for (i, (f, action)) in outputs.rows().zip(self.actions.chunks_exact(n)).enumerate() {
            let ratio = libm::exp(gaussian_log_prob(f, action) - self.old_log_probs[i]);
            let (value, slope) = surrogate(ratio, self.advantages[i], self.clip);
            for j in 0..n {
                let (mean, log_std) = (f[j], f[n + j]);
                let z = (action[j] - mean) / libm::exp(log_std);
                residual[j] = -slope * z / libm::exp(log_std);
                residual[n + j] = -slope * (z * z - 1.0) - self.entropy;
            }
            let mut loss = -value - self.entropy * gaussian_entropy(&f[n..]);
            if let Some(KlPenalty { coefficient, old_outputs }) = self.kl {
                let old = &old_outputs[i * 2 * n..(i + 1) * 2 * n];
                loss += coefficient * gaussian_kl(old, f);
                for j in 0..n {
                    let (variance, old_variance) = (libm::exp(2.0 * f[n + j]), libm::exp(2.0 * old[n + j]));
                    let gap = f[j] - old[j];
                    residual[j] += coefficient * gap / variance;
                    residual[n + j] += coefficient * (1.0 - (old_variance + gap * gap) / variance);
                }
            }
            sum += loss;
            each(loss, f, &residual);
        }
        sum / b as f64
    }
}

impl Loss for GaussianPolicyGradient<'_> {
    fn rows_per_sample(&self, outputs: &Outputs) -> usize {
        outputs.n_outputs
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
        let c = outputs.n_outputs;
        root.rho.clear();
        root.rows.clear();
        root.rows.resize(outputs.values.len() * c, 0.0);
        let Root { rows, rho } = root;
        let value = self.scan(outputs, |_, f, r| {
            for j in 0..c {
                let scale = if j < c / 2 { libm::exp(-f[c / 2 + j]) } else { std::f64::consts::SQRT_2 };
                rows[rho.len() * c + j] = scale;
                rho.push(r[j] / scale);
            }
        });
        KlPenalty::scale(self.kl, root);
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::check_loss;

    #[test]
    fn gradient_equals_differences() {
        let outputs = Outputs { values: vec![0.3, -0.2, -0.5, 0.4, 1.0, 0.0, 0.2, -1.0], n_outputs: 4 };
        let plain = GaussianPolicyGradient {
            actions: &[0.1, 0.9, 1.4, -0.2],
            advantages: &[1.5, -0.7],
            old_log_probs: &[-2.0, -1.5],
            clip: None,
            entropy: 0.3,
            kl: None,
        };
        check_loss(&plain, &outputs, false);
        let kl = Some(KlPenalty { coefficient: 0.7, old_outputs: &[0.1, 0.0, -0.3, 0.2, 0.8, 0.1, 0.0, -0.5] });
        check_loss(&GaussianPolicyGradient { kl, ..plain }, &outputs, false);
        check_loss(&GaussianPolicyGradient { clip: Some(0.2), entropy: 0.0, ..plain }, &outputs, false);
    }

    #[test]
    fn curvature_is_the_fisher_matrix() {
        let outputs = Outputs { values: vec![0.0, libm::log(0.5_f64)], n_outputs: 2 };
        let loss = GaussianPolicyGradient {
            actions: &[1.0],
            advantages: &[1.0],
            old_log_probs: &[0.0],
            clip: None,
            entropy: 0.0,
            kl: None,
        };
        let mut root = Root::default();
        loss.root(&outputs, &mut root);
        // Rows of Sᵀ: 1/σ = 2 for the mean, √2 for log σ.
        let expected = [2.0, 0.0, 0.0, std::f64::consts::SQRT_2];
        assert!(root.rows.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-15), "{:?}", root.rows);
        // By hand: z = 2, log π = −2 − log ½ − ½ log 2π.
        let log_prob = gaussian_log_prob(&outputs.values, &[1.0]);
        assert!((log_prob - (-2.0 + libm::log(2.0_f64) - HALF_LOG_TAU)).abs() < 1e-15);
    }

    #[test]
    fn divergence_and_entropy_by_hand() {
        // From N(1, 2²) to N(0, 1): −log 2 + (4 + 1)/2 − ½.
        let kl = gaussian_kl(&[1.0, libm::log(2.0_f64)], &[0.0, 0.0]);
        assert!((kl - (2.0 - libm::log(2.0_f64))).abs() < 1e-15, "{kl}");
        assert!((gaussian_entropy(&[0.0, 0.0]) - libm::log(2.0 * std::f64::consts::PI) - 1.0).abs() < 1e-15);
    }
}
