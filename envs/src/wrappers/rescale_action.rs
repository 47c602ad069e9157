//! Actions in [−1, 1] for environments with other bounds.

use rand::RngCore;

use crate::action::Action;
use crate::env::{Env, Step};
use crate::error::EnvError;
use crate::frame::Frame;
use crate::space::Space;

/// Takes actions in [−1, 1] and stretches them to the bounds of `E`, as Gymnasium's
/// `RescaleAction`; actions beyond are clipped first, as its `ClipAction` would.
#[derive(Debug, Clone)]
pub struct RescaleAction<E> {
    env: E,
    action_space: Space,
    low: Vec<f32>,
    high: Vec<f32>,
    stretched: Vec<f32>,
}

impl<E: Env> RescaleAction<E> {
    /// Wraps `env`.
    ///
    /// # Errors
    /// [`EnvError::ActionKind`] for discrete actions, [`EnvError::Setting`] for infinite bounds.
    pub fn new(env: E) -> Result<Self, EnvError> {
        let Space::Box { low, high } = env.action_space().clone() else {
            return Err(EnvError::ActionKind { expected: "discrete", found: "continuous" });
        };
        if let Some(bound) = low.iter().chain(&high).find(|bound| !bound.is_finite()) {
            let (setting, accepted) = ("bound of the action space", "finite bounds");
            return Err(EnvError::Setting { setting, value: f64::from(*bound).into(), accepted });
        }
        let action_space = Space::symmetric(vec![1.0; low.len()]);
        Ok(RescaleAction { env, action_space, stretched: vec![0.0; low.len()], low, high })
    }
}

impl<E: Env> Env for RescaleAction<E> {
    fn observation_space(&self) -> &Space {
        self.env.observation_space()
    }

    fn action_space(&self) -> &Space {
        &self.action_space
    }

    fn reset(&mut self, rng: &mut dyn RngCore, observation: &mut [f32]) -> Result<(), EnvError> {
        self.env.reset(rng, observation)
    }

    fn step(&mut self, action: Action<'_>, rng: &mut dyn RngCore, observation: &mut [f32]) -> Result<Step, EnvError> {
        let action = action.as_continuous(self.low.len())?;
        for (i, stretched) in self.stretched.iter_mut().enumerate() {
            let (low, high) = (f64::from(self.low[i]), f64::from(self.high[i]));
            let share = (f64::from(action[i]).clamp(-1.0, 1.0) + 1.0) / 2.0;
            *stretched = (low + share * (high - low)) as f32;
        }
        self.env.step(Action::Continuous(&self.stretched), rng, observation)
    }

    fn render(&self) -> Option<Frame> {
        self.env.render()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classic_control::cart_pole::CartPole;
    use crate::classic_control::pendulum::Pendulum;
    use crate::numpy::pcg64::Pcg64;
    use crate::testing;

    #[test]
    fn one_is_the_upper_bound() {
        let mut rescaled = RescaleAction::new(Pendulum::default()).expect("bounded");
        let mut plain = Pendulum::default();
        let (mut left, mut right) = ([0.0; 3], [0.0; 3]);
        rescaled.reset(&mut Pcg64::seed_from(1), &mut left).expect("reset");
        plain.reset(&mut Pcg64::seed_from(1), &mut right).expect("reset");
        for (share, torque) in [(1.0, 2.0), (-1.0, -2.0), (0.25, 0.5), (9.0, 2.0)] {
            let mut rng = Pcg64::seed_from(0);
            let steps = [
                rescaled.step(Action::Continuous(&[share]), &mut rng, &mut left).expect("step"),
                plain.step(Action::Continuous(&[torque]), &mut rng, &mut right).expect("step"),
            ];
            assert_eq!(steps[0], steps[1]);
            assert_eq!(left, right);
        }
    }

    #[test]
    fn it_is_an_environment_like_any_other() {
        testing::check_env(|| RescaleAction::new(Pendulum::default()).expect("bounded"), 300);
        assert!(RescaleAction::new(CartPole::default()).is_err());
    }
}
