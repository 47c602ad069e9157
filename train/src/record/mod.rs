//! The record of one run on disk, which is all that charts and statistics ever see.
//!
//! `runs/records/<env>/<agent>/<optimizer>/seed-<n>/` holds
//!
//! | file | what is in it | how it is written |
//! |---|---|---|
//! | `config.toml` | every setting; rerunning it reproduces the record | whole |
//! | `episodes.csv` | one [`EpisodeRow`] per training episode | appended |
//! | `curve.csv` | one [`CurvePoint`] per evaluation | appended |
//! | `updates.jsonl` | one solver report a line | appended |
//! | `summary.json` | the [`Summary`] of how the run ended | whole |
//!
//! *Design.* A file that says one thing is written whole or not at all: temporary file, fsync,
//! rename ([`write_whole`]). A log is appended to and handed to the operating system at every
//! evaluation, so that a run that is killed leaves all it had learned up to then; its last line may
//! be cut in half, which the reader names and drops. A record without a summary is thus a run that
//! never ended, and can still be charted.
//!
//! Equal configuration, seed and binary give equal records, [`CLOCK_FIELDS`] aside.

pub mod clock;
pub mod contents;
mod contradiction;
pub mod error;
pub mod layout;
pub mod log_file;
pub mod outcome;
pub mod reader;
pub mod writer;

pub use clock::without_clock_fields;
pub use contents::{CurvePoint, Ended, EpisodeOutcome, EpisodeRow, Evaluation, Record, Summary, Threshold};
pub use error::RecordError;
pub use layout::{CLOCK_FIELDS, CONFIG, CURVE, SCHEMA, SUMMARY, record_dir};
pub use log_file::{LogFile, Mark};
pub use reader::{find_records, read_episodes};
pub use writer::{RecordWriter, check_writable, write_whole};
