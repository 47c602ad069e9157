//! The program as a person meets it: exit codes, messages, files.

use std::{
    path::Path,
    process::{Command, Output},
    time::{Duration, Instant},
};

/// Settings that make a run take a moment.
pub const SMALL: [&str; 10] = [
    "--steps",
    "1200",
    "--eval-every",
    "400",
    "--set",
    "run.eval_episodes=2",
    "--set",
    "run.final_episodes=2",
    "--set",
    "agent.hidden=[8]",
];

pub fn egn(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_egn")).current_dir(folder).args(args).output().expect("egn runs")
}

pub fn small<'a>(args: &[&'a str]) -> Vec<&'a str> {
    [args, &SMALL].concat()
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

const TRAIN: [&str; 7] = ["train", "--env", "CartPole-v1", "--agent", "ppo", "--optimizer", "egn"];

#[test]
fn wrong_usage_exits_with_2_and_says_what_is_accepted() {
    let folder = tempfile::tempdir().unwrap();
    for (args, parts) in [
        (
            &["train", "--env", "CartPol-v1", "--agent", "ppo", "--optimizer", "egn"][..],
            &["CartPole-v1", "did you mean"][..],
        ),
        (
            &["train", "--env", "CartPole-v1", "--agent", "pp", "--optimizer", "egn"],
            &["dqn, c51, qrdqn, ddpg, td3, sac, ppo", "did you mean 'ppo'"],
        ),
        (
            &["train", "--env", "CartPole-v1", "--agent", "ppo", "--optimizer", "eng"],
            &["egn, adam", "did you mean 'egn'"],
        ),
        (&["train", "--env", "CartPole-v1", "--agent", "ppo"], &["no optimizer given", "--optimizer"]),
        (&[&TRAIN[..], &["--set", "optimizer.lamda=1"]].concat(), &["unknown field `lamda`", "did you mean 'lambda'"]),
        (&[&TRAIN[..], &["--set", "agent.gamma=2"]].concat(), &["agent.gamma must be in [0, 1], not 2"]),
        (&[&TRAIN[..], &["--steps", "0"]].concat(), &["run.steps must be 1 or more"]),
        (&[&TRAIN[..], &["--sed", "1"]].concat(), &["--seed"]),
        (&["compare", "--env", "CartPole-v1", "--agent", "ppo", "--seeds", "0"], &["from 1 to 1000"]),
        (&["compare", "--env", "CartPole-v1", "--agent", "ppo", "--optimizers", "egn,egn"], &["egn twice"]),
        (&["compare", "--env", "CartPole-v1", "--agent", "ppo", "--set", "run.seed=3"], &["run.seed", "--seeds"]),
        (&[&TRAIN[..], &["--set", "agent.hidden=[4000000, 4000000]"]].concat(), &["GB of memory", "agent.hidden"]),
        (
            &[&TRAIN[..], &["--set", "agent.convolutions={image=[10,10,4],filters=[16]}"]].concat(),
            &["agent.convolutions.image is [10, 10, 4], 400 numbers, and an observation has 4"],
        ),
        (
            &["train", "--env", "CartPole-v1", "--agent", "sac", "--optimizer", "egn"],
            &["CartPole-v1: agent 'sac' needs bounded continuous actions", "egn list agents"],
        ),
        (&[&TRAIN[..], &["--overlap"]].concat(), &["run.overlap is for agents with a replay memory"]),
        (&[&TRAIN[..], &["--steps", "-1"]].concat(), &["-1", "--steps"]),
        (
            &["train", "--env", "CartPole-v1", "--agent", "dqn", "--optimizer", "egn", "--steps", "50"],
            &["agent.learning_starts must be below run.steps, 50"],
        ),
        (&[&TRAIN[..], &["--init-from", "nowhere"]].concat(), &["cannot start from nowhere"]),
        (&["bench-step", "4-0", "32", "mse", "egn"], &["4-64-64-2"]),
        (&["bench-step", "4-1", "32", "ce", "egn"], &["2 outputs or more"]),
        (&["bench-step", "4-2", "32", "mse", "adm"], &["did you mean 'adam'"]),
        (&["plot", "nowhere"], &["nowhere"]),
        (&["evaluate", "nowhere"], &["nowhere"]),
    ] {
        let output = egn(folder.path(), args);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", stderr(&output));
        for part in parts {
            assert!(stderr(&output).contains(part), "{args:?}: '{}' lacks '{part}'", stderr(&output));
        }
    }
    // Compare makes its folder for charts sure before it looks at settings;
    // nothing else is left behind.
    let left = std::fs::read_dir(folder.path()).unwrap().filter(|f| f.as_ref().unwrap().file_name() != "plots");
    assert_eq!(left.count(), 0);
}

#[test]
fn a_policy_is_evaluated_with_the_statistics_it_was_trained_with() {
    let folder = tempfile::tempdir().unwrap();
    let output = egn(folder.path(), &small(&[&TRAIN[..], &["--set", "env.normalize_observation=true"]].concat()));
    let summary: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    let record = "runs/records/CartPole-v1/ppo/egn/seed-0";
    for (which, folder_of_policy, judged) in [("last", "", "final"), ("best", "best", "best")] {
        let args = ["evaluate", record, "--which", which, "--episodes", "2", "--json"];
        let verdict: serde_json::Value = serde_json::from_str(&stdout(&egn(folder.path(), &args))).unwrap();
        assert_eq!(verdict["mean"], summary[judged]["mean"]);
        let file = Path::new(record).join(folder_of_policy).join("normalizer.safetensors");
        std::fs::remove_file(folder.path().join(&file)).unwrap();
        let without = egn(folder.path(), &args);
        assert_eq!(without.status.code(), Some(1));
        assert!(stderr(&without).contains(file.to_str().unwrap()), "{}", stderr(&without));
    }
}

#[test]
fn train_evaluate_and_plot_work_on_one_record() {
    let folder = tempfile::tempdir().unwrap();
    let train = small(&TRAIN);
    let output = egn(folder.path(), &train);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let summary: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(summary["ended"], "finished");
    let record = "runs/records/CartPole-v1/ppo/egn/seed-0";

    // The policy on disk is the one that was judged.
    let again = egn(folder.path(), &["evaluate", record, "--episodes", "2", "--json"]);
    assert_eq!(again.status.code(), Some(0), "{}", stderr(&again));
    let verdict: serde_json::Value = serde_json::from_str(&stdout(&again)).unwrap();
    assert_eq!(verdict["mean"], summary["final"]["mean"]);
    let best = egn(folder.path(), &["evaluate", record, "--which", "best", "--episodes", "2", "--json"]);
    let verdict: serde_json::Value = serde_json::from_str(&stdout(&best)).unwrap();
    assert_eq!(verdict["mean"], summary["best"]["mean"]);

    // An existing record is not overwritten, and is still whole after the refusal.
    let before = std::fs::read(folder.path().join(record).join("curve.csv")).unwrap();
    let refused = egn(folder.path(), &train);
    assert_eq!(refused.status.code(), Some(2));
    assert!(stderr(&refused).contains("--force"), "{}", stderr(&refused));
    assert_eq!(std::fs::read(folder.path().join(record).join("curve.csv")).unwrap(), before);

    // Its configuration reruns it.
    let config = format!("{record}/config.toml");
    let rerun = egn(folder.path(), &["train", "--config", &config, "--records", "other"]);
    assert_eq!(rerun.status.code(), Some(0), "{}", stderr(&rerun));
    let other = folder.path().join("other/CartPole-v1/ppo/egn/seed-0");
    for file in ["episodes.csv", "updates.jsonl", "policy.safetensors", "config.toml"] {
        let read = |dir: &Path| std::fs::read(dir.join(file)).unwrap();
        assert!(read(&folder.path().join(record)) == read(&other), "{file} differs");
    }

    // A broken record is named, and the others are drawn.
    std::fs::write(other.join("curve.csv"), "env_steps,nonsense\n1,2\n").unwrap();
    std::fs::create_dir_all(folder.path().join("runs/records/broken")).unwrap();
    std::fs::rename(&other, folder.path().join("runs/records/broken/seed-0")).unwrap();
    let plot = egn(folder.path(), &["plot", "runs/records"]);
    assert_eq!(plot.status.code(), Some(0), "{}", stderr(&plot));
    assert!(stderr(&plot).contains("broken/seed-0"), "{}", stderr(&plot));
    assert!(folder.path().join("plots/CartPole-v1-ppo.svg").exists());
}

#[test]
fn a_stopped_run_is_not_taken_further_unasked() {
    let folder = tempfile::tempdir().unwrap();
    let args = small(&TRAIN);
    assert!(egn(folder.path(), &args).status.success());
    // As Ctrl-C leaves it.
    let summary = folder.path().join("runs/records/CartPole-v1/ppo/egn/seed-0/summary.json");
    let text = std::fs::read_to_string(&summary).unwrap();
    assert!(text.contains("\"finished\""));
    std::fs::write(&summary, text.replace("\"finished\"", "\"stopped\"")).unwrap();
    let longer: Vec<&str> = args.iter().map(|&word| if word == "1200" { "9000" } else { word }).collect();
    let refused = egn(folder.path(), &longer);
    assert_eq!(refused.status.code(), Some(2), "{}", stderr(&refused));
    assert!(stderr(&refused).contains("another run.steps; --resume takes it further from"), "{}", stderr(&refused));
    assert!(egn(folder.path(), &[&longer[..], &["--resume"]].concat()).status.success());
}

#[test]
fn what_is_written_for_a_person_destroys_no_record() {
    let folder = tempfile::tempdir().unwrap();
    assert!(egn(folder.path(), &small(&TRAIN)).status.success());
    let record = "runs/records/CartPole-v1/ppo/egn/seed-0";
    for args in [
        &["export", record, "--format", "onnx", "--out", &format!("{record}/config.toml")][..],
        &["export", record, "--format", "safetensors", "--out", &format!("{record}/best/policy.safetensors")],
        &["evaluate", record, "--episodes", "1", "--gif", &format!("{record}/policy.safetensors")],
        &["report", "runs", "--html", &format!("{record}/summary.json")],
    ] {
        let output = egn(folder.path(), args);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", stderr(&output));
        assert!(stderr(&output).contains("within the record"), "{args:?}: {}", stderr(&output));
    }
    let twice = egn(folder.path(), &["evaluate", record, "--gif", "film", "--png-strip", "film"]);
    assert_eq!(twice.status.code(), Some(2), "{}", stderr(&twice));
    assert!(egn(folder.path(), &["verify", record]).status.success());

    // A policy of NaN acts on nothing.
    let policy = folder.path().join(record).join("policy.safetensors");
    let mut bytes = std::fs::read(&policy).unwrap();
    let end = bytes.len();
    bytes[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    std::fs::write(&policy, bytes).unwrap();
    let evaluated = egn(folder.path(), &["evaluate", record]);
    assert!(stderr(&evaluated).contains("parameters are NaN or infinite"), "{}", stderr(&evaluated));
    assert_eq!(evaluated.status.code(), Some(1));
}

#[cfg(unix)]
#[test]
fn a_link_stays_a_link_and_a_pipe_a_pipe() {
    let folder = tempfile::tempdir().unwrap();
    assert!(egn(folder.path(), &small(&TRAIN)).status.success());
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("page.html"), "").unwrap();
    std::os::unix::fs::symlink("page.html", at("link.html")).unwrap();
    assert!(egn(folder.path(), &["report", "runs", "--html", "link.html"]).status.success());
    assert!(std::fs::symlink_metadata(at("link.html")).unwrap().is_symlink());
    assert!(std::fs::read_to_string(at("page.html")).unwrap().starts_with("<!"));
    // One that leads nowhere yet, and one into a record.
    std::os::unix::fs::symlink("new.html", at("to-new.html")).unwrap();
    assert!(egn(folder.path(), &["report", "runs", "--html", "to-new.html"]).status.success());
    assert!(std::fs::symlink_metadata(at("to-new.html")).unwrap().is_symlink() && at("new.html").exists());
    let summary = "runs/records/CartPole-v1/ppo/egn/seed-0/summary.json";
    std::os::unix::fs::symlink(summary, at("into.html")).unwrap();
    let refused = egn(folder.path(), &["report", "runs", "--html", "into.html"]);
    assert_eq!(refused.status.code(), Some(2), "{}", stderr(&refused));
    let status = Command::new("mkfifo").arg(at("pipe")).status().unwrap();
    assert!(status.success());
    let reader = std::thread::spawn({
        let pipe = at("pipe");
        move || std::fs::read(pipe).unwrap()
    });
    assert!(egn(folder.path(), &["report", "runs", "--html", "pipe"]).status.success());
    assert_eq!(reader.join().unwrap(), std::fs::read(at("page.html")).unwrap());
}

#[test]
fn a_folder_that_cannot_be_written_is_said_before_training() {
    let folder = tempfile::tempdir().unwrap();
    // A file where a folder must be: refused to root as well.
    std::fs::write(folder.path().join("taken"), "").unwrap();
    for args in [
        [&TRAIN[..], &["--records", "taken/records"]].concat(),
        vec!["compare", "--env", "CartPole-v1", "--agent", "ppo", "--records", "taken/records"],
        vec!["compare", "--env", "CartPole-v1", "--agent", "ppo", "--plots", "taken/plots"],
    ] {
        let started = Instant::now();
        let output = egn(folder.path(), &args);
        assert_eq!(output.status.code(), Some(1), "{args:?}: {}", stderr(&output));
        assert!(stderr(&output).contains("taken"), "{}", stderr(&output));
        assert!(started.elapsed() < Duration::from_secs(5), "{args:?} trained first");
    }
}

#[test]
fn a_record_is_reproduced_and_one_that_was_changed_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let trained = egn(folder.path(), &small(&TRAIN));
    assert!(trained.status.success(), "{}", stderr(&trained));
    let record = "runs/records/CartPole-v1/ppo/egn/seed-0";
    let again = egn(folder.path(), &["verify", record, "--workers", "2"]);
    assert_eq!((again.status.code(), stdout(&again).contains("reproduced bit for bit")), (Some(0), true));
    let summary = folder.path().join(record).join("summary.json");
    let written = std::fs::read_to_string(&summary).unwrap();
    let version = format!("\"version\": \"{}\"", env!("CARGO_PKG_VERSION"));
    assert!(written.contains(&version), "{written}");
    std::fs::write(&summary, written.replace(&version, "\"version\": \"0.0.1\"")).unwrap();
    let older = egn(folder.path(), &["verify", record]);
    assert_eq!(older.status.code(), Some(1));
    assert!(stdout(&older).contains("it is of version 0.0.1, and this program is"), "{}", stdout(&older));
    std::fs::write(&summary, written).unwrap();
    let curve = folder.path().join(record).join("curve.csv");
    let text = std::fs::read_to_string(&curve).unwrap();
    let (before, last) = text.trim_end().rsplit_once('\n').unwrap();
    let mut fields: Vec<&str> = last.split(',').collect();
    let episodes = 3;
    fields[episodes] = "19";
    std::fs::write(&curve, format!("{before}\n{}\n", fields.join(","))).unwrap();
    let changed = egn(folder.path(), &["verify", record]);
    assert_eq!(changed.status.code(), Some(1));
    assert!(stdout(&changed).contains("curve.csv differ"), "{}", stdout(&changed));
    std::fs::write(&curve, text + "9,9,9,9,9,9,9,9\n").unwrap();
    let broken = egn(folder.path(), &["verify", record]);
    assert_eq!(broken.status.code(), Some(1));
    assert!(stderr(&broken).contains("curve.csv:"), "{}", stderr(&broken));
}

#[test]
fn lists_name_everything_that_can_be_trained() {
    let folder = tempfile::tempdir().unwrap();
    for (what, names) in
        [("envs", &["CartPole-v1"][..]), ("agents", &["dqn", "ppo"]), ("optimizers", &["egn", "adam", "sgd"])]
    {
        let output = egn(folder.path(), &["list", what]);
        assert_eq!(output.status.code(), Some(0));
        for name in names {
            assert!(stdout(&output).contains(name), "{what}: {}", stdout(&output));
        }
    }
}

#[test]
fn bench_step_prints_seconds_last() {
    let folder = tempfile::tempdir().unwrap();
    let output = egn(folder.path(), &["bench-step", "4-8-2", "16", "mse_selected", "egn"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let seconds: f64 = stdout(&output).lines().last().unwrap().parse().unwrap();
    assert!(seconds > 0.0 && seconds < 0.1, "{seconds}");
}

#[test]
fn a_report_is_one_page_with_a_film() {
    let folder = tempfile::tempdir().unwrap();
    assert!(egn(folder.path(), &small(&TRAIN)).status.success());
    let report = egn(folder.path(), &["report", "runs/records", "--html", "report.html"]);
    assert!(report.status.success(), "{}", stderr(&report));
    let page = std::fs::read_to_string(folder.path().join("report.html")).unwrap();
    assert!(page.contains("data:image/gif;base64,R0lGOD") && page.contains("best policy of ppo EGN, seed 0"));
    let empty = egn(folder.path(), &["report", "plots", "--html", "x.html"]);
    assert_eq!(empty.status.code(), Some(2), "{}", stderr(&empty));
}
