//! Critics of continuous actions: Q(s, a) networks that learn the same targets, each with a target
//! network.
//!
//! Every critic has one output and squared error, so one row a sample. The least of several stands
//! against overestimation.
//!
//! Source: Fujimoto, van Hoof, Meger (2018), arXiv 1802.09477, section 4.2.

use candle_core::{Device, Tensor};
use egn_solver::{Evaluated, Initialization, Learner, RowSystem, SolverError, State, StateError, loss::SquaredError};
use rand::RngCore;

use crate::{
    agent::Update,
    context::{AgentContext, Clock},
    networks::{body::Body, target_network::TargetNetwork},
};

/// Networks by place, for the record.
const NAMES: [&str; 2] = ["critic", "critic_2"];

/// A target network's name in checkpoints: this before its critic's.
const TARGET: &str = "delayed_";

/// One or two critics.
pub(crate) struct Critics {
    online: Vec<Learner>,
    targets: Vec<TargetNetwork>,
    /// Storage of the solves of all critics, and of the actor that climbs them.
    pub storage: RowSystem,
}

/// Values of actions, and how they change with the actions.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CriticValues {
    /// Q of every sample, (b).
    pub values: Vec<f64>,
    /// ∂Q/∂a, (b, n), actions in [−1, 1]ⁿ.
    pub slopes: Vec<f64>,
}

/// Inputs of critics, (b, observation + n), from observations (b, observation) and actions (b, n).
pub(crate) fn pairs(
    observations: &[f32],
    actions: impl Iterator<Item = f64>,
    n: usize,
    width: usize,
) -> Result<Tensor, SolverError> {
    let batch = observations.len() / width;
    let mut rows = Vec::with_capacity(batch * (width + n));
    let mut actions = actions;
    for observation in observations.chunks_exact(width) {
        rows.extend_from_slice(observation);
        rows.extend(actions.by_ref().take(n).map(|a| a as f32));
    }
    Ok(Tensor::from_vec(rows, (batch, width + n), &Device::Cpu)?)
}

impl Critics {
    /// Makes `n_critics` critics, 1 or 2, for the spaces of a run.
    ///
    /// # Errors
    /// When a network cannot be made.
    pub fn new(
        context: &AgentContext,
        n_critics: usize,
        body: Body<'_>,
        tau: f64,
        rng: &mut dyn RngCore,
    ) -> Result<Self, SolverError> {
        let n_inputs = context.observation_space.len() + context.action_space.len();
        let (mut online, mut targets) = (Vec::new(), Vec::new());
        for _ in 0..n_critics {
            let network = body.network(n_inputs, 1);
            let optimizer = &context.critic_optimizer;
            let learner = Learner::new(network, Initialization::Uniform, context.precision, optimizer, rng)?;
            targets.push(TargetNetwork::new(learner.snapshot(), tau));
            online.push(learner);
        }
        Ok(Self { online, targets, storage: RowSystem::default() })
    }

    /// The state of all networks, for [`Critics::restore`].
    pub fn state(&self) -> State {
        let mut state = State::default();
        for ((online, target), name) in self.online.iter().zip(&self.targets).zip(NAMES) {
            state.put_part(name, online.state());
            state.put_part(&format!("{TARGET}{name}"), target.state());
        }
        state
    }

    /// Restores all networks.
    ///
    /// # Errors
    /// When the state is of other networks.
    pub fn restore(&mut self, state: &State) -> Result<(), StateError> {
        for ((online, target), name) in self.online.iter_mut().zip(&mut self.targets).zip(NAMES) {
            online.restore(&state.part(name))?;
            target.restore(&state.part(&format!("{TARGET}{name}")))?;
        }
        Ok(())
    }

    /// The least of the target critics at `pairs`, (b).
    ///
    /// # Errors
    /// When candle cannot read the inputs.
    pub fn target_values(&self, pairs: &Tensor) -> Result<Vec<f64>, SolverError> {
        let mut least = Vec::new();
        for critic in &self.targets {
            let values = critic.network().predict(pairs)?.values;
            least = if least.is_empty() { values } else { minimum(&least, &values) };
        }
        Ok(least)
    }

    /// One step of every critic towards targets y (b).
    pub fn learn(&mut self, pairs: &Tensor, targets: &[f64], clock: Clock, first: bool) -> Vec<Update> {
        let loss = SquaredError { targets };
        let step = |(critic, network): (&mut Learner, &'static str)| Update {
            network,
            result: critic.step(pairs, &loss, clock.context(first).lending(&mut self.storage)),
        };
        self.online.iter_mut().zip(NAMES).map(step).collect()
    }

    /// Moves the target networks by one update.
    pub fn follow(&mut self) {
        self.targets.iter_mut().zip(&self.online).for_each(|(target, online)| target.update(online));
    }

    /// The least of the first `n_critics` critics at `pairs`, and its derivative by the action, the
    /// last `n` entries of each pair.
    ///
    /// # Errors
    /// When candle cannot read the inputs.
    pub fn values_and_slopes(
        &mut self,
        pairs: &Tensor,
        n: usize,
        n_critics: usize,
    ) -> Result<CriticValues, SolverError> {
        let critics = self.online[..n_critics].iter_mut().map(|critic| critic.evaluate(pairs));
        let critics: Vec<Evaluated<'_>> = critics.collect::<Result<_, SolverError>>()?;
        let all: Vec<Vec<f64>> = critics.iter().map(|critic| critic.outputs().values.clone()).collect();
        let values = all.iter().skip(1).fold(all[0].clone(), |least, values| minimum(&least, values));
        let mut slopes = vec![0.0; values.len() * n];
        let (mut is_open, width) = (vec![true; values.len()], pairs.dim(1)?);
        for (mut critic, own) in critics.into_iter().zip(&all) {
            // Where two critics agree the first one counts.
            let chosen: Vec<usize> = (0..values.len()).filter(|&i| is_open[i] && own[i] <= values[i]).collect();
            chosen.iter().for_each(|&i| is_open[i] = false);
            critic.select(&chosen);
            let gradient = critic.input_gradient(&vec![1.0; chosen.len()]);
            for (&i, row) in chosen.iter().zip(gradient.chunks_exact(width)) {
                slopes[i * n..][..n].copy_from_slice(&row[width - n..]);
            }
        }
        Ok(CriticValues { values, slopes })
    }
}

fn minimum(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a.min(*b)).collect()
}

/// Mean of the absolute values; 1 where all are zero, so that it can divide.
pub(crate) fn mean_size(values: &[f64]) -> f64 {
    let mean = values.iter().map(|x| x.abs()).sum::<f64>() / values.len() as f64;
    if mean == 0.0 { 1.0 } else { mean }
}

#[cfg(test)]
mod tests {
    use egn_envs::Space;
    use egn_solver::{Activation, OptimizerName, Precision};

    use super::*;
    use crate::{
        networks::layers::LayerSettings,
        streams::{Purpose, stream},
    };

    #[test]
    fn slopes_are_those_of_the_least_critic() {
        let context = AgentContext {
            observation_space: Space::symmetric(vec![1.0; 2]),
            action_space: Space::symmetric(vec![1.0; 2]),
            total_steps: 1,
            seed: 3,
            precision: Precision::F64,
            optimizer: OptimizerName::Adam.into(),
            critic_optimizer: OptimizerName::Adam.into(),
        };
        let (activation, layers) = (Activation::Relu, LayerSettings::default());
        let body = Body { convolutions: None, hidden: &[16], activation, layers };
        let mut critics = Critics::new(&context, 2, body, 0.5, &mut stream(3, Purpose::Initialization, 0)).unwrap();
        let observations = [0.1, -0.4, 0.7, 0.2, -0.9, 0.5, 0.3, 0.3];
        let actions = [0.5, -0.25, 0.125, 0.75, -0.5, 0.25, 0.0, -0.625];
        let at = |actions: &[f64]| pairs(&observations, actions.iter().copied(), 2, 2).unwrap();
        let q = critics.values_and_slopes(&at(&actions), 2, 2).unwrap();
        assert_eq!(q.values, critics.target_values(&at(&actions)).unwrap());
        // Inputs are f32, so differences are wide.
        let step = 2.0_f64.powi(-10);
        for entry in 0..actions.len() {
            let mut value = |by: f64| {
                let mut actions = actions;
                actions[entry] += by;
                critics.values_and_slopes(&at(&actions), 2, 2).unwrap().values[entry / 2]
            };
            let difference = (value(step) - value(-step)) / (2.0 * step);
            assert!((q.slopes[entry] - difference).abs() < 1e-6, "{entry}: {difference}");
        }
    }
}
