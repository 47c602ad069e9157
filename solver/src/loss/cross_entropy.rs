//! Softmax cross-entropy, and the square root of the softmax curvature that policies share.

use super::{LEAST_LOG_P, Loss, Outputs, Root};

/// ℓ = −log softmax(z)_y for integer labels. Q = diag(p) − p pᵀ, exact.
///
/// Rows: c a sample, and **one** for two classes, where Q = p₀p₁ (1, −1)(1, −1)ᵀ.
#[derive(Debug, Clone, Copy)]
pub struct CrossEntropy<'a> {
    /// y, (b).
    pub labels: &'a [u32],
}

impl Loss for CrossEntropy<'_> {
    fn value(&self, outputs: &Outputs) -> f64 {
        assert_eq!(self.labels.len(), outputs.batch(), "labels and outputs");
        let mut log_p = vec![0.0; outputs.n_outputs];
        let samples = outputs.rows().zip(self.labels);
        let sum: f64 = samples
            .map(|(z, &label)| {
                log_softmax(z, &mut log_p);
                -log_p[label as usize]
            })
            .sum();
        sum / outputs.batch() as f64
    }

    fn residual(&self, outputs: &Outputs, residual: &mut Vec<f64>) -> f64 {
        residual.clear();
        let mut log_p = vec![0.0; outputs.n_outputs];
        let mut sum = 0.0;
        for (z, &label) in outputs.rows().zip(self.labels) {
            log_softmax(z, &mut log_p);
            sum -= log_p[label as usize];
            residual.extend(label_residual(&log_p, label as usize));
        }
        sum / outputs.batch() as f64
    }

    fn root(&self, outputs: &Outputs, root: &mut Root) -> f64 {
        let mut softmax = SoftmaxRoot::new(outputs.n_outputs, root);
        let mut log_p = vec![0.0; outputs.n_outputs];
        let mut sum = 0.0;
        for (z, &label) in outputs.rows().zip(self.labels) {
            log_softmax(z, &mut log_p);
            sum -= log_p[label as usize];
            softmax.push(&log_p, label_residual(&log_p, label as usize));
        }
        sum / outputs.batch() as f64
    }
}

/// p − onehot(y), without cancellation at the label: 1 − p_y is the sum of the others.
fn label_residual(log_p: &[f64], label: usize) -> impl Iterator<Item = f64> + '_ {
    let others: f64 = log_p.iter().enumerate().filter(|&(j, _)| j != label).map(|(_, l)| l.exp()).sum();
    log_p.iter().enumerate().map(move |(j, l)| if j == label { -others } else { l.exp() })
}

/// log softmax(z) into `log_p`, (c).
pub fn log_softmax(z: &[f64], log_p: &mut [f64]) {
    let largest = z.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let log_sum = largest + z.iter().map(|z| (z - largest).exp()).sum::<f64>().ln();
    log_p.iter_mut().zip(z).for_each(|(l, z)| *l = z - log_sum);
}

/// Collects Sᵀ and ρ of Q = diag(p) − p pᵀ, sample after sample.
///
/// S = diag(√p) − p √pᵀ and ρ = r/√p, for every r that sums to zero. Where p underflows, √p is held
/// at e⁻⁴⁰: S changes by less than rounding, S ρ = r still holds, and the step of a saturated sample
/// becomes the plain damped gradient, as it must.
pub(super) struct SoftmaxRoot<'a> {
    root: &'a mut Root,
    c: usize,
}

impl<'a> SoftmaxRoot<'a> {
    pub fn new(c: usize, root: &'a mut Root) -> Self {
        root.rows.clear();
        root.rho.clear();
        Self { root, c }
    }

    /// One sample: log p (c), and r (c) with Σ r = 0.
    pub fn push(&mut self, log_p: &[f64], residual: impl Iterator<Item = f64>) {
        let sqrt_p = |j: usize| (0.5 * log_p[j].max(LEAST_LOG_P)).exp();
        let Root { rows, rho } = &mut *self.root;
        if self.c == 2 {
            let scale = sqrt_p(0) * sqrt_p(1);
            rows.extend([scale, -scale]);
            // r₁ = −r₀, so the first entry says it all.
            rho.extend(residual.take(1).map(|r| r / scale));
            return;
        }
        for k in 0..self.c {
            let root_k = sqrt_p(k);
            rows.extend((0..self.c).map(|j| root_k * (f64::from(u8::from(j == k)) - log_p[j].exp())));
        }
        rho.extend(residual.enumerate().map(|(k, r)| r / sqrt_p(k)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::check_loss;

    #[test]
    fn derivatives_equal_differences_for_two_and_more_classes() {
        let two = Outputs { values: vec![0.5, -1.0, 2.0, 0.25], n_outputs: 2 };
        check_loss(&CrossEntropy { labels: &[1, 0] }, &two, true);
        let three = Outputs { values: vec![0.5, -1.0, 2.0, 0.25, 0.0, -3.0], n_outputs: 3 };
        check_loss(&CrossEntropy { labels: &[2, 1] }, &three, true);
    }

    #[test]
    fn a_saturated_sample_keeps_its_residual() {
        for (c, z, label) in [(2, vec![500.0, -500.0], 1), (3, vec![0.0, 900.0, -900.0], 2)] {
            let outputs = Outputs { values: z, n_outputs: c };
            let loss = CrossEntropy { labels: &[label] };
            let (mut residual, mut root) = (Vec::new(), Root::default());
            loss.residual(&outputs, &mut residual);
            loss.root(&outputs, &mut root);
            for j in 0..c {
                let product: f64 = root.rho.iter().zip(root.rows.chunks_exact(c)).map(|(v, row)| v * row[j]).sum();
                assert!((product - residual[j]).abs() < 1e-12, "{c} classes: {product} for {}", residual[j]);
            }
            assert_eq!(residual[label as usize], -1.0);
        }
    }
}
