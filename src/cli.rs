//! The command line: words to settings.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use toml::{Table, Value};

use crate::config::Sources;

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
    /// Play greedy episodes with a record's policy.
    Evaluate(EvaluateArgs),
    /// Show what can be trained.
    List(ListArgs),
    /// Time one optimizer step; the last line is the median in seconds.
    BenchStep(BenchStepArgs),
}

/// Settings that `train` and `compare` share.
#[derive(Debug, Clone, Args)]
pub struct SettingArgs {
    /// Environment steps, all environments together.
    #[arg(long)]
    pub steps: Option<u64>,
    /// Environments that step side by side.
    #[arg(long)]
    pub envs: Option<u64>,
    /// Environment steps between two evaluations.
    #[arg(long)]
    pub eval_every: Option<u64>,
    /// Number type of the networks: f32 or f64.
    #[arg(long)]
    pub precision: Option<String>,
    /// Any setting, as section.key=value: optimizer.lr=3e-4, agent.gamma=0.98; `none` unsets.
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Python interpreter for `gymnasium:` environments; EGN_PYTHON or python3 unless given.
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
        self.precision.as_ref().map(|name| run.insert("precision".into(), Value::String(name.clone())));
        run
    }
}

/// `egn train`.
#[derive(Debug, Args)]
pub struct TrainArgs {
    /// Environment id, such as CartPole-v1 (`egn list envs`), or `gymnasium:<id>` for Python's.
    #[arg(long)]
    pub env: Option<String>,
    /// Agent, such as ppo (`egn list agents`).
    #[arg(long)]
    pub agent: Option<String>,
    /// Optimizer, such as egn (`egn list optimizers`).
    #[arg(long)]
    pub optimizer: Option<String>,
    /// Seed of every random stream.
    #[arg(long)]
    pub seed: Option<u64>,
    /// Start from a configuration, such as a record's config.toml, in place of the preset; `-` reads
    /// standard input.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Threads that step environments; no result depends on it.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=1024))]
    pub workers: u64,
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
        sources(run, self.config.clone(), &self.settings.set)
    }
}

fn sources(run: Table, config: Option<PathBuf>, set: &[String]) -> Sources {
    let flags = Table::from_iter([("run".to_owned(), Value::Table(run))]);
    Sources { config, flags, set: set.to_vec() }
}

/// How `egn train` shows progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ProgressStyle {
    /// A bar on a terminal, a line now and then elsewhere.
    Bar,
    /// One JSON object a line on standard output.
    Json,
    /// Nothing.
    None,
}

/// `egn compare`.
#[derive(Debug, Args)]
pub struct CompareArgs {
    /// Environment id, such as CartPole-v1 (`egn list envs`), or `gymnasium:<id>` for Python's.
    #[arg(long)]
    pub env: String,
    /// Agent, such as dqn (`egn list agents`).
    #[arg(long)]
    pub agent: String,
    /// Optimizers, separated by commas.
    #[arg(long, value_delimiter = ',', default_value = "egn,adam")]
    pub optimizers: Vec<String>,
    /// Seeds: a number n for 0 to n−1, or a list separated by commas.
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
        sources(run, None, &self.settings.set)
    }
}

/// Which seeds to train.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seeds(pub Vec<u64>);

impl Seeds {
    fn parse(text: &str) -> Result<Self, String> {
        let refuse =
            || format!("'{text}' is not seeds; give a number of seeds from 1 to 1000, or a list such as 101,102,103");
        let numbers: Vec<u64> =
            text.split(',').map(|part| part.trim().parse().map_err(|_| refuse())).collect::<Result<_, _>>()?;
        // TOML's integers end there.
        if numbers.iter().any(|&seed| i64::try_from(seed).is_err()) {
            return Err(refuse());
        }
        match numbers[..] {
            [count] if !text.contains(',') => {
                if (1..=1000).contains(&count) {
                    Ok(Self((0..count).collect()))
                } else {
                    Err(refuse())
                }
            }
            _ => {
                let mut unique = numbers.clone();
                unique.sort_unstable();
                unique.dedup();
                if unique.len() == numbers.len() {
                    Ok(Self(numbers))
                } else {
                    Err(format!("a seed stands twice in '{text}'"))
                }
            }
        }
    }
}

/// `egn plot`.
#[derive(Debug, Args)]
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

/// `egn evaluate`.
#[derive(Debug, Args)]
pub struct EvaluateArgs {
    /// Folder of a record.
    pub record: PathBuf,
    /// Greedy episodes.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub episodes: u64,
    /// Seed of the first episode; the others follow.
    #[arg(long, default_value_t = crate::evaluation::FINAL_SEED)]
    pub seed: u64,
    /// Which policy: the last one or the one that was best in training.
    #[arg(long, value_enum, default_value_t = Which::Last)]
    pub which: Which,
    /// Python interpreter for `gymnasium:` environments; EGN_PYTHON or python3 unless given.
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
    /// The last one.
    Last,
    /// The one with the best evaluation in training.
    Best,
}

/// `egn list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Of what.
    #[arg(value_enum)]
    pub what: Listing,
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
}

/// `egn bench-step`.
#[derive(Debug, Args)]
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

    #[test]
    fn seeds_are_a_count_or_a_list() {
        assert_eq!(Seeds::parse("3"), Ok(Seeds(vec![0, 1, 2])));
        assert_eq!(Seeds::parse("101,102"), Ok(Seeds(vec![101, 102])));
        assert_eq!(
            Seeds::parse("7,"),
            Err("'7,' is not seeds; give a number of seeds from 1 to 1000, or a list such as 101,102,103".into())
        );
        for text in ["0", "x", "1,1", "-1", "1001", "18446744073709551615,1"] {
            assert!(Seeds::parse(text).is_err(), "{text}");
        }
    }
}
