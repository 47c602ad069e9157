//! Why agents refuse.

use egn_solver::SolverError;

/// Why an agent cannot be made, or cannot go on.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum AgentError {
    /// The environment's actions are of a kind that the agent cannot take.
    #[error("agent '{agent}' needs {needs} actions")]
    ActionSpace {
        /// The agent.
        agent: &'static str,
        /// What the agent needs.
        needs: &'static str,
    },
    /// Observations are no images of the shape that the convolutions are made for.
    #[error(
        "agent.convolutions.image is {image:?}, {} numbers, and an observation has {n_observations}",
        .image.iter().product::<usize>()
    )]
    Image {
        /// Rows, columns, channels.
        image: [usize; 3],
        /// Entries of an observation.
        n_observations: usize,
    },
    /// The agent is known to another program alone.
    #[error("agent {agent} is another program's, which brings it along as an egn_train::config::AgentChoice")]
    Unknown {
        /// The agent.
        agent: String,
    },
    /// A network could not be evaluated or made.
    #[error(transparent)]
    Network(#[from] SolverError),
}

impl AgentError {
    /// Whether a person asked for what the agent cannot do.
    pub fn is_usage(&self) -> bool {
        match self {
            Self::ActionSpace { .. } | Self::Image { .. } | Self::Unknown { .. } => true,
            Self::Network(_) => false,
        }
    }
}
