//! Networks: layers, and the passes forward, back and along a tangent through a chain of them.

pub(crate) mod activation;
pub(crate) mod convolution;
pub(crate) mod dense;
pub(crate) mod dueling;
pub(crate) mod hidden;
pub(crate) mod initialization;
pub(crate) mod layer;
pub(crate) mod layer_norm;
pub(crate) mod layer_pass;
pub(crate) mod model;
#[allow(clippy::module_inception)] // The type that the folder is named after.
pub(crate) mod network;
pub(crate) mod pass;
pub(crate) mod products;
pub(crate) mod quadratic_form;
mod safetensors;
pub(crate) mod skip;
pub(crate) mod snapshot;
mod text;
