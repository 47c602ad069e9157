//! Architectures: what a network computes, without its parameters.
//!
//! *Design.* Parameters live apart, in one flat tensor, so that an optimizer is a rule on vectors,
//! a snapshot is one copy, and an architecture can be shared by a network, its target and every
//! worker's snapshot. A network is a chain of layers, some of them without parameters.

use std::ops::Range;

use crate::{
    linalg::params::Block,
    network::{
        activation::Activation,
        convolution::{Convolution, Image, Kernel},
        dense::Dense,
        dueling::Dueling,
        layer::Layer,
        products::Products,
    },
};

/// A chain of layers, the last of them linear, and beside it outputs that do
/// not depend on the input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    layers: Vec<Layer>,
    /// The free outputs: a layer without inputs, whose bias they are.
    free: Dense,
}

impl Network {
    /// A multi-layer perceptron with the given widths, inputs first and outputs last.
    ///
    /// # Panics
    /// With fewer than two widths, or a width of zero: a shape is the caller's own.
    pub fn mlp(widths: &[usize], hidden: Activation) -> Self {
        assert!(widths.len() >= 2, "widths of a perceptron: {widths:?}");
        Self::chain(Vec::new(), 0, widths[0], &widths[1..], hidden)
    }

    /// Convolutions over an image, then dense layers of the given widths, outputs last.
    ///
    /// Inputs are rows of height·width·channels, channels last. What Mnih et al. (2015) do to Atari
    /// and Young and Tian (2019), arXiv 1903.03176, to MinAtar.
    ///
    /// # Panics
    /// Without a width, with a size of zero, or where a kernel is larger than its padded image.
    pub fn convolutional(image: Image, kernels: &[Kernel], widths: &[usize], hidden: Activation) -> Self {
        let (mut image, mut offset, mut layers) = (image, 0, Vec::new());
        for &kernel in kernels {
            let convolution = Convolution::new(image, kernel, hidden, offset);
            (image, offset) = (convolution.output(), convolution.filters.bias().end);
            layers.push(Layer::Convolution(convolution));
        }
        Self::chain(layers, offset, image.len(), widths, hidden)
    }

    /// A network with one output xᵀHx + constant, H symmetric of n inputs: the parameters are the
    /// upper triangle of H by rows and then the constant, if there is one.
    /// [`crate::Snapshot::quadratic_form`] reads them back.
    ///
    /// # Panics
    /// Without inputs.
    pub fn quadratic(n_inputs: usize, has_constant: bool) -> Self {
        assert!(n_inputs > 0, "a quadratic form of no input");
        let products = Products { n_inputs };
        let mut network =
            Self::chain(vec![Layer::Products(products)], 0, products.n_outputs(), &[1], Activation::Identity);
        if let Some(Layer::Dense(dense)) = network.layers.last_mut() {
            dense.has_bias = has_constant;
            network.free.offset = dense.bias().end;
        }
        network
    }

    /// `layers` and then dense ones.
    fn chain(
        mut layers: Vec<Layer>,
        mut offset: usize,
        mut n_inputs: usize,
        widths: &[usize],
        hidden: Activation,
    ) -> Self {
        assert!(n_inputs > 0 && !widths.is_empty() && widths.iter().all(|&w| w > 0), "widths {n_inputs}, {widths:?}");
        for (l, &n_outputs) in widths.iter().enumerate() {
            let activation = if l + 1 == widths.len() { Activation::Identity } else { hidden };
            let dense = Dense { n_inputs, n_outputs, activation, has_bias: true, offset };
            (n_inputs, offset) = (n_outputs, dense.bias().end);
            layers.push(Layer::Dense(dense));
        }
        let free = Dense { n_inputs: 0, n_outputs: 0, activation: Activation::Identity, has_bias: true, offset };
        Self { layers, free }
    }

    /// Reads the 1 + n outputs as V, A₁ … Aₙ and turns them into n outputs V + Aⱼ − mean A (Wang et
    /// al. 2016, arXiv 1511.06581).
    ///
    /// # Panics
    /// With one output.
    pub fn dueling(mut self) -> Self {
        let n_outputs = self.last().n_outputs() - 1;
        assert!(n_outputs > 0, "{self} has no output for an advantage");
        self.layers.push(Layer::Dueling(Dueling { n_outputs }));
        self
    }

    /// Adds `n` free outputs after the others, which are parameters themselves and so the same for
    /// every sample: log σ of a Gaussian policy whose σ does not depend on the state.
    pub fn with_free_outputs(self, n: usize) -> Self {
        Self { free: Dense { n_outputs: n, ..self.free }, ..self }
    }

    /// The layers, inputs first.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    fn last(&self) -> &Layer {
        &self.layers[self.layers.len() - 1]
    }

    /// Where the free outputs are in the flat parameter vector; empty where there are none.
    pub fn free_outputs(&self) -> Range<usize> {
        self.free.bias()
    }

    /// The free outputs as a layer without inputs, if there are any.
    pub(crate) fn free(&self) -> Option<&Dense> {
        Some(&self.free).filter(|free| free.n_outputs > 0)
    }

    /// Entries of an input.
    pub fn n_inputs(&self) -> usize {
        self.layers[0].n_inputs()
    }

    /// Entries of an output, c: those of the last layer, then the free ones.
    pub fn n_outputs(&self) -> usize {
        self.last().n_outputs() + self.free.n_outputs
    }

    /// Weight matrices and biases within the flat parameter vector, in order, without gaps.
    pub fn blocks(&self) -> Vec<Block> {
        let dense = self.layers.iter().filter_map(Layer::dense).chain([&self.free]);
        let parts = dense.flat_map(|dense| {
            let bias = dense.bias();
            [
                Block { range: dense.weight(), shape: [dense.n_inputs, dense.n_outputs] },
                Block { shape: [1, bias.len()], range: bias },
            ]
        });
        parts.filter(|block| !block.range.is_empty()).collect()
    }

    /// Entries of the flat parameter vector, p.
    pub fn n_params(&self) -> usize {
        self.free.bias().end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_of_the_textbook_perceptron() {
        let network = Network::mlp(&[4, 64, 64, 2], Activation::Tanh);
        assert_eq!(network.n_params(), 4 * 64 + 64 + 64 * 64 + 64 + 64 * 2 + 2);
        assert_eq!(network.layers()[2].activation(), Activation::Identity);
    }

    #[test]
    fn parameters_of_the_minatar_network() {
        let image = Image { height: 10, width: 10, channels: 4 };
        let kernel = Kernel { filters: 16, size: 3, stride: 1, padding: 0 };
        let network = Network::convolutional(image, &[kernel], &[128, 3], Activation::Relu);
        assert_eq!(network.n_params(), (3 * 3 * 4 + 1) * 16 + (8 * 8 * 16 + 1) * 128 + (128 + 1) * 3);
    }
}
