//! A network, a batch and a loss as a problem for an optimizer.

use crate::{
    error::SolverError,
    linalg::{gram_tiles::GramPanels, params::Block, real::Real},
    loss::{few_rows::FewRows, loss::Loss},
    network::model::Model,
    optimizer::problem::{Linearized, Problem},
};

/// A network on the batch last loaded, with a loss.
pub struct NetworkProblem<'a, T> {
    model: &'a mut Model<T>,
    loss: &'a dyn Loss,
    /// Whether the model's outputs are those of its parameters and inputs.
    is_evaluated: bool,
    /// Whether the rows of the last linearization are few of many.
    has_few_rows: bool,
    /// L, where the problem was last linearized.
    value: f64,
}

impl<'a, T: Real> NetworkProblem<'a, T> {
    /// The problem of `loss` at the batch last loaded into `model`.
    pub fn new(model: &'a mut Model<T>, loss: &'a dyn Loss) -> Self {
        Self { model, loss, is_evaluated: false, has_few_rows: false, value: f64::NAN }
    }

    /// The problem of `loss` where `model` was last evaluated, its parameters being the same since.
    pub(crate) fn evaluated(model: &'a mut Model<T>, loss: &'a dyn Loss) -> Self {
        Self { model, loss, is_evaluated: true, has_few_rows: false, value: f64::NAN }
    }

    fn checked(&self, loss: f64) -> Result<f64, SolverError> {
        let batch = self.model.pass.batch();
        if loss.is_finite() { Ok(loss) } else { Err(SolverError::NonFiniteLoss { loss, batch }) }
    }

    fn outputs(&mut self) -> Result<(), SolverError> {
        if self.model.pass.batch() == 0 {
            return Err(SolverError::EmptyBatch);
        }
        if !std::mem::replace(&mut self.is_evaluated, true) {
            self.model.forward();
        }
        Ok(())
    }
}

impl<T: Real> Problem<T> for NetworkProblem<'_, T> {
    fn params(&mut self) -> &mut [T] {
        self.is_evaluated = false;
        &mut self.model.params
    }

    fn n_params(&self) -> usize {
        self.model.params.len()
    }

    fn blocks(&self) -> Vec<Block> {
        self.model.network.blocks()
    }

    fn gradient(&mut self, gradient: &mut [T]) -> Result<f64, SolverError> {
        self.outputs()?;
        let mut residual = std::mem::take(&mut self.model.residual);
        let loss = self.loss.residual(&self.model.outputs, &mut residual);
        let batch = self.model.pass.batch();
        self.model.propagate(&residual);
        self.model.residual = residual;
        self.model.pass.pull_back(&self.model.network, &vec![1.0 / batch as f64; batch], gradient);
        self.checked(loss)
    }

    fn linearize(&mut self, rows: Option<FewRows>) -> Result<&mut dyn Linearized<T>, SolverError> {
        let mut gradient = std::mem::take(&mut self.model.gradient);
        gradient.clear();
        if !self.loss.spans_residual() {
            gradient.resize(self.n_params(), T::zero());
            self.gradient(&mut gradient)?;
        }
        self.model.gradient = gradient;
        self.outputs()?;
        let mut root = std::mem::take(&mut self.model.root);
        let outputs = &self.model.outputs;
        let rows = rows.filter(|rows| rows.per_sample < self.loss.rows_per_sample(outputs));
        let loss = match rows {
            None => self.loss.root(outputs, &mut root),
            Some(rows) => self.loss.few_rows(outputs, rows, &mut root),
        };
        self.has_few_rows = rows.is_some();
        if root.rho.is_empty() {
            return Err(SolverError::NoCurvature { n_outputs: self.model.outputs.n_outputs });
        }
        self.model.propagate(&root.rows);
        self.model.root = root;
        self.value = self.checked(loss)?;
        Ok(self)
    }

    fn loss(&mut self) -> f64 {
        self.is_evaluated = true;
        self.loss.value(self.model.forward())
    }
}

impl<T: Real> Linearized<T> for NetworkProblem<'_, T> {
    fn value(&self) -> f64 {
        self.value
    }

    fn batch(&self) -> usize {
        self.model.pass.batch()
    }

    fn shape(&self) -> [usize; 2] {
        [self.model.root.rho.len(), self.model.params.len()]
    }

    fn all_rows(&self) -> usize {
        match self.has_few_rows {
            true => self.batch() * self.loss.rows_per_sample(&self.model.outputs),
            false => self.shape()[0],
        }
    }

    fn rho(&self) -> &[f64] {
        &self.model.root.rho
    }

    fn separate_gradient(&self) -> Option<&[T]> {
        Some(&self.model.gradient[..]).filter(|gradient| !gradient.is_empty())
    }

    fn full_curvature(&mut self, tangent: &[T]) -> Option<f64> {
        let Model { network, params, pass, outputs, .. } = &mut *self.model;
        self.has_few_rows.then(|| {
            let change: Vec<f64> = pass.push_forward(network, params, tangent).iter().map(|x| x.to_f64()).collect();
            self.loss.curvature_along(outputs, &change) / pass.batch() as f64
        })
    }

    fn gram(&mut self, gram: &mut [f64], panels: &mut GramPanels) {
        self.model.pass.gram(&self.model.network, gram, panels);
    }

    fn pull_back(&mut self, v: &[f64], result: &mut [T]) {
        self.model.pass.pull_back(&self.model.network, v, result);
    }

    fn push_forward(&mut self, tangent: &[T], result: &mut Vec<f64>) {
        let Model { network, params, pass, root, .. } = &mut *self.model;
        let change = pass.push_forward(network, params, tangent);
        let (c, k) = (network.n_outputs(), root.rho.len() * network.n_outputs() / change.len());
        let rows = root.rows.chunks_exact(c).enumerate();
        result.clear();
        result.extend(rows.map(|(row, s)| {
            let change = &change[row / k * c..][..c];
            s.iter().zip(change).map(|(s, t)| s * t.to_f64()).sum::<f64>()
        }));
    }
}
