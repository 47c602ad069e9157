//! Returns and advantages.

use egn_envs::Outcome;

/// Generalized advantage estimates of one environment's trajectory.
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

/// Discounted returns of one whole episode, Gₜ = rₜ + γ Gₜ₊₁, with `after` the value of what
/// follows its last step: 0 after a termination, V of the real last observation after a truncation.
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
pub fn normalize(values: &mut [f64]) {
    let n = values.len() as f64;
    if values.len() < 2 {
        return;
    }
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0);
    values.iter_mut().for_each(|x| *x = (*x - mean) / (variance.sqrt() + 1e-8));
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
    fn normalized_advantages_are_those_of_stable_baselines3() {
        let golden = recorded_on_policy("normalized");
        let mut values = numbers(&golden["values"]);
        normalize(&mut values);
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
    fn normalized_values_have_unit_sample_deviation() {
        let mut values = [1.0, 2.0, 3.0];
        normalize(&mut values);
        assert!((values[2] - 1.0).abs() < 1e-7 && values[1] == 0.0);
    }
}
