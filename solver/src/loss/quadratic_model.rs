//! A quadratic model of an objective that somebody else evaluated.

use super::{
    loss::{Loss, Outputs},
    root::Root,
};

/// The quadratic model ℓ(f) = v + rᵀ(f − f₀) + ½ (f − f₀)ᵀ Q (f − f₀), with v, r and Q of every
/// sample given at f₀.
///
/// For actors that climb a critic: f₀ is what the actor puts out now, r the derivative of what it
/// minimizes, −∂Q/∂a for a deterministic policy, and the curvature is whichever positive
/// definite matrix the caller declares: with the identity the Gauss-Newton step is regression on
/// the targets f₀ − r, with that of the critic a Newton step on the action. The model is exact in
/// its own terms: away from f₀, as in a line search, value and residual are the model's.
#[derive(Debug, Clone, PartialEq)]
pub struct QuadraticModel {
    /// v, the loss of the batch at f₀.
    value: f64,
    /// f₀.
    origin: Outputs,
    /// Sᵀ, and ρ at f₀.
    root: Root,
}

impl QuadraticModel {
    /// The model with a diagonal curvature Q = diag(q): `residual` r and `curvature` q > 0 are both
    /// (b, c), as the outputs `origin`. c rows a sample.
    pub fn diagonal(value: f64, origin: &Outputs, residual: &[f64], curvature: &[f64]) -> Self {
        let (n, c) = (origin.values.len(), origin.n_outputs);
        assert_eq!((residual.len(), curvature.len()), (n, n), "residual and curvature of {n} outputs");
        let mut root = Root { rows: vec![0.0; n * c], rho: Vec::with_capacity(n) };
        for (entry, (r, q)) in residual.iter().zip(curvature).enumerate() {
            assert!(*q > 0.0 || q.is_nan(), "curvature {q} of output {entry}");
            root.rows[entry * c + entry % c] = q.sqrt();
            root.rho.push(r / q.sqrt());
        }
        Self { value, origin: origin.clone(), root }
    }

    /// The model with Q = S Sᵀ and r = S ρ, the form of every other loss: any number of rows a
    /// sample.
    pub fn new(value: f64, origin: &Outputs, root: Root) -> Self {
        let (b, c) = (origin.batch(), origin.n_outputs);
        assert_eq!(root.rows.len(), root.rho.len() * c, "rows of S and entries of ρ");
        assert!(b == 0 || root.rho.len().is_multiple_of(b), "{} rows for {b} samples", root.rho.len());
        Self { value, origin: origin.clone(), root }
    }

    /// Calls `each` with a sample, a row of its Sᵀ, ρ at f₀ and ρ at f = `outputs`.
    fn scan(&self, outputs: &Outputs, mut each: impl FnMut(usize, &[f64], f64, f64)) {
        let c = self.origin.n_outputs;
        assert_eq!((outputs.values.len(), outputs.n_outputs), (self.origin.values.len(), c), "outputs of the model");
        let k = self.root.rho.len() / outputs.batch().max(1);
        for (row, (s, &rho)) in self.root.rows.chunks_exact(c).zip(&self.root.rho).enumerate() {
            let entries = row / k * c..(row / k + 1) * c;
            let moved = outputs.values[entries.clone()].iter().zip(&self.origin.values[entries]);
            let change: f64 = s.iter().zip(moved).map(|(s, (f, origin))| s * (f - origin)).sum();
            each(row / k, s, rho, rho + change);
        }
    }
}

impl Loss for QuadraticModel {
    fn rows_per_sample(&self, outputs: &Outputs) -> usize {
        self.root.rho.len() / outputs.batch().max(1)
    }

    fn values(&self, outputs: &Outputs, values: &mut Vec<f64>) {
        values.clear();
        values.resize(outputs.batch(), self.value);
        // ½‖ρ‖² − ½‖ρ₀‖² as a product, so that nothing cancels near f₀.
        self.scan(outputs, |sample, _, before, rho| values[sample] += 0.5 * (rho - before) * (rho + before));
    }

    fn residual(&self, outputs: &Outputs, residual: &mut Vec<f64>) -> f64 {
        let c = outputs.n_outputs;
        residual.clear();
        residual.resize(outputs.values.len(), 0.0);
        self.scan(outputs, |sample, s, _, rho| {
            residual[sample * c..][..c].iter_mut().zip(s).for_each(|(r, s)| *r += rho * s);
        });
        self.value(outputs)
    }

    fn root(&self, outputs: &Outputs, root: &mut Root) -> f64 {
        root.rows.clone_from(&self.root.rows);
        root.rho.clear();
        self.scan(outputs, |_, _, _, rho| root.rho.push(rho));
        self.value(outputs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::check_loss;

    fn origin() -> Outputs {
        Outputs { values: vec![0.5, -1.0, 2.0, 0.25], n_outputs: 2 }
    }

    #[test]
    fn derivatives_equal_differences_at_and_away_from_the_origin() {
        let away = Outputs { values: vec![0.7, -1.5, 1.0, 0.5], n_outputs: 2 };
        let general = Root { rows: vec![1.0, 0.5, 0.0, 2.0, 0.3, -0.4, 1.0, 1.0], rho: vec![0.2, -0.6, 1.0, 0.4] };
        for model in [
            QuadraticModel::diagonal(3.0, &origin(), &[1.0, -2.0, 0.0, 0.5], &[0.5, 1.0, 4.0, 2.0]),
            QuadraticModel::new(-1.0, &origin(), general),
        ] {
            check_loss(&model, &origin(), true);
            check_loss(&model, &away, true);
        }
    }

    #[test]
    fn at_the_origin_it_is_what_was_given() {
        let residual = [1.0, -2.0, 0.0, 0.5];
        let model = QuadraticModel::diagonal(3.0, &origin(), &residual, &[0.25, 1.0, 4.0, 16.0]);
        let mut found = Vec::new();
        assert_eq!(model.residual(&origin(), &mut found), 3.0);
        assert_eq!(found, residual);
        let mut root = Root::default();
        model.root(&origin(), &mut root);
        assert_eq!(root.rows, [0.5, 0.0, 0.0, 1.0, 2.0, 0.0, 0.0, 4.0]);
        assert_eq!(root.rho, [2.0, -2.0, 0.0, 0.125]);
    }
}
