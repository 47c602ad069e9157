//! What came of a comparison, as rows for programs and as a table for people.

use egn_train::record::contents::{CurvePoint, Ended, Record};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use crate::{
    analysis::{
        cohort::Cohort,
        statistics::{Bootstrap, Estimate, ScoreMatrix, bootstrap_estimate, interquartile_mean, median},
    },
    digits::{decimals, shown},
};

/// Seed of the bootstrap's draws, the same for every number so that rows do not depend on others.
const BOOTSTRAP_SEED: u64 = 0x0065_676e_7461_626c;

/// One cohort's results.
///
/// Returns are means of greedy evaluations. A seed that failed or was stopped counts with its last
/// evaluation, since leaving it out would flatter its optimizer; a seed that was never evaluated
/// counts nowhere but in the lists of the failed and the unfinished.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// Environment id.
    pub env: String,
    /// Agent name.
    pub agent: String,
    /// Optimizer name.
    pub optimizer: String,
    /// What the optimizer is called in print.
    #[serde(skip)]
    pub optimizer_title: String,
    /// Settings that set the cohort apart from others of the same names.
    pub variant: Option<String>,
    /// Seeds there are records of.
    pub seeds: Vec<u64>,
    /// The environment's reward threshold, if it has one.
    pub threshold: Option<f64>,
    /// How many seeds reached the threshold.
    pub reached: usize,
    /// How many seeds have a final return.
    pub kept: usize,
    /// Environment steps when an evaluation first reached the threshold.
    pub env_steps_to_threshold: Spread,
    /// CPU seconds of training when an evaluation first reached the threshold.
    pub cpu_seconds_to_threshold: Spread,
    /// Interquartile mean of the final returns with its 95 % interval.
    pub final_return: Option<Estimate>,
    /// The seed with the lowest final return.
    pub worst: Option<SeedReturn>,
    /// Interquartile mean of the best policies' returns with its 95 % interval.
    pub best_return: Option<Estimate>,
    /// Seeds whose run failed, with the error.
    pub failed: Vec<FailedSeed>,
    /// Seeds some of whose optimizer steps changed nothing.
    pub stumbled: Vec<Stumbled>,
    /// Seeds that were stopped, killed or are still running.
    pub unfinished: Vec<u64>,
}

/// Middle and ends over seeds of something that not every seed attains.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Spread {
    /// Median over all seeds, those that never attain it counted as infinite; none when the median
    /// itself is.
    pub median: Option<f64>,
    /// Smallest over the seeds that attain it.
    pub min: Option<f64>,
    /// Largest over the seeds that attain it.
    pub max: Option<f64>,
}

/// A seed and its return.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct SeedReturn {
    /// The seed.
    pub seed: u64,
    /// Mean return of the seed's final evaluation.
    #[serde(rename = "return")]
    pub seed_return: f64,
}

/// A seed and what broke in it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FailedSeed {
    /// The seed.
    pub seed: u64,
    /// The error in the summary of the run.
    pub error: String,
}

/// A seed some of whose optimizer steps failed and changed nothing.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Stumbled {
    /// The seed.
    pub seed: u64,
    /// Steps that failed.
    pub failed: u64,
    /// All steps.
    pub tried: u64,
}

/// The results of every cohort, measured against `threshold`.
pub fn rows(cohorts: &[Cohort], threshold: Option<f64>) -> Vec<Row> {
    cohorts.iter().map(|cohort| row(cohort, threshold)).collect()
}

fn row(cohort: &Cohort, threshold: Option<f64>) -> Row {
    let records = &cohort.records;
    let reached: Vec<Option<&CurvePoint>> =
        records.iter().map(|record| threshold.and_then(|threshold| record.reached(threshold))).collect();
    let finals = || records.iter().filter_map(|r| Some(SeedReturn { seed: r.seed, seed_return: r.final_return()? }));
    let ended = |record: &Record| record.summary.as_ref().map(|summary| summary.ended);
    let failure = |record: &Record| FailedSeed {
        seed: record.seed,
        error: record.summary.as_ref().and_then(|summary| summary.error.clone()).unwrap_or_default(),
    };
    Row {
        env: cohort.env.clone(),
        agent: cohort.agent.clone(),
        optimizer: cohort.optimizer.clone(),
        optimizer_title: cohort.optimizer_title(),
        variant: cohort.variant.clone(),
        seeds: records.iter().map(|record| record.seed).collect(),
        threshold,
        reached: reached.iter().flatten().count(),
        kept: threshold.map_or(0, |threshold| finals().filter(|last| last.seed_return >= threshold).count()),
        env_steps_to_threshold: spread(reached.iter().map(|point| point.map(|point| point.env_steps as f64))),
        cpu_seconds_to_threshold: spread(reached.iter().map(|point| point.map(|point| point.cpu_seconds))),
        final_return: estimate(finals().map(|last| last.seed_return).collect()),
        worst: finals().min_by(|a, b| a.seed_return.total_cmp(&b.seed_return)),
        best_return: estimate(records.iter().filter_map(Record::best_return).collect()),
        failed: records.iter().filter(|r| ended(r) == Some(Ended::Failed)).map(failure).collect(),
        stumbled: records.iter().filter_map(stumbled).collect(),
        unfinished: records
            .iter()
            .filter(|r| matches!(ended(r), None | Some(Ended::Stopped)))
            .map(|r| r.seed)
            .collect(),
    }
}

fn stumbled(record: &Record) -> Option<Stumbled> {
    let summary = record.summary.as_ref()?;
    let (failed, tried) = (summary.updates_failed, summary.updates + summary.updates_failed);
    (failed > 0).then_some(Stumbled { seed: record.seed, failed, tried })
}

fn spread(values: impl Iterator<Item = Option<f64>>) -> Spread {
    let values: Vec<f64> = values.map(|value| value.unwrap_or(f64::INFINITY)).collect();
    let attained = || values.iter().copied().filter(|value| value.is_finite());
    // Between a number and infinity lies infinity, but infinity less infinity is not a number.
    let median = Some(median(&values)).filter(|median| median.is_finite());
    Spread { median, min: attained().min_by(f64::total_cmp), max: attained().max_by(f64::total_cmp) }
}

fn estimate(returns: Vec<f64>) -> Option<Estimate> {
    let mut rng = ChaCha8Rng::seed_from_u64(BOOTSTRAP_SEED);
    let measure = |returns| {
        bootstrap_estimate(&ScoreMatrix::single_task(returns), interquartile_mean, Bootstrap::SCORES, &mut rng)
    };
    (!returns.is_empty()).then_some(returns).map(measure)
}

/// The rows as an aligned table, a line each, with the failed and unfinished seeds below it.
pub fn table(rows: &[Row]) -> String {
    let several_envs = rows.windows(2).any(|pair| pair[0].env != pair[1].env);
    let mut lines = vec![header(rows, several_envs)];
    lines.extend(rows.iter().map(|row| cells(row, several_envs)));
    let notes = notes(rows).into_iter().map(|note| note + "\n");
    aligned(&lines) + &notes.collect::<String>()
}

/// What the rows cannot say in numbers: failed and unfinished seeds, and
/// steps that changed nothing.
pub fn notes(rows: &[Row]) -> Vec<String> {
    let mut notes = Vec::new();
    for row in rows {
        for failed in &row.failed {
            notes.push(format!("failed: {}, seed {}: {}", name(row), failed.seed, failed.error));
        }
        for stumbled in &row.stumbled {
            notes.push(format!(
                "{} of {} optimizer steps changed nothing: {}, seed {}",
                stumbled.failed,
                stumbled.tried,
                name(row),
                stumbled.seed
            ));
        }
        if !row.unfinished.is_empty() {
            let seeds: Vec<String> = row.unfinished.iter().map(u64::to_string).collect();
            notes.push(format!("unfinished, counted as far as they got: {}, seed {}", name(row), seeds.join(", ")));
        }
    }
    notes
}

/// Columns that hold words; the others hold numbers and are set flush right.
const WORDS: usize = 1;

fn name(row: &Row) -> String {
    format!("{} {} {}", row.env, row.agent, row.optimizer_title)
}

/// Titles of the columns.
pub fn header(rows: &[Row], several_envs: bool) -> Vec<String> {
    let threshold = match rows.first().and_then(|row| row.threshold) {
        Some(threshold) if !several_envs => threshold.to_string(),
        _ => "threshold".to_owned(),
    };
    let first = if several_envs { "environment, agent, optimizer" } else { "agent, optimizer" };
    [
        first,
        "seeds",
        &format!("reached {threshold} (kept)"),
        "after env steps [min..max]",
        "after CPU s",
        "final return [95 % CI]",
        "worst (seed)",
        "best return [95 % CI]",
        "failed",
    ]
    .map(str::to_owned)
    .into()
}

/// A row in words, a cell a column.
pub fn cells(row: &Row, several_envs: bool) -> Vec<String> {
    let n_seeds = row.seeds.len();
    let or_dash = |value: Option<f64>, decimals: usize| value.map_or("–".to_owned(), |v| format!("{v:.decimals$}"));
    let steps = &row.env_steps_to_threshold;
    let steps = match (steps.min, steps.max) {
        (Some(min), Some(max)) => format!("{} [{min:.0}..{max:.0}]", or_dash(steps.median, 0)),
        _ => "–".to_owned(),
    };
    let interval = |estimate: Option<Estimate>| {
        estimate.map_or("–".to_owned(), |Estimate { value, low, high }| {
            let digits = decimals(&[value, low, high]);
            format!("{value:.digits$} [{low:.digits$}, {high:.digits$}]")
        })
    };
    let name = name(row);
    vec![
        if several_envs { name } else { format!("{} {}", row.agent, row.optimizer_title) },
        n_seeds.to_string(),
        row.threshold.map_or("–".to_owned(), |_| format!("{}/{n_seeds} ({})", row.reached, row.kept)),
        steps,
        or_dash(row.cpu_seconds_to_threshold.median, 2),
        interval(row.final_return),
        row.worst.map_or("–".to_owned(), |worst| format!("{} ({})", shown(worst.seed_return), worst.seed)),
        interval(row.best_return),
        row.failed.len().to_string(),
    ]
}

/// Lines of cells with every column as wide as its widest cell, and a rule under the first line.
fn aligned(lines: &[Vec<String>]) -> String {
    let length = |cell: &String| cell.chars().count();
    let n_columns = lines.first().map_or(0, Vec::len);
    let widths: Vec<usize> =
        (0..n_columns).map(|column| lines.iter().map(|line| length(&line[column])).max().unwrap_or(0)).collect();
    let set = |line: &Vec<String>| {
        let cells = line.iter().zip(&widths).enumerate().map(|(column, (cell, &width))| {
            if column < WORDS { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
    };
    let rule: Vec<String> = widths.iter().map(|&width| "─".repeat(width)).collect();
    let mut text = String::new();
    for (number, line) in lines.iter().enumerate() {
        text += &set(line);
        if number == 0 {
            text += &set(&rule);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::cohort::example;
    use egn_train::{record::contents::Evaluation, testing::example_summary};

    fn finished(optimizer: &str, seed: u64, reached_at: u64, last: f64) -> Record {
        let curve = [(0, 0.0, 20.0), (reached_at, reached_at as f64 / 1000.0, 480.0), (50_000, 50.0, last)];
        let mut record = example(optimizer, seed, &curve);
        let summary = example_summary(1.0);
        let evaluation = |mean| Evaluation { mean, ..summary.final_evaluation.unwrap() };
        record.summary = Some(egn_train::record::contents::Summary {
            final_evaluation: Some(evaluation(last)),
            best: Some(evaluation(500.0)),
            ..summary
        });
        record
    }

    fn comparison() -> Vec<Record> {
        let mut records: Vec<Record> = (0..5).map(|seed| finished("egn", seed, 8000 + 1000 * seed, 500.0)).collect();
        records.extend((0..3).map(|seed| finished("adam", seed, 20_000 + 1000 * seed, 490.0 + seed as f64)));
        let mut broken = example("adam", 3, &[(0, 0.0, 9.5)]);
        let error = Some("environment 2 (seed 7) panicked".to_owned());
        broken.summary = Some(egn_train::record::contents::Summary {
            ended: Ended::Failed,
            error,
            final_evaluation: None,
            best: None,
            ..example_summary(1.0)
        });
        records.push(broken);
        records.push(example("adam", 4, &[(0, 0.0, 10.0), (1000, 1.0, 11.0)]));
        records
    }

    #[test]
    fn rows_tell_when_the_threshold_was_reached() {
        let rows = rows(&Cohort::of(comparison()), Some(475.0));
        let [egn, adam] = rows.as_slice() else { panic!("two cohorts") };
        let spread = |median, min, max| Spread { median: Some(median), min: Some(min), max: Some(max) };
        assert_eq!((egn.reached, egn.env_steps_to_threshold), (5, spread(10_000.0, 8000.0, 12_000.0)));
        assert_eq!((adam.reached, adam.env_steps_to_threshold), (3, spread(22_000.0, 20_000.0, 22_000.0)));
        assert_eq!(egn.final_return, Some(Estimate { value: 500.0, low: 500.0, high: 500.0 }));
        assert_eq!(adam.worst, Some(SeedReturn { seed: 3, seed_return: 9.5 }));
        // Of 490, 491, 492, 9.5 and 11, the outer two are cut.
        assert_eq!(adam.final_return.unwrap().value, (490.0 + 491.0 + 11.0) / 3.0);
        assert_eq!((adam.failed[0].seed, adam.unfinished.as_slice()), (3, [4].as_slice()));
    }

    #[test]
    fn a_median_that_most_seeds_miss_is_not_a_number() {
        let missed = |n: usize| spread([1.0, 2.0, 3.0].into_iter().map(Some).chain(vec![None; n]));
        assert_eq!(missed(2).median, Some(3.0));
        assert_eq!(missed(3), Spread { median: None, min: Some(1.0), max: Some(3.0) });
        assert_eq!(missed(9).median, None);
        assert_eq!(spread(std::iter::empty()), Spread::default());
    }

    #[test]
    fn table_is_aligned_and_names_what_failed() {
        let text = table(&rows(&Cohort::of(comparison()), Some(475.0)));
        let lines: Vec<&str> = text.lines().collect();
        assert!(
            lines[0].starts_with("agent, optimizer     seeds  reached 475 (kept)  after env steps [min..max]"),
            "\n{text}"
        );
        assert!(
            lines[2].starts_with("dqn EGN                  5             5/5 (5)         10000 [8000..12000]"),
            "\n{text}"
        );
        assert!(
            lines[3].starts_with("dqn Adam (baseline)      5             3/5 (3)        22000 [20000..22000]"),
            "\n{text}"
        );
        let widths = [0, 1, 2, 3].map(|line| lines[line].chars().count());
        assert_eq!(widths, [widths[0]; 4], "\n{text}");
        assert!(text.contains("failed: CartPole-v1 dqn Adam (baseline), seed 3: environment 2 (seed 7) panicked\n"));
        assert!(text.contains("unfinished, counted as far as they got: CartPole-v1 dqn Adam (baseline), seed 4\n"));
    }

    #[test]
    fn rows_are_json_without_infinities() {
        let json = serde_json::to_value(rows(&Cohort::of(comparison()), Some(1e9))).unwrap();
        assert_eq!(json[0]["env_steps_to_threshold"]["median"], serde_json::Value::Null);
        assert_eq!(json[1]["worst"]["return"], 9.5);
    }
}
