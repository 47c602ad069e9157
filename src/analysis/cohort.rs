//! Runs that differ in nothing but their seed, which is what gets compared.

use std::collections::{BTreeMap, BTreeSet};

use egn_envs::EnvId;
use egn_solver::OptimizerName;
use egn_train::{config::env_name::CUSTOM, record::contents::Record};

/// The optimizer that every other is measured against.
pub const BASELINE: OptimizerName = OptimizerName::Adam;

/// All seeds of one agent with one optimizer and the same settings on one environment.
#[derive(Clone, Debug, PartialEq)]
pub struct Cohort {
    /// Environment id.
    pub env: String,
    /// Agent name.
    pub agent: String,
    /// Optimizer name.
    pub optimizer: String,
    /// What sets the cohort apart from others of the same names, such as `agent.gamma=0.99`.
    pub variant: Option<String>,
    /// The runs, in the order of their seeds.
    pub records: Vec<Record>,
}

/// Settings that a variant's title names, before it is cut.
const NAMED_SETTINGS: usize = 3;

impl Cohort {
    /// Sorts records into cohorts: by environment, then agent, then optimizer, the
    /// baseline last, then settings.
    pub fn of(records: Vec<Record>) -> Vec<Self> {
        let mut by_name: BTreeMap<Names, BTreeMap<Settings, Vec<Record>>> = BTreeMap::new();
        for record in records {
            let is_baseline = record.optimizer.parse() == Ok(BASELINE);
            let names = (record.env.clone(), record.agent.clone(), is_baseline, record.optimizer.clone());
            by_name.entry(names).or_default().entry(record.settings.clone()).or_default().push(record);
        }
        let mut cohorts = Vec::new();
        for ((env, agent, _, optimizer), by_settings) in by_name {
            let titles = variants(&by_settings.keys().collect::<Vec<_>>());
            for (mut records, variant) in by_settings.into_values().zip(titles) {
                records.sort_by_key(|record| record.seed);
                cohorts.push(Self {
                    env: env.clone(),
                    agent: agent.clone(),
                    optimizer: optimizer.clone(),
                    variant,
                    records,
                });
            }
        }
        cohorts
    }

    /// What the agent is called in charts and tables: a built-in one in capitals, a program's own
    /// as it says.
    pub fn agent_title(&self) -> String {
        self.agent.strip_prefix(CUSTOM).map_or_else(|| self.agent.to_uppercase(), str::to_owned)
    }

    /// What the optimizer is called in charts and tables, with what sets the cohort apart.
    pub fn optimizer_title(&self) -> String {
        let name = match self.optimizer.split_once('+') {
            None if self.optimizer.parse() == Ok(BASELINE) => "Adam (baseline)".to_owned(),
            None => title(&self.optimizer),
            Some((policy, critic)) => format!("{} + {} critic", title(policy), title(critic)),
        };
        self.variant.as_ref().map_or_else(|| name.clone(), |variant| format!("{name}, {variant}"))
    }
}

/// What one optimizer is called.
fn title(optimizer: &str) -> String {
    match optimizer.parse() {
        Ok(OptimizerName::Egn | OptimizerName::Sgd | OptimizerName::Sgn | OptimizerName::Soap) => {
            optimizer.to_uppercase()
        }
        Ok(OptimizerName::Adam) => "Adam".to_owned(),
        Ok(
            OptimizerName::AdamW
            | OptimizerName::RmsProp
            | OptimizerName::Lion
            | OptimizerName::ScheduleFree
            | OptimizerName::Muon
            | OptimizerName::Kron,
        )
        | Err(_) => optimizer.to_owned(),
    }
}

/// Environment, agent, whether it is the baseline, optimizer: the order of cohorts.
type Names = (String, String, bool, String);

type Settings = BTreeMap<String, String>;

/// For each of several settings the ones that are not the same in all; nothing
/// where there is one only.
fn variants(all: &[&Settings]) -> Vec<Option<String>> {
    let keys: BTreeSet<&String> = all.iter().flat_map(|settings| settings.keys()).collect();
    let known = || all.iter().filter(|settings| !settings.is_empty());
    let differs = |key: &&&String| {
        let values: BTreeSet<_> = known().map(|settings| settings.get(**key)).collect();
        values.len() > 1
    };
    let keys: Vec<&String> = keys.iter().filter(differs).copied().collect();
    let title = |settings: &&Settings| {
        let value = |key: &&String| format!("{key}={}", settings.get(*key).map_or("none", String::as_str));
        let cut = if keys.len() > NAMED_SETTINGS { ", …" } else { "" };
        keys.iter().take(NAMED_SETTINGS).map(value).collect::<Vec<_>>().join(", ") + cut
    };
    let named = |settings: &&Settings| match settings.is_empty() {
        true => (all.len() > 1).then(|| "settings unknown".to_owned()),
        false => (!keys.is_empty()).then(|| title(settings)),
    };
    all.iter().map(named).collect()
}

/// The reward threshold of the environment of some cohorts: that of a built-in environment, or else
/// the one that the first run to reach it has in its summary.
pub fn reward_threshold_of(cohorts: &[Cohort]) -> Option<f64> {
    if let Ok(id) = cohorts.first()?.env.parse::<EnvId>() {
        return id.spec().reward_threshold;
    }
    let mut records = cohorts.iter().flat_map(|cohort| &cohort.records);
    records.find_map(|record| Some(record.summary.as_ref()?.threshold?.threshold_return))
}

#[cfg(test)]
pub(crate) fn example(optimizer: &str, seed: u64, curve: &[(u64, f64, f64)]) -> Record {
    use egn_train::record::contents::{CurvePoint, Evaluation};
    let point = |&(env_steps, cpu_seconds, mean): &(u64, f64, f64)| {
        let evaluation = Evaluation { env_steps, episodes: 20, mean, std: 0.0, min: mean, max: mean };
        CurvePoint::new(evaluation, cpu_seconds, cpu_seconds)
    };
    Record {
        dir: "nowhere".into(),
        env: "CartPole-v1".into(),
        agent: "dqn".into(),
        optimizer: optimizer.into(),
        seed,
        settings: BTreeMap::new(),
        curve: curve.iter().map(point).collect(),
        summary: None,
        warnings: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_gather_and_the_baseline_comes_last() {
        let runs = [("adam", 1), ("egn", 4), ("sgd", 0), ("egn", 2)];
        let cohorts = Cohort::of(runs.map(|(optimizer, seed)| example(optimizer, seed, &[])).to_vec());
        let told: Vec<(String, Vec<u64>)> =
            cohorts.iter().map(|c| (c.optimizer_title(), c.records.iter().map(|r| r.seed).collect())).collect();
        let expected = [("EGN", vec![2, 4]), ("SGD", vec![0]), ("Adam (baseline)", vec![1])];
        assert_eq!(told, expected.map(|(title, seeds)| (title.to_owned(), seeds)));
    }

    #[test]
    fn runs_with_other_settings_are_another_cohort_that_says_so() {
        let with = |gamma: &str, seed| {
            let mut record = example("egn", seed, &[]);
            record.settings = [("agent.gamma", gamma), ("run.steps", "1000")]
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .into();
            record
        };
        let cohorts = Cohort::of(vec![with("0.9", 0), with("0.99", 0), with("0.9", 1), example("adam", 0, &[])]);
        let told: Vec<(String, usize)> = cohorts.iter().map(|c| (c.optimizer_title(), c.records.len())).collect();
        let expected = [("EGN, agent.gamma=0.9", 2), ("EGN, agent.gamma=0.99", 1), ("Adam (baseline)", 1)];
        assert_eq!(told, expected.map(|(title, n)| (title.to_owned(), n)));
    }
}
