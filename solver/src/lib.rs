//! Exact Gauss-Newton (EGN) and first-order optimizers behind one trait.
//!
//! A [`Network`] is an architecture; a [`Learner`] is a network with parameters and the optimizer
//! that trains them. A [`Loss`] turns the network's outputs into a value, a residual and a square
//! root of its curvature, and that is all an optimizer ever sees of the task. This crate has never
//! heard of rewards.
//!
//! # The step
//!
//! For a batch of b samples with loss L = (1/b) Σ ℓᵢ(fᵢ), the damped Gauss-Newton step is
//! d = −(H + λI)⁻¹ g with g = Jᵀr / b and H = JᵀQJ / b. With Q = S Sᵀ and r = S ρ, the push-through
//! identity gives the same step from a symmetric positive definite system with as many rows as the
//! batch has (k per sample), whatever the number of parameters:
//!
//! ```text
//! (Sᵀ K S + b λ I) v = ρ,     K = J Jᵀ,     d = −Jᵀ S v
//! ```
//!
//! # Symbols
//!
//! | letter | meaning | shape |
//! |---|---|---|
//! | b, c, k | samples, outputs per sample, rows per sample | |
//! | p | parameters | |
//! | θ | parameters, one flat slice | (p) |
//! | J | ∂outputs/∂θ, never stored | (b·c, p) |
//! | r | residual ∂ℓ/∂f | (b, c) |
//! | Q = S Sᵀ | curvature ∂²ℓ/∂f², or the stand-in the loss names | (c, c) a sample |
//! | ρ | S ρ = r | (b·k) |
//! | γ, β | scale and shift of a normalization | (n), (n) |
//! | A, D | a layer's inputs, and its back-propagated rows | (b, n_in), (b·k, n_out) |
//! | λ | damping, in parameter space | |
//!
//! Source: Korbit, Adeoye, Bemporad, Zanon, "Exact Gauss-Newton Optimization for Training Deep
//! Neural Networks", arXiv 2405.14402.

pub mod bench_step;
mod digest;
mod error;
mod learner;
mod linalg;
pub mod loss;
mod network;
mod network_problem;
mod optimizer;
mod over_default;
mod setting;
mod split_mix;
mod standard_normal;
mod state;
pub mod testing;

pub use digest::Digest;
pub use error::SolverError;
pub use learner::{Evaluated, Learner, Precision};
pub use linalg::{
    cholesky::{Factorization, RowSystem},
    gram_tiles::GramPanels,
    params::Block,
    real::Real,
    vectors::{UnknownVectors, Vectors},
};
pub use loss::{Loss, Outputs};
pub use network::{
    activation::Activation,
    convolution::{Convolution, Image, Kernel},
    dense::Dense,
    dueling::Dueling,
    hidden::Hidden,
    initialization::Initialization,
    layer::Layer,
    layer_norm::LayerNorm,
    model::Model,
    network::{Inputs, Network},
    pass::Pass,
    products::Products,
    quadratic_form::QuadraticForm,
    skip::Skip,
    snapshot::Snapshot,
};
pub use network_problem::NetworkProblem;
pub use optimizer::{
    choice::{OptimizerConfig, OptimizerName},
    first_order::{
        adam::{Adam, AdamConfig, AdamWConfig},
        kron::{Kron, KronConfig},
        lion::{Lion, LionConfig},
        muon::{Muon, MuonConfig},
        rms_prop::{RmsProp, RmsPropConfig},
        schedule_free::{ScheduleFree, ScheduleFreeConfig},
        sgd::{Sgd, SgdConfig},
        soap::{Soap, SoapConfig},
    },
    gauss_newton::{
        adaptive_damping::AdaptiveConfig,
        data_damping::DampingRule,
        direction::{Direction, Form, Measures, Solution},
        egn::{Egn, EgnConfig},
        fit::Fit,
        line_search::{LineSearchConfig, Restart, Search},
        momentum::MomentumForm,
        sgn::{Sgn, SgnConfig},
    },
    optimizer::{Optimizer, Rejection, Report, StepContext},
    problem::{Linearized, Problem},
    schedule::{self, Schedule},
    settings::{BuildOptimizer, OptimizerSettings},
};
pub use over_default::over_default;
pub use setting::{SettingError, require};
pub use standard_normal::standard_normal;
pub use state::{Element, State, StateError};

/// The README's example is a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
