//! Architectures: what a network computes, without its parameters.
//!
//! *Design.* Parameters live apart, in one flat tensor, so that an optimizer is a rule on vectors,
//! a snapshot is one copy, and an architecture can be shared by a network, its target and every
//! worker's snapshot. A network is a chain of layers, some of them without parameters.

use std::{fmt, ops::Range};

use crate::{Activation, Convolution, Dense, Image, Kernel, Layer, dueling::Dueling, products::Products};

/// A chain of layers, the last of them linear, and beside it outputs that do not depend on the input.
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
    /// Inputs are rows of height·width·channels, channels last. What Mnih et al. (2015) do to Atari and
    /// Young and Tian (2019), arXiv 1903.03176, to MinAtar.
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

    /// One output xᵀHx + constant, H symmetric of n inputs: the parameters are the upper triangle of H
    /// by rows and then the constant, if there is one. [`crate::Snapshot::quadratic_form`] reads them
    /// back.
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

    /// The same with its 1 + n outputs read as V, A₁ … Aₙ and turned into n outputs V + Aⱼ − mean A
    /// (Wang et al. 2016, arXiv 1511.06581).
    ///
    /// # Panics
    /// With one output.
    pub fn dueling(mut self) -> Self {
        let n_outputs = self.last().n_outputs() - 1;
        assert!(n_outputs > 0, "{self} has no output for an advantage");
        self.layers.push(Layer::Dueling(Dueling { n_outputs }));
        self
    }

    /// The same with `n` outputs more, after the others, that are parameters themselves and so the
    /// same for every sample: log σ of a Gaussian policy whose σ does not depend on the state.
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

    /// Entries of the flat parameter vector, p.
    pub fn n_params(&self) -> usize {
        self.free.bias().end
    }

    /// Reads what [`Network`] writes of itself, with the given activation between the layers.
    ///
    /// # Errors
    /// When the text is no network, with examples of what is.
    pub fn parse(text: &str, hidden: Activation) -> Result<Self, String> {
        parse(text, hidden).ok_or_else(|| {
            format!(
                "'{text}' is not a network; give two or more positive widths joined by dashes, such as 4-64-64-2, \
                 or 10x10x4-16k3s1-128-3 for 16 filters of 3 by 3 over an image, 4-64-3-dueling, 4-64-2+2 with two \
                 free outputs, 6-quadratic or 6-quadratic-constant"
            )
        })
    }
}

/// Largest width that is read: the product of two of them is a number still.
const MAX_WIDTH: usize = 1 << 24;

fn parse(text: &str, hidden: Activation) -> Option<Network> {
    let positive = |text: &str| text.parse().ok().filter(|n| (1..=MAX_WIDTH).contains(n));
    let (text, free) = match text.split_once('+') {
        Some((rest, free)) => (rest, positive(free)?),
        None => (text, 0),
    };
    let mut parts: Vec<&str> = text.split('-').collect();
    let dueling = parts.last() == Some(&"dueling");
    parts.truncate(parts.len() - usize::from(dueling));
    let (first, rest) = parts.split_first()?;
    let sides: Vec<usize> = first.split('x').map(positive).collect::<Option<_>>()?;
    let network = match (&sides[..], rest) {
        (&[n], ["quadratic"]) => Network::quadratic(n, false),
        (&[n], ["quadratic", "constant"]) => Network::quadratic(n, true),
        (&[n], [_, ..]) => {
            let widths = rest.iter().map(|width| positive(width));
            Network::mlp(&std::iter::once(Some(n)).chain(widths).collect::<Option<Vec<_>>>()?, hidden)
        }
        (&[height, width, channels], rest) => {
            let n_kernels = rest.iter().take_while(|part| part.contains('k')).count();
            let kernels: Vec<Kernel> =
                rest[..n_kernels].iter().map(|part| Kernel::parse(part)).collect::<Option<_>>()?;
            let widths: Vec<usize> = rest[n_kernels..].iter().map(|width| positive(width)).collect::<Option<_>>()?;
            let image = Image { height, width, channels };
            kernels.iter().try_fold(image, |image, kernel| kernel.fits(image).then(|| kernel.over(image)))?;
            widths.first()?;
            Network::convolutional(image, &kernels, &widths, hidden)
        }
        _ => return None,
    };
    if dueling && network.n_outputs() < 2 {
        return None;
    }
    let network = if dueling { network.dueling() } else { network };
    Some(network.with_free_outputs(free))
}

impl fmt::Display for Network {
    /// Widths joined by dashes, `4-64-64-2`; an image as 10x10x4 and a convolution of 16 filters of
    /// 3 by 3 as `16k3s1`, with `p1` for one cell of padding; free outputs at the end, `4-64-2+2`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.layers[0] {
            Layer::Convolution(Convolution { image: Image { height, width, channels }, .. }) => {
                write!(f, "{height}x{width}x{channels}")?;
            }
            first => write!(f, "{}", first.n_inputs())?,
        }
        for (l, layer) in self.layers.iter().enumerate() {
            match (layer, &self.layers[..l]) {
                (Layer::Products(_), _) => write!(f, "-quadratic")?,
                (Layer::Dense(dense), [Layer::Products(_)]) if dense.has_bias => write!(f, "-constant")?,
                (Layer::Dense(_), [Layer::Products(_)]) => {}
                (Layer::Dense(dense), _) => write!(f, "-{}", dense.n_outputs)?,
                (Layer::Convolution(convolution), _) => write!(f, "-{}", convolution.kernel)?,
                (Layer::Dueling(_), _) => write!(f, "-dueling")?,
            }
        }
        if self.free.n_outputs > 0 { write!(f, "+{}", self.free.n_outputs) } else { Ok(()) }
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

    #[test]
    fn a_network_reads_back_as_it_is_written() {
        for text in [
            "4-64-64-2",
            "8-3",
            "4-64-2+2",
            "4-64-3-dueling",
            "4-64-3-dueling+1",
            "10x10x4-16k3s1-128-3",
            "10x8x2-4k3s2p1-6k2s1-5",
            "2x2x3-4-2",
            "6-quadratic",
            "6-quadratic-constant",
        ] {
            let network = Network::parse(text, Activation::Silu).unwrap();
            // An image that no convolution looks at is a row of numbers.
            let written = text.replace("2x2x3", "12");
            assert_eq!(network.to_string(), written);
            assert_eq!(Network::parse(&written, Activation::Silu), Ok(network));
        }
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in [
            "",
            "4",
            "4-0-2",
            "4-x",
            "4--2",
            "4-2+",
            "4-2+0",
            "4-1-dueling",
            "dueling",
            "quadratic",
            "4-quadratic-2",
            "10x10-3",
            "10x10x4-16k3s1",
            "10x10x4-16k3",
            "10x10x4-16k11s1-3",
            "10x10x4-0k3s1-3",
            "10x10x4-16k3s0-3",
            "10x10x4-4294967296k3s4294967296-3",
            "4-18446744073709551615-2",
        ] {
            assert!(Network::parse(text, Activation::Relu).is_err(), "{text}");
        }
    }
}
