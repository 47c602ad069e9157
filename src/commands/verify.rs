//! `egn verify RECORD`: a record run again and compared.

use std::{
    io::{Write, stdout},
    path::Path,
};

use anyhow::{Result, anyhow};
use egn_train::{
    record::{contents::Record, outcome::outcome},
    run::{
        execution::Execution,
        saved_policy::read_config,
        verify::{Verdict, verify},
    },
};

use crate::{
    cli::VerifyArgs,
    commands::{ctrl_c::stop_on_ctrl_c, scratch::scratch_folder, verify_published::verify_published},
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
            let ours = env!("CARGO_PKG_VERSION");
            if let Some(recorded) = record.summary {
                if recorded.version != ours {
                    writeln!(stdout(), "it is of version {}, and this program is {ours}", recorded.version)?;
                }
                if recorded.simulator != summary.simulator {
                    let [theirs, here] =
                        [recorded.simulator, summary.simulator].map(|name| name.unwrap_or("none".into()));
                    writeln!(stdout(), "its simulator was {theirs}, and here it is {here}")?;
                }
            }
            // A record that was edited or extended says so.
            for warning in record.warnings {
                writeln!(stdout(), "{warning}")?;
            }
            Ok(FAILED)
        }
        Verdict::Stopped => Ok(INTERRUPTED),
    }
}
