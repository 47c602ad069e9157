//! Gaussian policies, for continuous actions without squashing.

use egn_solver::{Snapshot, standard_normal};

use crate::{
    error::AgentError,
    experience::actions::Actions,
    policies::{
        actor_state::ActorState,
        policy::{Mode, Policy, batch_of},
    },
};

/// A policy of independent normal entries, whose greedy action is the mean within the environment's
/// bounds.
#[derive(Debug, Clone)]
pub struct GaussianPolicy {
    /// Network that puts out means, then log σ.
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
        states: &mut [ActorState],
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
                Mode::Explore { .. } => (mean + libm::exp(log_std) * standard_normal(&mut states[i].rng)) as f32,
            }));
        }
        Ok(())
    }
}
