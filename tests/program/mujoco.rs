//! MuJoCo's tasks as a person meets them, with the library and without.

use std::{
    path::Path,
    process::{Command, Output},
};

use egn_envs::testing;

use crate::cli::{small, stderr, stdout};

const TRAIN: [&str; 7] = ["train", "--env", "Hopper-v5", "--agent", "ppo", "--optimizer", "adam"];

/// Runs the program where `library` is the file of MuJoCo and no Python has one.
fn egn_with(library: &Path, folder: &Path, args: &[&str]) -> Output {
    let mut program = Command::new(env!("CARGO_BIN_EXE_egn"));
    program.current_dir(folder).args(args).env("EGN_MUJOCO", library).env("EGN_PYTHON", "/nowhere/python");
    program.output().expect("egn runs")
}

#[test]
fn a_library_that_is_missing_or_none_is_told_in_a_line_and_nothing_is_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("libmujoco.so");
    std::fs::write(&text, "no library").unwrap();
    for (library, parts) in [
        (
            Path::new("/nowhere/libmujoco.so"),
            &["MuJoCo 4", "/nowhere/python -m pip install mujoco-core", "EGN_MUJOCO=/nowhere/libmujoco.so"][..],
        ),
        (&text, &["libmujoco.so cannot be used as the library of MuJoCo 4", "pip install mujoco-core"]),
    ] {
        let output = egn_with(library, folder.path(), &small(&TRAIN));
        let message = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{message}");
        assert!(parts.iter().all(|part| message.contains(part)), "{message}");
        assert_eq!(message.lines().count(), 1, "{message}");
        assert!(!folder.path().join("runs").exists());
        // What can be said without it is said.
        let listed = egn_with(library, folder.path(), &["list", "envs"]);
        assert_eq!(listed.status.code(), Some(0));
        assert!(stdout(&listed).contains("Hopper-v5") && stdout(&listed).contains("NOT HERE YET"));
    }
}

#[test]
fn a_record_is_read_drawn_and_reported_without_the_library_that_made_it() {
    let Some(mujoco) = testing::mujoco_or_skip() else { return };
    let library = mujoco.path();
    let folder = tempfile::tempdir().unwrap();
    let trained = egn_with(library, folder.path(), &small(&TRAIN));
    assert_eq!(trained.status.code(), Some(0), "{}", stderr(&trained));
    let record = "runs/records/Hopper-v5/ppo/adam/seed-0";
    let filmed = ["evaluate", record, "--episodes", "1", "--gif", "hopper.gif"];
    let output = egn_with(library, folder.path(), &filmed);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(std::fs::read(folder.path().join("hopper.gif")).unwrap().starts_with(b"GIF89a"));

    let nowhere = Path::new("/nowhere");
    let plotted = egn_with(nowhere, folder.path(), &["plot", "runs/records"]);
    assert_eq!(plotted.status.code(), Some(0), "{}", stderr(&plotted));
    let reported = egn_with(nowhere, folder.path(), &["report", "runs/records", "--html", "page.html"]);
    assert_eq!(reported.status.code(), Some(0), "{}", stderr(&reported));
    assert!(std::fs::read_to_string(folder.path().join("page.html")).unwrap().contains("pip install mujoco-core"));
    let evaluated = egn_with(nowhere, folder.path(), &["evaluate", record]);
    assert_eq!(evaluated.status.code(), Some(2));
    assert!(stderr(&evaluated).contains("pip install mujoco-core"), "{}", stderr(&evaluated));
}
