//! Runs that differ in nothing but their seed, which is what gets compared.

use std::collections::BTreeMap;

use crate::record::Record;

/// The optimizer that every other is measured against.
pub const BASELINE: &str = "adam";

/// All seeds of one agent with one optimizer on one environment.
#[derive(Clone, Debug, PartialEq)]
pub struct Cohort {
    /// Environment id.
    pub env: String,
    /// Agent name.
    pub agent: String,
    /// Optimizer name.
    pub optimizer: String,
    /// The runs, in the order of their seeds.
    pub records: Vec<Record>,
}

impl Cohort {
    /// Sorts records into cohorts: by environment, then agent, then optimizer, the baseline last.
    pub fn of(records: Vec<Record>) -> Vec<Self> {
        let mut cohorts: BTreeMap<_, Vec<Record>> = BTreeMap::new();
        for record in records {
            let is_baseline = record.optimizer == BASELINE;
            let key = (record.env.clone(), record.agent.clone(), is_baseline, record.optimizer.clone());
            cohorts.entry(key).or_default().push(record);
        }
        let cohort = |((env, agent, _, optimizer), mut records): (_, Vec<Record>)| {
            records.sort_by_key(|record| record.seed);
            Self { env, agent, optimizer, records }
        };
        cohorts.into_iter().map(cohort).collect()
    }

    /// What the optimizer is called in charts and tables.
    pub fn optimizer_title(&self) -> String {
        match self.optimizer.as_str() {
            BASELINE => "Adam (baseline)".to_owned(),
            name @ ("egn" | "sgd") => name.to_uppercase(),
            name => name.to_owned(),
        }
    }
}

/// The reward threshold that the records themselves tell of: that of the first run to reach it.
///
/// A record names the threshold only once it is reached; where the environment is at hand, ask it.
pub fn reward_threshold(cohorts: &[Cohort]) -> Option<f64> {
    let mut records = cohorts.iter().flat_map(|cohort| &cohort.records);
    records.find_map(|record| Some(record.summary.as_ref()?.threshold?.threshold_return))
}

#[cfg(test)]
pub(crate) fn example(optimizer: &str, seed: u64, curve: &[(u64, f64, f64)]) -> Record {
    use crate::record::{CurvePoint, Evaluation};
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
}
