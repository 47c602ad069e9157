//! Flat parameters: a type for either number type, and the blocks that are its matrices.

use std::{ops::Range, sync::Arc};

use crate::linalg::number::Number;

/// Parameters of either number type.
#[derive(Debug, Clone)]
pub enum Params {
    /// Single precision.
    F32(Arc<[f32]>),
    /// Double precision.
    F64(Arc<[f64]>),
}

/// A number type that a snapshot can hold.
pub trait Held: Number {
    /// Wraps parameters so that they can be shared.
    fn hold(params: Vec<Self>) -> Params;

    /// The parameters of a snapshot.
    ///
    /// # Panics
    /// When they are of the other type.
    fn of_params(params: &Params) -> &[Self];
}

impl Held for f32 {
    fn hold(params: Vec<f32>) -> Params {
        Params::F32(params.into())
    }

    fn of_params(params: &Params) -> &[f32] {
        match params {
            Params::F32(theta) => theta,
            Params::F64(_) => panic!("a network of f32 and one of f64"),
        }
    }
}

impl Held for f64 {
    fn hold(params: Vec<f64>) -> Params {
        Params::F64(params.into())
    }

    fn of_params(params: &Params) -> &[f64] {
        match params {
            Params::F64(theta) => theta,
            Params::F32(_) => panic!("a network of f64 and one of f32"),
        }
    }
}

/// A matrix, or a vector as a matrix of one row, within θ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Range of the matrix's entries in θ, row by row.
    pub range: Range<usize>,
    /// Rows and columns.
    pub shape: [usize; 2],
}

impl Block {
    /// A vector.
    pub(crate) fn row(range: Range<usize>) -> Self {
        Self { shape: [1, range.len()], range }
    }
}
