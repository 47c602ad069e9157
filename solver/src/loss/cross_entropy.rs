//! Softmax cross-entropy, and the square root of the softmax curvature that policies share.

use std::cmp::Ordering;

use super::{
    few_rows::FewRows,
    loss::{LEAST_LOG_P, Loss, Outputs, chosen},
    root::Root,
};

/// The softmax cross-entropy ℓ = −log softmax(z)_y for integer labels. Q = diag(p) − p pᵀ, exact.
///
/// Rows: c − 1 a sample, the rank of Q.
#[derive(Debug, Clone, Copy)]
pub struct CrossEntropy<'a> {
    /// y, (b).
    pub labels: &'a [u32],
}

impl CrossEntropy<'_> {
    /// z and y of every sample.
    fn samples<'b>(&'b self, outputs: &'b Outputs) -> impl Iterator<Item = (&'b [f64], usize)> + 'b {
        assert_eq!(self.labels.len(), outputs.batch(), "labels and samples");
        let c = outputs.n_outputs;
        outputs.rows().zip(self.labels).enumerate().map(move |(i, (z, &label))| (z, chosen(i, label, c)))
    }
}

impl Loss for CrossEntropy<'_> {
    fn rows_per_sample(&self, outputs: &Outputs) -> usize {
        outputs.n_outputs - 1
    }

    fn values(&self, outputs: &Outputs, values: &mut Vec<f64>) {
        let mut log_p = vec![0.0; outputs.n_outputs];
        values.clear();
        values.extend(self.samples(outputs).map(|(z, label)| {
            log_softmax(z, &mut log_p);
            -log_p[label]
        }));
    }

    fn residual(&self, outputs: &Outputs, residual: &mut Vec<f64>) -> f64 {
        residual.clear();
        let mut log_p = vec![0.0; outputs.n_outputs];
        let mut sum = 0.0;
        for (z, label) in self.samples(outputs) {
            log_softmax(z, &mut log_p);
            sum -= log_p[label];
            residual.extend(label_residual(&log_p, label));
        }
        sum / outputs.batch() as f64
    }

    fn root(&self, outputs: &Outputs, root: &mut Root) -> f64 {
        self.roots(outputs, SoftmaxRoot::new(outputs.n_outputs, root))
    }

    fn few_rows(&self, outputs: &Outputs, rows: FewRows, root: &mut Root) -> f64 {
        self.roots(outputs, SoftmaxRoot::few(outputs.n_outputs, rows, root))
    }

    fn curvature_along(&self, outputs: &Outputs, change: &[f64]) -> f64 {
        let c = outputs.n_outputs;
        let mut log_p = vec![0.0; c];
        let samples = outputs.rows().zip(change.chunks_exact(c));
        samples
            .map(|(z, change)| {
                log_softmax(z, &mut log_p);
                softmax_curvature_along(&log_p, change)
            })
            .sum()
    }
}

impl CrossEntropy<'_> {
    fn roots(&self, outputs: &Outputs, mut softmax: SoftmaxRoot<'_>) -> f64 {
        let (mut log_p, mut residual) = (vec![0.0; outputs.n_outputs], Vec::new());
        let mut sum = 0.0;
        for (z, label) in self.samples(outputs) {
            log_softmax(z, &mut log_p);
            sum -= log_p[label];
            residual.clear();
            residual.extend(label_residual(&log_p, label));
            softmax.push(&log_p, &residual);
        }
        sum / outputs.batch() as f64
    }
}

/// p − onehot(y), without cancellation at the label: 1 − p_y is the sum of the others.
fn label_residual(log_p: &[f64], label: usize) -> impl Iterator<Item = f64> + '_ {
    let others: f64 = log_p.iter().enumerate().filter(|&(j, _)| j != label).map(|(_, &l)| libm::exp(l)).sum();
    log_p.iter().enumerate().map(move |(j, &l)| if j == label { -others } else { libm::exp(l) })
}

/// log softmax(z) into `log_p`, (c).
pub fn log_softmax(z: &[f64], log_p: &mut [f64]) {
    let largest = z.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let log_sum = largest + libm::log(z.iter().map(|z| libm::exp(z - largest)).sum::<f64>());
    log_p.iter_mut().zip(z).for_each(|(l, z)| *l = z - log_sum);
}

/// tᵀ (diag(p) − p pᵀ) t, as the variance of t under p.
pub(super) fn softmax_curvature_along(log_p: &[f64], t: &[f64]) -> f64 {
    let mean: f64 = log_p.iter().zip(t).map(|(&l, t)| libm::exp(l) * t).sum();
    log_p.iter().zip(t).map(|(&l, t)| libm::exp(l) * (t - mean) * (t - mean)).sum()
}

/// Collects Sᵀ and ρ of Q = diag(p) − p pᵀ, sample after sample.
///
/// Q has rank c − 1, and so many columns has its Cholesky factor, in closed form: with the tail
/// sums qⱼ = Σ p over the classes after j, and q of the class before,
///
/// ```text
/// Sⱼⱼ = √(pⱼ qⱼ / qⱼ₋₁),   Sᵢⱼ = −pᵢ √(pⱼ / (qⱼ qⱼ₋₁))   for i > j,
/// ```
///
/// and S ρ = r, for every r that sums to zero, is a forward substitution. Where p underflows it is
/// held at e⁻⁸⁰: S changes by less than rounding, S ρ = r still holds, and the step of a saturated
/// sample becomes the plain damped gradient, as it must.
///
/// Where only few rows are kept ([`FewRows`]), S = diag(√p) − p √pᵀ and ρ = r/√p take the place of
/// the triangle: Q and ‖ρ‖ are the same, and a product with S costs c instead of c².
///
/// Source: Tanabe and Sagae (1992), "An exact Cholesky decomposition and the generalized inverse of
/// the variance-covariance matrix of the multinomial distribution, with applications", J.
/// R. Statist. Soc. B 54(1).
pub(super) struct SoftmaxRoot<'a> {
    root: &'a mut Root,
    p: Vec<f64>,
    few: Option<FewRows>,
    n_samples: usize,
}

impl<'a> SoftmaxRoot<'a> {
    pub fn new(c: usize, root: &'a mut Root) -> Self {
        root.rows.clear();
        root.rho.clear();
        Self { root, p: vec![0.0; c], few: None, n_samples: 0 }
    }

    /// Collects few rows of every sample into `root`.
    pub fn few(c: usize, rows: FewRows, root: &'a mut Root) -> Self {
        Self { few: Some(rows), ..Self::new(c, root) }
    }

    /// Appends one sample: log p (c), and r (c) with Σ r = 0.
    pub fn push(&mut self, log_p: &[f64], residual: &[f64]) {
        let Self { root, p, few, n_samples } = self;
        let c = p.len();
        p.iter_mut().zip(log_p).for_each(|(p, l)| *p = libm::exp(l.max(LEAST_LOG_P)));
        if let Some(few) = few {
            let rho: Vec<f64> = residual.iter().zip(&*p).map(|(r, p)| r / p.sqrt()).collect();
            few.push(*n_samples, &rho, c, root, |z, s| {
                let along: f64 = z.iter().zip(&*p).map(|(z, p)| p.sqrt() * z).sum();
                s.iter_mut().zip(z.iter().zip(&*p)).for_each(|(s, (z, p))| *s += p.sqrt() * z - p * along);
            });
            *n_samples += 1;
            return;
        }
        let Root { rows, rho } = &mut **root;
        let mut before: f64 = p.iter().sum();
        // −Σ Sᵢₜ ρₜ / pᵢ over the columns t done, the same for every i below them.
        let mut carried = 0.0;
        for j in 0..c - 1 {
            let after: f64 = p[j + 1..].iter().sum();
            let scale = (p[j] / (after * before)).sqrt();
            rows.extend((0..c).map(|i| match i.cmp(&j) {
                Ordering::Less => 0.0,
                Ordering::Equal => scale * after,
                Ordering::Greater => -scale * p[i],
            }));
            let value = (residual[j] + p[j] * carried) / (scale * after);
            rho.push(value);
            carried += scale * value;
            before = after;
        }
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
        for (c, z, label) in [
            (2, vec![500.0, -500.0], 1),
            (3, vec![0.0, 900.0, -900.0], 2),
            (3, vec![900.0, 0.0, -900.0], 1),
            (3, vec![-900.0, 0.0, 900.0], 0),
        ] {
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
