//! Architectures: what a network computes, without its parameters.
//!
//! *Design.* Parameters live apart, in one flat tensor, so that an optimizer is a rule on vectors,
//! a snapshot is one copy, and an architecture can be shared by a network, its target and every
//! worker's snapshot.

use std::{fmt, ops::Range, str::FromStr};

use serde::{Deserialize, Serialize};

/// The non-linearity after a dense layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Activation {
    /// None.
    Identity,
    /// Hyperbolic tangent.
    Tanh,
    /// max(z, 0), with derivative 0 at 0 as in PyTorch (candle takes 1).
    Relu,
}

/// A dense layer, output = activation(input · W + bias), W of shape (`n_inputs`, `n_outputs`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dense {
    /// Entries of an input; none for outputs that are parameters themselves.
    pub n_inputs: usize,
    /// Entries of an output.
    pub n_outputs: usize,
    /// Applied to the output.
    pub activation: Activation,
    /// Where the layer's parameters start in the flat vector: W row-major, then the bias.
    pub offset: usize,
}

impl Dense {
    /// Where W is in the flat parameter vector.
    pub fn weight(&self) -> Range<usize> {
        self.offset..self.offset + self.n_inputs * self.n_outputs
    }

    /// Where the bias is in the flat parameter vector.
    pub fn bias(&self) -> Range<usize> {
        let start = self.weight().end;
        start..start + self.n_outputs
    }
}

/// A multi-layer perceptron: dense layers, the last one linear, and beside them outputs that do not
/// depend on the input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    layers: Vec<Dense>,
    /// The free outputs: a layer without inputs, whose bias they are.
    free: Dense,
}

impl Network {
    /// A perceptron with the given widths, inputs first and outputs last.
    ///
    /// # Panics
    /// With fewer than two widths, or a width of zero: a shape is the caller's own.
    pub fn mlp(widths: &[usize], hidden: Activation) -> Self {
        assert!(widths.len() >= 2 && widths.iter().all(|&w| w > 0), "widths of a perceptron: {widths:?}");
        let n_layers = widths.len() - 1;
        let mut offset = 0;
        let layers = (0..n_layers)
            .map(|l| {
                let activation = if l + 1 == n_layers { Activation::Identity } else { hidden };
                let layer = Dense { n_inputs: widths[l], n_outputs: widths[l + 1], activation, offset };
                offset = layer.bias().end;
                layer
            })
            .collect();
        let free = Dense { n_inputs: 0, n_outputs: 0, activation: Activation::Identity, offset };
        Self { layers, free }
    }

    /// The same with `n` outputs more, after the others, that are parameters themselves and so the
    /// same for every sample: log σ of a Gaussian policy whose σ does not depend on the state.
    pub fn with_free_outputs(self, n: usize) -> Self {
        Self { free: Dense { n_outputs: n, ..self.free }, ..self }
    }

    /// The layers, inputs first.
    pub fn layers(&self) -> &[Dense] {
        &self.layers
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
        self.layers[0].n_inputs
    }

    /// Entries of an output, c: those of the last layer, then the free ones.
    pub fn n_outputs(&self) -> usize {
        self.layers[self.layers.len() - 1].n_outputs + self.free.n_outputs
    }

    /// Entries of the flat parameter vector, p.
    pub fn n_params(&self) -> usize {
        self.free.bias().end
    }
}

impl fmt::Display for Network {
    /// Widths joined by dashes, free outputs added to the last: `4-64-64-2`, `4-64-64-2+2`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.n_inputs())?;
        self.layers.iter().try_for_each(|layer| write!(f, "-{}", layer.n_outputs))?;
        if self.free.n_outputs > 0 { write!(f, "+{}", self.free.n_outputs) } else { Ok(()) }
    }
}

/// Widths such as `4-64-64-2`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Widths(pub Vec<usize>);

impl FromStr for Widths {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let widths = text
            .split('-')
            .map(|width| width.parse().ok().filter(|&w: &usize| w > 0))
            .collect::<Option<Vec<_>>>()
            .filter(|widths| widths.len() >= 2);
        widths.map(Self).ok_or_else(|| {
            format!("'{text}' is not a network; give two or more positive widths joined by dashes, such as 4-64-64-2")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_of_the_textbook_perceptron() {
        let network = Network::mlp(&[4, 64, 64, 2], Activation::Tanh);
        assert_eq!(network.n_params(), 4 * 64 + 64 + 64 * 64 + 64 + 64 * 2 + 2);
        assert_eq!(network.to_string(), "4-64-64-2");
        assert_eq!(network.layers()[2].activation, Activation::Identity);
    }

    #[test]
    fn widths_refuse_what_is_no_network() {
        assert_eq!("8-256-4".parse(), Ok(Widths(vec![8, 256, 4])));
        for text in ["", "4", "4-0-2", "4-x", "4--2"] {
            assert!(text.parse::<Widths>().is_err(), "{text}");
        }
    }
}
