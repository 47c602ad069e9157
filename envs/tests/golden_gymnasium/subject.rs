//! The environments under test: each can be placed anywhere and asked for its state.

use egn_envs::cart_pole::{CartPoleConfig, CartPoleState};
use egn_envs::{CartPole, Env};

use crate::Kwargs;

/// An environment whose state is a list of numbers in the order of the recording.
pub trait Subject: Env {
    fn place(&mut self, state: &[f64]);
    fn state(&self) -> Vec<f64>;
    fn env(&mut self) -> &mut dyn Env;
}

/// Absolute tolerances of FORMAT.md; zero is exact.
pub struct Tolerance {
    pub state: f64,
    pub reward: f64,
    /// Tolerance over a whole episode, where rounding does not grow.
    pub open_loop: Option<f64>,
}

/// A fresh environment and its tolerances; none for an id that is not known here.
pub fn subject(id: &str, kwargs: &Kwargs) -> Option<(Box<dyn Subject>, Tolerance)> {
    let mut kwargs = kwargs.clone();
    let known: (Box<dyn Subject>, Tolerance) = match id {
        "CartPole-v1" => {
            let sutton_barto_reward = flag(&mut kwargs, "sutton_barto_reward");
            let config = CartPoleConfig {
                sutton_barto_reward,
                ..Default::default()
            };
            let tolerance = Tolerance {
                state: 1e-12,
                reward: 0.0,
                open_loop: Some(1e-9),
            };
            (Box::new(CartPole::new(config)), tolerance)
        }
        _ => return None,
    };
    assert!(
        kwargs.is_empty(),
        "{id}: the recording uses unknown arguments {kwargs:?}"
    );
    Some(known)
}

fn flag(kwargs: &mut Kwargs, name: &str) -> bool {
    kwargs
        .remove(name)
        .is_some_and(|value| value.as_bool().expect("a flag"))
}

impl Subject for CartPole {
    fn place(&mut self, state: &[f64]) {
        let [position, velocity, angle, angular_velocity] = state.try_into().expect("4 numbers");
        self.set_state(CartPoleState {
            position,
            velocity,
            angle,
            angular_velocity,
        });
    }

    fn state(&self) -> Vec<f64> {
        let state = CartPole::state(self);
        vec![
            state.position,
            state.velocity,
            state.angle,
            state.angular_velocity,
        ]
    }

    fn env(&mut self) -> &mut dyn Env {
        self
    }
}
