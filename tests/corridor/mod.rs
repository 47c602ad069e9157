//! The smallest task with discrete actions that can fail.

use egn_envs::{Action, Env, EnvError, Space, Step};
use rand::{Rng, RngCore};

/// A corridor of five cells. Right of the last one is a reward of 1 and the end; left of the first
/// one a reward of 0.1 and the end. From the middle the near-sighted go left.
pub struct Corridor {
    cell: usize,
    observations: Space,
    actions: Space,
}

const N_CELLS: usize = 5;

impl Corridor {
    pub fn new() -> Self {
        let observations = Space::Box { low: vec![0.0; N_CELLS], high: vec![1.0; N_CELLS] };
        Self { cell: 0, observations, actions: Space::Discrete { n: 2 } }
    }

    fn show(&self, observation: &mut [f32]) {
        observation.fill(0.0);
        observation[self.cell] = 1.0;
    }
}

impl Env for Corridor {
    fn observation_space(&self) -> &Space {
        &self.observations
    }

    fn action_space(&self) -> &Space {
        &self.actions
    }

    fn reset(&mut self, rng: &mut dyn RngCore, observation: &mut [f32]) -> Result<(), EnvError> {
        self.cell = rng.random_range(0..N_CELLS);
        self.show(observation);
        Ok(())
    }

    fn step(&mut self, action: Action<'_>, _: &mut dyn RngCore, observation: &mut [f32]) -> Result<Step, EnvError> {
        let ended = |reward| Step { reward, terminated: true, truncated: false };
        let step = match (action.as_discrete(2)?, self.cell) {
            (0, 0) => ended(0.1),
            (1, cell) if cell == N_CELLS - 1 => ended(1.0),
            (direction, _) => {
                self.cell = if direction == 1 { self.cell + 1 } else { self.cell - 1 };
                Step { reward: 0.0, terminated: false, truncated: false }
            }
        };
        self.show(observation);
        Ok(step)
    }
}
