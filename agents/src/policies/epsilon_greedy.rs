//! The policy of Q-networks.

use egn_solver::{Schedule, Snapshot};
use rand::Rng;

use crate::{
    error::AgentError,
    experience::actions::Actions,
    policies::{
        actor_state::ActorState,
        greedy_rule::{argmax, means},
        policy::{Mode, Policy, batch_of},
    },
};

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
        states: &mut [ActorState],
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
                    let (coin, any) = (states[i].rng.random::<f64>(), states[i].rng.random_range(0..n_actions));
                    if coin < epsilon { any } else { best() }
                }
            });
        }
        Ok(())
    }
}
