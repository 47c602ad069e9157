//! A run as its trainer watches it: a few lines that are drawn over on a terminal, a
//! line now and then elsewhere.

use std::{
    collections::BTreeMap,
    io::{IsTerminal, Write, stderr},
    ops::ControlFlow,
    path::Path,
    time::Instant,
};

use egn_solver::Report;
use egn_train::{
    record::{
        contents::{CurvePoint, Record},
        reader::read_episodes,
    },
    trainer::{
        callback::{Callback, Flow, RolloutEvent},
        error::TrainError,
    },
};

use crate::{
    digits::shown,
    progress::{
        line::{Line, thousands},
        standing::{INTERVAL, warn},
    },
};

/// Parts of a run that have a place in the sparkline.
const PARTS: u64 = 40;

/// Parts of a run after which a line is printed where nothing can be drawn over.
const LINES: u64 = 10;

/// Progress, returns and solver of a run.
pub struct View {
    line: Line,
    name: String,
    total_steps: u64,
    is_terminal: bool,
    started: Instant,
    /// Environment steps when this process began: a resumed run has some.
    first_steps: Option<u64>,
    env_steps: u64,
    /// Sum and number of the returns of training episodes in each part of the run.
    returns: Vec<(f64, u64)>,
    last_return: Option<f64>,
    evaluation: Option<f64>,
    best: Option<f64>,
    /// Last step of each network.
    reports: BTreeMap<&'static str, Report>,
    last_shown: Option<Instant>,
    lines_printed: u64,
}

impl View {
    /// The view of a run called `name` that begins now.
    pub fn begin(name: String, total_steps: u64) -> Self {
        let mut line = Line::new(name.clone());
        line.begin(total_steps);
        line.lengthen();
        Self {
            line,
            name,
            total_steps,
            is_terminal: stderr().is_terminal(),
            started: Instant::now(),
            first_steps: None,
            env_steps: 0,
            returns: vec![(0.0, 0); PARTS as usize],
            last_return: None,
            evaluation: None,
            best: None,
            reports: BTreeMap::new(),
            last_shown: None,
            lines_printed: 0,
        }
    }

    /// Shows what a run that goes on at `env_steps` had shown until then, as far as its record in
    /// `dir` tells.
    pub fn recall(&mut self, dir: &Path, env_steps: u64) {
        // What cannot be read is refused elsewhere, by the run itself.
        let (Ok(record), Ok(episodes)) = (Record::read(dir), read_episodes(dir)) else { return };
        for point in record.curve.iter().filter(|point| point.env_steps <= env_steps) {
            self.evaluated(point.mean);
        }
        for row in episodes.iter().filter(|row| row.env_steps <= env_steps) {
            self.env_steps = row.env_steps;
            self.played(row.episode_return);
        }
        self.env_steps = env_steps;
        self.lines_printed = self.part(LINES);
    }

    /// Ends the view with what became of the run.
    pub fn finish(&self, outcome: &str) {
        self.line.finish(outcome);
    }

    fn part(&self, parts: u64) -> u64 {
        (self.env_steps * parts / self.total_steps).min(parts)
    }

    /// Takes note of a training episode that has just ended.
    fn played(&mut self, episode_return: f64) {
        let part = self.part(PARTS).min(PARTS - 1) as usize;
        self.returns[part].0 += episode_return;
        self.returns[part].1 += 1;
        self.last_return = Some(episode_return);
    }

    /// Takes note of an evaluation.
    fn evaluated(&mut self, mean: f64) {
        self.evaluation = Some(mean);
        self.best = Some(self.best.map_or(mean, |best| best.max(mean)));
    }

    fn moved(&mut self) {
        if self.is_terminal {
            let done = self.env_steps >= self.total_steps;
            if done || self.last_shown.is_none_or(|last| last.elapsed() >= INTERVAL) {
                self.last_shown = Some(Instant::now());
                self.line.draw(self.env_steps, self.text());
            }
        } else if self.part(LINES) > self.lines_printed {
            self.lines_printed = self.part(LINES);
            // Somebody who closed stderr does not want to know.
            let _ = writeln!(stderr(), "{}", self.line_of_text());
        }
    }

    /// A line for a log.
    fn line_of_text(&self) -> String {
        let mut text = format!(
            "{}: {} of {} steps, {} steps/s, last return {}, evaluated {}",
            self.name,
            self.env_steps,
            self.total_steps,
            thousands(self.rate()),
            decimal(self.last_return),
            decimal(self.evaluation)
        );
        for (network, report) in &self.reports {
            text += &format!("; {network} {}", solver(report).replace("  ", " "));
        }
        text
    }

    /// Environment steps per second of this process.
    fn rate(&self) -> f64 {
        let steps = self.env_steps - self.first_steps.unwrap_or(0);
        steps as f64 / self.started.elapsed().as_secs_f64().max(1e-3)
    }

    /// What is drawn beside and below the bar.
    fn text(&self) -> String {
        let means: Vec<Option<f64>> = self.returns.iter().map(|&(sum, n)| (n > 0).then(|| sum / n as f64)).collect();
        let mut text = format!(
            "{} steps/s\nreturn {}  last {}, evaluated {}, best {}",
            thousands(self.rate()),
            sparkline(&means),
            decimal(self.last_return),
            decimal(self.evaluation),
            decimal(self.best)
        );
        for (network, report) in &self.reports {
            text += &format!("\n{network}: {}", solver(report));
        }
        text
    }
}

fn decimal(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), shown)
}

/// What an optimizer did last: whatever it has of λ, gain ratio and α, and its loss.
fn solver(report: &Report) -> String {
    let mut parts = vec![format!("loss {:.3e}", report.loss)];
    parts.extend(report.damping.map(|damping| format!("λ {damping:.1e}")));
    parts.extend(report.gain_ratio.map(|ratio| format!("gain ratio {ratio:.2}")));
    parts.push(format!("α {:.2e}", report.alpha));
    parts.extend(report.rejection.map(|_| "taken back".to_owned()));
    parts.join("  ")
}

/// One block a value, as high as the value is between the least and the greatest; a gap where there
/// is none.
fn sparkline(values: &[Option<f64>]) -> String {
    const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let known = || values.iter().flatten().copied();
    let (low, high) = (known().fold(f64::INFINITY, f64::min), known().fold(f64::NEG_INFINITY, f64::max));
    let block = |value: f64| {
        let height = if high > low { (value - low) / (high - low) } else { 0.0 };
        BLOCKS[(height * (BLOCKS.len() - 1) as f64).round() as usize]
    };
    values.iter().map(|value| value.map_or(' ', block)).collect()
}

impl Callback for View {
    fn on_rollout(&mut self, event: &RolloutEvent<'_>) -> Result<Flow, TrainError> {
        self.first_steps.get_or_insert(event.before.env_steps);
        self.env_steps = event.after.env_steps;
        event.episodes.iter().for_each(|episode| self.played(episode.episode_return));
        for update in &event.learned.updates {
            if let Ok(report) = update.result {
                self.reports.insert(update.network, report);
            }
        }
        self.moved();
        Ok(ControlFlow::Continue(()))
    }

    fn on_evaluation(&mut self, point: &CurvePoint) -> Result<Flow, TrainError> {
        self.evaluated(point.mean);
        self.moved();
        Ok(ControlFlow::Continue(()))
    }

    fn on_warning(&mut self, warning: &str) {
        self.line.bar().suspend(|| warn(warning));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sparkline_is_as_high_as_its_values() {
        assert_eq!(sparkline(&[Some(0.0), None, Some(3.5), Some(7.0)]), "▁ ▅█");
        assert_eq!(sparkline(&[Some(-2.0), Some(-2.0)]), "▁▁");
        assert_eq!(sparkline(&[None, None]), "  ");
    }
}
