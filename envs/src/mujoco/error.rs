//! Why a task of MuJoCo cannot be made or stepped.

use std::path::PathBuf;

use thiserror::Error;

/// Why a task of MuJoCo cannot be made or stepped.
#[derive(Debug, Clone, Error)]
pub enum MujocoError {
    /// There is no library where one is looked for.
    #[error(
        "this environment needs the library of MuJoCo 4, which was not found; install it with {install}, or name \
         the file by EGN_MUJOCO. Looked for: {}", .looked_for.join("; ")
    )]
    NotFound {
        /// The command that installs it.
        install: String,
        /// Every place, and what was wrong with it.
        looked_for: Vec<String>,
    },
    /// What was found is no library of MuJoCo 4.
    #[error(
        "{} cannot be used as the library of MuJoCo 4: {problem}; install another with: \
         pip install mujoco-core, or name one by EGN_MUJOCO",
        .path.display()
    )]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A model was refused.
    #[error("MuJoCo refuses the model {model}: {message}")]
    Model {
        /// Name or file of the model.
        model: String,
        /// What MuJoCo says.
        message: String,
    },
    /// A model lacks what the task needs of it.
    #[error("the model {model} has no {what}, which this task needs")]
    Lacks {
        /// Name or file of the model.
        model: String,
        /// What is missing.
        what: String,
    },
    /// A simulation failed.
    #[error("MuJoCo failed: {0}")]
    Simulation(String),
}
