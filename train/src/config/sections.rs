//! The sections of a configuration: how they are found, laid upon each other and named.

use egn_agents::AgentName;
use egn_solver::OptimizerName;
use toml::{Table, Value};

use crate::config::{
    env_name::{CUSTOM, EnvName, is_folder},
    error::ConfigError,
    known_envs::accepted_envs,
    optimizer_names::OptimizerNames,
};

/// Settings that had another name before, as section, old and present key. Presets and records from
/// before can be read for good.
const RENAMED: [(&str, &str, &str); 1] = [("agent", "normalise_advantage", "normalize_advantage")];

/// Gives every setting its present name, so that tables of different age can
/// be laid upon each other.
///
/// # Errors
/// When a setting is given by both names.
pub(super) fn rename_old_keys(table: &mut Table) -> Result<(), ConfigError> {
    for (section, old, key) in RENAMED {
        let Some(Value::Table(settings)) = table.get_mut(section) else { continue };
        let Some(value) = settings.remove(old) else { continue };
        if settings.insert(key.to_owned(), value).is_some() {
            return Err(ConfigError::Twice { section, old, key });
        }
    }
    Ok(())
}

/// The value that takes a setting back to its default.
pub(super) const UNSET: &str = "none";

/// Whether a value takes its setting back to the default.
pub(super) fn is_unset(value: &Value) -> bool {
    value.as_str() == Some(UNSET)
}

/// Moves `critic_optimizer.name` into `run.optimizer`, where it stands as `<policy>+<critic>`.
///
/// # Errors
/// When the two name different optimizers for the critic.
pub(super) fn name_critic_optimizer(table: &mut Table) -> Result<(), ConfigError> {
    let Some(Value::Table(critic)) = table.get_mut("critic_optimizer") else { return Ok(()) };
    let name = match critic.remove("name") {
        Some(name) if !is_unset(&name) => name.as_str().map_or_else(|| name.to_string(), str::to_owned),
        Some(_) | None => return Ok(()),
    };
    let Some(Value::Table(run)) = table.get_mut("run") else { return Ok(()) };
    let Some(Value::String(optimizer)) = run.get_mut("optimizer") else { return Ok(()) };
    match optimizer.split_once('+') {
        Some((_, critic)) if critic != name => Err(ConfigError::TwoCritics { optimizer: optimizer.clone(), name }),
        Some(_) => Ok(()),
        None => {
            *optimizer = format!("{optimizer}+{name}");
            Ok(())
        }
    }
}

pub(super) fn section(table: &Table, name: &str) -> Result<Table, ConfigError> {
    match table.get(name) {
        None => Ok(Table::new()),
        Some(Value::Table(section)) => Ok(section.clone()),
        Some(other) => Err(ConfigError::Section { name: name.to_owned(), found: other.to_string() }),
    }
}

/// Lays `over` upon `table`, section by section. A moving schedule replaces
/// the one before it whole.
pub(super) fn merge(table: &mut Table, over: &Table) {
    for (key, value) in over {
        match (table.get_mut(key), value) {
            (Some(Value::Table(section)), Value::Table(value)) if !value.contains_key("kind") => merge(section, value),
            _ => {
                table.insert(key.clone(), value.clone());
            }
        }
    }
}

/// Refuses unknown names with the accepted ones, and missing ones with the flag that gives them.
pub(super) fn check_names(run: &Table) -> Result<(), ConfigError> {
    let agents = AgentName::ALL.iter().map(ToString::to_string).collect();
    let optimizers = OptimizerName::ALL.iter().map(ToString::to_string).collect();
    for (key, accepted) in [("env", vec![accepted_envs()]), ("agent", agents), ("optimizer", optimizers)] {
        match run.get(key) {
            Some(Value::String(name)) if key == "env" => {
                name.parse::<EnvName>().map_err(|_| ConfigError::UnknownEnv { name: name.clone() })?;
            }
            Some(Value::String(name)) if key == "agent" && name.strip_prefix(CUSTOM).is_some_and(is_folder) => {}
            Some(Value::String(name)) if key == "agent" && accepted.contains(name) => {}
            Some(Value::String(names)) if key == "optimizer" => {
                let unknown = |name| ConfigError::Unknown { what: key, name, accepted };
                names.parse::<OptimizerNames>().map_err(unknown)?;
            }
            Some(name) => {
                let name = name.as_str().map_or_else(|| name.to_string(), str::to_owned);
                return Err(ConfigError::Unknown { what: key, name, accepted });
            }
            None => return Err(ConfigError::Missing { key, accepted }),
        }
    }
    Ok(())
}
