//! Runs on Gymnasium's environments that are stopped, broken, or full of words.
//!
//! Runs where `$EGN_PYTHON` or `python3` can import gymnasium, and says so where it cannot. The
//! environments are in `envs/tests/environments/guests.py`.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use egn_train::record::{Ended, Record, Summary, without_clock_fields};

use crate::gymnasium_run::has_gymnasium;

const GUESTS: &str = "gymnasium:guests:Guest-v0";

/// A folder with the record of one run, and the log of its environments.
struct Stay {
    folder: tempfile::TempDir,
    env: &'static str,
    args: Vec<String>,
}

impl Stay {
    /// None where Python has no gymnasium.
    fn of(env: &'static str, how: &str, args: &str) -> Option<Self> {
        if env.starts_with("gymnasium:") && !has_gymnasium() {
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let mut args: Vec<String> = args.split_whitespace().map(str::to_owned).collect();
        if env == GUESTS {
            let log = folder.path().join("log").display().to_string();
            for (key, value) in [("how", format!("{how:?}")), ("log", format!("{log:?}"))] {
                args.extend(["--set".to_owned(), format!("env.kwargs.{key}={value}")]);
            }
            args.extend(["--set".to_owned(), "env.kwargs.max_episode_steps=20".to_owned()]);
        }
        Some(Self { folder, env, args })
    }

    fn command(&self, more: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_egn"));
        let small = "--agent ppo --optimizer egn --envs 2 --set agent.n_steps=32 --set agent.hidden=[8] \
                     --set run.eval_episodes=2 --set run.final_episodes=2 --records";
        command.args(["train", "--env", self.env]).args(small.split_whitespace()).arg(self.folder.path());
        let guests = Path::new(env!("CARGO_MANIFEST_DIR")).join("envs/tests/environments");
        command.args(&self.args).args(more).env("PYTHONPATH", guests).env("PYTHONDONTWRITEBYTECODE", "1");
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        // Whoever runs the tests under `nohup` hands its ignored SIGHUP on.
        let by_default = || {
            // SAFETY: between fork and exec this may be called, and it touches no memory of ours.
            unsafe { libc::signal(libc::SIGHUP, libc::SIG_DFL) };
            Ok(())
        };
        // SAFETY: see above.
        unsafe { command.pre_exec(by_default) };
        command
    }

    fn run(&self, more: &[&str]) -> Output {
        self.command(more).output().unwrap()
    }

    fn record(&self) -> PathBuf {
        self.folder.path().join(self.env).join("ppo/egn/seed-0")
    }

    fn summary(&self) -> Summary {
        Record::read(&self.record()).unwrap().summary.unwrap()
    }

    fn texts(&self) -> BTreeMap<String, String> {
        without_clock_fields(&self.record()).unwrap()
    }

    /// How many environments were made, and how many closed.
    fn made_and_closed(&self) -> [usize; 2] {
        let text = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        ["made", "closed"].map(|what| text.lines().filter(|line| line.starts_with(what)).count())
    }

    /// Starts the run in a process group of its own, and waits until it has evaluated a few times.
    fn begun(&self) -> Child {
        let mut child = self.command(&[]).process_group(0).spawn().unwrap();
        let begun = Instant::now();
        let n_rows = || fs::read_to_string(self.record().join("curve.csv")).map_or(0, |curve| curve.lines().count());
        while n_rows() < 4 {
            assert!(child.try_wait().unwrap().is_none() && begun.elapsed() < Duration::from_secs(60));
            thread::sleep(Duration::from_millis(5));
        }
        child
    }
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn kill(id: i32, signal: i32) {
    // SAFETY: kill has no memory effects; the processes are ours, and not waited for.
    unsafe {
        libc::kill(id, signal);
    }
}

/// Processes that a process has started and that live.
fn children(id: i32) -> Vec<i32> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let parent = |number: &i32| -> Option<i32> {
        let stat = fs::read_to_string(format!("/proc/{number}/stat")).ok()?;
        let mut fields = stat.rsplit(") ").next()?.split(' ');
        (fields.next()? != "Z").then(|| fields.next()?.parse().ok())?
    };
    numbers.filter(|number| parent(number) == Some(id)).collect()
}

/// How a system or a person stops all there is.
#[derive(Debug, Clone, Copy)]
enum Sent {
    /// To the process group, as Ctrl-C and a closed terminal do.
    ToGroup(i32),
    /// To the process, and then to its group, as `timeout` does.
    Twice(i32),
    /// To every process, the youngest first, as Slurm does, which later kills what is left.
    ToAll(i32),
}

impl Sent {
    fn send(self, id: i32) {
        match self {
            Self::ToGroup(signal) => kill(-id, signal),
            Self::Twice(signal) => {
                kill(id, signal);
                thread::sleep(Duration::from_millis(20));
                kill(-id, signal);
            }
            Self::ToAll(signal) => {
                for child in children(id) {
                    kill(child, signal);
                }
                kill(id, signal);
            }
        }
    }
}

#[test]
fn a_signal_to_all_there_is_stops_the_run_which_then_goes_on_as_if_nothing_had_been() {
    let stops = [
        ("CartPole-v1", "", "--steps 250000 --eval-every 5000", Sent::ToGroup(libc::SIGHUP)),
        ("CartPole-v1", "", "--steps 250000 --eval-every 5000", Sent::Twice(libc::SIGTERM)),
        ("gymnasium:CartPole-v1", "", "--steps 6000 --eval-every 1000", Sent::ToGroup(libc::SIGINT)),
        ("gymnasium:CartPole-v1", "", "--steps 6000 --eval-every 1000", Sent::Twice(libc::SIGTERM)),
        ("gymnasium:CartPole-v1", "", "--steps 6000 --eval-every 1000", Sent::ToAll(libc::SIGHUP)),
        (GUESTS, "minds signals", "--steps 6000 --eval-every 1000", Sent::ToAll(libc::SIGTERM)),
    ];
    let mut whole: BTreeMap<&str, BTreeMap<String, String>> = BTreeMap::new();
    for (env, how, args, sent) in stops {
        let Some(stay) = Stay::of(env, how, args) else { return };
        let child = stay.begun();
        sent.send(child.id() as i32);
        let output = child.wait_with_output().unwrap();
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(130), "{env} {sent:?}: {said}");
        assert!(said.contains("the same command goes on from the checkpoint at"), "{env} {sent:?}: {said}");
        assert_eq!(stay.summary().ended, Ended::Stopped);

        let output = stay.run(&[]);
        assert!(output.status.success() && stderr(&output).starts_with("resuming"), "{}", stderr(&output));
        assert!(stay.summary().restarted.is_empty());
        if env == GUESTS {
            // Another folder is another setting.
            let again = stay.texts();
            assert!(stay.run(&["--force"]).status.success());
            assert!(again == stay.texts(), "{env} {sent:?}");
        } else {
            let uninterrupted = whole.entry(env).or_insert_with(|| {
                let left_alone = Stay::of(env, how, args).unwrap();
                assert!(left_alone.run(&[]).status.success());
                left_alone.texts()
            });
            assert!(*uninterrupted == stay.texts(), "{env} {sent:?}");
        }
    }
}

#[test]
fn what_nohup_detached_outlives_its_terminal() {
    let stay = Stay::of("CartPole-v1", "", "--steps 30000 --eval-every 500").unwrap();
    let mut child = Command::new("nohup");
    let command = stay.command(&[]);
    child.arg(command.get_program()).args(command.get_args()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = child.spawn().unwrap();
    while fs::read_to_string(stay.record().join("curve.csv")).map_or(0, |curve| curve.lines().count()) < 4 {
        thread::sleep(Duration::from_millis(5));
    }
    kill(child.id() as i32, libc::SIGHUP);
    assert!(child.wait_with_output().unwrap().status.success());
    assert_eq!(stay.summary().ended, Ended::Finished);
}

#[test]
fn environments_are_closed_however_the_run_ends() {
    let args = "--steps 400 --eval-every 200";
    let Some(stay) = Stay::of(GUESTS, "well", args) else { return };
    assert!(stay.run(&[]).status.success());
    // One to see what it is like, two to train on, two in each of four evaluations, and twice two
    // at the end.
    let [made, closed] = stay.made_and_closed();
    assert!(made >= 3 + 2 * 2 + 2 * 2, "{made}");
    assert_eq!(made, closed, "finished");
    let evaluate = |stay: &Stay| {
        let guests = Path::new(env!("CARGO_MANIFEST_DIR")).join("envs/tests/environments");
        let mut command = Command::new(env!("CARGO_BIN_EXE_egn"));
        command.arg("evaluate").arg(stay.record()).args(["--episodes", "3"]).env("PYTHONPATH", guests).output()
    };
    assert!(evaluate(&stay).unwrap().status.success());
    assert_eq!(stay.made_and_closed(), [made + 4; 2], "evaluated");

    // The third step of the first evaluation.
    let failed = Stay::of(GUESTS, "raises", args).unwrap();
    assert_eq!(failed.run(&[]).status.code(), Some(1));
    let error = failed.summary().error.unwrap();
    for part in ["episode with seed 10000 failed", "step 3: ValueError: my foot is stuck\n  File", "guests.py"] {
        assert!(error.contains(part), "'{error}' lacks '{part}'");
    }
    assert!(!error.contains('\u{1b}'), "{error}");
    let [made, closed] = failed.made_and_closed();
    assert_eq!(made, closed, "failed");

    let stopped = Stay::of(GUESTS, "well", "--steps 100000 --eval-every 1000").unwrap();
    let child = stopped.begun();
    kill(-(child.id() as i32), libc::SIGTERM);
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(130));
    let [made, closed] = stopped.made_and_closed();
    assert_eq!(made, closed, "stopped");

    let mut killed = stopped.command(&["--force"]).spawn().unwrap();
    let begun = Instant::now();
    while stopped.made_and_closed()[0] < made + 3 || children(killed.id() as i32).is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(60));
        thread::sleep(Duration::from_millis(5));
    }
    let orphans = children(killed.id() as i32);
    kill(killed.id() as i32, libc::SIGKILL);
    killed.wait().unwrap();
    let begun = Instant::now();
    while orphans.iter().any(|id| Path::new(&format!("/proc/{id}/environ")).exists()) {
        assert!(begun.elapsed() < Duration::from_secs(20), "{orphans:?} are left behind");
        if orphans.iter().all(|id| fs::read(format!("/proc/{id}/environ")).is_ok_and(|text| text.is_empty())) {
            // Nobody waits for them here: as good as gone.
            break;
        }
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn prints_are_in_the_record_and_warnings_on_the_screen_once() {
    let Some(stay) = Stay::of(GUESTS, "warns", "--steps 400 --eval-every 200") else { return };
    let output = stay.run(&[]);
    assert!(output.status.success());
    let said = stderr(&output);
    for warning in ["the environment warns: WARN: too hot\n", "UserWarning: unstable\n"] {
        assert_eq!(said.matches(warning).count(), 1, "{said}");
    }
    let log = fs::read_to_string(stay.record().join("python.log")).unwrap();
    assert!(log.matches("WARN: too hot\n").count() > 10 && !log.contains('\u{1b}'), "{log}");
    // A record that is begun anew has a log of its own.
    assert!(stay.run(&["--force", "--set", "env.kwargs.how=\"says hello\""]).status.success());
    let log = fs::read_to_string(stay.record().join("python.log")).unwrap();
    assert!(log.contains("good morning\n") && !log.contains("too hot"), "{log}");
    let quiet = Stay::of(GUESTS, "well", "--steps 100 --eval-every 100").unwrap();
    assert!(quiet.run(&[]).status.success());
    assert!(!quiet.record().join("python.log").exists());
}

#[test]
fn a_step_that_takes_too_long_is_named_and_given_more_time_later() {
    let Some(stay) = Stay::of(GUESTS, "slows down", "--steps 300 --eval-every 100") else { return };
    let output = stay.run(&["--set", "env.timeout=0.8"]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let error = stay.summary().error.unwrap();
    for part in ["environment 0 (run seed 0) failed", ", step 20: no answer within 0.8 s (env.timeout", "sleep(1.2)"] {
        assert!(error.contains(part), "'{error}' lacks '{part}'");
    }
    let output = stay.run(&["--set", "env.timeout=30", "--resume"]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(fs::read_to_string(stay.record().join("config.toml")).unwrap().contains("timeout = 30"));
    let resumed = stay.texts();
    assert!(stay.run(&["--set", "env.timeout=30", "--force"]).status.success());
    assert!(stay.texts() == resumed);
    for refused in ["env.timeout=0", "env.reset_timeout=-1", "env.timeout=inf"] {
        let output = stay.run(&["--set", refused, "--force"]);
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        assert!(stderr(&output).contains("above 0"), "{}", stderr(&output));
    }
}
