//! Pendulum-v1: swing a pendulum up with a torque too weak to lift it, and hold it there.
//!
//! Equal to Gymnasium 1.4.0 with NumPy 2. Traps: the cost is that of the state before the step and
//! of the clipped torque; angles are wrapped by the floored remainder (Rust's `%` truncates: a
//! published crate is wrong by up to 34 for it) and only inside the cost, never in the state; and
//! the torque is float32, so that its terms are rounded to float32 before they join the others.
//! The task never terminates.
//!
//! Setting by name: `g`.

use std::f64::consts::{FRAC_PI_2, PI, TAU};

use rand::RngCore;

use crate::action::Action;
use crate::env::{Env, Step};
use crate::episode::EpisodePhase;
use crate::error::EnvError;
use crate::frame::{BLACK, Frame, WHITE, placed, rectangle};
use crate::numpy::pcg64::uniform;
use crate::registration::{GYMNASIUM, Registration, made};
use crate::space::Space;

/// Physics of [`Pendulum`].
#[derive(Debug, Clone, PartialEq)]
pub struct PendulumConfig {
    /// Gravity (m/s²).
    pub gravity: f64,
    /// Mass of the rod (kg).
    pub mass: f64,
    /// Length of the rod (m).
    pub length: f64,
    /// Time between two states (s).
    pub time_step: f64,
}

impl Default for PendulumConfig {
    fn default() -> Self {
        // Gymnasium Pendulum-v1.
        PendulumConfig { gravity: 10.0, mass: 1.0, length: 1.0, time_step: 0.05 }
    }
}

/// Where the pendulum is and how it moves.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct PendulumState {
    /// Angle from upright (rad), never wrapped.
    pub angle: f64,
    /// Angular velocity (rad/s).
    pub angular_velocity: f64,
}

/// The pendulum.
#[derive(Debug, Clone)]
pub struct Pendulum {
    config: PendulumConfig,
    observation_space: Space,
    action_space: Space,
    state: PendulumState,
    /// Torque of the last step, for the picture.
    torque: f32,
    phase: EpisodePhase,
}

impl Pendulum {
    /// Greatest angular velocity (rad/s).
    pub const MAX_SPEED: f64 = 8.0;
    /// Greatest torque (N·m); greater ones are clipped.
    pub const MAX_TORQUE: f32 = 2.0;
    /// First angles lie within this of upright, first angular velocities within one (rad, rad/s).
    const RESET_BOUNDS: [f64; 2] = [PI, 1.0];
    /// Cost of a squared unit of angular velocity, beside 1 for the angle.
    const SPEED_COST: f64 = 0.1;
    /// Cost of a squared unit of torque.
    const TORQUE_COST: f32 = 0.001;

    /// A pendulum with the physics of `config`, waiting for a reset.
    pub fn new(config: PendulumConfig) -> Self {
        Pendulum {
            config,
            observation_space: Space::symmetric(vec![1.0, 1.0, Self::MAX_SPEED as f32]),
            action_space: Space::symmetric(vec![Self::MAX_TORQUE]),
            state: PendulumState::default(),
            torque: 0.0,
            phase: EpisodePhase::NotStarted,
        }
    }

    /// The state in double precision.
    pub fn state(&self) -> PendulumState {
        self.state
    }

    /// Begins an episode at `state`, without a draw.
    pub fn set_state(&mut self, state: PendulumState) {
        self.state = state;
        self.torque = 0.0;
        self.phase = EpisodePhase::Running;
    }

    /// Cost of being in the present state and applying `torque`.
    fn cost(&self, torque: f32) -> f64 {
        let PendulumState { angle, angular_velocity } = self.state;
        let from_upright = (angle + PI).rem_euclid(TAU) - PI;
        from_upright * from_upright
            + Self::SPEED_COST * (angular_velocity * angular_velocity)
            + f64::from(Self::TORQUE_COST * (torque * torque))
    }

    /// One semi-implicit Euler step.
    fn advance(&mut self, torque: f32) {
        let PendulumConfig { gravity, mass, length, time_step } = self.config;
        let PendulumState { angle, angular_velocity } = self.state;
        let pull = 3.0 * gravity / (2.0 * length) * libm::sin(angle);
        let push = f64::from((3.0 / (mass * (length * length))) as f32 * torque);
        let angular_velocity = angular_velocity + (pull + push) * time_step;
        let angular_velocity = angular_velocity.clamp(-Self::MAX_SPEED, Self::MAX_SPEED);
        self.state = PendulumState { angle: angle + angular_velocity * time_step, angular_velocity };
    }

    /// The rod, with the sizes and colors of Gymnasium's picture, and an arc as long as the
    /// torque is strong.
    fn picture(&self) -> Frame {
        const SIDE: f64 = 500.0;
        let scale = SIDE / 4.4;
        let (center, rod_color) = ([SIDE / 2.0; 2], [204, 77, 77]);
        let angle = self.state.angle + FRAC_PI_2;
        let rod = rectangle(0.0, scale, -0.1 * scale, 0.1 * scale);
        let mut frame = Frame::new(SIDE as usize, SIDE as usize, WHITE);
        frame.fill_polygon(&placed(rod, angle, center), rod_color);
        for end in placed([[0.0, 0.0], [scale, 0.0]], angle, center) {
            frame.fill_circle(end, 0.1 * scale, rod_color);
        }
        frame.fill_circle(center, 0.05 * scale, BLACK);
        self.draw_torque(&mut frame, center, 0.4 * scale);
        frame
    }

    fn draw_torque(&self, frame: &mut Frame, center: [f64; 2], radius: f64) {
        let sweep = f64::from(self.torque / Self::MAX_TORQUE) * 1.5 * PI;
        if sweep.abs() < 0.05 {
            return;
        }
        let at = |share: f64| placed([[radius, 0.0]], share * sweep, center)[0];
        let arc: Vec<_> = (0..=40).map(|i| at(f64::from(i) / 40.0)).collect();
        frame.polyline(&arc, 4.0, BLACK);
        let head = [[0.0, 12.0 * sweep.signum()], [-8.0, 0.0], [8.0, 0.0]];
        frame.fill_polygon(&placed(head, sweep, at(1.0)), BLACK);
    }

    fn observe(&self, observation: &mut [f32]) {
        let (sin, cos) = libm::sincos(self.state.angle);
        let entries = [cos, sin, self.state.angular_velocity];
        observation.copy_from_slice(&entries.map(|x| x as f32));
    }
}

/// What the registry knows of Pendulum-v1.
pub(crate) fn registration() -> Registration {
    Registration {
        id: "Pendulum-v1",
        max_episode_steps: Some(200),
        reward_threshold: None,
        // Gymnasium's `render_fps`.
        frames_per_second: 30.0,
        source: GYMNASIUM,
        spaces: None,
        make: made(|settings| {
            let defaults = PendulumConfig::default();
            let gravity = settings.number("g", defaults.gravity)?;
            Ok(Pendulum::new(PendulumConfig { gravity, ..defaults }))
        }),
    }
}

impl Default for Pendulum {
    fn default() -> Self {
        Pendulum::new(PendulumConfig::default())
    }
}

impl Env for Pendulum {
    fn observation_space(&self) -> &Space {
        &self.observation_space
    }

    fn action_space(&self) -> &Space {
        &self.action_space
    }

    fn reset(&mut self, rng: &mut dyn RngCore, observation: &mut [f32]) -> Result<(), EnvError> {
        let [angle, angular_velocity] = Self::RESET_BOUNDS.map(|bound| uniform(rng, -bound, bound));
        self.set_state(PendulumState { angle, angular_velocity });
        self.observe(observation);
        Ok(())
    }

    fn step(&mut self, action: Action<'_>, _rng: &mut dyn RngCore, observation: &mut [f32]) -> Result<Step, EnvError> {
        self.phase.require_running()?;
        let torque = action.as_continuous(1)?[0].clamp(-Self::MAX_TORQUE, Self::MAX_TORQUE);
        let cost = self.cost(torque);
        self.advance(torque);
        self.torque = torque;
        self.observe(observation);
        Ok(Step { reward: -cost, terminated: false, truncated: false })
    }

    fn render(&self) -> Option<Frame> {
        Some(self.picture())
    }
}
