//! The policy of soft actor-critic: a Gaussian squeezed into the bounds of its actions.
//!
//! ```text
//! u = μ(s) + σ(s) ε,  a = tanh u,  log π(a|s) = Σ [−½ε² − log σ − ½ log 2π − log(1 − tanh² u)]
//! ```
//!
//! Source: Haarnoja et al. (2018), arXiv 1812.05905, appendix C; log σ within [−20, 2] as in
//! Stable-Baselines3, whose 1e-6 under the logarithm the form below does without.

use egn_solver::{Snapshot, standard_normal};

use crate::{
    error::AgentError,
    experience::actions::Actions,
    policies::{
        action_range::{ActionRange, draw_uniformly},
        actor_state::ActorState,
        policy::{Mode, Policy, batch_of, vectors},
    },
    streams::Stream,
};

/// Least and greatest log σ; beyond, the output has no influence.
const LOG_STD: (f64, f64) = (-20.0, 2.0);

/// ½ log 2π.
const HALF_LOG_TAU: f64 = 0.918_938_533_204_672_7;

/// One entry of an action, drawn by reparameterization.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Draw {
    /// a = tanh u.
    pub action: f64,
    /// log π of this entry.
    pub log_prob: f64,
    /// Standard deviation σ.
    pub std: f64,
    /// Standard normal draw ε.
    pub epsilon: f64,
    /// Whether log σ is within its bounds, so that its output counts.
    pub is_free: bool,
}

impl Draw {
    /// The draw from the network's outputs μ and log σ, and from ε.
    pub fn new(mean: f64, log_std: f64, epsilon: f64) -> Self {
        let bounded = log_std.clamp(LOG_STD.0, LOG_STD.1);
        let std = libm::exp(bounded);
        let u = mean + std * epsilon;
        let log_prob = -0.5 * epsilon * epsilon - bounded - HALF_LOG_TAU - log_slope(u);
        Self { action: libm::tanh(u), log_prob, std, epsilon, is_free: bounded == log_std }
    }
}

/// log(1 − tanh² u) = 2 (log 2 − |u| − log(1 + e^−2|u|)), which never cancels.
fn log_slope(u: f64) -> f64 {
    2.0 * (std::f64::consts::LN_2 - u.abs() - libm::log1p(libm::exp(-2.0 * u.abs())))
}

/// Every entry of every action for outputs (b, 2n): means, then log σ, of each sample.
pub(crate) fn draws(outputs: &[f64], n: usize, stream: &mut Stream) -> Vec<Draw> {
    let mut drawn = Vec::with_capacity(outputs.len() / 2);
    for row in outputs.chunks_exact(2 * n) {
        drawn.extend((0..n).map(|j| Draw::new(row[j], row[n + j], standard_normal(stream))));
    }
    drawn
}

/// log π of every sample.
pub(crate) fn log_probs(draws: &[Draw], n: usize) -> Vec<f64> {
    draws.chunks_exact(n).map(|entries| entries.iter().map(|draw| draw.log_prob).sum()).collect()
}

/// A squashed Gaussian policy, whose action is drawn to explore, and tanh μ when greedy.
#[derive(Debug, Clone)]
pub struct SquashedGaussianPolicy {
    /// Network that puts out means, then log σ.
    pub actor: Snapshot,
    /// Range of the actions.
    pub range: ActionRange,
    /// Progress before which actions are drawn uniformly, as in Stable-Baselines3's warm-up.
    pub random_before: f64,
}

impl Policy for SquashedGaussianPolicy {
    fn act(
        &self,
        observations: &[f32],
        mode: Mode,
        states: &mut [ActorState],
        actions: &mut Actions,
    ) -> Result<(), AgentError> {
        let n = self.range.width();
        let outputs = self.actor.predict(&batch_of(observations, self.actor.network().n_inputs())?)?;
        let values = vectors(actions)?;
        for (i, row) in outputs.rows().enumerate() {
            let action = match mode {
                Mode::Greedy => row[..n].iter().map(|&mean| libm::tanh(mean)).collect(),
                Mode::Explore { progress } if progress < self.random_before => {
                    let mut action = vec![0.0; n];
                    draw_uniformly(&mut action, &mut states[i].rng);
                    action
                }
                Mode::Explore { .. } => draws(row, n, &mut states[i].rng).iter().map(|draw| draw.action).collect(),
            };
            values.extend(action.iter().enumerate().map(|(j, &a): (usize, &f64)| self.range.to_env(j, a)));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorded::{assert_close, numbers, recorded};

    #[test]
    fn log_probability_by_hand() {
        // u = 0.1 + ½·2 = 1.1, σ = ½.
        let draw = Draw::new(0.1, libm::log(0.5_f64), 2.0);
        let normal = -2.0 + libm::log(2.0_f64) - 0.5 * libm::log(std::f64::consts::TAU);
        let expected = normal - libm::log(1.0 - libm::tanh(1.1_f64).powi(2));
        assert!((draw.log_prob - expected).abs() < 1e-14, "{} {expected}", draw.log_prob);
        assert!(draw.is_free && draw.action == libm::tanh(1.1_f64));
    }

    #[test]
    fn log_probabilities_are_those_of_torch() {
        let golden = recorded("squashed");
        let (outputs, epsilon) = (numbers(&golden["outputs"]), numbers(&golden["epsilon"]));
        let draws: Vec<Draw> =
            (0..8).map(|i| Draw::new(outputs[i / 2 * 4 + i % 2], outputs[i / 2 * 4 + 2 + i % 2], epsilon[i])).collect();
        let actions: Vec<f64> = draws.iter().map(|draw| draw.action).collect();
        assert_close(&actions, &numbers(&golden["actions"]), 1e-14);
        assert_close(&log_probs(&draws, 2), &numbers(&golden["log_probs"]), 1e-12);
        // Stable-Baselines3 adds 1e-6 to 1 - tanh², which is as small as 1e-2 here.
        assert_close(&log_probs(&draws, 2), &numbers(&golden["sb3_log_probs"]), 1e-3);
    }

    #[test]
    fn far_out_it_stays_finite_and_log_std_is_bounded() {
        let draw = Draw::new(300.0, 9.0, -1.0);
        assert!(!draw.is_free && draw.std == libm::exp(2.0_f64));
        // −log(1 − tanh² u) → 2u − 2 log 2.
        let u = 300.0 - draw.std;
        let expected = -0.5 - 2.0 - HALF_LOG_TAU + 2.0 * u - 2.0 * std::f64::consts::LN_2;
        assert!((draw.log_prob - expected).abs() < 1e-9);
    }
}
