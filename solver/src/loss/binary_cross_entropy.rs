//! Cross-entropy of independent yes-or-no outputs.

use super::{
    loss::{LEAST_LOG_P, Loss, Outputs},
    root::Root,
};

/// The binary cross-entropy ℓ = Σ softplus(z) − y z over c logits, with y in [0, 1]. Q = diag(p(1 −
/// p)), exact; c rows a sample.
#[derive(Debug, Clone, Copy)]
pub struct BinaryCrossEntropy<'a> {
    /// y, (b, c).
    pub targets: &'a [f64],
}

/// log(1 + eᶻ), without overflow.
fn softplus(z: f64) -> f64 {
    z.max(0.0) + libm::log1p(libm::exp(-z.abs()))
}

/// p − y, from the smaller of p and 1 − p, so that neither tail loses digits.
fn residual(z: f64, y: f64) -> f64 {
    let small = libm::exp(-softplus(z.abs()));
    if z < 0.0 { small - y } else { (1.0 - y) - small }
}

impl BinaryCrossEntropy<'_> {
    fn terms<'b>(&'b self, outputs: &'b Outputs) -> impl Iterator<Item = (f64, f64)> + 'b {
        assert_eq!(self.targets.len(), outputs.values.len(), "targets and outputs");
        outputs.values.iter().copied().zip(self.targets.iter().copied())
    }
}

impl Loss for BinaryCrossEntropy<'_> {
    fn rows_per_sample(&self, outputs: &Outputs) -> usize {
        outputs.n_outputs
    }

    fn values(&self, outputs: &Outputs, values: &mut Vec<f64>) {
        values.clear();
        let targets = self.targets.chunks_exact(outputs.n_outputs);
        assert_eq!(self.targets.len(), outputs.values.len(), "targets and outputs");
        // softplus(z) − yz as a sum of two terms of one sign: nothing
        // cancels at a well-fitted tail.
        let term = |(z, y): (&f64, &f64)| y * softplus(-z) + (1.0 - y) * softplus(*z);
        values.extend(outputs.rows().zip(targets).map(|(z, y)| z.iter().zip(y).map(term).sum::<f64>()));
    }

    fn residual(&self, outputs: &Outputs, into: &mut Vec<f64>) -> f64 {
        into.clear();
        into.extend(self.terms(outputs).map(|(z, y)| residual(z, y)));
        self.value(outputs)
    }

    fn root(&self, outputs: &Outputs, root: &mut Root) -> f64 {
        let c = outputs.n_outputs;
        root.rho.clear();
        root.rows.clear();
        root.rows.resize(outputs.values.len() * c, 0.0);
        for (i, (z, y)) in self.terms(outputs).enumerate() {
            // √(p(1−p)), held where it underflows, as for softmax.
            let scale = libm::exp(0.5 * (-softplus(z) - softplus(-z)).max(LEAST_LOG_P));
            root.rows[i * c + i % c] = scale;
            root.rho.push(residual(z, y) / scale);
        }
        self.value(outputs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::check_loss;

    #[test]
    fn derivatives_equal_differences() {
        let outputs = Outputs { values: vec![0.5, -1.0, 2.0, 0.25], n_outputs: 2 };
        check_loss(&BinaryCrossEntropy { targets: &[1.0, 0.0, 0.25, 1.0] }, &outputs, true);
    }

    #[test]
    fn a_saturated_sample_keeps_its_residual() {
        let outputs = Outputs { values: vec![800.0, -800.0], n_outputs: 1 };
        let loss = BinaryCrossEntropy { targets: &[0.0, 1.0] };
        let mut root = Root::default();
        assert_eq!(loss.root(&outputs, &mut root), 800.0);
        let products: Vec<f64> = root.rho.iter().zip(&root.rows).map(|(rho, row)| rho * row).collect();
        assert_eq!(products, [1.0, -1.0]);
    }
}
