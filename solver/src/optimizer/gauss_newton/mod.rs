//! Gauss-Newton steps: the exact one with what plugs into it, and the inexact one.

pub(crate) mod adaptive_damping;
pub(crate) mod data_damping;
pub(crate) mod direction;
pub(crate) mod egn;
pub(crate) mod fit;
pub(crate) mod line_search;
pub(crate) mod momentum;
pub(crate) mod sgn;
