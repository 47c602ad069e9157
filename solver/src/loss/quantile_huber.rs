//! Quantile regression on the output groups chosen for each sample.

use super::{
    loss::{Loss, Outputs, chosen},
    root::Root,
};

/// Quantile Huber loss of the chosen action's N quantiles θ against m target samples y:
///
/// ℓ = Σⱼ (1/m) Σₜ |τⱼ − 1(yₜ < θⱼ)| h(θⱼ − yₜ) / κ,  τⱼ = (j + ½)/N,  h Huber's function with κ.
///
/// Outputs, (b, n_actions·N): all quantiles of the first action, then of the next. Only those of
/// the chosen action have a residual, and only they have rows: N a sample. Where every difference
/// is below κ and no target crosses its quantile, ℓ is quadratic; its curvature declared everywhere
/// is that of reweighted least squares, as in [`super::ChosenAction`]: h(e) ≤ h(e₀) + ½ min(1,
/// κ/|e₀|) (e² − e₀²), so that
///
/// Q = diag(qⱼ),  qⱼ = (1/m) Σₜ |τⱼ − 1(yₜ < θⱼ)| min(1, κ/|θⱼ − yₜ|) / κ,
///
/// positive always, since 0 < τⱼ < 1; S = diag(√qⱼ), ρⱼ = rⱼ/√qⱼ.
///
/// Source: Dabney, Rowland, Bellemare, Munos (2018), arXiv 1710.10044, eq. 10; the sum over
/// quantiles as in sb3-contrib.
#[derive(Debug, Clone, Copy)]
pub struct QuantileHuber<'a> {
    /// a, (b): which quantiles count.
    pub actions: &'a [u32],
    /// y, (b, m).
    pub targets: &'a [f64],
    /// Number of quantiles, N.
    pub n_quantiles: usize,
    /// Huber threshold κ > 0.
    pub huber: f64,
}

/// What one quantile adds.
#[derive(Debug, Clone, Copy, Default)]
struct Term {
    value: f64,
    /// rⱼ.
    residual: f64,
    /// qⱼ.
    curvature: f64,
}

impl QuantileHuber<'_> {
    /// The term of one quantile of level τ at θ.
    fn term(&self, level: f64, theta: f64, targets: &[f64]) -> Term {
        let (kappa, m) = (self.huber, targets.len() as f64);
        let mut term = Term::default();
        for target in targets {
            let error = theta - target;
            let weight = if error > 0.0 { 1.0 - level } else { level } / (kappa * m);
            let clipped = (kappa / error.abs()).min(1.0);
            let size = error.abs();
            let huber = if size > kappa { kappa * (size - 0.5 * kappa) } else { 0.5 * error * error };
            term.value += weight * huber;
            term.residual += weight * clipped * error;
            term.curvature += weight * clipped;
        }
        term
    }

    /// Calls `each` with (sample, output entry, term) of every quantile that counts.
    fn scan(&self, outputs: &Outputs, mut each: impl FnMut(usize, usize, Term)) {
        let (b, n) = (outputs.batch(), self.n_quantiles);
        assert_eq!(self.actions.len(), b, "actions of {b} samples");
        assert!(b > 0 && self.targets.len().is_multiple_of(b), "{} targets of {b} samples", self.targets.len());
        let targets = self.targets.chunks_exact(self.targets.len() / b);
        for (i, (&action, targets)) in self.actions.iter().zip(targets).enumerate() {
            let first = i * outputs.n_outputs + chosen(i, action, outputs.n_outputs / n) * n;
            for (j, &theta) in outputs.values[first..first + n].iter().enumerate() {
                each(i, first + j, self.term((j as f64 + 0.5) / n as f64, theta, targets));
            }
        }
    }
}

impl Loss for QuantileHuber<'_> {
    fn rows_per_sample(&self, _: &Outputs) -> usize {
        self.n_quantiles
    }

    fn values(&self, outputs: &Outputs, values: &mut Vec<f64>) {
        values.clear();
        values.resize(outputs.batch(), 0.0);
        self.scan(outputs, |sample, _, term| values[sample] += term.value);
    }

    fn residual(&self, outputs: &Outputs, residual: &mut Vec<f64>) -> f64 {
        residual.clear();
        residual.resize(outputs.values.len(), 0.0);
        self.scan(outputs, |_, entry, term| residual[entry] = term.residual);
        self.value(outputs)
    }

    fn root(&self, outputs: &Outputs, root: &mut Root) -> f64 {
        let c = outputs.n_outputs;
        root.rho.clear();
        root.rows.clear();
        root.rows.resize(outputs.batch() * self.n_quantiles * c, 0.0);
        let Root { rows, rho } = root;
        self.scan(outputs, |_, entry, term| {
            let scale = term.curvature.sqrt();
            rows[rho.len() * c + entry % c] = scale;
            rho.push(term.residual / scale);
        });
        self.value(outputs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::check_loss;

    #[test]
    fn derivatives_equal_differences() {
        let outputs = Outputs { values: vec![0.1, 0.4, -0.3, 2.0, -1.0, 0.0, 0.5, 3.0], n_outputs: 4 };
        let targets = [0.3, -0.2, 0.9, 1.4, -0.4, 0.8];
        let loss = QuantileHuber { actions: &[1, 0], targets: &targets, n_quantiles: 2, huber: 10.0 };
        check_loss(&loss, &outputs, true);
        // Beyond κ the curvature is a stand-in: only the gradient is exact.
        check_loss(&QuantileHuber { huber: 0.5, ..loss }, &outputs, false);
    }

    #[test]
    fn loss_and_gradient_are_those_of_sb3_contrib() {
        let all: serde_json::Value =
            serde_json::from_str(include_str!("../../../tests/data/sb3/off_policy.json")).unwrap();
        let golden = &all["quantile_huber"];
        let numbers =
            |name: &str| -> Vec<f64> { golden[name].as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect() };
        let actions: Vec<u32> = numbers("actions").iter().map(|&a| a as u32).collect();
        let targets = numbers("targets");
        let loss = QuantileHuber { actions: &actions, targets: &targets, n_quantiles: 4, huber: 1.0 };
        let outputs = Outputs { values: numbers("outputs"), n_outputs: 8 };
        let mut residual = Vec::new();
        let value = loss.residual(&outputs, &mut residual);
        assert!((value - golden["loss"].as_f64().unwrap()).abs() < 1e-12);
        for (r, g) in residual.iter().zip(numbers("gradient")) {
            // Theirs is of the mean over three samples.
            assert!((r / 3.0 - g).abs() < 1e-12, "{r} {g}");
        }
    }

    #[test]
    fn quantiles_by_hand() {
        // θ = (0, 3), τ = (¼, ¾), y = (1, −2), κ = 1.
        let outputs = Outputs { values: vec![0.0, 3.0], n_outputs: 2 };
        let loss = QuantileHuber { actions: &[0], targets: &[1.0, -2.0], n_quantiles: 2, huber: 1.0 };
        let mut residual = Vec::new();
        let value = loss.residual(&outputs, &mut residual);
        // Errors −1 and 2; 2 and 5: Huber ½ and 1½; 1½ and 4½.
        assert_eq!(value, 0.5 * (0.25 * 0.5 + 0.75 * 1.5) + 0.5 * (0.25 * 1.5 + 0.25 * 4.5));
        assert_eq!(residual, [0.5 * (-0.25 + 0.75), 0.5 * (0.25 + 0.25)]);
        let mut root = Root::default();
        loss.root(&outputs, &mut root);
        let curvature = [0.5 * (0.25 + 0.375), 0.5 * (0.125 + 0.05)];
        // Rows (√q₀, 0) and (0, √q₁).
        for (row, q) in [root.rows[0], root.rows[3]].iter().zip(curvature) {
            assert!((row * row - q).abs() < 1e-15);
        }
    }
}
