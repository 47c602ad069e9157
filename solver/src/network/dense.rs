//! A dense layer, and what it does to whole batches.

use std::ops::Range;

use crate::{
    linalg::{
        gram::Factors,
        matmul::matmul,
        matrix::{Matrix, Start},
        params::Block,
        real::Real,
        vectors::vectorized,
    },
    network::{
        activation::{Activation, activate},
        layer_pass::{At, LayerPass, Trace, Workspace},
    },
};

/// output = activation(input · W + bias), W of shape (`n_inputs`, `n_outputs`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dense {
    /// Entries of an input; none for outputs that are parameters themselves.
    pub n_inputs: usize,
    /// Entries of an output.
    pub n_outputs: usize,
    /// Activation applied to the output.
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

    /// Weight matrix and bias, as far as they have entries.
    pub(crate) fn blocks(&self) -> Vec<Block> {
        let weight = Block { range: self.weight(), shape: [self.n_inputs, self.n_outputs] };
        [weight, Block::row(self.bias())].into_iter().filter(|block| !block.range.is_empty()).collect()
    }

    fn matrix<'a, T: Real>(&self, params: &'a [T]) -> Matrix<'a, T> {
        Matrix::new(&params[self.weight()], self.n_inputs, self.n_outputs)
    }

    /// `outputs` (n, n_outputs) ← bias + inputs (n, n_inputs) · W. Here and below `panel`
    /// is storage of the product.
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

    /// Rows at the outputs, before the activation, (n, n_outputs) to rows at
    /// the inputs (n, n_inputs).
    pub(crate) fn carry_rows<T: Real>(&self, params: &[T], rows: &[T], into: &mut Vec<T>, panel: &mut Vec<T>) {
        let n = rows.len() / self.n_outputs;
        into.resize(n * self.n_inputs, T::zero());
        let rows = Matrix::new(rows, n, self.n_outputs);
        matmul(into, Start::Zero, rows, self.matrix(params).transposed(), panel);
    }

    /// Jᵀ S v: A (n, n_inputs) transposed times the rows D (b·k, n/b·n_outputs) weighted with v
    /// (b·k) and summed over k. The part of `result` (p) that belongs to W and the bias.
    pub(crate) fn pull_back_rows<T: Real>(
        &self,
        inputs: &[T],
        rows: &[T],
        weights: &[f64],
        result: &mut [T],
        work: &mut Workspace<T>,
    ) {
        let n = inputs.len() / self.n_inputs;
        work.weighted.resize(n * self.n_outputs, T::zero());
        weigh_rows(rows, weights, &mut work.weighted, self.n_outputs, &mut result[self.bias()]);
        let inputs = Matrix::new(inputs, n, self.n_inputs).transposed();
        let weighted = Matrix::new(&work.weighted, n, self.n_outputs);
        matmul(&mut result[self.weight()], Start::Zero, inputs, weighted, &mut work.panel);
    }

    /// The factors of a layer applied to `inputs` (b·positions, n_inputs), for `rows`
    /// (b·k, positions·n_outputs): the two themselves where there is one position and a bias;
    /// otherwise the Jacobian rows of the layer's own parameters, written out into `jacobian`
    /// (b·k, parameters).
    pub(crate) fn factors_of<'a, T: Real>(
        &self,
        inputs: &'a [T],
        rows: &'a [T],
        batch: usize,
        jacobian: &'a mut Vec<T>,
        panel: &mut Vec<T>,
    ) -> Factors<'a, T> {
        let n_positions = inputs.len() / self.n_inputs / batch;
        let n_rows = rows.len() / (n_positions * self.n_outputs);
        if n_positions == 1 && self.has_bias {
            let inputs = Matrix::new(inputs, batch, self.n_inputs);
            return Factors { inputs, rows: Matrix::new(rows, n_rows, self.n_outputs) };
        }
        self.explicit_rows(inputs, rows, n_positions, n_rows / batch, jacobian, panel);
        Factors::of_jacobian(jacobian, batch, n_rows)
    }

    /// Rows Σ aᵀδ over the positions of a sample, and Σ δ for the bias: (b·k, parameters).
    fn explicit_rows<T: Real>(
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

impl<T: Real> LayerPass<T> for Dense {
    fn forward(&self, params: &[T], inputs: &[T], outputs: &mut [T], trace: &mut Trace<T>, work: &mut Workspace<T>) {
        self.apply(params, inputs, outputs, &mut work.panel);
        activate(self.activation, outputs, &mut trace.slopes);
    }

    fn carry(&self, at: At<'_, T>, into: &mut Vec<T>, work: &mut Workspace<T>) {
        self.carry_rows(at.params, &at.trace.rows, into, &mut work.panel);
    }

    fn push(&self, at: At<'_, T>, tangent: &[T], incoming: Option<&[T]>, outgoing: &mut [T], work: &mut Workspace<T>) {
        self.apply(tangent, at.inputs, outgoing, &mut work.panel);
        if let Some(incoming) = incoming {
            self.add(at.params, incoming, outgoing, &mut work.panel);
        }
    }

    fn pull_back(&self, inputs: &[T], trace: &Trace<T>, weights: &[f64], result: &mut [T], work: &mut Workspace<T>) {
        self.pull_back_rows(inputs, &trace.rows, weights, result, work);
    }

    fn factors<'a>(
        &self,
        inputs: &'a [T],
        trace: &'a mut Trace<T>,
        batch: usize,
        work: &mut Workspace<T>,
    ) -> Option<Factors<'a, T>> {
        Some(self.factors_of(inputs, &trace.rows, batch, &mut trace.jacobian, &mut work.panel))
    }
}

/// Σₖ vᵢₖ δᵢₖ for every sample i, rows (b·k, n) to `weighted` (b, n), and the sum over samples, and
/// over the positions of `n_columns` each in n, into `total`, unless that is empty.
pub(crate) fn weigh_rows<T: Real>(rows: &[T], weights: &[f64], weighted: &mut [T], n_columns: usize, total: &mut [T]) {
    total.fill(T::zero());
    let n = rows.len() / weights.len();
    let k = rows.len() / weighted.len();
    vectorized(
        #[inline(always)]
        || {
            for i in 0..weighted.len() / n {
                let sum = &mut weighted[i * n..][..n];
                for row in 0..k {
                    let weight = T::of(weights[i * k + row]);
                    let entries = sum.iter_mut().zip(&rows[(i * k + row) * n..][..n]);
                    match row {
                        0 => entries.for_each(|(sum, &x)| *sum = weight * x),
                        _ => entries.for_each(|(sum, &x)| *sum += weight * x),
                    }
                }
                if !total.is_empty() {
                    for sum in sum.chunks_exact(n_columns) {
                        total.iter_mut().zip(sum).for_each(|(total, &x)| *total += x);
                    }
                }
            }
        },
    );
}
