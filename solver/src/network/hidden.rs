//! What lies between the inputs of a network and its last layer, part by part.

use std::fmt;

/// Largest width that is read: the product of two of them is a number still.
const MAX_WIDTH: usize = 1 << 24;

/// Reads a width.
pub(crate) fn positive(text: &str) -> Option<usize> {
    text.parse().ok().filter(|n| (1..=MAX_WIDTH).contains(n))
}

/// A hidden part of a network: one or more layers, after which there is a non-linearity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hidden {
    /// A dense layer of so many outputs, and the activation.
    Dense(usize),
    /// A dense layer of so many outputs, a normalization of these, and the activation.
    Normalized(usize),
    /// A residual block, x + W₂ activation(W₁ normalized(x) + b₁) + b₂, with so many outputs of its
    /// inner layer W₁ and as many of the block as it has inputs.
    ///
    /// Source: Lee et al. (2025), "SimBa: simplicity bias for scaling up parameters in deep
    /// reinforcement learning", arXiv 2410.09754, where the inner layer has four times the outputs.
    Residual(usize),
}

impl Hidden {
    /// Reads what `Display` writes.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text.split_at_checked(text.len().saturating_sub(1)) {
            Some((width, "n")) => positive(width).map(Self::Normalized),
            Some((width, "r")) => positive(width).map(Self::Residual),
            _ => positive(text).map(Self::Dense),
        }
    }
}

impl fmt::Display for Hidden {
    /// `64`, `64n` with a normalization, or `64r` for a residual block.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dense(width) => write!(f, "{width}"),
            Self::Normalized(width) => write!(f, "{width}n"),
            Self::Residual(width) => write!(f, "{width}r"),
        }
    }
}
