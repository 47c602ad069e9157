//! The environments under test: each can be placed anywhere and asked for its state.

use egn_envs::classic_control::acrobot::AcrobotState;
use egn_envs::classic_control::cart_pole::{CartPoleConfig, CartPoleState};
use egn_envs::classic_control::mountain_car::{MountainCarConfig, MountainCarState};
use egn_envs::classic_control::mountain_car_continuous::{MountainCarContinuousConfig, MountainCarContinuousState};
use egn_envs::classic_control::pendulum::{PendulumConfig, PendulumState};
use egn_envs::{Acrobot, CartPole, Env, MountainCar, MountainCarContinuous, Pendulum};

use super::Kwargs;

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
    /// Tolerance over a whole episode, where rounding does not grow, and the most steps for
    /// which that is so.
    pub open_loop: Option<(f64, usize)>,
}

/// A fresh environment and its tolerances; none for an id that is not known here.
pub fn subject(id: &str, kwargs: &Kwargs) -> Option<(Box<dyn Subject>, Tolerance)> {
    let mut kwargs = kwargs.clone();
    let known: (Box<dyn Subject>, Tolerance) = match id {
        "CartPole-v1" => {
            let sutton_barto_reward = flag(&mut kwargs, "sutton_barto_reward");
            let config = CartPoleConfig { sutton_barto_reward, ..Default::default() };
            let tolerance = Tolerance { state: 1e-12, reward: 0.0, open_loop: Some((1e-4, 100)) };
            (Box::new(CartPole::new(config)), tolerance)
        }
        "Acrobot-v1" => {
            let tolerance = Tolerance { state: 1e-10, reward: 0.0, open_loop: None };
            (Box::new(Acrobot::new()), tolerance)
        }
        "MountainCar-v0" => {
            let goal_velocity = number(&mut kwargs, "goal_velocity").unwrap_or(0.0);
            let config = MountainCarConfig { goal_velocity, ..Default::default() };
            let tolerance = Tolerance { state: 1e-12, reward: 0.0, open_loop: Some((1e-4, usize::MAX)) };
            (Box::new(MountainCar::new(config)), tolerance)
        }
        "MountainCarContinuous-v0" => {
            let goal_velocity = number(&mut kwargs, "goal_velocity").unwrap_or(0.0);
            let config = MountainCarContinuousConfig { goal_velocity, ..Default::default() };
            let tolerance = Tolerance { state: 1e-6, reward: 1e-6, open_loop: Some((1e-4, usize::MAX)) };
            (Box::new(MountainCarContinuous::new(config)), tolerance)
        }
        "Pendulum-v1" => {
            let defaults = PendulumConfig::default();
            let gravity = number(&mut kwargs, "g").unwrap_or(defaults.gravity);
            let config = PendulumConfig { gravity, ..defaults };
            let tolerance = Tolerance { state: 1e-7, reward: 1e-8, open_loop: None };
            (Box::new(Pendulum::new(config)), tolerance)
        }
        _ => return None,
    };
    assert!(kwargs.is_empty(), "{id}: the recording uses unknown arguments {kwargs:?}");
    Some(known)
}

fn flag(kwargs: &mut Kwargs, name: &str) -> bool {
    kwargs.remove(name).is_some_and(|value| value.as_bool().expect("a flag"))
}

fn number(kwargs: &mut Kwargs, name: &str) -> Option<f64> {
    kwargs.remove(name).map(|value| value.as_f64().expect("a number"))
}

impl Subject for CartPole {
    fn place(&mut self, state: &[f64]) {
        let [position, velocity, angle, angular_velocity] = state.try_into().expect("4 numbers");
        self.set_state(CartPoleState { position, velocity, angle, angular_velocity });
    }

    fn state(&self) -> Vec<f64> {
        let state = CartPole::state(self);
        vec![state.position, state.velocity, state.angle, state.angular_velocity]
    }

    fn env(&mut self) -> &mut dyn Env {
        self
    }
}

impl Subject for Acrobot {
    fn place(&mut self, state: &[f64]) {
        let [angle1, angle2, velocity1, velocity2] = state.try_into().expect("4 numbers");
        self.set_state(AcrobotState { angle1, angle2, velocity1, velocity2 });
    }

    fn state(&self) -> Vec<f64> {
        let state = Acrobot::state(self);
        vec![state.angle1, state.angle2, state.velocity1, state.velocity2]
    }

    fn env(&mut self) -> &mut dyn Env {
        self
    }
}

impl Subject for MountainCar {
    fn place(&mut self, state: &[f64]) {
        let [position, velocity] = state.try_into().expect("2 numbers");
        self.set_state(MountainCarState { position, velocity });
    }

    fn state(&self) -> Vec<f64> {
        let state = MountainCar::state(self);
        vec![state.position, state.velocity]
    }

    fn env(&mut self) -> &mut dyn Env {
        self
    }
}

impl Subject for MountainCarContinuous {
    /// A state that float32 holds exactly is one that a step left behind.
    fn place(&mut self, state: &[f64]) {
        let state: [f64; 2] = state.try_into().expect("2 numbers");
        let single = state.map(|x| x as f32);
        let exact = single.map(f64::from) == state;
        self.set_state(match exact {
            true => MountainCarContinuousState::Single(single),
            false => MountainCarContinuousState::Double(state),
        });
    }

    fn state(&self) -> Vec<f64> {
        match MountainCarContinuous::state(self) {
            MountainCarContinuousState::Double(state) => state.to_vec(),
            MountainCarContinuousState::Single(state) => state.map(f64::from).to_vec(),
        }
    }

    fn env(&mut self) -> &mut dyn Env {
        self
    }
}

impl Subject for Pendulum {
    fn place(&mut self, state: &[f64]) {
        let [angle, angular_velocity] = state.try_into().expect("2 numbers");
        self.set_state(PendulumState { angle, angular_velocity });
    }

    fn state(&self) -> Vec<f64> {
        let state = Pendulum::state(self);
        vec![state.angle, state.angular_velocity]
    }

    fn env(&mut self) -> &mut dyn Env {
        self
    }
}
