//! What a chart shows, and the files that it is written to.

use std::{collections::BTreeSet, path::PathBuf};

use egn_train::record::{contents::Ended, error::RecordError};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use thiserror::Error;

use crate::analysis::{
    cohort::Cohort,
    learning_curve::{Axis, LearningCurve},
};

/// Seed of the bootstrap's draws; every curve has a stream of its own, whatever else is drawn.
const BOOTSTRAP_SEED: u64 = 0x6563_6861_7274;

/// Why there is no chart.
#[derive(Debug, Error)]
pub enum ChartError {
    /// No run has an evaluation yet.
    #[error("no evaluation in any record, so there is nothing to draw")]
    Empty,
    /// Returns of different environments do not share an axis.
    #[error("a chart shows one environment, and these are {first} and {second}")]
    SeveralEnvironments {
        /// One environment.
        first: String,
        /// Another environment.
        second: String,
    },
    /// The file could not be written.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The picture could not be drawn or encoded.
    #[error("cannot draw {}: {problem}", path.display())]
    Draw {
        /// The picture.
        path: PathBuf,
        /// What the drawing library said.
        problem: String,
    },
}

/// What a chart shows, ready to be drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct Chart {
    pub(super) title: String,
    pub(super) threshold: Option<f64>,
    pub(super) lines: Vec<Line>,
    pub(super) panels: Vec<Panel>,
}

/// A cohort's entry in the legend.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Line {
    pub(super) optimizer: String,
    pub(super) label: String,
    /// Index of the line's dash pattern: optimizers differ in color, agents and settings in dashes.
    pub(super) dash: usize,
}

/// One pair of axes.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Panel {
    pub(super) x_label: &'static str,
    /// A curve for each of the chart's lines.
    pub(super) curves: Vec<LearningCurve>,
}

impl Chart {
    /// The chart of cohorts on one environment, with its reward `threshold` as a dashed line.
    ///
    /// Cohorts without any evaluation are left out.
    ///
    /// # Errors
    /// [`ChartError::Empty`] when none is left, [`ChartError::SeveralEnvironments`].
    pub fn of(cohorts: &[Cohort], threshold: Option<f64>) -> Result<Self, ChartError> {
        let evaluated = |cohort: &&Cohort| cohort.records.iter().any(|record| !record.curve.is_empty());
        let cohorts: Vec<&Cohort> = cohorts.iter().filter(evaluated).collect();
        let env = &cohorts.first().ok_or(ChartError::Empty)?.env;
        if let Some(other) = cohorts.iter().find(|cohort| cohort.env != *env) {
            return Err(ChartError::SeveralEnvironments { first: env.clone(), second: other.env.clone() });
        }
        let mut agents: Vec<String> = cohorts.iter().map(|cohort| cohort.agent_title()).collect();
        agents.dedup();
        let kinds: BTreeSet<_> = cohorts.iter().map(|cohort| (&cohort.agent, &cohort.variant)).collect();
        let line = |cohort: &&Cohort| {
            let of_agent = if agents.len() > 1 { format!("{} · ", cohort.agent_title()) } else { String::new() };
            let label = format!("{of_agent}{}, {}", cohort.optimizer_title(), seeds(cohort));
            let dash = kinds.iter().position(|kind| *kind == (&cohort.agent, &cohort.variant)).unwrap_or_default();
            Line { optimizer: cohort.optimizer.clone(), label, dash }
        };
        let panel = |(axis, x_label)| Panel {
            x_label,
            curves: cohorts.iter().filter_map(|cohort| LearningCurve::of(cohort, axis, &mut stream())).collect(),
        };
        Ok(Self {
            title: format!("{env} · {}", agents.join(", ")),
            threshold,
            lines: cohorts.iter().map(line).collect(),
            panels: [(Axis::EnvSteps, "Environment steps"), (Axis::CpuSeconds, "CPU seconds of training")]
                .map(panel)
                .into(),
        })
    }
}

/// How many seeds, and what became of them, where it is not the expected.
fn seeds(cohort: &Cohort) -> String {
    let n_seeds = cohort.records.len();
    let ended = |ended| cohort.records.iter().filter(|r| r.summary.as_ref().map(|s| s.ended) == ended).count();
    let n_unfinished = ended(None) + ended(Some(Ended::Stopped));
    let mut text = format!("{n_seeds} seed{}", if n_seeds == 1 { "" } else { "s" });
    for (n, what) in [(ended(Some(Ended::Failed)), "failed"), (n_unfinished, "unfinished")] {
        if n > 0 {
            text += &format!(", {n} {what}");
        }
    }
    text
}

fn stream() -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(BOOTSTRAP_SEED)
}
