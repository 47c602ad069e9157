//! The page of a report, section by section.

use std::collections::BTreeMap;

use anyhow::{Error, Result};
use egn_train::record::contents::{Ended, Record};

use crate::{
    analysis::{
        cohort::{Cohort, reward_threshold_of},
        table,
    },
    digits::shown,
    pictures::{
        chart::figure::{Chart, ChartError},
        report::{
            html::{self, Row, base64, escaped, notes},
            settings::settings,
        },
    },
};

/// Runs of an environment whose rows are shown without being asked for.
const ROWS_AT_ONCE: usize = 20;

/// A film of an environment, or why there is none.
pub type Picture = Result<Film, String>;

/// An animation and its caption.
pub struct Film {
    /// The GIF file.
    pub gif: Vec<u8>,
    /// What the animation shows.
    pub caption: String,
}

/// The page of all cohorts, with a film of each environment and what had to be left out.
///
/// # Errors
/// When a chart cannot be drawn.
pub fn page(cohorts: &[Cohort], pictures: &BTreeMap<String, Picture>, left_out: &[String]) -> Result<String> {
    let by_env: Vec<&[Cohort]> = cohorts.chunk_by(|a, b| a.env == b.env).collect();
    let n_runs: usize = cohorts.iter().map(|cohort| cohort.records.len()).sum();
    let links: String =
        by_env.iter().map(|of_env| format!("<li><a href=\"#{}\">{0}</a></li>\n", escaped(&of_env[0].env))).collect();
    let sections = by_env.iter().map(|of_env| section(of_env, pictures.get(&of_env[0].env)));
    let sections = sections.collect::<Result<String>>()?;
    let plural = |n: usize, one: &str| format!("{n} {one}{}", if n == 1 { "" } else { "s" });
    Ok(format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>egn-rl report</title>\n\
         <style>\n{}</style>\n</head>\n<body>\n<h1>egn-rl report</h1>\n<p class=\"gray\">{} on {}, written by egn {}. \
         Returns are means of greedy evaluations; curves are interquartile means over seeds with 95 % bootstrap \
         intervals.</p>\n<nav><ul>\n{links}</ul></nav>\n{}{sections}</body>\n</html>\n",
        include_str!("page.css"),
        plural(n_runs, "run"),
        plural(by_env.len(), "environment"),
        env!("CARGO_PKG_VERSION"),
        notes(left_out),
    ))
}

/// Everything about one environment.
fn section(cohorts: &[Cohort], picture: Option<&Picture>) -> Result<String> {
    let (env, threshold) = (&cohorts[0].env, reward_threshold_of(cohorts));
    let mut text = format!("<section id=\"{0}\">\n<h2>{0}</h2>\n", escaped(env));
    for of_agent in cohorts.chunk_by(|a, b| a.agent == b.agent) {
        text += &charts(of_agent, threshold)?;
    }
    text += &picture.map_or_else(String::new, |picture| film(env, picture));
    let rows = table::rows(cohorts, threshold);
    text += "<h3>Results</h3>\n";
    text += &results(&rows);
    text += &notes(&table::notes(&rows));
    text += &notes(&warnings(cohorts));
    let n_runs: usize = cohorts.iter().map(|cohort| cohort.records.len()).sum();
    let open = if n_runs <= ROWS_AT_ONCE { " open" } else { "" };
    text += &format!("<details{open}>\n<summary>Every seed</summary>\n");
    text += &every_seed(cohorts, threshold);
    text += "</details>\n<details>\n<summary>Settings that are not the default</summary>\n";
    for cohort in cohorts {
        text += &format!("<h4>{} {}</h4>\n", escaped(&cohort.agent), escaped(&cohort.optimizer_title()));
        text += &settings(cohort);
    }
    Ok(text + "</details>\n</section>\n")
}

/// What is odd about the records, each with the name of its run.
fn warnings(cohorts: &[Cohort]) -> Vec<String> {
    let mut warnings = Vec::new();
    for cohort in cohorts {
        let name = format!("{} {}", cohort.agent, cohort.optimizer_title());
        for record in &cohort.records {
            warnings.extend(record.warnings.iter().map(|warning| format!("{name}, seed {}: {warning}", record.seed)));
        }
    }
    warnings
}

/// The curves of one agent.
fn charts(cohorts: &[Cohort], threshold: Option<f64>) -> Result<String> {
    let title = format!("<h3>{}</h3>\n", escaped(&cohorts[0].agent_title()));
    let chart = match Chart::of(cohorts, threshold) {
        Ok(chart) => chart,
        Err(error @ ChartError::Empty) => return Ok(title + &format!("<p class=\"gray\">No chart: {error}.</p>\n")),
        Err(error) => return Err(error.into()),
    };
    let entry = |entry: crate::pictures::chart::rendering::LegendEntry<'_>| {
        let dashes = entry.dashes.iter().map(f64::to_string).collect::<Vec<_>>().join(" ");
        let line = format!("stroke=\"{}\" stroke-width=\"3\" stroke-dasharray=\"{dashes}\"", entry.color);
        let sample = format!("<svg width=\"36\" height=\"10\"><path d=\"M0 5H36\" {line}/></svg>");
        format!("<li>{sample}{}</li>\n", escaped(entry.label))
    };
    let legend: String = chart.legend().map(entry).collect();
    let svgs = chart.panel_svgs().map_err(Error::msg)?.concat();
    Ok(format!("{title}<ul class=\"legend\">\n{legend}</ul>\n<div class=\"charts\">\n{svgs}</div>\n"))
}

fn film(env: &str, picture: &Picture) -> String {
    match picture {
        Ok(Film { gif, caption }) => format!(
            "<figure>\n<img src=\"data:image/gif;base64,{}\" alt=\"{}\">\n<figcaption>{}</figcaption>\n</figure>\n",
            base64(gif),
            escaped(&format!("an episode of {env}")),
            escaped(caption)
        ),
        Err(why) => format!("<p class=\"gray\">No film: {}.</p>\n", escaped(why)),
    }
}

/// A line a cohort, as the terminal has it.
fn results(rows: &[table::Row]) -> String {
    let cells = |row: &table::Row| Row { cells: table::cells(row, false), is_bad: false };
    html::table("", &table::header(rows, false), &rows.iter().map(cells).collect::<Vec<_>>())
}

/// A line a run; why one failed is told in the notes.
fn every_seed(cohorts: &[Cohort], threshold: Option<f64>) -> String {
    let header = [
        "agent, optimizer",
        "seed",
        "ended",
        "env steps",
        "final return",
        "best return",
        "env steps to threshold",
        "CPU s",
        "optimizer steps",
        "peak MiB",
    ];
    let rows = cohorts.iter().flat_map(|cohort| {
        let name = format!("{} {}", cohort.agent, cohort.optimizer_title());
        cohort.records.iter().map(move |record| seed(&name, record, threshold))
    });
    html::table("", &header.map(str::to_owned), &rows.collect::<Vec<_>>())
}

fn seed(name: &str, record: &Record, threshold: Option<f64>) -> Row {
    let summary = record.summary.as_ref();
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "–".to_owned());
    let number = |value: Option<f64>| or_dash(value.map(shown));
    let ended = match summary.map(|summary| summary.ended) {
        None => "unfinished",
        Some(Ended::Finished) => "finished",
        Some(Ended::Stopped) => "stopped",
        Some(Ended::Failed) => "failed",
    };
    let reached = threshold.and_then(|threshold| record.reached(threshold));
    let steps = record.curve.last().map(|point| point.env_steps);
    let cells = vec![
        name.to_owned(),
        record.seed.to_string(),
        ended.to_owned(),
        or_dash(summary.map(|summary| summary.env_steps).or(steps).map(|steps| steps.to_string())),
        number(record.final_return()),
        number(record.best_return()),
        or_dash(reached.map(|point| point.env_steps.to_string())),
        number(summary.map(|summary| summary.cpu_seconds)),
        or_dash(summary.map(|summary| match summary.updates_failed {
            0 => summary.updates.to_string(),
            failed => format!("{}, {failed} failed", summary.updates),
        })),
        or_dash(summary.map(|summary| (summary.peak_rss_bytes >> 20).to_string())),
    ];
    Row { cells, is_bad: summary.is_some_and(|summary| summary.ended == Ended::Failed) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::cohort::example;
    use egn_train::testing::example_summary;

    fn records() -> Vec<Record> {
        let mut failed = example("adam", 3, &[(0, 0.0, 9.0), (1000, 1.0, 480.0)]);
        let summary = example_summary(1.0);
        failed.summary = Some(egn_train::record::contents::Summary {
            ended: Ended::Failed,
            error: Some("<img src=x> broke".to_owned()),
            final_evaluation: None,
            ..summary
        });
        failed.warnings.push("edited".to_owned());
        failed.settings = [("agent.gamma", "0.5"), ("agent.batch_size", "32")]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into();
        vec![example("egn", 4, &[(0, 0.0, 9.0), (1000, 1.0, 500.0)]), failed]
    }

    #[test]
    fn every_run_is_named_and_failures_say_why() {
        let page = page(&Cohort::of(records()), &BTreeMap::new(), &["left out: seed-9".to_owned()]).unwrap();
        for said in [
            "<td>dqn EGN</td><td>4</td><td>unfinished</td>",
            "<tr class=\"bad\"><td>dqn Adam (baseline)</td><td>3</td><td>failed</td>",
            "failed: CartPole-v1 dqn Adam (baseline), seed 3: &lt;img src=x&gt; broke",
            "dqn Adam (baseline), seed 3: edited",
            "left out: seed-9",
            "EGN, 1 seed, 1 unfinished",
            // dqn's default is 0.99; the batch size is the default.
            "<td>agent.gamma</td><td>0.5</td><td>0.99</td><td>this run</td>",
            "settings are unknown",
        ] {
            assert!(page.contains(said), "{said} is not on the page");
        }
        assert!(!page.contains("agent.batch_size"), "a default is no news");
        // Two panels, and a sample of each line in the legend.
        assert_eq!((page.matches("<svg").count(), page.matches("M0 5H36").count()), (4, 2));
    }

    #[test]
    fn the_page_needs_nothing_but_itself() {
        let film = Film { gif: b"GIF89a".to_vec(), caption: "one <episode>".to_owned() };
        let films = BTreeMap::from([("CartPole-v1".to_owned(), Ok(film))]);
        let page = page(&Cohort::of(records()), &films, &[]).unwrap();
        assert!(page.contains("src=\"data:image/gif;base64,R0lGODlh\"") && page.contains("one &lt;episode&gt;"));
        for outside in ["<script", "<link", "@import", "url(", "src=\"http", "href=\"http"] {
            assert!(!page.contains(outside), "{outside}");
        }
    }

    #[test]
    fn what_cannot_be_shown_is_said() {
        let nothing = Cohort::of(vec![example("egn", 0, &[])]);
        let films = BTreeMap::from([("CartPole-v1".to_owned(), Err("no record has a policy".to_owned()))]);
        let page = page(&nothing, &films, &[]).unwrap();
        assert!(page.contains("No chart: no evaluation") && page.contains("No film: no record has a policy."));
    }
}
