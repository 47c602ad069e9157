//! How a run is carried out, from its settings to its summary.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::atomic::AtomicBool,
    time::Duration,
};

use egn_agents::{AgentError, TrainedPolicy};
use egn_solver::State;

use crate::{
    config::{env_name::Opened, run_config::RunConfig, run_settings::FINAL_SEED},
    environments::group::Environments,
    formats::tensorboard::Events,
    machine::{memory::check_memory, resources::peak_rss_bytes},
    record::{
        contents::{Ended, Evaluation, Summary},
        error::RecordError,
        layout::{CONFIG, PYTHON_LOG, SCHEMA, record_dir},
        writer::is_partial,
    },
    run::{
        checkpoint,
        error::RunError,
        initial::Initial,
        lock::lock,
        log::Log,
        policy_file::{self, BEST_POLICY, LAST_POLICY},
    },
    trainer::{
        callback::Callback,
        error::TrainError,
        evaluation::{EvaluationError, greedy_returns, summarize},
        setup::{Interval, Trainer, build_agent},
        trained::Trained,
        training::is_stopped_soon,
    },
};

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
    /// Flag that ends the run after the present rollout.
    pub stop: &'a AtomicBool,
    /// Whether to go on from the checkpoint of a record that ended, too, not only of one that did
    /// not.
    pub resume: bool,
    /// How often the run is saved.
    pub checkpoint_every: Interval,
}

impl<'a> Execution<'a> {
    /// An execution on one thread, with a checkpoint every half minute.
    pub fn new(records: &'a Path, stop: &'a AtomicBool) -> Self {
        let checkpoint_every = Interval::Wall(Duration::from_secs(30));
        Self { records, force: false, n_workers: 1, python: None, stop, resume: false, checkpoint_every }
    }
}

/// Trains on the environment that `config` names and writes the record.
///
/// # Errors
/// When the environment cannot be made, or the record exists or cannot be written. A run that fails
/// later has a record, and a summary that says why.
pub fn run(config: &RunConfig, execution: &Execution<'_>, watch: &mut dyn Callback) -> Result<Summary, RunError> {
    let opened = config.run.env.open(&config.env, execution.python)?;
    admit(config, &opened)?;
    let dir = dir_of(config, execution.records);
    if execution.force || checkpoint::resumable(&dir, config, execution.resume).is_none() {
        // Otherwise its networks are those of its own checkpoint.
        Initial::of(config)?.map_or(Ok(()), |initial| initial.check(config, &opened, &dir, execution.python))?;
    }
    run_in(config, &*opened.environments, opened.reward_threshold, execution, watch)
}

/// Where the record of a run lies below `records`.
pub fn dir_of(config: &RunConfig, records: &Path) -> PathBuf {
    let run = &config.run;
    record_dir(records, &run.env.to_string(), &config.agent.to_string(), &config.optimizers().to_string(), run.seed)
}

/// Checks that a run fits into memory and that its agent can act in the environment, before
/// anything is recorded.
///
/// # Errors
/// When not.
pub fn admit(config: &RunConfig, opened: &Opened) -> Result<(), RunError> {
    let unfit = |error| match error {
        AgentError::ActionSpace { .. } => RunError::Unfit { env: config.run.env.clone(), source: error },
        other => TrainError::from(other).into(),
    };
    config.validate()?;
    check_memory(config, &opened.observation_space, &opened.action_space)?;
    build_agent(config, &opened.observation_space, &opened.action_space).map_err(unfit)?;
    Ok(())
}

/// Removes what writers that were killed left of files that never became
/// whole; the record is locked.
fn remove_partial_files(dir: &Path) -> Result<(), RunError> {
    let folder = |source| RunError::Folder { path: dir.to_owned(), source };
    for place in [dir.to_owned(), dir.join("best"), dir.join("checkpoint")] {
        let entries = match fs::read_dir(&place) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(folder(error)),
        };
        for entry in entries {
            let path = entry.map_err(folder)?.path();
            if is_partial(&path) {
                fs::remove_file(&path).map_err(folder)?;
            }
        }
    }
    Ok(())
}

/// Trains on environments of the caller's own and writes the record under the names in `config`.
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
    config.validate()?;
    config.agent.settings().map_err(TrainError::from)?;
    let settings = &config.run;
    let dir = dir_of(config, execution.records);
    let _lock = lock(&dir)?;
    remove_partial_files(&dir)?;
    let saved =
        if execution.force { None } else { checkpoint::find(&dir, config, execution.resume)?.map(|found| found.state) };
    // Before the log, which may replace what it is read from.
    let initial = if saved.is_some() { None } else { Initial::of(config)? };
    let (mut log, mut events) = match &saved {
        Some(state) => resume_logs(&dir, config, state)?,
        None => begin_logs(&dir, config, execution.force)?,
    };
    let trainer = Trainer {
        config,
        environments,
        reward_threshold,
        n_workers: execution.n_workers,
        stop: execution.stop,
        resume: saved.as_ref(),
        initial: initial.as_ref().map(Initial::networks),
        checkpoint_every: Some(execution.checkpoint_every),
    };
    let printed = dir.join(PYTHON_LOG);
    environments.keep_printed(&printed).map_err(|source| RecordError::io("write", &printed, source))?;
    // The log comes last: it writes the checkpoint, to which the others add.
    let trained = trainer.train(&mut [watch, &mut events, &mut log]);
    let mut summary = Summary {
        schema: SCHEMA,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        env: settings.env.to_string(),
        agent: config.agent.to_string(),
        optimizer: config.optimizers().to_string(),
        simulator: environments.simulator(),
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
        restarted: Vec::new(),
        extended_from: log.extended_from().to_vec(),
    };
    environments.take_warnings().iter().for_each(|warning| watch.on_warning(warning));
    match trained {
        Ok(trained) => conclude(&mut summary, config, environments, trained, &dir, execution.stop),
        // The record is still that of the run which was to go on.
        Err(error) if saved.is_some() => return Err(error.into()),
        Err(error) => {
            if error.is_of_environment() && is_stopped_soon(execution.stop) {
                summary.ended = Ended::Stopped;
            }
            summary.error = Some(error.to_string());
        }
    }
    (summary.cpu_seconds, summary.wall_seconds) = log.seconds();
    summary.peak_rss_bytes = peak_rss_bytes();
    log.finish(&summary)?;
    Ok(summary)
}

/// Opens the logs of a run that goes on from `state`.
fn resume_logs(dir: &Path, config: &RunConfig, state: &State) -> Result<(Log, Events), RunError> {
    // All is looked at before anything is cut.
    let (mut log, events) = (Log::resume(dir, config, state)?, Events::resume(dir, state)?);
    log.go_on()?;
    events.go_on()?;
    Ok((log, events))
}

/// Begins the logs of a run, unless a record that would be lost is in the way.
fn begin_logs(dir: &Path, config: &RunConfig, force: bool) -> Result<(Log, Events), RunError> {
    let force = force || checkpoint::nothing_to_lose(dir, config);
    if !force && dir.join(CONFIG).exists() {
        let what = checkpoint::in_the_way(dir, config);
        let further = checkpoint::resumable(dir, config, true).map(|(env_steps, _)| env_steps);
        let further = further.filter(|&env_steps| env_steps < config.run.steps);
        return Err(RunError::InTheWay { dir: dir.to_owned(), what, further });
    }
    Ok((Log::begin(dir, config, force)?, Events::begin(dir)?))
}

/// Enters in `summary` what came of a run, saves its policies, and evaluates those of a finished
/// one.
fn conclude(
    summary: &mut Summary,
    config: &RunConfig,
    environments: &dyn Environments,
    trained: Trained,
    dir: &Path,
    stop: &AtomicBool,
) {
    (summary.ended, summary.threshold) = (trained.ended, trained.threshold);
    summary.restarted.clone_from(&trained.restarted);
    (summary.env_steps, summary.updates, summary.updates_failed) =
        (trained.env_steps, trained.updates, trained.updates_failed);
    // Unless evaluated anew, the last word is the last evaluation there was.
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
            let is_stopped = summary.ended == Ended::Finished && is_stopped_soon(stop);
            summary.ended = if is_stopped { Ended::Stopped } else { Ended::Failed };
            summary.error.get_or_insert(error);
        }
    }
}

fn save_policies(dir: &Path, trained: &Trained) -> Result<(), RunError> {
    policy_file::save(&trained.last, &dir.join(LAST_POLICY))?;
    trained.best.as_ref().map_or(Ok(()), |(_, best)| policy_file::save(best, &dir.join(BEST_POLICY)))
}

/// The last policy on fresh episodes, and on the same ones the policy that was best in training:
/// the episodes that chose it would flatter it.
fn verdicts(
    config: &RunConfig,
    environments: &dyn Environments,
    trained: &Trained,
) -> Result<[Option<Evaluation>; 2], EvaluationError> {
    let judge = |env_steps, trained_policy: &TrainedPolicy| {
        let policy = trained_policy.policy(config.agent.settings()?, &trained.action_space)?;
        let returns = greedy_returns(environments, &*policy, config.run.final_episodes, FINAL_SEED)?;
        Ok::<_, EvaluationError>(summarize(env_steps, &returns))
    };
    let last = judge(trained.env_steps, &trained.last)?;
    let best = trained.best.as_ref().map(|(chosen, policy)| judge(chosen.env_steps, policy)).transpose()?;
    Ok([Some(last), best])
}
