//! A network frozen at some moment.

use candle_core::{DType, Device, Tensor};

use crate::{
    error::SolverError,
    linalg::{flat::to_vec, params::Params, real::Real, vectors::vectorized},
    loss::loss::Outputs,
    network::{network::Network, pass::Pass},
    state::{State, StateError},
};

/// A network frozen at some moment; cheap to share between threads.
#[derive(Debug, Clone)]
pub struct Snapshot {
    network: Network,
    params: Params,
}

impl Snapshot {
    /// A snapshot with a copy of the given flat parameters (p), f32 or f64.
    ///
    /// # Errors
    /// When candle cannot read the tensor.
    ///
    /// # Panics
    /// When the number of parameters is not the network's.
    pub fn new(network: Network, params: &Tensor) -> Result<Self, SolverError> {
        let params = match params.dtype() {
            DType::F64 => Params::F64(to_vec(params)?.into()),
            _ => Params::F32(to_vec(params)?.into()),
        };
        Ok(Self::of(network, params))
    }

    /// A snapshot with parameters that are known to fit the network.
    pub(crate) fn of(network: Network, params: Params) -> Self {
        let n_params = match &params {
            Params::F32(theta) => theta.len(),
            Params::F64(theta) => theta.len(),
        };
        assert_eq!(n_params, network.n_params(), "parameters of {network}");
        Self { network, params }
    }

    /// The architecture of the network.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// The flat parameters (p) in their own number type.
    pub(crate) fn params(&self) -> &Params {
        &self.params
    }

    /// The flat parameters (p) as a tensor, for programs that work with candle.
    ///
    /// # Errors
    /// When candle cannot make the tensor.
    pub fn to_tensor(&self) -> Result<Tensor, SolverError> {
        Ok(match &self.params {
            Params::F32(theta) => Tensor::from_slice(theta, theta.len(), &Device::Cpu)?,
            Params::F64(theta) => Tensor::from_slice(theta, theta.len(), &Device::Cpu)?,
        })
    }

    /// The flat parameters (p) as f64.
    pub fn parameters(&self) -> Vec<f64> {
        match &self.params {
            Params::F32(theta) => theta.iter().map(|&x| f64::from(x)).collect(),
            Params::F64(theta) => theta.to_vec(),
        }
    }

    /// The parameters, to be restored into a network of the same architecture.
    pub fn state(&self) -> State {
        let mut state = State::default();
        match &self.params {
            Params::F32(theta) => state.put("params", theta),
            Params::F64(theta) => state.put("params", theta),
        }
        state
    }

    /// This network with the parameters of a state.
    ///
    /// # Errors
    /// When the state is of another network or number type.
    pub fn restored(&self, state: &State) -> Result<Self, StateError> {
        let params = match &self.params {
            Params::F32(theta) => Params::F32(state.get_all("params", theta.len())?.into()),
            Params::F64(theta) => Params::F64(state.get_all("params", theta.len())?.into()),
        };
        Ok(Self { network: self.network.clone(), params })
    }

    /// (1 − τ) times this network's parameters plus τ times those of `other`, which has the same
    /// architecture and number type: one update of a target network.
    pub fn towards(&self, other: &Self, tau: f64) -> Self {
        assert_eq!(self.network, other.network, "networks to be blended");
        match &other.params {
            Params::F32(theta) => self.pulled(theta, tau),
            Params::F64(theta) => self.pulled(theta, tau),
        }
    }

    /// (1 − τ) times this network's parameters plus τ times `theta` (p).
    pub(crate) fn pulled<T: Real>(&self, theta: &[T], tau: f64) -> Self {
        let mut params = theta.to_vec();
        if tau < 1.0 {
            blend(&mut params, T::of_params(&self.params), tau);
        }
        Self { network: self.network.clone(), params: T::hold(params) }
    }

    /// Outputs (b, c) for inputs (b, n_inputs).
    ///
    /// # Errors
    /// When candle cannot read the inputs.
    pub fn predict(&self, inputs: &Tensor) -> Result<Outputs, SolverError> {
        match &self.params {
            Params::F32(theta) => outputs(&self.network, theta, inputs),
            Params::F64(theta) => outputs(&self.network, theta, inputs),
        }
    }
}

fn outputs<T: Real>(network: &Network, theta: &[T], inputs: &Tensor) -> Result<Outputs, SolverError> {
    let mut pass = Pass::new();
    pass.load(network, inputs)?;
    let values = pass.forward(network, theta).iter().map(|x| x.to_f64()).collect();
    Ok(Outputs { values, n_outputs: network.n_outputs() })
}

/// θ ← τ θ + (1 − τ) `with`. On slices: candle's own sums keep a pool of threads spinning, which
/// cost a third of a soft actor-critic's time.
fn blend<T: Real>(theta: &mut [T], with: &[T], tau: f64) {
    let (new, old) = (T::of(tau), T::of(1.0 - tau));
    vectorized(
        #[inline(always)]
        || theta.iter_mut().zip(with).for_each(|(x, &y)| *x = old * y + new * *x),
    );
}
