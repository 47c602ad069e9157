//! Rollouts: steps of environments, as agents learn from them.

use egn_envs::{Outcome, Space};
use egn_solver::{State, StateError};

use crate::experience::actions::Actions;

/// Steps of several environments, environment after environment: step t of environment e is row
/// e·`n_steps` + t, so that each environment's trajectory is contiguous.
#[derive(Debug, Clone, PartialEq)]
pub struct Rollout {
    /// Number of environments.
    pub n_envs: usize,
    /// Steps of each environment.
    pub n_steps: usize,
    /// What the policy saw, (n_envs·n_steps, observation).
    pub observations: Vec<f32>,
    /// Actions that the policy took, (n_envs·n_steps).
    pub actions: Actions,
    /// What the environment paid, (n_envs·n_steps).
    pub rewards: Vec<f64>,
    /// What the policy saw next, (n_envs·n_steps, observation): the real last observation of an
    /// episode.
    pub next_observations: Vec<f32>,
    /// How the episode stood after the step, (n_envs·n_steps).
    pub outcomes: Vec<Outcome>,
}

impl Rollout {
    /// A rollout without steps yet, of no environment.
    pub fn empty(n_steps: usize, action_space: &Space) -> Self {
        Self {
            n_envs: 0,
            n_steps,
            observations: Vec::new(),
            actions: Actions::none(action_space),
            rewards: Vec::new(),
            next_observations: Vec::new(),
            outcomes: Vec::new(),
        }
    }

    /// Number of steps, all environments together.
    pub fn len(&self) -> usize {
        self.rewards.len()
    }

    /// Whether there is no step.
    pub fn is_empty(&self) -> bool {
        self.rewards.is_empty()
    }

    /// Ends the episodes of the environments `envs` with the rollout, as a time limit does.
    pub fn truncate_at_end(&mut self, envs: &[usize]) {
        for &env in envs {
            let last = &mut self.outcomes[(env + 1) * self.n_steps - 1];
            if *last == Outcome::Continues {
                *last = Outcome::Truncated;
            }
        }
    }

    /// The rollout as named arrays.
    pub fn state(&self) -> State {
        let mut state = State::default();
        state.put("sizes", &[self.n_envs as u64, self.n_steps as u64]);
        state.put("observations", &self.observations);
        self.actions.put_into(&mut state, "actions");
        state.put("rewards", &self.rewards);
        state.put("next_observations", &self.next_observations);
        let outcomes = self.outcomes.iter().map(|outcome| match outcome {
            Outcome::Continues => 0_u32,
            Outcome::Terminated => 1,
            Outcome::Truncated => 2,
        });
        state.put("outcomes", &outcomes.collect::<Vec<_>>());
        state
    }

    /// A rollout from its state, of observations with `width` entries and
    /// actions in `action_space`.
    ///
    /// # Errors
    /// When it is not such a state.
    pub fn from_state(state: &State, width: usize, action_space: &Space) -> Result<Self, StateError> {
        let sizes = state.get_all::<u64>("sizes", 2)?;
        let rewards: Vec<f64> = state.get("rewards")?;
        let n = rewards.len();
        let mut rollout = Self { n_envs: sizes[0] as usize, rewards, ..Self::empty(sizes[1] as usize, action_space) };
        rollout.observations = state.get_all("observations", n * width)?;
        rollout.actions.take_from(state, "actions", n)?;
        rollout.next_observations = state.get_all("next_observations", n * width)?;
        rollout.outcomes = state.get_all::<u32>("outcomes", n)?.into_iter().map(outcome).collect::<Result<_, _>>()?;
        Ok(rollout)
    }

    /// Appends the environments of `segment` after those of the rollout.
    pub fn append(&mut self, segment: &Rollout) {
        assert_eq!(self.n_steps, segment.n_steps, "steps of two segments of one rollout");
        self.n_envs += segment.n_envs;
        self.observations.extend_from_slice(&segment.observations);
        self.actions.extend(&segment.actions);
        self.rewards.extend_from_slice(&segment.rewards);
        self.next_observations.extend_from_slice(&segment.next_observations);
        self.outcomes.extend_from_slice(&segment.outcomes);
    }
}

/// How an episode stood, from the code in [`Rollout::state`].
fn outcome(code: u32) -> Result<Outcome, StateError> {
    match code {
        0 => Ok(Outcome::Continues),
        1 => Ok(Outcome::Terminated),
        2 => Ok(Outcome::Truncated),
        _ => Err(StateError::Bytes { message: format!("{code} is no outcome of a step") }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn episodes_that_do_not_go_on_are_truncated_where_they_have_not_ended() {
        let mut rollout = Rollout { n_envs: 3, n_steps: 2, ..Rollout::empty(2, &Space::Discrete { n: 2 }) };
        rollout.outcomes = vec![Outcome::Continues; 6];
        rollout.outcomes[5] = Outcome::Terminated;
        rollout.truncate_at_end(&[1, 2]);
        use Outcome::{Continues, Terminated, Truncated};
        assert_eq!(rollout.outcomes, [Continues, Continues, Continues, Truncated, Continues, Terminated]);
    }

    #[test]
    fn a_rollout_comes_back_from_its_state() {
        let rollout = Rollout {
            n_envs: 3,
            n_steps: 1,
            observations: vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
            actions: Actions::Discrete(vec![0, 1, 1]),
            rewards: vec![0.5, -1.0, 0.1],
            next_observations: vec![7.0; 6],
            outcomes: vec![Outcome::Continues, Outcome::Terminated, Outcome::Truncated],
        };
        let (mut state, space) = (rollout.state(), Space::Discrete { n: 2 });
        assert_eq!(Rollout::from_state(&state, 2, &space).unwrap(), rollout);
        assert!(Rollout::from_state(&state, 3, &space).is_err());
        state.put("outcomes", &[0_u32, 1, 3]);
        assert!(Rollout::from_state(&state, 2, &space).unwrap_err().to_string().contains("3 is no outcome"));
    }
}
