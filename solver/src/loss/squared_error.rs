//! Squared error on every output, and on one chosen output a sample.

use super::{
    loss::{Loss, Outputs, chosen},
    root::Root,
};

/// The squared error ℓ = ½ Σ (f − y)² over all c outputs. Q = I, so k = c rows a sample.
#[derive(Debug, Clone, Copy)]
pub struct SquaredError<'a> {
    /// y, (b, c).
    pub targets: &'a [f64],
}

impl SquaredError<'_> {
    fn errors<'b>(&'b self, outputs: &'b Outputs) -> impl Iterator<Item = f64> + 'b {
        assert_eq!(self.targets.len(), outputs.values.len(), "targets and outputs");
        outputs.values.iter().zip(self.targets).map(|(f, y)| f - y)
    }
}

impl Loss for SquaredError<'_> {
    fn rows_per_sample(&self, outputs: &Outputs) -> usize {
        outputs.n_outputs
    }

    fn values(&self, outputs: &Outputs, values: &mut Vec<f64>) {
        values.clear();
        values.resize(outputs.batch(), 0.0);
        for (i, e) in self.errors(outputs).enumerate() {
            values[i / outputs.n_outputs] += 0.5 * e * e;
        }
    }

    fn residual(&self, outputs: &Outputs, residual: &mut Vec<f64>) -> f64 {
        residual.clear();
        residual.extend(self.errors(outputs));
        self.value(outputs)
    }

    fn root(&self, outputs: &Outputs, root: &mut Root) -> f64 {
        let c = outputs.n_outputs;
        root.rows.clear();
        root.rows.resize(outputs.values.len() * c, 0.0);
        for (row, unit) in root.rows.chunks_exact_mut(c).enumerate() {
            unit[row % c] = 1.0;
        }
        self.residual(outputs, &mut root.rho)
    }
}

/// Error on the output chosen for each sample, as in Q-learning: f_a − y, with a weight a sample.
///
/// Squared, ℓ = ½ w e², Q = w eₐeₐᵀ. With `huber` δ, ℓ = w h(e) where h is quadratic up to δ and
/// linear beyond; its curvature is that of reweighted least squares, Q = w min(1, δ/|e|) eₐeₐᵀ
/// (Huber 1964; Holland and Welsch 1977), which is positive everywhere, unlike ∂²h. One row a
/// sample.
#[derive(Debug, Clone, Copy)]
pub struct ChosenAction<'a> {
    /// a, (b): which output counts.
    pub actions: &'a [u32],
    /// y, (b).
    pub targets: &'a [f64],
    /// w, (b), importance weights of prioritized replay; `None` is all ones.
    pub weights: Option<&'a [f64]>,
    /// δ > 0, where the loss turns linear; `None` is plain squared error.
    pub huber: Option<f64>,
}

/// One sample: which output, error, and the weight of its square.
struct Term {
    entry: usize,
    error: f64,
    weight: f64,
}

impl ChosenAction<'_> {
    fn terms<'b>(&'b self, outputs: &'b Outputs) -> impl Iterator<Item = Term> + 'b {
        let (b, c) = (outputs.batch(), outputs.n_outputs);
        assert_eq!((self.actions.len(), self.targets.len()), (b, b), "actions and targets of {b} samples");
        self.weights.iter().for_each(|weights| assert_eq!(weights.len(), b, "weights of {b} samples"));
        self.actions.iter().zip(self.targets).enumerate().map(move |(i, (&action, target))| {
            let entry = i * c + chosen(i, action, c);
            let error = outputs.values[entry] - target;
            let clipped = self.huber.map_or(1.0, |delta| (delta / error.abs()).min(1.0));
            Term { entry, error, weight: clipped * self.weights.map_or(1.0, |w| w[i]) }
        })
    }
}

impl Loss for ChosenAction<'_> {
    fn rows_per_sample(&self, _: &Outputs) -> usize {
        1
    }

    fn values(&self, outputs: &Outputs, values: &mut Vec<f64>) {
        values.clear();
        values.extend(self.terms(outputs).enumerate().map(|(i, term)| match self.huber {
            Some(delta) if term.error.abs() > delta => {
                self.weights.map_or(1.0, |w| w[i]) * delta * (term.error.abs() - 0.5 * delta)
            }
            _ => 0.5 * term.weight * term.error * term.error,
        }));
    }

    fn residual(&self, outputs: &Outputs, residual: &mut Vec<f64>) -> f64 {
        residual.clear();
        residual.resize(outputs.values.len(), 0.0);
        self.terms(outputs).for_each(|term| residual[term.entry] = term.weight * term.error);
        self.value(outputs)
    }

    fn root(&self, outputs: &Outputs, root: &mut Root) -> f64 {
        root.rho.clear();
        root.rows.clear();
        root.rows.resize(outputs.values.len(), 0.0);
        for term in self.terms(outputs) {
            let scale = term.weight.sqrt();
            root.rows[term.entry] = scale;
            root.rho.push(scale * term.error);
        }
        self.value(outputs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::check_loss;

    fn outputs() -> Outputs {
        Outputs { values: vec![0.5, -1.0, 2.0, 0.25, -3.0, 1.5], n_outputs: 2 }
    }

    #[test]
    fn derivatives_equal_differences() {
        check_loss(&SquaredError { targets: &[0.0, 1.0, -1.0, 2.0, 0.5, 0.0] }, &outputs(), true);
        let (actions, targets, weights) = ([0, 1, 0], [1.0, -0.5, 2.0], [0.5, 2.0, 1.0]);
        let loss = ChosenAction { actions: &actions, targets: &targets, weights: Some(&weights), huber: None };
        check_loss(&loss, &outputs(), true);
        // The Huber curvature is a stand-in where the loss is linear: only the gradient is exact.
        check_loss(&ChosenAction { huber: Some(1.0), ..loss }, &outputs(), false);
        check_loss(&ChosenAction { huber: Some(100.0), ..loss }, &outputs(), true);
    }

    #[test]
    fn huber_by_hand() {
        let outputs = Outputs { values: vec![3.0], n_outputs: 1 };
        let loss = ChosenAction { actions: &[0], targets: &[0.0], weights: None, huber: Some(1.0) };
        let mut residual = Vec::new();
        assert_eq!(loss.residual(&outputs, &mut residual), 2.5);
        assert_eq!(residual, [1.0]);
    }
}
