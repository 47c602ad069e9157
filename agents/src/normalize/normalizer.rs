//! Observations and rewards brought to unit scale, as Stable-Baselines3's `VecNormalize` does.
//!
//! *Design.* These are not wrappers of one environment: their statistics belong to the agent, are
//! saved with it, and must not depend on how environments are spread over threads. Whoever owns the
//! rollouts feeds them, in environment order.

use egn_solver::{State, StateError};

use crate::normalize::running_moments::RunningMoments;

/// What brings an agent's observations and rewards to unit scale; what is `None` stays as it is.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Normalizer {
    /// Normalizer of what the policy sees.
    pub observations: Option<ObservationNormalizer>,
    /// Normalizer of what the agent is paid in training.
    pub rewards: Option<RewardNormalizer>,
}

impl Normalizer {
    /// All statistics: parts `observations` and `rewards`, and the running `returns`.
    pub fn state(&self) -> State {
        let mut state = State::default();
        if let Some(normalizer) = &self.observations {
            state.put_part("observations", normalizer.state());
        }
        if let Some(normalizer) = &self.rewards {
            state.put_part("rewards", normalizer.moments.state());
            state.put("returns", &normalizer.returns);
        }
        state
    }

    /// Restores the statistics from a [`Normalizer::state`].
    ///
    /// # Errors
    /// When the state is of other observations, or of another number of environments.
    pub fn restore(&mut self, state: &State) -> Result<(), StateError> {
        if let Some(normalizer) = &mut self.observations {
            normalizer.restore(&state.part("observations"))?;
        }
        if let Some(normalizer) = &mut self.rewards {
            normalizer.moments.restore(&state.part("rewards"))?;
            normalizer.returns = state.get_all("returns", normalizer.returns.len())?;
        }
        Ok(())
    }
}

/// Added to a variance before its root is taken, so that a constant entry does not divide by zero.
/// Stable-Baselines3, `VecNormalize`.
const EPSILON: f64 = 1e-8;

/// Shifts and scales observations to mean 0 and variance 1, entry by entry.
#[derive(Debug, Clone, PartialEq)]
pub struct ObservationNormalizer {
    /// Statistics of the observations seen.
    pub moments: RunningMoments,
    /// Greatest magnitude that a normalized entry keeps.
    pub clip: f64,
}

impl ObservationNormalizer {
    /// A normalizer for observations of `len` entries, which has seen none yet.
    pub fn new(len: usize, clip: f64) -> Self {
        ObservationNormalizer { moments: RunningMoments::new(len), clip }
    }

    /// Takes in a batch of observations, one after the other. Leave it out in evaluation: the
    /// statistics are frozen then.
    pub fn observe(&mut self, observations: &[f32]) {
        let rows: Vec<f64> = observations.iter().map(|&x| f64::from(x)).collect();
        self.moments.update(&rows);
    }

    /// The standard deviations that the entries are divided by.
    pub fn deviations(&self) -> Vec<f64> {
        self.moments.variance.iter().map(|variance| (variance + EPSILON).sqrt()).collect()
    }

    /// Normalizes a batch of observations in place.
    pub fn apply(&self, observations: &mut [f32]) {
        let (mean, deviations) = (&self.moments.mean, self.deviations());
        for row in observations.chunks_exact_mut(mean.len()) {
            for ((x, mean), deviation) in row.iter_mut().zip(mean).zip(&deviations) {
                let scaled = (f64::from(*x) - mean) / deviation;
                *x = scaled.clamp(-self.clip, self.clip) as f32;
            }
        }
    }

    /// The statistics ([`RunningMoments::state`]), and `clip`.
    pub fn state(&self) -> State {
        let mut state = self.moments.state();
        state.put("clip", &[self.clip]);
        state
    }

    /// Restores the statistics from an [`ObservationNormalizer::state`].
    ///
    /// # Errors
    /// When the state is of observations of another length.
    pub fn restore(&mut self, state: &State) -> Result<(), StateError> {
        self.clip = state.number("clip")?;
        self.moments.restore(state)
    }
}

/// Scales rewards by the standard deviation of the discounted return so far; they are not shifted,
/// since a shift changes the task.
#[derive(Debug, Clone, PartialEq)]
pub struct RewardNormalizer {
    /// Statistics of the running returns.
    pub moments: RunningMoments,
    /// Discount γ of the running returns.
    pub discount: f64,
    /// Greatest magnitude that a normalized reward keeps.
    pub clip: f64,
    /// Running return of each environment's present episode.
    pub returns: Vec<f64>,
}

impl RewardNormalizer {
    /// A normalizer for the rewards of `n_envs` environments, which has seen none yet.
    pub fn new(n_envs: usize, discount: f64, clip: f64) -> Self {
        RewardNormalizer { moments: RunningMoments::new(1), discount, clip, returns: vec![0.0; n_envs] }
    }

    /// Takes in one step of all environments: rewards and whether their episodes ended.
    ///
    /// # Panics
    /// When there is not one of each for every environment.
    pub fn observe(&mut self, rewards: &[f64], ended: &[bool]) {
        let n = self.returns.len();
        assert_eq!((rewards.len(), ended.len()), (n, n), "one reward and one end for each environment");
        for (running, reward) in self.returns.iter_mut().zip(rewards) {
            *running = *running * self.discount + reward;
        }
        self.moments.update(&self.returns);
        for (running, _) in self.returns.iter_mut().zip(ended).filter(|(_, ended)| **ended) {
            *running = 0.0;
        }
    }

    /// The reward, normalized.
    pub fn apply(&self, reward: f64) -> f64 {
        (reward / (self.moments.variance[0] + EPSILON).sqrt()).clamp(-self.clip, self.clip)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normalized_observations_have_mean_zero_and_variance_one() {
        let mut observations: Vec<f32> = (0..200).flat_map(|i| [i as f32, 7.0]).collect();
        let mut normalizer = ObservationNormalizer::new(2, 10.0);
        normalizer.observe(&observations);
        normalizer.apply(&mut observations);
        let column: Vec<f64> = observations.iter().step_by(2).map(|&x| f64::from(x)).collect();
        let mean = column.iter().sum::<f64>() / 200.0;
        let variance = column.iter().map(|x| x * x).sum::<f64>() / 200.0;
        assert!(mean.abs() < 1e-3 && (variance - 1.0).abs() < 1e-3, "mean {mean}, variance {variance}");
        assert!(observations.iter().all(|x| x.is_finite()), "a constant entry stays finite");
    }

    #[test]
    fn outliers_are_clipped() {
        let mut normalizer = ObservationNormalizer::new(1, 10.0);
        normalizer.observe(&[-1.0, 1.0]);
        let mut outlier = [1e6];
        normalizer.apply(&mut outlier);
        assert_eq!(outlier, [10.0]);
    }

    #[test]
    fn running_returns_start_anew_after_an_episode() {
        let mut normalizer = RewardNormalizer::new(2, 0.5, 10.0);
        normalizer.observe(&[1.0, 1.0], &[false, true]);
        normalizer.observe(&[1.0, 1.0], &[false, false]);
        assert_eq!(normalizer.returns, [1.5, 1.0]);
    }

    #[test]
    fn rewards_keep_their_sign_and_are_not_shifted() {
        let mut normalizer = RewardNormalizer::new(1, 0.99, 10.0);
        for i in 0..1000 {
            normalizer.observe(&[100.0 + f64::from(i % 7)], &[i % 50 == 49]);
        }
        assert!(normalizer.apply(100.0) > 0.0 && normalizer.apply(-100.0) < 0.0);
        assert_eq!(normalizer.apply(0.0), 0.0);
    }

    /// `tests/data/sb3/normalize.py` recorded Stable-Baselines3's `VecNormalize` step by step.
    #[test]
    fn steps_are_scaled_as_stable_baselines3_scales_them() {
        #[derive(serde::Deserialize)]
        struct Step {
            observations: Vec<f32>,
            rewards: Vec<f64>,
            ended: Vec<bool>,
            normalized_observations: Vec<f64>,
            normalized_rewards: Vec<f64>,
        }
        #[derive(serde::Deserialize)]
        struct Recording {
            gamma: f64,
            clip_observation: f64,
            clip_reward: f64,
            first_observations: Vec<f32>,
            steps: Vec<Step>,
            mean: Vec<f64>,
            variance: Vec<f64>,
            reward_variance: f64,
        }
        let text = include_str!("../../../tests/data/sb3/normalize.json");
        let recording: Recording = serde_json::from_str(text).expect("a recording");
        let n_envs = recording.steps[0].rewards.len();
        let mut observations = ObservationNormalizer::new(recording.mean.len(), recording.clip_observation);
        let mut rewards = RewardNormalizer::new(n_envs, recording.gamma, recording.clip_reward);
        // What Stable-Baselines3 hands out is rounded to f32.
        let close = |a: f64, b: f64| (a - b).abs() <= 1e-6 * (1.0 + b.abs());
        let mut n_clipped = 0;
        observations.observe(&recording.first_observations);
        for (t, step) in recording.steps.iter().enumerate() {
            observations.observe(&step.observations);
            rewards.observe(&step.rewards, &step.ended);
            let mut scaled = step.observations.clone();
            observations.apply(&mut scaled);
            for (a, b) in scaled.iter().zip(&step.normalized_observations) {
                assert!(close(f64::from(*a), *b), "observation {a} against {b} at step {t}");
                n_clipped += usize::from(f64::from(a.abs()) == recording.clip_observation);
            }
            for (a, b) in step.rewards.iter().map(|r| rewards.apply(*r)).zip(&step.normalized_rewards) {
                assert!(close(a, *b), "reward {a} against {b} at step {t}");
                n_clipped += usize::from(a.abs() == recording.clip_reward);
            }
        }
        assert!(n_clipped > 4, "clipping is part of what is compared: {n_clipped}");
        let found = observations.moments.mean.iter().chain(&observations.moments.variance);
        for (a, b) in found.zip(recording.mean.iter().chain(&recording.variance)) {
            // NumPy takes the moments of a batch of f32 in f32.
            assert!((a - b).abs() <= 1e-6 * b.abs(), "{a} against {b}");
        }
        assert!((rewards.moments.variance[0] / recording.reward_variance - 1.0).abs() < 1e-12);
    }
}
