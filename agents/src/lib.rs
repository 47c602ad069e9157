//! Agents: one algorithm, one file, each able to learn with every optimizer of `egn-solver`.
//!
//! | file | algorithm |
//! |---|---|
//! | [`dqn`] | deep Q-networks: double, dueling, n steps, target network, uniform or prioritised replay |
//! | [`qrdqn`] | the same with quantile regression: N rows a sample |
//! | [`ddpg`], [`td3`] | deterministic policy gradient: one critic, or twins |
//! | [`sac`] | soft actor-critic: twin critics, a temperature |
//! | [`ppo`] | proximal policy optimization; with EGN, a damped natural policy gradient |
//! | [`a2c`] | advantage actor-critic |
//! | [`trpo`] | trust-region policy optimization: EGN keeps the constraint, others pay a penalty |
//! | [`reinforce`] | Monte-Carlo policy gradient with a learned baseline |
//! | [`lqr_pi`] | policy iteration for linear-quadratic problems, with a quadratic Q-function |
//!
//! An [`Agent`] learns from a [`Rollout`] and hands out an immutable [`Policy`] that acts on any
//! thread. It does not know who steps the environments. [`NormalizedAgent`] brings what an agent sees and
//! is paid to unit scale. [`returns`], [`distribution`],
//! [`actor_critic`] and [`replay`] hold what several algorithms share.

pub mod a2c;
mod action_noise;
mod action_range;
pub mod actor_critic;
mod agent;
mod body;
mod choice;
mod clipped_value;
mod critics;
pub mod ddpg;
mod deterministic_policy;
pub mod distribution;
pub mod dqn;
mod greedy;
pub mod lqr_pi;
mod normalized;
mod policy;
pub mod ppo;
pub mod qrdqn;
#[cfg(test)]
mod recorded;
pub mod reinforce;
pub mod replay;
pub mod returns;
mod rollout;
pub mod sac;
mod squashed_gaussian;
mod streams;
mod sum_tree;
mod target;
pub mod td3;
mod trained_policy;
pub mod trpo;

pub use action_noise::{ActionNoise, NoiseKind};
pub use action_range::ActionRange;
pub use agent::{Agent, AgentError, Clock, Demand, Learned, Setting, Update};
pub use body::{Body, Convolutions};
pub use choice::{AgentConfig, AgentName};
pub use deterministic_policy::DeterministicPolicy;
pub use greedy::GreedyRule;
pub use normalized::{NormalizedAgent, networks_of};
pub use policy::{CategoricalPolicy, EpsilonGreedyPolicy, GaussianPolicy, Mode, Policy};
pub use rollout::{Actions, Rollout};
pub use squashed_gaussian::SquashedGaussianPolicy;
pub use streams::{Purpose, Stream, position, seek, stream};
pub use trained_policy::{TrainedPolicy, normalizer_state, restore_normalizer};
