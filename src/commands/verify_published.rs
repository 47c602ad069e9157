//! `egn verify --published`: rows of tables trained again and compared.

use std::{
    io::{Write, stdout},
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

use anyhow::{Context, Result, anyhow};
use clap::Parser;
use egn_train::{config::sources::Presets, workers::pool::n_cores};

use crate::{
    cli::{Cli, Command, CompareArgs, VerifyArgs},
    commands::{compare::plan, ctrl_c::stop_on_ctrl_c, scratch::scratch_folder},
    compare::{
        plan::{Fate, Planned},
        processes::{Jobs, make_runs},
        published::{Row, Seed},
        writable::check_writable,
    },
    exit_code::{FAILED, INTERRUPTED, SUCCESS},
    usage::Usage,
};

/// A row and the runs that its command asks for.
struct Work {
    row: Row,
    runs: Vec<Planned>,
    /// The seeds that are to come out as published.
    seeds: Vec<u64>,
}

/// Trains rows again, one after the other, and says of each how many seeds came out the same. With
/// `--write` what comes out is written into the rows instead.
pub(super) fn verify_published(args: &VerifyArgs, folder: &Path) -> Result<u8> {
    let rows = Row::read_all(folder, args.filter.as_deref().unwrap_or_default())?;
    if rows.is_empty() {
        let filter = args.filter.as_deref().map_or_else(String::new, |filter| format!(" with '{filter}' in its name"));
        return Err(anyhow!(Usage(format!("{} holds no row{filter}", folder.display()))));
    }
    if args.write {
        check_writable(folder)?;
    }
    let scratch = scratch_folder()?;
    let records = args.records.as_deref().unwrap_or(scratch.path());
    // All of them before the first run.
    let work = rows.into_iter().map(|row| Work::of(row, args, records)).collect::<Result<Vec<_>>>()?;
    let stop = stop_on_ctrl_c()?;
    let mut all_good = true;
    for Work { mut row, runs, seeds } in work {
        let found = train(&runs, &records.join(&row.name), args, &stop)?;
        if stop.load(Ordering::Relaxed) {
            return Ok(INTERRUPTED);
        }
        let line = if args.write {
            let (n_written, n_missing) = (found.len(), runs.len() - found.len());
            all_good &= n_missing == 0;
            row.update(found);
            row.write(folder)?;
            format!("{}: {n_written} seeds written, {n_missing} without a result", row.name)
        } else {
            let differences = row.differences(&seeds, &found);
            all_good &= differences.is_empty();
            let n_same = seeds.len() - differences.len();
            let others =
                if differences.is_empty() { String::new() } else { format!("; not: {}", differences.join("; ")) };
            format!("{}: {n_same} of {} seeds reproduced{others}", row.name, seeds.len())
        };
        writeln!(stdout(), "{line}")?;
    }
    Ok(if all_good { SUCCESS } else { FAILED })
}

impl Work {
    /// The runs of a row's command, of the seeds that are asked for. Its settings start from the
    /// built-in presets: the command says all, wherever it is typed.
    fn of(row: Row, args: &VerifyArgs, records: &Path) -> Result<Self> {
        let command = command_of(&row)?;
        let what = || format!("{}: '{}'", row.name, row.command);
        let mut runs = plan(&command, Presets::BuiltIn, &records.join(&row.name)).with_context(what)?;
        let in_command: Vec<u64> = runs.iter().map(|run| run.config.run.seed).collect();
        let seeds = match &args.seeds {
            Some(asked) => {
                if let Some(seed) = asked.0.iter().find(|seed| !in_command.contains(seed)) {
                    return Err(anyhow!(Usage(format!("{}: --seeds names {seed}, which it does not train", what()))));
                }
                runs.retain(|run| asked.0.contains(&run.config.run.seed));
                asked.0.clone()
            }
            None => {
                let only_published = row.seeds.iter().map(|line| line.seed).filter(|seed| !in_command.contains(seed));
                in_command.iter().copied().chain(only_published).collect()
            }
        };
        Ok(Self { row, runs, seeds })
    }
}

/// The command line of a row.
fn command_of(row: &Row) -> Result<CompareArgs> {
    let refuse = |why: String| anyhow!(Usage(format!("{}: '{}': {why}", row.name, row.command)));
    let words = shlex::split(&row.command).ok_or_else(|| refuse("a quote is not closed".to_owned()))?;
    match Cli::try_parse_from(words).map_err(|error| refuse(error.to_string()))?.command {
        Command::Compare(command) if command.optimizers.len() == 1 => Ok(command),
        Command::Compare(_) => Err(refuse("a row is of one optimizer".to_owned())),
        _ => Err(refuse("a row is a comparison".to_owned())),
    }
}

/// What the runs come to, those without a result left out.
fn train(runs: &[Planned], records: &Path, args: &VerifyArgs, stop: &AtomicBool) -> Result<Vec<Seed>> {
    let jobs = Jobs {
        records,
        force: false,
        n_jobs: args.jobs.map_or_else(n_cores, |n| n as usize),
        python: args.python.as_deref(),
        stop,
    };
    let fates = make_runs(runs, &jobs)?;
    let there = runs.iter().zip(&fates).filter(|(_, fate)| **fate != Fate::Missing);
    let mut found = Vec::new();
    for (run, _) in there {
        found.extend(Seed::of(&run.dir)?);
    }
    Ok(found)
}
