//! Every setting, what it does, and what it is unless given.

use std::io::Write;

use anyhow::Result;
use egn_agents::AgentName;
use egn_solver::OptimizerName;
use egn_train::config::{ConfigError, DescribedSetting, RunConfig, Sources};
use serde::Serialize;
use toml::{Table, Value};

use crate::cli::SettingsArgs;

/// Sections of a configuration, in the order in which they are shown.
const SECTIONS: [&str; 5] = ["run", "env", "agent", "optimizer", "critic_optimizer"];

/// An environment without presets, for what is the same in all of them.
const ANY_ENV: &str = "custom:any";

/// A setting, with what it is unless given.
#[derive(Debug, Serialize)]
struct Row {
    key: String,
    description: String,
    defaults: Vec<Unless>,
}

/// A default, and the agents or optimizers that have it, where several are shown.
#[derive(Debug, Serialize)]
struct Unless {
    /// As it is written in a file; `None` where the setting is unset.
    value: Option<String>,
    #[serde(rename = "for")]
    names: Vec<String>,
}

/// Lists the settings of all agents and optimizers, or of those that are asked for.
///
/// # Errors
/// When a name is unknown, or `out` cannot be written.
pub fn settings(args: &SettingsArgs, out: &mut dyn Write) -> Result<()> {
    let rows = rows(args)?;
    if args.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&rows)?)?;
    } else if args.markdown {
        write_markdown(&rows, out)?;
    } else {
        for row in &rows {
            writeln!(out, "{}{}\n    {}", row.key, row.values(" = "), row.description)?;
        }
    }
    Ok(())
}

/// The settings of every run in question, those of the same key and meaning being one.
fn rows(args: &SettingsArgs) -> Result<Vec<Row>, ConfigError> {
    let mut rows: Vec<Row> = Vec::new();
    for config in runs(args)? {
        for DescribedSetting { key, value, description } in config.described() {
            let name = match key.split('.').next() {
                Some("agent") if args.agent.is_none() => config.agent.to_string(),
                Some("optimizer") if args.optimizer.is_none() => config.optimizers().to_string(),
                // It has the settings of `optimizer`.
                Some("critic_optimizer") if !args.is_one_run() => continue,
                _ => String::new(),
            };
            let has_default = match key.as_str() {
                "run.env" => args.env.is_some(),
                "run.agent" => args.agent.is_some(),
                "run.optimizer" => args.optimizer.is_some(),
                _ => true,
            };
            add(&mut rows, key, description, value.filter(|_| has_default), name);
        }
    }
    let section = |row: &Row| SECTIONS.iter().position(|section| row.key.split('.').next() == Some(section));
    rows.sort_by(|a, b| (section(a), &a.key).cmp(&(section(b), &b.key)));
    Ok(rows)
}

/// One run, its presets applied, where agent and optimizer are given; else one for
/// every pair that there may be.
fn runs(args: &SettingsArgs) -> Result<Vec<RunConfig>, ConfigError> {
    let agents = AgentName::ALL.iter().map(ToString::to_string).collect();
    let agents: Vec<String> = args.agent.clone().map_or(agents, |agent| vec![agent]);
    let optimizers = OptimizerName::ALL.iter().map(ToString::to_string).collect();
    let optimizers: Vec<String> = args.optimizer.clone().map_or(optimizers, |optimizer| vec![optimizer]);
    let env = args.env.as_deref().unwrap_or(ANY_ENV);
    let pairs = agents.iter().flat_map(|agent| optimizers.iter().map(move |optimizer| [env, agent, optimizer]));
    pairs
        .map(|names| {
            let names = ["env", "agent", "optimizer"].into_iter().zip(names);
            let run: Table = names.map(|(key, name)| (key.to_owned(), Value::String(name.to_owned()))).collect();
            let flags = Table::from_iter([("run".to_owned(), Value::Table(run))]);
            if args.is_one_run() {
                Sources { flags, ..Sources::default() }.resolve()
            } else {
                RunConfig::from_table(flags)
            }
        })
        .collect()
}

/// Adds a setting of the agent or optimizer `name`, or of all that are shown where that is empty.
fn add(rows: &mut Vec<Row>, key: String, description: String, value: Option<String>, name: String) {
    let index = rows.iter().position(|row| row.key == key && row.description == description).unwrap_or(rows.len());
    if index == rows.len() {
        rows.push(Row { key, description, defaults: Vec::new() });
    }
    let defaults = &mut rows[index].defaults;
    match defaults.iter_mut().find(|default| default.value == value) {
        Some(default) if default.names.contains(&name) || name.is_empty() => {}
        Some(default) => default.names.push(name),
        None => defaults.push(Unless { value, names: Vec::from_iter((!name.is_empty()).then_some(name)) }),
    }
}

impl Row {
    /// The defaults after `sign`, each with the names that have it; nothing for a
    /// setting that all leave unset.
    fn values(&self, sign: &str) -> String {
        let of = |Unless { value, names }: &Unless| {
            let value = value.as_deref().unwrap_or("none");
            if names.is_empty() { value.to_owned() } else { format!("{value} ({})", names.join(", ")) }
        };
        match &self.defaults[..] {
            [Unless { value: None, names }] if names.is_empty() => String::new(),
            defaults => format!("{sign}{}", defaults.iter().map(of).collect::<Vec<_>>().join(", ")),
        }
    }
}

fn write_markdown(rows: &[Row], out: &mut dyn Write) -> std::io::Result<()> {
    writeln!(
        out,
        "# Every setting\n\n\
         Written by `egn settings --markdown > docs/every-setting.md` from the settings' own comments; a test fails\n\
         when it is stale. **Defaults are those before any preset**: `egn settings --agent A --optimizer O --env E`\n\
         shows what a run really gets. [Settings](settings.md) says how they are given. Section `critic_optimizer`\n\
         has the keys of `optimizer`; what it does not set it takes from there."
    )?;
    for section in SECTIONS {
        let of_section = rows.iter().filter(|row| row.key.split('.').next() == Some(section));
        for (i, row) in of_section.enumerate() {
            if i == 0 {
                writeln!(out, "\n## {section}\n\n| key | default | what it is |\n|---|---|---|")?;
            }
            let cells = [format!("`{}`", row.key), row.values(""), row.description.clone()];
            writeln!(out, "| {} |", cells.map(|cell| cell.replace('|', "\\|")).join(" | "))?;
        }
    }
    Ok(())
}
