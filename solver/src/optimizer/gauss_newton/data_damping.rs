//! λ that follows the batches themselves: how noisy they are, or how much of them a step fits.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    optimizer::gauss_newton::fit::Fit,
    state::{State, StateError},
};

/// What decides λ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DampingRule {
    /// The schedule `lambda`, or the gain ratio where there are settings for it.
    #[default]
    Fixed,
    /// The evidence of every batch.
    Evidence,
    /// The share of its rows that a step fits.
    Fitted,
}

/// Least and greatest λ. Beyond them the step is the gradient's, or interpolates, whatever λ.
const RANGE: [f64; 2] = [1e-8, 1e8];

/// How far a single batch may lower log λ, in units of the rate.
const LONGEST: f64 = 30.0;

/// The damping λ between steps; none before the first.
#[derive(Debug, Clone, Default)]
pub(crate) struct DataDamping {
    lambda: Option<f64>,
}

impl DataDamping {
    /// The λ of the next step, which is `first` at the first one.
    pub fn at(&mut self, first: f64) -> f64 {
        *self.lambda.get_or_insert(first.clamp(RANGE[0], RANGE[1]))
    }

    /// Follows the evidence of a batch, at most `rate` in log λ.
    ///
    /// The slope of the evidence, 1 − share − misfit, is of the size of the fitted share, which is
    /// a hundredth where a policy learns: divided by it, λ moves as fast there as anywhere. The
    /// quotient is 1 at most and has a long tail below zero, which must not be cut short: where a
    /// batch is noise alone its mean is zero, and without the tail λ would rise for ever.
    pub fn follow_evidence(&mut self, fit: Fit, rate: f64) {
        self.scale(rate * ((fit.misfit - (1.0 - fit.share)) / fit.share).clamp(-LONGEST, 1.0));
    }

    /// Brings the share of rows that a step fits towards `target`, at most `rate` in log λ.
    pub fn follow_share(&mut self, fit: Fit, target: f64, rate: f64) {
        self.scale(rate * libm::log(fit.share / target).clamp(-1.0, 1.0));
    }

    /// Raises λ after a step that failed.
    pub fn raise(&mut self, rate: f64) {
        self.scale(rate);
    }

    fn scale(&mut self, log: f64) {
        // A batch without any residual or curvature says nothing.
        let factor = if log.is_nan() { 1.0 } else { libm::exp(log) };
        self.lambda = self.lambda.map(|lambda| (lambda * factor).clamp(RANGE[0], RANGE[1]));
    }

    /// The state that later steps depend on.
    pub fn state(&self) -> State {
        let mut state = State::default();
        state.put("lambda", self.lambda.as_slice());
        state
    }

    /// The damping restored from a state.
    ///
    /// # Errors
    /// When it is none.
    pub fn restored(state: &State) -> Result<Self, StateError> {
        Ok(Self { lambda: state.optional("lambda")? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lambda_rises_while_too_much_is_fitted() {
        let after = |follow: &dyn Fn(&mut DataDamping)| {
            let mut damping = DataDamping::default();
            damping.at(1.0);
            follow(&mut damping);
            damping.at(1.0)
        };
        let fit = |share, misfit| Fit { share, misfit };
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-15, "{a} {b}");
        close(after(&|damping| damping.follow_evidence(fit(0.5, 0.75), 0.1)), libm::exp(0.05));
        close(after(&|damping| damping.follow_evidence(fit(0.02, 0.97), 0.1)), libm::exp(-0.05));
        close(after(&|damping| damping.follow_evidence(fit(0.02, 1.0), 0.1)), libm::exp(0.1));
        close(after(&|damping| damping.follow_evidence(fit(0.0, 1.0), 0.1)), 1.0);
        close(after(&|damping| damping.follow_share(fit(0.03, 0.5), 0.02, 0.1)), libm::exp(0.1 * libm::log(1.5)));
        close(after(&|damping| damping.follow_share(fit(0.0, 0.5), 0.02, 0.1)), libm::exp(-0.1));
        close(after(&|damping| (0..500).for_each(|_| damping.raise(0.1))), 1e8);
    }
}
