//! How long one optimizer step takes: what `egn bench-step` and the crate's benchmark time.

use std::{fmt, hint::black_box, str::FromStr, time::Instant};

use candle_core::{DType, Device, Tensor};

use crate::{
    error::SolverError,
    learner::{Learner, Precision},
    loss::{
        cross_entropy::CrossEntropy,
        loss::Loss,
        squared_error::{ChosenAction, SquaredError},
    },
    network::{initialization::Initialization, network::Network},
    optimizer::{choice::OptimizerConfig, optimizer::StepContext},
    split_mix::mixed,
};

/// The losses that are timed, under the names of the recorded vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BenchLoss {
    /// Squared error on every output.
    Mse,
    /// Squared error on the chosen action.
    MseSelected,
    /// Softmax cross-entropy.
    Ce,
}

impl BenchLoss {
    /// All losses that are timed.
    pub const ALL: [Self; 3] = [Self::Mse, Self::MseSelected, Self::Ce];
}

impl fmt::Display for BenchLoss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Mse => "mse",
            Self::MseSelected => "mse_selected",
            Self::Ce => "ce",
        })
    }
}

impl FromStr for BenchLoss {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|loss| loss.to_string() == text);
        found.ok_or_else(|| format!("unknown loss '{text}'; accepted: {}", Self::ALL.map(|l| l.to_string()).join(", ")))
    }
}

/// A learner and the batch it is timed on: made-up data, f32, always the same.
pub struct BenchStep {
    learner: Learner,
    inputs: Tensor,
    loss: BenchLoss,
    actions: Vec<u32>,
    targets: Vec<f64>,
    n_outputs: u32,
}

impl BenchStep {
    /// Makes a learner with uniformly drawn parameters and a batch of `batch` samples.
    ///
    /// # Errors
    /// When candle cannot make the tensors.
    pub fn new(
        network: &Network,
        batch: usize,
        loss: BenchLoss,
        optimizer: &OptimizerConfig,
    ) -> Result<Self, SolverError> {
        let (n, c) = (network.n_inputs(), network.n_outputs());
        let mut rng = SplitMix(0);
        let learner = Learner::new(network.clone(), Initialization::Uniform, Precision::F32, optimizer, &mut rng)?;
        let mut uniform = |count: usize| -> Vec<f64> {
            (0..count).map(|_| rng.next() as f64 / u64::MAX as f64 * 2.0 - 1.0).collect()
        };
        let inputs = Tensor::from_vec(uniform(batch * n), (batch, n), &Device::Cpu)?.to_dtype(DType::F32)?;
        let targets = uniform(if loss == BenchLoss::Mse { batch * c } else { batch });
        let actions = (0..batch).map(|_| (rng.next() % c as u64) as u32).collect();
        Ok(Self { learner, inputs, loss, actions, targets, n_outputs: c as u32 })
    }

    /// One full step: forward, backward, solve, update.
    ///
    /// Targets turn at every step: a batch that is fitted leaves Adam's averages to fade into
    /// subnormal numbers, on which it is 1.5 times slower.
    ///
    /// # Errors
    /// When the step is refused.
    pub fn step(&mut self) -> Result<(), SolverError> {
        let Self { learner, inputs, loss, actions, targets, n_outputs } = self;
        targets.iter_mut().for_each(|target| *target = -*target);
        actions.iter_mut().for_each(|action| *action = (*action + 1) % *n_outputs);
        let loss: &dyn Loss = match loss {
            BenchLoss::Mse => &SquaredError { targets },
            BenchLoss::MseSelected => &ChosenAction { actions, targets, weights: None, huber: None },
            BenchLoss::Ce => &CrossEntropy { labels: actions },
        };
        learner.step(inputs, loss, StepContext::default()).map(|report| {
            black_box(report);
        })
    }
}

/// Median time of one step (s), over at least `MIN_SAMPLES` timings and half a second of them.
///
/// # Errors
/// When a step is refused.
pub fn median_step_seconds(
    network: &Network,
    batch: usize,
    loss: BenchLoss,
    optimizer: &OptimizerConfig,
) -> Result<f64, SolverError> {
    let mut bench = BenchStep::new(network, batch, loss, optimizer)?;
    let start = Instant::now();
    let mut seconds = Vec::new();
    while seconds.len() < MIN_SAMPLES || start.elapsed().as_secs_f64() < MIN_SECONDS {
        let start = Instant::now();
        bench.step()?;
        seconds.push(start.elapsed().as_secs_f64());
    }
    // The first ones fill caches and buffers.
    let timed = &mut seconds[N_WARM_UP..];
    timed.sort_by(f64::total_cmp);
    Ok(timed[timed.len() / 2])
}

const N_WARM_UP: usize = 5;
const MIN_SAMPLES: usize = 25;
const MIN_SECONDS: f64 = 0.5;

/// Generator of the made-up batch's numbers; it holds how many were drawn.
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 += 1;
        mixed(0, self.0 - 1)
    }
}

impl rand::RngCore for SplitMix {
    fn next_u32(&mut self) -> u32 {
        (self.next() >> 32) as u32
    }

    fn next_u64(&mut self) -> u64 {
        self.next()
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.next().to_le_bytes()[..chunk.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{network::activation::Activation, optimizer::gauss_newton::egn::EgnConfig};

    #[test]
    fn every_loss_can_be_timed() {
        for loss in BenchLoss::ALL {
            assert_eq!(loss.to_string().parse(), Ok(loss));
            let network = Network::mlp(&[2, 4, 3], Activation::Relu);
            let optimizer = OptimizerConfig::Egn(EgnConfig::default());
            assert!(BenchStep::new(&network, 8, loss, &optimizer).unwrap().step().is_ok());
        }
        assert!("huber".parse::<BenchLoss>().unwrap_err().contains("mse_selected"));
    }
}
