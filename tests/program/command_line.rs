//! The page of the command line, made of what clap knows of it.

use std::{fmt::Write, fs};

use clap::{Arg, ArgAction, Command, CommandFactory};
use egn_rl::cli::Cli;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/command-line.md");

/// Everything before the commands.
const HEAD: &str = "\
# The command line

Written from the program's own help (`EGN_WRITE=1 cargo test --release --test program command_line` writes it; a test
fails when it is stale). `egn help COMMAND` says the same.

Results go to standard output, progress and messages to standard error. Exit codes: 0 success, 1 a run that failed or
was not reproduced, 2 wrong usage, 130 stopped by Ctrl-C.
";

#[test]
fn the_page_of_the_command_line_is_that_of_this_program() {
    let mut page = HEAD.to_owned();
    let mut program = Cli::command();
    program.build();
    for command in program.get_subcommands().filter(|command| command.get_name() != "help") {
        describe(&mut page, command).unwrap();
    }
    if std::env::var_os("EGN_WRITE").is_some() {
        fs::write(PAGE, &page).unwrap();
    }
    let is_current = fs::read_to_string(PAGE).unwrap() == page;
    assert!(is_current, "stale: EGN_WRITE=1 cargo test --release --test program command_line");
}

fn describe(page: &mut String, command: &Command) -> std::fmt::Result {
    let (name, about) = (command.get_name(), command.get_about().unwrap());
    write!(page, "\n## egn {name}\n\n{about}.\n\n| argument | what | unless given |\n|---|---|---|\n")?;
    let is_ours = |argument: &&Arg| !["help", "version"].contains(&argument.get_id().as_str());
    for argument in command.get_arguments().filter(is_ours) {
        let help = argument.get_help().unwrap().to_string().replace('|', "\\|");
        let values = if is_switch(argument) { &[] } else { argument.get_default_values() };
        let default: Vec<_> = values.iter().map(|value| value.to_string_lossy()).collect();
        writeln!(page, "| {} | {help}{} | {} |", written(argument), choices(argument), default.join(","))?;
    }
    Ok(())
}

/// `--records FOLDER`, or `RECORD` where there is no flag.
fn written(argument: &Arg) -> String {
    let value = argument.get_value_names().map_or_else(String::new, |names| names[0].replace('|', "\\|"));
    match argument.get_long() {
        Some(flag) if is_switch(argument) => format!("`--{flag}`"),
        Some(flag) => format!("`--{flag} {value}`"),
        None => format!("`{value}`"),
    }
}

/// Whether the argument takes no value; clap gives such a one the values true and false.
fn is_switch(argument: &Arg) -> bool {
    matches!(argument.get_action(), ArgAction::SetTrue)
}

/// The words among which one chooses, if there are some.
fn choices(argument: &Arg) -> String {
    let words: Vec<String> =
        argument.get_possible_values().iter().map(|word| format!("`{}`", word.get_name())).collect();
    if words.is_empty() || is_switch(argument) {
        return String::new();
    }
    format!(" ({})", words.join(", "))
}
