//! One pass of a batch through a network: forward, back-propagated rows, and every product with the
//! Jacobian that an optimizer needs. The Jacobian itself is never stored.
//!
//! For a dense layer the Jacobian row of (sample i, row k) is the outer product of the layer's input
//! aᵢ and the back-propagated row δᵢₖ. Two matrices a layer hold it: A (b, n_in) and D (b·k, n_out).
//! A convolution is a dense layer on patches, and its rows are sums over the patches.
//!
//! | product | here | cost |
//! |---|---|---|
//! | SᵀKS, K = J Jᵀ | Σ over layers (A Aᵀ + 1) ∘ (D Dᵀ) | b²k² · Σ widths |
//! | … of a convolution | J Jᵀ of its own parameters alone, p_conv of them | b²k² · p_conv |
//! | Jᵀ S v | Aᵀ (v-weighted D), layer by layer | b·p |
//! | J t | one forward-mode pass | 2·b·p |
//! | ∂f/∂x rows | the rows carried one layer further | b·k·p |
//!
//! *Design.* Buffers are kept from pass to pass, so that once the batch size is settled a step
//! allocates nothing of the size of a layer or of the row system, but for two blocks of the plain
//! Gram product. A pass borrows architecture and parameters anew at each call; it holds only what
//! belongs to the last batch.

use candle_core::Tensor;

use crate::{
    error::SolverError,
    linalg::{flat::read_into, gram::Factors, matrix::Matrix, real::Real, vectors::vectorized},
    network::{
        activation::{activate, scale_by_derivative},
        layer::Layer,
        network::Network,
    },
};

/// What is remembered of the last batch.
#[derive(Debug, Default)]
pub struct Pass<T> {
    batch: usize,
    rows_per_sample: usize,
    /// (b, n_inputs).
    inputs: Vec<T>,
    traces: Vec<Trace<T>>,
    /// Outputs of the last layer and then the free ones, (b, c), where there are free ones.
    outputs: Vec<T>,
    /// The rows at the free outputs: (b·k, n_free).
    free_rows: Vec<T>,
    /// The rows at the inputs of the network: (b·k, n_inputs).
    input_rows: Vec<T>,
    /// Tangents of a forward-mode pass, two layers deep.
    tangents: [Vec<T>; 2],
    /// Tangents of all outputs, (b, c), where there are free ones.
    output_tangents: Vec<T>,
    /// Patches of a layer's tangents, or rows at its patches.
    patches: Vec<T>,
    /// Storage of a matrix product.
    panel: Vec<T>,
    /// Rows of one layer summed over k with weights: (b, n_out).
    weighted: Vec<T>,
}

/// What is remembered of one layer.
#[derive(Debug, Default)]
struct Trace<T> {
    /// After the activation: (b, n_out).
    outputs: Vec<T>,
    /// Derivative of the activation, (b, n_out), where the outputs do not tell it.
    slopes: Vec<T>,
    /// A convolution's inputs, patch by patch: (b·positions, n_patch).
    patches: Vec<T>,
    /// The back-propagated rows, before the activation: (b·k, n_out).
    rows: Vec<T>,
    /// Rows of the Jacobian by the layer's own parameters, where they have no two factors.
    jacobian: Vec<T>,
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
        self.traces.resize_with(network.layers().len(), Trace::default);
        self.inputs.resize(batch * network.n_inputs(), T::zero());
        &mut self.inputs
    }

    /// Takes a batch of inputs, (b, n_inputs), f32 or f64.
    ///
    /// # Errors
    /// When candle cannot read the tensor.
    pub fn load(&mut self, network: &Network, inputs: &Tensor) -> Result<(), SolverError> {
        let (batch, width) = inputs.dims2()?;
        assert_eq!(width, network.n_inputs(), "inputs of shape ({batch}, {width}) for {network}");
        Ok(read_into(inputs, self.inputs_mut(network, batch))?)
    }

    /// Outputs (b, c) at the inputs last written.
    pub fn forward(&mut self, network: &Network, params: &[T]) -> &[T] {
        let b = self.batch;
        for (l, layer) in network.layers().iter().enumerate() {
            let (before, after) = self.traces.split_at_mut(l);
            let Trace { outputs, slopes, patches, .. } = &mut after[0];
            let inputs = before.last().map_or(&self.inputs, |trace| &trace.outputs);
            match layer {
                Layer::Dense(dense) => {
                    outputs.resize(b * dense.n_outputs, T::zero());
                    dense.apply(params, inputs, outputs, &mut self.panel);
                    activate(dense.activation, outputs, slopes);
                }
                Layer::Convolution(convolution) => {
                    let filters = &convolution.filters;
                    convolution.unfold(inputs, patches);
                    outputs.resize(b * layer.n_outputs(), T::zero());
                    filters.apply(params, patches, outputs, &mut self.panel);
                    activate(filters.activation, outputs, slopes);
                }
                Layer::Dueling(dueling) => dueling.apply(inputs, outputs),
                Layer::Products(products) => products.apply(inputs, outputs),
            }
        }
        append_free(&self.traces[self.traces.len() - 1].outputs, &params[network.free_outputs()], b, &mut self.outputs);
        self.outputs()
    }

    /// Outputs (b, c) of the last [`Pass::forward`].
    pub fn outputs(&self) -> &[T] {
        if self.outputs.is_empty() { &self.traces[self.traces.len() - 1].outputs } else { &self.outputs }
    }

    /// Forgets all samples of the batch but these, in ascending order. What is known of them stays.
    pub fn select(&mut self, samples: &[usize]) {
        let batch = std::mem::replace(&mut self.batch, samples.len());
        assert!(samples.is_sorted_by(|a, b| a < b) && samples.last().is_none_or(|&last| last < batch));
        let layers =
            self.traces.iter_mut().flat_map(|trace| [&mut trace.outputs, &mut trace.slopes, &mut trace.patches]);
        for values in layers.chain([&mut self.inputs, &mut self.outputs]) {
            let width = values.len() / batch.max(1);
            for (to, &from) in samples.iter().enumerate() {
                values.copy_within(from * width..(from + 1) * width, to * width);
            }
            values.truncate(samples.len() * width);
        }
    }

    /// Carries rows given at the outputs (b·k, c), sample-major, back to every layer.
    pub fn propagate_rows(&mut self, network: &Network, params: &[T], output_rows: &[f64]) {
        let layers = network.layers();
        let last = layers.len() - 1;
        let n_rows = output_rows.len() / network.n_outputs();
        assert_eq!(n_rows % self.batch, 0, "{n_rows} rows for {} samples", self.batch);
        self.rows_per_sample = n_rows / self.batch;
        let rows = &mut self.traces[last].rows;
        rows.clear();
        self.free_rows.clear();
        for row in output_rows.chunks_exact(network.n_outputs()) {
            let (dependent, free) = row.split_at(layers[last].n_outputs());
            rows.extend(dependent.iter().map(|&x| T::of(x)));
            self.free_rows.extend(free.iter().map(|&x| T::of(x)));
        }
        for l in (0..last).rev() {
            let (lower, upper) = self.traces.split_at_mut(l + 1);
            let Trace { outputs, slopes, rows, .. } = &mut lower[l];
            carry(&layers[l + 1], params, outputs, &upper[0].rows, [&mut self.patches, &mut self.panel], rows);
            scale_by_derivative(layers[l].activation(), outputs, slopes, layers[l].n_outputs(), rows);
        }
    }

    /// The rows last propagated, carried on to the inputs of the network: (b·k, n_inputs).
    pub fn rows_at_inputs(&mut self, network: &Network, params: &[T]) -> &[T] {
        let Self { inputs, traces, patches, panel, input_rows, .. } = self;
        carry(&network.layers()[0], params, inputs, &traces[0].rows, [patches, panel], input_rows);
        &self.input_rows
    }

    /// Jᵀ S v for the rows last propagated; `weights` is v (b·k) and `result` has length p.
    pub fn pull_back(&mut self, network: &Network, weights: &[f64], result: &mut [T]) {
        let (b, k) = (self.batch, self.rows_per_sample);
        assert_eq!(weights.len(), b * k, "one weight a row");
        let weighted = &mut self.weighted;
        for (l, layer) in network.layers().iter().enumerate() {
            if let Some(dense) = layer.dense() {
                weighted.resize(b * layer.n_outputs(), T::zero());
                weigh_rows(&self.traces[l].rows, weights, k, weighted, dense.n_outputs, &mut result[dense.bias()]);
                let inputs = dense_inputs(layer, l, &self.inputs, &self.traces);
                dense.pull_back(inputs, weighted, result, &mut self.panel);
            }
        }
        if let Some(free) = network.free() {
            weighted.resize(b * free.n_outputs, T::zero());
            weigh_rows(&self.free_rows, weights, k, weighted, free.n_outputs, &mut result[free.bias()]);
        }
    }

    /// J t: the change of the outputs (b, c) per unit of the parameter change `tangent` (p).
    pub fn push_forward(&mut self, network: &Network, params: &[T], tangent: &[T]) -> &[T] {
        let b = self.batch;
        for (l, layer) in network.layers().iter().enumerate() {
            let [front, back] = &mut self.tangents;
            let (incoming, outgoing) = if l % 2 == 0 { (&*front, back) } else { (&*back, front) };
            // The inputs of the network do not change.
            let incoming = Some(incoming).filter(|_| l > 0);
            outgoing.clear();
            outgoing.resize(b * layer.n_outputs(), T::zero());
            if let Some(dense) = layer.dense() {
                let inputs = dense_inputs(layer, l, &self.inputs, &self.traces);
                dense.apply(tangent, inputs, outgoing, &mut self.panel);
            }
            match (layer, incoming) {
                (_, None) => {}
                (Layer::Dense(dense), Some(incoming)) => dense.add(params, incoming, outgoing, &mut self.panel),
                (Layer::Convolution(convolution), Some(incoming)) => {
                    convolution.unfold(incoming, &mut self.patches);
                    convolution.filters.add(params, &self.patches, outgoing, &mut self.panel);
                }
                (Layer::Dueling(dueling), Some(incoming)) => dueling.apply(incoming, outgoing),
                (Layer::Products(products), Some(incoming)) => {
                    products.push_forward(&self.traces[l - 1].outputs, incoming, outgoing);
                }
            }
            let Trace { outputs, slopes, .. } = &self.traces[l];
            scale_by_derivative(layer.activation(), outputs, slopes, layer.n_outputs(), outgoing);
        }
        let last = &self.tangents[network.layers().len() % 2];
        append_free(last, &tangent[network.free_outputs()], b, &mut self.output_tangents);
        if self.output_tangents.is_empty() { last } else { &self.output_tangents }
    }

    /// Writes the lower triangle of SᵀKS, (b·k, b·k) column-major, for the rows last propagated.
    pub fn gram(&mut self, network: &Network, gram: &mut [f64]) {
        let (b, k) = (self.batch, self.rows_per_sample);
        let n = b * k;
        assert_eq!(gram.len(), n * n, "Gram matrix of {n} rows");
        for (l, layer) in network.layers().iter().enumerate() {
            if let Some(dense) = layer.dense().filter(|_| !has_two_factors(layer)) {
                let mut jacobian = std::mem::take(&mut self.traces[l].jacobian);
                let inputs = dense_inputs(layer, l, &self.inputs, &self.traces);
                let rows = &self.traces[l].rows;
                dense.explicit_rows(inputs, rows, layer.n_positions(), k, &mut jacobian, &mut self.panel);
                self.traces[l].jacobian = jacobian;
            }
        }
        // Without inputs A Aᵀ is zero, and D alone is the Jacobian.
        let alone = |rows, width| Factors { inputs: Matrix::new(&[], b, 0), rows: Matrix::new(rows, n, width) };
        let mut factors = Vec::with_capacity(network.layers().len() + 1);
        for (l, layer) in network.layers().iter().enumerate() {
            let Trace { rows, jacobian, .. } = &self.traces[l];
            match layer.dense() {
                None => {}
                Some(dense) if has_two_factors(layer) => factors.push(Factors {
                    inputs: Matrix::new(dense_inputs(layer, l, &self.inputs, &self.traces), b, dense.n_inputs),
                    rows: Matrix::new(rows, n, dense.n_outputs),
                }),
                Some(_) => factors.push(alone(jacobian, jacobian.len() / n)),
            }
        }
        factors.extend(network.free().map(|free| alone(&self.free_rows, free.n_outputs)));
        T::gram(&factors, k, gram);
    }
}

/// What [`Layer::dense`] of layer l is applied to: (b·positions, n_in).
fn dense_inputs<'a, T>(layer: &Layer, l: usize, inputs: &'a [T], traces: &'a [Trace<T>]) -> &'a [T] {
    match layer {
        Layer::Convolution(_) => &traces[l].patches,
        Layer::Dense(_) | Layer::Dueling(_) | Layer::Products(_) if l == 0 => inputs,
        Layer::Dense(_) | Layer::Dueling(_) | Layer::Products(_) => &traces[l - 1].outputs,
    }
}

/// Whether the Jacobian by a layer's parameters is (A, 1) times D, row by row: one place, with a bias.
fn has_two_factors(layer: &Layer) -> bool {
    layer.n_positions() == 1 && layer.dense().is_some_and(|dense| dense.has_bias)
}

/// Rows at a layer's outputs, before its activation, to rows at its inputs.
///
/// Storage: patches of a convolution, the panel of a product.
fn carry<T: Real>(
    layer: &Layer,
    params: &[T],
    inputs: &[T],
    rows: &[T],
    [patches, panel]: [&mut Vec<T>; 2],
    into: &mut Vec<T>,
) {
    match layer {
        Layer::Dense(dense) => dense.carry(params, rows, into, panel),
        Layer::Convolution(convolution) => {
            convolution.filters.carry(params, rows, patches, panel);
            convolution.fold(patches, into);
        }
        Layer::Dueling(dueling) => dueling.carry(rows, into),
        Layer::Products(products) => products.carry(inputs, rows, into),
    }
}

/// Each row of `values` (b, n) followed by `free`, into `joined`, (b, n + n_free); nothing without `free`.
fn append_free<T: Real>(values: &[T], free: &[T], batch: usize, joined: &mut Vec<T>) {
    joined.clear();
    if !free.is_empty() && batch > 0 {
        values.chunks_exact(values.len() / batch).for_each(|row| {
            joined.extend_from_slice(row);
            joined.extend_from_slice(free);
        });
    }
}

/// Σₖ vᵢₖ δᵢₖ for every sample i, rows (b·k, n) to `weighted` (b, n), and the sum over samples, and
/// over the positions of `n_columns` each in n, into `total`, unless that is empty.
fn weigh_rows<T: Real>(rows: &[T], weights: &[f64], k: usize, weighted: &mut [T], n_columns: usize, total: &mut [T]) {
    total.fill(T::zero());
    let n = rows.len() / weights.len();
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
