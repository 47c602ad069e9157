//! `egn`: see `egn --help`.

use std::process::ExitCode;

use clap::Parser;
use egn_rl::{cli::Cli, commands};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    commands::execute(&Cli::parse())
}
