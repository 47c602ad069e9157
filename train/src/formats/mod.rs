//! The formats of other programs: TensorBoard and ONNX.

pub mod onnx;
mod protobuf;
pub mod tensorboard;
