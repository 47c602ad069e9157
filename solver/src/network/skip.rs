//! The end of a residual block: what the block took in is added to what comes out of it.
//!
//! *Design.* A network stays a chain. The block's layers are among the others, each with its own
//! rows and factors, and this one passes on what it gets; the other path is one sum in each
//! direction, which [`Pass`] takes, because it is the pass that knows the values of every layer:
//!
//! | direction | at the block's start | at its end |
//! |---|---|---|
//! | forward | x is among the values | f(x) + x |
//! | rows back | Δ through f, + Δ | Δ goes on to f |
//! | tangent | t is kept | ∂f t + t |
//!
//! The skip has no parameters: the Gram matrix is the sum over the layers as before, with rows that
//! have come both ways.
//!
//! Source: He, Zhang, Ren, Sun (2016), "Deep residual learning for image recognition", arXiv
//! 1512.03385.
//!
//! [`Pass`]: crate::network::pass::Pass

use crate::{
    linalg::{real::Real, vectors::vectorized},
    network::layer_pass::{At, LayerPass, Trace, Workspace},
};

/// output = input + what the first layer of the block took in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Skip {
    /// Entries of an input, and of an output.
    pub width: usize,
    /// Which of the network's layers is the first of the block.
    pub start: usize,
}

/// `sums` += `values`: the path around a block.
pub(crate) fn add<T: Real>(values: &[T], sums: &mut [T]) {
    assert_eq!(values.len(), sums.len(), "a block's start and end");
    vectorized(
        #[inline(always)]
        || sums.iter_mut().zip(values).for_each(|(sum, &x)| *sum += x),
    );
}

/// The path through the block.
impl<T: Real> LayerPass<T> for Skip {
    fn forward(&self, _: &[T], inputs: &[T], outputs: &mut [T], _: &mut Trace<T>, _: &mut Workspace<T>) {
        outputs.copy_from_slice(inputs);
    }

    fn carry(&self, at: At<'_, T>, into: &mut Vec<T>, _: &mut Workspace<T>) {
        into.clone_from(&at.trace.rows);
    }

    fn push(&self, _: At<'_, T>, _: &[T], incoming: Option<&[T]>, outgoing: &mut [T], _: &mut Workspace<T>) {
        if let Some(incoming) = incoming {
            outgoing.copy_from_slice(incoming);
        }
    }
}
