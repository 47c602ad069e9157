//! One run from configuration to record.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::atomic::AtomicBool,
};

use egn_agents::Update;
use egn_envs::EnvError;
use egn_solver::{Report, Snapshot, SolverError};
use serde::Serialize;

use crate::{
    config::{ConfigError, RunConfig},
    env_group::Environments,
    evaluation::{EvaluationError, FINAL_SEED, greedy_returns, summarise},
    memory::check_memory,
    record::{
        CurvePoint, Ended, EpisodeOutcome, EpisodeRow, Evaluation, RecordError, RecordWriter, SCHEMA, Summary,
        record_dir,
    },
    resources::{Stopwatch, peak_rss_bytes},
    trainer::{Callback, Flow, RolloutEvent, TrainError, Trained, Trainer, build_agent},
};

/// The acting network at the end of a run, in its record.
pub const LAST_POLICY: &str = "policy.safetensors";
/// The acting network with the best evaluation in training.
pub const BEST_POLICY: &str = "best/policy.safetensors";

/// Update reports kept of each network: at most one in every thousandth of a run, and those of
/// failed steps besides, up to as many again.
const REPORTS_PER_NETWORK: u64 = 1000;

/// Why a run left no summary.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The environment, or what it needs, is missing or refuses its settings; nothing was recorded.
    #[error(transparent)]
    Env(#[from] EnvError),
    /// The run does not fit into memory; nothing was recorded.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The record cannot be written.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The run could not begin.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// A policy could not be saved.
    #[error("cannot write {}: {source}", path.display())]
    Policy {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        source: SolverError,
    },
    /// A folder could not be made, or a policy of an earlier run not removed.
    #[error("cannot make or replace {}: {source}", path.display())]
    Folder {
        /// The folder or file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

/// How a run is carried out, as against what is trained.
pub struct Execution<'a> {
    /// Root of all records.
    pub records: &'a Path,
    /// Whether an existing record may be replaced.
    pub force: bool,
    /// Threads that step environments.
    pub n_workers: usize,
    /// The interpreter of Gymnasium's environments; `$EGN_PYTHON` or `python3` unless given.
    pub python: Option<&'a Path>,
    /// Ends the run after the present rollout.
    pub stop: &'a AtomicBool,
}

/// Trains on the environment that `config` names and writes the record.
///
/// # Errors
/// When the environment cannot be made, or the record exists or cannot be written. A run that fails
/// later has a record, and a summary that says why.
pub fn run(config: &RunConfig, execution: &Execution<'_>, watch: &mut dyn Callback) -> Result<Summary, RunError> {
    let opened = config.run.env.open(&config.env, execution.python)?;
    check_memory(config, &opened.observation_space, &opened.action_space)?;
    // An agent that cannot act there is told apart before anything is recorded.
    build_agent(config, &opened.observation_space, &opened.action_space).map_err(TrainError::from)?;
    run_in(config, &*opened.environments, opened.reward_threshold, execution, watch)
}

/// Trains on any environment and writes the record under the names in `config`.
///
/// # Errors
/// As [`run`].
pub fn run_in(
    config: &RunConfig,
    environments: &dyn Environments,
    reward_threshold: Option<f64>,
    execution: &Execution<'_>,
    watch: &mut dyn Callback,
) -> Result<Summary, RunError> {
    let settings = &config.run;
    let names = [settings.env.to_string(), settings.agent.to_string(), settings.optimizer.to_string()];
    let dir = record_dir(execution.records, &names[0], &names[1], &names[2], settings.seed);
    let mut writer = RecordWriter::create(&dir, execution.force)?;
    writer.config(&config.to_toml())?;
    for stale in [LAST_POLICY, BEST_POLICY].map(|name| dir.join(name)) {
        match fs::remove_file(&stale) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                return Err(RunError::Folder { path: stale, source });
            }
            Ok(()) | Err(_) => {}
        }
    }

    let clock = Stopwatch::start();
    let trainer =
        Trainer { config, environments, reward_threshold, n_workers: execution.n_workers, stop: execution.stop };
    let mut log = Log { writer, total_steps: settings.steps, last_report: Vec::new(), n_updates: 0, n_failures: 0 };
    let trained = trainer.train(&mut [&mut log, watch]);
    let [env, agent, optimizer] = names;
    let mut summary = Summary {
        schema: SCHEMA,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        env,
        agent,
        optimizer,
        seed: settings.seed,
        env_steps: 0,
        updates: 0,
        updates_failed: 0,
        cpu_seconds: 0.0,
        wall_seconds: 0.0,
        peak_rss_bytes: 0,
        ended: Ended::Failed,
        error: None,
        final_evaluation: None,
        best: None,
        threshold: None,
    };
    match trained {
        Ok(trained) => conclude(&mut summary, config, environments, trained, &dir),
        Err(error) => summary.error = Some(error.to_string()),
    }
    (summary.cpu_seconds, summary.wall_seconds) = clock.read();
    summary.peak_rss_bytes = peak_rss_bytes();
    log.writer.finish(&summary)?;
    Ok(summary)
}

/// Enters in `summary` what came of a run, saves its policies, and judges those of a finished one.
fn conclude(summary: &mut Summary, config: &RunConfig, environments: &dyn Environments, trained: Trained, dir: &Path) {
    (summary.ended, summary.threshold) = (trained.ended, trained.threshold);
    (summary.env_steps, summary.updates, summary.updates_failed) =
        (trained.env_steps, trained.updates, trained.updates_failed);
    // Unless judged anew, the last word is the last evaluation there was.
    summary.best = trained.best.as_ref().map(|(evaluation, _)| *evaluation);
    let judged = save_policies(dir, &trained).map_err(|error| error.to_string()).and_then(|()| match trained.ended {
        Ended::Finished => verdicts(config, environments, &trained).map(Some).map_err(|error| error.to_string()),
        Ended::Stopped | Ended::Failed => Ok(None),
    });
    summary.error = trained.error;
    match judged {
        Ok(Some([last, best])) => (summary.final_evaluation, summary.best) = (last, best),
        Ok(None) => {}
        Err(error) => {
            summary.ended = Ended::Failed;
            summary.error.get_or_insert(error);
        }
    }
}

fn save_policies(dir: &Path, trained: &Trained) -> Result<(), RunError> {
    save(&trained.last, &dir.join(LAST_POLICY))?;
    trained.best.as_ref().map_or(Ok(()), |(_, best)| save(best, &dir.join(BEST_POLICY)))
}

/// The last policy on fresh episodes, and on the same ones the policy that was best in training:
/// the episodes that chose it would flatter it.
fn verdicts(
    config: &RunConfig,
    environments: &dyn Environments,
    trained: &Trained,
) -> Result<[Option<Evaluation>; 2], EvaluationError> {
    let last = judge(config, environments, trained.env_steps, &trained.last)?;
    let best = trained.best.as_ref();
    let best = best.map(|(chosen, network)| judge(config, environments, chosen.env_steps, network)).transpose()?;
    Ok([Some(last), best])
}

fn judge(
    config: &RunConfig,
    environments: &dyn Environments,
    env_steps: u64,
    network: &Snapshot,
) -> Result<Evaluation, EvaluationError> {
    let policy = config.agent.policy_from(network.clone());
    let returns = greedy_returns(environments, &*policy, config.run.final_episodes, FINAL_SEED)?;
    Ok(summarise(env_steps, &returns))
}

fn save(network: &Snapshot, path: &Path) -> Result<(), RunError> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|source| RunError::Folder { path: folder.to_owned(), source })?;
    }
    network.save(path).map_err(|source| RunError::Policy { path: path.to_owned(), source })
}

/// Writes the record while the run goes on.
struct Log {
    writer: RecordWriter,
    total_steps: u64,
    /// Slot of the run's thousandths in which each network last reported.
    last_report: Vec<(&'static str, u64)>,
    n_updates: u64,
    n_failures: u64,
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
    /// Whether this network has not reported in the present thousandth of the run; notes that it has.
    fn is_due(&mut self, network: &'static str, env_steps: u64) -> bool {
        let slot = env_steps * REPORTS_PER_NETWORK / self.total_steps;
        match self.last_report.iter_mut().find(|(name, _)| *name == network) {
            Some((_, last)) if *last == slot => false,
            Some((_, last)) => {
                *last = slot;
                true
            }
            None => {
                self.last_report.push((network, slot));
                true
            }
        }
    }

    fn write(&mut self, update: &Update, event: &RolloutEvent<'_>) -> Result<(), RecordError> {
        self.n_updates += 1;
        let env_steps = event.after.env_steps;
        let failed = update.result.is_err();
        self.n_failures += u64::from(failed);
        let is_due = self.is_due(update.network, env_steps);
        let is_kept_failure = failed && self.n_failures <= REPORTS_PER_NETWORK;
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
}
