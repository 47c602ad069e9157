//! NumPy's generators and sums, bit for bit.

pub mod mt19937;
pub mod pcg64;
pub mod sum;
pub mod ziggurat;
