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
//! | θ | parameters, one flat candle tensor | (p) |
//! | J | ∂outputs/∂θ, never stored | (b·c, p) |
//! | r | residual ∂ℓ/∂f | (b, c) |
//! | Q = S Sᵀ | curvature ∂²ℓ/∂f², or the stand-in the loss names | (c, c) a sample |
//! | ρ | S ρ = r | (b·k) |
//! | A, D | a layer's inputs, and its back-propagated rows | (b, n_in), (b·k, n_out) |
//! | λ | damping, in parameter space | |
//!
//! Source: Korbit, Adeoye, Bemporad, Zanon, "Exact Gauss-Newton Optimization for Training Deep
//! Neural Networks", arXiv 2405.14402.

mod activation;
mod adam;
mod adaptive_damping;
pub mod bench_step;
mod cholesky;
mod cholesky_tiles;
mod convolution;
mod dense;
mod direction;
mod dot_products;
mod dueling;
mod egn;
mod error;
mod flat;
mod gram;
mod gram_tiles;
mod initialise;
mod lanes;
mod layer;
mod learner;
mod line_search;
pub mod loss;
mod matmul;
mod matmul_tiles;
mod model;
mod momentum;
mod network;
mod optimizer;
mod pass;
mod problem;
mod products;
mod quadratic_form;
mod real;
mod rms_prop;
mod safetensors;
pub mod schedule;
mod sgd;
mod sgn;
mod standard_normal;
mod state;
pub mod testing;
mod vectors;

pub use activation::Activation;
pub use adam::{Adam, AdamConfig, AdamWConfig};
pub use adaptive_damping::AdaptiveConfig;
pub use cholesky::{Factorization, RowSystem};
pub use convolution::{Convolution, Image, Kernel};
pub use dense::Dense;
pub use direction::{Direction, Form, Solution};
pub use dueling::Dueling;
pub use egn::{Egn, EgnConfig};
pub use error::SolverError;
pub use flat::{read_flat, update_flat};
pub use initialise::Initialisation;
pub use layer::Layer;
pub use learner::{Learner, Precision, Snapshot};
pub use line_search::{LineSearchConfig, Restart, Search};
pub use loss::{Loss, Outputs};
pub use model::Model;
pub use momentum::MomentumForm;
pub use network::Network;
pub use optimizer::{Optimizer, OptimizerConfig, OptimizerName, Rejection, Report, StepContext, require};
pub use pass::Pass;
pub use problem::{Linearization, NetworkProblem, Problem};
pub use products::Products;
pub use quadratic_form::QuadraticForm;
pub use real::Real;
pub use rms_prop::{RmsProp, RmsPropConfig};
pub use schedule::Schedule;
pub use sgd::{Sgd, SgdConfig};
pub use sgn::{Sgn, SgnConfig};
pub use standard_normal::standard_normal;
pub use state::{Digest, Element, State, StateError};
pub use vectors::{UnknownVectors, Vectors};

/// The README's example is a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
