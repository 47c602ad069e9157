//! From a command line to the subcommand that it names, and to an exit code.

use std::{
    io::{Write, stdout},
    process::ExitCode,
};

use anyhow::Result;
use egn_solver::Vectors;

use crate::{
    cli::{Cli, Command},
    commands::{
        bench_step::bench_step, compare::compare, evaluate::evaluate, export, list::list, plot::plot, report,
        settings::settings, train::train, verify,
    },
    exit_code::{SUCCESS, exit_code, is_broken_pipe, told},
    usage::Usage,
};

/// Carries out a command line and says how it went.
pub fn execute(cli: &Cli) -> ExitCode {
    match dispatch(cli) {
        Ok(code) => ExitCode::from(code),
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: {}", told(&error));
            ExitCode::from(exit_code(&error))
        }
    }
}

fn dispatch(cli: &Cli) -> Result<u8> {
    // Before a kernel asks, which could only panic.
    Vectors::wanted().map_err(|error| Usage(error.to_string()))?;
    match &cli.command {
        Command::Train(args) => train(args),
        Command::Evaluate(args) => evaluate(args),
        Command::Export(args) => export::export(args),
        Command::Report(args) => report::report(args),
        Command::Verify(args) => verify::verify_command(args),
        Command::List(args) => {
            list(args, &mut stdout().lock())?;
            Ok(SUCCESS)
        }
        Command::Settings(args) => {
            settings(args, &mut stdout().lock())?;
            Ok(SUCCESS)
        }
        Command::Compare(args) => compare(args),
        Command::Plot(args) => plot(args),
        Command::BenchStep(args) => bench_step(args),
    }
}
