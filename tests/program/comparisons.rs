//! Many runs side by side: what they leave, how they end, and the rows that are published.

use std::{
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use crate::cli::{SMALL, egn, small, stderr, stdout};

#[test]
fn compare_trains_charts_and_keeps_what_is_done() {
    let folder = tempfile::tempdir().unwrap();
    let args = small(&[
        "compare",
        "--env",
        "CartPole-v1",
        "--agent",
        "ppo",
        "--optimizers",
        "egn,adam",
        "--seeds",
        "11,12",
        "--json",
    ]);
    let output = egn(folder.path(), &args);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let rows: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(rows.as_array().unwrap().len(), 2);
    for file in ["plots/CartPole-v1-ppo.svg", "plots/CartPole-v1-ppo.png"] {
        assert!(folder.path().join(file).metadata().unwrap().len() > 5_000, "{file}");
    }
    let again = egn(folder.path(), &args);
    assert_eq!(again.status.code(), Some(0), "{}", stderr(&again));
    assert_eq!(stderr(&again).matches("kept").count(), 4, "{}", stderr(&again));
    let other_settings = egn(folder.path(), &[&args[..], &["--set", "agent.gamma=0.5"]].concat());
    assert_eq!(other_settings.status.code(), Some(2));
    for part in ["another agent.gamma", "(and 3 more)", "--force", "--records"] {
        assert!(stderr(&other_settings).contains(part), "{part}: {}", stderr(&other_settings));
    }
}

#[test]
fn actor_and_critic_take_optimizers_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let compared =
        ["compare", "--env", "CartPole-v1", "--agent", "a2c", "--seeds", "2", "--optimizers", "adam,adam+egn"];
    let output = egn(folder.path(), &small(&compared));
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stdout(&output).contains("a2c Adam + EGN critic"), "{}", stdout(&output));
    let record = "runs/records/CartPole-v1/a2c/adam+egn/seed-0";
    let summary = std::fs::read_to_string(folder.path().join(record).join("summary.json")).unwrap();
    assert!(summary.contains("\"optimizer\": \"adam+egn\""), "{summary}");
    // The critic's steps are EGN's, the actor's are not.
    let updates = std::fs::read_to_string(folder.path().join(record).join("updates.jsonl")).unwrap();
    let of = |network: &str| updates.lines().find(|line| line.contains(&format!("\"{network}\""))).unwrap().to_owned();
    assert!(of("critic").contains("\"damping\":1.0") && of("actor").contains("\"damping\":null"), "{updates}");
    let verified = egn(folder.path(), &["verify", record]);
    assert_eq!(verified.status.code(), Some(0), "{}", stderr(&verified));
    // The flag says the same.
    let train = ["train", "--env", "CartPole-v1", "--agent", "a2c", "--optimizer", "adam", "--critic-optimizer", "egn"];
    let again = egn(folder.path(), &small(&train));
    assert_eq!(again.status.code(), Some(2));
    assert!(stderr(&again).contains("adam+egn/seed-0"), "{}", stderr(&again));
}

#[test]
fn a_comparison_keeps_what_failed_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let names = ["compare", "--env", "CartPole-v1", "--agent", "ppo", "--optimizers", "adam", "--seeds", "3,4"];
    let failing = ["--set", "optimizer.lr=1e300", "--set", "run.max_failed_updates=5"];
    let args = [&small(&names)[..], &failing].concat();
    let first = egn(folder.path(), &args);
    assert_eq!(first.status.code(), Some(1), "{}", stderr(&first));
    let again = egn(folder.path(), &args);
    assert_eq!(again.status.code(), Some(1), "{}", stderr(&again));
    assert_eq!(stderr(&again).matches("kept: failed earlier").count(), 2, "{}", stderr(&again));
}

#[cfg(unix)]
#[test]
fn runs_whose_comparison_is_killed_stop_and_close_their_records() {
    let folder = tempfile::tempdir().unwrap();
    let record = folder.path().join("runs/records/CartPole-v1/ppo/egn/seed-0");
    let mut child = endless_comparison(folder.path());
    wait_for(|| std::fs::read_to_string(record.join("curve.csv")).is_ok_and(|text| text.lines().count() >= 4));
    child.kill().unwrap();
    child.wait().unwrap();
    wait_for(|| record.join("summary.json").exists());
    let summary = std::fs::read_to_string(record.join("summary.json")).unwrap();
    assert!(summary.contains("\"ended\": \"stopped\""), "{summary}");
}

#[cfg(unix)]
fn endless_comparison(folder: &Path) -> std::process::Child {
    Command::new(env!("CARGO_BIN_EXE_egn"))
        .current_dir(folder)
        .args(["compare", "--env", "CartPole-v1", "--agent", "ppo", "--seeds", "2", "--steps", "100000000"])
        .args(["--eval-every", "1000"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts")
}

#[cfg(unix)]
fn wait_for(mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !done() {
        assert!(Instant::now() < deadline, "not within a minute");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[cfg(unix)]
#[test]
fn ctrl_c_closes_the_records_of_a_comparison() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = endless_comparison(folder.path());
    let record = folder.path().join("runs/records/CartPole-v1/ppo/egn/seed-0");
    wait_for(|| std::fs::read_to_string(record.join("curve.csv")).is_ok_and(|text| text.lines().count() >= 4));
    let interrupt = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(interrupt.success());
    let status = child.wait().unwrap();
    assert_eq!(status.code(), Some(130));
    let summary = std::fs::read_to_string(record.join("summary.json")).unwrap();
    assert!(summary.contains("\"ended\": \"stopped\""), "{summary}");
    assert!(folder.path().join("plots/CartPole-v1-ppo.svg").exists(), "charts can still be drawn");
}

#[test]
fn published_rows_are_trained_again_and_compared() {
    let folder = tempfile::tempdir().unwrap();
    let rows = folder.path().join("rows");
    std::fs::create_dir(&rows).unwrap();
    let command = format!("# egn compare --env CartPole-v1 --agent ppo --optimizers egn --seeds 3 {}", SMALL.join(" "));
    std::fs::write(rows.join("small.csv"), command).unwrap();
    std::fs::write(rows.join("other.csv"), "# egn compare --env 'CartPole-v1").unwrap();
    let verify =
        |extra: &[&str]| egn(folder.path(), &[&["verify", "--published", "rows", "--filter", "small"], extra].concat());

    let none = verify(&[]);
    assert!(none.status.code() == Some(1) && stdout(&none).contains("0 of 3 seeds"), "{}", stdout(&none));
    let written = verify(&["--write", "--records", "kept"]);
    assert!(written.status.success() && stdout(&written).contains("small: 3 seeds written"), "{}", stderr(&written));
    let again = verify(&["--seeds", "1-2"]);
    assert!(again.status.success(), "{}", stderr(&again));
    assert_eq!(stdout(&again), "small: 2 of 2 seeds reproduced\n");
    // Other settings than the built-in ones in the working directory are not the row's.
    std::fs::create_dir(folder.path().join("presets")).unwrap();
    std::fs::write(folder.path().join("presets/ppo-egn.toml"), "[optimizer]\nlambda = 0.7\n").unwrap();
    assert_eq!(stdout(&verify(&["--seeds", "0,1"])), "small: 2 of 2 seeds reproduced\n");

    let path = rows.join("small.csv");
    let text = std::fs::read_to_string(&path).unwrap();
    let part = verify(&["--write", "--records", "kept", "--seeds", "0-0"]);
    assert!(stdout(&part).contains("small: 1 seeds written"), "{}", stderr(&part));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text, "the other seeds stay");

    // A line that is not trained, and one that is not published.
    std::fs::write(&path, text.replace("\n2,", "\n4,")).unwrap();
    let changed = verify(&["--records", "kept"]);
    assert_eq!(changed.status.code(), Some(1));
    let said = stdout(&changed);
    assert!(said.contains("2 of 4 seeds reproduced; not: seed 2, not published, ending at"), "{said}");
    assert!(said.contains("seed 4, published, left no result"), "{said}");
    // A command that trains fewer seeds than are published.
    std::fs::write(&path, text.replace("--seeds 3", "--seeds 2")).unwrap();
    let fewer = verify(&["--records", "kept"]);
    assert!(fewer.status.code() == Some(1) && stdout(&fewer).contains("2 of 3 seeds"), "{}", stdout(&fewer));
    // A digest.
    let (rest, digest) = text.trim_end().rsplit_once(',').unwrap();
    std::fs::write(&path, format!("{rest},{}\n", digest.chars().rev().collect::<String>())).unwrap();
    let forged = verify(&["--records", "kept"]);
    assert!(
        forged.status.code() == Some(1) && stdout(&forged).contains("not: seed 2 in policy"),
        "{}",
        stdout(&forged)
    );
    std::fs::write(&path, format!("{text}{}\n", text.lines().last().unwrap())).unwrap();
    let twice = verify(&[]);
    assert!(
        twice.status.code() == Some(2) && stderr(&twice).contains("seed 2 stands in it twice"),
        "{}",
        stderr(&twice)
    );
    std::fs::write(&path, &text).unwrap();

    for (filter, part) in [("none", "rows holds no row with 'none' in its name"), ("", "a quote is not closed")] {
        let refused = egn(folder.path(), &["verify", "--published", "rows", "--filter", filter]);
        assert!(refused.status.code() == Some(2) && stderr(&refused).contains(part), "{}", stderr(&refused));
    }
    for seeds in ["7-9", "2,7"] {
        let other = verify(&["--seeds", seeds]);
        assert!(
            other.status.code() == Some(2) && stderr(&other).contains("--seeds names 7, which"),
            "{}",
            stderr(&other)
        );
    }
    for option in ["--filter", "--seeds", "--jobs"] {
        let beside = egn(folder.path(), &["verify", "some-record", option, "1"]);
        assert!(
            beside.status.code() == Some(2) && stderr(&beside).contains("cannot be used with"),
            "{}",
            stderr(&beside)
        );
    }
    assert!(stderr(&egn(folder.path(), &["verify"])).contains("--published"));
    let refused = egn(folder.path(), &["verify", "--published", "nowhere"]);
    assert!(refused.status.code() == Some(2) && stderr(&refused).contains("cannot read nowhere"));
}
