//! What comes of a run.

use egn_agents::TrainedPolicy;
use egn_envs::Space;

use crate::record::contents::{Ended, Evaluation, Threshold};

/// What came of a run.
#[derive(Debug)]
pub struct Trained {
    /// How it ended.
    pub ended: Ended,
    /// What broke it, when it failed.
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
    /// When the threshold was first reached.
    pub threshold: Option<Threshold>,
    /// The policy as it is at the end.
    pub last: TrainedPolicy,
    /// Where its actions lie.
    pub action_space: Space,
    /// The policy with the best evaluation, and that evaluation.
    pub best: Option<(Evaluation, TrainedPolicy)>,
    /// Environments whose episode could not be resumed and was begun anew.
    pub restarted: Vec<u64>,
}
