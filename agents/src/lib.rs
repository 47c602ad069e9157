//! Agents: one algorithm, one file, each able to learn with every optimizer of `egn-solver`.
//!
//! | file | algorithm |
//! |---|---|
//! | [`dqn`] | deep Q-networks: double, dueling, n steps, target network, uniform or prioritized replay |
//! | [`c51`] | categorical DQN: a distribution over N atoms of return, N − 1 rows a sample |
//! | [`qrdqn`] | DQN with quantile regression: N rows a sample |
//! | [`ddpg`], [`td3`] | deterministic policy gradient: one critic, or twins |
//! | [`sac`] | soft actor-critic: twin critics, a temperature |
//! | [`ppo`] | proximal policy optimization; with EGN, a damped natural policy gradient |
//! | [`a2c`] | advantage actor-critic |
//! | [`trpo`] | trust-region policy optimization: EGN keeps the constraint, others pay a penalty |
//! | [`reinforce`] | Monte-Carlo policy gradient with a learned baseline |
//! | [`lqr_pi`] | policy iteration for linear-quadratic problems, with a quadratic Q-function |
//!
//! An [`Agent`] learns from a [`Rollout`] and hands out an immutable [`Policy`] that acts on any
//! thread. It does not know who steps the environments. [`NormalizedAgent`] brings what an agent
//! sees and is paid to unit scale. [`returns`], [`distribution`], [`actor_critic`] and [`replay`]
//! hold what several algorithms share.

mod agent;
mod algorithms;
mod choice;
mod context;
mod error;
mod experience;
mod networks;
mod normalize;
mod normalized_agent;
mod policies;
#[cfg(test)]
mod recorded;
mod settings;
mod streams;
mod trained;

pub use agent::{Agent, Learned, Update};
pub use algorithms::*;
pub use choice::{AgentConfig, AgentName};
pub use context::{AgentContext, Clock, Spaces, Workload};
pub use error::AgentError;
pub use experience::{actions::Actions, replay, returns, rollout::Rollout};
pub use networks::{
    actor_critic,
    body::{Body, Convolutions},
    distribution,
    layers::{LayerSettings, Normalization},
};
pub use normalize::{
    normalizer::{Normalizer, ObservationNormalizer, RewardNormalizer},
    running_moments::RunningMoments,
};
pub use normalized_agent::{NormalizedAgent, networks_of};
pub use policies::{
    action_noise::{ActionNoise, NoiseKind},
    action_range::ActionRange,
    actor_plan::ActorPlan,
    actor_state::ActorState,
    categorical::CategoricalPolicy,
    deterministic::DeterministicPolicy,
    epsilon_greedy::EpsilonGreedyPolicy,
    gaussian::GaussianPolicy,
    greedy_rule::{ActionValues, GreedyRule},
    policy::{Mode, Policy},
    squashed_gaussian::SquashedGaussianPolicy,
};
pub use settings::{
    agent_settings::AgentSettings, on_policy::OnPolicySettings, q_learning::QLearningSettings, replay::ReplaySettings,
};
pub use streams::{Purpose, Stream, position, seek, stream};
pub use trained::TrainedPolicy;
