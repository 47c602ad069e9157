//! A dense layer, and what it does to whole batches.

use std::ops::Range;

use crate::{
    linalg::{
        matmul::matmul,
        matrix::{Matrix, Start},
        real::Real,
    },
    network::activation::Activation,
};

/// output = activation(input · W + bias), W of shape (`n_inputs`, `n_outputs`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dense {
    /// Entries of an input; none for outputs that are parameters themselves.
    pub n_inputs: usize,
    /// Entries of an output.
    pub n_outputs: usize,
    /// Applied to the output.
    pub activation: Activation,
    /// Whether there is a bias.
    pub has_bias: bool,
    /// Where the layer's parameters start in the flat vector: W row-major, then the bias.
    pub offset: usize,
}

impl Dense {
    /// Where W is in the flat parameter vector.
    pub fn weight(&self) -> Range<usize> {
        self.offset..self.offset + self.n_inputs * self.n_outputs
    }

    /// Where the bias is in the flat parameter vector; empty where there is none.
    pub fn bias(&self) -> Range<usize> {
        let start = self.weight().end;
        start..start + if self.has_bias { self.n_outputs } else { 0 }
    }

    fn matrix<'a, T: Real>(&self, params: &'a [T]) -> Matrix<'a, T> {
        Matrix::new(&params[self.weight()], self.n_inputs, self.n_outputs)
    }

    /// `outputs` (n, n_outputs) ← bias + inputs (n, n_inputs) · W. Here and below `panel` is storage of
    /// the product.
    pub(crate) fn apply<T: Real>(&self, params: &[T], inputs: &[T], outputs: &mut [T], panel: &mut Vec<T>) {
        let start = if self.has_bias { Start::Row(&params[self.bias()]) } else { Start::Zero };
        self.product(start, params, inputs, outputs, panel);
    }

    /// `outputs` (n, n_outputs) += inputs (n, n_inputs) · W.
    pub(crate) fn add<T: Real>(&self, params: &[T], inputs: &[T], outputs: &mut [T], panel: &mut Vec<T>) {
        self.product(Start::Kept, params, inputs, outputs, panel);
    }

    fn product<T: Real>(&self, start: Start<'_, T>, params: &[T], inputs: &[T], outputs: &mut [T], panel: &mut Vec<T>) {
        let n = outputs.len() / self.n_outputs;
        matmul(outputs, start, Matrix::new(inputs, n, self.n_inputs), self.matrix(params), panel);
    }

    /// Rows at the outputs, before the activation, (n, n_outputs) to rows at the inputs (n, n_inputs).
    pub(crate) fn carry<T: Real>(&self, params: &[T], rows: &[T], into: &mut Vec<T>, panel: &mut Vec<T>) {
        let n = rows.len() / self.n_outputs;
        into.resize(n * self.n_inputs, T::zero());
        let rows = Matrix::new(rows, n, self.n_outputs);
        matmul(into, Start::Zero, rows, self.matrix(params).transposed(), panel);
    }

    /// Σ aᵢ wᵢᵀ over the inputs a (n, n_inputs) and the weighted rows w (n, n_outputs): the part of
    /// `result` (p) that belongs to W.
    pub(crate) fn pull_back<T: Real>(&self, inputs: &[T], weighted: &[T], result: &mut [T], panel: &mut Vec<T>) {
        let n = weighted.len() / self.n_outputs;
        let inputs = Matrix::new(inputs, n, self.n_inputs).transposed();
        let weighted = Matrix::new(weighted, n, self.n_outputs);
        matmul(&mut result[self.weight()], Start::Zero, inputs, weighted, panel);
    }

    /// The Jacobian rows of the layer's own parameters, (b·k, parameters), where it is applied at
    /// `n_positions` places of every sample: `inputs` (b·positions, n_inputs), `rows` (b·k,
    /// positions·n_outputs).
    pub(crate) fn explicit_rows<T: Real>(
        &self,
        inputs: &[T],
        rows: &[T],
        n_positions: usize,
        k: usize,
        into: &mut Vec<T>,
        panel: &mut Vec<T>,
    ) {
        let (n_weights, n_params) = (self.weight().len(), self.bias().end - self.offset);
        let sizes = (n_positions * self.n_inputs, n_positions * self.n_outputs);
        into.resize(rows.len() / sizes.1 * n_params, T::zero());
        for (row, (jacobian, rows)) in into.chunks_exact_mut(n_params).zip(rows.chunks_exact(sizes.1)).enumerate() {
            let inputs = Matrix::new(&inputs[row / k * sizes.0..][..sizes.0], n_positions, self.n_inputs);
            let (weight, bias) = jacobian.split_at_mut(n_weights);
            matmul(weight, Start::Zero, inputs.transposed(), Matrix::new(rows, n_positions, self.n_outputs), panel);
            bias.fill(T::zero());
            for rows in rows.chunks_exact(self.n_outputs) {
                bias.iter_mut().zip(rows).for_each(|(sum, &x)| *sum += x);
            }
        }
    }
}
