//! A policy once training is over, and what acting with it takes.

use std::sync::Arc;

use egn_envs::Space;
use egn_solver::{Snapshot, State, StateError};

use crate::{
    context::Spaces,
    error::AgentError,
    experience::actions::Actions,
    normalize::normalizer::ObservationNormalizer,
    policies::{
        actor_state::ActorState,
        policy::{Mode, Policy},
    },
    settings::agent_settings::AgentSettings,
};

/// The network that acts, and what its observations go through first.
#[derive(Debug, Clone)]
pub struct TrainedPolicy {
    /// The network.
    pub network: Snapshot,
    /// Scales observations, by statistics that are frozen here.
    pub normalizer: Option<ObservationNormalizer>,
}

impl TrainedPolicy {
    /// The policy that acts in an environment with these actions, for an agent of these settings.
    ///
    /// # Errors
    /// When such an agent cannot take such actions.
    pub fn policy(&self, settings: &dyn AgentSettings, actions: &Space) -> Result<Arc<dyn Policy>, AgentError> {
        let plan = settings.actor(Spaces { n_observations: self.network.network().n_inputs(), actions })?;
        Ok(normalized(plan.policy(self.network.clone()), self.normalizer.as_ref()))
    }

    /// Parameters and statistics, to be restored into a policy of the same kind.
    pub fn state(&self) -> State {
        let mut state = self.network.state();
        if let Some(normalizer) = &self.normalizer {
            state.put_part("observations", normalizer.state());
        }
        state
    }

    /// This policy with the parameters and statistics of a state.
    ///
    /// # Errors
    /// When the state is of another kind of policy.
    pub fn restored(&self, state: &State) -> Result<Self, StateError> {
        let mut restored = Self { network: self.network.restored(state)?, normalizer: self.normalizer.clone() };
        if let Some(normalizer) = &mut restored.normalizer {
            normalizer.restore(&state.part("observations"))?;
        }
        Ok(restored)
    }
}

/// `policy` behind a normalizer of its observations, if there is one.
pub(crate) fn normalized(policy: Arc<dyn Policy>, normalizer: Option<&ObservationNormalizer>) -> Arc<dyn Policy> {
    match normalizer.cloned() {
        Some(normalizer) => Arc::new(NormalizedPolicy { policy, normalizer }),
        None => policy,
    }
}

/// Acts on scaled observations.
struct NormalizedPolicy {
    policy: Arc<dyn Policy>,
    normalizer: ObservationNormalizer,
}

impl Policy for NormalizedPolicy {
    fn act(
        &self,
        observations: &[f32],
        mode: Mode,
        states: &mut [ActorState],
        actions: &mut Actions,
    ) -> Result<(), AgentError> {
        let mut scaled = observations.to_vec();
        self.normalizer.apply(&mut scaled);
        self.policy.act(&scaled, mode, states, actions)
    }
}
