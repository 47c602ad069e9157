//! Where settings come from, and how they are laid upon each other.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use include_dir::{Dir, include_dir};
use toml::{Table, Value};

use crate::config::{
    env_name::EnvName,
    error::ConfigError,
    optimizer_names::OptimizerNames,
    run_config::RunConfig,
    sections::{check_names, merge, name_critic_optimizer, rename_old_keys, section},
};

/// The presets committed in `presets`, so that the program alone has them.
static PRESETS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../presets");

/// Where presets are looked for first; the second is where they were until November 2026.
const PRESET_FOLDERS: [&str; 2] = ["presets", "runs/presets"];

/// Which presets settings start from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Presets {
    /// Files of the working directory, and the built-in ones where it has none.
    #[default]
    Own,
    /// The built-in ones, wherever the program runs.
    BuiltIn,
}

/// Where settings are taken from, weakest first.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// The presets that are looked up where no configuration is given.
    pub presets: Presets,
    /// A configuration in place of the preset; `-` is standard input.
    pub config: Option<PathBuf>,
    /// Flags, as a table of sections.
    pub flags: Table,
    /// `key=value` pairs, in order.
    pub set: Vec<String>,
}

impl Sources {
    /// Merges and checks all settings.
    ///
    /// # Errors
    /// The first setting refused.
    pub fn resolve(&self) -> Result<RunConfig, ConfigError> {
        let mut overrides = Table::new();
        merge(&mut overrides, &self.flags);
        for pair in &self.set {
            set(&mut overrides, pair)?;
            rename_old_keys(&mut overrides)?;
        }
        let mut table = match &self.config {
            Some(path) => read_table(path)?,
            None => preset_for(self.presets, &overrides)?,
        };
        merge(&mut table, &overrides);
        RunConfig::from_table(table)
    }
}

/// `key=value` with a dotted key; the value is TOML, or else text.
fn set(table: &mut Table, pair: &str) -> Result<(), ConfigError> {
    let refuse = || ConfigError::Pair { pair: pair.to_owned() };
    let (key, value) = pair.split_once('=').ok_or_else(refuse)?;
    let (path, name) = key.trim().rsplit_once('.').ok_or_else(refuse)?;
    let text = value.trim();
    let value = format!("value = {text}")
        .parse::<Table>()
        .ok()
        .and_then(|mut parsed| parsed.remove("value"))
        .unwrap_or_else(|| Value::String(text.to_owned()));
    let mut section = table;
    for part in path.split('.') {
        let inner = section.entry(part).or_insert_with(|| Value::Table(Table::new()));
        section = inner.as_table_mut().ok_or_else(refuse)?;
    }
    section.insert(name.to_owned(), value);
    Ok(())
}

/// A TOML file, or standard input for `-`.
fn read_table(path: &Path) -> Result<Table, ConfigError> {
    let text = if path == Path::new("-") { io::read_to_string(io::stdin()) } else { fs::read_to_string(path) };
    let text = text.map_err(|source| ConfigError::Io { path: path.to_owned(), source })?;
    parse(path, &text)
}

fn parse(path: &Path, text: &str) -> Result<Table, ConfigError> {
    let refuse = |message: String| ConfigError::File { path: path.to_owned(), message };
    let mut table: Table =
        text.parse().map_err(|error: toml::de::Error| refuse(error.to_string().trim_end().to_owned()))?;
    // Before it is merged, which would lay a section over what is none.
    let sections = table.keys().try_for_each(|name| section(&table, name).map(drop));
    match sections.and_then(|()| rename_old_keys(&mut table)) {
        Ok(()) => Ok(table),
        Err(error) => Err(refuse(error.to_string())),
    }
}

/// The presets for the names in `overrides`. Two kinds of optimizer start from the presets of
/// either, and take what is written for both together on top.
fn preset_for(presets: Presets, overrides: &Table) -> Result<Table, ConfigError> {
    let mut named = overrides.clone();
    name_critic_optimizer(&mut named)?;
    let run = section(&named, "run")?;
    check_names(&run)?;
    let name = |key: &str| run.get(key).and_then(Value::as_str).unwrap_or_default();
    // By its full name, however it was called.
    let env = name("env").parse::<EnvName>().ok();
    // What agent and optimizer start from everywhere, and upon it what they do on this environment.
    let preset_of = |optimizer: &str| -> Result<Table, ConfigError> {
        let pair = format!("{}-{optimizer}.toml", name("agent"));
        let mut preset = preset_file(presets, &pair)?;
        if let Some(env) = &env {
            merge(&mut preset, &preset_file(presets, &format!("{}-{pair}", env.file_stem()))?);
        }
        Ok(preset)
    };
    let names: OptimizerNames = name("optimizer").parse().expect("the names are checked");
    let mut preset = preset_of(&names.policy.to_string())?;
    if names.differ() {
        take_critic(&mut preset, &preset_of(&names.critic.to_string())?)?;
        merge(&mut preset, &preset_of(&names.to_string())?);
    }
    Ok(preset)
}

/// Replaces what a preset says of the critic, its optimizer and the agent's `critic_…`, by what
/// the preset of another optimizer says of it.
fn take_critic(preset: &mut Table, other: &Table) -> Result<(), ConfigError> {
    let mut critic = section(other, "optimizer")?;
    merge(&mut critic, &section(other, "critic_optimizer")?);
    preset.insert("critic_optimizer".to_owned(), Value::Table(critic));
    let is_critics = |key: &str| key.starts_with("critic_");
    let (mut agent, other) = (section(preset, "agent")?, section(other, "agent")?);
    agent.retain(|key, _| !is_critics(key));
    agent.extend(other.into_iter().filter(|(key, _)| is_critics(key)));
    preset.insert("agent".to_owned(), Value::Table(agent));
    Ok(())
}

/// The file in the working directory, or the built-in one, or nothing.
fn preset_file(presets: Presets, file: &str) -> Result<Table, ConfigError> {
    let mut paths = PRESET_FOLDERS.iter().map(|folder| Path::new(folder).join(file));
    if let Some(path) = paths.find(|path| presets == Presets::Own && path.exists()) {
        return read_table(&path);
    }
    match PRESETS.get_file(file).and_then(|preset| preset.contents_utf8()) {
        Some(text) => parse(Path::new(file), text),
        None => Ok(Table::new()),
    }
}

#[cfg(test)]
mod tests {
    use egn_agents::AgentName;

    use super::*;

    #[test]
    fn an_old_key_and_its_new_name_are_one_key() {
        let names = "env = 'CartPole-v1'\nagent = 'a2c'\noptimizer = 'adam'";
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("old.toml");
        fs::write(&file, format!("[run]\n{names}\n[agent]\nnormalise_advantage = true")).unwrap();
        let resolved = |pair: &str| {
            let set = vec![pair.to_owned()];
            let config = Sources { config: Some(file.clone()), set, ..Default::default() }.resolve().unwrap();
            config.to_toml().contains("normalize_advantage = true")
        };
        assert!(resolved("agent.gamma=0.9"));
        assert!(!resolved("agent.normalize_advantage=false"));
        assert!(!resolved("agent.normalise_advantage=false"));
        let set = ["agent.normalize_advantage=false", "agent.normalise_advantage=true"].map(str::to_owned).to_vec();
        let twice = Sources { config: Some(file.clone()), set, ..Default::default() };
        let message = twice.resolve().unwrap_err().to_string();
        assert!(
            message.contains("agent.normalise_advantage is the older name of agent.normalize_advantage"),
            "{message}"
        );
    }

    #[test]
    fn every_committed_preset_resolves() {
        let mut n_presets = 0;
        for file in PRESETS.files() {
            let name = file.path().to_str().unwrap();
            let mut table: Table = file.contents_utf8().unwrap().parse().unwrap();
            let stem = name.strip_suffix(".toml").unwrap();
            let (rest, optimizer) = stem.rsplit_once('-').unwrap();
            if let Ok(agent) = rest.parse::<AgentName>() {
                // For every environment: the names are in the file's own.
                assert!(!table.contains_key("run"), "{name}");
                let run = format!("env = 'CartPole-v1'\nagent = '{agent}'\noptimizer = '{optimizer}'");
                table.insert("run".into(), Value::Table(run.parse().unwrap()));
                RunConfig::from_table(table).unwrap_or_else(|error| panic!("{name}: {error}"));
            } else {
                let config = RunConfig::from_table(table).unwrap_or_else(|error| panic!("{name}: {error}"));
                let (env, optimizer) = (config.run.env.file_stem(), config.optimizers());
                assert_eq!(stem, format!("{env}-{}-{optimizer}", config.agent));
            }
            n_presets += 1;
        }
        assert!(n_presets >= 4, "{n_presets} presets");
    }
}
