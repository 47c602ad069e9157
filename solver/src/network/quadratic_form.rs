//! The quadratic form that a network of
//! [`Network::quadratic`](crate::Network::quadratic) has learned.

use crate::network::{layer::Layer, snapshot::Snapshot};

/// The quadratic form xᵀHx + constant.
#[derive(Debug, Clone, PartialEq)]
pub struct QuadraticForm {
    /// H, symmetric (n, n), row-major.
    pub matrix: Vec<f64>,
    /// The constant; zero where the network has none.
    pub constant: f64,
}

impl Snapshot {
    /// H and the constant of a quadratic network; `None` for any other.
    pub fn quadratic_form(&self) -> Option<QuadraticForm> {
        let &[Layer::Products(products), Layer::Dense(dense)] = self.network().layers() else { return None };
        let params = self.parameters();
        let n = products.n_inputs;
        let mut matrix = vec![0.0; n * n];
        for ((i, j), &entry) in products.pairs().zip(&params[dense.weight()]) {
            matrix[i * n + j] = entry;
            matrix[j * n + i] = entry;
        }
        let constant = params[dense.bias()].first().copied().unwrap_or(0.0);
        Some(QuadraticForm { matrix, constant })
    }
}
