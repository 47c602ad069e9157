//! The command line: words to settings.

use std::{path::PathBuf, time::Duration};

use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum};
use egn_train::{
    config::{run_settings::FINAL_SEED, sources::Sources},
    trainer::setup::Interval,
};
use toml::{Table, Value};

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

/// A whole number as people write it: `100000`, `100_000`, `1e5`, `100k`, `0.1M`.
fn count(text: &str) -> Result<u64, String> {
    let refused =
        || format!("'{text}' is not a whole number from 0 to {MAX_INTEGER}, such as 100000, 100_000, 1e5 or 100k");
    let plain = text.trim().replace('_', "");
    if let Ok(number) = plain.parse() {
        return Some(number).filter(|&number| number <= MAX_INTEGER).ok_or_else(refused);
    }
    let units = [('k', 1e3), ('K', 1e3), ('M', 1e6)];
    let unit = units.into_iter().find_map(|(unit, size)| Some((plain.strip_suffix(unit)?, size)));
    let (digits, size) = unit.unwrap_or((&plain, 1.0));
    // What f64 counts without a gap.
    let exact = |number: &f64| number.fract() == 0.0 && (0.0..9e15).contains(number);
    digits.parse::<f64>().ok().map(|number| number * size).filter(exact).map(|number| number as u64).ok_or_else(refused)
}

/// A name, blanks around it aside.
fn name(text: &str) -> Result<String, std::convert::Infallible> {
    Ok(text.trim().to_owned())
}

/// `10000`, of environment steps, or `30s`, of up to a day.
fn interval(text: &str) -> Result<Interval, String> {
    let seconds = |number: &str| number.parse().ok().filter(|seconds| (0.0..=86_400.0).contains(seconds));
    let parsed = match text.strip_suffix('s') {
        Some(number) => seconds(number).map(|seconds| Interval::Wall(Duration::from_secs_f64(seconds))),
        None => count(text).ok().filter(|&steps| steps > 0).map(Interval::Steps),
    };
    parsed.ok_or_else(|| {
        format!("'{text}' is neither a number of environment steps, such as 10000, nor a time from 0s to 86400s")
    })
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

/// TOML's integers end there.
const MAX_INTEGER: u64 = i64::MAX as u64;

/// Which seeds to train.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seeds(pub Vec<u64>);

impl Seeds {
    fn parse(text: &str) -> Result<Self, String> {
        let refuse = || {
            format!(
                "'{text}' is not seeds; give a number of seeds from 1 to 1000, a range such as 101-120, \
                 or a list such as 101,102,110-120 (7-7 is seed 7 alone)"
            )
        };
        if let Ok(count) = text.trim().parse::<u64>() {
            return if (1..=1000).contains(&count) { Ok(Self((0..count).collect())) } else { Err(refuse()) };
        }
        let mut seeds = Vec::new();
        for part in text.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let [Ok(first), Ok(last)] = [first, last].map(|end| end.trim().parse::<u64>()) else {
                return Err(refuse());
            };
            if first > last || last > MAX_INTEGER || last - first >= 1000 {
                return Err(refuse());
            }
            seeds.extend(first..=last);
        }
        let mut unique = seeds.clone();
        unique.sort_unstable();
        unique.dedup();
        if unique.len() == seeds.len() { Ok(Self(seeds)) } else { Err(format!("a seed stands twice in '{text}'")) }
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
    fn counts_are_read_as_people_write_them() {
        for text in ["100000", "100_000", "1e5", "100k", "100K", "0.1M", " 100000"] {
            assert_eq!(count(text), Ok(100_000), "{text}");
        }
        assert_eq!(count("9007199254740993"), Ok(9_007_199_254_740_993), "no detour by f64");
        for text in ["", "k", "-1", "1.5", "1e-3", "0.0001k", "1e300", "inf", "nan", "ten", "9223372036854775808"] {
            assert!(count(text).is_err_and(|message| message.contains("100k")), "{text}");
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn seeds_are_a_count_or_a_list() {
        assert_eq!(Seeds::parse("3"), Ok(Seeds(vec![0, 1, 2])));
        assert_eq!(Seeds::parse("101,102"), Ok(Seeds(vec![101, 102])));
        assert_eq!(Seeds::parse("7-7"), Ok(Seeds(vec![7])));
        assert_eq!(Seeds::parse("9, 3-5"), Ok(Seeds(vec![9, 3, 4, 5])));
        let message = Seeds::parse("7,").unwrap_err();
        assert!(message.contains("a number of seeds from 1 to 1000") && message.contains("101-120"), "{message}");
        for text in ["0", "x", "1,1", "1,0-3", "-1", "5-3", "0-5000", "1001", "18446744073709551615,1"] {
            assert!(Seeds::parse(text).is_err(), "{text}");
        }
    }
}
