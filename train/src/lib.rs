//! Training runs: settings, environments on threads, the loop, and a record of it on disk.
//!
//! ```
//! use egn_agents::AgentName;
//! use egn_train::{config::{RunConfig, RunSettings}, trainer::Trainer};
//!
//! let config = RunConfig {
//!     run: RunSettings { env: "CartPole-v1".parse()?, steps: 2000, ..RunSettings::default() },
//!     agent: AgentName::A2c.into(),
//!     ..RunConfig::default()
//! };
//! let opened = config.run.env.open(&config.env, None)?;
//! let stop = false.into();
//! let trained = Trainer::new(&config, &*opened.environments, &stop).train(&mut [])?;
//! assert_eq!(trained.env_steps, 2000);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | folder | what it holds |
//! |---|---|
//! | [`config`] | settings, presets, and how they merge; the environment that they name |
//! | [`environments`] | environments stepped together, here or in a child process |
//! | [`workers`] | environments on threads |
//! | [`trainer`] | the loop: collect, learn, evaluate |
//! | [`record`] | a run on disk |
//! | [`run`] | one run from configuration to record, its policy, and whether it can be reproduced |
//! | [`formats`] | a run as TensorBoard reads it, a policy as ONNX |
//! | [`machine`] | whether a run fits into the machine, and what it takes of it |
//!
//! Nothing here knows of a terminal, a command line or a picture: those are
//! the program's, `egn-rl`.

pub mod config;
pub mod environments;
pub mod formats;
pub mod machine;
pub mod record;
pub mod run;
pub mod testing;
pub mod trainer;
pub mod workers;
