//! Returns and advantages.

use std::collections::VecDeque;

use egn_envs::Outcome;
use egn_solver::{State, StateError};

use crate::experience::rollout::Actions;

/// Generalised advantage estimates of one environment's trajectory.
///
/// δₜ = rₜ + γ V(s′ₜ) − V(sₜ),  Aₜ = δₜ + γλ Aₜ₊₁, the sum running on only while the episode
/// continues. `next_values[t]` is V of the real observation after step t; it counts after a
/// truncation and not after a termination. All slices have the trajectory's length.
///
/// Source: Schulman et al. (2016), eq. 16, arXiv 1506.02438.
pub fn gae(
    rewards: &[f64],
    values: &[f64],
    next_values: &[f64],
    outcomes: &[Outcome],
    gamma: f64,
    lambda: f64,
    advantages: &mut [f64],
) {
    let mut after = 0.0;
    for t in (0..rewards.len()).rev() {
        let (bootstrap, carry) = match outcomes[t] {
            Outcome::Continues => (next_values[t], after),
            Outcome::Truncated => (next_values[t], 0.0),
            Outcome::Terminated => (0.0, 0.0),
        };
        after = rewards[t] + gamma * bootstrap - values[t] + gamma * lambda * carry;
        advantages[t] = after;
    }
}

/// Discounted returns of one whole episode, Gₜ = rₜ + γ Gₜ₊₁, with `after` the value of what follows
/// its last step: 0 after a termination, V of the real last observation after a truncation.
pub fn discounted(rewards: &[f64], after: f64, gamma: f64) -> Vec<f64> {
    let mut returns = vec![0.0; rewards.len()];
    let mut sum = after;
    for (g, reward) in returns.iter_mut().zip(rewards).rev() {
        sum = reward + gamma * sum;
        *g = sum;
    }
    returns
}

/// 1 − Var(y − V) / Var(y): 1 for a perfect critic, 0 for a constant one; 0 where y is constant, of
/// which there is nothing to explain.
pub fn explained_variance(values: &[f64], targets: &[f64]) -> f64 {
    let variance = |of: &dyn Fn(usize) -> f64| {
        let n = targets.len();
        let mean = (0..n).map(of).sum::<f64>() / n as f64;
        (0..n).map(|i| (of(i) - mean).powi(2)).sum::<f64>() / n as f64
    };
    let total = variance(&|i| targets[i]);
    if total == 0.0 { 0.0 } else { 1.0 - variance(&|i| targets[i] - values[i]) / total }
}

/// Shifts to mean 0 and scales to standard deviation 1, as Stable-Baselines3: sample deviation,
/// plus 1e-8. One value alone is left as it is.
pub fn normalise(values: &mut [f64]) {
    let n = values.len() as f64;
    if values.len() < 2 {
        return;
    }
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0);
    values.iter_mut().for_each(|x| *x = (*x - mean) / (variance.sqrt() + 1e-8));
}

/// Up to n steps of one episode as one transition.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Window {
    /// s at its beginning.
    pub observation: Vec<f32>,
    /// a at its beginning, one action.
    pub action: Actions,
    /// Σ γᵗ rₜ over its steps.
    pub reward: f64,
    /// γᵐ after m steps; in the end what the value of its last observation is multiplied by.
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
    /// None open yet.
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

    /// Takes back windows with actions of the kind of `like` and observations of `width` entries.
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

    /// Drops the open windows of these environments.
    pub fn forget(&mut self, envs: &[usize]) {
        for &env in envs {
            if let Some(open) = self.open.get_mut(env) {
                open.clear();
            }
        }
    }

    /// One step of an environment, `(observation, actions, row)`: it opens a window, and those that
    /// end with it go to `closed`, the oldest first: the one that is n steps long, and all of them
    /// when the episode ends. The end of a termination has no value, that of a truncation has.
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
    use crate::recorded::{assert_close, numbers, recorded_on_policy};

    #[test]
    fn advantages_are_those_of_stable_baselines3() {
        let golden = recorded_on_policy("gae");
        let number = |name: &str| golden[name].as_f64().unwrap();
        let (rewards, values) = (numbers(&golden["rewards"]), numbers(&golden["values"]));
        let outcomes = golden["outcomes"].as_array().unwrap().iter().map(|outcome| match outcome.as_str().unwrap() {
            "terminated" => Outcome::Terminated,
            "truncated" => Outcome::Truncated,
            _ => Outcome::Continues,
        });
        let outcomes: Vec<Outcome> = outcomes.collect();
        let mut next_values = [&values[1..], &[number("after_rollout")]].concat();
        for (value, outcome) in next_values.iter_mut().zip(&outcomes) {
            match outcome {
                Outcome::Truncated => *value = number("after_truncation"),
                // Of no account.
                Outcome::Terminated => *value = f64::INFINITY,
                Outcome::Continues => {}
            }
        }
        let mut advantages = vec![0.0; rewards.len()];
        let (gamma, lambda) = (number("gamma"), number("gae_lambda"));
        gae(&rewards, &values, &next_values, &outcomes, gamma, lambda, &mut advantages);
        assert_close(&advantages, &numbers(&golden["advantages"]), 1e-6);
        let returns: Vec<f64> = advantages.iter().zip(&values).map(|(a, v)| a + v).collect();
        assert_close(&returns, &numbers(&golden["returns"]), 1e-6);
    }

    #[test]
    fn normalised_advantages_are_those_of_stable_baselines3() {
        let golden = recorded_on_policy("normalised");
        let mut values = numbers(&golden["values"]);
        normalise(&mut values);
        assert_close(&values, &numbers(&golden["result"]), 1e-12);
    }

    #[test]
    fn advantages_by_hand() {
        // γ = ½, λ = ½: δ = [1 + ½·4 − 2, 1 + ½·6 − 4, 1 − 6] = [1, 0, −5].
        let mut advantages = [0.0; 3];
        let outcomes = [Outcome::Continues, Outcome::Continues, Outcome::Terminated];
        gae(&[1.0; 3], &[2.0, 4.0, 6.0], &[4.0, 6.0, 100.0], &outcomes, 0.5, 0.5, &mut advantages);
        assert_eq!(advantages, [1.0 + 0.25 * -1.25, -1.25, -5.0]);
    }

    #[test]
    fn time_limit_is_not_terminal() {
        let advantage = |outcome| {
            let mut advantages = [0.0; 2];
            gae(&[1.0; 2], &[0.0; 2], &[10.0; 2], &[outcome, Outcome::Continues], 0.9, 0.5, &mut advantages);
            advantages
        };
        assert_eq!(advantage(Outcome::Truncated), [10.0, 10.0]);
        assert_eq!(advantage(Outcome::Terminated), [1.0, 10.0]);
        assert_eq!(advantage(Outcome::Continues), [14.5, 10.0]);
    }

    #[test]
    fn returns_of_an_episode_by_hand() {
        assert_eq!(discounted(&[1.0, 2.0, 4.0], 0.0, 0.5), [3.0, 4.0, 4.0]);
        assert_eq!(discounted(&[1.0, 2.0, 4.0], 8.0, 0.5), [4.0, 6.0, 8.0]);
    }

    #[test]
    fn a_critic_explains_all_or_nothing() {
        let targets = [1.0, 2.0, 4.0];
        assert_eq!(explained_variance(&targets, &targets), 1.0);
        assert_eq!(explained_variance(&[3.0; 3], &targets), 0.0);
        assert_eq!(explained_variance(&[0.0, 1.0, 2.0], &[5.0; 3]), 0.0);
        // Errors 0, 0 and 2 have variance 8/9, targets 14/9.
        assert!((explained_variance(&[1.0, 2.0, 2.0], &targets) - 6.0 / 14.0).abs() < 1e-15);
    }

    #[test]
    fn normalised_values_have_unit_sample_deviation() {
        let mut values = [1.0, 2.0, 3.0];
        normalise(&mut values);
        assert!((values[2] - 1.0).abs() < 1e-7 && values[1] == 0.0);
    }

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
