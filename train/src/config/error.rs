//! Why settings are refused.

use std::{io, path::PathBuf};

use egn_agents::AgentName;
use egn_envs::EnvError;
use egn_solver::SettingError;

use crate::config::{
    known_envs::{accepted_envs, nearest_env},
    suggest::did_you_mean,
};

/// Why settings are refused. Every message names the setting and what is accepted.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A setting is out of its range.
    #[error("{section}.{source}")]
    Setting {
        /// Section of the setting.
        section: &'static str,
        /// The setting.
        source: SettingError,
    },
    /// A setting is unknown, or of the wrong type.
    #[error("{setting}: {message}")]
    Type {
        /// Section and key, or the section alone where the key is unknown.
        setting: String,
        /// What is expected.
        message: String,
    },
    /// A setting is given by its present name and by an older one.
    #[error("{section}.{old} is the older name of {section}.{key}; give one of them")]
    Twice {
        /// Section of the setting.
        section: &'static str,
        /// The older name.
        old: &'static str,
        /// The present name.
        key: &'static str,
    },
    /// A section, an environment, an agent or an optimizer has no such name.
    #[error("unknown {what} '{name}'; accepted: {}{}", accepted.join(", "), did_you_mean(name, accepted))]
    Unknown {
        /// Kind of thing that was named.
        what: &'static str,
        /// The name.
        name: String,
        /// The names that there are.
        accepted: Vec<String>,
    },
    /// No environment has such a name.
    #[error("unknown env '{name}'; accepted: {}{}", accepted_envs(), nearest_env(name))]
    UnknownEnv {
        /// The name.
        name: String,
    },
    /// The environment, the agent or the optimizer is not given.
    #[error("no {key} given; --{key} takes one of {}", accepted.join(", "))]
    Missing {
        /// What is missing, as key of section `run` and as flag.
        key: &'static str,
        /// The names that there are.
        accepted: Vec<String>,
    },
    /// What should be a section is a value.
    #[error("'{name}' is a section, not {found}")]
    Section {
        /// The section.
        name: String,
        /// The value.
        found: String,
    },
    /// What was given to `--set` is no pair.
    #[error("--set takes section.key=value, such as optimizer.lr=3e-4, not '{pair}'")]
    Pair {
        /// What was given.
        pair: String,
    },
    /// A text is not TOML.
    #[error(transparent)]
    Syntax(#[from] toml::de::Error),
    /// The environment refuses its settings.
    #[error("env.kwargs: {0}")]
    Kwargs(#[source] EnvError),
    /// An agent of a program's own cannot be recorded under its name with its settings.
    #[error("agent custom:{name}: {message}")]
    CustomAgent {
        /// Name of the agent.
        name: String,
        /// Why the agent cannot be recorded.
        message: String,
    },
    /// An agent without a critic has settings for one.
    #[error("agent {agent} has no critic: it takes one optimizer, and no section critic_optimizer")]
    NoCritic {
        /// The agent.
        agent: String,
    },
    /// Two names are given for the critic's optimizer.
    #[error("optimizer {optimizer} names the critic's already, and critic_optimizer.name is {name}; give one of them")]
    TwoCritics {
        /// Names of the policy's optimizer and the critic's.
        optimizer: String,
        /// The other name of the critic's.
        name: String,
    },
    /// Environments are to step while the agent learns, but the agent learns from its present
    /// policy alone.
    #[error(
        "run.overlap is for agents with a replay memory ({}); {agent} learns from what its present policy did",
        .with_replay.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    )]
    NoReplay {
        /// The agent.
        agent: String,
        /// The agents that may.
        with_replay: Vec<AgentName>,
    },
    /// The run is over before the first update.
    #[error("agent.learning_starts must be below run.steps, {steps}, not {learning_starts}: nothing would be learned")]
    NothingLearned {
        /// Steps without an update at the beginning.
        learning_starts: u64,
        /// Steps of the run.
        steps: u64,
    },
    /// The run does not fit into this machine's memory.
    #[error(
        "this run would need about {:.0} GB of memory and the machine has {:.0}: lower agent.batch_size, \
         agent.hidden, run.envs, or what the agent remembers (agent.buffer_size, agent.n_steps)",
        needed / 1e9,
        total / 1e9
    )]
    Memory {
        /// Bytes that the run needs.
        needed: f64,
        /// Bytes that there are.
        total: f64,
    },
    /// A file is not TOML.
    #[error("{} is not a configuration: {message}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with the file.
        message: String,
    },
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}
