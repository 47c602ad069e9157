//! λ that follows how well the quadratic model predicts the loss (Levenberg-Marquardt).
//!
//! The gain ratio is the actual decrease over the predicted one, −(g·Δ + ½(ΔᵀHΔ + λ‖Δ‖²)).
//! *Design.* A step whose ratio is not finite, or under which the loss rises, is taken back
//! and λ raised: the authors' newer code reports such a step and keeps it, their older one
//! computed a λ that it never used.
//!
//! Source: Marquardt (1963); Martens (2010), section 4.1, for the thresholds; factors and clamps of
//! python-somax 1.0.1.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    setting::{SettingError, require},
    state::{State, StateError},
};

/// Settings of the adaptive damping.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AdaptiveConfig {
    /// Gain ratio below which λ is raised, in (0, 1).
    pub lower: f64,
    /// Gain ratio above which λ is lowered, from `lower` to 1.
    pub upper: f64,
    /// What a raised λ is multiplied by, in [1, ∞).
    pub raise: f64,
    /// What a lowered λ is multiplied by, in (0, 1].
    pub lower_by: f64,
    /// Least λ, in (0, ∞).
    pub min: f64,
    /// Greatest λ, `min` or more.
    pub max: f64,
    /// Steps from one adaptation of λ to the next, 1 or more.
    pub every: u32,
    /// Whether a step whose gain ratio is negative or not finite is taken back.
    pub reject: bool,
}

impl Default for AdaptiveConfig {
    fn default() -> Self {
        // python-somax 1.0.1, which never rejects.
        Self { lower: 0.25, upper: 0.75, raise: 1.5, lower_by: 0.5, min: 1e-12, max: 1e6, every: 1, reject: true }
    }
}

impl AdaptiveConfig {
    /// Whether every setting is in its range.
    ///
    /// # Errors
    /// The first setting that is not, with the range.
    pub fn validate(&self) -> Result<(), SettingError> {
        require(self.lower > 0.0 && self.lower < 1.0, "adaptive.lower", "in (0, 1)", self.lower)?;
        require(self.upper >= self.lower && self.upper < 1.0, "adaptive.upper", "in [lower, 1)", self.upper)?;
        require(self.raise >= 1.0 && self.raise.is_finite(), "adaptive.raise", "1 or more", self.raise)?;
        require(self.lower_by > 0.0 && self.lower_by <= 1.0, "adaptive.lower_by", "in (0, 1]", self.lower_by)?;
        require(self.min > 0.0 && self.min.is_finite(), "adaptive.min", "positive", self.min)?;
        require(self.max >= self.min && self.max.is_finite(), "adaptive.max", "min or more", self.max)?;
        require(self.every > 0, "adaptive.every", "1 or more", self.every)
    }
}

/// A predicted decrease below this part of the loss is rounding, and its ratio means nothing.
/// (python-somax 1.0.1 takes 1e-16 whatever the loss.)
const LEAST_PREDICTION: f64 = f64::EPSILON;

/// The damping λ, and how many steps it has seen.
#[derive(Debug, Clone, Default)]
pub(crate) struct AdaptiveDamping {
    lambda: Option<f64>,
    n_steps: u32,
}

impl AdaptiveDamping {
    /// The state that later steps depend on.
    pub fn state(&self) -> State {
        let mut state = State::default();
        state.put("lambda", self.lambda.as_slice());
        state.put("n_steps", &[self.n_steps]);
        state
    }

    /// The damping restored from a state.
    ///
    /// # Errors
    /// When it is none.
    pub fn restored(state: &State) -> Result<Self, StateError> {
        Ok(Self { lambda: state.optional("lambda")?, n_steps: state.number("n_steps")? })
    }

    /// The λ of the next step, which is `first` at the first one.
    pub fn at(&mut self, config: &AdaptiveConfig, first: f64) -> f64 {
        *self.lambda.get_or_insert(first.clamp(config.min, config.max))
    }

    /// Raises λ after a step that failed.
    pub fn raise(&mut self, config: &AdaptiveConfig) {
        self.lambda = self.lambda.map(|lambda| (lambda * config.raise).clamp(config.min, config.max));
    }

    /// Adapts λ after a step away from `loss`, and tells whether the step may stand.
    pub fn judge(&mut self, config: &AdaptiveConfig, loss: f64, actual: f64, predicted: f64) -> bool {
        let due = self.n_steps.is_multiple_of(config.every);
        self.n_steps += 1;
        let ratio = actual / predicted;
        if predicted.abs() <= LEAST_PREDICTION * loss.abs() && actual.is_finite() {
            return true;
        }
        // Momentum may lead where the model expects a rise; there the loss alone judges.
        let gains = if predicted > 0.0 { ratio >= 0.0 } else { actual >= 0.0 };
        let stands = !config.reject || (ratio.is_finite() && gains);
        let factor = match ratio {
            _ if !stands => config.raise,
            _ if !due || !ratio.is_finite() || predicted < 0.0 => 1.0,
            _ if ratio < config.lower => config.raise,
            _ if ratio > config.upper => config.lower_by,
            _ => 1.0,
        };
        self.lambda = self.lambda.map(|lambda| (lambda * factor).clamp(config.min, config.max));
        stands
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lambda_follows_the_gain_ratio_within_its_clamps() {
        let config = AdaptiveConfig { min: 0.4, max: 1.8, ..Default::default() };
        let mut damping = AdaptiveDamping::default();
        let mut after = |actual, predicted| {
            let first = damping.at(&config, 1.0);
            let stands = damping.judge(&config, 1.0, actual, predicted);
            (first, stands, damping.at(&config, 1.0))
        };
        assert_eq!(after(0.9, 1.0), (1.0, true, 0.5));
        assert_eq!(after(0.9, 1.0), (0.5, true, 0.4));
        assert_eq!(after(0.5, 1.0), (0.4, true, 0.4));
        assert_eq!(after(0.2, 1.0), (0.4, true, 0.4 * 1.5));
        assert_eq!(after(-0.1, 1.0), (0.4 * 1.5, false, 0.4 * 1.5 * 1.5));
        assert!(!after(f64::NAN, 1.0).1);
        assert!(after(0.0, 0.0).1);
        // Where a rise is predicted, a fall stands and says nothing of λ; a rise is taken back.
        let (lambda, stands, next) = after(0.1, -1.0);
        assert!(stands && lambda == next);
        assert!(!after(-0.1, -1.0).1);
        assert_eq!(after(f64::NEG_INFINITY, 1.0).2, 1.8);
    }
}
