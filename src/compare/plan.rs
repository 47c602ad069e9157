//! The runs of a comparison, and what becomes of them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use egn_train::{
    config::run_config::RunConfig,
    record::{
        contents::{Ended, Record},
        layout::{CONFIG, CURVE, SUMMARY},
    },
    run::{checkpoint, execution::dir_of},
};

/// A run of a comparison, with the place of its record.
#[derive(Debug, Clone, PartialEq)]
pub struct Planned {
    /// Settings of the run.
    pub config: RunConfig,
    /// Folder of the run's record.
    pub dir: PathBuf,
}

/// What became of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// The record was there already.
    Kept,
    /// The run was made, well or badly: its record says how.
    Ran,
    /// The run was not begun, or left no record.
    Missing,
}

impl Planned {
    /// The run that these settings describe.
    pub fn new(config: RunConfig, records: &Path) -> Self {
        Self { dir: dir_of(&config, records), config }
    }

    /// Why a record of these very settings stands for the run: `None` where the run has to be made.
    pub(super) fn why_kept(&self) -> Option<&'static str> {
        let same = fs::read_to_string(self.dir.join(CONFIG)).is_ok_and(|text| self.config.is_that_of(&text));
        let summary = Record::read(&self.dir).ok().and_then(|record| record.summary).filter(|_| same)?;
        match summary.ended {
            Ended::Finished if self.is_of_older_program() => {
                Some("kept: finished earlier with the same settings, by an older program (--force trains anew)")
            }
            Ended::Finished => Some("kept: finished earlier with the same settings"),
            Ended::Failed if checkpoint::resumable(&self.dir, &self.config, true).is_some() => {
                Some("kept: failed earlier with the same settings (egn train --resume goes on with it)")
            }
            Ended::Failed => Some("kept: failed earlier with the same settings (--force trains anew)"),
            Ended::Stopped => None,
        }
    }

    /// Whether the program that wrote its record may be another.
    fn is_of_older_program(&self) -> bool {
        let modified = |path: &Path| fs::metadata(path).and_then(|data| data.modified()).ok();
        let program = std::env::current_exe().ok().and_then(|path| modified(&path));
        program.zip(modified(&self.dir.join(SUMMARY))).is_some_and(|(program, record)| program > record)
    }

    /// Whether the record is that of a stopped run with these settings, which goes on from its
    /// checkpoint, or had hardly begun.
    pub(super) fn can_go_on(&self) -> bool {
        checkpoint::resumable(&self.dir, &self.config, false).is_some()
            || checkpoint::nothing_to_lose(&self.dir, &self.config)
    }

    pub(super) fn exists(&self) -> bool {
        [CONFIG, CURVE].iter().any(|name| self.dir.join(name).exists())
    }

    /// Agent, optimizer and seed, for a line on the screen.
    pub fn name(&self) -> String {
        format!("{} {} seed {}", self.config.agent, self.config.optimizers(), self.config.run.seed)
    }
}
