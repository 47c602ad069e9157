//! Where a run stood, on disk: one file, replaced whole, from which the run goes on as
//! if it had never stopped.
//!
//! *Design.* The file is a safetensors file of everything ([`State`]), with the layout's
//! version, the program's and the configuration in it, so that it can be told whether it fits
//! before anything is touched. The one before it is kept beside it: where the last one is
//! damaged, the run goes on from there.

use std::{
    fs,
    path::{Path, PathBuf},
};

use egn_solver::State;

use crate::{
    config::run_config::{RunConfig, flat_settings},
    record::{
        contents::{Ended, Record},
        error::RecordError,
        layout::{CONFIG, CURVE, SUMMARY},
        writer::write_whole,
    },
    run::error::RunError,
    trainer::{error::TrainError, training::counters},
};

/// Where the last state of a run is, in its record.
pub const CHECKPOINT: &str = "checkpoint/state.safetensors";

/// Where the state before the last one is, in a run's record.
pub const PREVIOUS: &str = "checkpoint/previous.safetensors";

/// Where the next state is until it is whole, in a run's record.
const NEXT: &str = "checkpoint/next.safetensors";

/// Version of the layout; another one is refused.
const SCHEMA: u32 = 4;

/// Settings that may differ: a run may be taken further than it was meant to go.
const EXTENDABLE: [&str; 2] = ["run.steps", "run.eval_every"];

/// Settings that decide no record: how long environments that hang are waited for.
const WAITS: [&str; 2] = ["env.timeout", "env.reset_timeout"];

/// Replaces the checkpoint of the record in `dir`, which becomes the one before.
pub(super) fn write(dir: &Path, config: &str, state: &mut State) -> Result<(), TrainError> {
    state.put("schema", &[SCHEMA]);
    state.put("version", env!("CARGO_PKG_VERSION").as_bytes());
    state.put("config", config.as_bytes());
    state.put("digest", &[state.digest()]);
    let [path, previous, next] = [CHECKPOINT, PREVIOUS, NEXT].map(|name| dir.join(name));
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|source| RecordError::io("create", folder, source))?;
    }
    write_whole(&next, &state.to_bytes()?)?;
    if path.exists() {
        fs::rename(&path, &previous).map_err(|source| RecordError::io("rename", &path, source))?;
    }
    Ok(fs::rename(&next, &path).map_err(|source| RecordError::io("rename", &next, source))?)
}

/// The checkpoint that a run goes on from.
pub struct Found {
    /// All that the rest of the run depends on.
    pub state: State,
    /// What is wrong with the last checkpoint, where the state is that of the one before.
    pub instead: Option<String>,
}

/// The state that a run with these settings goes on from, if the record in `dir` has one: that of a
/// run which did not end, or with `even_if_ended` of any.
///
/// # Errors
/// When there is one that cannot be used; nothing has been changed.
pub fn find(dir: &Path, config: &RunConfig, even_if_ended: bool) -> Result<Option<Found>, RunError> {
    if ![CHECKPOINT, PREVIOUS].iter().any(|name| dir.join(name).exists()) {
        // There is none, which is an error where one is asked for.
        return if even_if_ended { last_sound(dir).map(Some) } else { Ok(None) };
    }
    let summary = Record::read(dir)?.summary;
    let is_over = summary.is_some_and(|summary| matches!(summary.ended, Ended::Finished | Ended::Failed));
    if is_over && !even_if_ended {
        return Ok(None);
    }
    let found = last_sound(dir)?;
    let saved = text(dir, &found.state, "config")?;
    let wanted = config.to_toml();
    if seed_of(&saved) != Some(config.run.seed) {
        return Err(refused(dir, "it is of another seed"));
    }
    match difference(&saved, &wanted, even_if_ended) {
        None => Ok(Some(found)),
        Some(_) if !even_if_ended => Ok(None),
        Some(key) => Err(refused(dir, format!("its run has another {key}"))),
    }
}

/// The checkpoint of the record in `dir`, and the settings of its run.
///
/// # Errors
/// When there is none that is whole and of this program's layout.
pub(super) fn read(dir: &Path) -> Result<(State, RunConfig), RunError> {
    let state = last_sound(dir)?.state;
    let config = RunConfig::from_toml(&text(dir, &state, "config")?).map_err(|error| refused(dir, error))?;
    Ok((state, config))
}

/// The last state that is whole, or what is wrong with the last.
fn last_sound(dir: &Path) -> Result<Found, RunError> {
    let last = match sound(dir, CHECKPOINT) {
        Ok(state) => return Ok(Found { state, instead: None }),
        Err(error) => error,
    };
    sound(dir, PREVIOUS).map(|state| Found { state, instead: Some(last.to_string()) }).map_err(|_| last)
}

/// A state that is whole and of this program's layout.
fn sound(dir: &Path, name: &str) -> Result<State, RunError> {
    let bytes = fs::read(dir.join(name)).map_err(|error| refused(dir, error))?;
    let state = State::from_bytes(&bytes).map_err(|error| refused(dir, error))?;
    let digest = state.number::<u64>("digest").map_err(|error| refused(dir, error))?;
    if state.clone().filtered(|name| name != "digest").digest() != digest {
        return Err(refused(dir, "it is damaged: its digest is not that of its contents"));
    }
    let schema = state.number::<u32>("schema").map_err(|error| refused(dir, error))?;
    let (version, ours) = (text(dir, &state, "version")?, env!("CARGO_PKG_VERSION"));
    if schema != SCHEMA || version != ours {
        let problem = format!("its layout is {schema} of version {version}, this program's is {SCHEMA} of {ours}");
        return Err(refused(dir, problem));
    }
    Ok(state)
}

fn text(dir: &Path, state: &State, name: &str) -> Result<String, RunError> {
    let bytes = state.get::<u8>(name).map_err(|error| refused(dir, error))?;
    String::from_utf8(bytes).map_err(|error| refused(dir, error))
}

/// Whether the record in `dir` is that of a run with these very settings which was ended before
/// its first checkpoint, that is within its first rollout: it is begun anew.
pub fn nothing_to_lose(dir: &Path, config: &RunConfig) -> bool {
    let read = |name: &str| fs::read_to_string(dir.join(name)).ok();
    let same = read(CONFIG).is_none_or(|text| config.is_that_of(&text));
    // Its header and the evaluation before training.
    let n_rows = read(CURVE).map_or(0, |text| text.lines().count());
    // Its environments may have gone before it was stopped.
    let is_open = !dir.join(SUMMARY).exists() || Record::read(dir).is_ok_and(|record| !record.is_over());
    same && n_rows <= 2 && is_open && ![CHECKPOINT, PREVIOUS].iter().any(|name| dir.join(name).exists())
}

/// What the record in `dir` holds that keeps a run with these settings from being begun there.
pub fn in_the_way(dir: &Path, config: &RunConfig) -> String {
    let Ok(saved) = fs::read_to_string(dir.join(CONFIG)) else {
        return format!("a record whose {CONFIG} cannot be read");
    };
    if let Some(key) = difference(&saved, &config.to_toml(), false) {
        return format!("a run with another {key}");
    }
    match Record::read(dir).ok().and_then(|record| record.summary).map(|summary| summary.ended) {
        Some(Ended::Finished) => "this very run, finished",
        Some(Ended::Failed) => "this very run, which failed",
        Some(Ended::Stopped) | None => "this very run, unfinished and without a checkpoint to go on from",
    }
    .to_owned()
}

/// Environment steps of the checkpoint that `config` would go on from, and why it is the one before
/// the last, for a word on the screen.
pub fn resumable(dir: &Path, config: &RunConfig, even_if_ended: bool) -> Option<(u64, Option<String>)> {
    let Found { state, instead } = find(dir, config, even_if_ended).ok()??;
    counters(&state).ok().map(|[env_steps, ..]| (env_steps, instead))
}

/// Whether the record's `config.toml`, if it is still there, has the settings of
/// the run that is to go on.
///
/// # Errors
/// [`RecordError::Changed`] when it has others.
pub(super) fn check_settings(dir: &Path, state: &State) -> Result<(), RunError> {
    let path = dir.join(CONFIG);
    let Ok(present) = fs::read_to_string(&path) else { return Ok(()) };
    let saved = text(dir, state, "config")?;
    let problem = match (seed_of(&present), difference(&saved, &present, true)) {
        (None, _) => "it is no configuration any more".to_owned(),
        (seed, _) if seed != seed_of(&saved) => "it has another run.seed than the checkpoint".to_owned(),
        (_, Some(key)) => format!("it has another {key} than the checkpoint"),
        (_, None) => return Ok(()),
    };
    Err(RecordError::Changed { path, problem }.into())
}

/// A setting in which two configurations differ and may not.
fn difference(saved: &str, wanted: &str, may_extend: bool) -> Option<String> {
    let (mut saved, mut wanted) = (flat_settings(saved), flat_settings(wanted));
    let steps = |settings: &std::collections::BTreeMap<String, String>| {
        settings.get("run.steps").and_then(|steps| steps.parse::<u64>().ok())
    };
    if may_extend && steps(&wanted) > steps(&saved) {
        for key in EXTENDABLE {
            saved.remove(key);
            wanted.remove(key);
        }
    }
    for key in WAITS {
        saved.remove(key);
        wanted.remove(key);
    }
    // A setting that one of them leaves out is a difference, too. The number of steps first: others
    // follow from it.
    let steps = String::from("run.steps");
    [&steps]
        .into_iter()
        .chain(saved.keys())
        .chain(wanted.keys())
        .find(|key| saved.get(*key) != wanted.get(*key))
        .cloned()
}

fn seed_of(config: &str) -> Option<u64> {
    Some(RunConfig::from_toml(config).ok()?.run.seed)
}

/// The checkpoint in `dir` is of no use, and why.
pub(super) fn refused(dir: &Path, problem: impl ToString) -> RunError {
    let path: PathBuf = dir.join(CHECKPOINT);
    RunError::Checkpoint { path, problem: problem.to_string() }
}
