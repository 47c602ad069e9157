//! Networks as safetensors files, in PyTorch's names and layout.
//!
//! Layer l is `<l>.weight` of shape (n_outputs, n_inputs) and `<l>.bias` (n_outputs), as an
//! `nn.Sequential` of linear layers would call them, activations not counted; the free outputs are
//! `free` (n).

use std::{collections::HashMap, fs, io::Write, path::Path};

use candle_core::{Device, Tensor, safetensors};

use crate::{Network, Snapshot, SolverError};

impl Snapshot {
    /// Writes the network, whole or not at all.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), SolverError> {
        let mut tensors = HashMap::new();
        for (l, layer) in self.network().layers().iter().enumerate() {
            let slice = |range: std::ops::Range<usize>| self.params().narrow(0, range.start, range.len());
            let weight = slice(layer.weight())?.reshape((layer.n_inputs, layer.n_outputs))?;
            tensors.insert(format!("{l}.weight"), weight.t()?.contiguous()?);
            tensors.insert(format!("{l}.bias"), slice(layer.bias())?.copy()?);
        }
        if let Some(free) = self.network().free() {
            tensors.insert("free".into(), self.params().narrow(0, free.offset, free.n_outputs)?.copy()?);
        }
        let partial = path.with_extension("partial");
        safetensors::save(&tensors, &partial)?;
        let sync = || {
            fs::File::options().append(true).open(&partial).and_then(|mut file| file.flush().and(file.sync_all()))?;
            fs::rename(&partial, path)
        };
        sync().map_err(|error: std::io::Error| SolverError::Tensor { message: error.to_string() })
    }

    /// Reads a network of a known architecture.
    ///
    /// # Errors
    /// When the file cannot be read, or holds another architecture.
    pub fn load(path: &Path, network: Network) -> Result<Self, SolverError> {
        let tensors = safetensors::load(path, &Device::Cpu)?;
        let mut parts = Vec::new();
        let find = |name: String, shape: &[usize]| match tensors.get(&name) {
            Some(tensor) if tensor.dims() == shape => Ok(tensor),
            Some(tensor) => Err(SolverError::Tensor {
                message: format!("{name} has shape {:?}, the network {network} needs {shape:?}", tensor.dims()),
            }),
            None => Err(SolverError::Tensor { message: format!("{name} is missing; the network is {network}") }),
        };
        for (l, layer) in network.layers().iter().enumerate() {
            parts.push(find(format!("{l}.weight"), &[layer.n_outputs, layer.n_inputs])?.t()?.flatten_all()?);
            parts.push(find(format!("{l}.bias"), &[layer.n_outputs])?.clone());
        }
        if let Some(free) = network.free() {
            parts.push(find("free".into(), &[free.n_outputs])?.clone());
        }
        let params = Tensor::cat(&parts, 0)?;
        Ok(Self::new(network, params))
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;
    use crate::{Activation, Initialisation};

    #[test]
    fn a_network_reads_back_as_it_was_written() {
        let network = Network::mlp(&[3, 5, 2], Activation::Tanh).with_free_outputs(2);
        let mut params = Initialisation::Uniform.draw(&network, &mut rand_chacha::ChaCha8Rng::seed_from_u64(0));
        params[network.free_outputs()].copy_from_slice(&[0.5, -0.25]);
        let snapshot = Snapshot::new(network.clone(), Tensor::new(params.clone(), &Device::Cpu).unwrap());
        let path = std::env::temp_dir().join(format!("egn-solver-{}.safetensors", std::process::id()));
        snapshot.save(&path).unwrap();
        let read = Snapshot::load(&path, network).unwrap();
        let wrong = Snapshot::load(&path, Network::mlp(&[3, 4, 2], Activation::Tanh));
        fs::remove_file(&path).unwrap();
        assert_eq!(read.params().to_vec1::<f64>().unwrap(), params);
        assert!(wrong.unwrap_err().to_string().contains("shape"));
    }
}
