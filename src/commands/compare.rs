//! `egn compare`: optimizers over the same seeds.

use std::{path::Path, sync::atomic::Ordering};

use anyhow::{Result, anyhow};
use egn_train::{
    config::sources::{Presets, Sources},
    record::contents::{Ended, Record},
    run::{error::RunError, execution::admit, initial::pinned},
    workers::pool::n_cores,
};

use crate::{
    cli::CompareArgs,
    commands::{complaint::complain, ctrl_c::stop_on_ctrl_c},
    compare::{
        plan::{Fate, Planned},
        processes::{Jobs, make_runs},
        writable::check_writable,
    },
    exit_code::{FAILED, INTERRUPTED, SUCCESS},
    pictures::present::present,
    usage::Usage,
};

/// The runs of a comparison, each with its record below `records`.
pub(super) fn plan(args: &CompareArgs, presets: Presets, records: &Path) -> Result<Vec<Planned>> {
    let pairs = args.optimizers.iter().flat_map(|optimizer| args.seeds.0.iter().map(move |&seed| (optimizer, seed)));
    let run = |(optimizer, seed): (&String, u64)| {
        let sources = Sources { presets, ..args.sources(optimizer, seed) };
        Ok(Planned::new(pinned(sources.resolve()?)?, records))
    };
    pairs.map(run).collect()
}

pub(super) fn compare(args: &CompareArgs) -> Result<u8> {
    if let Some(message) = args.contradicted() {
        return Err(anyhow!(Usage(message)));
    }
    let runs = plan(args, Presets::Own, &args.settings.records)?;
    if let Some(twice) = (1..runs.len()).find(|&i| runs[..i].contains(&runs[i])) {
        return Err(anyhow!(Usage(format!("--optimizers names {} twice", runs[twice].config.optimizers()))));
    }
    check_writable(&args.plots)?;
    if let Some(Planned { config, .. }) = runs.first() {
        // Rather than once a run, each in its own words.
        let opened = config.run.env.open(&config.env, args.settings.python.as_deref()).map_err(RunError::Env)?;
        admit(config, &opened)?;
    }
    let stop = stop_on_ctrl_c()?;
    let jobs = Jobs {
        records: &args.settings.records,
        force: args.settings.force,
        n_jobs: args.jobs.map_or_else(n_cores, |n| n as usize),
        python: args.settings.python.as_deref(),
        stop: &stop,
    };
    let fates = make_runs(&runs, &jobs)?;
    for (run, _) in runs.iter().zip(&fates).filter(|(_, fate)| **fate == Fate::Missing) {
        complain(&format!("{}: no record", run.name()));
    }
    let is_there = runs.iter().zip(&fates).filter(|(_, fate)| **fate != Fate::Missing);
    let (mut records, mut complete) = (Vec::new(), !fates.contains(&Fate::Missing));
    for (run, _) in is_there {
        match Record::read(&run.dir) {
            Ok(record) => {
                let ended = record.summary.as_ref().map(|summary| summary.ended);
                complete &= ended == Some(Ended::Finished);
                records.push(record);
            }
            Err(error) => {
                complete = false;
                complain(&error);
            }
        }
    }
    if !records.is_empty() {
        present(records, &args.plots, args.json)?;
    }
    let stopped = stop.load(Ordering::Relaxed);
    Ok(if stopped {
        INTERRUPTED
    } else if complete {
        SUCCESS
    } else {
        FAILED
    })
}
