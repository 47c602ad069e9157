//! `egn train`: one run.

use std::{
    io::{Write, stdout},
    sync::atomic::Ordering,
};

use anyhow::Result;
use egn_train::{
    config::run_config::RunConfig,
    record::{
        contents::{Ended, Summary},
        outcome::outcome,
    },
    run::{
        checkpoint,
        execution::{Execution, dir_of, run},
        initial::pinned,
    },
};

use crate::{
    cli::{ProgressStyle, TrainArgs},
    commands::ctrl_c::stop_on_ctrl_c,
    exit_code::{FAILED, INTERRUPTED, SUCCESS},
    progress::{standing::Watch, view::View},
};

pub(super) fn train(args: &TrainArgs) -> Result<u8> {
    let config = pinned(args.sources().resolve()?)?;
    let stop = stop_on_ctrl_c()?;
    let execution = Execution {
        records: &args.settings.records,
        force: args.settings.force,
        n_workers: args.workers as usize,
        python: args.settings.python.as_deref(),
        stop: &stop,
        resume: args.resume,
        checkpoint_every: args.checkpoint_every,
    };
    let resumed_at = say_resumed(&config, &execution);
    let steps = config.run.steps;
    let summary = match args.progress {
        ProgressStyle::None => run(&config, &execution, &mut Watch::new(steps, |_| {}))?,
        ProgressStyle::Json => {
            let mut print = Watch::new(steps, |standing| {
                let line = serde_json::to_string(&standing).expect("three numbers");
                // Nobody listens: the comparison that began this run is gone.
                if writeln!(stdout(), "{line}").is_err() {
                    stop.store(true, Ordering::Relaxed);
                }
            });
            return Ok(code_of(&run(&config, &execution, &mut print)?));
        }
        ProgressStyle::Bar => {
            let (settings, optimizer) = (&config.run, config.optimizers());
            let name = format!("{} {} {optimizer} seed {}", settings.env, config.agent, settings.seed);
            let mut view = View::begin(name, steps);
            if let Some(env_steps) = resumed_at {
                view.recall(&dir_of(&config, execution.records), env_steps);
            }
            let summary = run(&config, &execution, &mut view)?;
            view.finish(&outcome(&summary));
            summary
        }
    };
    writeln!(stdout(), "{}", serde_json::to_string_pretty(&summary)?)?;
    say_how_to_go_on(&config, &execution, &summary);
    Ok(code_of(&summary))
}

/// Says on the screen that a run goes on where it stopped, and gives the environment steps of that.
fn say_resumed(config: &RunConfig, execution: &Execution<'_>) -> Option<u64> {
    let dir = dir_of(config, execution.records);
    if execution.force {
        return None;
    }
    let (env_steps, instead) = checkpoint::resumable(&dir, config, execution.resume)?;
    let why = instead.map_or_else(String::new, |why| format!(", from the checkpoint before the last: {why}"));
    let _ = writeln!(std::io::stderr(), "resuming {} at {env_steps} environment steps{why}", dir.display());
    Some(env_steps)
}

/// Says on the screen what takes a run further that did not come to its end.
fn say_how_to_go_on(config: &RunConfig, execution: &Execution<'_>, summary: &Summary) {
    let (how, else_how) = match summary.ended {
        Ended::Finished => return,
        Ended::Stopped => ("the same command goes on", ""),
        Ended::Failed => (
            "where the cause lies outside of the run and is mended, the same command with --resume goes on",
            "; other settings are another run: give --force, or --records for another folder",
        ),
    };
    let dir = dir_of(config, execution.records);
    if let Some((env_steps, _)) = checkpoint::resumable(&dir, config, true) {
        let _ = writeln!(std::io::stderr(), "{how} from the checkpoint at {env_steps} environment steps{else_how}");
    }
}

fn code_of(summary: &Summary) -> u8 {
    match summary.ended {
        Ended::Finished => SUCCESS,
        Ended::Stopped => INTERRUPTED,
        Ended::Failed => FAILED,
    }
}
