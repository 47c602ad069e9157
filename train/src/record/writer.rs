//! Writing a record while its run goes on.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::record::{
    contents::{CurvePoint, EpisodeRow, Summary},
    error::RecordError,
    layout::{CONFIG, CURVE, CURVE_COLUMNS, EPISODE_COLUMNS, EPISODES, FILES, SUMMARY, UPDATES},
    log_file::{LogFile, Mark},
};

/// The open record of a run: takes rows as they come, and the summary at the end.
///
/// Rows reach the operating system with every evaluation and when the writer is dropped, so a
/// panic loses none and a killed process loses at most those since its last evaluation.
#[derive(Debug)]
pub struct RecordWriter {
    dir: PathBuf,
    episodes: csv::Writer<LogFile>,
    curve: csv::Writer<LogFile>,
    updates: BufWriter<LogFile>,
}

impl RecordWriter {
    /// Starts an empty record in `dir`, making the folder as needed.
    ///
    /// All logs are opened and get their header here, so a folder that cannot be written is
    /// known before any training. With `force` an earlier record's files are removed first.
    ///
    /// # Errors
    /// [`RecordError::Exists`] when `dir` holds a record and `force` is false;
    /// [`RecordError::Io`] when the folder or a file cannot be written.
    pub fn create(dir: &Path, force: bool) -> Result<Self, RecordError> {
        let earlier: Vec<PathBuf> = FILES.iter().map(|name| dir.join(name)).filter(|path| path.exists()).collect();
        if !earlier.is_empty() && !force {
            return Err(RecordError::Exists { dir: dir.to_path_buf() });
        }
        fs::create_dir_all(dir).map_err(|source| RecordError::io("create", dir, source))?;
        for path in &earlier {
            fs::remove_file(path).map_err(|source| RecordError::io("remove", path, source))?;
        }
        Ok(Self {
            dir: dir.to_path_buf(),
            episodes: with_header(LogFile::create(dir.join(EPISODES))?, &EPISODE_COLUMNS)?,
            curve: with_header(LogFile::create(dir.join(CURVE))?, &CURVE_COLUMNS)?,
            updates: BufWriter::new(LogFile::create(dir.join(UPDATES))?),
        })
    }

    /// Goes on with the record in `dir`, its logs as a checkpoint saw them: episodes, curve,
    /// updates. Nothing is changed before [`RecordWriter::go_on`].
    ///
    /// # Errors
    /// As [`LogFile::reopen`].
    pub fn resume(dir: &Path, [episodes, curve, updates]: [Mark; 3]) -> Result<Self, RecordError> {
        let log = |name, mark| LogFile::reopen(dir.join(name), mark);
        Ok(Self {
            dir: dir.to_path_buf(),
            episodes: rows(log(EPISODES, episodes)?),
            curve: rows(log(CURVE, curve)?),
            updates: BufWriter::new(log(UPDATES, updates)?),
        })
    }

    /// Removes from a resumed record what came after its checkpoint, and the summary that says it
    /// has ended.
    ///
    /// # Errors
    /// [`RecordError::Io`].
    pub fn go_on(&mut self) -> Result<(), RecordError> {
        self.logs().into_iter().try_for_each(LogFile::cut)?;
        let summary = self.dir.join(SUMMARY);
        match fs::remove_file(&summary) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(RecordError::io("remove", &summary, source)),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// How far the logs have come, all rows so far being on the disk: episodes, curve, updates.
    ///
    /// # Errors
    /// [`RecordError::Io`].
    pub fn marks(&mut self) -> Result<[Mark; 3], RecordError> {
        self.flush()?;
        let [episodes, curve, updates] = self.logs();
        Ok([episodes.mark()?, curve.mark()?, updates.mark()?])
    }

    fn logs(&self) -> [&LogFile; 3] {
        [self.episodes.get_ref(), self.curve.get_ref(), self.updates.get_ref()]
    }

    /// Writes `config.toml`, whole.
    ///
    /// # Errors
    /// [`RecordError::Io`].
    pub fn config(&mut self, toml: &str) -> Result<(), RecordError> {
        write_whole(&self.dir.join(CONFIG), toml.as_bytes())
    }

    /// Appends a finished training episode.
    ///
    /// # Errors
    /// [`RecordError::Io`].
    pub fn episode(&mut self, row: &EpisodeRow) -> Result<(), RecordError> {
        self.episodes.serialize(row).map_err(|source| self.csv_error(EPISODES, source))
    }

    /// Appends the solver's report on one update as a line of JSON.
    ///
    /// # Errors
    /// [`RecordError::Io`].
    pub fn update<T: Serialize>(&mut self, report: &T) -> Result<(), RecordError> {
        let line = serde_json::to_string(report).map_err(std::io::Error::from);
        line.and_then(|line| writeln!(self.updates, "{line}")).map_err(|source| self.io_error(UPDATES, source))
    }

    /// Appends an evaluation, and hands all rows so far to the operating system.
    ///
    /// # Errors
    /// [`RecordError::Io`].
    pub fn evaluation(&mut self, point: &CurvePoint) -> Result<(), RecordError> {
        self.curve.serialize(point).map_err(|source| self.csv_error(CURVE, source))?;
        self.flush()
    }

    /// Closes the record: logs to the disk, then `summary.json`, whole.
    ///
    /// # Errors
    /// [`RecordError::Io`].
    pub fn finish(mut self, summary: &Summary) -> Result<(), RecordError> {
        self.marks()?;
        let json = serde_json::to_string_pretty(summary).map_err(std::io::Error::from);
        let json = json.map_err(|source| self.io_error(SUMMARY, source))?;
        write_whole(&self.dir.join(SUMMARY), format!("{json}\n").as_bytes())
    }

    fn flush(&mut self) -> Result<(), RecordError> {
        self.episodes.flush().map_err(|source| self.io_error(EPISODES, source))?;
        self.updates.flush().map_err(|source| self.io_error(UPDATES, source))?;
        self.curve.flush().map_err(|source| self.io_error(CURVE, source))
    }

    fn io_error(&self, name: &str, source: std::io::Error) -> RecordError {
        RecordError::io("write", &self.dir.join(name), source)
    }

    fn csv_error(&self, name: &str, source: csv::Error) -> RecordError {
        self.io_error(name, source.into())
    }
}

/// A log of rows.
fn rows(log: LogFile) -> csv::Writer<LogFile> {
    csv::WriterBuilder::new().has_headers(false).from_writer(log)
}

/// An empty log with `columns` as its first line, already on its way to the disk.
fn with_header(log: LogFile, columns: &[&str]) -> Result<csv::Writer<LogFile>, RecordError> {
    let path = log.path().to_owned();
    let mut log = rows(log);
    let written = log.write_record(columns).map_err(io::Error::from).and_then(|()| log.flush());
    written.map_err(|source| RecordError::io("write", &path, source))?;
    Ok(log)
}

/// Writes a file whole or not at all: temporary file beside it, fsync, rename. A link stays one,
/// and what is no file, a pipe or a device, is written into.
///
/// # Errors
/// [`RecordError::Io`]; a file at `path` is then as it was.
pub fn write_whole(path: &Path, contents: &[u8]) -> Result<(), RecordError> {
    let target = fs::canonicalize(path).unwrap_or_else(|_| {
        // What a link leads to may not be there yet.
        fs::read_link(path).map_or_else(|_| path.to_owned(), |link| path.with_file_name("").join(link))
    });
    if fs::metadata(&target).is_ok_and(|found| !found.is_file()) {
        return fs::write(&target, contents).map_err(|source| RecordError::io("write", path, source));
    }
    let partial = partial_path(&target);
    let write = || {
        let mut file = File::create(&partial)?;
        file.write_all(contents)?;
        file.sync_all()?;
        fs::rename(&partial, &target)
    };
    write().map_err(|source| {
        // Best effort: the error worth telling is the first one.
        let _ = fs::remove_file(&partial);
        RecordError::io("write", path, source)
    })
}

/// Makes `dir` and checks that a file can be written in it, leaving no trace.
///
/// # Errors
/// [`RecordError::Io`] when it cannot.
pub fn check_writable(dir: &Path) -> Result<(), RecordError> {
    let probe = partial_path(&dir.join("write-check"));
    fs::create_dir_all(dir)
        .and_then(|()| File::create(&probe))
        .and_then(|_| fs::remove_file(&probe))
        .map_err(|source| RecordError::io("write in", dir, source))
}

/// A name beside `path` that no other process writes to: `.<pid>.<name>`.
pub(crate) fn partial_path(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{}.{name}", std::process::id()))
}

/// Whether a file has the name of one that is not yet whole.
pub(crate) fn is_partial(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    let id = name.and_then(|name| name.strip_prefix('.')?.split_once('.'));
    id.is_some_and(|(id, name)| id.parse::<u32>().is_ok() && !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{
        clock::without_clock_fields,
        contents::{EpisodeOutcome, Evaluation, Record},
    };

    fn point(env_steps: u64, mean: f64) -> CurvePoint {
        let (std, min, max) = (1.5, mean - 1.0, mean + 1.0);
        CurvePoint::new(Evaluation { env_steps, episodes: 20, mean, std, min, max }, 0.25, 0.5)
    }

    #[test]
    fn a_file_that_is_not_whole_has_a_name_of_its_own() {
        assert!(is_partial(&partial_path(Path::new("checkpoint/next.safetensors"))));
        for whole in [".lock", ".12", "..", ".12.", "7.next", ".a.b", "summary.json", "x/.7.y/z"] {
            assert!(!is_partial(Path::new(whole)), "{whole}");
        }
    }

    #[test]
    fn rows_are_on_disk_after_an_evaluation() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = RecordWriter::create(dir.path(), false).unwrap();
        let outcome = EpisodeOutcome::Truncated;
        let row = EpisodeRow { env_steps: 500, env: 3, length: 500, episode_return: 500.0, outcome };
        writer.episode(&row).unwrap();
        writer.update(&serde_json::json!({"update": 1, "loss": 0.1})).unwrap();
        writer.evaluation(&point(1000, 0.1 + 0.2)).unwrap();

        let read = |name: &str| fs::read_to_string(dir.path().join(name)).unwrap();
        assert_eq!(read(EPISODES), "env_steps,env,length,return,outcome\n500,3,500,500.0,truncated\n");
        assert_eq!(read(UPDATES), "{\"loss\":0.1,\"update\":1}\n");
        let row = "1000,0.25,0.5,20,0.30000000000000004,1.5,-0.7,1.3\n";
        assert_eq!(read(CURVE), format!("{}\n{row}", CURVE_COLUMNS.join(",")));
    }

    #[test]
    fn an_existing_record_needs_force() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = RecordWriter::create(dir.path(), false).unwrap();
        writer.evaluation(&point(1000, 20.0)).unwrap();
        drop(writer);

        let error = RecordWriter::create(dir.path(), false).unwrap_err();
        assert!(error.to_string().contains("--force"), "{error}");
        let kept = fs::read_to_string(dir.path().join(CURVE)).unwrap();
        assert!(kept.contains("1000,"), "a refusal must not touch the record");

        RecordWriter::create(dir.path(), true).unwrap();
        let emptied = fs::read_to_string(dir.path().join(CURVE)).unwrap();
        assert_eq!(emptied.lines().count(), 1);
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "").unwrap();
        let below = file.join("seed-0");
        for error in [RecordWriter::create(&below, false).err(), check_writable(&below).err()] {
            assert!(error.unwrap().to_string().contains("seed-0"));
        }
        check_writable(&dir.path().join("new")).unwrap();
        assert_eq!(fs::read_dir(dir.path().join("new")).unwrap().count(), 0);
    }

    #[test]
    fn equal_runs_differ_in_clock_fields_only() {
        let root = tempfile::tempdir().unwrap();
        let run = |dir: &str, seconds: f64, mean: f64| {
            let dir = root.path().join(dir);
            let mut writer = RecordWriter::create(&dir, false).unwrap();
            writer.config("seed = 0\n").unwrap();
            writer.update(&serde_json::json!({"loss": 0.5, "wall_seconds": seconds})).unwrap();
            let slow = CurvePoint { cpu_seconds: seconds, wall_seconds: seconds, ..point(10, mean) };
            writer.evaluation(&slow).unwrap();
            writer.finish(&crate::testing::example_summary(seconds)).unwrap();
            assert!(Record::read(&dir).unwrap().is_over());
            without_clock_fields(&dir).unwrap()
        };
        let first = run("a", 1.0, 20.0);
        assert_eq!(first, run("b", 2.0, 20.0));
        assert_ne!(first, run("c", 1.0, 21.0));
        assert_eq!(first.len(), FILES.len());
        assert!(!first[SUMMARY].contains("peak_rss_bytes"));
    }
}
