//! The record, written while its run goes on.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use egn_agents::{TrainedPolicy, Update};
use egn_solver::{Report, State, StateError};
use serde::Serialize;

use crate::{
    config::run_config::RunConfig,
    machine::resources::Stopwatch,
    record::{
        contents::{CurvePoint, EpisodeOutcome, EpisodeRow, Summary},
        error::RecordError,
        layout::PYTHON_LOG,
        writer::RecordWriter,
    },
    run::{
        checkpoint::{self, CHECKPOINT, PREVIOUS},
        error::RunError,
        policy_file::{self, BEST_POLICY, POLICY_FILES},
    },
    trainer::{
        callback::{Callback, Flow, RolloutEvent},
        error::TrainError,
    },
};

/// Reports of failed steps that are kept, beside one of each network in
/// every thousandth of the run.
const MOST_FAILURES: u64 = 1000;

/// Writes the record while the run goes on.
pub(super) struct Log {
    dir: PathBuf,
    config: String,
    writer: RecordWriter,
    total_steps: u64,
    /// Lengths that the run was meant to have before it was taken further.
    extended_from: Vec<u64>,
    /// Slot of the run's thousandths in which each network last reported.
    last_report: BTreeMap<String, u64>,
    n_updates: u64,
    n_failures: u64,
    /// Of the whole run, evaluations and earlier processes included.
    clock: Stopwatch,
}

/// A line of `updates.jsonl`.
#[derive(Serialize)]
struct UpdateRow<'a> {
    env_steps: u64,
    update: u64,
    network: &'static str,
    #[serde(flatten)]
    report: Option<Report>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metrics: Option<&'a std::collections::BTreeMap<&'static str, f64>>,
}

impl Log {
    /// The record of a run that begins.
    pub fn begin(dir: &Path, config: &RunConfig, force: bool) -> Result<Self, RunError> {
        let mut writer = RecordWriter::create(dir, force)?;
        let text = config.to_toml();
        writer.config(&text)?;
        for stale in POLICY_FILES.into_iter().chain([CHECKPOINT, PREVIOUS, PYTHON_LOG]).map(|name| dir.join(name)) {
            match fs::remove_file(&stale) {
                Err(source) if source.kind() != io::ErrorKind::NotFound => {
                    return Err(RunError::Folder { path: stale, source });
                }
                Ok(()) | Err(_) => {}
            }
        }
        let total_steps = config.run.steps;
        let (last_report, n_updates, n_failures) = (BTreeMap::new(), 0, 0);
        let (dir, clock) = (dir.to_owned(), Stopwatch::start());
        let extended_from = Vec::new();
        Ok(Self { dir, config: text, writer, total_steps, extended_from, last_report, n_updates, n_failures, clock })
    }

    /// The record of a run that goes on: its logs as they were at the checkpoint. Nothing is
    /// changed before [`Log::go_on`].
    pub fn resume(dir: &Path, config: &RunConfig, state: &State) -> Result<Self, RunError> {
        let unfit = |error: StateError| checkpoint::refused(dir, error);
        let log = state.part("log");
        checkpoint::check_settings(dir, state)?;
        let marks = log.get_all::<u64>("marks", 6).map_err(unfit)?;
        let counters = log.get_all::<u64>("counters", 2).map_err(unfit)?;
        let seconds = log.get_all::<f64>("seconds", 2).map_err(unfit)?;
        let slots = log.part("last_report");
        let slot = |network: &str| Ok((network.to_owned(), slots.number(network)?));
        let last_report = slots.names().map(slot).collect::<Result<_, _>>().map_err(unfit)?;
        let total_steps = config.run.steps;
        let mut extended_from = log.get::<u64>("extended_from").map_err(unfit)?;
        let planned = log.number::<u64>("total_steps").map_err(unfit)?;
        extended_from.extend(Some(planned).filter(|&planned| planned != total_steps));
        let writer = RecordWriter::resume(dir, [[marks[0], marks[1]], [marks[2], marks[3]], [marks[4], marks[5]]])?;
        let text = config.to_toml();
        let (n_updates, n_failures) = (counters[0], counters[1]);
        let (dir, clock) = (dir.to_owned(), Stopwatch::resume((seconds[0], seconds[1])));
        Ok(Self { dir, config: text, writer, total_steps, extended_from, last_report, n_updates, n_failures, clock })
    }

    /// Cuts the record back to the checkpoint.
    pub fn go_on(&mut self) -> Result<(), RecordError> {
        self.writer.go_on()?;
        self.writer.config(&self.config)
    }

    /// (CPU, wall) seconds of the whole run so far.
    pub fn seconds(&self) -> (f64, f64) {
        self.clock.read()
    }

    /// Lengths that the run was meant to have before it was taken further, in environment steps.
    pub fn extended_from(&self) -> &[u64] {
        &self.extended_from
    }

    /// Closes the record.
    pub fn finish(self, summary: &Summary) -> Result<(), RecordError> {
        self.writer.finish(summary)
    }

    /// Whether this network has not reported in the present thousandth of
    /// the run; notes that it has.
    fn is_due(&mut self, network: &str, slot: u64) -> bool {
        match self.last_report.get_mut(network) {
            Some(last) => std::mem::replace(last, slot) != slot,
            None => self.last_report.insert(network.to_owned(), slot).is_none(),
        }
    }

    fn write(&mut self, update: &Update, event: &RolloutEvent<'_>) -> Result<(), RecordError> {
        self.n_updates += 1;
        let env_steps = event.after.env_steps;
        let failed = update.result.is_err();
        self.n_failures += u64::from(failed);
        let is_due = self.is_due(update.network, event.after.thousandth());
        let is_kept_failure = failed && self.n_failures <= MOST_FAILURES;
        if !is_due && !is_kept_failure {
            return Ok(());
        }
        let metrics = event.learned.metrics.iter().copied().collect();
        self.writer.update(&UpdateRow {
            env_steps,
            update: self.n_updates,
            network: update.network,
            report: update.result.as_ref().ok().copied(),
            error: update.result.as_ref().err().map(ToString::to_string),
            metrics: Some(&metrics),
        })
    }
}

impl Callback for Log {
    fn on_rollout(&mut self, event: &RolloutEvent<'_>) -> Result<Flow, TrainError> {
        for episode in event.episodes {
            self.writer.episode(&EpisodeRow {
                env_steps: event.before.env_steps + (episode.step as u64 + 1) * event.n_envs as u64,
                env: episode.env as u64,
                length: episode.length,
                episode_return: episode.episode_return,
                outcome: match episode.outcome {
                    egn_envs::Outcome::Terminated => EpisodeOutcome::Terminated,
                    egn_envs::Outcome::Truncated | egn_envs::Outcome::Continues => EpisodeOutcome::Truncated,
                },
            })?;
        }
        for update in &event.learned.updates {
            self.write(update, event)?;
        }
        Ok(Flow::Continue(()))
    }

    fn on_evaluation(&mut self, point: &CurvePoint) -> Result<Flow, TrainError> {
        self.writer.evaluation(point)?;
        Ok(Flow::Continue(()))
    }

    /// Saves the best policy at once, so that a run that is killed leaves it.
    fn on_best(&mut self, policy: &TrainedPolicy) -> Result<(), TrainError> {
        policy_file::save(policy, &self.dir.join(BEST_POLICY)).map_err(|error| TrainError::Callback(Box::new(error)))
    }

    fn on_checkpoint(&mut self, state: &mut State) -> Result<(), TrainError> {
        let mut log = State::default();
        log.put("marks", self.writer.marks()?.as_flattened());
        log.put("counters", &[self.n_updates, self.n_failures]);
        log.put("total_steps", &[self.total_steps]);
        log.put("extended_from", &self.extended_from);
        let (cpu_seconds, wall_seconds) = self.seconds();
        log.put("seconds", &[cpu_seconds, wall_seconds]);
        for (network, slot) in &self.last_report {
            log.put(&format!("last_report/{network}"), &[*slot]);
        }
        state.put_part("log", log);
        checkpoint::write(&self.dir, &self.config, state)
    }
}
