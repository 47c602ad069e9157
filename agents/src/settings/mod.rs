//! What settings say of their algorithms, and settings that several algorithms ask for.

pub mod agent_settings;
pub mod on_policy;
pub mod q_learning;
pub mod replay;
