//! Dense kernels: products, Gram matrices, Cholesky factors, each summed in an
//! order that shapes decide.

pub(crate) mod cholesky;
mod cholesky_tiles;
pub(crate) mod dot_products;
pub(crate) mod flat;
pub(crate) mod gram;
pub(crate) mod gram_tiles;
mod lanes;
pub(crate) mod matmul;
mod matmul_tiles;
pub(crate) mod matrix;
pub(crate) mod number;
pub(crate) mod orthogonal;
pub(crate) mod params;
pub(crate) mod real;
pub(crate) mod vector;
pub(crate) mod vectors;
