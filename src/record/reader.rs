//! Reading records back, and saying exactly what is wrong with a broken one.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde_json::Value;
use thiserror::Error;

use super::{
    CLOCK_FIELDS, CURVE, CURVE_COLUMNS, CurvePoint, FILES, Record, SCHEMA, SUMMARY, Summary,
};

/// What can be wrong with a record, with the place where it is.
#[derive(Debug, Error)]
pub enum RecordError {
    /// A record is there already.
    #[error("{} already holds a record; give --force to replace it", dir.display())]
    Exists {
        /// The folder in question.
        dir: PathBuf,
    },
    /// The operating system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was being done, as a verb.
        action: &'static str,
        /// The file or folder it was done to.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// A line that makes no sense.
    #[error("{}:{line}: {problem}", path.display())]
    Line {
        /// The broken file.
        path: PathBuf,
        /// The line, counted from 1.
        line: u64,
        /// What is wrong with it.
        problem: String,
    },
    /// A layout this program does not know.
    #[error("{} has schema {found}; this program reads schema {SCHEMA}", path.display())]
    Schema {
        /// The summary in question.
        path: PathBuf,
        /// The version it declares.
        found: u32,
    },
    /// No summary, and folders that do not tell which run this was.
    #[error(
        "{} has no summary.json and does not lie in <env>/<agent>/<optimizer>/seed-<n>",
        dir.display()
    )]
    Nameless {
        /// The folder in question.
        dir: PathBuf,
    },
    /// Two records of one run: counting both would feign a seed that never ran.
    #[error("{} is the same run as {}", second.display(), first.display())]
    Twice {
        /// The record that was kept.
        first: PathBuf,
        /// The record that was left out.
        second: PathBuf,
    },
}

impl RecordError {
    pub(crate) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { action, path: path.to_path_buf(), source }
    }

    fn line(path: &Path, line: u64, problem: impl ToString) -> Self {
        Self::Line { path: path.to_path_buf(), line, problem: problem.to_string() }
    }
}

/// Reads every record at or below `root`, ordered by environment, agent, optimizer and seed.
///
/// A folder is a record when it holds a `summary.json` or a `curve.csv`. Broken records are
/// returned as errors beside the good ones, so that one of them does not cost the others.
pub fn find_records(root: &Path) -> (Vec<Record>, Vec<RecordError>) {
    let (mut records, mut errors) = (Vec::new(), Vec::new());
    walk(root, &mut records, &mut errors);

    let key = |r: &Record| (r.env.clone(), r.agent.clone(), r.optimizer.clone(), r.seed);
    // Stable: of two records of one run, the first in the order of folders is kept.
    records.sort_by_cached_key(key);
    records.dedup_by(|second, first| {
        let twice = key(second) == key(first);
        if twice {
            let (first, second) = (first.dir.clone(), second.dir.clone());
            errors.push(RecordError::Twice { first, second });
        }
        twice
    });
    (records, errors)
}

fn walk(dir: &Path, records: &mut Vec<Record>, errors: &mut Vec<RecordError>) {
    if dir.join(SUMMARY).exists() || dir.join(CURVE).exists() {
        match read(dir) {
            Ok(record) => records.push(record),
            Err(error) => errors.push(error),
        }
        return;
    }
    match subfolders(dir) {
        Ok(folders) => folders.iter().for_each(|folder| walk(folder, records, errors)),
        Err(source) => errors.push(RecordError::io("read", dir, source)),
    }
}

/// The folders in `dir` in alphabetical order; links are not followed, so the walk ends.
fn subfolders(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut folders = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            folders.push(entry.path());
        }
    }
    folders.sort();
    Ok(folders)
}

/// See [`Record::read`].
pub(super) fn read(dir: &Path) -> Result<Record, RecordError> {
    let summary = read_summary(&dir.join(SUMMARY))?;
    let (curve, warnings) = read_curve(&dir.join(CURVE))?;
    let (env, agent, optimizer, seed) = match &summary {
        Some(s) => (s.env.clone(), s.agent.clone(), s.optimizer.clone(), s.seed),
        None => {
            names_from_path(dir).ok_or_else(|| RecordError::Nameless { dir: dir.to_path_buf() })?
        }
    };
    Ok(Record { dir: dir.to_path_buf(), env, agent, optimizer, seed, curve, summary, warnings })
}

/// Environment, agent, optimizer and seed of the folder of a run.
fn names_from_path(dir: &Path) -> Option<(String, String, String, u64)> {
    let dir = fs::canonicalize(dir).ok()?;
    let mut names = dir.iter().rev().map(|name| name.to_str());
    let seed = names.next()??.strip_prefix("seed-")?.parse().ok()?;
    let (optimizer, agent, env) = (names.next()??, names.next()??, names.next()??);
    Some((env.to_owned(), agent.to_owned(), optimizer.to_owned(), seed))
}

fn read_summary(path: &Path) -> Result<Option<Summary>, RecordError> {
    if !path.exists() {
        return Ok(None);
    }
    let broken = |error: serde_json::Error| {
        RecordError::line(path, error.line() as u64, format!("not a summary: {error}"))
    };
    let text = read_text(path)?;
    let json: Value = serde_json::from_str(&text).map_err(broken)?;
    let schema = json.get("schema").and_then(Value::as_u64);
    if let Some(found) = schema.filter(|&schema| schema != u64::from(SCHEMA)) {
        let found = u32::try_from(found).unwrap_or(u32::MAX);
        return Err(RecordError::Schema { path: path.to_path_buf(), found });
    }
    // From the text again, for errors that know their line.
    serde_json::from_str(&text).map(Some).map_err(broken)
}

/// The evaluations in a `curve.csv`, and what had to be left out.
fn read_curve(path: &Path) -> Result<(Vec<CurvePoint>, Vec<String>), RecordError> {
    let (points, warnings) = read_rows::<CurvePoint>(path, &CURVE_COLUMNS)?;
    let mut previous: Option<CurvePoint> = None;
    for (line, point) in &points {
        let CurvePoint { cpu_seconds, wall_seconds, mean, std, min, max, .. } = *point;
        if [cpu_seconds, wall_seconds, mean, std, min, max].iter().any(|x| !x.is_finite()) {
            return Err(RecordError::line(path, *line, "a value is not finite"));
        }
        if previous.is_some_and(|p| point.env_steps < p.env_steps || cpu_seconds < p.cpu_seconds) {
            let problem = "env_steps or cpu_seconds is less than in the row before";
            return Err(RecordError::line(path, *line, problem));
        }
        previous = Some(*point);
    }
    Ok((points.into_iter().map(|(_, point)| point).collect(), warnings))
}

/// A log's rows with the line each stands on, and a warning when its last line was cut short.
///
/// A line is whole when it ends in a newline: half a number is a number too, so a cut line is
/// dropped even where it can be read.
#[expect(clippy::type_complexity, reason = "rows with line numbers, and warnings")]
fn read_rows<T: DeserializeOwned>(
    path: &Path,
    columns: &[&str],
) -> Result<(Vec<(u64, T)>, Vec<String>), RecordError> {
    let text = read_text(path)?;
    let whole = text.rfind('\n').map_or(0, |newline| newline + 1);
    let mut warnings = Vec::new();
    if whole < text.len() {
        let line = text.lines().count();
        warnings.push(format!("{}:{line}: the last line is cut short; left out", path.display()));
    }
    let mut reader = csv::Reader::from_reader(&text.as_bytes()[..whole]);
    let broken = |error: csv::Error| {
        let line = error.position().map_or(1, csv::Position::line);
        RecordError::line(path, line, error)
    };
    if reader.headers().map_err(broken)? != columns {
        let problem = format!("the columns should be {}", columns.join(","));
        return Err(RecordError::line(path, 1, problem));
    }
    let header = reader.headers().map_err(broken)?.clone();
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(broken)?;
        let line = record.position().map_or(1, csv::Position::line);
        rows.push((line, record.deserialize(Some(&header)).map_err(broken)?));
    }
    Ok((rows, warnings))
}

/// All files of a record as text, without [`CLOCK_FIELDS`]: equal for equal runs.
///
/// # Errors
/// [`RecordError`] when a file of the record cannot be read or parsed.
pub fn without_clock_fields(dir: &Path) -> Result<BTreeMap<String, String>, RecordError> {
    let mut files = BTreeMap::new();
    for name in FILES {
        let path = dir.join(name);
        if !path.exists() {
            continue;
        }
        let text = read_text(&path)?;
        let kept = match path.extension().and_then(|extension| extension.to_str()) {
            Some("csv") => without_clock_columns(&text),
            Some("json") => without_clock_keys(&path, 1, &text)?,
            Some("jsonl") => {
                let lines = text.lines().zip(1..);
                let kept = lines.map(|(line, number)| without_clock_keys(&path, number, line));
                kept.collect::<Result<Vec<_>, _>>()?.join("\n")
            }
            _ => text,
        };
        files.insert(name.to_owned(), kept);
    }
    Ok(files)
}

fn without_clock_columns(text: &str) -> String {
    let header: Vec<&str> = text.lines().next().unwrap_or_default().split(',').collect();
    let is_clock = |column: usize| header.get(column).is_some_and(|c| CLOCK_FIELDS.contains(c));
    let without = |line: &str| {
        let cells = line.split(',').enumerate().filter(|(column, _)| !is_clock(*column));
        cells.map(|(_, cell)| cell).collect::<Vec<_>>().join(",")
    };
    text.lines().map(without).collect::<Vec<_>>().join("\n")
}

fn without_clock_keys(path: &Path, line: u64, text: &str) -> Result<String, RecordError> {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(map) => {
                map.retain(|key, _| !CLOCK_FIELDS.contains(&key.as_str()));
                map.values_mut().for_each(strip);
            }
            Value::Array(items) => items.iter_mut().for_each(strip),
            _ => {}
        }
    }
    let mut value: Value =
        serde_json::from_str(text).map_err(|error| RecordError::line(path, line, error))?;
    strip(&mut value);
    Ok(value.to_string())
}

fn read_text(path: &Path) -> Result<String, RecordError> {
    fs::read_to_string(path).map_err(|source| RecordError::io("read", path, source))
}
