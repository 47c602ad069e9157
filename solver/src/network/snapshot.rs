//! A network frozen at some moment.

use candle_core::{DType, Device, Tensor};

use crate::{
    error::SolverError,
    linalg::{
        flat::{read_flat, update_flat},
        real::Real,
        vectors::vectorized,
    },
    loss::loss::Outputs,
    network::{model::Model, network::Network},
    state::{State, StateError},
};

/// A network frozen at some moment; cheap to share between threads.
#[derive(Debug, Clone)]
pub struct Snapshot {
    network: Network,
    params: Tensor,
}

impl Snapshot {
    /// The parameters, to be restored into a network of the same architecture.
    pub fn state(&self) -> State {
        let mut state = State::default();
        match self.params.dtype() {
            DType::F64 => read_flat::<f64, _>(&self.params, |theta| state.put("params", theta)),
            _ => read_flat::<f32, _>(&self.params, |theta| state.put("params", theta)),
        }
        state
    }

    /// This network with the parameters of a state.
    ///
    /// # Errors
    /// When the state is of another network or number type.
    pub fn restored(&self, state: &State) -> Result<Self, StateError> {
        let n = self.params.elem_count();
        let tensor = match self.params.dtype() {
            DType::F64 => Tensor::new(state.get_all::<f64>("params", n)?, &Device::Cpu),
            _ => Tensor::new(state.get_all::<f32>("params", n)?, &Device::Cpu),
        };
        let params = tensor.map_err(|error| StateError::Bytes { message: error.to_string() })?;
        Ok(Self { network: self.network.clone(), params })
    }

    /// A network with the given flat parameters (p), f32 or f64.
    ///
    /// # Panics
    /// When the number of parameters is not the network's.
    pub fn new(network: Network, params: Tensor) -> Self {
        assert_eq!(params.elem_count(), network.n_params(), "parameters of {network}");
        Self { network, params }
    }

    /// The architecture.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// The flat parameters, (p).
    pub fn params(&self) -> &Tensor {
        &self.params
    }

    /// (1 − τ) times this network's parameters plus τ times those of `other`, which has the same
    /// architecture: a target that follows.
    ///
    /// # Errors
    /// When candle cannot copy the parameters.
    pub fn towards(&self, other: &Self, tau: f64) -> Result<Self, SolverError> {
        assert_eq!(self.network, other.network, "networks to be blended");
        let params = other.params.copy()?;
        if tau < 1.0 {
            match params.dtype() {
                DType::F64 => blend::<f64>(&params, &self.params, tau),
                _ => blend::<f32>(&params, &self.params, tau),
            }
        }
        Ok(Self { network: self.network.clone(), params })
    }

    /// Outputs (b, c) for inputs (b, n_inputs).
    ///
    /// # Errors
    /// When candle cannot read the inputs.
    pub fn predict(&self, inputs: &Tensor) -> Result<Outputs, SolverError> {
        fn run<T: Real>(snapshot: &Snapshot, inputs: &Tensor) -> Result<Outputs, SolverError> {
            let mut model = Model::<T>::new(snapshot.network.clone(), snapshot.params.clone());
            model.load(inputs)?;
            Ok(model.forward().clone())
        }
        match self.params.dtype() {
            DType::F64 => run::<f64>(self, inputs),
            _ => run::<f32>(self, inputs),
        }
    }
}

/// θ ← τ θ + (1 − τ) `with`. On slices: candle's own sums keep a pool of threads spinning, which
/// cost a third of a soft actor-critic's time.
fn blend<T: Real>(params: &Tensor, with: &Tensor, tau: f64) {
    let (new, old) = (T::of(tau), T::of(1.0 - tau));
    read_flat::<T, _>(with, |with| {
        update_flat::<T, _>(params, |theta| {
            vectorized(
                #[inline(always)]
                || theta.iter_mut().zip(with).for_each(|(x, &y)| *x = old * y + new * *x),
            );
        });
    });
}
