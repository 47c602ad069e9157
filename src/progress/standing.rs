//! Where a run stands, told now and then.

use std::{
    io::{Write, stderr},
    ops::ControlFlow,
    time::{Duration, Instant},
};

use egn_train::{
    record::contents::CurvePoint,
    trainer::{
        callback::{Callback, Flow, RolloutEvent},
        error::TrainError,
    },
};
use serde::{Deserialize, Serialize};

/// How often a run says where it stands.
pub(super) const INTERVAL: Duration = Duration::from_millis(200);

/// Shows what an environment warned of.
pub(crate) fn warn(warning: &str) {
    // Somebody who closed stderr does not want to know.
    let _ = writeln!(stderr(), "{WARNING}{warning}");
}

/// What stands before an environment's warning.
pub(crate) const WARNING: &str = "the environment warns: ";

/// Where a run stands: what a process tells the one that started it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Standing {
    /// Environment steps so far.
    pub env_steps: u64,
    /// Environment steps of the whole run.
    pub total_steps: u64,
    /// Return of the last episode that ended, or of the last evaluation if that is later.
    pub last_return: Option<f64>,
}

/// Follows a run and tells `show` now and then.
pub struct Watch<F: FnMut(Standing)> {
    standing: Standing,
    last_shown: Option<Instant>,
    show: F,
}

impl<F: FnMut(Standing)> Watch<F> {
    /// A watch for a run of `total_steps`.
    pub fn new(total_steps: u64, show: F) -> Self {
        Self { standing: Standing { env_steps: 0, total_steps, last_return: None }, last_shown: None, show }
    }

    fn moved(&mut self) {
        let done = self.standing.env_steps >= self.standing.total_steps;
        if done || self.last_shown.is_none_or(|last| last.elapsed() >= INTERVAL) {
            self.last_shown = Some(Instant::now());
            (self.show)(self.standing);
        }
    }
}

impl<F: FnMut(Standing)> Callback for Watch<F> {
    fn on_rollout(&mut self, event: &RolloutEvent<'_>) -> Result<Flow, TrainError> {
        self.standing.env_steps = event.after.env_steps;
        if let Some(episode) = event.episodes.last() {
            self.standing.last_return = Some(episode.episode_return);
        }
        self.moved();
        Ok(ControlFlow::Continue(()))
    }

    fn on_evaluation(&mut self, point: &CurvePoint) -> Result<Flow, TrainError> {
        self.standing.last_return = Some(point.mean);
        self.moved();
        Ok(ControlFlow::Continue(()))
    }

    fn on_warning(&mut self, warning: &str) {
        warn(warning);
    }
}
