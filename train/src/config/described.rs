//! Every setting with its description and its default.
//!
//! *Design.* A setting is explained once, in the doc comment of the field that holds it, its range
//! included. The derived JSON schema brings these comments here, flattened settings among the rest.

use egn_agents::AgentConfig;
use egn_solver::OptimizerConfig;
use schemars::{JsonSchema, generate::SchemaSettings};
use serde::Serialize;
use serde_json::Value;
use toml::Table;

use crate::config::{
    agent_choice::AgentChoice,
    env_name::EnvSettings,
    run_config::{RunConfig, settings_of, table_of},
    run_settings::RunSettings,
};

/// A setting, as a person looks it up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DescribedSetting {
    /// Section and key, with dots, as after `--set`.
    pub key: String,
    /// Value in a configuration, as it is written in a file; `None` where the setting is unset.
    pub value: Option<String>,
    /// What the setting does and which values it takes.
    pub description: String,
}

impl RunConfig {
    /// Every setting of the agent and the optimizer, section by section, with its value in the
    /// configuration.
    pub fn described(&self) -> Vec<DescribedSetting> {
        let (agent, optimizer) = (self.agent.to_string(), self.optimizers().to_string());
        let mut settings: Vec<DescribedSetting> = [
            ("run.agent", &agent, "Agent (`egn list agents`), or `custom:<name>` in a program that brings its own."),
            (
                "run.optimizer",
                &optimizer,
                "Optimizer (`egn list optimizers`), or the policy's and the critic's: `adam+egn`.",
            ),
        ]
        .map(|(key, name, description)| DescribedSetting {
            key: key.to_owned(),
            value: Some(Value::from(name.as_str()).to_string()),
            description: description.to_owned(),
        })
        .into();
        describe("run", &schema::<RunSettings>(), &table_of(&self.run), &mut settings);
        describe("env", &schema::<EnvSettings>(), &table_of(&self.env), &mut settings);
        if let AgentChoice::BuiltIn(config) = &self.agent {
            let schema = variant(schema::<AgentConfig>(), &agent);
            describe("agent", &schema, &settings_of(config), &mut settings);
        }
        let mut describe_optimizer = |section: &str, config: &OptimizerConfig| {
            let schema = variant(schema::<OptimizerConfig>(), &config.name().to_string());
            describe(section, &schema, &settings_of(config), &mut settings);
        };
        describe_optimizer("optimizer", &self.optimizer);
        if self.agent.settings().is_ok_and(|agent| agent.has_critic()) {
            describe_optimizer("critic_optimizer", self.critic_optimizer());
        }
        settings
    }
}

/// The JSON schema of a type, written out without references.
fn schema<T: JsonSchema>() -> Value {
    let mut settings = SchemaSettings::default();
    settings.inline_subschemas = true;
    settings.into_generator().into_root_schema_for::<T>().to_value()
}

/// The schema of what stands under `name` in an enum of `{ <name> = <settings> }`;
/// null where nothing does.
fn variant(schema: Value, name: &str) -> Value {
    let variants = schema["oneOf"].as_array().into_iter().flatten();
    variants
        .map(|variant| &variant["properties"][name])
        .find(|settings| !settings.is_null())
        .cloned()
        .unwrap_or_default()
}

/// Adds the settings below `path` and those of their own tables.
fn describe(path: &str, schema: &Value, values: &Table, settings: &mut Vec<DescribedSetting>) {
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let (key, value) = (format!("{path}.{name}"), values.get(name));
        let unless_given = Some(&property["default"]).filter(|default| !default.is_null());
        settings.push(DescribedSetting {
            key: key.clone(),
            value: value.map(ToString::to_string).or(unless_given.map(ToString::to_string)),
            description: property["description"].as_str().unwrap_or_default().replace('\n', " "),
        });
        describe(&key, property, value.and_then(|value| value.as_table()).unwrap_or(&Table::new()), settings);
    }
}

#[cfg(test)]
mod tests {
    use egn_agents::AgentName;
    use egn_solver::OptimizerName;

    use super::*;

    fn config(agent: AgentName, optimizer: OptimizerName) -> RunConfig {
        let names = format!("run = {{ env = 'Pendulum-v1', agent = '{agent}', optimizer = '{optimizer}' }}");
        RunConfig::from_toml(&names).unwrap()
    }

    #[test]
    fn every_setting_is_described_in_a_sentence() {
        for &agent in AgentName::ALL {
            for &optimizer in OptimizerName::ALL {
                for DescribedSetting { key, description, .. } in config(agent, optimizer).described() {
                    assert!(description.ends_with('.') && !description.contains("[`"), "{key}: {description}");
                }
            }
        }
    }

    #[test]
    fn every_setting_of_a_file_is_described_with_its_value() {
        for &agent in AgentName::ALL {
            let config = config(agent, OptimizerName::Egn);
            let described = config.described();
            for (key, value) in crate::config::flat_settings(&config.to_toml()) {
                let found = described.iter().find(|setting| setting.key == key);
                let found = found.unwrap_or_else(|| panic!("{agent}: {key} is not described"));
                assert_eq!(found.value.as_ref(), Some(&value).filter(|value| *value != "\"none\""), "{agent}: {key}");
            }
        }
    }

    #[test]
    fn names_that_a_setting_takes_stand_in_its_description() {
        fn check(schema: &Value) {
            for (key, property) in schema["properties"].as_object().into_iter().flatten() {
                let one_of = property["oneOf"].as_array().into_iter().flatten().map(|name| &name["const"]);
                for name in property["enum"].as_array().into_iter().flatten().chain(one_of).filter_map(Value::as_str) {
                    let description = property["description"].as_str().unwrap();
                    assert!(description.contains(&format!("`{name}`")), "{key}: `{name}` is not in: {description}");
                }
                check(property);
            }
        }
        check(&schema::<RunSettings>());
        for &agent in AgentName::ALL {
            check(&variant(schema::<AgentConfig>(), &agent.to_string()));
        }
        for &optimizer in OptimizerName::ALL {
            check(&variant(schema::<OptimizerConfig>(), &optimizer.to_string()));
        }
    }
}
