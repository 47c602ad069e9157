//! NumPy's generators, bit for bit.

pub mod mt19937;
pub mod pcg64;
