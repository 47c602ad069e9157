//! The policy of Q-networks.

use egn_solver::{Schedule, Snapshot};
use rand::Rng;

use crate::{
    error::AgentError,
    experience::actions::Actions,
    policies::{
        actor_state::ActorState,
        greedy_rule::ActionValues,
        policy::{Mode, Policy, batch_of},
    },
};

/// The ε-greedy policy: the greedy action of a Q-network, or with probability ε any action.
#[derive(Debug, Clone)]
pub struct EpsilonGreedyPolicy {
    /// Network that puts out Q(s, ·), or what Q(s, ·) is computed from.
    pub q: Snapshot,
    /// How outputs become Q(s, ·).
    pub values: ActionValues,
    /// Probability ε of a random action.
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
        let n_actions = (network.n_outputs() / self.values.outputs_per_action()) as u32;
        let outputs = self.q.predict(&batch_of(observations, network.n_inputs())?)?;
        let Actions::Discrete(actions) = actions else {
            return Err(AgentError::ActionSpace { agent: "greedy policy", needs: "discrete" });
        };
        for (i, row) in outputs.rows().enumerate() {
            let best = || self.values.best(row);
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
