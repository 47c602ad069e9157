//! Deterministic policies for bounded actions: DDPG's and TD3's.

use egn_envs::Space;
use egn_solver::Snapshot;
use rand::Rng;

use crate::{
    agent::AgentError,
    experience::rollout::Actions,
    policies::{
        action_noise::ActionNoise,
        action_range::ActionRange,
        policy::{Mode, Policy, batch_of},
    },
    streams::Stream,
};

/// a = tanh f(s), to learn with noise.
#[derive(Debug, Clone)]
pub struct DeterministicPolicy {
    /// f.
    pub actor: Snapshot,
    /// Added to explore; what is beyond the range of an action is cut off.
    pub noise: ActionNoise,
    /// Where actions lie.
    pub range: ActionRange,
    /// Progress before which it is added to actions that are drawn uniformly, as in Stable-Baselines3's
    /// warm-up.
    pub random_before: f64,
}

impl Policy for DeterministicPolicy {
    fn act(
        &self,
        observations: &[f32],
        mode: Mode,
        streams: &mut [Stream],
        actions: &mut Actions,
    ) -> Result<(), AgentError> {
        let outputs = self.actor.predict(&batch_of(observations, self.actor.network().n_inputs())?)?;
        let values = vectors(actions)?;
        for (i, row) in outputs.rows().enumerate() {
            let mut action: Vec<f64> = row.iter().map(|&u| libm::tanh(u)).collect();
            if let Mode::Explore { progress } = mode {
                if progress < self.random_before {
                    draw_uniformly(&mut action, &mut streams[i]);
                }
                self.noise.add_to(&mut action, progress, &mut streams[i]);
            }
            values.extend(action.iter().enumerate().map(|(j, &a)| self.range.to_env(j, a)));
        }
        Ok(())
    }
}

/// Any point of [−1, 1]ⁿ.
pub(crate) fn draw_uniformly(action: &mut [f64], stream: &mut Stream) {
    action.fill_with(|| stream.random_range(-1.0..1.0));
}

/// Where continuous actions go.
pub(crate) fn vectors(actions: &mut Actions) -> Result<&mut Vec<f32>, AgentError> {
    match actions {
        Actions::Continuous { values, .. } => Ok(values),
        Actions::Discrete(_) => Err(AgentError::ActionSpace { agent: "this policy", needs: "continuous" }),
    }
}

/// The range of a policy that is read back from a record, whose agent was made for these actions.
///
/// # Panics
/// When there is none: such an agent cannot have been made.
pub(crate) fn range_of(actions: &Space, agent: &'static str) -> ActionRange {
    ActionRange::of(actions, agent).unwrap_or_else(|error| panic!("{error}"))
}
