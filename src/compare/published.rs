//! Published results that can be run again: for each row of a table its command,
//! and what its seeds left.
//!
//! A row is a file `runs/published/<row>.csv`. Its first line is the command, behind `# `; one line
//! a seed follows, with the digests of the learning curve, its clocks left out, and of the last
//! policy. Seeds, binary and settings being equal, so are the digests, on every machine (see
//! [`egn_solver::Vectors`]).

use std::{
    fmt::Write,
    fs, io,
    path::{Path, PathBuf},
};

use egn_solver::Digest;
use egn_train::{
    record::{clock::without_clock_fields, contents::Record, error::RecordError, layout::CURVE, writer::write_whole},
    run::policy_file::LAST_POLICY,
};
use serde::{Deserialize, Serialize};

/// Why a row cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum PublishedError {
    /// The folder or a file in it cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// The folder or file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A file does not begin with its command.
    #[error("{}: the first line is to be '# egn compare ...', the command of the row", path.display())]
    Command {
        /// The file.
        path: PathBuf,
    },
    /// A seed has two lines.
    #[error("{}: seed {seed} stands in it twice", path.display())]
    Twice {
        /// The file.
        path: PathBuf,
        /// The seed.
        seed: u64,
    },
    /// A line is not a seed's.
    #[error("{}: {source}", path.display())]
    Csv {
        /// The file.
        path: PathBuf,
        /// What is wrong with the line.
        source: csv::Error,
    },
}

/// A row of a published table.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Name of the row's file, without the ending.
    pub name: String,
    /// Command that a person types to repeat the row.
    pub command: String,
    /// Results of the row's seeds; none before the row was first written.
    pub seeds: Vec<Seed>,
}

/// The result of one seed of a row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seed {
    /// The seed.
    pub seed: u64,
    /// Mean return of the last policy's greedy episodes.
    pub final_return: f64,
    /// Environment steps to the threshold, where it was reached.
    pub threshold_steps: Option<u64>,
    /// Digest of the learning curve without clocks, in hexadecimal.
    pub curve: String,
    /// Digest of the last policy's file, in hexadecimal.
    pub policy: String,
}

const MARK: &str = "# ";

impl Row {
    /// Reads a row.
    ///
    /// # Errors
    /// [`PublishedError`] when the file cannot be read or is no row.
    pub fn read(path: &Path) -> Result<Self, PublishedError> {
        let text = fs::read_to_string(path).map_err(|source| PublishedError::Io { path: path.to_owned(), source })?;
        let command = text.lines().next().and_then(|line| line.strip_prefix(MARK));
        let command = command.ok_or_else(|| PublishedError::Command { path: path.to_owned() })?.trim().to_owned();
        let mut lines = csv::ReaderBuilder::new().comment(Some(b'#')).from_reader(text.as_bytes());
        let seeds = lines.deserialize().collect::<Result<Vec<Seed>, _>>();
        let seeds = seeds.map_err(|source| PublishedError::Csv { path: path.to_owned(), source })?;
        if let Some(i) = (1..seeds.len()).find(|&i| seeds[..i].iter().any(|before| before.seed == seeds[i].seed)) {
            return Err(PublishedError::Twice { path: path.to_owned(), seed: seeds[i].seed });
        }
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Self { name, command, seeds })
    }

    /// All rows of a folder whose names contain `filter`, by name.
    ///
    /// # Errors
    /// As [`Row::read`].
    pub fn read_all(folder: &Path, filter: &str) -> Result<Vec<Self>, PublishedError> {
        let failed = |source| PublishedError::Io { path: folder.to_owned(), source };
        let entries = fs::read_dir(folder).map_err(failed)?.collect::<Result<Vec<_>, _>>().map_err(failed)?;
        let mut paths: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).collect();
        paths.retain(|path| path.extension().is_some_and(|ending| ending == "csv"));
        paths.retain(|path| path.file_stem().is_some_and(|name| name.to_string_lossy().contains(filter)));
        paths.sort();
        paths.iter().map(|path| Self::read(path)).collect()
    }

    /// Why seeds are not reproduced by what was `found`, a text for each that is not. A published
    /// seed that was not found counts as one that came out otherwise.
    pub fn differences(&self, seeds: &[u64], found: &[Seed]) -> Vec<String> {
        let of = |lines: &[Seed], seed| lines.iter().find(|line| line.seed == seed).cloned();
        let difference = |&seed: &u64| match (of(&self.seeds, seed), of(found, seed)) {
            (Some(published), Some(found)) => {
                let parts = published.parts_unlike(&found);
                let whole = format!("seed {seed} in {}, ending at {}", parts.join(", "), found.final_return);
                (!parts.is_empty()).then_some(whole)
            }
            (Some(_), None) => Some(format!("seed {seed}, published, left no result")),
            (None, Some(found)) => Some(format!("seed {seed}, not published, ending at {}", found.final_return)),
            (None, None) => Some(format!("seed {seed}, not published, left no result")),
        };
        seeds.iter().filter_map(difference).collect()
    }

    /// Takes what was found in place of what was published of the same seeds, and keeps the others.
    pub fn update(&mut self, found: Vec<Seed>) {
        self.seeds.retain(|line| found.iter().all(|new| new.seed != line.seed));
        self.seeds.extend(found);
        self.seeds.sort_by_key(|line| line.seed);
    }

    /// Writes the row into `folder`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, folder: &Path) -> Result<(), RecordError> {
        let mut text = format!("{MARK}{}\nseed,final_return,threshold_steps,curve,policy\n", self.command);
        for Seed { seed, final_return, threshold_steps, curve, policy } in &self.seeds {
            let steps = threshold_steps.map_or_else(String::new, |steps| steps.to_string());
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{seed},{final_return},{steps},{curve},{policy}");
        }
        write_whole(&folder.join(format!("{}.csv", self.name)), text.as_bytes())
    }
}

impl Seed {
    /// The result of a finished record; `None` where there is no summary or no policy.
    ///
    /// # Errors
    /// When a file of the record cannot be read.
    pub fn of(dir: &Path) -> Result<Option<Self>, RecordError> {
        let Some(summary) = Record::read(dir)?.summary else { return Ok(None) };
        let (Some(last), Ok(policy)) = (summary.final_evaluation, fs::read(dir.join(LAST_POLICY))) else {
            return Ok(None);
        };
        let files = without_clock_fields(dir)?;
        Ok(Some(Self {
            seed: summary.seed,
            final_return: last.mean,
            threshold_steps: summary.threshold.map(|threshold| threshold.env_steps),
            curve: digest(files.get(CURVE).map_or(&[], |text| text.as_bytes())),
            policy: digest(&policy),
        }))
    }

    /// What of two results of a seed is not the same, by the names of the columns.
    fn parts_unlike(&self, other: &Self) -> Vec<&'static str> {
        let parts = [
            ("final_return", self.final_return == other.final_return),
            ("threshold_steps", self.threshold_steps == other.threshold_steps),
            ("curve", self.curve == other.curve),
            ("policy", self.policy == other.policy),
        ];
        parts.into_iter().filter(|&(_, is_same)| !is_same).map(|(name, _)| name).collect()
    }
}

fn digest(bytes: &[u8]) -> String {
    let mut digest = Digest::default();
    digest.add(bytes);
    format!("{:016x}", digest.value())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_read_back_and_found_by_part_of_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let seed = |seed, threshold_steps| Seed {
            seed,
            final_return: -0.1 + seed as f64,
            threshold_steps,
            curve: "00ff".into(),
            policy: "12ab".into(),
        };
        let row = Row {
            name: "CartPole-v1-ppo-egn".into(),
            command: "egn compare --set 'optimizer.lr={kind=\"linear\",from=1.0,to=0.0}'".into(),
            seeds: vec![seed(0, Some(4096)), seed(3, None)],
        };
        row.write(folder.path()).unwrap();
        Row { name: "other".into(), seeds: Vec::new(), ..row.clone() }.write(folder.path()).unwrap();
        assert_eq!(Row::read_all(folder.path(), "ppo-e").unwrap(), std::slice::from_ref(&row));
        assert_eq!(Row::read_all(folder.path(), "").unwrap().len(), 2);
        fs::write(folder.path().join("bad.csv"), "seed\n1\n").unwrap();
        assert!(matches!(Row::read_all(folder.path(), "bad"), Err(PublishedError::Command { .. })));
        let twice = Row { name: "twice".into(), seeds: vec![seed(3, None), seed(4, None), seed(3, Some(1))], ..row };
        twice.write(folder.path()).unwrap();
        assert!(matches!(Row::read_all(folder.path(), "twice"), Err(PublishedError::Twice { seed: 3, .. })));
    }

    fn line(seed: u64, curve: &str) -> Seed {
        Seed { seed, final_return: 1.5, threshold_steps: None, curve: curve.into(), policy: "12ab".into() }
    }

    fn row(seeds: Vec<Seed>) -> Row {
        Row { name: "row".into(), command: "egn compare".into(), seeds }
    }

    #[test]
    fn what_is_published_and_what_is_found_must_be_the_same() {
        let published = row(vec![line(0, "00ff"), line(1, "00ff"), line(2, "00ff")]);
        let found = [line(0, "00ff"), line(1, "00fe"), line(3, "00ff")];
        assert_eq!(
            published.differences(&[0, 1, 2, 3, 4], &found),
            [
                "seed 1 in curve, ending at 1.5",
                "seed 2, published, left no result",
                "seed 3, not published, ending at 1.5",
                "seed 4, not published, left no result",
            ]
        );
        assert_eq!(published.differences(&[0], &found), [""; 0]);
        let other = Seed { final_return: 2.0, threshold_steps: Some(7), policy: "ab12".into(), ..line(0, "00ff") };
        let said = published.differences(&[0], &[other]);
        assert_eq!(said, ["seed 0 in final_return, threshold_steps, policy, ending at 2"]);
    }

    #[test]
    fn an_update_keeps_the_seeds_that_it_does_not_have() {
        let mut published = row(vec![line(0, "00ff"), line(1, "00ff"), line(2, "00ff")]);
        published.update(vec![line(3, "00aa"), line(1, "00bb")]);
        let curves: Vec<_> = published.seeds.iter().map(|line| (line.seed, &*line.curve)).collect();
        assert_eq!(curves, [(0, "00ff"), (1, "00bb"), (2, "00ff"), (3, "00aa")]);
    }
}
