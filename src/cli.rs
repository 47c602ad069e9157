//! The command line: words to settings.

use std::path::PathBuf;

use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum};
use egn_train::{
    config::{run_settings::FINAL_SEED, sources::Sources},
    trainer::setup::Interval,
};
use toml::{Table, Value};

use crate::values::{MAX_INTEGER, Seeds, count, interval, name};

/// Reinforcement learning by exact Gauss-Newton: train, compare with Adam, plot.
#[derive(Debug, Parser)]
#[command(name = "egn", version, about, propagate_version = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What a person types after `egn`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Train one agent and write its record.
    Train(TrainArgs),
    /// Train every optimizer over the same seeds, and chart them against each other.
    Compare(CompareArgs),
    /// Redraw charts and table from records alone.
    Plot(PlotArgs),
    /// Show records as one page for a browser.
    Report(ReportArgs),
    /// Play greedy episodes with a record's policy.
    Evaluate(EvaluateArgs),
    /// Write a record's greedy policy for other programs to run.
    Export(ExportArgs),
    /// Run a record's configuration, or a published table's, again and say
    /// whether it is reproduced.
    Verify(VerifyArgs),
    /// Show what can be trained.
    List(ListArgs),
    /// Show every setting, what it does and what it is unless given.
    Settings(SettingsArgs),
    /// Time one optimizer step; the last line is the median in seconds.
    BenchStep(BenchStepArgs),
}

/// Settings that `train` and `compare` share.
#[derive(Debug, Clone, Args)]
pub struct SettingArgs {
    /// Environment steps, all environments together: 100000, 100_000, 1e5 or 100k.
    #[arg(long, value_parser = count)]
    pub steps: Option<u64>,
    /// Environments that step side by side.
    #[arg(long, value_parser = count)]
    pub envs: Option<u64>,
    /// Environment steps between two evaluations.
    #[arg(long, value_parser = count)]
    pub eval_every: Option<u64>,
    /// Number type of the networks: f32 or f64.
    #[arg(long)]
    pub precision: Option<String>,
    /// Step environments while the agent learns, its policy exactly one rollout
    /// behind (off-policy agents).
    #[arg(long)]
    pub overlap: bool,
    /// Optimizer of the critics, where it is another than the policy's; `--optimizer adam+egn` says
    /// both.
    #[arg(long, value_name = "OPTIMIZER")]
    pub critic_optimizer: Option<String>,
    /// Any setting, as section.key=value: optimizer.lr=3e-4, agent.gamma=0.98; `none` unsets.
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Python interpreter for `gymnasium:` environments, and whose package may have MuJoCo;
    /// EGN_PYTHON or python3 unless given.
    #[arg(long, value_name = "FILE")]
    pub python: Option<PathBuf>,
    /// Root folder of the records.
    #[arg(long, default_value = "runs/records", value_name = "FOLDER")]
    pub records: PathBuf,
    /// Replace existing records.
    #[arg(long)]
    pub force: bool,
}

impl SettingArgs {
    /// Section `run` of what the flags say.
    fn run_table(&self) -> Table {
        let mut run = Table::new();
        let numbers = [("steps", self.steps), ("envs", self.envs), ("eval_every", self.eval_every)];
        for (key, value) in numbers {
            value.map(|value| run.insert(key.into(), Value::Integer(i64::try_from(value).unwrap_or(i64::MAX))));
        }
        if self.overlap {
            run.insert("overlap".into(), Value::Boolean(true));
        }
        self.precision.as_ref().map(|name| run.insert("precision".into(), Value::String(name.clone())));
        run
    }

    /// Where settings come from, besides what the flags say for section `run`.
    fn sources(&self, run: Table, config: Option<PathBuf>) -> Sources {
        let mut flags = Table::from_iter([("run".to_owned(), Value::Table(run))]);
        if let Some(name) = &self.critic_optimizer {
            let critic = Table::from_iter([("name".to_owned(), Value::String(name.clone()))]);
            flags.insert("critic_optimizer".to_owned(), Value::Table(critic));
        }
        Sources { config, flags, set: self.set.clone(), ..Sources::default() }
    }
}

/// `egn train`.
#[derive(Debug, Args)]
#[command(allow_negative_numbers = true)]
pub struct TrainArgs {
    /// Environment id, such as CartPole-v1 (`egn list envs`), or `gymnasium:<id>` for Python's.
    #[arg(long)]
    pub env: Option<String>,
    /// Agent, such as ppo (`egn list agents`).
    #[arg(long)]
    pub agent: Option<String>,
    /// Optimizer, such as egn (`egn list optimizers`), or the policy's and the critic's: adam+egn.
    #[arg(long)]
    pub optimizer: Option<String>,
    /// Seed of every random stream.
    #[arg(long, value_parser = clap::value_parser!(u64).range(..=MAX_INTEGER))]
    pub seed: Option<u64>,
    /// Start from a configuration, such as a record's config.toml, in place of the preset;
    /// `-` reads standard input.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Start with the networks of this record, policy and critics, rather than with random ones.
    #[arg(long, value_name = "RECORD")]
    pub init_from: Option<PathBuf>,
    /// Threads that step environments; no result depends on it.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=1024))]
    pub workers: u64,
    /// Go on from the checkpoint of a record that failed or, with more --steps, of one that
    /// finished. One that was stopped or killed goes on without being told.
    #[arg(long, conflicts_with = "force")]
    pub resume: bool,
    /// Environment steps between two checkpoints, such as 10000, or time, such as 30s.
    #[arg(long, default_value = "30s", value_parser = interval, value_name = "STEPS|SECONDSs")]
    pub checkpoint_every: Interval,
    /// How progress is shown.
    #[arg(long, value_enum, default_value_t = ProgressStyle::Bar)]
    pub progress: ProgressStyle,
    /// Settings.
    #[command(flatten)]
    pub settings: SettingArgs,
}

impl TrainArgs {
    /// Where the run's settings come from.
    pub fn sources(&self) -> Sources {
        let mut run = self.settings.run_table();
        for (key, value) in [("env", &self.env), ("agent", &self.agent), ("optimizer", &self.optimizer)] {
            value.as_ref().map(|name| run.insert(key.into(), Value::String(name.clone())));
        }
        self.seed.map(|seed| run.insert("seed".into(), Value::Integer(seed as i64)));
        // A path that is not Unicode cannot stand in a configuration; what is
        // left of it is not found.
        let record = self.init_from.as_ref().map(|record| record.to_string_lossy().into_owned());
        record.map(|record| run.insert("init_from".into(), Value::String(record)));
        self.settings.sources(run, self.config.clone())
    }
}

/// How `egn train` shows progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ProgressStyle {
    /// A bar, returns and solver on a terminal, a line at every tenth of the run elsewhere.
    Bar,
    /// One JSON object a line on standard output.
    Json,
    /// Nothing.
    None,
}

/// `egn compare`.
#[derive(Debug, Args)]
#[command(allow_negative_numbers = true)]
pub struct CompareArgs {
    /// Environment id, such as CartPole-v1 (`egn list envs`), or `gymnasium:<id>` for Python's.
    #[arg(long)]
    pub env: String,
    /// Agent, such as dqn (`egn list agents`).
    #[arg(long)]
    pub agent: String,
    /// Optimizers, separated by commas; adam+egn is one for the policy and one for the critic.
    #[arg(long, value_delimiter = ',', value_parser = name, default_value = "egn,adam")]
    pub optimizers: Vec<String>,
    /// Seeds: a number n for 0 to n−1, a range such as 101-120, or a list of seeds and ranges
    /// separated by commas.
    #[arg(long, default_value = "5", value_parser = Seeds::parse)]
    pub seeds: Seeds,
    /// Runs side by side; the number of cores unless given.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=1024))]
    pub jobs: Option<u64>,
    /// Folder for the charts.
    #[arg(long, default_value = "plots", value_name = "FOLDER")]
    pub plots: PathBuf,
    /// Print the table as JSON.
    #[arg(long)]
    pub json: bool,
    /// Settings, for every optimizer.
    #[command(flatten)]
    pub settings: SettingArgs,
}

impl CompareArgs {
    /// Where the settings of one of the runs come from.
    pub fn sources(&self, optimizer: &str, seed: u64) -> Sources {
        let mut run = self.settings.run_table();
        for (key, value) in [("env", self.env.as_str()), ("agent", &self.agent), ("optimizer", optimizer)] {
            run.insert(key.into(), Value::String(value.to_owned()));
        }
        run.insert("seed".into(), Value::Integer(seed as i64));
        self.settings.sources(run, None)
    }

    /// The flag that a `--set` of these settings would contradict, and what to give in its place.
    pub fn contradicted(&self) -> Option<String> {
        let flags = [
            ("run.env", "--env"),
            ("run.agent", "--agent"),
            ("run.optimizer", "--optimizers"),
            ("run.seed", "--seeds"),
        ];
        let is_set =
            |key: &str| self.settings.set.iter().any(|pair| pair.split('=').next().map(str::trim) == Some(key));
        let found = flags.into_iter().find(|(key, _)| is_set(key));
        found.map(|(key, flag)| format!("--set {key} has no place in a comparison; use {flag}"))
    }
}

/// `egn plot`.
#[derive(Debug, Args)]
#[command(allow_negative_numbers = true)]
pub struct PlotArgs {
    /// Folder with records, at any depth.
    pub records: PathBuf,
    /// Folder for the charts.
    #[arg(long, default_value = "plots", value_name = "FOLDER")]
    pub plots: PathBuf,
    /// Print the table as JSON.
    #[arg(long)]
    pub json: bool,
}

/// `egn report`.
#[derive(Debug, Args)]
#[command(allow_negative_numbers = true)]
pub struct ReportArgs {
    /// Folder with records, at any depth.
    pub records: PathBuf,
    /// The page to write.
    #[arg(long, value_name = "FILE")]
    pub html: PathBuf,
}

/// `egn evaluate`.
#[derive(Debug, Args)]
#[command(allow_negative_numbers = true)]
pub struct EvaluateArgs {
    /// Folder of a record.
    pub record: PathBuf,
    /// Greedy episodes.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub episodes: u64,
    /// Seed of the first episode; the others follow.
    #[arg(long, default_value_t = FINAL_SEED, value_parser = clap::value_parser!(u64).range(..=MAX_INTEGER))]
    pub seed: u64,
    /// Which policy: the last one or the one that was best in training.
    #[arg(long, value_enum, default_value_t = Which::Last)]
    pub which: Which,
    /// Python interpreter for `gymnasium:` environments, and whose package may have MuJoCo;
    /// EGN_PYTHON or python3 unless given.
    #[arg(long, value_name = "FILE")]
    pub python: Option<PathBuf>,
    /// Write an animation of the first greedy episodes.
    #[arg(long, value_name = "FILE")]
    pub gif: Option<PathBuf>,
    /// Write a film strip of the first greedy episode.
    #[arg(long, value_name = "FILE")]
    pub png_strip: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// Which policy of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Which {
    /// The last policy.
    Last,
    /// The policy with the best evaluation in training.
    Best,
}

/// `egn export`.
#[derive(Debug, Args)]
#[command(allow_negative_numbers = true)]
pub struct ExportArgs {
    /// Folder of a record.
    pub record: PathBuf,
    /// Format of the file.
    #[arg(long, value_enum)]
    pub format: ExportFormat,
    /// Which policy: the last one or the one that was best in training.
    #[arg(long, value_enum, default_value_t = Which::Last)]
    pub which: Which,
    /// The file to write.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Python interpreter for `gymnasium:` environments, and whose package may have MuJoCo;
    /// EGN_PYTHON or python3 unless given.
    #[arg(long, value_name = "FILE")]
    pub python: Option<PathBuf>,
}

/// What a policy is exported as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// The network's parameters, as PyTorch names and lays them out, and how to act with them in
    /// the metadata.
    Safetensors,
    /// A model from observations to greedy actions.
    Onnx,
}

/// `egn verify`.
#[derive(Debug, Args)]
#[command(allow_negative_numbers = true)]
#[command(group = ArgGroup::new("what").args(["record", "published"]).required(true))]
pub struct VerifyArgs {
    /// Folder of a record.
    pub record: Option<PathBuf>,
    /// Train the rows of published tables again, each with the command in its file, and say which
    /// come out the same.
    #[arg(long, value_name = "FOLDER", num_args = 0..=1, default_missing_value = "runs/published")]
    pub published: Option<PathBuf>,
    /// Of the published rows, those with this text in their names.
    #[arg(long, value_name = "TEXT", conflicts_with = "record")]
    pub filter: Option<String>,
    /// Of the published seeds, these; as for `egn compare`: 3 is 0 to 2, and 3-3 is seed 3 alone.
    #[arg(long, value_parser = Seeds::parse, conflicts_with = "record")]
    pub seeds: Option<Seeds>,
    /// Published runs side by side; the number of cores unless given.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=1024), conflicts_with = "record")]
    pub jobs: Option<u64>,
    /// Write what comes out into the rows, as their publisher does.
    #[arg(long, requires = "records", conflicts_with = "record")]
    pub write: bool,
    /// Keep the records of published rows in this folder, and use those that are there.
    #[arg(long, value_name = "FOLDER", conflicts_with = "record")]
    pub records: Option<PathBuf>,
    /// Threads that step environments; no result depends on it.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=1024))]
    pub workers: u64,
    /// Python interpreter for `gymnasium:` environments, and whose package may have MuJoCo;
    /// EGN_PYTHON or python3 unless given.
    #[arg(long, value_name = "FILE")]
    pub python: Option<PathBuf>,
}

/// `egn settings`.
#[derive(Debug, Args)]
pub struct SettingsArgs {
    /// Agent, such as dqn (`egn list agents`); all of them unless given.
    #[arg(long)]
    pub agent: Option<String>,
    /// Optimizer, such as egn (`egn list optimizers`); all of them unless given.
    #[arg(long)]
    pub optimizer: Option<String>,
    /// Environment id (`egn list envs`), whose presets count where agent and
    /// optimizer are given, too.
    #[arg(long)]
    pub env: Option<String>,
    /// Print JSON.
    #[arg(long, conflicts_with = "markdown")]
    pub json: bool,
    /// Print the page docs/every-setting.md.
    #[arg(long)]
    pub markdown: bool,
}

impl SettingsArgs {
    /// Whether agent and optimizer are given, so that there are presets.
    pub fn is_one_run(&self) -> bool {
        self.agent.is_some() && self.optimizer.is_some()
    }
}

/// `egn list`.
#[derive(Debug, Args)]
#[command(allow_negative_numbers = true)]
pub struct ListArgs {
    /// What to list.
    #[arg(value_enum)]
    pub what: Listing,
    /// Of the environments, those with this text in their names.
    #[arg(long, value_name = "TEXT")]
    pub filter: Option<String>,
}

/// What can be listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Listing {
    /// Environments.
    Envs,
    /// Agents.
    Agents,
    /// Optimizers.
    Optimizers,
    /// Vector instructions that this machine has, and those in use (`EGN_VECTORS` lowers them).
    Vectors,
}

/// `egn bench-step`.
#[derive(Debug, Args)]
#[command(allow_negative_numbers = true)]
pub struct BenchStepArgs {
    /// Widths of the network, such as 8-256-256-4.
    pub net: String,
    /// Samples in the batch.
    #[arg(value_parser = clap::value_parser!(u64).range(1..=65_536))]
    pub batch: u64,
    /// Loss: mse, mse_selected or ce.
    pub loss: String,
    /// Optimizer, such as egn.
    pub method: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }
}
