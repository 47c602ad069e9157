//! The settings of a run, complete and checked.

use std::{collections::BTreeMap, fmt::Display};

use egn_agents::{AgentError, AgentName, AgentSettings, Normalizer, ObservationNormalizer, RewardNormalizer};
use egn_envs::EnvError;
use egn_solver::{EgnConfig, OptimizerConfig, SettingError};
use serde::{Serialize, de::DeserializeOwned};
use toml::{Table, Value};

use crate::config::{
    agent_choice::{AgentChoice, CustomAgent},
    env_name::{CUSTOM, EnvName, EnvSettings},
    error::ConfigError,
    optimizer_names::OptimizerNames,
    run_settings::RunSettings,
    sections::{UNSET, check_names, is_unset, merge, name_critic_optimizer, rename_old_keys, section},
    suggest::unknown_key,
};

/// Sections of a configuration.
const SECTIONS: [&str; 5] = ["run", "env", "agent", "optimizer", "critic_optimizer"];

/// Everything that decides a record; by default CartPole-v1 is learned by DQN with EGN.
///
/// ```
/// use egn_agents::{AgentConfig, a2c::A2cConfig};
/// use egn_solver::{AdamConfig, OptimizerConfig};
/// use egn_train::config::{RunConfig, RunSettings};
///
/// let config = RunConfig {
///     run: RunSettings { env: "Pendulum-v1".parse()?, steps: 50_000, ..RunSettings::default() },
///     agent: AgentConfig::A2c(A2cConfig { gae_lambda: 0.9, ..A2cConfig::default() }).into(),
///     optimizer: OptimizerConfig::Adam(AdamConfig { lr: 1e-3.into(), ..AdamConfig::default() }),
///     ..RunConfig::default()
/// };
/// config.validate()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct RunConfig {
    /// Section `run`.
    pub run: RunSettings,
    /// Section `env`.
    pub env: EnvSettings,
    /// Section `agent`, and its name in section `run`.
    pub agent: AgentChoice,
    /// Section `optimizer`, and its name in section `run`: of the policy, or of the only network.
    pub optimizer: OptimizerConfig,
    /// Section `critic_optimizer`: the critic's optimizer, where it differs from `optimizer`, of
    /// the same kind or another.
    pub critic_optimizer: Option<OptimizerConfig>,
}

impl Default for RunConfig {
    fn default() -> Self {
        Self {
            run: RunSettings::default(),
            env: EnvSettings::default(),
            agent: AgentName::Dqn.into(),
            optimizer: OptimizerConfig::Egn(EgnConfig::default()),
            critic_optimizer: None,
        }
    }
}

impl RunConfig {
    /// A complete or partial configuration, defaults for what is missing.
    ///
    /// # Errors
    /// The first setting refused.
    pub fn from_table(mut table: Table) -> Result<Self, ConfigError> {
        if let Some(key) = table.keys().find(|key| !SECTIONS.contains(&key.as_str())) {
            let accepted = SECTIONS.map(str::to_owned).to_vec();
            return Err(ConfigError::Unknown { what: "section", name: key.clone(), accepted });
        }
        rename_old_keys(&mut table)?;
        name_critic_optimizer(&mut table)?;
        let mut run = section(&table, "run")?;
        check_names(&run)?;
        let [agent, optimizer] = ["agent", "optimizer"].map(|key| run.remove(key));
        let [agent, optimizer] =
            [&agent, &optimizer].map(|name| name.as_ref().and_then(Value::as_str).unwrap_or_default());
        let run: RunSettings = typed("run", run)?;
        let names: OptimizerNames = optimizer.parse().expect("the names are checked");
        let base = section(&table, "optimizer")?;
        // One of another kind starts from its own defaults.
        let mut critic = if names.differ() { Table::new() } else { base.clone() };
        merge(&mut critic, &section(&table, "critic_optimizer")?);
        let (optimizer, critic): (OptimizerConfig, OptimizerConfig) =
            (tagged("optimizer", names.policy, base)?, tagged("critic_optimizer", names.critic, critic)?);
        let mut env = section(&table, "env")?;
        if let Some(Value::Table(kwargs)) = env.get_mut("kwargs") {
            kwargs.retain(|_, value| !is_unset(value));
        }
        let config = Self {
            env: typed("env", env)?,
            agent: agent_of(agent, section(&table, "agent")?)?,
            critic_optimizer: Some(critic).filter(|critic| *critic != optimizer),
            optimizer,
            run: RunSettings { eval_every: Some(run.eval_every()), ..run },
        };
        config.validate()?;
        Ok(config)
    }

    /// Parses a configuration.
    ///
    /// # Errors
    /// When `text` is not TOML, or the first setting refused.
    pub fn from_toml(text: &str) -> Result<Self, ConfigError> {
        Self::from_table(text.parse::<Table>()?)
    }

    /// Whether `text` is a configuration of this very run, whoever wrote it and however.
    pub fn is_that_of(&self, text: &str) -> bool {
        Self::from_toml(text).is_ok_and(|config| config.to_toml() == self.to_toml())
    }

    /// The complete configuration, from which [`RunConfig::from_toml`] makes one of the same run.
    pub fn to_toml(&self) -> String {
        let mut run = table_of(&RunSettings { eval_every: Some(self.run.eval_every()), ..self.run.clone() });
        run.insert("agent".to_owned(), Value::String(self.agent.to_string()));
        run.insert("optimizer".to_owned(), Value::String(self.optimizers().to_string()));
        let agent = match &self.agent {
            AgentChoice::BuiltIn(agent) => settings_of(agent),
            AgentChoice::Custom(agent) => agent.settings.clone(),
        };
        let optimizer = settings_of(&self.optimizer);
        let mut critic_optimizer = settings_of(self.critic_optimizer());
        // What only the critic leaves unset must not come back from `optimizer`.
        for key in optimizer.keys().filter(|_| !self.optimizers().differ()) {
            critic_optimizer.entry(key).or_insert_with(|| Value::String(UNSET.to_owned()));
        }
        let sections = [run, table_of(&self.env), agent, optimizer, critic_optimizer];
        let mut table: Table = SECTIONS.map(str::to_owned).into_iter().zip(sections.map(Value::Table)).collect();
        if self.critic_optimizer.is_none() && !self.agent.settings().is_ok_and(|agent| agent.has_critic()) {
            table.remove("critic_optimizer");
        }
        if self.env == EnvSettings::default() {
            // Most environments are run as they are.
            table.remove("env");
        }
        table.to_string()
    }

    /// Checks that settings are in their ranges and go together; those of another program's
    /// agent are taken as they are.
    ///
    /// # Errors
    /// The first setting that is not.
    pub fn validate(&self) -> Result<(), ConfigError> {
        within("run", self.run.validate())?;
        within("env", self.env.validate())?;
        self.try_kwargs()?;
        if let Ok(settings) = self.agent.settings() {
            self.validate_agent(settings)?;
        }
        within("optimizer", self.optimizer.validate())?;
        within("critic_optimizer", self.critic_optimizer().validate())
    }

    fn validate_agent(&self, settings: &dyn AgentSettings) -> Result<(), ConfigError> {
        within("agent", settings.validate())?;
        let RunSettings { steps, overlap, .. } = self.run;
        if overlap && !settings.has_replay() {
            let with_replay = AgentName::ALL.iter().copied().filter(|agent| agent.has_replay()).collect();
            return Err(ConfigError::NoReplay { agent: self.agent.to_string(), with_replay });
        }
        if let Some(learning_starts) = settings.learning_starts().filter(|&starts| starts >= steps) {
            return Err(ConfigError::NothingLearned { learning_starts, steps });
        }
        if self.critic_optimizer.is_some() && !settings.has_critic() {
            return Err(ConfigError::NoCritic { agent: self.agent.to_string() });
        }
        Ok(())
    }

    /// The names of the optimizers, by which records, charts and tables know the run.
    pub fn optimizers(&self) -> OptimizerNames {
        OptimizerNames { policy: self.optimizer.name(), critic: self.critic_optimizer().name() }
    }

    /// The critic's optimizer.
    pub fn critic_optimizer(&self) -> &OptimizerConfig {
        self.critic_optimizer.as_ref().unwrap_or(&self.optimizer)
    }

    /// A normalizer as section `env` asks for, which has seen nothing yet; γ is the agent's.
    ///
    /// # Errors
    /// When rewards are to be normalized and the agent is another program's.
    pub fn normalizer(&self, n_observations: usize) -> Result<Normalizer, AgentError> {
        let EnvSettings { normalize_observation, normalize_reward, clip_observation, clip_reward, .. } = self.env;
        let gamma = || self.agent.settings().map(AgentSettings::gamma);
        let rewards = |gamma| RewardNormalizer::new(self.run.envs, gamma, clip_reward);
        Ok(Normalizer {
            observations: normalize_observation.then(|| ObservationNormalizer::new(n_observations, clip_observation)),
            rewards: normalize_reward.then(gamma).transpose()?.map(rewards),
        })
    }

    /// Whether one of our environments takes its settings; of others it is not known here.
    fn try_kwargs(&self) -> Result<(), ConfigError> {
        match &self.run.env {
            EnvName::Registered(id) => {
                match self.env.values().and_then(|values| id.make_with(&values, None)) {
                    // A record can be read where MuJoCo is not; a run says so when it opens it.
                    Ok(_) | Err(EnvError::Mujoco(_)) => Ok(()),
                    Err(refused) => Err(ConfigError::Kwargs(refused)),
                }
            }
            EnvName::Gymnasium(_) | EnvName::Custom(_) => Ok(()),
        }
    }
}

/// Every setting of a configuration but the seed, as `section.key` and its value; a configuration
/// that this program would refuse is taken as it stands.
pub fn flat_settings(text: &str) -> BTreeMap<String, String> {
    fn flatten(table: &Table, path: &str, settings: &mut BTreeMap<String, String>) {
        for (key, value) in table {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            match value {
                // A schedule is one setting.
                Value::Table(inner) if !inner.contains_key("kind") => flatten(inner, &path, settings),
                value => {
                    settings.insert(path, value.to_string());
                }
            }
        }
    }
    let resolved = RunConfig::from_toml(text).map(|config| config.to_toml());
    let is_config = resolved.is_ok();
    let mut settings = BTreeMap::new();
    if let Ok(mut table) = resolved.as_deref().unwrap_or(text).parse::<Table>() {
        if is_config {
            // Left out where it says nothing new.
            table.entry("env").or_insert_with(|| Value::Table(table_of(&EnvSettings::default())));
        }
        flatten(&table, "", &mut settings);
    }
    settings.remove("run.seed");
    settings
}

/// The settings of an agent without its name.
pub(super) fn settings_of(named: &impl Serialize) -> Table {
    let settings = table_of(named).into_iter().next().and_then(|(_, settings)| settings.try_into().ok());
    settings.expect("agents and optimizers are written as their name and their settings")
}

pub(super) fn table_of(settings: &impl Serialize) -> Table {
    Table::try_from(settings).expect("settings are numbers, names and lists")
}

/// The agent of this name with these settings; another program's refuses them later.
fn agent_of(name: &str, mut settings: Table) -> Result<AgentChoice, ConfigError> {
    match name.strip_prefix(CUSTOM) {
        Some(custom) => {
            settings.retain(|_, value| !is_unset(value));
            Ok(AgentChoice::Custom(CustomAgent { name: custom.to_owned(), settings, algorithm: None }))
        }
        None => Ok(AgentChoice::BuiltIn(tagged("agent", name, settings)?)),
    }
}

/// A refusal that says which section the setting is in.
fn within(section: &'static str, result: Result<(), SettingError>) -> Result<(), ConfigError> {
    result.map_err(|source| ConfigError::Setting { section, source })
}

/// What serde says without the names of Rust's types.
fn in_words(message: &str) -> String {
    let Some((found, expected)) = message.split_once(", expected ") else { return message.to_owned() };
    let expected = match expected {
        "usize" | "u64" | "u32" => "a whole number, 0 or more",
        "f64" => "a number",
        other if other.starts_with("struct ") => "a table of settings",
        other => other,
    };
    format!("{found}, expected {expected}")
}

/// The settings of a section; `none` takes one back to its default.
fn typed<T: DeserializeOwned>(section: &str, table: Table) -> Result<T, ConfigError> {
    read(section, table, Value::Table)
}

/// The settings of a section whose keys depend on a name, as one of several types: `{ <name> =
/// <section> }`.
fn tagged<T: DeserializeOwned>(section: &str, name: impl Display, table: Table) -> Result<T, ConfigError> {
    read(section, table, |table| Value::Table(Table::from_iter([(name.to_string(), Value::Table(table))])))
}

/// What is read from `shape` of the settings in a section.
fn read<T: DeserializeOwned>(
    section: &str,
    mut table: Table,
    shape: impl Fn(Table) -> Value,
) -> Result<T, ConfigError> {
    table.retain(|_, value| !is_unset(value));
    T::deserialize(shape(table.clone())).map_err(|error| {
        let message = in_words(&unknown_key(error.message()));
        // serde does not say which key has the wrong value: it is the one
        // without which all is well.
        let key = table.keys().find(|key| {
            let mut without = table.clone();
            without.remove(*key);
            T::deserialize(shape(without)).is_ok()
        });
        let setting = match key {
            Some(key) if !message.contains("unknown field") => format!("{section}.{key}"),
            _ => section.to_owned(),
        };
        ConfigError::Type { setting, message }
    })
}

#[cfg(test)]
mod tests {
    use egn_solver::{AdamConfig, OptimizerName};

    use super::*;
    use crate::config::sources::Sources;

    fn sources(set: &[&str]) -> Sources {
        let names = ["run.env=CartPole-v1", "run.agent=ppo", "run.optimizer=egn"];
        Sources { set: names.iter().chain(set).map(ToString::to_string).collect(), ..Sources::default() }
    }

    fn message(set: &[&str]) -> String {
        sources(set).resolve().expect_err("this must be refused").to_string()
    }

    #[test]
    fn a_resolved_configuration_reads_back_as_itself() {
        for &optimizer in OptimizerName::ALL {
            for &agent in AgentName::ALL {
                // With the presets, one of which leaves the critic's KL limit unset.
                let set = [format!("run.optimizer={optimizer}"), format!("run.agent={agent}")];
                let config = sources(&[&set[0], &set[1]]).resolve().unwrap();
                assert_eq!(RunConfig::from_toml(&config.to_toml()).unwrap(), config);
            }
        }
    }

    #[test]
    fn a_configuration_made_of_structs_is_read_back_with_nothing_left_open() {
        let adam = |lr: f64| OptimizerConfig::Adam(AdamConfig { lr: lr.into(), ..AdamConfig::default() });
        let ppo = AgentChoice::from(AgentName::Ppo);
        let egn = OptimizerConfig::Egn(EgnConfig { kl_limit: None, ..EgnConfig::default() });
        let critics = [(&ppo, None), (&ppo, Some(adam(0.5))), (&ppo, Some(egn)), (&RunConfig::default().agent, None)];
        for (agent, critic_optimizer) in critics {
            let agent = agent.clone();
            let config = RunConfig { agent, optimizer: adam(0.1), critic_optimizer, ..RunConfig::default() };
            config.validate().unwrap();
            let read = RunConfig::from_toml(&config.to_toml()).unwrap();
            assert_eq!(read.run.eval_every, Some(2000));
            assert_eq!(RunConfig { run: config.run.clone(), ..read }, config);
        }
    }

    #[test]
    fn keyword_arguments_are_part_of_the_record() {
        let set = ["run.env=gymnasium:LunarLander-v3", "env.kwargs.gravity=-5.0", "env.kwargs.enable_wind=true"];
        let config = sources(&set).resolve().unwrap();
        assert_eq!(serde_json::to_string(&config.env.kwargs).unwrap(), r#"{"enable_wind":true,"gravity":-5.0}"#);
        assert_eq!(RunConfig::from_toml(&config.to_toml()).unwrap(), config);
        let unset = sources(&[&set[..], &["env.kwargs.gravity=none"]].concat()).resolve().unwrap();
        assert_eq!(unset.env.kwargs.len(), 1);
        assert!(!sources(&[]).resolve().unwrap().to_toml().contains("[env"));
    }

    #[test]
    fn later_sources_win_and_none_takes_back() {
        let OptimizerConfig::Egn(egn) = sources(&["optimizer.lambda=0.5"]).resolve().unwrap().optimizer else {
            panic!("egn was asked for")
        };
        assert_eq!(egn.lambda, 0.5.into());
        let config = sources(&["optimizer.kl_limit=0.1", "optimizer.kl_limit=none"]).resolve().unwrap();
        let OptimizerConfig::Egn(egn) = config.optimizer else { panic!("egn was asked for") };
        assert_eq!(egn.kl_limit, None);
    }

    #[test]
    fn the_critic_takes_what_it_does_not_set_from_the_optimizer() {
        let table = "run = { env = 'CartPole-v1', agent = 'ppo', optimizer = 'egn' }
            optimizer = { lambda = 0.25, kl_limit = 0.01 }
            critic_optimizer = { lr = 0.5, kl_limit = 'none' }";
        let config = RunConfig::from_toml(table).unwrap();
        let OptimizerConfig::Egn(egn) = config.critic_optimizer() else { panic!("egn was asked for") };
        assert_eq!((egn.lambda, egn.lr, egn.kl_limit), (0.25.into(), 0.5.into(), None));
    }

    #[test]
    fn the_critic_may_have_an_optimizer_of_another_kind() {
        let resolve = |set: &[&str]| sources(&[&["run.agent=trpo"], set].concat()).resolve().unwrap();
        let pair = resolve(&["run.optimizer=adam+egn"]);
        assert_eq!(pair, resolve(&["run.optimizer=adam", "critic_optimizer.name=egn"]));
        assert_eq!(resolve(&["run.optimizer=adam"]), resolve(&["run.optimizer=adam", "critic_optimizer.name=none"]));
        assert_eq!(pair, RunConfig::from_toml(&pair.to_toml()).unwrap());
        assert_eq!(pair.optimizers().to_string(), "adam+egn");
        // Each from the presets of its own kind, the agent's from the policy's but for its critic's
        // part.
        let (adam, egn) = (resolve(&["run.optimizer=adam"]), resolve(&[]));
        assert_eq!((&pair.optimizer, pair.critic_optimizer()), (&adam.optimizer, egn.critic_optimizer()));
        let keys = ["agent.n_steps", "agent.gae_lambda", "agent.critic_epochs"];
        let [pair_s, adam_s, egn_s] = [&pair, &adam, &egn].map(|config| {
            let settings = flat_settings(&config.to_toml());
            keys.map(|key| settings[key].clone())
        });
        assert_eq!((&pair_s[..2], &pair_s[2]), (&adam_s[..2], &egn_s[2]));
        assert_ne!(adam_s[2], egn_s[2]);
        // On top of both stands what is written for the pair.
        let ppo = sources(&["run.optimizer=adam+egn"]).resolve().unwrap();
        assert_eq!(flat_settings(&ppo.to_toml())["agent.critic_epochs"], "2");
        for (set, part) in [
            (&["run.optimizer=adam+eng"][..], "unknown optimizer 'eng'"),
            (&["run.optimizer=adam+egn", "critic_optimizer.name=sgd"], "optimizer adam+egn names the critic's already"),
            (&["critic_optimizer.name=adm"], "unknown optimizer 'adm'"),
            (&["run.optimizer=adam+egn", "critic_optimizer.beta1=0.5"], "critic_optimizer: unknown field `beta1`"),
            (&["run.agent=dqn", "run.optimizer=adam+egn"], "agent dqn has no critic: it takes one optimizer"),
        ] {
            assert!(message(set).contains(part), "{set:?}: {}", message(set));
        }
    }

    #[test]
    fn an_agent_without_critic_takes_no_settings_for_one() {
        let set = ["run.agent=dqn", "critic_optimizer.lr=0.5"];
        assert!(message(&set).contains("agent dqn has no critic"), "{}", message(&set));
        assert!(!sources(&set[..1]).resolve().unwrap().to_toml().contains("[critic_optimizer]"));
    }

    #[test]
    fn refusals_name_the_setting_and_what_is_accepted() {
        for (set, parts) in [
            ("run.env=CartPole-v2", &["unknown env 'CartPole-v2'", "CartPole-v1", "did you mean 'CartPole-v1'"][..]),
            (
                "run.optimizer=adm",
                &[
                    "unknown optimizer 'adm'",
                    "egn, adam, adamw, rmsprop, sgd, lion, schedule-free, muon, soap, kron, sgn",
                    "did you mean 'adam'",
                ],
            ),
            ("optimizer.lrr=1", &["optimizer", "unknown field `lrr`", "did you mean 'lr'"]),
            ("optimizer.lr=fast", &["optimizer.lr"]),
            ("optimizer.lambda=-1", &["optimizer.lambda must be 0 or more and finite, not -1"]),
            ("optimizer.kl_limit=0", &["optimizer.kl_limit must be positive and finite, not 0.0"]),
            ("optimizer.line_search=true", &["optimizer.line_search", "expected a table of settings"]),
            ("agent.n_steps=-1", &["agent.n_steps", "expected a whole number, 0 or more"]),
            ("agent.gamma=1.5", &["agent.gamma must be in [0, 1], not 1.5"]),
            ("run.envs=0", &["run.envs must be from 1 to 4096, not 0"]),
            ("optimiser.lr=1", &["unknown section 'optimiser'", "did you mean 'optimizer'"]),
            ("lr=1", &["--set takes section.key=value"]),
            ("run.env=gymnasium:", &["unknown env 'gymnasium:'", "gymnasium:<id>"]),
            ("run.overlap=true", &["run.overlap is for agents with a replay memory (dqn,", "ppo learns from"]),
            ("env.kwarg.g=1", &["env", "unknown field `kwarg`", "did you mean 'kwargs'"]),
            ("env.clip_reward=0", &["env.clip_reward must be above 0, not 0"]),
            ("env.normalise_reward=true", &["env", "unknown field", "did you mean 'normalize_reward'"]),
            ("env.kwargs.g=1", &["env.kwargs", "no setting \"g\"", "sutton_barto_reward"]),
            (
                "env.kwargs.sutton_barto_reward=yes",
                &["env.kwargs", "sutton_barto_reward is \"yes\"; accepted: true or false"],
            ),
            ("run.env=LunarLander-v3", &["unknown env", "; Python runs it as 'gymnasium:LunarLander-v3'"]),
            ("agent.hidden=-3", &["agent.hidden", "a width or a list of widths"]),
            ("agent.hidden=[3.5]", &["agent.hidden", "expected a whole number, 0 or more"]),
        ] {
            let message = message(&[set]);
            for part in parts {
                assert!(message.contains(part), "{set}: '{message}' lacks '{part}'");
            }
        }
    }
}
