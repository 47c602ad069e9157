//! The outcome of a run.

use egn_agents::TrainedPolicy;
use egn_envs::Space;

use crate::record::contents::{Ended, Evaluation, Threshold};

/// The outcome of a run.
#[derive(Debug)]
pub struct Trained {
    /// How the run ended.
    pub ended: Ended,
    /// What broke the run, when it failed.
    pub error: Option<String>,
    /// Environment steps, all environments together.
    pub env_steps: u64,
    /// Optimizer steps taken.
    pub updates: u64,
    /// Optimizer steps that changed nothing: none was found, or it was taken back.
    pub updates_failed: u64,
    /// CPU seconds of training, evaluations left out.
    pub cpu_seconds: f64,
    /// Wall seconds of training, evaluations left out.
    pub wall_seconds: f64,
    /// When the reward threshold was first reached.
    pub threshold: Option<Threshold>,
    /// The policy at the end of training.
    pub last: TrainedPolicy,
    /// The space of the policy's actions.
    pub action_space: Space,
    /// The policy with the best evaluation, and that evaluation.
    pub best: Option<(Evaluation, TrainedPolicy)>,
    /// Environments whose episode could not be resumed and was begun anew.
    pub restarted: Vec<u64>,
}
