//! Reading records back, and saying exactly what is wrong with a broken one.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{
    config::run_config::flat_settings,
    record::{
        contents::{CurvePoint, EpisodeRow, Evaluation, Record, Summary},
        contradiction::contradictions,
        error::RecordError,
        layout::{CONFIG, CURVE, CURVE_COLUMNS, EPISODE_COLUMNS, EPISODES, SCHEMA, SUMMARY},
    },
};

/// Reads every record at or below `root`, ordered by environment, agent,
/// optimizer, settings and seed.
///
/// A folder is a record when it holds a `summary.json` or a `curve.csv`. Broken records are
/// returned as errors beside the good ones, so that one of them does not cost the others.
pub fn find_records(root: &Path) -> (Vec<Record>, Vec<RecordError>) {
    let (mut records, mut errors) = (Vec::new(), Vec::new());
    walk(root, &mut records, &mut errors);

    let key = |r: &Record| (r.env.clone(), r.agent.clone(), r.optimizer.clone(), r.settings.clone(), r.seed);
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

/// What no evaluation has.
const NOT_FINITE: &str = "a value is not finite";

impl Evaluation {
    /// Why no episodes have such returns, if that is so. A mean may be off by
    /// what its sum was rounded.
    fn problem(&self) -> Option<&'static str> {
        let Self { env_steps: _, episodes, mean, std, min, max } = *self;
        let rounding = 1e-9 * min.abs().max(max.abs());
        let problems = [
            ([mean, std, min, max].iter().any(|x| !x.is_finite()), NOT_FINITE),
            (episodes == 0, "an evaluation has at least one episode"),
            (std < 0.0, "std is less than zero"),
            (min > mean + rounding || mean > max + rounding, "the mean is not between min and max"),
        ];
        problems.into_iter().find_map(|(is_so, problem)| is_so.then_some(problem))
    }
}

impl Record {
    /// Reads the record in `dir`.
    ///
    /// Without a `summary.json` the run's names are those in its `config.toml`, or else those
    /// of the folders it lies in.
    ///
    /// # Errors
    /// [`RecordError`], naming file and line, when a file is missing that a chart needs or says
    /// something impossible. A last line cut short is a warning instead.
    pub fn read(dir: &Path) -> Result<Self, RecordError> {
        read(dir)
    }
}

/// See [`Record::read`].
fn read(dir: &Path) -> Result<Record, RecordError> {
    let summary = read_summary(&dir.join(SUMMARY))?;
    let (curve, mut warnings) = read_curve(&dir.join(CURVE))?;
    let (env, agent, optimizer, seed) = match &summary {
        Some(s) => (s.env.clone(), s.agent.clone(), s.optimizer.clone(), s.seed),
        None => names_from_config(dir)
            .or_else(|| names_from_path(dir))
            .ok_or_else(|| RecordError::Nameless { dir: dir.to_path_buf() })?,
    };
    warnings.extend(summary.iter().flat_map(|summary| contradictions(summary, &curve)));
    let text = fs::read_to_string(dir.join(CONFIG)).unwrap_or_default();
    let settings = flat_settings(&text);
    if settings.is_empty() {
        warnings.push(format!("{} cannot be read: its settings are unknown", dir.join(CONFIG).display()));
    }
    Ok(Record { dir: dir.to_path_buf(), env, agent, optimizer, seed, settings, curve, summary, warnings })
}

/// Environment, agent, optimizer and seed as the configuration beside the logs has them: an id with
/// a slash, such as `MinAtar/Freeway-v1`, is two folders.
fn names_from_config(dir: &Path) -> Option<(String, String, String, u64)> {
    let table: toml::Table = fs::read_to_string(dir.join(CONFIG)).ok()?.parse().ok()?;
    let run = table.get("run")?;
    let name = |key: &str| run.get(key).and_then(toml::Value::as_str).map(str::to_owned);
    let seed = u64::try_from(run.get("seed")?.as_integer()?).ok()?;
    Some((name("env")?, name("agent")?, name("optimizer")?, seed))
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
    let broken =
        |error: serde_json::Error| RecordError::line(path, error.line() as u64, format!("not a summary: {error}"));
    let text = read_text(path)?;
    let json: Value = serde_json::from_str(&text).map_err(broken)?;
    let schema = json.get("schema").and_then(Value::as_u64);
    if let Some(found) = schema.filter(|&schema| schema != u64::from(SCHEMA)) {
        let found = u32::try_from(found).unwrap_or(u32::MAX);
        return Err(RecordError::Schema { path: path.to_path_buf(), found });
    }
    // From the text again, for errors that know their line.
    let summary: Summary = serde_json::from_str(&text).map_err(broken)?;
    let evaluations = [("final", &summary.final_evaluation), ("best", &summary.best)];
    for (name, evaluation) in evaluations.into_iter().filter_map(|(name, e)| Some((name, e.as_ref()?))) {
        if let Some(problem) = evaluation.problem() {
            let line = text.lines().position(|line| line.trim_start().starts_with(&format!("\"{name}\":")));
            let line = line.map_or(1, |line| line as u64 + 1);
            return Err(RecordError::line(path, line, format!("{name}: {problem}")));
        }
    }
    Ok(Some(summary))
}

/// The evaluations in a `curve.csv`, and what had to be left out.
fn read_curve(path: &Path) -> Result<(Vec<CurvePoint>, Vec<String>), RecordError> {
    let (points, warnings) = read_rows::<CurvePoint>(path, &CURVE_COLUMNS)?;
    let mut previous: Option<CurvePoint> = None;
    for (line, point) in &points {
        let CurvePoint { cpu_seconds, wall_seconds, .. } = *point;
        let problem = if [cpu_seconds, wall_seconds].iter().all(|seconds| seconds.is_finite()) {
            point.evaluation().problem()
        } else {
            Some(NOT_FINITE)
        };
        if let Some(problem) = problem {
            return Err(RecordError::line(path, *line, problem));
        }
        if previous.is_some_and(|p| point.env_steps < p.env_steps || cpu_seconds < p.cpu_seconds) {
            let problem = "env_steps or cpu_seconds is less than in the row before";
            return Err(RecordError::line(path, *line, problem));
        }
        previous = Some(*point);
    }
    Ok((points.into_iter().map(|(_, point)| point).collect(), warnings))
}

/// The training episodes of the record in `dir`; one that a kill cut short is left out.
///
/// # Errors
/// [`RecordError`], naming file and line.
pub fn read_episodes(dir: &Path) -> Result<Vec<EpisodeRow>, RecordError> {
    let (rows, _) = read_rows(&dir.join(EPISODES), &EPISODE_COLUMNS)?;
    Ok(rows.into_iter().map(|(_, row)| row).collect())
}

/// A log's rows with the line each stands on, and a warning when its last line was cut short.
///
/// A line is whole when it ends in a newline: half a number is a number too, so a cut line is
/// dropped even where it can be read.
#[expect(clippy::type_complexity, reason = "rows with line numbers, and warnings")]
fn read_rows<T: DeserializeOwned>(path: &Path, columns: &[&str]) -> Result<(Vec<(u64, T)>, Vec<String>), RecordError> {
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
        RecordError::line(path, line, csv_problem(error, columns))
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

/// What is wrong with a line, in terms of its columns.
fn csv_problem(error: csv::Error, columns: &[&str]) -> String {
    match error.kind() {
        csv::ErrorKind::Deserialize { err, .. } => {
            let column = err.field().and_then(|field| columns.get(field as usize));
            column.map_or_else(|| err.to_string(), |column| format!("{column}: {}", err.kind()))
        }
        csv::ErrorKind::UnequalLengths { len, expected_len, .. } => {
            format!("{len} values where there are {expected_len} columns")
        }
        _ => error.to_string(),
    }
}

pub(super) fn read_text(path: &Path) -> Result<String, RecordError> {
    fs::read_to_string(path).map_err(|source| RecordError::io("read", path, source))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::example_summary;

    const HEADER: &str = "env_steps,cpu_seconds,wall_seconds,episodes,mean,std,min,max\n";
    const ROW: &str = "1000,0.5,0.6,20,30.5,1.0,29.0,32.0\n";

    /// Writes a record folder of the given files below `root` and says where it is.
    fn record(root: &Path, seed: u64, curve: &str, summary: Option<&str>) -> PathBuf {
        let dir = crate::record::layout::record_dir(root, "CartPole-v1", "dqn", "adam", seed);
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join(CURVE), curve).unwrap();
        if let Some(summary) = summary {
            fs::write(dir.join(SUMMARY), summary).unwrap();
        }
        dir
    }

    fn message(dir: &Path) -> String {
        read(dir).unwrap_err().to_string()
    }

    #[test]
    fn summary_comes_back_bit_for_bit() {
        let root = tempfile::tempdir().unwrap();
        let summary = example_summary(0.1);
        let json = serde_json::to_string_pretty(&summary).unwrap();
        let dir = record(root.path(), 3, &format!("{HEADER}{ROW}"), Some(&json));
        let record = read(&dir).unwrap();
        assert_eq!(record.summary, Some(summary));
        assert_eq!(record.final_return(), Some(0.1 + 0.2));
        assert_eq!(record.reached(30.5).unwrap().env_steps, 1000);
        assert_eq!(record.reached(31.0), None);
        assert!(record.is_over());
        let last = record.warnings.last().unwrap();
        assert!(last.contains("config.toml cannot be read"), "{last}");
    }

    #[test]
    fn numbers_of_the_curve_come_back_bit_for_bit() {
        let root = tempfile::tempdir().unwrap();
        let dir = crate::record::layout::record_dir(root.path(), "e", "a", "o", 0);
        let mut writer = crate::record::writer::RecordWriter::create(&dir, false).unwrap();
        let awkward = [0.1 + 0.2, 1.0 / 3.0, 5e-324, 1.797e308, -0.0, 123_456_789.123_456_79];
        let points = awkward.map(|mean| CurvePoint {
            env_steps: 1 << 60,
            cpu_seconds: 1.0 / 7.0,
            wall_seconds: 0.7,
            episodes: 20,
            mean,
            std: mean.abs(),
            min: mean,
            max: mean,
        });
        points.iter().for_each(|point| writer.evaluation(point).unwrap());
        let back = read(&dir).unwrap().curve;
        let bits = |points: &[CurvePoint]| points.iter().map(|p| p.mean.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&back), bits(&points));
        assert_eq!(back, points);
    }

    #[test]
    fn a_killed_run_is_read_up_to_its_last_whole_line() {
        let root = tempfile::tempdir().unwrap();
        // Half of "2000,1.5,…,45.0": it would parse as a row with a maximum of 4.
        let curve = format!("{HEADER}{ROW}2000,1.5,1.6,20,45.0,0.0,45.0,4");
        let record = read(&record(root.path(), 4, &curve, None)).unwrap();
        assert_eq!(record.curve.len(), 1);
        assert_eq!((record.env.as_str(), record.agent.as_str()), ("CartPole-v1", "dqn"));
        assert_eq!((record.optimizer.as_str(), record.seed), ("adam", 4));
        assert!(record.warnings[0].contains("curve.csv:3:"), "{:?}", record.warnings);
        assert!(!record.is_over());
    }

    #[test]
    fn broken_files_are_named_with_their_line() {
        let root = tempfile::tempdir().unwrap();
        let curve = |seed, curve: String| message(&record(root.path(), seed, &curve, None));
        let said = curve(0, format!("{HEADER}{ROW}2000,0.7,oops,20,1.0,0.0,1.0,1.0\n"));
        assert!(said.contains("curve.csv:3: ") && said.contains("wall_seconds"), "{said}");
        let said = curve(1, format!("{HEADER}{ROW}2000,0.7\n"));
        assert!(said.contains("curve.csv:3: "), "{said}");
        let said = curve(2, format!("{HEADER}{ROW}999,0.7,0.7,20,1.0,0.0,1.0,1.0\n"));
        assert!(said.contains("curve.csv:3: ") && said.contains("env_steps"), "{said}");
        let said = curve(3, format!("{HEADER}1000,0.7,0.7,20,NaN,0.0,1.0,1.0\n"));
        assert!(said.contains("curve.csv:2: a value is not finite"), "{said}");
        for (row, problem) in [
            ("1000,0.7,0.7,20,480.0,1.0,9.0,12.0", "the mean is not between min and max"),
            ("1000,0.7,0.7,20,8.0,1.0,9.0,12.0", "the mean is not between min and max"),
            ("1000,0.7,0.7,20,10.0,-1.0,9.0,12.0", "std is less than zero"),
            ("1000,0.7,0.7,0,10.0,1.0,9.0,12.0", "at least one episode"),
        ] {
            let said = curve(9, format!("{HEADER}{row}\n"));
            assert!(said.contains("curve.csv:2: ") && said.contains(problem), "{said}");
        }
        let said = curve(4, format!("step,return\n{ROW}"));
        assert!(said.contains("curve.csv:1: the columns should be env_steps,"), "{said}");
        assert!(curve(5, String::new()).contains("curve.csv:1: "));

        let mut edited = example_summary(1.0);
        edited.best.as_mut().unwrap().mean = 500.0;
        let edited = serde_json::to_string_pretty(&edited).unwrap();
        let said = message(&record(root.path(), 10, HEADER, Some(&edited)));
        let line = 1 + edited.lines().position(|line| line.contains("best")).unwrap();
        assert!(said.contains(&format!("summary.json:{line}: best: the mean is not between")), "{said}");

        let summary = |seed, text: &str| message(&record(root.path(), seed, HEADER, Some(text)));
        let said = summary(6, "{\n  \"schema\": 1,\n  \"vers");
        assert!(said.contains("summary.json:3: not a summary"), "{said}");
        let said = summary(7, "{\"schema\": 2}");
        assert!(said.contains("schema 2; this program reads schema 1"), "{said}");
        let said = summary(8, "{\"schema\": 1}");
        assert!(said.contains("summary.json:1: ") && said.contains("version"), "{said}");
    }

    #[test]
    fn one_broken_record_does_not_cost_the_others() {
        let root = tempfile::tempdir().unwrap();
        record(root.path(), 0, &format!("{HEADER}{ROW}"), None);
        record(root.path(), 1, "garbage\n", None);
        record(root.path(), 2, &format!("{HEADER}{ROW}"), None);
        record(&root.path().join("a-copy"), 2, &format!("{HEADER}{ROW}"), None);
        let nameless = root.path().join("elsewhere");
        fs::create_dir(&nameless).unwrap();
        fs::write(nameless.join(CURVE), HEADER).unwrap();

        let (records, errors) = find_records(root.path());
        assert_eq!(records.iter().map(|r| r.seed).collect::<Vec<_>>(), [0, 2]);
        let said: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(said.len(), 3, "{said:?}");
        assert!(said.iter().any(|s| s.contains("seed-1/curve.csv:1: ")), "{said:?}");
        assert!(said.iter().any(|s| s.contains("is the same run as")), "{said:?}");
        assert!(said.iter().any(|s| s.contains("elsewhere has no summary.json")), "{said:?}");
    }

    #[test]
    fn a_root_that_is_not_there_is_named() {
        let (records, errors) = find_records(Path::new("/no/such/records"));
        assert!(records.is_empty());
        assert!(errors[0].to_string().contains("/no/such/records"));
    }
}
