//! Deterministic policies for bounded actions: DDPG's and TD3's.

use egn_solver::Snapshot;

use crate::{
    error::AgentError,
    experience::actions::Actions,
    policies::{
        action_noise::ActionNoise,
        action_range::{ActionRange, draw_uniformly},
        actor_state::ActorState,
        policy::{Mode, Policy, batch_of, vectors},
    },
};

/// The deterministic policy a = tanh f(s), with noise added to explore.
#[derive(Debug, Clone)]
pub struct DeterministicPolicy {
    /// Network f.
    pub actor: Snapshot,
    /// Noise added to explore; what is beyond the range of an action is cut off.
    pub noise: ActionNoise,
    /// Range of the actions.
    pub range: ActionRange,
    /// Progress before which noise is added to actions that are drawn uniformly, as in
    /// Stable-Baselines3's warm-up.
    pub random_before: f64,
}

impl Policy for DeterministicPolicy {
    fn act(
        &self,
        observations: &[f32],
        mode: Mode,
        states: &mut [ActorState],
        actions: &mut Actions,
    ) -> Result<(), AgentError> {
        let outputs = self.actor.predict(&batch_of(observations, self.actor.network().n_inputs())?)?;
        let values = vectors(actions)?;
        for (i, row) in outputs.rows().enumerate() {
            let mut action: Vec<f64> = row.iter().map(|&u| libm::tanh(u)).collect();
            if let Mode::Explore { progress } = mode {
                if progress < self.random_before {
                    draw_uniformly(&mut action, &mut states[i].rng);
                }
                self.noise.add_to(&mut action, progress, &mut states[i]);
            }
            values.extend(action.iter().enumerate().map(|(j, &a)| self.range.to_env(j, a)));
        }
        Ok(())
    }
}
