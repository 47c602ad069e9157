//! What a greedy policy does with the outputs of its network, in words that
//! other programs understand.

use egn_solver::loss::log_softmax;
use serde::Serialize;

use crate::policies::action_range::ActionRange;

/// The rule from a network's outputs to the action of [`crate::Mode::Greedy`]. A bound that is
/// infinite is no bound.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "rule", rename_all = "lowercase")]
pub enum GreedyRule {
    /// The action of the largest value; the first of several.
    Argmax(ActionValues),
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

/// How a network's outputs, the same number for every action, become the values of actions.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "value", rename_all = "lowercase")]
pub enum ActionValues {
    /// The mean of an action's outputs: of one, which is its value, or of quantiles of its return.
    Mean {
        /// Outputs that stand for one action, 1 or more.
        outputs_per_action: usize,
    },
    /// The expected return Σ z softmax(outputs) over the atoms z of an action.
    Expectation {
        /// z, the return that each output of an action stands for.
        support: Vec<f64>,
    },
}

impl ActionValues {
    /// One output for each action, which is the value of the action.
    pub const ONE_OUTPUT: Self = Self::Mean { outputs_per_action: 1 };

    /// Outputs that stand for one action.
    pub fn outputs_per_action(&self) -> usize {
        match self {
            Self::Mean { outputs_per_action } => *outputs_per_action,
            Self::Expectation { support } => support.len(),
        }
    }

    /// The value of every action, from the outputs of one observation.
    pub fn of(&self, outputs: &[f64]) -> Vec<f64> {
        let groups = outputs.chunks_exact(self.outputs_per_action());
        match self {
            Self::Mean { outputs_per_action: n } => groups.map(|group| group.iter().sum::<f64>() / *n as f64).collect(),
            Self::Expectation { support } => {
                let mut log_p = vec![0.0; support.len()];
                let expectation = |group: &[f64]| {
                    log_softmax(group, &mut log_p);
                    log_p.iter().zip(support).map(|(&l, z)| libm::exp(l) * z).sum()
                };
                groups.map(expectation).collect()
            }
        }
    }

    /// The action of the largest value; the first of several.
    pub fn best(&self, outputs: &[f64]) -> u32 {
        argmax(&self.of(outputs))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn argmax_takes_the_first_of_equals() {
        assert_eq!(argmax(&[1.0, 3.0, 3.0]), 1);
    }

    #[test]
    fn a_value_is_a_mean_or_an_expectation() {
        let quantiles = ActionValues::Mean { outputs_per_action: 2 };
        assert_eq!((quantiles.of(&[1.0, 2.0, 4.0, 0.0]), quantiles.best(&[1.0, 2.0, 4.0, 0.0])), (vec![1.5, 2.0], 1));
        // Probabilities (¾, ¼) and (½, ½).
        let atoms = ActionValues::Expectation { support: vec![-1.0, 7.0] };
        let outputs = [libm::log(3.0), 0.0, 5.0, 5.0];
        assert!(atoms.of(&outputs).iter().zip([1.0, 3.0]).all(|(a, b)| (a - b).abs() < 1e-14));
        assert_eq!(atoms.best(&outputs), 1);
    }

    #[test]
    fn other_programs_are_told_in_words() {
        let told = |rule| serde_json::to_value(GreedyRule::Argmax(rule)).unwrap();
        let quantiles = serde_json::json!({"rule": "argmax", "value": "mean", "outputs_per_action": 5});
        assert_eq!(told(ActionValues::Mean { outputs_per_action: 5 }), quantiles);
        let atoms = serde_json::json!({"rule": "argmax", "value": "expectation", "support": [0.0, 1.5]});
        assert_eq!(told(ActionValues::Expectation { support: vec![0.0, 1.5] }), atoms);
    }
}
