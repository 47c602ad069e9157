//! Armijo line search along a direction, on the batch that gave it.
//!
//! α is accepted when f(θ) − f(θ + αd) ≥ −c α g·d, and where d leads upwards, g·d > 0, as momentum
//! may, when the loss does not rise. *Design.* A search that never succeeds takes no step; the
//! authors' code takes its last trial whatever it is.
//!
//! Source: Armijo (1966); restart rules of Vaswani et al. (2019), arXiv 1905.09997, with the
//! constants of the EGN authors' own code (cor3bit/somax, 5a14c1b).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::setting::{SettingError, require};

/// Where the next search starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Restart {
    /// The search starts at a step `grow` times the last one.
    #[default]
    Increase,
    /// The search starts at the last step, which can then only shrink.
    Conservative,
    /// The search starts at the last step, which grows while f(θ) − f(θ + αd) > −(1 − c) α g·d.
    Goldstein,
    /// The search starts at the longest step, whatever the last one was, as in TRPO's backtracking.
    Longest,
}

/// Settings of the line search.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LineSearchConfig {
    /// Where the next search starts: `increase`, at `grow` times the last step; `conservative`, at
    /// the last step; `goldstein`, there, but growing while it gains enough; `longest`, at `lr`.
    pub restart: Restart,
    /// c, in (0, ½): the part of the linear decrease that is enough.
    pub sufficient: f64,
    /// What a step that gains too little is multiplied by, in (0, 1).
    pub shrink: f64,
    /// What a step grows by, in [1, ∞).
    pub grow: f64,
    /// Most steps tried in a search, 1 or more.
    pub max_trials: u32,
}

impl Default for LineSearchConfig {
    fn default() -> Self {
        // cor3bit/somax 5a14c1b, after jaxopt's ArmijoSGD.
        Self { restart: Restart::default(), sufficient: 0.1, shrink: 0.8, grow: 1.5, max_trials: 15 }
    }
}

impl LineSearchConfig {
    /// Whether every setting is in its range.
    ///
    /// # Errors
    /// The first setting that is not, with the range.
    pub fn validate(&self) -> Result<(), SettingError> {
        let inside = |x: f64, low: f64, high: f64| x > low && x < high;
        require(inside(self.sufficient, 0.0, 0.5), "line_search.sufficient", "in (0, 0.5)", self.sufficient)?;
        require(inside(self.shrink, 0.0, 1.0), "line_search.shrink", "in (0, 1)", self.shrink)?;
        require(self.grow >= 1.0 && self.grow.is_finite(), "line_search.grow", "1 or more", self.grow)?;
        require(self.max_trials > 0, "line_search.max_trials", "1 or more", self.max_trials)
    }
}

/// How a search ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Search {
    /// The step found, or the last one tried.
    pub alpha: f64,
    /// Loss at `alpha`.
    pub loss: f64,
    /// Losses evaluated.
    pub trials: u32,
    /// Whether `alpha` gains enough.
    pub accepted: bool,
}

impl LineSearchConfig {
    /// Searches for a step of at most `longest`, given the last search's step, f(θ) and g·d.
    pub fn search(
        &self,
        previous: Option<f64>,
        longest: f64,
        loss: f64,
        slope: f64,
        mut loss_at: impl FnMut(f64) -> f64,
    ) -> Search {
        let mut alpha = match (previous, self.restart) {
            (None, _) | (_, Restart::Longest) => longest,
            (Some(previous), Restart::Increase) => (self.grow * previous).min(longest),
            (Some(previous), Restart::Conservative | Restart::Goldstein) => previous.min(longest),
        };
        let descent = (-slope).max(0.0);
        let mut trials = 0;
        // Goldstein's rule may grow out of what was good enough.
        let mut good = None;
        loop {
            let reached = loss_at(alpha);
            trials += 1;
            let gain = loss - reached;
            // A rounding of grace: at a minimum no step gains anything.
            let accepted = gain + f64::EPSILON * loss.abs() >= self.sufficient * alpha * descent;
            let short = self.restart == Restart::Goldstein && gain > (1.0 - self.sufficient) * alpha * descent;
            let next = match (accepted, short) {
                (false, _) => self.shrink * alpha,
                (true, true) => (self.grow * alpha).min(longest),
                (true, false) => alpha,
            };
            if accepted {
                good = Some(alpha);
            }
            if (accepted && next == alpha) || trials >= self.max_trials {
                return match good {
                    // Once more, so that the search ends where its step does.
                    Some(alpha) if !accepted => {
                        Search { alpha, loss: loss_at(alpha), trials: trials + 1, accepted: true }
                    }
                    _ => Search { alpha, loss: reached, trials, accepted },
                };
            }
            alpha = next;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// f(α) = (1 − α)² along a direction of slope −2.
    fn parabola(config: LineSearchConfig, previous: Option<f64>, longest: f64) -> Search {
        config.search(previous, longest, 1.0, -2.0, |alpha| (1.0 - alpha).powi(2))
    }

    #[test]
    fn a_step_that_overshoots_shrinks_until_it_gains() {
        let search = parabola(LineSearchConfig::default(), None, 4.0);
        // Accepted below 2(1 − c) = 1.8: 4 · 0.8⁴ = 1.64.
        assert!((search.alpha - 4.0 * 0.8_f64.powi(4)).abs() < 1e-12 && search.accepted && search.trials == 5);
    }

    #[test]
    fn restarts_differ_in_where_they_start() {
        let with = |restart| LineSearchConfig { restart, ..Default::default() };
        assert!((parabola(with(Restart::Increase), Some(0.1), 1.0).alpha - 0.15).abs() < 1e-15);
        assert_eq!(parabola(with(Restart::Conservative), Some(0.1), 1.0).alpha, 0.1);
        assert_eq!(parabola(with(Restart::Longest), Some(0.1), 1.0).alpha, 1.0);
        // Grows while the gain exceeds 0.9 of the linear one: up to α = 0.2, found past it.
        let goldstein = parabola(with(Restart::Goldstein), Some(0.1), 1.0);
        assert!(goldstein.alpha >= 0.2 && goldstein.alpha < 0.3 && goldstein.accepted);
    }

    #[test]
    fn a_step_that_was_good_enough_is_not_lost_by_growing() {
        let config = LineSearchConfig { restart: Restart::Goldstein, ..Default::default() };
        let loss_at = |alpha: f64| if alpha < 0.7 { 1.0 - alpha } else { 5.0 };
        let search = config.search(Some(0.5), 1.0, 1.0, -1.0, loss_at);
        assert!(search.accepted && search.alpha < 0.7 && search.loss == loss_at(search.alpha), "{search:?}");
    }

    #[test]
    fn no_loss_is_too_small_to_rise() {
        let search = LineSearchConfig::default().search(None, 1.0, 1e-20, -1e-20, |alpha| 1e-20 * (1.0 + alpha));
        assert!(!search.accepted);
        // Nor where the slope says so.
        assert!(!LineSearchConfig::default().search(None, 1.0, 1.0, 2.0, |alpha| 1.0 + 0.15 * alpha).accepted);
    }

    #[test]
    fn a_search_that_cannot_succeed_says_so() {
        let search = LineSearchConfig::default().search(None, 1.0, 1.0, -2.0, |_| f64::NAN);
        assert!(!search.accepted && search.trials == 15);
    }
}
