//! The temperature of a soft actor-critic: the weight α of entropy beside reward.
//!
//! Source: Haarnoja et al. (2018), "Soft Actor-Critic Algorithms and Applications", arXiv
//! 1812.05905; Adam whatever the networks' optimizer, as in Stable-Baselines3.

use candle_core::{DType, Device, Tensor};
use egn_solver::{
    Activation, AdamConfig, Learner, Network, OptimizerConfig, Outputs, SolverError, State, StateError, StepContext,
    loss::{QuadraticModel, Root},
};

use crate::agent::Update;

/// What α is called in reports and in a saved state.
pub(crate) const TEMPERATURE: &str = "temperature";

/// The temperature α, learned or given.
pub(crate) enum Temperature {
    /// α, as given.
    Fixed(f64),
    /// A learned α: log α is the bias of a network without any other influence.
    Learned {
        /// Network whose bias is log α.
        log_alpha: Learner,
        /// H̄, the entropy that α is to bring about.
        target_entropy: f64,
    },
}

impl Temperature {
    /// A learned temperature: α = 1 at first, moved by Adam with this learning rate.
    ///
    /// # Errors
    /// When the network cannot be made.
    pub fn learned(lr: f64, target_entropy: f64) -> Result<Self, SolverError> {
        let adam = AdamConfig { lr: lr.into(), ..AdamConfig::default() };
        let params = Tensor::zeros(2, DType::F64, &Device::Cpu)?;
        let network = Network::mlp(&[1, 1], Activation::Identity);
        let log_alpha = Learner::from_params(network, params, &OptimizerConfig::Adam(adam))?;
        Ok(Self::Learned { log_alpha, target_entropy })
    }

    /// α as it is now.
    pub fn value(&mut self) -> Result<f64, SolverError> {
        match self {
            Self::Fixed(alpha) => Ok(*alpha),
            Self::Learned { log_alpha, .. } => Ok(libm::exp(log_alpha.forward(&nothing()?)?.values[0])),
        }
    }

    /// All that later updates depend on.
    pub fn state(&self) -> State {
        match self {
            Self::Fixed(_) => State::default(),
            Self::Learned { log_alpha, .. } => log_alpha.state(),
        }
    }

    /// Restores the temperature from a state.
    pub fn restore(&mut self, state: &State) -> Result<(), StateError> {
        match self {
            Self::Fixed(_) => Ok(()),
            Self::Learned { log_alpha, .. } => log_alpha.restore(state),
        }
    }

    /// Takes one step on the loss J of the temperature, for log probabilities (b).
    pub fn update(&mut self, log_probs: &[f64], context: StepContext<'_>) -> Result<Option<Update>, SolverError> {
        let Self::Learned { log_alpha, target_entropy } = self else { return Ok(None) };
        let mean = log_probs.iter().sum::<f64>() / log_probs.len() as f64;
        let slope = -(mean + *target_entropy);
        let input = nothing()?;
        let outputs = log_alpha.forward(&input)?.clone();
        let loss = linear(outputs, slope);
        Ok(Some(Update { network: TEMPERATURE, result: log_alpha.step(&input, &loss, context) }))
    }
}

/// The input of a network whose bias alone counts.
fn nothing() -> Result<Tensor, SolverError> {
    Ok(Tensor::zeros((1, 1), DType::F64, &Device::Cpu)?)
}

/// J with its slope at log α, for an optimizer that asks for no more.
fn linear(log_alpha: Outputs, slope: f64) -> QuadraticModel {
    QuadraticModel::new(slope * log_alpha.values[0], &log_alpha, Root { rows: vec![1.0], rho: vec![slope] })
}

#[cfg(test)]
mod tests {
    use egn_solver::Loss;

    use super::*;
    use crate::recorded::{assert_close, numbers, recorded};

    #[test]
    fn the_temperature_is_that_of_torch() {
        let golden = recorded("temperature");
        let [lr, target_entropy] = ["lr", "target_entropy"].map(|name| golden[name].as_f64().unwrap());
        let mut temperature = Temperature::learned(lr, target_entropy).unwrap();
        let alphas: Vec<f64> = golden["log_probs"]
            .as_array()
            .unwrap()
            .iter()
            .map(|batch| {
                temperature.update(&numbers(batch), StepContext::default()).unwrap();
                temperature.value().unwrap()
            })
            .collect();
        assert_close(&alphas, &numbers(&golden["alphas"]), 1e-12);
    }

    #[test]
    fn the_temperature_falls_while_entropy_is_above_its_target() {
        let mut temperature = Temperature::learned(0.1, -1.0).unwrap();
        assert_eq!(temperature.value().unwrap(), 1.0);
        // log π = −2, so entropy 2 > H̄ = −1: Adam's first step is lr long.
        temperature.update(&[-2.0, -2.0], StepContext::default()).unwrap();
        assert!((temperature.value().unwrap() - libm::exp(-0.1_f64)).abs() < 1e-6);
        let outputs = Outputs { values: vec![0.5], n_outputs: 1 };
        assert_eq!(linear(outputs.clone(), 3.0).value(&outputs), 1.5);
    }
}
