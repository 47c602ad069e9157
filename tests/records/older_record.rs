//! A record of schema 1 that the program wrote on 24 November 2026 (`egn compare --env CartPole-v1
//! --agent dqn`, EGN's seed 0), before records had event files, `restarted` or `extended_from`: as
//! long as the schema is the same, it can be plotted and reported.

use std::{fs, path::Path, process::Command};

use egn_agents::AgentConfig;
use egn_train::{
    config::{AgentChoice, RunConfig},
    record::{SCHEMA, find_records},
};

fn records() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/record"))
}

#[test]
fn an_older_record_is_read_whole() {
    assert_eq!(SCHEMA, 1, "a new schema needs a record of its own here");
    let (records, errors) = find_records(records());
    assert!(errors.is_empty(), "{errors:?}");
    let [record] = &records[..] else { panic!("one record, not {}", records.len()) };
    assert_eq!(record.warnings, [""; 0]);
    assert_eq!((record.curve.len(), record.final_return()), (51, Some(500.0)));
    assert_eq!(record.settings["agent.gamma"], "0.998");
    assert!(record.reached(475.0).is_some());
}

#[test]
fn an_older_record_still_plots() {
    let folder = tempfile::tempdir().unwrap();
    let egn = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_egn"));
        command.current_dir(folder.path()).arg(args[0]).arg(records()).args(&args[1..]).output().unwrap()
    };
    for args in [["plot", "--plots", "plots"], ["report", "--html", "report.html"]] {
        let output = egn(&args);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let chart = fs::read_to_string(folder.path().join("plots/CartPole-v1-dqn.svg")).unwrap();
    assert!(chart.contains("EGN, 1 seed"));
    // Of its files only those that a chart needs are kept here.
    assert!(fs::read_to_string(folder.path().join("report.html")).unwrap().contains("No film: no record has a policy"));
}

/// The `config.toml` of an A2C run of 27 November 2026, from before keys were
/// spelled the American way.
const OLDER_CONFIG: &str = include_str!("../data/config-a2c.toml");

#[test]
fn an_older_configuration_is_read_by_its_older_keys() {
    assert!(OLDER_CONFIG.contains("normalise_advantage = true"));
    let config = RunConfig::from_toml(OLDER_CONFIG).unwrap();
    let AgentChoice::BuiltIn(AgentConfig::A2c(a2c)) = &config.agent else { panic!("it is of A2C") };
    assert!(a2c.on_policy.normalize_advantage);
    let present = config.to_toml();
    assert!(present.contains("normalize_advantage = true") && !present.contains("normalise"), "{present}");
    assert!(config.is_that_of(OLDER_CONFIG) && config.is_that_of(&present));
}
