//! Cross-entropy between a target distribution and the atoms chosen for each sample.

use super::{
    cross_entropy::{SoftmaxRoot, log_softmax},
    loss::{Loss, Outputs, chosen},
    root::Root,
};

/// Cross-entropy of the chosen action's distribution over N atoms, p = softmax(z), with a target m:
///
/// ℓ = −Σᵢ mᵢ log pᵢ,  Σᵢ mᵢ = 1.
///
/// Outputs, (b, n_actions·N): all logits of the first action, then of the next. Only those of the
/// chosen action have a residual, r = p − m, and only they have a curvature, Q = diag(p) − p pᵀ,
/// which is exact and does not depend on m. Rows: N − 1 a sample, the rank of Q; S and ρ as for
/// [`super::CrossEntropy`], to which a target that is one atom is equal.
///
/// Source: Bellemare, Dabney, Munos (2017), arXiv 1707.06887, algorithm 1.
#[derive(Debug, Clone, Copy)]
pub struct ChosenDistribution<'a> {
    /// a, (b): which atoms count.
    pub actions: &'a [u32],
    /// m, (b, N): each row sums to one.
    pub targets: &'a [f64],
    /// N, 2 or more.
    pub n_atoms: usize,
}

/// One sample.
struct Sample<'a> {
    /// First entry of the chosen action's logits among all outputs.
    first: usize,
    /// m.
    target: &'a [f64],
    /// log p.
    log_p: &'a [f64],
}

impl Sample<'_> {
    fn value(&self) -> f64 {
        -self.target.iter().zip(self.log_p).map(|(m, l)| m * l).sum::<f64>()
    }

    /// p − m as pⱼ times the rest of m less mⱼ times the rest of p, so that it sums to zero
    /// where one atom has all of p.
    fn residual(&self, residual: &mut [f64]) {
        let p: Vec<f64> = self.log_p.iter().map(|&l| libm::exp(l)).collect();
        let others = |of: &[f64], j: usize| of[..j].iter().chain(&of[j + 1..]).sum::<f64>();
        for (j, r) in residual.iter_mut().enumerate() {
            *r = p[j] * others(self.target, j) - self.target[j] * others(&p, j);
        }
    }
}

impl ChosenDistribution<'_> {
    /// Calls `each` with every sample and returns the loss.
    fn scan(&self, outputs: &Outputs, mut each: impl FnMut(&Sample<'_>)) -> f64 {
        let (b, c, n) = (outputs.batch(), outputs.n_outputs, self.n_atoms);
        assert_eq!((self.actions.len(), self.targets.len()), (b, b * n), "actions and targets of {b} samples");
        let (mut log_p, mut sum) = (vec![0.0; n], 0.0);
        for (i, (&action, target)) in self.actions.iter().zip(self.targets.chunks_exact(n)).enumerate() {
            let first = i * c + chosen(i, action, c / n) * n;
            log_softmax(&outputs.values[first..first + n], &mut log_p);
            let sample = Sample { first, target, log_p: &log_p };
            sum += sample.value();
            each(&sample);
        }
        sum / b as f64
    }
}

impl Loss for ChosenDistribution<'_> {
    fn rows_per_sample(&self, _: &Outputs) -> usize {
        self.n_atoms - 1
    }

    fn values(&self, outputs: &Outputs, values: &mut Vec<f64>) {
        values.clear();
        self.scan(outputs, |sample| values.push(sample.value()));
    }

    fn residual(&self, outputs: &Outputs, residual: &mut Vec<f64>) -> f64 {
        residual.clear();
        residual.resize(outputs.values.len(), 0.0);
        self.scan(outputs, |sample| sample.residual(&mut residual[sample.first..][..self.n_atoms]))
    }

    fn root(&self, outputs: &Outputs, root: &mut Root) -> f64 {
        let (c, n) = (outputs.n_outputs, self.n_atoms);
        let (mut of_atoms, mut residual) = (Root::default(), vec![0.0; n]);
        let (mut softmax, mut columns) = (SoftmaxRoot::new(n, &mut of_atoms), Vec::with_capacity(outputs.batch()));
        let loss = self.scan(outputs, |sample| {
            sample.residual(&mut residual);
            softmax.push(sample.log_p, &residual);
            columns.push(sample.first % c);
        });
        // The same rows among the outputs of all actions.
        root.rows.clear();
        root.rows.resize(of_atoms.rho.len() * c, 0.0);
        for (i, (row, of_atoms)) in root.rows.chunks_exact_mut(c).zip(of_atoms.rows.chunks_exact(n)).enumerate() {
            row[columns[i / (n - 1)]..][..n].copy_from_slice(of_atoms);
        }
        root.rho = of_atoms.rho;
        loss
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{loss::CrossEntropy, testing::check_loss};

    #[test]
    fn derivatives_equal_differences() {
        let outputs = Outputs { values: (0..12).map(|i| 2.0 * libm::sin(1.7 * f64::from(i))).collect(), n_outputs: 6 };
        let targets = [0.2, 0.5, 0.3, 0.0, 0.9, 0.1];
        check_loss(&ChosenDistribution { actions: &[1, 0], targets: &targets, n_atoms: 3 }, &outputs, true);
        check_loss(
            &ChosenDistribution { actions: &[2, 0], targets: &[0.6, 0.4, 0.0, 1.0], n_atoms: 2 },
            &outputs,
            true,
        );
    }

    #[test]
    fn two_atoms_by_hand() {
        // p = (¾, ¼) for the second action, m = (½, ½).
        let outputs = Outputs { values: vec![7.0, -7.0, libm::log(3.0), 0.0], n_outputs: 4 };
        let loss = ChosenDistribution { actions: &[1], targets: &[0.5, 0.5], n_atoms: 2 };
        let (mut residual, mut root) = (Vec::new(), Root::default());
        let value = loss.residual(&outputs, &mut residual);
        assert!((value + 0.5 * libm::log(3.0 / 16.0)).abs() < 1e-15);
        loss.root(&outputs, &mut root);
        // Q = p₀p₁ (1, −1)(1, −1)ᵀ, so that S = √(3/16) (1, −1)ᵀ.
        let s = libm::sqrt(3.0 / 16.0);
        for (found, expected) in [(&residual, [0.0, 0.0, 0.25, -0.25]), (&root.rows, [0.0, 0.0, s, -s])] {
            assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-15), "{found:?}, not {expected:?}");
        }
        assert!(root.rho.len() == 1 && (root.rho[0] - 0.25 / s).abs() < 1e-15);
    }

    #[test]
    fn a_target_of_one_atom_is_a_label_even_where_the_softmax_is_saturated() {
        for z in [vec![0.5, -1.0, 2.0], vec![0.0, 900.0, -900.0], vec![900.0, 0.0, -900.0], vec![-900.0, 0.0, 900.0]] {
            let outputs = Outputs { values: z, n_outputs: 3 };
            for label in 0..3 {
                let mut target = [0.0; 3];
                target[label] = 1.0;
                let ours = ChosenDistribution { actions: &[0], targets: &target, n_atoms: 3 };
                let theirs = CrossEntropy { labels: &[label as u32] };
                let of = |loss: &dyn Loss| {
                    let (mut residual, mut root) = (Vec::new(), Root::default());
                    (loss.residual(&outputs, &mut residual), loss.root(&outputs, &mut root), residual, root)
                };
                let ((value, _, residual, root), (label_value, _, label_residual, label_root)) =
                    (of(&ours), of(&theirs));
                assert_eq!((value, residual, root.rows), (label_value, label_residual, label_root.rows));
                assert_eq!(root.rho, label_root.rho);
            }
        }
    }

    #[test]
    fn what_is_saturated_towards_a_mixture_keeps_its_residual() {
        for z in [[0.0, 900.0, -900.0], [900.0, 0.0, -900.0], [-900.0, 0.0, 900.0], [40.0, 0.0, -40.0]] {
            let outputs = Outputs { values: z.to_vec(), n_outputs: 3 };
            let loss = ChosenDistribution { actions: &[0], targets: &[0.25, 0.5, 0.25], n_atoms: 3 };
            let (mut residual, mut root) = (Vec::new(), Root::default());
            loss.residual(&outputs, &mut residual);
            loss.root(&outputs, &mut root);
            for (j, r) in residual.iter().enumerate() {
                let product: f64 = root.rho.iter().zip(root.rows.chunks_exact(3)).map(|(v, row)| v * row[j]).sum();
                assert!((product - r).abs() < 1e-12, "{z:?}: {product} for {r}");
            }
        }
    }
}
