//! `egn report`: records as one page.

use std::{
    collections::BTreeMap,
    io::{Write, stderr},
};

use anyhow::{Context, Result, anyhow};
use egn_train::{
    config::run_settings::FINAL_SEED,
    record::{contents::Record, reader::find_records, writer::write_whole},
    run::{
        policy_file::BEST_POLICY,
        saved_policy::{SavedPolicy, WhichPolicy, read_config},
    },
};

use crate::{
    analysis::cohort::Cohort,
    cli::ReportArgs,
    commands::{complaint::complain, out_file::check_file_writable},
    exit_code::SUCCESS,
    pictures::{
        film::{
            animation::gif,
            episode::{drawable, film},
        },
        report::page::{Film, Picture, page},
    },
    usage::Usage,
};

/// Frames of a film at most; an episode of MinAtar's Freeway has 2,500.
const MAX_FRAMES: usize = 600;

pub(super) fn report(args: &ReportArgs) -> Result<u8> {
    let (records, errors) = find_records(&args.records);
    errors.iter().for_each(|error| complain(error));
    if records.is_empty() {
        return Err(anyhow!(Usage(format!("no record under {}", args.records.display()))));
    }
    check_file_writable(&args.html)?;
    let cohorts = Cohort::of(records);
    let films: BTreeMap<String, Picture> =
        cohorts.chunk_by(|a, b| a.env == b.env).map(|of_env| (of_env[0].env.clone(), picture(of_env))).collect();
    let left_out: Vec<String> = errors.iter().map(|error| format!("left out: {error}")).collect();
    let text = page(&cohorts, &films, &left_out)?;
    write_whole(&args.html, text.as_bytes())?;
    let _ = writeln!(stderr(), "wrote {}: {} KiB", args.html.display(), text.len() >> 10);
    Ok(SUCCESS)
}

/// An episode of the best policy that there is for an environment.
fn picture(cohorts: &[Cohort]) -> Picture {
    let records = cohorts.iter().flat_map(|cohort| cohort.records.iter().map(move |record| (cohort, record)));
    let with_policy = records.filter(|(_, record)| record.dir.join(BEST_POLICY).exists());
    let worth = |(_, record): &(&Cohort, &Record)| record.best_return().unwrap_or(f64::NEG_INFINITY);
    let best = with_policy.reduce(|a, b| if worth(&b) > worth(&a) { b } else { a });
    let (cohort, record) = best.ok_or("no record has a policy")?;
    shoot(cohort, record).map_err(|error| format!("{error:#}"))
}

fn shoot(cohort: &Cohort, record: &Record) -> Result<Film> {
    // Before the policy, for which Python's environments would be started.
    let config = read_config(&record.dir)?;
    let (id, mut env) = drawable(&config.run.env, &config.env, None)?;
    let saved = SavedPolicy::open(&record.dir, WhichPolicy::Best, None)?;
    let film = film(&mut *env, &*saved.policy, FINAL_SEED, MAX_FRAMES)?;
    let cut = if film.is_cut { format!(", its first {MAX_FRAMES} steps") } else { String::new() };
    let caption = format!(
        "Greedy episode {FINAL_SEED}{cut}: best policy of {} {}, seed {}.",
        record.agent,
        cohort.optimizer_title(),
        record.seed
    );
    Ok(Film { gif: gif(&[film], id.spec().frames_per_second).context("cannot make an animation")?, caption })
}
