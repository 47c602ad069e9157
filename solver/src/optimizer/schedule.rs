//! Values that change over a run: learning rate, damping, clip range, exploration.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::setting::{SettingError, require};

/// A value as a function of progress, which runs from 0 at the start of training to 1 at its end.
///
/// In a file or on the command line a plain number is a constant; the others are tables such as
/// `{ kind = "linear", from = 1e-3, to = 0.0 }`.
#[derive(Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "a number, or a schedule such as { kind = \"linear\", from = 1e-3, to = 0.0 } \
                 with kind linear, exponential or cosine"
)]
pub enum Schedule {
    /// The same value always.
    Constant(f64),
    /// A value that moves.
    Moving(Moving),
}

/// The shapes of a moving schedule. `over` is the fraction of training in which the value moves
/// (in (0, 1]; afterwards it stays at `to`).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Moving {
    /// Straight line.
    Linear {
        /// Value at progress 0.
        from: f64,
        /// Value at progress `over`.
        to: f64,
        /// Fraction of training in which the value moves.
        #[serde(default = "whole_run")]
        over: f64,
    },
    /// Geometric: equal ratios in equal times. Both ends must be positive.
    Exponential {
        /// Value at progress 0.
        from: f64,
        /// Value at progress `over`.
        to: f64,
        /// Fraction of training in which the value moves.
        #[serde(default = "whole_run")]
        over: f64,
    },
    /// Half a cosine wave: flat at both ends.
    Cosine {
        /// Value at progress 0.
        from: f64,
        /// Value at progress `over`.
        to: f64,
        /// Fraction of training in which the value moves.
        #[serde(default = "whole_run")]
        over: f64,
    },
}

fn whole_run() -> f64 {
    1.0
}

impl Schedule {
    /// A straight line from `from` to `to` over the whole run.
    pub const fn linear(from: f64, to: f64) -> Self {
        Self::Moving(Moving::Linear { from, to, over: 1.0 })
    }

    /// The value at `progress`, clamped to [0, 1].
    pub fn at(&self, progress: f64) -> f64 {
        let fraction = |over: f64| (progress.clamp(0.0, 1.0) / over).min(1.0);
        match *self {
            Self::Constant(value) => value,
            Self::Moving(Moving::Linear { from, to, over }) => from + (to - from) * fraction(over),
            Self::Moving(Moving::Exponential { from, to, over }) => from * libm::pow(to / from, fraction(over)),
            Self::Moving(Moving::Cosine { from, to, over }) => {
                to + (from - to) * 0.5 * (1.0 + libm::cos(std::f64::consts::PI * fraction(over)))
            }
        }
    }

    /// Checks setting `name`: every value lies in [`low`, `high`], which `range` says in words, and
    /// the shape is well formed.
    ///
    /// # Errors
    /// What is wrong, with the name, the range and the value.
    pub fn require(&self, name: &str, [low, high]: [f64; 2], range: &str) -> Result<(), SettingError> {
        let inside = |value: f64| value >= low && value <= high;
        let (from, to, over) = match *self {
            Self::Constant(value) => return require(inside(value), name, range, self),
            Self::Moving(Moving::Exponential { from, to, over }) => {
                require(from > 0.0 && to > 0.0, name, "above 0 at both ends of an exponential schedule", self)?;
                (from, to, over)
            }
            Self::Moving(Moving::Linear { from, to, over } | Moving::Cosine { from, to, over }) => (from, to, over),
        };
        require(over > 0.0 && over <= 1.0, &format!("{name}.over"), "in (0, 1]", over)?;
        require(inside(from) && inside(to), name, range, self)
    }
}

impl std::fmt::Debug for Schedule {
    /// Writes the schedule as it stands in a file.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (kind, from, to, over) = match self {
            Self::Constant(value) => return value.fmt(f),
            Self::Moving(Moving::Linear { from, to, over }) => ("linear", from, to, over),
            Self::Moving(Moving::Exponential { from, to, over }) => ("exponential", from, to, over),
            Self::Moving(Moving::Cosine { from, to, over }) => ("cosine", from, to, over),
        };
        write!(f, "{{ kind = \"{kind}\", from = {from:?}, to = {to:?}, over = {over:?} }}")
    }
}

impl From<f64> for Schedule {
    fn from(value: f64) -> Self {
        Self::Constant(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linear_meets_its_ends_and_middle() {
        let schedule = Schedule::linear(1.0, 0.5);
        assert_eq!([0.0, 0.5, 1.0].map(|t| schedule.at(t)), [1.0, 0.75, 0.5]);
    }

    #[test]
    fn a_value_stays_after_over() {
        let schedule = Schedule::Moving(Moving::Linear { from: 1.0, to: 0.0, over: 0.25 });
        assert_eq!(schedule.at(0.125), 0.5);
        assert_eq!(schedule.at(0.7), 0.0);
    }

    #[test]
    fn what_is_refused_is_named_as_it_is_written() {
        let refusal = |schedule: Schedule| {
            schedule.require("lr", [0.0, f64::MAX], "0 or more and finite").unwrap_err().to_string()
        };
        assert_eq!(refusal(f64::INFINITY.into()), "lr must be 0 or more and finite, not inf");
        let moving = Schedule::Moving(Moving::Linear { from: 1.0, to: -1.0, over: 0.5 });
        let written = r#"{ kind = "linear", from = 1.0, to = -1.0, over = 0.5 }"#;
        assert_eq!(refusal(moving), format!("lr must be 0 or more and finite, not {written}"));
        let never = Schedule::Moving(Moving::Cosine { from: 1.0, to: 0.0, over: 0.0 });
        assert_eq!(refusal(never), "lr.over must be in (0, 1], not 0.0");
        let to_zero = refusal(Schedule::Moving(Moving::Exponential { from: 1.0, to: 0.0, over: 1.0 }));
        assert!(to_zero.starts_with("lr must be above 0 at both ends of an exponential schedule"), "{to_zero}");
        assert_eq!(Schedule::linear(1.0, 0.0).require("lr", [0.0, 1.0], "in [0, 1]"), Ok(()));
    }

    #[test]
    fn exponential_and_cosine_by_hand() {
        let exponential = Schedule::Moving(Moving::Exponential { from: 1.0, to: 0.01, over: 1.0 });
        assert!((exponential.at(0.5) - 0.1).abs() < 1e-15);
        let cosine = Schedule::Moving(Moving::Cosine { from: 2.0, to: 0.0, over: 1.0 });
        assert!((cosine.at(0.5) - 1.0).abs() < 1e-15);
    }
}
