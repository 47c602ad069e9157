//! The kinds of layer that a network is a chain of.

use crate::{
    linalg::{params::Block, real::Real},
    network::{
        activation::Activation,
        convolution::{Convolution, Image},
        dense::Dense,
        dueling::Dueling,
        layer_norm::LayerNorm,
        layer_pass::LayerPass,
        products::Products,
        skip::Skip,
    },
};

/// One layer of a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layer {
    /// Every output from every input.
    Dense(Dense),
    /// A dense layer on every patch of an image.
    Convolution(Convolution),
    /// The entries of a sample at mean 0 and variance 1, scaled and shifted.
    LayerNorm(LayerNorm),
    /// The end of a residual block, without parameters.
    Skip(Skip),
    /// A value and advantages to action values, without parameters.
    Dueling(Dueling),
    /// Products of the inputs, without parameters.
    Products(Products),
}

impl Layer {
    /// Entries of an input.
    pub fn n_inputs(&self) -> usize {
        match self {
            Self::Dense(dense) => dense.n_inputs,
            Self::Convolution(convolution) => convolution.image.len(),
            Self::LayerNorm(norm) => norm.width,
            Self::Skip(skip) => skip.width,
            Self::Dueling(dueling) => 1 + dueling.n_outputs,
            Self::Products(products) => products.n_inputs,
        }
    }

    /// Entries of an output.
    pub fn n_outputs(&self) -> usize {
        match self {
            Self::Dense(dense) => dense.n_outputs,
            Self::Convolution(convolution) => convolution.output().len(),
            Self::LayerNorm(norm) => norm.width,
            Self::Skip(skip) => skip.width,
            Self::Dueling(dueling) => dueling.n_outputs,
            Self::Products(products) => products.n_outputs(),
        }
    }

    /// The dense layer that holds this layer's parameters, if it has any: a convolution's is
    /// applied at every position.
    pub fn dense(&self) -> Option<&Dense> {
        match self {
            Self::Dense(dense) => Some(dense),
            Self::Convolution(convolution) => Some(&convolution.filters),
            Self::LayerNorm(_) | Self::Skip(_) | Self::Dueling(_) | Self::Products(_) => None,
        }
    }

    /// The layer's parameters within the flat vector, in order, without gaps: weights, then a bias,
    /// or a scale and a shift.
    pub fn blocks(&self) -> Vec<Block> {
        match self {
            Self::LayerNorm(norm) => vec![Block::row(norm.scale()), Block::row(norm.shift())],
            _ => self.dense().map_or_else(Vec::new, Dense::blocks),
        }
    }

    /// The layer behind the trait that a pass calls.
    pub(crate) fn on<T: Real>(&self) -> &dyn LayerPass<T> {
        match self {
            Self::Dense(dense) => dense,
            Self::Convolution(convolution) => convolution,
            Self::LayerNorm(norm) => norm,
            Self::Skip(skip) => skip,
            Self::Dueling(dueling) => dueling,
            Self::Products(products) => products,
        }
    }

    /// Shape of the output, where that is an image.
    pub(crate) fn image(&self) -> Option<Image> {
        match self {
            Self::Convolution(convolution) => Some(convolution.output()),
            Self::Dense(_) | Self::LayerNorm(_) | Self::Skip(_) | Self::Dueling(_) | Self::Products(_) => None,
        }
    }

    /// Activation applied to the output.
    pub fn activation(&self) -> Activation {
        match self {
            Self::LayerNorm(norm) => norm.activation,
            _ => self.dense().map_or(Activation::Identity, |dense| dense.activation),
        }
    }
}
