//! What every kind of layer does with a batch.
//!
//! *Design.* A layer answers five questions, each kind in its own file, and [`Pass`] is the loop
//! over layers that asks them: a new kind of layer is one file and its arms in `layer.rs`.
//!
//! [`Pass`]: crate::network::pass::Pass

use crate::linalg::{gram::Factors, real::Real};

/// What a layer remembers of the last batch besides its inputs and outputs.
#[derive(Debug, Default)]
pub(crate) struct Trace<T> {
    /// Derivative of the activation, (b, n_out), where the outputs do not tell it.
    pub slopes: Vec<T>,
    /// A convolution's inputs, patch by patch: (b·positions, n_patch).
    pub patches: Vec<T>,
    /// Inputs of mean 0 and variance 1 in each sample, (b, n_in).
    pub normalized: Vec<T>,
    /// What they were multiplied by, (b).
    pub inverse_deviations: Vec<T>,
    /// The back-propagated rows, before the activation: (b·k, n_out).
    pub rows: Vec<T>,
    /// Rows of the Jacobian by the layer's own parameters, where they have no two factors.
    pub jacobian: Vec<T>,
}

/// Storage that layers share, with anything in it.
#[derive(Debug, Default)]
pub(crate) struct Workspace<T> {
    /// Storage of a matrix product.
    pub panel: Vec<T>,
    /// Patches of a layer's tangents, or rows at its patches.
    pub patches: Vec<T>,
    /// Rows of one layer summed over k with weights: (b, n_out).
    pub weighted: Vec<T>,
}

/// The point at which a layer was evaluated.
#[derive(Clone, Copy)]
pub(crate) struct At<'a, T> {
    /// θ, (p).
    pub params: &'a [T],
    /// Inputs of the layer, (b, n_in).
    pub inputs: &'a [T],
    /// Trace that the evaluation left.
    pub trace: &'a Trace<T>,
}

/// One layer on batches of b samples with k rows each, J being the Jacobian of its
/// outputs before the activation.
///
/// The defaults are those of a layer without parameters.
pub(crate) trait LayerPass<T: Real> {
    /// Evaluates `outputs` (b, n_out) at `inputs` (b, n_in), and keeps in the trace what the other
    /// methods need.
    fn forward(&self, params: &[T], inputs: &[T], outputs: &mut [T], trace: &mut Trace<T>, work: &mut Workspace<T>);

    /// Carries the trace's rows to rows at the inputs, (b·k, n_in).
    fn carry(&self, at: At<'_, T>, into: &mut Vec<T>, work: &mut Workspace<T>);

    /// Writes J t into `outgoing` (b, n_out), which is zero before, for changes t of
    /// the parameters, `tangent` (p), and of the inputs, `incoming` (b, n_in), `None`
    /// where these stand still.
    fn push(&self, at: At<'_, T>, tangent: &[T], incoming: Option<&[T]>, outgoing: &mut [T], work: &mut Workspace<T>);

    /// Writes the part of Jᵀ S v that belongs to the layer's parameters into `result` (p), for a
    /// weight v of each of the trace's rows (b·k).
    fn pull_back(
        &self,
        _inputs: &[T],
        _trace: &Trace<T>,
        _weights: &[f64],
        _result: &mut [T],
        _work: &mut Workspace<T>,
    ) {
    }

    /// The factors of SᵀJ by the layer's own parameters, from the rows in its trace.
    fn factors<'a>(
        &self,
        _inputs: &'a [T],
        _trace: &'a mut Trace<T>,
        _batch: usize,
        _work: &mut Workspace<T>,
    ) -> Option<Factors<'a, T>> {
        None
    }
}
