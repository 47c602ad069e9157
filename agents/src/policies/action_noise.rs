//! Noise that is added to the actions of a deterministic policy.

use egn_solver::{Schedule, SettingError, standard_normal};
use serde::{Deserialize, Serialize};

use crate::streams::Stream;

/// How noise of one step depends on that of the step before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoiseKind {
    /// Not at all: N(0, σ²).
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
    /// How it depends on the past.
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
    pub fn add_to(self, action: &mut [f64], progress: f64, stream: &mut Stream) {
        let std = self.std.at(progress);
        for (j, entry) in action.iter_mut().enumerate() {
            let drawn = std * standard_normal(stream);
            *entry += match self.kind {
                NoiseKind::Normal => drawn,
                NoiseKind::OrnsteinUhlenbeck => {
                    let memory = stream.memory(j);
                    *memory += -RATE * TIME_STEP * *memory + TIME_STEP.sqrt() * drawn;
                    *memory
                }
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::streams::{Purpose, stream};

    #[test]
    fn correlated_noise_follows_its_recursion_and_starts_anew() {
        let noise = ActionNoise { kind: NoiseKind::OrnsteinUhlenbeck, std: 0.5.into() };
        let (mut with_memory, mut plain) = (stream(1, Purpose::Exploration, 0), stream(1, Purpose::Exploration, 0));
        let mut expected = 0.0;
        for _ in 0..3 {
            let mut action = [0.25];
            noise.add_to(&mut action, 0.0, &mut with_memory);
            expected = expected * (1.0 - 0.0015) + 0.05 * standard_normal(&mut plain);
            assert!((action[0] - 0.25 - expected).abs() < 1e-15);
        }
        with_memory.forget();
        let mut action = [0.0];
        noise.add_to(&mut action, 0.0, &mut with_memory);
        assert!((action[0] - 0.05 * standard_normal(&mut plain)).abs() < 1e-15);
    }

    #[test]
    fn independent_noise_has_the_deviation_of_its_schedule() {
        let noise = ActionNoise { kind: NoiseKind::Normal, std: Schedule::linear(1.0, 0.0) };
        let mut actions = vec![0.0; 20_000];
        noise.add_to(&mut actions, 0.5, &mut stream(0, Purpose::Exploration, 0));
        let variance = actions.iter().map(|a| a * a).sum::<f64>() / 20_000.0;
        // Five standard deviations of the variance of so many draws.
        assert!((variance - 0.25).abs() < 5.0 * 0.25 * (2.0_f64 / 20_000.0).sqrt(), "{variance}");
    }
}
