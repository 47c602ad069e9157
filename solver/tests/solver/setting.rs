//! A network with random parameters, a batch, and data for every loss.

use candle_core::{Device, Tensor};
use egn_solver::{
    Initialization, Layer, Loss, Model, Network, Outputs,
    loss::{
        BinaryCrossEntropy, CategoricalPolicyGradient, ChosenAction, ChosenDistribution, CrossEntropy, PolicySample,
        QuadraticModel, Sampled, SquaredError, Weighted,
    },
};
use rand::{Rng, RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// How many losses there are, [`Setting::with_loss`].
pub const N_LOSSES: usize = 14;

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
        let mut params: Vec<f64> = Initialization::Uniform.draw(&network, rng).iter().map(|x| 2.0 * x).collect();
        params[network.free_outputs()].fill_with(|| rng.random_range(-1.0..1.0));
        for layer in network.layers() {
            if let Layer::LayerNorm(norm) = layer {
                params[norm.scale().start..norm.shift().end].fill_with(|| rng.random_range(-1.5..1.5));
            }
        }
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

    /// Calls `check` with one of the losses.
    pub fn with_loss<R>(&self, which: usize, check: impl FnOnce(&dyn Loss) -> R) -> R {
        let (mut check, mut result) = (Some(check), None);
        let mut run = |loss: &dyn Loss| result = check.take().map(|check| check(loss));
        match which {
            0..=6 => self.plain_loss(which, &mut run),
            7..=9 => self.plain_loss([0, 4, 6][which - 7], &mut |loss| run(&Weighted { loss, weights: &self.weights })),
            10 => run(&self.quadratic_model()),
            13 => run(&ChosenDistribution {
                actions: &self.atom_actions(),
                targets: &self.atom_targets(),
                n_atoms: self.n_atoms(),
            }),
            // Signs from a stream of their own, the same at every call.
            _ => self.plain_loss([0, 4][which - 11], &mut |loss| {
                run(&Sampled::new(loss, &mut ChaCha8Rng::seed_from_u64(9)));
            }),
        }
        result.unwrap()
    }

    fn plain_loss(&self, which: usize, run: &mut dyn FnMut(&dyn Loss)) {
        let chosen = ChosenAction { actions: &self.actions, targets: &self.chosen_targets, weights: None, huber: None };
        match which {
            0 => run(&SquaredError { targets: &self.targets }),
            1 => run(&chosen),
            2 => run(&ChosenAction { weights: Some(&self.weights), ..chosen }),
            3 => run(&ChosenAction { weights: Some(&self.weights), huber: Some(0.7), ..chosen }),
            4 => run(&CrossEntropy { labels: &self.actions }),
            5 => run(&BinaryCrossEntropy { targets: &self.probabilities }),
            _ => run(&CategoricalPolicyGradient { samples: &self.samples, clip: None, entropy: 0.1, kl: None }),
        }
    }

    /// Made of the data of other losses: f₀ the targets, r the probabilities, q from both.
    pub fn quadratic_model(&self) -> QuadraticModel {
        let origin = Outputs { values: self.targets.clone(), n_outputs: self.network.n_outputs() };
        QuadraticModel::diagonal(0.25, &origin, &self.probabilities, &self.model_curvature())
    }

    /// q of [`Setting::quadratic_model`].
    pub fn model_curvature(&self) -> Vec<f64> {
        self.targets.iter().map(|y| 0.1 + y * y).collect()
    }

    /// Atoms of an action: the fewest, but two, of which the outputs are a whole number.
    pub fn n_atoms(&self) -> usize {
        let c = self.network.n_outputs();
        (2..=c).find(|&n| c.is_multiple_of(n)).expect("two outputs or more")
    }

    /// The actions whose atoms count.
    pub fn atom_actions(&self) -> Vec<u32> {
        let n_actions = self.network.n_outputs() / self.n_atoms();
        self.actions.iter().map(|action| action % n_actions as u32).collect()
    }

    /// A distribution over the atoms for every sample, (b, n_atoms).
    pub fn atom_targets(&self) -> Vec<f64> {
        let n = self.n_atoms();
        let rows = self.probabilities.chunks_exact(n).take(self.batch());
        rows.flat_map(|row| row.iter().map(|x| x / row.iter().sum::<f64>())).collect()
    }

    pub fn batch(&self) -> usize {
        self.actions.len()
    }

    pub fn model(&self) -> Model<f64> {
        let mut model = Model::new(self.network.clone(), self.params.clone());
        model.load(&self.inputs()).unwrap();
        model
    }

    pub fn inputs(&self) -> Tensor {
        Tensor::from_slice(&self.x, (self.batch(), self.network.n_inputs()), &Device::Cpu).unwrap()
    }
}
