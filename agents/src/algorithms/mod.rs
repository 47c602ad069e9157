//! The algorithms, one file each: how an agent learns from experience.

pub mod a2c;
pub mod c51;
pub mod ddpg;
pub mod dqn;
pub mod lqr_pi;
pub mod ppo;
pub mod qrdqn;
pub mod reinforce;
pub mod sac;
pub mod td3;
pub mod trpo;
