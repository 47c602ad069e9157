//! Softmax policies, for discrete actions.

use egn_solver::{Snapshot, loss::log_softmax};
use rand::Rng;

use crate::{
    error::AgentError,
    experience::actions::Actions,
    policies::{
        actor_state::ActorState,
        greedy_rule::argmax,
        policy::{Mode, Policy, batch_of},
    },
};

/// A softmax policy over logits, whose greedy action is the likeliest.
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
        states: &mut [ActorState],
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
                    sample(&log_p, states[i].rng.random())
                }
            });
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
}
