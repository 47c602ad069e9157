//! Many runs side by side, each a process of its own, so that CPU seconds and memory are its own.
//!
//! *Design.* A run is `egn train --progress json` on the same settings that this process resolved;
//! what it leaves is its record and nothing else. A finished record of equal settings is kept: it
//! is what training again would give, bit for bit.

use std::{
    collections::BTreeSet,
    io::{self, BufRead, BufReader, Read, Write},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use crossbeam::channel::unbounded;
use egn_train::{
    record::{contents::Record, layout::CURVE},
    run::checkpoint,
};
use indicatif::MultiProgress;

use crate::{
    compare::{
        error::CompareError,
        plan::{Fate, Planned},
        writable::check_writable,
    },
    progress::{
        line::Line,
        standing::{Standing, WARNING, warn},
    },
};

/// How runs are carried out.
pub struct Jobs<'a> {
    /// Root of all records.
    pub records: &'a Path,
    /// Whether existing records may be replaced.
    pub force: bool,
    /// Runs side by side.
    pub n_jobs: usize,
    /// The interpreter of Gymnasium's environments, where one was named.
    pub python: Option<&'a Path>,
    /// Flag set from outside: no run is begun after that, and those under way are asked to close.
    pub stop: &'a AtomicBool,
}

/// Makes all runs, `n_jobs` at a time, and shows a line for each.
///
/// # Errors
/// When a record is in the way or a folder cannot be written; nothing has run then.
pub fn make_runs(runs: &[Planned], jobs: &Jobs<'_>) -> Result<Vec<Fate>, CompareError> {
    check_writable(jobs.records)?;
    let kept: Vec<Option<&str>> = runs.iter().map(|run| run.why_kept().filter(|_| !jobs.force)).collect();
    let in_the_way: Vec<&Planned> = runs
        .iter()
        .zip(&kept)
        .filter(|(run, kept)| !jobs.force && kept.is_none() && run.exists() && !run.can_go_on())
        .map(|(run, _)| run)
        .collect();
    if let Some((first, rest)) = in_the_way.split_first() {
        // A checkpoint that cannot be used is in the way for a reason of its own.
        checkpoint::find(&first.dir, &first.config, false).map_err(CompareError::Run)?;
        let what = checkpoint::in_the_way(&first.dir, &first.config);
        return Err(CompareError::Exists { dir: first.dir.clone(), what, n_others: rest.len() });
    }

    let screen = MultiProgress::new();
    let (sender, waiting) = unbounded();
    let mut fates = vec![Fate::Missing; runs.len()];
    for (i, run) in runs.iter().enumerate() {
        if let Some(why) = kept[i] {
            fates[i] = Fate::Kept;
            let mut line = Line::new(run.name());
            screen.add(line.bar().clone());
            line.begin(run.config.run.steps);
            line.finish(why);
        } else {
            // The receiver lives until the end of this function.
            let _ = sender.send(i);
        }
    }
    drop(sender);
    let fates = Mutex::new(fates);
    let children = Mutex::new(Vec::<u32>::new());
    let told = Mutex::new(BTreeSet::new());
    let finished = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| forward_stop(jobs.stop, &children, &finished));
        let workers: Vec<_> = (0..jobs.n_jobs.min(runs.len()))
            .map(|_| {
                scope.spawn(|| {
                    for i in &waiting {
                        if jobs.stop.load(Ordering::Relaxed) {
                            return;
                        }
                        let fate = make_run(&runs[i], jobs, &screen, &children, &told);
                        lock(&fates)[i] = fate;
                    }
                })
            })
            .collect();
        for worker in workers {
            // A panic of ours has shown itself; the run it held stays `Missing`.
            let _ = worker.join();
        }
        finished.store(true, Ordering::Relaxed);
    });
    Ok(lock(&fates).clone())
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// One run in a process of its own.
fn make_run(
    run: &Planned,
    jobs: &Jobs<'_>,
    screen: &MultiProgress,
    children: &Mutex<Vec<u32>>,
    told: &Mutex<BTreeSet<String>>,
) -> Fate {
    let mut line = Line::new(run.name());
    screen.add(line.bar().clone());
    line.begin(run.config.run.steps);
    let mut child = match start(run, jobs) {
        Ok(child) => child,
        Err(error) => {
            line.finish(&format!("could not start: {error}"));
            return Fate::Missing;
        }
    };
    lock(children).push(child.id());
    for text in BufReader::new(child.stdout.take().expect("standard output is piped")).lines().map_while(Result::ok) {
        if let Ok(standing) = serde_json::from_str::<Standing>(&text) {
            line.show(standing);
        }
    }
    let mut complaint = String::new();
    if let Some(mut stderr) = child.stderr.take() {
        // What cannot be read is not worth failing for: the record tells the rest.
        let _ = stderr.read_to_string(&mut complaint);
    }
    // What its environments warned of is said once, whichever run was the first.
    let (warnings, complaint): (Vec<&str>, Vec<&str>) = complaint.lines().partition(|line| line.starts_with(WARNING));
    for warning in warnings.iter().filter_map(|line| line.strip_prefix(WARNING)) {
        if lock(told).insert(warning.to_owned()) {
            screen.suspend(|| warn(warning));
        }
    }
    let id = child.id();
    let status = child.wait();
    lock(children).retain(|&other| other != id);
    match Record::read(&run.dir).ok().and_then(|record| record.summary) {
        Some(summary) => {
            line.finish(&egn_train::record::outcome::outcome(&summary));
            Fate::Ran
        }
        None => {
            let status = status.map_or_else(|error| error.to_string(), |status| status.to_string());
            let last = complaint.iter().rfind(|line| !line.trim().is_empty()).unwrap_or(&"no message");
            let has_begun = run.dir.join(CURVE).exists();
            let what = if has_begun { "broken off, the same command goes on" } else { "no record" };
            line.finish(&format!("{what} ({status}): {last}"));
            if has_begun { Fate::Ran } else { Fate::Missing }
        }
    }
}

fn start(run: &Planned, jobs: &Jobs<'_>) -> io::Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["train", "--config", "-", "--workers", "1", "--progress", "json"]);
    command.arg("--records").arg(jobs.records).args(jobs.force.then_some("--force"));
    if let Some(python) = jobs.python {
        command.arg("--python").arg(python);
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // A group of its own: Ctrl-C reaches this process alone, which passes it on once.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let mut child = command.spawn()?;
    // The settings as this process resolved them, so that no preset is looked for twice.
    let mut stdin = child.stdin.take().expect("standard input is piped");
    stdin.write_all(run.config.to_toml().as_bytes())?;
    Ok(child)
}

/// Once `stop` is set, asks every run under way to close its record.
fn forward_stop(stop: &AtomicBool, children: &Mutex<Vec<u32>>, finished: &AtomicBool) {
    let mut asked: Vec<u32> = Vec::new();
    while !finished.load(Ordering::Relaxed) {
        thread::sleep(Duration::from_millis(50));
        if !stop.load(Ordering::Relaxed) {
            continue;
        }
        for &id in lock(children).iter() {
            if !asked.contains(&id) {
                asked.push(id);
                terminate(id);
            }
        }
    }
}

#[cfg(unix)]
fn terminate(id: u32) {
    // SAFETY: kill has no memory effects; the child has not been waited for while it is listed.
    unsafe {
        libc::kill(id as libc::pid_t, libc::SIGTERM);
    }
}

#[cfg(not(unix))]
fn terminate(_id: u32) {}
