//! Windows of several steps, by which replay memory turns rollouts into transitions.

use std::collections::VecDeque;

use egn_envs::Outcome;
use egn_solver::{State, StateError};

use crate::experience::actions::Actions;

/// Up to n steps of one episode as one transition.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Window {
    /// Observation s at the beginning of the window.
    pub observation: Vec<f32>,
    /// Action a at the beginning of the window, one action.
    pub action: Actions,
    /// Reward Σ γᵗ rₜ over the steps of the window.
    pub reward: f64,
    /// Discount γᵐ after m steps; in the end what the value of the window's last observation is
    /// multiplied by.
    pub discount: f64,
}

/// The windows of n steps that are still open, of every environment.
#[derive(Debug, Clone)]
pub(crate) struct Windows {
    n_steps: usize,
    gamma: f64,
    /// By environment, the oldest first.
    open: Vec<VecDeque<Window>>,
}

impl Windows {
    /// Windows of `n_steps` steps, none of them open yet.
    pub fn new(n_steps: usize, gamma: f64) -> Self {
        Self { n_steps, gamma, open: Vec::new() }
    }

    /// All open windows; their actions are of the kind of `like`.
    pub fn state(&self, like: &Actions) -> State {
        let mut state = State::default();
        let all = || self.open.iter().flatten();
        let (mut actions, mut observations) = (like.empty(), Vec::new());
        for window in all() {
            actions.extend(&window.action);
            observations.extend_from_slice(&window.observation);
        }
        state.put("open", &self.open.iter().map(|windows| windows.len() as u64).collect::<Vec<_>>());
        state.put("observations", &observations);
        actions.put_into(&mut state, "actions");
        state.put("rewards", &all().map(|window| window.reward).collect::<Vec<_>>());
        state.put("discounts", &all().map(|window| window.discount).collect::<Vec<_>>());
        state
    }

    /// Restores windows with actions of the kind of `like` and observations of `width` entries.
    ///
    /// # Errors
    /// When the state is of no such windows.
    pub fn restore(&mut self, state: &State, like: &Actions, width: usize) -> Result<(), StateError> {
        let counts = state.get::<u64>("open")?;
        let rewards = state.get::<f64>("rewards")?;
        let n = rewards.len();
        let found = counts.iter().fold(0, |sum: usize, &count| sum.saturating_add(count as usize));
        if found != n {
            return Err(StateError::Length { name: "open".to_owned(), found, expected: n });
        }
        let observations = state.get_all::<f32>("observations", n * width)?;
        let mut actions = like.empty();
        actions.take_from(state, "actions", n)?;
        let discounts = state.get_all::<f64>("discounts", n)?;
        let mut rows = 0..n;
        let mut window = || {
            let row = rows.next()?;
            let mut action = like.empty();
            action.push_from(&actions, row);
            let observation = observations[row * width..(row + 1) * width].to_vec();
            Some(Window { observation, action, reward: rewards[row], discount: discounts[row] })
        };
        self.open = counts.iter().map(|&count| (0..count).filter_map(|_| window()).collect()).collect();
        Ok(())
    }

    /// Drops the open windows of the environments `envs`.
    pub fn forget(&mut self, envs: &[usize]) {
        for &env in envs {
            if let Some(open) = self.open.get_mut(env) {
                open.clear();
            }
        }
    }

    /// Takes in one step of an environment, `(observation, actions, row)`: it opens a window, and
    /// those that end with it go to `closed`, the oldest first: the one that is n steps long, and
    /// all of them when the episode ends. The end of a termination has no value, that of a
    /// truncation has.
    pub fn push(
        &mut self,
        env: usize,
        (observation, actions, row): (&[f32], &Actions, usize),
        reward: f64,
        outcome: Outcome,
        closed: &mut Vec<Window>,
    ) {
        if self.open.len() <= env {
            self.open.resize_with(env + 1, VecDeque::new);
        }
        let open = &mut self.open[env];
        let mut action = actions.empty();
        action.push_from(actions, row);
        open.push_back(Window { observation: observation.to_vec(), action, reward: 0.0, discount: 1.0 });
        for window in open.iter_mut() {
            window.reward += window.discount * reward;
            window.discount *= self.gamma;
        }
        let n_closed = match outcome {
            Outcome::Continues => usize::from(open.len() == self.n_steps),
            Outcome::Truncated => open.len(),
            Outcome::Terminated => {
                open.iter_mut().for_each(|window| window.discount = 0.0);
                open.len()
            }
        };
        closed.extend(open.drain(..n_closed));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_ends_with_its_episode() {
        let closed = |outcome| {
            let mut windows = Windows::new(2, 0.5);
            let mut closed = Vec::new();
            let actions = Actions::Discrete(vec![0, 1]);
            windows.push(0, (&[0.0], &actions, 0), 1.0, Outcome::Continues, &mut closed);
            assert!(closed.is_empty());
            windows.push(0, (&[1.0], &actions, 1), 2.0, outcome, &mut closed);
            closed.into_iter().map(|window| (window.reward, window.discount)).collect::<Vec<_>>()
        };
        assert_eq!(closed(Outcome::Continues), [(2.0, 0.25)]);
        assert_eq!(closed(Outcome::Truncated), [(2.0, 0.25), (2.0, 0.5)]);
        assert_eq!(closed(Outcome::Terminated), [(2.0, 0.0), (2.0, 0.0)]);
    }
}
