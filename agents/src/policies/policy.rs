//! Policies: what acts in the environments, on any thread, while its agent learns.

use candle_core::{Device, Tensor};
use egn_solver::{Schedule, Snapshot, SolverError, loss::log_softmax, standard_normal};
use rand::Rng;

use crate::{agent::AgentError, experience::rollout::Actions, streams::Stream};

/// Whether a policy explores.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Mode {
    /// To learn; `progress` in [0, 1] is the fraction of training done, where schedules stand.
    Explore {
        /// Fraction of training done.
        progress: f64,
    },
    /// To be judged: no randomness.
    Greedy,
}

/// A frozen policy.
pub trait Policy: Send + Sync {
    /// Appends one action for each row of `observations` (n, observation); environment i draws
    /// from `streams[i]` alone.
    ///
    /// # Errors
    /// When the network cannot be evaluated.
    fn act(
        &self,
        observations: &[f32],
        mode: Mode,
        streams: &mut [Stream],
        actions: &mut Actions,
    ) -> Result<(), AgentError>;
}

/// A batch of observations as a tensor (n, width).
pub(crate) fn batch_of(observations: &[f32], width: usize) -> Result<Tensor, SolverError> {
    Ok(Tensor::from_slice(observations, (observations.len() / width, width), &Device::Cpu)?)
}

/// Index of the largest value; the first of several.
pub(crate) fn argmax(values: &[f64]) -> u32 {
    let mut best = 0;
    for (i, value) in values.iter().enumerate() {
        if *value > values[best] {
            best = i;
        }
    }
    best as u32
}

/// Mean of each group of `n` values.
pub(crate) fn means(values: &[f64], n: usize) -> Vec<f64> {
    values.chunks_exact(n).map(|group| group.iter().sum::<f64>() / n as f64).collect()
}

/// The greedy action of a Q-network, or with probability ε any action.
#[derive(Debug, Clone)]
pub struct EpsilonGreedyPolicy {
    /// Q(s, ·), or the quantiles whose means it is.
    pub q: Snapshot,
    /// Outputs whose mean is the value of one action; 1 where an output is a value.
    pub n_quantiles: usize,
    /// ε.
    pub epsilon: Schedule,
    /// Progress before which every action is random, as in Stable-Baselines3's warm-up.
    pub random_before: f64,
}

impl Policy for EpsilonGreedyPolicy {
    fn act(
        &self,
        observations: &[f32],
        mode: Mode,
        streams: &mut [Stream],
        actions: &mut Actions,
    ) -> Result<(), AgentError> {
        let network = self.q.network();
        let n_actions = (network.n_outputs() / self.n_quantiles) as u32;
        let values = self.q.predict(&batch_of(observations, network.n_inputs())?)?;
        let Actions::Discrete(actions) = actions else {
            return Err(AgentError::ActionSpace { agent: "greedy policy", needs: "discrete" });
        };
        for (i, row) in values.rows().enumerate() {
            let best = || argmax(&means(row, self.n_quantiles));
            actions.push(match mode {
                Mode::Greedy => best(),
                Mode::Explore { progress } => {
                    let epsilon = if progress < self.random_before { 1.0 } else { self.epsilon.at(progress) };
                    // Both draws always, so that the stream does not depend on ε.
                    let (coin, any) = (streams[i].random::<f64>(), streams[i].random_range(0..n_actions));
                    if coin < epsilon { any } else { best() }
                }
            });
        }
        Ok(())
    }
}

/// Softmax over logits; greedy, the likeliest action.
#[derive(Debug, Clone)]
pub struct CategoricalPolicy {
    /// Logits of π(·|s).
    pub logits: Snapshot,
}

impl Policy for CategoricalPolicy {
    fn act(
        &self,
        observations: &[f32],
        mode: Mode,
        streams: &mut [Stream],
        actions: &mut Actions,
    ) -> Result<(), AgentError> {
        let network = self.logits.network();
        let logits = self.logits.predict(&batch_of(observations, network.n_inputs())?)?;
        let Actions::Discrete(actions) = actions else {
            return Err(AgentError::ActionSpace { agent: "softmax policy", needs: "discrete" });
        };
        let mut log_p = vec![0.0; network.n_outputs()];
        for (i, row) in logits.rows().enumerate() {
            actions.push(match mode {
                Mode::Greedy => argmax(row),
                Mode::Explore { .. } => {
                    log_softmax(row, &mut log_p);
                    sample(&log_p, streams[i].random())
                }
            });
        }
        Ok(())
    }
}

/// Independent normal entries; greedy, the mean within the environment's bounds.
#[derive(Debug, Clone)]
pub struct GaussianPolicy {
    /// Means, then log σ.
    pub actor: Snapshot,
    /// Least value that the environment takes, entry by entry.
    pub low: Vec<f32>,
    /// Greatest value that the environment takes.
    pub high: Vec<f32>,
}

impl Policy for GaussianPolicy {
    fn act(
        &self,
        observations: &[f32],
        mode: Mode,
        streams: &mut [Stream],
        actions: &mut Actions,
    ) -> Result<(), AgentError> {
        let network = self.actor.network();
        let outputs = self.actor.predict(&batch_of(observations, network.n_inputs())?)?;
        let Actions::Continuous { values, width } = actions else {
            return Err(AgentError::ActionSpace { agent: "Gaussian policy", needs: "continuous" });
        };
        for (i, row) in outputs.rows().enumerate() {
            let (means, log_stds) = row.split_at(*width);
            values.extend(means.iter().zip(log_stds).enumerate().map(|(j, (mean, &log_std))| match mode {
                Mode::Greedy => (*mean as f32).clamp(self.low[j], self.high[j]),
                // Not clipped: this is the action whose probability counts.
                Mode::Explore { .. } => (mean + libm::exp(log_std) * standard_normal(&mut streams[i])) as f32,
            }));
        }
        Ok(())
    }
}

/// The action at which the cumulative probability passes `uniform`, in [0, 1).
fn sample(log_p: &[f64], uniform: f64) -> u32 {
    let mut sum = 0.0;
    for (action, &l) in log_p.iter().enumerate() {
        sum += libm::exp(l);
        if uniform < sum {
            return action as u32;
        }
    }
    // The probabilities may sum to a little less than one.
    log_p.len() as u32 - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sampling_follows_the_cumulative_probability() {
        let log_p = [libm::log(0.2_f64), libm::log(0.5_f64), libm::log(0.3_f64)];
        assert_eq!([0.0, 0.19, 0.21, 0.69, 0.71, 0.999_999].map(|u| sample(&log_p, u)), [0, 0, 1, 1, 2, 2]);
        assert_eq!(sample(&[libm::log(0.4_f64), libm::log(0.5_f64)], 0.95), 1);
    }

    #[test]
    fn argmax_takes_the_first_of_equals() {
        assert_eq!(argmax(&[1.0, 3.0, 3.0]), 1);
    }
}
