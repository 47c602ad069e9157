//! Settings that several algorithms ask for.

pub mod on_policy;
