//! Reinforcement-learning environments equal to Gymnasium's, step by step.
//!
//! An environment implements [`Env`]: it resets, it steps, and it writes each observation into a
//! buffer that the caller owns. [`EnvId`] names every environment of the crate:
//!
//! ```
//! use egn_envs::{Action, EnvId, Pcg64};
//!
//! let mut env = "CartPole-v1".parse::<EnvId>()?.make()?;
//! let mut rng = Pcg64::seed_from(42); // as Gymnasium's `env.reset(seed=42)`
//! let mut observation = vec![0.0; env.observation_space().len()];
//! env.reset(&mut rng, &mut observation)?;
//! let step = env.step(Action::Discrete(1), &mut rng, &mut observation)?;
//! assert_eq!(step.reward, 1.0);
//! # Ok::<(), egn_envs::EnvError>(())
//! ```
//!
//! # Design
//!
//! Environments hold no random generator: every draw comes from the `rng` argument. A trajectory is
//! therefore a function of (initial generator, actions), which is what lets a trainer give each
//! environment a stream of its own, whatever thread runs it. With [`Pcg64::seed_from`] in that
//! argument the first state is bit for bit that of Gymnasium's `reset(seed=…)`.
//!
//! Two flags end an episode and they are different things: `terminated` (the task ended; there is
//! no future value) and `truncated` (somebody stopped watching; the future is worth what it is
//! worth). [`Step::outcome`] folds them into one [`Outcome`].

#![warn(missing_docs)]

pub mod acrobot;
pub mod cart_pole;
pub mod env;
pub mod episode;
pub mod episode_statistics;
pub mod error;
pub mod frame;
#[cfg(unix)]
pub mod gymnasium;
#[cfg(feature = "gymnasium-rs")]
pub mod gymnasium_rs;
pub mod lqr;
pub mod minatar;
pub mod mountain_car;
pub mod mountain_car_continuous;
pub mod normalize;
pub mod numpy_random;
pub mod pendulum;
pub mod random_state;
pub mod registry;
pub mod rescale_action;
pub mod running_moments;
mod settings;
pub mod spaces;
pub mod testing;
pub mod time_limit;

pub use acrobot::Acrobot;
pub use cart_pole::CartPole;
pub use env::{Action, Env, Outcome, Step};
pub use episode_statistics::EpisodeStatistics;
pub use error::EnvError;
pub use frame::Frame;
pub use lqr::{Lqr, LqrId, LqrProblem};
pub use minatar::MinAtar;
pub use mountain_car::MountainCar;
pub use mountain_car_continuous::MountainCarContinuous;
pub use numpy_random::Pcg64;
pub use pendulum::Pendulum;
pub use registry::{EnvId, EnvSpec};
pub use rescale_action::RescaleAction;
pub use spaces::Space;
pub use time_limit::TimeLimit;
