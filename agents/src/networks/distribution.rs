//! What the outputs of an actor mean: a distribution over actions, and every formula that needs it.

use std::sync::Arc;

use egn_envs::Space;
use egn_solver::{
    Network, Outputs, Snapshot,
    loss::{
        CategoricalPolicyGradient, Curvature, GaussianPolicyGradient, KlPenalty, Loss, PolicySample, gaussian_entropy,
        gaussian_kl, gaussian_log_prob, log_softmax,
    },
};

use crate::{
    experience::actions::Actions,
    networks::body::Body,
    policies::{
        actor_plan::ActorPlan,
        categorical::CategoricalPolicy,
        gaussian::GaussianPolicy,
        greedy_rule::{ActionValues, GreedyRule},
        policy::Policy,
    },
};

/// A family of distributions over actions, whose parameters an actor puts out.
#[derive(Debug, Clone, PartialEq)]
pub enum Distribution {
    /// Softmax over n logits.
    Categorical {
        /// Number of actions.
        n: usize,
    },
    /// Independent normal entries, outputs (2n): means, then log σ. σ is the same in every state,
    /// as in Stable-Baselines3; actions are clipped to their bounds when an environment takes them,
    /// and learned from unclipped.
    Gaussian {
        /// Least value that the environment takes, entry by entry.
        low: Vec<f32>,
        /// Greatest value that the environment takes.
        high: Vec<f32>,
    },
}

/// Steps that an actor learns from.
#[derive(Debug, Clone, PartialEq)]
pub struct PolicyBatch {
    /// Actions that were taken, (b).
    pub actions: Actions,
    /// A, (b).
    pub advantages: Vec<f64>,
    /// log π_old(a|s) of the policy that acted, (b).
    pub old_log_probs: Vec<f64>,
    /// Outputs of the network of the policy that acted, (b, c).
    pub old_outputs: Outputs,
}

/// The terms of a policy's loss besides the advantage.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Terms {
    /// ε of PPO's clipped ratio; `None` does not clip.
    pub clip: Option<f64>,
    /// β ≥ 0, the entropy coefficient.
    pub entropy: f64,
    /// κ > 0, the coefficient of KL(π_old‖π); `None` does not penalize.
    pub kl_penalty: Option<f64>,
    /// How much of the loss's curvature a Gauss-Newton step sees.
    pub curvature: Curvature,
}

impl PolicyBatch {
    /// Only the given steps, in that order.
    pub fn select(&self, rows: &[usize]) -> Self {
        let pick = |values: &[f64]| rows.iter().map(|&row| values[row]).collect();
        let mut actions = self.actions.empty();
        rows.iter().for_each(|&row| actions.push_from(&self.actions, row));
        let c = self.old_outputs.n_outputs;
        let outputs = rows.iter().flat_map(|&row| &self.old_outputs.values[row * c..(row + 1) * c]);
        Self {
            actions,
            advantages: pick(&self.advantages),
            old_log_probs: pick(&self.old_log_probs),
            old_outputs: Outputs { values: outputs.copied().collect(), n_outputs: c },
        }
    }
}

impl Distribution {
    /// The distribution for actions in `space`.
    pub fn over(space: &Space) -> Self {
        match space {
            Space::Discrete { n } => Self::Categorical { n: *n },
            Space::Box { low, high } => Self::Gaussian { low: low.clone(), high: high.clone() },
        }
    }

    /// An actor's architecture.
    pub fn network(&self, n_observations: usize, body: Body<'_>) -> Network {
        match self {
            Self::Categorical { n } => body.network(n_observations, *n),
            Self::Gaussian { low, .. } => body.network(n_observations, low.len()).with_free_outputs(low.len()),
        }
    }

    /// Outputs that stand for one distribution.
    pub fn n_outputs(&self) -> usize {
        match self {
            Self::Categorical { n } => *n,
            Self::Gaussian { low, .. } => 2 * low.len(),
        }
    }

    /// Rows of curvature of one distribution: mean and deviation of a Gaussian have one each, and a
    /// softmax has one less than outputs.
    pub fn rows_per_sample(&self) -> usize {
        match self {
            Self::Categorical { n } => n.saturating_sub(1).max(1),
            Self::Gaussian { low, .. } => 2 * low.len(),
        }
    }

    /// The plan of an actor with this torso.
    pub fn actor(&self, n_observations: usize, body: Body<'_>) -> ActorPlan {
        let greedy = match self {
            Self::Categorical { .. } => GreedyRule::Argmax(ActionValues::ONE_OUTPUT),
            Self::Gaussian { low, high } => GreedyRule::Clip { low: low.clone(), high: high.clone() },
        };
        let distribution = self.clone();
        ActorPlan::new(self.network(n_observations, body), greedy, move |actor| distribution.policy(actor))
    }

    /// The policy that acts with an actor.
    pub fn policy(&self, actor: Snapshot) -> Arc<dyn Policy> {
        match self {
            Self::Categorical { .. } => Arc::new(CategoricalPolicy { logits: actor }),
            Self::Gaussian { low, high } => Arc::new(GaussianPolicy { actor, low: low.clone(), high: high.clone() }),
        }
    }

    /// log π(a|s) of every action, (b), for outputs (b, c).
    pub fn log_probs(&self, outputs: &Outputs, actions: &Actions) -> Vec<f64> {
        match self {
            Self::Categorical { n } => {
                let mut log_p = vec![0.0; *n];
                let taken = outputs.rows().zip(actions.discrete());
                let log_prob = |(logits, &action): (&[f64], &u32)| {
                    log_softmax(logits, &mut log_p);
                    log_p[action as usize]
                };
                taken.map(log_prob).collect()
            }
            Self::Gaussian { low, .. } => {
                let actions = doubles(actions);
                outputs.rows().zip(actions.chunks_exact(low.len())).map(|(f, a)| gaussian_log_prob(f, a)).collect()
            }
        }
    }

    /// Mean entropy of the distributions that `outputs` (b, c) stand for;
    /// differential for Gaussians.
    pub fn entropy(&self, outputs: &Outputs) -> f64 {
        let sum: f64 = match self {
            Self::Categorical { n } => {
                let mut log_p = vec![0.0; *n];
                let entropy = |logits: &[f64]| {
                    log_softmax(logits, &mut log_p);
                    -log_p.iter().map(|&l| libm::exp(l) * l).sum::<f64>()
                };
                outputs.rows().map(entropy).sum()
            }
            Self::Gaussian { low, .. } => outputs.rows().map(|f| gaussian_entropy(&f[low.len()..])).sum(),
        };
        sum / outputs.batch() as f64
    }

    /// Mean KL(π_old‖π) of outputs (b, c), the sum over all actions, not an
    /// estimate from those taken.
    pub fn kl(&self, old: &Outputs, new: &Outputs) -> f64 {
        let pairs = old.rows().zip(new.rows());
        let sum: f64 = match self {
            Self::Categorical { n } => {
                let (mut log_p, mut log_q) = (vec![0.0; *n], vec![0.0; *n]);
                let divergence = |(old, new): (&[f64], &[f64])| {
                    log_softmax(old, &mut log_p);
                    log_softmax(new, &mut log_q);
                    log_p.iter().zip(&log_q).map(|(&p, &q)| libm::exp(p) * (p - q)).sum::<f64>()
                };
                pairs.map(divergence).sum()
            }
            Self::Gaussian { .. } => pairs.map(|(old, new)| gaussian_kl(old, new)).sum(),
        };
        sum / new.batch() as f64
    }

    /// Mean divergence of outputs (b, c) in two parts: that of the Gaussians' means with the old
    /// deviations, and that of the deviations with the old means. A softmax has the first only.
    pub fn kl_parts(&self, old: &Outputs, new: &Outputs) -> [f64; 2] {
        match self {
            Self::Categorical { .. } => [self.kl(old, new), 0.0],
            Self::Gaussian { low, .. } => {
                let n = low.len();
                let with = |means: &Outputs, deviations: &Outputs| {
                    let rows = means.rows().zip(deviations.rows());
                    let values =
                        rows.flat_map(|(means, deviations)| [&means[..n], &deviations[n..]].concat()).collect();
                    self.kl(old, &Outputs { values, n_outputs: 2 * n })
                };
                [with(new, old), with(old, new)]
            }
        }
    }

    /// Calls `learn` with the policy's loss on a batch, and returns the result.
    pub fn with_loss<R>(&self, batch: &PolicyBatch, terms: Terms, learn: impl FnOnce(&dyn Loss) -> R) -> R {
        let Terms { clip, entropy, kl_penalty, .. } = terms;
        let old_outputs = &batch.old_outputs.values;
        let kl = kl_penalty.map(|coefficient| KlPenalty { coefficient, old_outputs });
        let PolicyBatch { advantages, old_log_probs, .. } = batch;
        match self {
            Self::Categorical { .. } => {
                let steps = batch.actions.discrete().iter().zip(advantages.iter().zip(old_log_probs));
                let samples: Vec<PolicySample> = steps
                    .map(|(&action, (&advantage, &old_log_prob))| PolicySample { action, advantage, old_log_prob })
                    .collect();
                learn(&CategoricalPolicyGradient { samples: &samples, clip, entropy, kl })
            }
            Self::Gaussian { .. } => {
                let actions = doubles(&batch.actions);
                learn(&GaussianPolicyGradient { actions: &actions, advantages, old_log_probs, clip, entropy, kl })
            }
        }
    }
}

fn doubles(actions: &Actions) -> Vec<f64> {
    actions.continuous().iter().map(|&x| f64::from(x)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorded::{assert_close, numbers, recorded_on_policy};

    #[test]
    fn a_coin_and_a_bell_by_hand() {
        let coin = Distribution::Categorical { n: 2 };
        // p = (¾, ¼) and the fair one.
        let biased = Outputs { values: vec![libm::log(3.0_f64), 0.0], n_outputs: 2 };
        let fair = Outputs { values: vec![0.0, 0.0], n_outputs: 2 };
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-14, "{a} for {b}");
        close(coin.log_probs(&biased, &Actions::Discrete(vec![1]))[0], libm::log(0.25_f64));
        close(coin.entropy(&fair), libm::log(2.0_f64));
        close(coin.kl(&biased, &fair), 0.75 * libm::log(1.5_f64) + 0.25 * libm::log(0.5_f64));

        let bell = Distribution::Gaussian { low: vec![-1.0], high: vec![1.0] };
        let (standard, wide) = ([0.0, 0.0], [1.0, libm::log(2.0_f64)]);
        let outputs = |values: [f64; 2]| Outputs { values: values.to_vec(), n_outputs: 2 };
        let action = Actions::Continuous { values: vec![2.0], width: 1 };
        close(bell.log_probs(&outputs(standard), &action)[0], -2.0 - 0.5 * libm::log(std::f64::consts::TAU));
        close(bell.entropy(&outputs(wide)), 0.5 + 0.5 * libm::log(std::f64::consts::TAU) + libm::log(2.0_f64));
        close(bell.kl(&outputs(wide), &outputs(standard)), 2.0 - libm::log(2.0_f64));
    }

    #[test]
    fn policy_losses_are_those_of_stable_baselines3() {
        for (name, distribution) in [
            ("categorical", Distribution::Categorical { n: 3 }),
            ("gaussian", Distribution::Gaussian { low: vec![-9.0; 2], high: vec![9.0; 2] }),
        ] {
            let golden = recorded_on_policy(name);
            let number = |name: &str| golden[name].as_f64().unwrap();
            let (outputs, actions) = (numbers(&golden["outputs"]), numbers(&golden["actions"]));
            let (n_outputs, actions) = match distribution {
                Distribution::Categorical { n } => {
                    (n, Actions::Discrete(actions.into_iter().map(|a| a as u32).collect()))
                }
                Distribution::Gaussian { .. } => {
                    let values = actions.into_iter().map(|a| a as f32).collect();
                    (4, Actions::Continuous { values, width: 2 })
                }
            };
            let outputs = Outputs { values: outputs, n_outputs };
            let batch = PolicyBatch {
                actions,
                advantages: numbers(&golden["advantages"]),
                old_log_probs: numbers(&golden["old_log_probs"]),
                old_outputs: outputs.clone(),
            };
            assert_close(&[distribution.entropy(&outputs)], &[number("mean_entropy")], 1e-12);
            let terms = Terms { clip: Some(number("clip")), entropy: number("entropy"), ..Terms::default() };
            let mut residual = Vec::new();
            let loss = distribution.with_loss(&batch, terms, |loss| loss.residual(&outputs, &mut residual));
            assert_close(&[loss], &[number("loss")], 1e-12);
            let gradient: Vec<f64> = residual.iter().map(|r| r / outputs.batch() as f64).collect();
            assert_close(&gradient, &numbers(&golden["gradient"]), 1e-12);
        }
    }

    #[test]
    fn selected_steps_keep_what_belongs_to_them() {
        let batch = PolicyBatch {
            actions: Actions::Discrete(vec![0, 1, 2]),
            advantages: vec![0.0, 10.0, 20.0],
            old_log_probs: vec![0.0, -1.0, -2.0],
            old_outputs: Outputs { values: vec![0.0, 0.5, 1.0, 1.5, 2.0, 2.5], n_outputs: 2 },
        };
        let chosen = batch.select(&[2, 0]);
        assert_eq!(chosen.actions, Actions::Discrete(vec![2, 0]));
        assert_eq!((chosen.advantages, chosen.old_log_probs), (vec![20.0, 0.0], vec![-2.0, 0.0]));
        assert_eq!(chosen.old_outputs.values, [2.0, 2.5, 0.0, 0.5]);
    }
}
