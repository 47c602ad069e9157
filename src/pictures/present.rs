//! Records as a person sees them: charts in a folder, a table on standard output.

use std::{
    fs,
    io::{Write, stderr, stdout},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use egn_train::{config::env_name::file_stem, record::contents::Record};

use crate::{
    analysis::{
        cohort::{Cohort, reward_threshold_of},
        table,
    },
    pictures::chart::figure::{Chart, ChartError},
};

/// Draws one chart an environment and agent into `plots`, and prints one table an environment.
///
/// # Errors
/// When a chart cannot be written or the table not printed.
pub fn present(records: Vec<Record>, plots: &Path, as_json: bool) -> Result<()> {
    fs::create_dir_all(plots).with_context(|| format!("cannot make {}", plots.display()))?;
    for (record, warning) in records.iter().flat_map(|record| record.warnings.iter().map(move |w| (record, w))) {
        let _ = writeln!(stderr(), "{}: {warning}", record.dir.display());
    }
    let cohorts = Cohort::of(records);
    let mut json = Vec::new();
    for of_env in cohorts.chunk_by(|a, b| a.env == b.env) {
        let threshold = reward_threshold_of(of_env);
        for of_agent in of_env.chunk_by(|a, b| a.agent == b.agent) {
            draw(of_agent, threshold, plots)?;
        }
        let rows = table::rows(of_env, threshold);
        if as_json {
            json.extend(rows);
        } else {
            write!(stdout(), "{}", table::table(&rows))?;
        }
    }
    if as_json {
        writeln!(stdout(), "{}", serde_json::to_string_pretty(&json)?)?;
    }
    Ok(())
}

fn draw(cohorts: &[Cohort], threshold: Option<f64>, plots: &Path) -> Result<()> {
    let first = &cohorts[0];
    let stem: PathBuf = plots.join(format!("{}-{}", file_stem(&first.env), file_stem(&first.agent)));
    match Chart::of(cohorts, threshold) {
        Ok(chart) => {
            let files = chart.write(&stem)?;
            let names: Vec<String> = files.iter().map(|path| path.display().to_string()).collect();
            let _ = writeln!(stderr(), "wrote {}", names.join(" and "));
        }
        // Runs that were stopped before their first evaluation: the table says so.
        Err(error @ ChartError::Empty) => {
            let _ = writeln!(stderr(), "no chart for {} {}: {error}", first.env, first.agent);
        }
        Err(error) => return Err(error.into()),
    }
    Ok(())
}
