//! Where a run stands, on one line.

use std::{
    io::{IsTerminal, Write, stderr},
    time::Instant,
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::{digits::shown, progress::standing::Standing};

/// One line for one run: bar, environment steps per second, last return, time left.
///
/// Drawn on a terminal; elsewhere [`Line::finish`] prints one line at the end.
pub struct Line {
    bar: ProgressBar,
    name: String,
    started: Instant,
}

impl Line {
    /// A line for a run called `name`, not yet begun.
    pub fn new(name: String) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        Self { bar, name, started: Instant::now() }
    }

    /// The bar, to be drawn among others.
    pub fn bar(&self) -> &ProgressBar {
        &self.bar
    }

    /// Starts the clock of the line.
    pub fn begin(&mut self, total_steps: u64) {
        let style = "{prefix:26} {bar:24.cyan/black} {percent:>3}%  {msg}  {eta:>4} left";
        self.bar.set_style(ProgressStyle::with_template(style).expect("the template is constant"));
        self.bar.set_prefix(self.name.clone());
        self.bar.set_length(total_steps);
        self.bar.reset();
        self.started = Instant::now();
    }

    /// Moves the line to where the run stands.
    pub fn show(&self, standing: Standing) {
        let rate = standing.env_steps as f64 / self.started.elapsed().as_secs_f64().max(1e-3);
        let last = standing.last_return.map_or_else(|| "–".to_owned(), shown);
        self.bar.set_message(format!("{:>7} steps/s  return {last:>7}", thousands(rate)));
        self.bar.set_position(standing.env_steps);
    }

    /// Draws a message of several lines, the first of them beside the bar.
    pub(super) fn draw(&self, env_steps: u64, message: String) {
        self.bar.set_position(env_steps);
        self.bar.set_message(message);
    }

    /// Leaves room for messages of several lines: the time left stands before them.
    pub(super) fn lengthen(&self) {
        let style = "{prefix:26} {bar:24.cyan/black} {percent:>3}%  {eta:>4} left  {msg}";
        self.bar.set_style(ProgressStyle::with_template(style).expect("the template is constant"));
    }

    /// Ends the line with what became of the run.
    pub fn finish(&self, outcome: &str) {
        if stderr().is_terminal() {
            let style = "{prefix:26} {msg}";
            self.bar.set_style(ProgressStyle::with_template(style).expect("the template is constant"));
            self.bar.finish_with_message(outcome.to_owned());
        } else {
            // Somebody who closed stderr does not want to know.
            let _ = writeln!(stderr(), "{:26} {outcome}", self.name);
        }
    }
}

/// A rate in three figures: 950, 12.3k, 1.2M.
pub(super) fn thousands(rate: f64) -> String {
    match rate {
        r if r >= 1e6 => format!("{:.1}M", r / 1e6),
        r if r >= 1e3 => format!("{:.1}k", r / 1e3),
        r => format!("{r:.0}"),
    }
}
