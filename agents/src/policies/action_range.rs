//! Bounded actions, seen by networks as points of [−1, 1]ⁿ.

use egn_envs::Space;
use rand::Rng;

use crate::{error::AgentError, streams::Stream};

/// The bounds between which an environment takes actions.
#[derive(Debug, Clone, PartialEq)]
pub struct ActionRange {
    low: Vec<f32>,
    high: Vec<f32>,
}

impl ActionRange {
    /// The range of a space.
    ///
    /// # Errors
    /// When actions are discrete, or one of their entries has no bound.
    pub fn of(space: &Space, agent: &'static str) -> Result<Self, AgentError> {
        match space {
            Space::Box { low, high } if low.iter().chain(high).all(|bound| bound.is_finite()) => {
                Ok(Self { low: low.clone(), high: high.clone() })
            }
            Space::Box { .. } | Space::Discrete { .. } => {
                Err(AgentError::ActionSpace { agent, needs: "bounded continuous" })
            }
        }
    }

    /// Entries of an action, n.
    pub fn width(&self) -> usize {
        self.low.len()
    }

    /// Entry j of an action, in the environment's units, brought within its bounds.
    pub fn clamp(&self, j: usize, action: f64) -> f64 {
        action.clamp(self.low[j].into(), self.high[j].into())
    }

    /// Half the distance between the bounds of entry j.
    pub fn half_width(&self, j: usize) -> f64 {
        0.5 * (f64::from(self.high[j]) - f64::from(self.low[j]))
    }

    /// Least and greatest value of each entry.
    pub fn bounds(&self) -> (&[f32], &[f32]) {
        (&self.low, &self.high)
    }

    /// Brings entry j of an action from [−1, 1] to the environment's bounds.
    pub fn to_env(&self, j: usize, action: f64) -> f32 {
        let (low, high) = (f64::from(self.low[j]), f64::from(self.high[j]));
        ((low + 0.5 * (action + 1.0) * (high - low)) as f32).clamp(self.low[j], self.high[j])
    }

    /// Brings actions (b, n) from the environment's bounds to [−1, 1].
    pub fn from_env<'a>(&'a self, actions: &'a [f32]) -> impl Iterator<Item = f64> + 'a {
        let n = self.width();
        actions.iter().enumerate().map(move |(i, &action)| {
            let (low, high) = (f64::from(self.low[i % n]), f64::from(self.high[i % n]));
            2.0 * (f64::from(action) - low) / (high - low) - 1.0
        })
    }
}

/// Draws a point of [−1, 1]ⁿ uniformly.
pub(crate) fn draw_uniformly(action: &mut [f64], stream: &mut Stream) {
    action.fill_with(|| stream.random_range(-1.0..1.0));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_keep_their_own_bounds() {
        let space = Space::Box { low: vec![-2.0, 0.0], high: vec![2.0, 10.0] };
        let range = ActionRange::of(&space, "td3").unwrap();
        assert_eq!([range.to_env(0, -1.0), range.to_env(0, 0.5), range.to_env(1, 0.5)], [-2.0, 1.0, 7.5]);
        assert_eq!(range.from_env(&[1.0, 7.5, -2.0, 0.0]).collect::<Vec<_>>(), [0.5, 0.5, -1.0, -1.0]);
        assert_eq!(range.to_env(0, 1.5), 2.0);
    }

    #[test]
    fn what_has_no_bounds_is_refused() {
        for space in [Space::Discrete { n: 2 }, Space::symmetric(vec![1.0, f32::INFINITY])] {
            assert!(ActionRange::of(&space, "td3").is_err());
        }
    }
}
