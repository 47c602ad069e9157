//! The names of agents.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// An agent's textbook name, as on the command line and in files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AgentName {
    /// Deep Q-networks.
    Dqn,
    /// Categorical deep Q-networks.
    C51,
    /// Deep Q-networks with quantile regression.
    QrDqn,
    /// Deep deterministic policy gradient.
    Ddpg,
    /// Twin delayed deep deterministic policy gradient.
    Td3,
    /// Soft actor-critic.
    Sac,
    /// Proximal policy optimization.
    Ppo,
    /// Advantage actor-critic.
    A2c,
    /// Trust-region policy optimization.
    Trpo,
    /// Monte-Carlo policy gradient.
    Reinforce,
    /// Policy iteration for linear-quadratic problems.
    #[serde(rename = "lqr-pi")]
    LqrPi,
}

impl AgentName {
    /// All names, as they are listed.
    pub const ALL: &[Self] = &[
        Self::Dqn,
        Self::C51,
        Self::QrDqn,
        Self::Ddpg,
        Self::Td3,
        Self::Sac,
        Self::Ppo,
        Self::A2c,
        Self::Trpo,
        Self::Reinforce,
        Self::LqrPi,
    ];
}

impl fmt::Display for AgentName {
    /// Writes the name as serde does, so that it stands once.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

impl FromStr for AgentName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let named = Self::ALL.iter().find(|name| name.to_string() == text);
        named.copied().ok_or_else(|| format!("unknown agent '{text}'"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_written_as_in_files_and_read_back() {
        for &name in AgentName::ALL {
            assert_eq!(serde_json::to_value(name).unwrap(), name.to_string());
            assert_eq!(name.to_string().parse(), Ok(name));
        }
        assert_eq!(format!("[{:8}]", AgentName::LqrPi), "[lqr-pi  ]");
        assert!("dqn2".parse::<AgentName>().is_err());
    }
}
