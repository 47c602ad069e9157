//! A network with parameters and the optimizer that trains them: what an agent holds.
//!
//! *Design.* The number type is chosen at run time and ends here: behind a learner everything is
//! generic over f32 and f64, in front of it batches are candle tensors and outputs are f64.

use candle_core::{DType, Device, Tensor};
use rand::RngCore;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    error::SolverError,
    linalg::{flat::to_vec, real::Real},
    loss::loss::{Loss, Outputs},
    network::{initialization::Initialization, model::Model, network::Network, snapshot::Snapshot},
    network_problem::NetworkProblem,
    optimizer::{
        choice::OptimizerConfig,
        optimizer::{Optimizer, Report, StepContext},
    },
    state::{State, StateError},
};

/// Number type of a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// Single precision, the default.
    #[default]
    F32,
    /// Double precision.
    F64,
}

/// A network in training.
pub struct Learner {
    trained: Box<dyn Trained>,
}

impl Learner {
    /// A network with freshly drawn parameters.
    ///
    /// # Errors
    /// When a setting of the optimizer is out of its range, or candle cannot make the tensor.
    pub fn new(
        network: Network,
        initialization: Initialization,
        precision: Precision,
        optimizer: &OptimizerConfig,
        rng: &mut dyn RngCore,
    ) -> Result<Self, SolverError> {
        let params = initialization.draw(&network, rng);
        let dtype = match precision {
            Precision::F32 => DType::F32,
            Precision::F64 => DType::F64,
        };
        let params = Tensor::new(params, &Device::Cpu)?.to_dtype(dtype)?;
        let mut learner = Self::from_params(network, params, optimizer)?;
        learner.trained.seed(rng);
        Ok(learner)
    }

    /// A learner with a copy of the given flat parameters, f32 or f64.
    ///
    /// # Errors
    /// When they are not as many as the network has, a setting of the optimizer is out of its
    /// range, or candle cannot copy the tensor.
    pub fn from_params(network: Network, params: Tensor, optimizer: &OptimizerConfig) -> Result<Self, SolverError> {
        optimizer.validate()?;
        let (expected, found) = (network.n_params(), params.elem_count());
        if found != expected {
            return Err(SolverError::Parameters { network: network.to_string(), expected, found });
        }
        let trained: Box<dyn Trained> = match params.dtype() {
            DType::F64 => Box::new(WithOptimizer::<f64>::new(network, to_vec(&params)?, optimizer)),
            _ => Box::new(WithOptimizer::<f32>::new(network, to_vec(&params)?, optimizer)),
        };
        Ok(Self { trained })
    }

    /// Outputs (b, c) for inputs (b, n_inputs).
    ///
    /// # Errors
    /// When candle cannot read the inputs.
    pub fn forward(&mut self, inputs: &Tensor) -> Result<&Outputs, SolverError> {
        self.trained.forward(inputs)
    }

    /// Evaluates the network at inputs (b, n_inputs); derivatives and a step can then be taken
    /// there without evaluating it again.
    ///
    /// # Errors
    /// When candle cannot read the inputs.
    pub fn evaluate(&mut self, inputs: &Tensor) -> Result<Evaluated<'_>, SolverError> {
        self.trained.forward(inputs)?;
        Ok(Evaluated { trained: &mut *self.trained })
    }

    /// One optimizer step on the loss at inputs (b, n_inputs).
    ///
    /// # Errors
    /// When no step could be taken; the parameters are then unchanged.
    pub fn step(&mut self, inputs: &Tensor, loss: &dyn Loss, context: StepContext<'_>) -> Result<Report, SolverError> {
        self.trained.step(inputs, loss, context)
    }

    /// Sets every free output ([`Network::with_free_outputs`]) to `value`; a new network has zeros.
    pub fn set_free_outputs(&mut self, value: f64) {
        self.trained.set_free_outputs(value);
    }

    /// Goes back towards the parameters θ₀ of a snapshot of this network: θ ← θ₀ + s(θ − θ₀), with
    /// a share s of its own for free outputs.
    ///
    /// # Panics
    /// When the snapshot is of another network.
    pub fn retreat(&mut self, origin: &Snapshot, share: f64, free_share: f64) {
        self.trained.retreat(origin, share, free_share);
    }

    /// All that later steps depend on: parameters and the optimizer's own state.
    pub fn state(&self) -> State {
        self.trained.state_of_training()
    }

    /// Restores the state of a learner with the same network and optimizer.
    ///
    /// # Errors
    /// When it is not such a state.
    pub fn restore(&mut self, state: &State) -> Result<(), StateError> {
        self.trained.restore(state)
    }

    /// A copy of the network as it is now, which later steps do not change.
    pub fn snapshot(&self) -> Snapshot {
        self.trained.snapshot()
    }

    /// `follower` moved towards this network as it is now: equal to [`Snapshot::towards`], without
    /// making a snapshot of the network.
    pub fn pull(&self, follower: &Snapshot, tau: f64) -> Snapshot {
        self.trained.pull(follower, tau)
    }
}

/// A learner at inputs where its network has been evaluated.
///
/// While there is one the parameters stand still; a step ends it.
pub struct Evaluated<'a> {
    trained: &'a mut dyn Trained,
}

impl Evaluated<'_> {
    /// Outputs (b, c).
    pub fn outputs(&self) -> &Outputs {
        self.trained.outputs()
    }

    /// Narrows the inputs to some of their samples, in ascending order.
    ///
    /// # Panics
    /// When the samples are in another order or beyond the last.
    pub fn select(&mut self, samples: &[usize]) {
        self.trained.select(samples);
    }

    /// The derivative by the inputs: row i of the result (b, n_inputs) is Σⱼ uᵢⱼ ∂fᵢⱼ/∂xᵢ for given
    /// `cotangents` u (b, c). With u = 1 and one output it is ∂Q/∂(s, a) of a critic that an actor
    /// climbs.
    ///
    /// # Panics
    /// When the cotangents are not as many as the outputs.
    pub fn input_gradient(&mut self, cotangents: &[f64]) -> Vec<f64> {
        self.trained.input_gradient(cotangents)
    }

    /// Takes one optimizer step on the loss at the evaluated inputs.
    ///
    /// # Errors
    /// When no step could be taken; the parameters are then unchanged.
    pub fn step(self, loss: &dyn Loss, context: StepContext<'_>) -> Result<Report, SolverError> {
        self.trained.step_here(loss, context)
    }
}

/// A learner whose number type is forgotten.
trait Trained: Send {
    fn forward(&mut self, inputs: &Tensor) -> Result<&Outputs, SolverError>;
    fn step(&mut self, inputs: &Tensor, loss: &dyn Loss, context: StepContext<'_>) -> Result<Report, SolverError>;
    /// Takes one optimizer step at the inputs and parameters of the last `forward`.
    fn step_here(&mut self, loss: &dyn Loss, context: StepContext<'_>) -> Result<Report, SolverError>;
    fn outputs(&self) -> &Outputs;
    fn select(&mut self, samples: &[usize]);
    fn input_gradient(&mut self, cotangents: &[f64]) -> Vec<f64>;
    fn seed(&mut self, rng: &mut dyn RngCore);
    fn set_free_outputs(&mut self, value: f64);
    fn retreat(&mut self, origin: &Snapshot, share: f64, free_share: f64);
    fn snapshot(&self) -> Snapshot;
    fn pull(&self, follower: &Snapshot, tau: f64) -> Snapshot;
    fn state_of_training(&self) -> State;
    fn restore(&mut self, state: &State) -> Result<(), StateError>;
}

struct WithOptimizer<T> {
    model: Model<T>,
    optimizer: Box<dyn Optimizer<T>>,
}

impl<T: Real> WithOptimizer<T> {
    fn new(network: Network, params: Vec<T>, optimizer: &OptimizerConfig) -> Self {
        Self { model: Model::new(network, params), optimizer: optimizer.build() }
    }
}

impl<T: Real> Trained for WithOptimizer<T> {
    fn forward(&mut self, inputs: &Tensor) -> Result<&Outputs, SolverError> {
        self.model.load(inputs)?;
        Ok(self.model.forward())
    }

    fn step(&mut self, inputs: &Tensor, loss: &dyn Loss, context: StepContext<'_>) -> Result<Report, SolverError> {
        self.model.load(inputs)?;
        self.optimizer.step(&mut NetworkProblem::new(&mut self.model, loss), context)
    }

    fn step_here(&mut self, loss: &dyn Loss, context: StepContext<'_>) -> Result<Report, SolverError> {
        self.optimizer.step(&mut NetworkProblem::evaluated(&mut self.model, loss), context)
    }

    fn outputs(&self) -> &Outputs {
        &self.model.outputs
    }

    fn select(&mut self, samples: &[usize]) {
        self.model.select(samples);
    }

    fn input_gradient(&mut self, cotangents: &[f64]) -> Vec<f64> {
        self.model.input_gradient(cotangents)
    }

    fn seed(&mut self, rng: &mut dyn RngCore) {
        self.optimizer.seed(rng);
    }

    fn set_free_outputs(&mut self, value: f64) {
        let free = self.model.network.free_outputs();
        self.model.params[free].fill(T::of(value));
    }

    fn retreat(&mut self, origin: &Snapshot, share: f64, free_share: f64) {
        let Model { network, params, .. } = &mut self.model;
        assert_eq!(origin.network(), network, "networks to go back between");
        let (free, origin) = (network.free_outputs(), T::of_params(origin.params()));
        for (i, (x, &from)) in params.iter_mut().zip(origin).enumerate() {
            let share = if free.contains(&i) { free_share } else { share };
            // Exactly where it was, or where it is.
            *x = match share {
                0.0 => from,
                1.0 => *x,
                _ => from + T::of(share) * (*x - from),
            };
        }
    }

    fn snapshot(&self) -> Snapshot {
        Snapshot::of(self.model.network.clone(), T::hold(self.model.params.clone()))
    }

    fn pull(&self, follower: &Snapshot, tau: f64) -> Snapshot {
        assert_eq!(follower.network(), &self.model.network, "networks to be blended");
        follower.pulled(&self.model.params, tau)
    }

    fn state_of_training(&self) -> State {
        let mut state = State::default();
        state.put("params", &self.model.params);
        state.put_part("optimizer", self.optimizer.state());
        state
    }

    fn restore(&mut self, state: &State) -> Result<(), StateError> {
        let n_params = self.model.params.len();
        let params = state.get_all::<T>("params", n_params)?;
        self.optimizer.restore(&state.part("optimizer"), n_params)?;
        self.model.params = params;
        Ok(())
    }
}
