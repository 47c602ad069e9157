//! The quadratic form that a network of [`Network::quadratic`](crate::Network::quadratic) has learnt.

use crate::{Layer, Snapshot, SolverError};

/// xᵀHx + constant.
#[derive(Debug, Clone, PartialEq)]
pub struct QuadraticForm {
    /// H, symmetric (n, n), row-major.
    pub matrix: Vec<f64>,
    /// Zero where the network has none.
    pub constant: f64,
}

impl Snapshot {
    /// H and the constant of a quadratic network; `None` for any other.
    ///
    /// # Errors
    /// When candle cannot read the parameters.
    pub fn quadratic_form(&self) -> Result<Option<QuadraticForm>, SolverError> {
        let &[Layer::Products(products), Layer::Dense(dense)] = self.network().layers() else {
            return Ok(None);
        };
        let params = self.params().to_dtype(candle_core::DType::F64)?.to_vec1::<f64>()?;
        let n = products.n_inputs;
        let mut matrix = vec![0.0; n * n];
        for ((i, j), &entry) in products.pairs().zip(&params[dense.weight()]) {
            matrix[i * n + j] = entry;
            matrix[j * n + i] = entry;
        }
        let constant = params[dense.bias()].first().copied().unwrap_or(0.0);
        Ok(Some(QuadraticForm { matrix, constant }))
    }
}
