//! Agents: one algorithm, one file, each able to learn with every optimizer of `egn-solver`.
//!
//! | file | algorithm |
//! |---|---|
//! | [`dqn`] | deep Q-networks: double, target network, uniform or prioritised replay |
//! | [`ppo`] | proximal policy optimization; with EGN, a damped natural policy gradient |
//!
//! An [`Agent`] learns from a [`Rollout`] and hands out an immutable [`Policy`] that acts on any
//! thread. It does not know who steps the environments. [`returns`] and [`replay`] hold what
//! several algorithms share.

mod agent;
mod choice;
pub mod dqn;
mod policy;
pub mod ppo;
pub mod replay;
pub mod returns;
mod rollout;
mod streams;
mod sum_tree;

pub use agent::{Agent, AgentError, Clock, Demand, Learned, Setting, Update};
pub use choice::{AgentConfig, AgentName};
pub use policy::{CategoricalPolicy, EpsilonGreedyPolicy, Mode, Policy};
pub use rollout::{Actions, Rollout};
pub use streams::{Purpose, Stream, position, seek, stream};
