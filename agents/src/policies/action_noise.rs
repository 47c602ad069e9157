//! Noise that is added to the actions of a deterministic policy.

use egn_solver::{Schedule, SettingError, standard_normal};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::policies::actor_state::ActorState;

/// How noise of one step depends on that of the step before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NoiseKind {
    /// Independent noise, N(0, σ²).
    Normal,
    /// x ← x − θ x Δ + σ √Δ ε, from 0 at the start of an episode.
    ///
    /// Source: Uhlenbeck and Ornstein (1930); Lillicrap et al. (2016), arXiv 1509.02971.
    OrnsteinUhlenbeck,
}

/// θ of an Ornstein-Uhlenbeck process, per unit of time (Stable-Baselines3).
const RATE: f64 = 0.15;
/// Δ, time between two steps (Stable-Baselines3).
const TIME_STEP: f64 = 1e-2;

/// Noise with its scale, in actions of [−1, 1].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ActionNoise {
    /// How the noise of a step depends on that of the step before.
    pub kind: NoiseKind,
    /// σ over training.
    pub std: Schedule,
}

impl ActionNoise {
    /// Whether σ stays in its range.
    ///
    /// # Errors
    /// When it is not.
    pub fn validate(self) -> Result<(), SettingError> {
        self.std.require("noise_std", [0.0, f64::MAX], "0 or more and finite")
    }

    /// Adds one step's noise to an action, at `progress` of training.
    pub fn add_to(self, action: &mut [f64], progress: f64, state: &mut ActorState) {
        let (std, ActorState { rng, noise }) = (self.std.at(progress), state);
        match self.kind {
            NoiseKind::Normal => action.iter_mut().for_each(|entry| *entry += std * standard_normal(rng)),
            NoiseKind::OrnsteinUhlenbeck => {
                noise.resize(action.len(), 0.0);
                for (entry, x) in action.iter_mut().zip(noise) {
                    let drawn = std * standard_normal(rng);
                    *x += -RATE * TIME_STEP * *x + TIME_STEP.sqrt() * drawn;
                    *entry += *x;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn correlated_noise_follows_its_recursion_and_starts_anew() {
        let noise = ActionNoise { kind: NoiseKind::OrnsteinUhlenbeck, std: 0.5.into() };
        let (mut state, mut plain) = (ActorState::new(1, 0), ActorState::new(1, 0).rng);
        let mut expected = 0.0;
        for _ in 0..3 {
            let mut action = [0.25];
            noise.add_to(&mut action, 0.0, &mut state);
            expected = expected * (1.0 - 0.0015) + 0.05 * standard_normal(&mut plain);
            assert!((action[0] - 0.25 - expected).abs() < 1e-15);
        }
        state.begin_episode();
        let mut action = [0.0];
        noise.add_to(&mut action, 0.0, &mut state);
        assert!((action[0] - 0.05 * standard_normal(&mut plain)).abs() < 1e-15);
    }

    #[test]
    fn independent_noise_has_the_deviation_of_its_schedule() {
        let noise = ActionNoise { kind: NoiseKind::Normal, std: Schedule::linear(1.0, 0.0) };
        let mut actions = vec![0.0; 20_000];
        noise.add_to(&mut actions, 0.5, &mut ActorState::new(0, 0));
        let variance = actions.iter().map(|a| a * a).sum::<f64>() / 20_000.0;
        // Five standard deviations of the variance of so many draws.
        assert!((variance - 0.25).abs() < 5.0 * 0.25 * (2.0_f64 / 20_000.0).sqrt(), "{variance}");
    }
}
