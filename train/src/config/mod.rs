//! A run's settings: where they come from, how they merge, and what is refused.
//!
//! Later ones win: built-in defaults, the preset `<agent>-<optimizer>.toml`, the preset
//! `<env>-<agent>-<optimizer>.toml`, flags, `--set`.
//! A configuration of a record is complete: read back with `--config` it takes the preset's place
//! and reproduces the record.
//!
//! *Design.* Everything merges as TOML tables and becomes types once, at the end, so that a key is
//! declared in one place only: the struct that holds it. The number of workers is no setting of
//! the experiment, since it changes no result, and is not recorded.

pub mod agent_choice;
mod described;
pub mod env_name;
pub mod error;
mod known_envs;
pub mod optimizer_names;
pub mod run_config;
pub mod run_settings;
mod sections;
pub mod sources;
pub mod suggest;

pub use agent_choice::{AgentChoice, CustomAgent};
pub use described::DescribedSetting;
pub use error::ConfigError;
pub use optimizer_names::OptimizerNames;
pub use run_config::{RunConfig, flat_settings};
pub use run_settings::RunSettings;
pub use sources::Sources;
