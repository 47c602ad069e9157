//! Architectures: what a network computes, without its parameters.
//!
//! *Design.* Parameters live apart, in one flat tensor, so that an optimizer is a rule on vectors,
//! a snapshot is one copy, and an architecture can be shared by a network, its target and every
//! worker's snapshot. A network is a chain of layers, some of them without parameters, and some of
//! which add what an earlier one took in.

use std::ops::Range;

use crate::{
    linalg::params::Block,
    network::{
        activation::Activation,
        convolution::{Convolution, Image, Kernel},
        dense::Dense,
        dueling::Dueling,
        hidden::Hidden,
        layer::Layer,
        layer_norm::LayerNorm,
        products::Products,
        skip::Skip,
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
    /// Convolutions over an image, if it is one, then hidden parts, then a dense layer without
    /// activation. Inputs of an image are rows of height·width·channels, channels last.
    ///
    /// # Panics
    /// With a size of zero, where a kernel is larger than its padded image, or where a residual
    /// block comes right after a convolution: a shape is the caller's own.
    pub fn new(inputs: Inputs<'_>, hidden: &[Hidden], n_outputs: usize, activation: Activation) -> Self {
        let mut chain = match inputs {
            Inputs::Row(n) => Chain::from(n),
            Inputs::Image(image, kernels) => {
                let mut chain = Chain::from(image.len());
                kernels.iter().fold(image, |image, &kernel| chain.convolution(image, kernel, activation));
                chain
            }
        };
        hidden.iter().for_each(|&part| chain.hidden(part, activation));
        chain.dense(n_outputs, Activation::Identity, true);
        chain.network()
    }

    /// A multi-layer perceptron with the given widths, inputs first and outputs last.
    ///
    /// # Panics
    /// With fewer than two widths, or a width of zero: a shape is the caller's own.
    pub fn mlp(widths: &[usize], hidden: Activation) -> Self {
        assert!(widths.len() >= 2, "widths of a perceptron: {widths:?}");
        Self::of_widths(Inputs::Row(widths[0]), &widths[1..], hidden)
    }

    /// Convolutions over an image, then dense layers of the given widths, outputs last.
    ///
    /// What Mnih et al. (2015) do to Atari and Young and Tian (2019), arXiv 1903.03176, to MinAtar.
    ///
    /// # Panics
    /// Without a width, with a size of zero, or where a kernel is larger than its padded image.
    pub fn convolutional(image: Image, kernels: &[Kernel], widths: &[usize], hidden: Activation) -> Self {
        Self::of_widths(Inputs::Image(image, kernels), widths, hidden)
    }

    fn of_widths(inputs: Inputs<'_>, widths: &[usize], activation: Activation) -> Self {
        let (&n_outputs, hidden) = widths.split_last().expect("a width of the outputs");
        Self::new(inputs, &hidden.iter().map(|&width| Hidden::Dense(width)).collect::<Vec<_>>(), n_outputs, activation)
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
        let mut chain = Chain { layers: vec![Layer::Products(products)], width: products.n_outputs(), offset: 0 };
        chain.dense(1, Activation::Identity, has_constant);
        chain.network()
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

    /// The layer that ends the residual block which layer `l` begins, if it begins one.
    pub(crate) fn skip_over(&self, l: usize) -> Option<usize> {
        self.layers.iter().position(|layer| matches!(layer, Layer::Skip(skip) if skip.start == l))
    }

    /// Entries of an input.
    pub fn n_inputs(&self) -> usize {
        self.layers[0].n_inputs()
    }

    /// Entries of an output, c: those of the last layer, then the free ones.
    pub fn n_outputs(&self) -> usize {
        self.last().n_outputs() + self.free.n_outputs
    }

    /// Weight matrices, biases, scales and shifts within the flat parameter vector, in order,
    /// without gaps.
    pub fn blocks(&self) -> Vec<Block> {
        self.layers.iter().flat_map(Layer::blocks).chain(self.free.blocks()).collect()
    }

    /// Entries of the flat parameter vector, p.
    pub fn n_params(&self) -> usize {
        self.free.bias().end
    }
}

/// What a network takes in.
#[derive(Debug, Clone, Copy)]
pub enum Inputs<'a> {
    /// So many numbers.
    Row(usize),
    /// An image, and what moves over it, over what comes out of that, and so on.
    Image(Image, &'a [Kernel]),
}

/// Layers under construction.
struct Chain {
    layers: Vec<Layer>,
    /// Outputs of the last layer.
    width: usize,
    /// Parameters of all layers.
    offset: usize,
}

impl Chain {
    fn from(n_inputs: usize) -> Self {
        assert!(n_inputs > 0, "a network without inputs");
        Self { layers: Vec::new(), width: n_inputs, offset: 0 }
    }

    fn convolution(&mut self, image: Image, kernel: Kernel, activation: Activation) -> Image {
        let convolution = Convolution::new(image, kernel, activation, self.offset);
        (self.width, self.offset) = (convolution.output().len(), convolution.filters.bias().end);
        self.layers.push(Layer::Convolution(convolution));
        convolution.output()
    }

    fn hidden(&mut self, part: Hidden, activation: Activation) {
        match part {
            Hidden::Dense(width) => self.dense(width, activation, true),
            Hidden::Normalized(width) => {
                self.dense(width, Activation::Identity, true);
                self.normalize(activation);
            }
            Hidden::Residual(inner) => {
                let image = self.layers.last().and_then(Layer::image);
                assert!(image.is_none(), "a residual block on images");
                let (start, width) = (self.layers.len(), self.width);
                self.normalize(Activation::Identity);
                self.dense(inner, activation, true);
                self.dense(width, Activation::Identity, true);
                self.layers.push(Layer::Skip(Skip { width, start }));
            }
        }
    }

    fn dense(&mut self, n_outputs: usize, activation: Activation, has_bias: bool) {
        assert!(n_outputs > 0, "a layer without outputs");
        let dense = Dense { n_inputs: self.width, n_outputs, activation, has_bias, offset: self.offset };
        (self.width, self.offset) = (n_outputs, dense.bias().end);
        self.layers.push(Layer::Dense(dense));
    }

    fn normalize(&mut self, activation: Activation) {
        let norm = LayerNorm { width: self.width, activation, offset: self.offset };
        self.offset = norm.shift().end;
        self.layers.push(Layer::LayerNorm(norm));
    }

    fn network(self) -> Network {
        let (activation, offset) = (Activation::Identity, self.offset);
        let free = Dense { n_inputs: 0, n_outputs: 0, activation, has_bias: true, offset };
        Network { layers: self.layers, free }
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
