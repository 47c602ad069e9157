//! From a command line to the subcommand that it names, and to an exit code.

use std::{
    error::Error,
    io::{ErrorKind, Write, stdout},
    path::Path,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use anyhow::{Context, Result, anyhow};
use egn_agents::{AgentError, Policy};
use egn_solver::{
    Network, OptimizerConfig, OptimizerName, Vectors,
    bench_step::{BenchLoss, median_step_seconds},
};

use crate::{
    cli::{BenchStepArgs, Cli, Command, CompareArgs, EvaluateArgs, PlotArgs, ProgressStyle, TrainArgs},
    commands::{export, list::list, report, verify},
    compare::{
        error::CompareError,
        plan::{Fate, Planned},
        processes::{Jobs, make_runs},
        published::PublishedError,
        writable::check_writable,
    },
    config::{error::ConfigError, run_config::RunConfig, suggest::did_you_mean},
    pictures::{
        film::{
            animation::gif,
            episode::{FilmError, MAX_EPISODES, MAX_FRAMES, drawable, film, frames_per_second},
            strip::png_strip,
        },
        present::present,
    },
    progress::{standing::Watch, view::View},
    record::{
        contents::{Ended, Record, Summary},
        error::RecordError,
        layout::{CONFIG, CURVE},
        reader::find_records,
        writer::write_whole,
    },
    run::{
        checkpoint,
        error::RunError,
        execution::{Execution, admit, dir_of, run},
        initial::pinned,
        saved_policy::SavedPolicy,
    },
    trainer::{
        error::TrainError,
        evaluation::{greedy_returns, summarise},
    },
    workers::pool::n_cores,
};

/// Success.
pub(super) const SUCCESS: u8 = 0;
/// The run failed.
pub(super) const FAILED: u8 = 1;
/// Wrong usage.
pub(super) const USAGE: u8 = 2;
/// Stopped by Ctrl-C, as a shell reports SIGINT.
pub(super) const INTERRUPTED: u8 = 130;

/// Wrong usage, found after the command line was parsed.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Usage(pub String);

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

/// An error and its causes, each of which is told once: many messages hold their cause already.
fn told(error: &anyhow::Error) -> String {
    let add = |told: String, cause: String| if told.contains(&cause) { told } else { format!("{told}: {cause}") };
    error.chain().skip(1).map(ToString::to_string).fold(error.to_string(), add)
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
            list(args.what, &mut stdout().lock())?;
            Ok(SUCCESS)
        }
        Command::Compare(args) => compare(args),
        Command::Plot(args) => plot(args),
        Command::BenchStep(args) => bench_step(args),
    }
}

/// A person's mistake is 2, all else 1.
fn exit_code(error: &anyhow::Error) -> u8 {
    if error.chain().any(is_persons_mistake) { USAGE } else { FAILED }
}

fn is_persons_mistake(cause: &(dyn Error + 'static)) -> bool {
    let record = |error: &RecordError| matches!(error, RecordError::Exists { .. } | RecordError::Changed { .. });
    let training = |error: &TrainError| match error {
        TrainError::Agent(error) => matches!(error, AgentError::ActionSpace { .. } | AgentError::Image { .. }),
        TrainError::Record(error) => record(error),
        _ => false,
    };
    let run = |error: &RunError| match error {
        RunError::Env(_)
        | RunError::Config(_)
        | RunError::Checkpoint { .. }
        | RunError::Initial { .. }
        | RunError::Unfit { .. }
        | RunError::Busy { .. }
        | RunError::InTheWay { .. } => true,
        RunError::Record(error) => record(error),
        RunError::Train(error) => training(error),
        RunError::Policy { .. } | RunError::Folder { .. } => false,
    };
    cause.downcast_ref().is_some_and(run)
        || cause.downcast_ref().is_some_and(record)
        || cause.downcast_ref().is_some_and(|error| match error {
            CompareError::Exists { .. } => true,
            CompareError::Run(error) => run(error),
            CompareError::Folder { .. } => false,
        })
        || matches!(cause.downcast_ref(), Some(FilmError::NoPictures { .. }))
        || cause.is::<ConfigError>()
        || cause.is::<PublishedError>()
        || cause.is::<Usage>()
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .any(|cause| cause.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == ErrorKind::BrokenPipe))
}

/// A flag that Ctrl-C sets; a second Ctrl-C ends the program at once.
pub(crate) fn stop_on_ctrl_c() -> Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = stop.clone();
    ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::Relaxed) {
            std::process::exit(i32::from(INTERRUPTED));
        }
    })
    .context("cannot listen for Ctrl-C")?;
    Ok(stop)
}

fn train(args: &TrainArgs) -> Result<u8> {
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
            let settings = &config.run;
            let name = format!("{} {} {} seed {}", settings.env, settings.agent, settings.optimizer, settings.seed);
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

/// What became of a run, in a few words.
pub(crate) fn outcome(summary: &Summary) -> String {
    let best = summary.best.map_or_else(String::new, |best| format!(", best {:.1}", best.mean));
    match (summary.ended, &summary.error, summary.final_evaluation) {
        (Ended::Finished, _, Some(last)) => {
            let when = summary.threshold.map_or_else(
                || "threshold not reached".to_owned(),
                |threshold| format!("threshold at {} steps", threshold.env_steps),
            );
            let failed = match summary.updates_failed {
                0 => String::new(),
                failed => format!(", {failed} of {} steps changed nothing", summary.updates + failed),
            };
            format!("final {:.1}{best}, {when}, {:.1} CPU s{failed}", last.mean, summary.cpu_seconds)
        }
        (Ended::Failed, Some(error), _) => format!("failed: {error}"),
        (ended, _, _) => format!("{ended:?} after {} steps{best}", summary.env_steps).to_lowercase(),
    }
}

/// The runs of a comparison, each with its record below `records`.
pub(super) fn plan(args: &CompareArgs, records: &Path) -> Result<Vec<Planned>> {
    let pairs = args.optimizers.iter().flat_map(|optimizer| args.seeds.0.iter().map(move |&seed| (optimizer, seed)));
    pairs
        .map(|(optimizer, seed)| Ok(Planned::new(pinned(args.sources(optimizer, seed).resolve()?)?, records)))
        .collect()
}

fn compare(args: &CompareArgs) -> Result<u8> {
    if let Some(message) = args.gainsaid() {
        return Err(anyhow!(Usage(message)));
    }
    let runs = plan(args, &args.settings.records)?;
    if let Some(twice) = (1..runs.len()).find(|&i| runs[..i].contains(&runs[i])) {
        return Err(anyhow!(Usage(format!("--optimizers names {} twice", runs[twice].config.run.optimizer))));
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

fn plot(args: &PlotArgs) -> Result<u8> {
    let (records, errors) = find_records(&args.records);
    errors.iter().for_each(|error| complain(error));
    if records.is_empty() {
        return Err(anyhow!(Usage(format!("no record under {}", args.records.display()))));
    }
    check_writable(&args.plots)?;
    present(records, &args.plots, args.json)?;
    Ok(SUCCESS)
}

pub(super) fn complain(error: &dyn std::fmt::Display) {
    let _ = writeln!(std::io::stderr(), "left out: {error}");
}

fn bench_step(args: &BenchStepArgs) -> Result<u8> {
    let optimizers = OptimizerName::ALL.map(|name| name.to_string());
    let accepted: Vec<&str> = optimizers.iter().map(String::as_str).collect();
    let optimizer = match args.method.parse::<OptimizerName>() {
        Ok(name) => OptimizerConfig::from(name),
        Err(error) => {
            let hint = did_you_mean(&args.method, &accepted);
            return Err(anyhow!(Usage(format!("{error}; accepted: {}{hint}", accepted.join(", ")))));
        }
    };
    let network = relu_network(&args.net)?;
    let loss = args.loss.parse().map_err(|message: String| anyhow!(Usage(message)))?;
    if loss == BenchLoss::Ce && network.n_outputs() < 2 {
        return Err(anyhow!(Usage(format!(
            "loss ce needs a network with 2 outputs or more, and {} has one",
            args.net
        ))));
    }
    let seconds = median_step_seconds(&network, args.batch as usize, loss, &optimizer)?;
    writeln!(stdout(), "{seconds:e}")?;
    Ok(SUCCESS)
}

fn evaluate(args: &EvaluateArgs) -> Result<u8> {
    let SavedPolicy { config, env, policy, .. } = SavedPolicy::open(&args.record, args.which, args.python.as_deref())?;
    if args.gif.is_some() && args.gif == args.png_strip {
        return Err(anyhow!(Usage("--gif and --png-strip name the same file".to_owned())));
    }
    for path in [&args.gif, &args.png_strip].into_iter().flatten() {
        check_file_writable(path)?;
    }
    write_pictures(args, &config, &*policy)?;
    let returns = greedy_returns(&*env.environments, &*policy, args.episodes as usize, args.seed)?;
    let verdict = summarise(0, &returns);
    if args.json {
        let returns = serde_json::json!({
            "episodes": verdict.episodes, "mean": verdict.mean, "std": verdict.std,
            "min": verdict.min, "max": verdict.max, "first_seed": args.seed, "returns": returns,
        });
        writeln!(stdout(), "{returns}")?;
    } else {
        writeln!(
            stdout(),
            "{} greedy episodes: mean {:.2}, std {:.2}, min {:.1}, max {:.1}",
            verdict.episodes,
            verdict.mean,
            verdict.std,
            verdict.min,
            verdict.max
        )?;
    }
    Ok(SUCCESS)
}

/// A folder that is not there is said before anything long.
pub(super) fn check_file_writable(file: &Path) -> Result<()> {
    // Where a link leads.
    let target = std::fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // best/ and checkpoint/ are within a record, too.
    let around = std::fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
    let is_record = |folder: &&Path| [CONFIG, CURVE].iter().all(|name| folder.join(name).exists());
    if let Some(record) = around.ancestors().take(2).find(is_record) {
        let message =
            format!("{} lies within the record {}: name a file outside of it", file.display(), record.display());
        return Err(anyhow!(Usage(message)));
    }
    if std::fs::metadata(&target).is_ok_and(|found| !found.is_file()) {
        // A pipe or a device: nothing is put beside it.
        return Ok(());
    }
    Ok(check_writable(folder)?)
}

/// What `--gif` and `--png-strip` ask for.
fn write_pictures(args: &EvaluateArgs, config: &RunConfig, policy: &dyn Policy) -> Result<()> {
    if args.gif.is_none() && args.png_strip.is_none() {
        return Ok(());
    }
    let (id, mut env) = drawable(&config.run.env, &config.env)?;
    let wanted = if args.gif.is_some() { (args.episodes as usize).min(MAX_EPISODES) } else { 1 };
    let mut films = Vec::new();
    let mut frames_left = MAX_FRAMES;
    while films.len() < wanted && frames_left > 0 {
        let film = film(&mut *env, policy, args.seed + films.len() as u64, frames_left)?;
        frames_left -= film.frames.len();
        films.push(film);
    }
    let cut = if films.iter().any(|film| film.is_cut) { ", the last one cut" } else { "" };
    let write = |path: &Path, picture: Vec<u8>, what: String| -> Result<()> {
        write_whole(path, &picture)?;
        let _ = writeln!(std::io::stderr(), "wrote {}: {what}", path.display());
        Ok(())
    };
    if let Some(path) = &args.gif {
        let episodes = if films.len() == 1 { "1 episode".to_owned() } else { format!("{} episodes", films.len()) };
        write(path, gif(&films, frames_per_second(id))?, format!("{episodes}{cut}"))?;
    }
    if let Some(path) = &args.png_strip {
        write(path, png_strip(&films[0])?, format!("episode with seed {}", args.seed))?;
    }
    Ok(())
}

/// A ReLU network, described as it describes itself.
pub(crate) fn relu_network(text: &str) -> Result<Network> {
    Network::parse(text, egn_solver::Activation::Relu).map_err(|message| anyhow!(Usage(message)))
}
