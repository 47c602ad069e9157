//! One pass of a batch through a network: forward, back-propagated rows, and every product with the
//! Jacobian that an optimizer needs. The Jacobian itself is never stored.
//!
//! For a dense layer the Jacobian row of (sample i, row k) is the outer product of the layer's
//! input aᵢ and the back-propagated row δᵢₖ. Two matrices a layer hold it: A (b, n_in) and
//! D (b·k, n_out). A convolution is a dense layer on patches, and its rows are sums over them.
//!
//! | product | here | cost |
//! |---|---|---|
//! | SᵀKS, K = J Jᵀ | Σ over layers (A Aᵀ + 1) ∘ (D Dᵀ) | b²k² · Σ widths |
//! | … of a normalization | (Δ∘X̂)(Δ∘X̂)ᵀ + ΔΔᵀ | b²k² · 2 width |
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
    linalg::{flat::read_into, gram::Factors, gram_tiles::GramPanels, real::Real},
    network::{
        activation::scale_by_derivative,
        dense::weigh_rows,
        layer::Layer,
        layer_pass::{At, Trace, Workspace},
        network::Network,
        skip::{Skip, add},
    },
};

/// The pass of a batch through a network, with what later products need of it.
#[derive(Debug, Default)]
pub struct Pass<T> {
    batch: usize,
    rows_per_sample: usize,
    /// The inputs, (b, n_inputs), and then the outputs of every layer after its activation,
    /// (b, n_out).
    values: Vec<Vec<T>>,
    traces: Vec<Trace<T>>,
    /// Outputs of the last layer and then the free ones, (b, c), where there are free ones.
    outputs: Vec<T>,
    /// The rows at the free outputs: (b·k, n_free).
    free_rows: Vec<T>,
    /// The rows at the inputs of the network: (b·k, n_inputs).
    input_rows: Vec<T>,
    /// Tangents of a forward-mode pass, two layers deep.
    tangents: [Vec<T>; 2],
    /// The tangents at the start of a residual block: blocks do not overlap.
    skipped: Vec<T>,
    /// Tangents of all outputs, (b, c), where there are free ones.
    output_tangents: Vec<T>,
    work: Workspace<T>,
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
        self.values.resize_with(network.layers().len() + 1, Vec::new);
        self.values[0].resize(batch * network.n_inputs(), T::zero());
        &mut self.values[0]
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
        let Self { batch, values, traces, work, .. } = self;
        for (l, (layer, trace)) in network.layers().iter().zip(traces).enumerate() {
            let (inputs, outputs) = values.split_at_mut(l + 1);
            outputs[0].resize(*batch * layer.n_outputs(), T::zero());
            layer.on().forward(params, &inputs[l], &mut outputs[0], trace, work);
            if let Layer::Skip(skip) = layer {
                add(&inputs[skip.start], &mut outputs[0]);
            }
        }
        append_free(&values[network.layers().len()], &params[network.free_outputs()], *batch, &mut self.outputs);
        self.outputs()
    }

    /// Outputs (b, c) of the last [`Pass::forward`].
    pub fn outputs(&self) -> &[T] {
        if self.outputs.is_empty() { &self.values[self.traces.len()] } else { &self.outputs }
    }

    /// Keeps only `samples` of the batch, in ascending order. What is known of them stays.
    pub fn select(&mut self, samples: &[usize]) {
        let batch = std::mem::replace(&mut self.batch, samples.len());
        assert!(samples.is_sorted_by(|a, b| a < b) && samples.last().is_none_or(|&last| last < batch));
        let layers = self.traces.iter_mut().flat_map(|trace| {
            [&mut trace.slopes, &mut trace.patches, &mut trace.normalized, &mut trace.inverse_deviations]
        });
        for values in layers.chain(&mut self.values).chain([&mut self.outputs]) {
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
        for (l, layer) in layers.iter().enumerate().skip(1).rev() {
            let (below, above) = self.traces.split_at_mut(l);
            let Trace { slopes, rows, .. } = &mut below[l - 1];
            let inputs = &self.values[l];
            layer.on().carry(At { params, inputs, trace: &above[0] }, rows, &mut self.work);
            if let Some(end) = network.skip_over(l) {
                add(&above[end - l].rows, rows);
            }
            scale_by_derivative(layers[l - 1].activation(), inputs, slopes, layer.n_inputs(), rows);
        }
    }

    /// The rows last propagated, carried on to the inputs of the network: (b·k, n_inputs).
    pub fn rows_at_inputs(&mut self, network: &Network, params: &[T]) -> &[T] {
        let at = At { params, inputs: &self.values[0], trace: &self.traces[0] };
        network.layers()[0].on().carry(at, &mut self.input_rows, &mut self.work);
        if let Some(end) = network.skip_over(0) {
            add(&self.traces[end].rows, &mut self.input_rows);
        }
        &self.input_rows
    }

    /// Jᵀ S v for the rows last propagated; `weights` is v (b·k) and `result` has length p.
    pub fn pull_back(&mut self, network: &Network, weights: &[f64], result: &mut [T]) {
        assert_eq!(weights.len(), self.batch * self.rows_per_sample, "one weight a row");
        for (l, layer) in network.layers().iter().enumerate() {
            layer.on().pull_back(&self.values[l], &self.traces[l], weights, result, &mut self.work);
        }
        if let Some(free) = network.free() {
            self.work.weighted.resize(self.batch * free.n_outputs, T::zero());
            weigh_rows(&self.free_rows, weights, &mut self.work.weighted, free.n_outputs, &mut result[free.bias()]);
        }
    }

    /// J t: the change of the outputs (b, c) per unit of the parameter change `tangent` (p).
    pub fn push_forward(&mut self, network: &Network, params: &[T], tangent: &[T]) -> &[T] {
        let b = self.batch;
        for (l, layer) in network.layers().iter().enumerate() {
            let [front, back] = &mut self.tangents;
            let (incoming, outgoing) = if l % 2 == 0 { (&*front, back) } else { (&*back, front) };
            if network.skip_over(l).is_some() {
                self.skipped.clone_from(incoming);
            }
            outgoing.clear();
            outgoing.resize(b * layer.n_outputs(), T::zero());
            let at = At { params, inputs: &self.values[l], trace: &self.traces[l] };
            // The inputs of the network do not change.
            let incoming = Some(&incoming[..]).filter(|_| l > 0);
            layer.on().push(at, tangent, incoming, outgoing, &mut self.work);
            if let Layer::Skip(Skip { start: 1.., .. }) = layer {
                add(&self.skipped, outgoing);
            }
            let (outputs, slopes) = (&self.values[l + 1], &self.traces[l].slopes);
            scale_by_derivative(layer.activation(), outputs, slopes, layer.n_outputs(), outgoing);
        }
        let last = &self.tangents[network.layers().len() % 2];
        append_free(last, &tangent[network.free_outputs()], b, &mut self.output_tangents);
        if self.output_tangents.is_empty() { last } else { &self.output_tangents }
    }

    /// Writes the lower triangle of SᵀKS, (b·k, b·k) column-major, for the rows last propagated.
    pub fn gram(&mut self, network: &Network, gram: &mut [f64], panels: &mut GramPanels) {
        let Self { batch: b, rows_per_sample: k, values, traces, free_rows, work, .. } = self;
        let n = *b * *k;
        assert_eq!(gram.len(), n * n, "Gram matrix of {n} rows");
        let layers = network.layers().iter().zip(values).zip(traces);
        let mut factors: Vec<_> =
            layers.filter_map(|((layer, inputs), trace)| layer.on().factors(inputs, trace, *b, work)).collect();
        factors.extend(network.free().map(|_| Factors::of_jacobian(free_rows, *b, n)));
        T::gram(&factors, *k, gram, panels);
    }
}

/// Each row of `values` (b, n) followed by `free`, into `joined` (b, n + n_free); nothing
/// without `free`.
fn append_free<T: Real>(values: &[T], free: &[T], batch: usize, joined: &mut Vec<T>) {
    joined.clear();
    if !free.is_empty() && batch > 0 {
        values.chunks_exact(values.len() / batch).for_each(|row| {
            joined.extend_from_slice(row);
            joined.extend_from_slice(free);
        });
    }
}
