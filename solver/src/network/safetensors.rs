//! Networks as safetensors files, in PyTorch's names and layout.
//!
//! Layer l is `<l>.weight` and `<l>.bias`, layers without parameters and activations not counted:
//! of shape (n_outputs, n_inputs) and (n_outputs) as an `nn.Linear`, (filters, channels, rows,
//! columns) and (filters) as an `nn.Conv2d`, (n) and (n) as an `nn.LayerNorm`. A linear layer after
//! a convolution takes its inputs channels first, as `nn.Flatten` hands them over. The free outputs
//! are `free` (n).

use std::{collections::HashMap, fs, io::Write, ops::Range, path::Path};

use candle_core::{DType, Device, Tensor, safetensors};

use crate::{
    error::SolverError,
    network::{
        convolution::{Convolution, Image},
        layer::Layer,
        network::Network,
        snapshot::Snapshot,
    },
};

impl Snapshot {
    /// Writes the network, whole or not at all.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), SolverError> {
        let (partial, bytes) = (path.with_extension("partial"), self.to_safetensors(None)?);
        let write = || {
            let mut file = fs::File::create(&partial)?;
            file.write_all(&bytes)?;
            file.sync_all()?;
            fs::rename(&partial, path)
        };
        write().map_err(|error: std::io::Error| SolverError::Tensor { message: error.to_string() })
    }

    /// The network as a safetensors file, with an entry of its metadata, name and text, for those
    /// who read it elsewhere. (Several would be written in the order of a hash map.)
    ///
    /// # Errors
    /// When candle or safetensors refuses.
    pub fn to_safetensors(&self, metadata: Option<(&str, String)>) -> Result<Vec<u8>, SolverError> {
        let (params, mut tensors) = (self.to_tensor()?, Vec::new());
        for part in parts(self.network()) {
            let ours = params.narrow(0, part.range.start, part.range.len())?.reshape(part.shape)?;
            tensors.push((part.name, ours.permute(part.order)?.contiguous()?.reshape(part.torch_shape)?.copy()?));
        }
        let metadata = metadata.map(|(name, text)| HashMap::from([(name.to_owned(), text)]));
        let bytes = ::safetensors::serialize(tensors.iter().map(|(name, tensor)| (name, tensor)), metadata);
        bytes.map_err(|error| SolverError::Tensor { message: error.to_string() })
    }

    /// Reads a network of a known architecture; half precision becomes single.
    ///
    /// # Errors
    /// When the file cannot be read, or holds another architecture.
    pub fn load(path: &Path, network: Network) -> Result<Self, SolverError> {
        let tensors = safetensors::load(path, &Device::Cpu)?;
        let refuse = |message| Err(SolverError::Tensor { message });
        let mut read = Vec::new();
        for Part { name, shape, order, torch_shape, .. } in parts(&network) {
            let tensor = match tensors.get(&name) {
                Some(tensor) if tensor.dims() == torch_shape => tensor,
                Some(tensor) => {
                    let found = tensor.dims();
                    return refuse(format!("{name} has shape {found:?}, the network {network} needs {torch_shape:?}"));
                }
                None => return refuse(format!("{name} is missing; the network is {network}")),
            };
            let permuted: Vec<usize> = order.iter().map(|&axis| shape[axis]).collect();
            let back: Vec<usize> = (0..order.len()).filter_map(|axis| order.iter().position(|&o| o == axis)).collect();
            read.push(tensor.reshape(permuted)?.permute(back)?.contiguous()?.flatten_all()?);
        }
        let params = Tensor::cat(&read, 0)?;
        let params = match params.dtype() {
            DType::F32 | DType::F64 => params,
            _ => params.to_dtype(DType::F32)?,
        };
        Self::new(network, &params)
    }
}

/// One tensor of a file.
struct Part {
    name: String,
    /// Where it is in the flat parameter vector.
    range: Range<usize>,
    /// Its shape there, and the order in which PyTorch has these axes.
    shape: Vec<usize>,
    order: Vec<usize>,
    /// The shape in the file.
    torch_shape: Vec<usize>,
}

impl Part {
    fn vector(name: String, range: Range<usize>) -> Self {
        Self { name, shape: vec![range.len()], order: vec![0], torch_shape: vec![range.len()], range }
    }
}

/// The tensors of a network in the order of its parameters.
fn parts(network: &Network) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut before: Option<Image> = None;
    for (l, layer) in network.layers().iter().filter(|layer| !layer.blocks().is_empty()).enumerate() {
        let Some(dense) = layer.dense() else {
            let names = ["weight", "bias"].map(|name| format!("{l}.{name}"));
            parts.extend(names.into_iter().zip(layer.blocks()).map(|(name, block)| Part::vector(name, block.range)));
            continue;
        };
        let (n, m) = (dense.n_inputs, dense.n_outputs);
        let (shape, order, torch_shape) = match (layer, before) {
            // (row, column, channel, filter) to (filter, channel, row, column).
            (Layer::Convolution(Convolution { image, kernel, .. }), _) => {
                let (size, channels) = (kernel.size, image.channels);
                (vec![size, size, channels, m], vec![3, 2, 0, 1], vec![m, channels, size, size])
            }
            // An image is flattened with its channels first.
            (_, Some(image)) => (vec![image.height, image.width, image.channels, m], vec![3, 2, 0, 1], vec![m, n]),
            (_, None) => (vec![n, m], vec![1, 0], vec![m, n]),
        };
        parts.push(Part { name: format!("{l}.weight"), range: dense.weight(), shape, order, torch_shape });
        if dense.has_bias {
            parts.push(Part::vector(format!("{l}.bias"), dense.bias()));
        }
        before = layer.image();
    }
    parts.extend(network.free().map(|free| Part::vector("free".into(), free.bias())));
    parts
}

#[cfg(test)]
mod tests {
    use candle_core::IndexOp;
    use rand::SeedableRng;

    use super::*;
    use crate::network::{activation::Activation, convolution::Kernel, initialization::Initialization};

    #[test]
    fn a_network_reads_back_as_it_was_written() {
        for text in [
            "3-5-2+2",
            "6x5x2-4k3s1-3k2s2p1-7n-4-dueling",
            "3-5n-4n-2",
            "3-5-7r-2+1",
            "4-quadratic",
            "4-quadratic-constant",
        ] {
            let network = Network::parse(text, Activation::Tanh).unwrap();
            let rng = &mut rand_chacha::ChaCha8Rng::seed_from_u64(0);
            let mut params = Initialization::Uniform.draw(&network, rng);
            params[network.free_outputs()].fill(0.5);
            let snapshot = Snapshot::new(network.clone(), &Tensor::new(params.clone(), &Device::Cpu).unwrap()).unwrap();
            let path = std::env::temp_dir().join(format!("egn-solver-{}.safetensors", std::process::id()));
            snapshot.save(&path).unwrap();
            let read = Snapshot::load(&path, network).unwrap();
            let wrong = Snapshot::load(&path, Network::mlp(&[3, 4, 2], Activation::Tanh));
            fs::remove_file(&path).unwrap();
            assert_eq!(read.parameters(), params, "{text}");
            assert!(wrong.unwrap_err().to_string().contains("shape"));
        }
    }

    /// Entry by entry, where PyTorch would have it.
    #[test]
    fn a_convolution_is_written_in_torch_order() {
        let (image, kernel) =
            (Image { height: 3, width: 4, channels: 2 }, Kernel { filters: 5, size: 2, stride: 1, padding: 0 });
        let network = Network::convolutional(image, &[kernel], &[1], Activation::Relu);
        let params: Vec<f64> = (0..network.n_params()).map(|i| i as f64).collect();
        let snapshot = Snapshot::new(network, &Tensor::new(params, &Device::Cpu).unwrap()).unwrap();
        let path = std::env::temp_dir().join(format!("egn-solver-order-{}.safetensors", std::process::id()));
        snapshot.save(&path).unwrap();
        let tensors = safetensors::load(&path, &Device::Cpu).unwrap();
        fs::remove_file(&path).unwrap();
        assert_eq!(tensors["0.weight"].dims(), [5, 2, 2, 2]);
        // Filter 3, channel 1, row 0, column 1.
        let entry = tensors["0.weight"].i((3, 1, 0, 1)).unwrap().to_scalar::<f64>().unwrap();
        assert_eq!(entry, f64::from((2 + 1) * 5 + 3));
        // The dense layer sees the (2, 3, 5) image channels first: channel 4, row 1, column 2.
        let entry = tensors["1.weight"].i((0, 4 * 6 + 3 + 2)).unwrap().to_scalar::<f64>().unwrap();
        assert_eq!(entry, f64::from((8 + 1) * 5 + (3 + 2) * 5 + 4));
    }
}
