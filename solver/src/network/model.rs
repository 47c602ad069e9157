//! A network with its parameters and the batch it last saw.

use candle_core::Tensor;

use crate::{
    error::SolverError,
    linalg::real::Real,
    loss::{loss::Outputs, root::Root},
    network::{network::Network, pass::Pass},
};

/// Parameters of a network, and what is kept from batch to batch.
#[derive(Debug)]
pub struct Model<T> {
    pub(crate) network: Network,
    pub(crate) params: Vec<T>,
    pub(crate) pass: Pass<T>,
    pub(crate) outputs: Outputs,
    pub(crate) residual: Vec<f64>,
    /// g (p) of the last linearization, where ρ does not give it; empty where it does.
    pub(crate) gradient: Vec<T>,
    pub(crate) root: Root,
}

impl<T: Real> Model<T> {
    /// A network with flat parameters (p).
    ///
    /// # Panics
    /// When the number of parameters is not the network's.
    pub fn new(network: Network, params: Vec<T>) -> Self {
        assert_eq!(params.len(), network.n_params(), "parameters of {network}");
        let outputs = Outputs { values: Vec::new(), n_outputs: network.n_outputs() };
        let (pass, residual, gradient, root) = (Pass::new(), Vec::new(), Vec::new(), Root::default());
        Self { network, params, pass, outputs, residual, gradient, root }
    }

    /// Takes a batch of inputs, (b, n_inputs), f32 or f64.
    ///
    /// # Errors
    /// When candle cannot read the tensor.
    pub fn load(&mut self, inputs: &Tensor) -> Result<(), SolverError> {
        self.pass.load(&self.network, inputs)
    }

    /// Outputs at the inputs last loaded.
    pub fn forward(&mut self) -> &Outputs {
        let Self { network, params, pass, outputs, .. } = self;
        outputs.values.clear();
        outputs.values.extend(pass.forward(network, params).iter().map(|x| x.to_f64()));
        &self.outputs
    }

    /// Keeps only `samples` of the batch, in ascending order.
    pub(crate) fn select(&mut self, samples: &[usize]) {
        let Self { pass, outputs, .. } = self;
        pass.select(samples);
        outputs.values.clear();
        outputs.values.extend(pass.outputs().iter().map(|x| x.to_f64()));
    }

    /// Carries rows given at the outputs back through the network.
    pub(crate) fn propagate(&mut self, rows: &[f64]) {
        let Self { network, params, pass, .. } = self;
        pass.propagate_rows(network, params, rows);
    }

    /// Row i of the result (b, n_inputs) is Σⱼ uᵢⱼ ∂fᵢⱼ/∂xᵢ for given `cotangents` u (b, c), where
    /// the network was last evaluated.
    ///
    /// # Panics
    /// When the cotangents are not those of the batch last loaded.
    pub fn input_gradient(&mut self, cotangents: &[f64]) -> Vec<f64> {
        assert_eq!(cotangents.len(), self.pass.batch() * self.network.n_outputs(), "cotangents of {}", self.network);
        if self.pass.batch() == 0 {
            return Vec::new();
        }
        self.propagate(cotangents);
        let Self { network, params, pass, .. } = self;
        pass.rows_at_inputs(network, params).iter().map(|x| x.to_f64()).collect()
    }
}
