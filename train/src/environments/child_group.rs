//! Gymnasium's environments in a child process, as a group: one round trip a step.

use std::{io, path::Path};

use egn_agents::Actions;
use egn_envs::{
    EnvError, Space, Step,
    gymnasium::{GymnasiumError, GymnasiumGroup, GymnasiumSettings, Request},
};

use crate::environments::group::{Draws, EnvGroup, Environments, GroupError, NO_STEP};

/// Makes one child process a group.
impl Environments for GymnasiumSettings {
    fn group(&self, _first_env: usize, draws: Vec<Draws>) -> Result<Box<dyn EnvGroup>, GroupError> {
        let started = GymnasiumGroup::start(self.clone(), draws.len());
        let child = started.map_err(|error| failure(&error, draws.len()))?;
        Ok(Box::new(ChildGroup { id: self.id.clone(), child, draws }))
    }

    fn keep_printed(&self, path: &Path) -> io::Result<()> {
        self.printed.write_to(path)
    }

    fn take_warnings(&self) -> Vec<String> {
        self.printed.take_warnings()
    }
}

/// A child process with many environments.
struct ChildGroup {
    id: String,
    child: GymnasiumGroup,
    draws: Vec<Draws>,
}

impl ChildGroup {
    /// One round trip for the environments `which`, the k-th of which is asked `request(k)`.
    fn exchange<'a>(
        &mut self,
        which: &[usize],
        request: impl Fn(&mut Draws, usize) -> Request<'a>,
        observations: &mut [f32],
        steps: &mut [Step],
    ) -> Result<(), GroupError> {
        let mut requests = vec![Request::Idle; self.draws.len()];
        for (k, &i) in which.iter().enumerate() {
            requests[i] = request(&mut self.draws[i], k);
        }
        let exchanged = self.child.exchange(&requests, observations, steps);
        exchanged.map_err(|error| failure(&error, self.draws.len()))
    }
}

impl EnvGroup for ChildGroup {
    fn observation_space(&self) -> &Space {
        self.child.observation_space()
    }

    fn action_space(&self) -> &Space {
        self.child.action_space()
    }

    fn draws(&self) -> &[Draws] {
        &self.draws
    }

    fn place(&self, i: usize) -> Option<String> {
        Some(format!("{}, {}", self.id, self.child.place(i)))
    }

    fn reset(&mut self, which: &[usize], observations: &mut [f32]) -> Result<(), GroupError> {
        let mut steps = vec![NO_STEP; self.draws.len()];
        self.exchange(which, |draws, _| Request::Reset { seed: draws.next_seed() }, observations, &mut steps)
    }

    fn step(
        &mut self,
        which: &[usize],
        actions: &Actions,
        observations: &mut [f32],
        steps: &mut [Step],
    ) -> Result<(), GroupError> {
        self.exchange(which, |_, k| Request::Step(actions.get(k)), observations, steps)
    }
}

/// Which of `n_envs` an error is about, and what it says without their numbers in the child.
fn failure(error: &EnvError, n_envs: usize) -> GroupError {
    let cause = match error {
        EnvError::Other(cause) => cause.downcast_ref::<GymnasiumError>(),
        _ => None,
    };
    match cause {
        Some(GymnasiumError::Raised { id, index, place, text }) => {
            GroupError { envs: *index..index + 1, message: format!("{id}, {place}: {text}") }
        }
        _ => GroupError { envs: 0..n_envs, message: error.to_string() },
    }
}
