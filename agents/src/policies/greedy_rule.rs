//! What a greedy policy does with the outputs of its network, in words that other programs understand.

use serde::Serialize;

use crate::policies::action_range::ActionRange;

/// From a network's outputs to the action of [`crate::Mode::Greedy`]. A bound that is infinite is no bound.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "rule", rename_all = "lowercase")]
pub enum GreedyRule {
    /// The action whose outputs have the largest mean; the first of several.
    Argmax {
        /// Outputs that stand for one action: 1, or quantiles of its return.
        outputs_per_action: usize,
    },
    /// The first n outputs within bounds.
    Clip {
        /// Least value of each entry, (n).
        low: Vec<f32>,
        /// Greatest value of each entry, (n).
        high: Vec<f32>,
    },
    /// tanh of the first n outputs, with [−1, 1] stretched to the bounds.
    Tanh {
        /// Least value of each entry, (n).
        low: Vec<f32>,
        /// Greatest value of each entry, (n).
        high: Vec<f32>,
    },
}

impl GreedyRule {
    /// The rule of an actor whose tanh is stretched to the range of its actions.
    pub(crate) fn tanh(range: &ActionRange) -> Self {
        let (low, high) = range.bounds();
        Self::Tanh { low: low.to_vec(), high: high.to_vec() }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn argmax_takes_the_first_of_equals() {
        assert_eq!(argmax(&[1.0, 3.0, 3.0]), 1);
    }
}
