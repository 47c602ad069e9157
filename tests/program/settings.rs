//! `egn settings`: every setting with its default and what it does, and the page made of it.

use std::process::{Command, Output};

fn egn(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_egn")).arg("settings").args(args).output().unwrap()
}

fn text(args: &[&str]) -> String {
    let output = egn(args);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_page_of_settings_is_that_of_this_program() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/every-setting.md");
    let is_current = std::fs::read_to_string(page).unwrap() == text(&["--markdown"]);
    assert!(is_current, "stale: egn settings --markdown > docs/every-setting.md");
}

#[test]
fn the_settings_of_a_run_have_the_presets_values() {
    let names = ["--env", "CartPole-v1", "--agent", "a2c", "--optimizer", "egn"];
    let shown = text(&names);
    // presets/a2c-egn.toml, presets/CartPole-v1-a2c-egn.toml, and what neither says.
    for line in ["agent.normalize_advantage = true\n", "critic_optimizer.lr = 0.5\n", "agent.entropy = 0.0\n"] {
        assert!(shown.contains(line), "{line} is not in {shown}");
    }
    assert!(!shown.contains("agent.buffer_size"), "{shown}");
    let rows: serde_json::Value = serde_json::from_str(&text(&[&names[..], &["--json"]].concat())).unwrap();
    let gamma = rows.as_array().unwrap().iter().find(|row| row["key"] == "agent.gamma").unwrap();
    assert_eq!(gamma["description"], "γ, the discount of rewards to come, in [0, 1].");
    assert!(shown.contains(&format!("agent.gamma = {}\n", gamma["defaults"][0]["value"].as_str().unwrap())));
}

#[test]
fn what_agents_share_is_explained_once() {
    let shown = text(&[]);
    assert!(shown.contains("agent.buffer_size = 1000000 (dqn, c51, qrdqn, ddpg, td3, sac)\n"), "{shown}");
    assert_eq!(shown.matches("Transitions remembered, 1 or more.").count(), 1);
    assert!(text(&["--agent", "sac"]).contains("agent.hidden = [256, 256]\n"));
    assert!(text(&["--optimizer", "adam"]).contains("optimizer.lr = 0.001\n"));
}

#[test]
fn unknown_names_are_refused_with_those_that_there_are() {
    for (args, part) in [
        (["--agent", "dqm"], "unknown agent 'dqm'"),
        (["--optimizer", "adm"], "did you mean 'adam'"),
        (["--env", "CartPole-v9"], "did you mean 'CartPole-v1'"),
    ] {
        let output = egn(&args);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(error.contains(part), "{error}");
    }
}
