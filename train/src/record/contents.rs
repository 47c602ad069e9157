//! What a record holds, as types.

use std::{collections::BTreeMap, path::PathBuf};

use serde::{Deserialize, Serialize};

/// Greedy returns of the policy after `env_steps` of training.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Environment steps trained so far, over all environments.
    pub env_steps: u64,
    /// Episodes played.
    pub episodes: u64,
    /// Mean return of the episodes.
    pub mean: f64,
    /// Standard deviation of the returns.
    pub std: f64,
    /// Smallest return.
    pub min: f64,
    /// Largest return.
    pub max: f64,
}

/// An [`Evaluation`] and what the training had cost by then: a row of `curve.csv`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CurvePoint {
    /// Environment steps trained so far, over all environments.
    pub env_steps: u64,
    /// CPU seconds of all threads spent on training, evaluations left out.
    pub cpu_seconds: f64,
    /// Seconds of wall time spent on training, evaluations left out.
    pub wall_seconds: f64,
    /// Episodes played in this evaluation.
    pub episodes: u64,
    /// Mean return of the episodes.
    pub mean: f64,
    /// Standard deviation of the returns.
    pub std: f64,
    /// Smallest return.
    pub min: f64,
    /// Largest return.
    pub max: f64,
}

impl CurvePoint {
    /// The evaluation with the training time that led to it.
    pub fn new(evaluation: Evaluation, cpu_seconds: f64, wall_seconds: f64) -> Self {
        let Evaluation { env_steps, episodes, mean, std, min, max } = evaluation;
        Self { env_steps, cpu_seconds, wall_seconds, episodes, mean, std, min, max }
    }

    /// The evaluation without the times.
    pub fn evaluation(&self) -> Evaluation {
        let Self { env_steps, episodes, mean, std, min, max, .. } = *self;
        Evaluation { env_steps, episodes, mean, std, min, max }
    }
}

/// Why a training episode ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EpisodeOutcome {
    /// The environment reached a terminal state.
    Terminated,
    /// Time ran out; the return would have gone on.
    Truncated,
}

/// A finished training episode: a row of `episodes.csv`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpisodeRow {
    /// Environment steps over all environments when the episode ended.
    pub env_steps: u64,
    /// Index of the environment that played the episode.
    pub env: u64,
    /// Steps in the episode.
    pub length: u64,
    /// Sum of the episode's rewards, undiscounted.
    #[serde(rename = "return")]
    pub episode_return: f64,
    /// Why the episode ended.
    pub outcome: EpisodeOutcome,
}

/// How a run came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ended {
    /// The run trained for all its environment steps.
    Finished,
    /// A person stopped the run.
    Stopped,
    /// The run broke; [`Summary::error`] says how.
    Failed,
}

/// The first evaluation whose mean reached the environment's reward threshold.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Threshold {
    /// The reward threshold of the environment.
    #[serde(rename = "return")]
    pub threshold_return: f64,
    /// Environment steps trained when the threshold was reached.
    pub env_steps: u64,
    /// CPU seconds trained when the threshold was reached.
    pub cpu_seconds: f64,
}

/// How a run ended and what came of it: `summary.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Layout of the record, [`SCHEMA`](crate::record::layout::SCHEMA).
    pub schema: u32,
    /// Version of the program that wrote it.
    pub version: String,
    /// Environment id, as Gymnasium's.
    pub env: String,
    /// Agent, as `egn list agents` names it.
    pub agent: String,
    /// Optimizer, as `egn list optimizers` names it.
    pub optimizer: String,
    /// Program beyond this one that computes the environment, and its version, such as `MuJoCo
    /// 4.0.0`, where the record depends on one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub simulator: Option<String>,
    /// Seed that every random stream of the run comes from.
    pub seed: u64,
    /// Environment steps trained.
    pub env_steps: u64,
    /// Optimizer updates taken.
    pub updates: u64,
    /// Updates that left the parameters alone: no step was found, or it was taken back.
    pub updates_failed: u64,
    /// CPU seconds of the process, all threads.
    pub cpu_seconds: f64,
    /// Seconds of wall time from start to end.
    pub wall_seconds: f64,
    /// Largest resident set of the process (bytes).
    pub peak_rss_bytes: u64,
    /// How the run ended.
    pub ended: Ended,
    /// What broke, when the run failed.
    pub error: Option<String>,
    /// The last evaluation, if the run lived to have one.
    #[serde(rename = "final")]
    pub final_evaluation: Option<Evaluation>,
    /// The evaluation of the best policy seen.
    pub best: Option<Evaluation>,
    /// When the reward threshold was first reached, if it was.
    pub threshold: Option<Threshold>,
    /// Environments whose episode a resumed run could not go on with and began anew.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub restarted: Vec<u64>,
    /// Lengths in environment steps that the run was meant to have before it was taken
    /// further. Schedules and thinning followed these, so that `config.toml` alone does
    /// not reproduce the record.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extended_from: Vec<u64>,
}

/// A run as read back from its record: its names and settings, how it learned and how it ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Folder that the record was read from.
    pub dir: PathBuf,
    /// Environment id.
    pub env: String,
    /// Agent name.
    pub agent: String,
    /// Optimizer name.
    pub optimizer: String,
    /// Seed of the run.
    pub seed: u64,
    /// Every setting but the seed, as the record's `config.toml` says: `section.key` and its value.
    pub settings: BTreeMap<String, String>,
    /// Evaluations in the order they happened, environment steps and times never falling.
    pub curve: Vec<CurvePoint>,
    /// How the run ended; none when it was killed or is still running.
    pub summary: Option<Summary>,
    /// What was left out in reading, one sentence each with file and line.
    pub warnings: Vec<String>,
}

impl Record {
    /// Whether the run is over, so that its last policy will not change any more.
    ///
    /// A failed run is over; one that was stopped or killed is merely unfinished.
    pub fn is_over(&self) -> bool {
        let ended = self.summary.as_ref().map(|summary| summary.ended);
        matches!(ended, Some(Ended::Finished | Ended::Failed))
    }

    /// Mean greedy return at the end: the final evaluation, or the last one there was.
    pub fn final_return(&self) -> Option<f64> {
        let summarized = self.summary.as_ref().and_then(|summary| summary.final_evaluation);
        let last = || self.curve.last().map(CurvePoint::evaluation);
        summarized.or_else(last).map(|evaluation| evaluation.mean)
    }

    /// Mean greedy return of the best policy seen.
    pub fn best_return(&self) -> Option<f64> {
        let summarized = self.summary.as_ref().and_then(|summary| summary.best);
        let best = || self.curve.iter().map(|point| point.mean).max_by(f64::total_cmp);
        summarized.map(|evaluation| evaluation.mean).or_else(best)
    }

    /// The first evaluation after some training whose mean is at least `threshold`.
    pub fn reached(&self, threshold: f64) -> Option<&CurvePoint> {
        self.curve.iter().find(|point| point.env_steps > 0 && point.mean >= threshold)
    }
}
