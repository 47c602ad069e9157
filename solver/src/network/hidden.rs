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
}

impl Hidden {
    /// Outputs of the part's first dense layer.
    pub fn width(self) -> usize {
        match self {
            Self::Dense(width) | Self::Normalized(width) => width,
        }
    }

    /// Reads what `Display` writes.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text.strip_suffix('n') {
            Some(width) => positive(width).map(Self::Normalized),
            None => positive(text).map(Self::Dense),
        }
    }
}

impl fmt::Display for Hidden {
    /// `64`, or `64n` with a normalization.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dense(width) => write!(f, "{width}"),
            Self::Normalized(width) => write!(f, "{width}n"),
        }
    }
}
