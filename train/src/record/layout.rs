//! Where a record lies, and how its files are called and laid out.

use std::path::{Path, PathBuf};

/// Version of the layout below; a reader refuses any other.
pub const SCHEMA: u32 = 1;

/// Columns and keys that tell of clocks and memory: all that may differ between two equal runs.
pub const CLOCK_FIELDS: [&str; 3] = ["cpu_seconds", "wall_seconds", "peak_rss_bytes"];

/// Every setting of a run, in its record.
pub const CONFIG: &str = "config.toml";
pub(super) const EPISODES: &str = "episodes.csv";
/// Every evaluation of a run, in its record.
pub const CURVE: &str = "curve.csv";
pub(super) const UPDATES: &str = "updates.jsonl";
/// How a run ended, in its record.
pub const SUMMARY: &str = "summary.json";

/// What the environments of a run printed, in its record, where they printed anything.
pub const PYTHON_LOG: &str = "python.log";

/// Everything a record writer owns in its folder.
pub(super) const FILES: [&str; 5] = [CONFIG, EPISODES, CURVE, UPDATES, SUMMARY];

pub(super) const EPISODE_COLUMNS: [&str; 5] = ["env_steps", "env", "length", "return", "outcome"];
pub(super) const CURVE_COLUMNS: [&str; 8] =
    ["env_steps", "cpu_seconds", "wall_seconds", "episodes", "mean", "std", "min", "max"];

/// Where the record of a run lies below `root`: `<env>/<agent>/<optimizer>/seed-<n>`.
pub fn record_dir(root: &Path, env: &str, agent: &str, optimizer: &str, seed: u64) -> PathBuf {
    root.join(env).join(agent).join(optimizer).join(format!("seed-{seed}"))
}
