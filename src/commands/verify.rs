//! `egn verify`: a record, or published rows, run again and compared.

use std::{
    io::{Write, stdout},
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

use anyhow::{Context, Result, anyhow};
use clap::Parser;
use egn_train::{
    record::{contents::Record, outcome::outcome},
    run::{
        execution::Execution,
        saved_policy::read_config,
        verify::{Verdict, verify},
    },
    workers::pool::n_cores,
};
use tempfile::TempDir;

use crate::{
    cli::{Cli, Command, CompareArgs, VerifyArgs},
    commands::{compare::plan, ctrl_c::stop_on_ctrl_c},
    compare::{
        plan::{Fate, Planned},
        processes::{Jobs, make_runs},
        published::{Row, Seed},
    },
    exit_code::{FAILED, INTERRUPTED, SUCCESS},
    progress::{line::Line, standing::Watch},
    usage::Usage,
};

pub(super) fn verify_command(args: &VerifyArgs) -> Result<u8> {
    match (&args.record, &args.published) {
        (_, Some(folder)) => verify_published(args, folder),
        (Some(record), None) => verify_record(args, record),
        (None, None) => Err(anyhow!(Usage("give a record, or --published".to_owned()))),
    }
}

fn verify_record(args: &VerifyArgs, dir: &Path) -> Result<u8> {
    let config = read_config(dir)?;
    let record = Record::read(dir)?;
    if !record.is_over() {
        let steps = record.curve.last().map_or(0, |point| point.env_steps);
        return Err(anyhow!(Usage(format!(
            "{} holds an unfinished run, last evaluated at {steps} of {} environment steps: only one that has ended \
             can be verified (the command that began it goes on with it)",
            dir.display(),
            config.run.steps
        ))));
    }
    let stop = stop_on_ctrl_c()?;
    let scratch = scratch_folder()?;
    let execution = Execution {
        n_workers: args.workers as usize,
        python: args.python.as_deref(),
        ..Execution::new(scratch.path(), &stop)
    };
    let mut line = Line::new(format!("again: {}", dir.display()));
    line.begin(config.run.steps);
    let mut watch = Watch::new(config.run.steps, |standing| line.show(standing));
    let (verdict, summary) = verify(dir, &config, &execution, &mut watch)?;
    line.finish(&outcome(&summary));
    match verdict {
        Verdict::Reproduced => {
            writeln!(stdout(), "reproduced bit for bit, clocks aside")?;
            Ok(SUCCESS)
        }
        Verdict::Differs(files) => {
            writeln!(stdout(), "not reproduced: {} differ", files.join(", "))?;
            // A record that was edited or extended says so.
            for warning in record.warnings {
                writeln!(stdout(), "{warning}")?;
            }
            Ok(FAILED)
        }
        Verdict::Stopped => Ok(INTERRUPTED),
    }
}

/// For records that are made to be compared; gone when it is dropped.
fn scratch_folder() -> Result<TempDir> {
    tempfile::Builder::new().prefix("egn-verify-").tempdir().context("cannot make a folder for temporary files")
}

/// Trains rows again, one after the other, and says of each how many seeds came out the same. With
/// `--write` what comes out is written into the rows instead.
fn verify_published(args: &VerifyArgs, folder: &Path) -> Result<u8> {
    let rows = Row::read_all(folder, args.filter.as_deref().unwrap_or_default())?;
    if rows.is_empty() {
        let filter = args.filter.as_deref().map_or_else(String::new, |filter| format!(" with '{filter}' in its name"));
        return Err(anyhow!(Usage(format!("{} holds no row{filter}", folder.display()))));
    }
    // All of them before the first run.
    let rows = rows.into_iter().map(|row| Ok((command_of(&row)?, row))).collect::<Result<Vec<_>>>()?;
    let stop = stop_on_ctrl_c()?;
    let scratch = scratch_folder()?;
    let records = args.records.as_deref().unwrap_or(scratch.path());
    let mut all_good = true;
    for (command, row) in rows {
        let found = train_row(args, &row, &command, &records.join(&row.name), &stop)?;
        if stop.load(Ordering::Relaxed) {
            return Ok(INTERRUPTED);
        }
        let line = if args.write {
            let n_missing = found.iter().filter(|seed| seed.is_none()).count();
            all_good &= n_missing == 0;
            let seeds: Vec<Seed> = found.into_iter().flatten().collect();
            let line = format!("{}: {} seeds written, {n_missing} without a result", row.name, seeds.len());
            Row { seeds, ..row }.write(folder)?;
            line
        } else {
            let (same, line) = judge(&row, &found);
            all_good &= same;
            line
        };
        writeln!(stdout(), "{line}")?;
    }
    Ok(if all_good { SUCCESS } else { FAILED })
}

/// The command line of a row.
fn command_of(row: &Row) -> Result<CompareArgs> {
    let refuse = |why: String| anyhow!(Usage(format!("{}: '{}': {why}", row.name, row.command)));
    let words = shlex::split(&row.command).ok_or_else(|| refuse("a quote is not closed".to_owned()))?;
    match Cli::try_parse_from(words).map_err(|error| refuse(error.to_string()))?.command {
        Command::Compare(command) => Ok(command),
        _ => Err(refuse("a row is a comparison".to_owned())),
    }
}

/// What each of the seeds that are asked for comes to.
fn train_row(
    args: &VerifyArgs,
    row: &Row,
    command: &CompareArgs,
    records: &Path,
    stop: &AtomicBool,
) -> Result<Vec<Option<Seed>>> {
    let mut runs = plan(command, records).with_context(|| format!("{}: '{}'", row.name, row.command))?;
    if let Some(seeds) = &args.seeds {
        runs.retain(|run| seeds.0.contains(&run.config.run.seed));
    }
    if runs.is_empty() {
        return Err(anyhow!(Usage(format!("{}: --seeds names none of the seeds of '{}'", row.name, row.command))));
    }
    let jobs = Jobs {
        records,
        force: false,
        n_jobs: args.jobs.map_or_else(n_cores, |n| n as usize),
        python: args.python.as_deref(),
        stop,
    };
    let fates = make_runs(&runs, &jobs)?;
    let seed = |(run, fate): (&Planned, &Fate)| match fate {
        Fate::Missing => Ok(None),
        Fate::Kept | Fate::Ran => Ok(Seed::of(&run.dir)?),
    };
    runs.iter().zip(&fates).map(seed).collect()
}

/// Whether every seed that was found is the published one, and a line that says which are not.
fn judge(row: &Row, found: &[Option<Seed>]) -> (bool, String) {
    let is_published = |seed: &Option<Seed>| seed.as_ref().is_some_and(|seed| row.seeds.contains(seed));
    let n_same = found.iter().filter(|seed| is_published(seed)).count();
    let differs = |seed: &Seed| format!("seed {} ended at {}", seed.seed, seed.final_return);
    let others: Vec<String> = found
        .iter()
        .filter(|seed| !is_published(seed))
        .map(|seed| seed.as_ref().map_or_else(|| "a seed left no result".to_owned(), differs))
        .collect();
    let mut line = format!("{}: {n_same} of {} seeds reproduced", row.name, found.len());
    if !others.is_empty() {
        line.push_str(&format!("; not: {}", others.join(", ")));
    }
    (others.is_empty() && !found.is_empty(), line)
}
