//! CartPole-v1: keep a pole upright on a cart by pushing the cart left or right.
//!
//! Equal to Gymnasium 1.4.0, whose equations are those of Barto, Sutton and Anderson (1983),
//! *Neuronlike Adaptive Elements That Can Solve Difficult Learning Control Problems*, as corrected
//! by Florian (2005), without friction. Traps: `half_length` is half the pole; the mass that
//! accelerates the cart is the whole mass, 1.1 kg; the step that ends the episode is rewarded too.
//!
//! Setting by name: `sutton_barto_reward`.

use rand::RngCore;

use crate::action::Action;
use crate::env::{Env, Step};
use crate::episode::EpisodePhase;
use crate::error::EnvError;
use crate::frame::{BLACK, Frame, WHITE, placed, rectangle};
use crate::numpy::pcg64::uniform;
use crate::registration::{GYMNASIUM, Registration, made};
use crate::space::Space;

/// Physics and reward of [`CartPole`].
#[derive(Debug, Clone, PartialEq)]
pub struct CartPoleConfig {
    /// Gravity (m/s²).
    pub gravity: f64,
    /// Mass of the cart (kg).
    pub cart_mass: f64,
    /// Mass of the pole (kg).
    pub pole_mass: f64,
    /// Half the pole's length (m).
    pub half_length: f64,
    /// Strength of a push (N).
    pub force: f64,
    /// Time between two states (s).
    pub time_step: f64,
    /// Pays 0 a step and −1 at the fall, as Sutton and Barto do, instead of 1 a step.
    pub sutton_barto_reward: bool,
}

impl Default for CartPoleConfig {
    fn default() -> Self {
        // Gymnasium CartPole-v1.
        CartPoleConfig {
            gravity: 9.8,
            cart_mass: 1.0,
            pole_mass: 0.1,
            half_length: 0.5,
            force: 10.0,
            time_step: 0.02,
            sutton_barto_reward: false,
        }
    }
}

/// Where cart and pole are and how they move.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct CartPoleState {
    /// Position of the cart (m).
    pub position: f64,
    /// Velocity of the cart (m/s).
    pub velocity: f64,
    /// Angle of the pole from upright, to the right (rad).
    pub angle: f64,
    /// Angular velocity of the pole (rad/s).
    pub angular_velocity: f64,
}

/// The cart and its pole.
#[derive(Debug, Clone)]
pub struct CartPole {
    config: CartPoleConfig,
    observation_space: Space,
    action_space: Space,
    state: CartPoleState,
    phase: EpisodePhase,
}

impl CartPole {
    /// Half the length of the track: the episode ends beyond it (m).
    pub const POSITION_LIMIT: f64 = 2.4;
    /// Greatest angle: the episode ends beyond it (rad); 12 degrees.
    pub const ANGLE_LIMIT: f64 = 12.0 * 2.0 * std::f64::consts::PI / 360.0;
    /// A first state has every entry within this of zero.
    const RESET_BOUND: f64 = 0.05;

    /// A cart with the physics of `config`, waiting for a reset.
    pub fn new(config: CartPoleConfig) -> Self {
        // Twice the limits, so that the observation that ends an episode lies inside.
        let (position, angle) = (2.0 * Self::POSITION_LIMIT, 2.0 * Self::ANGLE_LIMIT);
        let high = vec![position as f32, f32::INFINITY, angle as f32, f32::INFINITY];
        CartPole {
            config,
            observation_space: Space::symmetric(high),
            action_space: Space::Discrete { n: 2 },
            state: CartPoleState::default(),
            phase: EpisodePhase::NotStarted,
        }
    }

    /// The state in double precision; observations are its rounding.
    pub fn state(&self) -> CartPoleState {
        self.state
    }

    /// Begins an episode at `state`, without a draw.
    pub fn set_state(&mut self, state: CartPoleState) {
        self.state = state;
        self.phase = EpisodePhase::Running;
    }

    /// One explicit Euler step, term by term in Gymnasium's order of operations: rounding is part
    /// of the contract.
    fn advance(&mut self, force: f64) {
        let CartPoleConfig { gravity, cart_mass, pole_mass, half_length, time_step, .. } = self.config;
        let CartPoleState { position, velocity, angle, angular_velocity } = self.state;
        let total_mass = pole_mass + cart_mass;
        let pole_mass_length = pole_mass * half_length;
        let (sin, cos) = libm::sincos(angle);

        let push = (force + pole_mass_length * (angular_velocity * angular_velocity) * sin) / total_mass;
        let angular_acceleration =
            (gravity * sin - cos * push) / (half_length * (4.0 / 3.0 - pole_mass * (cos * cos) / total_mass));
        let acceleration = push - pole_mass_length * angular_acceleration * cos / total_mass;

        self.state = CartPoleState {
            position: position + time_step * velocity,
            velocity: velocity + time_step * acceleration,
            angle: angle + time_step * angular_velocity,
            angular_velocity: angular_velocity + time_step * angular_acceleration,
        };
    }

    fn has_fallen(&self) -> bool {
        let CartPoleState { position, angle, .. } = self.state;
        position.abs() > Self::POSITION_LIMIT || angle.abs() > Self::ANGLE_LIMIT
    }

    fn reward(&self, terminated: bool) -> f64 {
        match (self.config.sutton_barto_reward, terminated) {
            (false, _) => 1.0,
            (true, false) => 0.0,
            (true, true) => -1.0,
        }
    }

    /// The cart on its track, with the sizes and colors of Gymnasium's picture.
    fn picture(&self) -> Frame {
        const WIDTH: f64 = 600.0;
        const TRACK_HEIGHT: f64 = 100.0;
        let scale = WIDTH / (2.0 * Self::POSITION_LIMIT);
        let cart = [self.state.position * scale + WIDTH / 2.0, TRACK_HEIGHT];
        let axle = [cart[0], cart[1] + 7.5];
        let pole = rectangle(-5.0, 5.0, -5.0, 2.0 * self.config.half_length * scale - 5.0);
        let mut frame = Frame::new(WIDTH as usize, 400, WHITE);
        frame.line([0.0, TRACK_HEIGHT], [WIDTH, TRACK_HEIGHT], 1.0, BLACK);
        frame.fill_polygon(&placed(rectangle(-25.0, 25.0, -15.0, 15.0), 0.0, cart), BLACK);
        frame.fill_polygon(&placed(pole, -self.state.angle, axle), [202, 152, 101]);
        frame.fill_circle(axle, 5.0, [129, 132, 203]);
        frame
    }

    fn observe(&self, observation: &mut [f32]) {
        let CartPoleState { position, velocity, angle, angular_velocity } = self.state;
        let rounded = [position, velocity, angle, angular_velocity].map(|x| x as f32);
        observation.copy_from_slice(&rounded);
    }
}

/// What the registry knows of CartPole-v1.
pub(crate) fn registration() -> Registration {
    Registration {
        id: "CartPole-v1",
        max_episode_steps: Some(500),
        reward_threshold: Some(475.0),
        // Gymnasium's `render_fps`.
        frames_per_second: 50.0,
        source: GYMNASIUM,
        spaces: None,
        make: made(|settings| {
            let sutton_barto_reward = settings.flag("sutton_barto_reward", false)?;
            Ok(CartPole::new(CartPoleConfig { sutton_barto_reward, ..Default::default() }))
        }),
    }
}

impl Default for CartPole {
    fn default() -> Self {
        CartPole::new(CartPoleConfig::default())
    }
}

impl Env for CartPole {
    fn observation_space(&self) -> &Space {
        &self.observation_space
    }

    fn action_space(&self) -> &Space {
        &self.action_space
    }

    fn reset(&mut self, rng: &mut dyn RngCore, observation: &mut [f32]) -> Result<(), EnvError> {
        let mut draw = || uniform(rng, -Self::RESET_BOUND, Self::RESET_BOUND);
        self.set_state(CartPoleState { position: draw(), velocity: draw(), angle: draw(), angular_velocity: draw() });
        self.observe(observation);
        Ok(())
    }

    fn step(&mut self, action: Action<'_>, _rng: &mut dyn RngCore, observation: &mut [f32]) -> Result<Step, EnvError> {
        self.phase.require_running()?;
        let direction = if action.as_discrete(2)? == 1 { 1.0 } else { -1.0 };
        self.advance(direction * self.config.force);
        let terminated = self.has_fallen();
        self.phase = EpisodePhase::after(terminated);
        self.observe(observation);
        Ok(Step { reward: self.reward(terminated), terminated, truncated: false })
    }

    fn render(&self) -> Option<Frame> {
        Some(self.picture())
    }
}
