//! Random networks with a batch and data for every loss, and the step by a dense solve.

use candle_core::{Device, Tensor};
use egn_solver::{
    Activation, Initialisation, Loss, Model, Network,
    loss::{BinaryCrossEntropy, CategoricalPolicyGradient, ChosenAction, CrossEntropy, PolicySample, SquaredError},
};
use rand::{Rng, RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Every kind of network, as text with sizes to fill in, at least two outputs each.
const KINDS: [&str; 9] = [
    "{n}-{h}-{c}",
    "{n}-{h}-{h}-{c}+{k}",
    "{n}-{h}-3-dueling",
    "3x4x{n}-{k}k2s1-{h}-{c}",
    "5x4x{k}-{n}k3s2p1-{c}k2s1p1-{h}-3-dueling+1",
    "2x2x{n}-{h}k2s1-{c}",
    "{n}-quadratic+{k}",
    "{n}-quadratic-constant+1",
    "{n}-{c}",
];

/// How many kinds of network there are.
pub const N_NETWORKS: usize = KINDS.len();

/// Sizes of a random network.
#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    pub n_inputs: usize,
    pub hidden: usize,
    pub n_outputs: usize,
    pub extra: usize,
}

/// A network of the given kind.
pub fn network(kind: usize, sizes: Sizes, activation: Activation) -> Network {
    let fill = [("{n}", sizes.n_inputs), ("{h}", sizes.hidden), ("{c}", sizes.n_outputs), ("{k}", sizes.extra)];
    let text = fill.iter().fold(KINDS[kind].to_owned(), |text, (hole, size)| text.replace(hole, &size.to_string()));
    Network::parse(&text, activation).unwrap()
}

/// All activations.
pub const ACTIVATIONS: [Activation; 4] = [Activation::Identity, Activation::Tanh, Activation::Relu, Activation::Silu];

pub const N_LOSSES: usize = 7;

/// A random network, batch and data for every loss.
pub struct Setting {
    pub network: Network,
    pub params: Vec<f64>,
    pub x: Vec<f64>,
    pub targets: Vec<f64>,
    pub chosen_targets: Vec<f64>,
    pub actions: Vec<u32>,
    pub weights: Vec<f64>,
    pub samples: Vec<PolicySample>,
    pub probabilities: Vec<f64>,
}

impl Setting {
    pub fn draw(network: Network, batch: usize, seed: u64) -> Self {
        let rng = &mut ChaCha8Rng::seed_from_u64(seed);
        let mut params: Vec<f64> = Initialisation::Uniform.draw(&network, rng).iter().map(|x| 2.0 * x).collect();
        params[network.free_outputs()].fill_with(|| rng.random_range(-1.0..1.0));
        let c = network.n_outputs();
        let many = |n: usize, rng: &mut ChaCha8Rng| (0..n).map(|_| rng.random_range(-2.0..2.0)).collect::<Vec<f64>>();
        let actions: Vec<u32> = (0..batch).map(|_| rng.next_u32() % c as u32).collect();
        let samples = actions.iter().map(|&action| PolicySample {
            action,
            advantage: rng.random_range(-2.0..2.0),
            old_log_prob: -rng.random_range(0.2..2.0),
        });
        Self {
            samples: samples.collect(),
            x: many(batch * network.n_inputs(), rng),
            targets: many(batch * c, rng),
            chosen_targets: many(batch, rng),
            weights: (0..batch).map(|_| rng.random_range(0.1..2.0)).collect(),
            probabilities: (0..batch * c).map(|_| rng.random()).collect(),
            network,
            params,
            actions,
        }
    }

    pub fn with_loss<R>(&self, which: usize, check: impl FnOnce(&dyn Loss) -> R) -> R {
        let chosen = ChosenAction { actions: &self.actions, targets: &self.chosen_targets, weights: None, huber: None };
        match which {
            0 => check(&SquaredError { targets: &self.targets }),
            1 => check(&chosen),
            2 => check(&ChosenAction { weights: Some(&self.weights), ..chosen }),
            3 => check(&ChosenAction { weights: Some(&self.weights), huber: Some(0.7), ..chosen }),
            4 => check(&CrossEntropy { labels: &self.actions }),
            5 => check(&BinaryCrossEntropy { targets: &self.probabilities }),
            _ => check(&CategoricalPolicyGradient { samples: &self.samples, clip: None, entropy: 0.1 }),
        }
    }

    pub fn batch(&self) -> usize {
        self.actions.len()
    }

    pub fn model(&self) -> Model<f64> {
        let mut model = Model::new(self.network.clone(), Tensor::new(&*self.params, &Device::Cpu).unwrap());
        model.load(&self.inputs()).unwrap();
        model
    }

    pub fn inputs(&self) -> Tensor {
        Tensor::from_slice(&self.x, (self.batch(), self.network.n_inputs()), &Device::Cpu).unwrap()
    }
}

/// ‖a‖.
pub fn norm(values: &[f64]) -> f64 {
    values.iter().map(|x| x * x).sum::<f64>().sqrt()
}

/// ‖a − b‖.
pub fn distance(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    norm(&a.iter().zip(b).map(|(a, b)| a - b).collect::<Vec<_>>())
}
