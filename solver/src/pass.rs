//! One pass of a batch through a network: forward, back-propagated rows, and every product with the
//! Jacobian that an optimizer needs. The Jacobian itself is never stored.
//!
//! For a dense layer the Jacobian row of (sample i, row k) is the outer product of the layer's input
//! aᵢ and the back-propagated row δᵢₖ. Two matrices a layer hold it: A (b, n_in) and D (b·k, n_out).
//!
//! | product | here | cost |
//! |---|---|---|
//! | SᵀKS, K = J Jᵀ | Σ over layers (A Aᵀ + 1) ∘ (D Dᵀ) | b²k² · Σ widths |
//! | Jᵀ S v | Aᵀ (v-weighted D), layer by layer | b·p |
//! | J t | one forward-mode pass | 2·b·p |
//!
//! *Design.* Buffers are kept from pass to pass, so that a step allocates nothing once the batch
//! size is settled. A pass borrows architecture and parameters anew at each call; it holds only
//! what belongs to the last batch.

use crate::{
    Activation, Network, Real,
    gram::{Factors, GramBuffers},
    matmul::{Matrix, matmul},
};

/// What is remembered of the last batch.
#[derive(Debug, Default)]
pub struct Pass<T> {
    batch: usize,
    rows_per_sample: usize,
    /// `[0]` the inputs, `[l]` the outputs of layer l: (b, n_l).
    activations: Vec<Vec<T>>,
    /// Those of the last layer and then the free ones, (b, c), where there are free ones.
    outputs: Vec<T>,
    /// `[l]` the back-propagated rows at the pre-activation of layer l: (b·k, n_out).
    rows: Vec<Vec<T>>,
    /// The rows at the free outputs: (b·k, n_free).
    free_rows: Vec<T>,
    /// The rows at the inputs of the network: (b·k, n_inputs).
    input_rows: Vec<T>,
    /// Tangents of a forward-mode pass, two layers deep.
    tangents: [Vec<T>; 2],
    /// Tangents of all outputs, (b, c), where there are free ones.
    output_tangents: Vec<T>,
    /// Rows of one layer summed over k with weights: (b, n_out).
    weighted: Vec<T>,
    gram_buffers: GramBuffers<T>,
}

impl<T: Real> Pass<T> {
    /// A pass that has seen no batch yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Samples in the last batch, b.
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// Buffer for the inputs (b, n_inputs) of the next [`Pass::forward`].
    pub fn inputs_mut(&mut self, network: &Network, batch: usize) -> &mut [T] {
        self.batch = batch;
        self.activations.resize_with(network.layers().len() + 1, Vec::new);
        let inputs = &mut self.activations[0];
        inputs.resize(batch * network.n_inputs(), T::zero());
        inputs
    }

    /// Outputs (b, c) at the inputs last written.
    pub fn forward(&mut self, network: &Network, params: &[T]) -> &[T] {
        let b = self.batch;
        for (l, layer) in network.layers().iter().enumerate() {
            let (before, after) = self.activations.split_at_mut(l + 1);
            let outputs = &mut after[0];
            outputs.resize(b * layer.n_outputs, T::zero());
            for row in outputs.chunks_exact_mut(layer.n_outputs) {
                row.copy_from_slice(&params[layer.bias()]);
            }
            let weight = Matrix::new(&params[layer.weight()], layer.n_inputs, layer.n_outputs);
            matmul(outputs, true, Matrix::new(&before[l], b, layer.n_inputs), weight);
            activate(layer.activation, outputs);
        }
        let last = &self.activations[self.activations.len() - 1];
        append_free(last, &params[network.free_outputs()], b, &mut self.outputs);
        self.outputs()
    }

    /// Outputs (b, c) of the last [`Pass::forward`].
    pub fn outputs(&self) -> &[T] {
        if self.outputs.is_empty() { &self.activations[self.activations.len() - 1] } else { &self.outputs }
    }

    /// Carries rows given at the outputs (b·k, c), sample-major, back to every layer.
    pub fn propagate_rows(&mut self, network: &Network, params: &[T], output_rows: &[f64]) {
        let layers = network.layers();
        let last = layers.len() - 1;
        let n_rows = output_rows.len() / network.n_outputs();
        assert_eq!(n_rows % self.batch, 0, "{n_rows} rows for {} samples", self.batch);
        self.rows_per_sample = n_rows / self.batch;
        self.rows.resize_with(layers.len(), Vec::new);
        self.rows[last].clear();
        self.free_rows.clear();
        for row in output_rows.chunks_exact(network.n_outputs()) {
            let (dependent, free) = row.split_at(layers[last].n_outputs);
            self.rows[last].extend(dependent.iter().map(|&x| T::of(x)));
            self.free_rows.extend(free.iter().map(|&x| T::of(x)));
        }
        for l in (0..last).rev() {
            let (lower, upper) = self.rows.split_at_mut(l + 1);
            let (rows, next) = (&mut lower[l], &layers[l + 1]);
            rows.resize(n_rows * next.n_inputs, T::zero());
            let weight = Matrix::new(&params[next.weight()], next.n_inputs, next.n_outputs);
            matmul(rows, false, Matrix::new(&upper[0], n_rows, next.n_outputs), weight.transposed());
            scale_by_derivative(layers[l].activation, &self.activations[l + 1], next.n_inputs, rows);
        }
    }

    /// The rows last propagated, carried on to the inputs of the network: (b·k, n_inputs).
    pub fn rows_at_inputs(&mut self, network: &Network, params: &[T]) -> &[T] {
        let (layer, n_rows) = (&network.layers()[0], self.batch * self.rows_per_sample);
        self.input_rows.resize(n_rows * layer.n_inputs, T::zero());
        let weight = Matrix::new(&params[layer.weight()], layer.n_inputs, layer.n_outputs);
        let rows = Matrix::new(&self.rows[0], n_rows, layer.n_outputs);
        matmul(&mut self.input_rows, false, rows, weight.transposed());
        &self.input_rows
    }

    /// Jᵀ S v for the rows last propagated; `weights` is v (b·k) and `result` has length p.
    pub fn pull_back(&mut self, network: &Network, weights: &[f64], result: &mut [T]) {
        let (b, k) = (self.batch, self.rows_per_sample);
        assert_eq!(weights.len(), b * k, "one weight a row");
        for (l, layer) in network.layers().iter().enumerate() {
            let n = layer.n_outputs;
            self.weighted.resize(b * n, T::zero());
            weigh_rows(&self.rows[l], weights, k, n, &mut self.weighted, &mut result[layer.bias()]);
            let inputs = Matrix::new(&self.activations[l], b, layer.n_inputs).transposed();
            matmul(&mut result[layer.weight()], false, inputs, Matrix::new(&self.weighted, b, n));
        }
        if let Some(free) = network.free() {
            let n = free.n_outputs;
            self.weighted.resize(b * n, T::zero());
            weigh_rows(&self.free_rows, weights, k, n, &mut self.weighted, &mut result[free.bias()]);
        }
    }

    /// J t: the change of the outputs (b, c) per unit of the parameter change `tangent` (p).
    pub fn push_forward(&mut self, network: &Network, params: &[T], tangent: &[T]) -> &[T] {
        let b = self.batch;
        for (l, layer) in network.layers().iter().enumerate() {
            let [front, back] = &mut self.tangents;
            let (incoming, outgoing) = if l % 2 == 0 { (front, back) } else { (back, front) };
            outgoing.clear();
            (0..b).for_each(|_| outgoing.extend_from_slice(&tangent[layer.bias()]));
            let matrix = |values| Matrix::new(values, layer.n_inputs, layer.n_outputs);
            let inputs = Matrix::new(&self.activations[l], b, layer.n_inputs);
            matmul(outgoing, true, inputs, matrix(&tangent[layer.weight()]));
            if l > 0 {
                matmul(outgoing, true, Matrix::new(incoming, b, layer.n_inputs), matrix(&params[layer.weight()]));
            }
            scale_by_derivative(layer.activation, &self.activations[l + 1], layer.n_outputs, outgoing);
        }
        let last = &self.tangents[network.layers().len() % 2];
        append_free(last, &tangent[network.free_outputs()], b, &mut self.output_tangents);
        if self.output_tangents.is_empty() { last } else { &self.output_tangents }
    }

    /// Writes the lower triangle of SᵀKS, (b·k, b·k) column-major, for the rows last propagated.
    pub fn gram(&mut self, network: &Network, gram: &mut [f64]) {
        let n = self.batch * self.rows_per_sample;
        assert_eq!(gram.len(), n * n, "Gram matrix of {n} rows");
        let factors = network.layers().iter().enumerate().map(|(l, layer)| Factors {
            inputs: Matrix::new(&self.activations[l], self.batch, layer.n_inputs),
            rows: Matrix::new(&self.rows[l], n, layer.n_outputs),
        });
        let free = network.free().map(|free| Factors {
            inputs: Matrix::new(&[], self.batch, 0),
            rows: Matrix::new(&self.free_rows, n, free.n_outputs),
        });
        let factors: Vec<_> = factors.chain(free).collect();
        T::gram(&factors, self.rows_per_sample, &mut self.gram_buffers, gram);
    }
}

/// Each row of `values` (b, n) followed by `free`, into `joined`, (b, n + n_free); nothing without `free`.
fn append_free<T: Real>(values: &[T], free: &[T], batch: usize, joined: &mut Vec<T>) {
    joined.clear();
    if !free.is_empty() {
        values.chunks_exact(values.len() / batch.max(1)).for_each(|row| {
            joined.extend_from_slice(row);
            joined.extend_from_slice(free);
        });
    }
}

fn activate<T: Real>(activation: Activation, values: &mut [T]) {
    match activation {
        Activation::Identity => {}
        Activation::Tanh => T::tanh_in_place(values),
        // Written so that NaN stays NaN.
        Activation::Relu => pulp::Arch::new().dispatch(|| {
            for x in values.iter_mut() {
                *x = if *x < T::zero() { T::zero() } else { *x };
            }
        }),
    }
}

/// Multiplies each row (b·k, n) by the activation's derivative, a function of its output (b, n).
fn scale_by_derivative<T: Real>(activation: Activation, outputs: &[T], width: usize, rows: &mut [T]) {
    let simd = pulp::Arch::new();
    match activation {
        Activation::Identity => {}
        Activation::Tanh => simd.dispatch(|| scale(outputs, width, rows, |a| T::one() - a * a)),
        Activation::Relu => {
            simd.dispatch(|| scale(outputs, width, rows, |a| if a > T::zero() { T::one() } else { T::zero() }));
        }
    }
}

#[inline(always)]
fn scale<T: Real>(outputs: &[T], width: usize, rows: &mut [T], derivative: impl Fn(T) -> T) {
    if outputs.len() == rows.len() {
        rows.iter_mut().zip(outputs).for_each(|(d, &a)| *d *= derivative(a));
        return;
    }
    let k = rows.len() / outputs.len();
    for (output, group) in outputs.chunks_exact(width).zip(rows.chunks_exact_mut(k * width)) {
        for row in group.chunks_exact_mut(width) {
            row.iter_mut().zip(output).for_each(|(d, &a)| *d *= derivative(a));
        }
    }
}

/// Σₖ vᵢₖ δᵢₖ for every sample i, rows (b·k, n) to (b, n), and its sum over samples, (n).
fn weigh_rows<T: Real>(rows: &[T], weights: &[f64], k: usize, n: usize, weighted: &mut [T], total: &mut [T]) {
    total.fill(T::zero());
    pulp::Arch::new().dispatch(
        #[inline(always)]
        || {
            for i in 0..weighted.len() / n {
                let sum = &mut weighted[i * n..][..n];
                for row in 0..k {
                    let weight = T::of(weights[i * k + row]);
                    let row = (row, &rows[(i * k + row) * n..][..n]);
                    match row {
                        (0, row) => (0..n).for_each(|j| sum[j] = weight * row[j]),
                        (_, row) => (0..n).for_each(|j| sum[j] += weight * row[j]),
                    }
                }
                (0..n).for_each(|j| total[j] += sum[j]);
            }
        },
    );
}
