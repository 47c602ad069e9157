//! Returns and advantages.

use egn_envs::Outcome;

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

#[cfg(test)]
mod tests {
    use super::*;

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
    fn normalised_values_have_unit_sample_deviation() {
        let mut values = [1.0, 2.0, 3.0];
        normalise(&mut values);
        assert!((values[2] - 1.0).abs() < 1e-7 && values[1] == 0.0);
    }
}
