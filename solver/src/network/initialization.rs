//! First parameters of a network, from the caller's random stream.
//!
//! candle's own initializers draw from a thread-global generator that cannot be seeded.

use rand::{Rng, RngCore};
use serde::{Deserialize, Serialize};

use crate::{
    network::{dense::Dense, layer::Layer, network::Network},
    standard_normal::standard_normal,
};

/// How a network's parameters are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", deny_unknown_fields)]
pub enum Initialization {
    /// PyTorch's default for `nn.Linear` and `nn.Conv2d`: weights and biases uniform in ±1/√n, n
    /// the inputs of a layer, or of a patch.
    Uniform,
    /// Orthogonal weights and zero biases, as Stable-Baselines3's policies: gain √2 in the hidden
    /// layers, `output_gain` in the last one.
    Orthogonal {
        /// Gain of the last layer: 1 for a value, 0.01 for a policy.
        output_gain: f64,
    },
}

impl Initialization {
    /// Draws the flat parameter vector (p). Free outputs are zero; a normalization scales by 1 and
    /// shifts by 0.
    pub fn draw(self, network: &Network, rng: &mut dyn RngCore) -> Vec<f64> {
        let mut params = vec![0.0; network.n_params()];
        for layer in network.layers() {
            if let Layer::LayerNorm(norm) = layer {
                params[norm.scale()].fill(1.0);
            }
        }
        let layers: Vec<&Dense> = network.layers().iter().filter_map(Layer::dense).collect();
        for (l, layer) in layers.iter().enumerate() {
            match self {
                Self::Uniform => {
                    let bound = 1.0 / (layer.n_inputs as f64).sqrt();
                    params[layer.offset..layer.bias().end].fill_with(|| rng.random_range(-bound..bound));
                }
                Self::Orthogonal { output_gain } => {
                    let gain = if l + 1 == layers.len() { output_gain } else { std::f64::consts::SQRT_2 };
                    orthogonal(layer, gain, rng, &mut params[layer.weight()]);
                }
            }
        }
        params
    }
}

/// Fills `weight` with `gain` times a (semi-)orthogonal matrix: Gaussian vectors along the shorter
/// side, orthonormalized. Saxe, McClelland, Ganguli (2014), arXiv 1312.6120.
fn orthogonal(layer: &Dense, gain: f64, rng: &mut dyn RngCore, weight: &mut [f64]) {
    let (rows, columns) = (layer.n_inputs, layer.n_outputs);
    let (count, length) = (rows.min(columns), rows.max(columns));
    let mut basis: Vec<Vec<f64>> = Vec::with_capacity(count);
    while basis.len() < count {
        let mut vector: Vec<f64> = (0..length).map(|_| standard_normal(rng)).collect();
        // Twice is enough for orthogonality to rounding.
        for _ in 0..2 {
            for other in &basis {
                let overlap: f64 = vector.iter().zip(other).map(|(a, b)| a * b).sum();
                vector.iter_mut().zip(other).for_each(|(a, b)| *a -= overlap * b);
            }
        }
        let norm = vector.iter().map(|x| x * x).sum::<f64>().sqrt();
        vector.iter_mut().for_each(|x| *x /= norm);
        basis.push(vector);
    }
    for (short, vector) in basis.iter().enumerate() {
        for (long, value) in vector.iter().enumerate() {
            let (i, j) = if rows <= columns { (short, long) } else { (long, short) };
            weight[i * columns + j] = gain * value;
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::network::activation::Activation;

    #[test]
    fn orthogonal_columns_have_the_gain_as_length() {
        let network = Network::mlp(&[4, 16, 2], Activation::Tanh);
        let params = Initialization::Orthogonal { output_gain: 0.01 }.draw(&network, &mut ChaCha8Rng::seed_from_u64(1));
        for (layer, gain) in network.layers().iter().filter_map(Layer::dense).zip([std::f64::consts::SQRT_2, 0.01]) {
            let weight = &params[layer.weight()];
            let (n, m) = (layer.n_inputs, layer.n_outputs);
            let entry = |i: usize, j: usize| weight[i * m + j];
            for a in 0..n.min(m) {
                for b in 0..n.min(m) {
                    let product: f64 = if n <= m {
                        (0..m).map(|j| entry(a, j) * entry(b, j)).sum()
                    } else {
                        (0..n).map(|i| entry(i, a) * entry(i, b)).sum()
                    };
                    let expected = if a == b { gain * gain } else { 0.0 };
                    assert!((product - expected).abs() < 1e-12, "{a} {b} {product}");
                }
            }
            assert!(params[layer.bias()].iter().all(|&x| x == 0.0));
        }
    }

    #[test]
    fn uniform_stays_within_its_bound_and_fills_it() {
        let network = Network::mlp(&[16, 64, 4], Activation::Relu);
        let params = Initialization::Uniform.draw(&network, &mut ChaCha8Rng::seed_from_u64(2));
        let first = &params[..(16 + 1) * 64];
        let largest = first.iter().fold(0.0_f64, |m, x| m.max(x.abs()));
        assert!(largest < 0.25 && largest > 0.24, "{largest}");
    }
}
