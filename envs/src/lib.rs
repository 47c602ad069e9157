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

pub mod action;
pub mod classic_control;
pub mod env;
pub mod episode;
pub mod error;
pub mod frame;
#[cfg(unix)]
pub mod gymnasium;
#[cfg(feature = "gymnasium-rs")]
pub mod gymnasium_rs;
pub mod lqr;
pub mod minatar;
pub mod mujoco;
pub mod numpy;
mod python;
mod registration;
pub mod registry;
pub mod setting_value;
mod settings;
pub mod space;
pub mod testing;
pub mod toy_text;
pub mod wrappers;

pub use action::Action;
pub use classic_control::{
    acrobot::Acrobot, cart_pole::CartPole, mountain_car::MountainCar, mountain_car_continuous::MountainCarContinuous,
    pendulum::Pendulum,
};
pub use env::{Env, Outcome, Step};
pub use error::EnvError;
pub use frame::Frame;
pub use lqr::{Lqr, id::LqrId, problem::LqrProblem};
pub use minatar::MinAtar;
pub use mujoco::{Mujoco, MujocoError, MujocoTask};
pub use numpy::pcg64::Pcg64;
pub use registry::{EnvId, EnvSpec};
pub use setting_value::SettingValue;
pub use space::Space;
pub use toy_text::frozen_lake::FrozenLake;
pub use wrappers::{episode_statistics::EpisodeStatistics, rescale_action::RescaleAction, time_limit::TimeLimit};
