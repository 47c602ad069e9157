//! MountainCar-v0: an engine too weak for the hill must rock the car out of the valley.
//!
//! Equal to Gymnasium 1.4.0; the task is that of A. W. Moore (1990), *Efficient Memory-Based
//! Learning for Robot Control*. Traps: the left wall is inelastic, it takes the velocity away; the
//! step that reaches the goal costs 1 like every other.
//!
//! Setting by name: `goal_velocity`.

use rand::RngCore;

use crate::action::Action;
use crate::env::{Env, Step};
use crate::episode::EpisodePhase;
use crate::error::EnvError;
use crate::frame::{BLACK, Frame, WHITE, placed, rectangle};
use crate::numpy::pcg64::uniform;
use crate::registration::{GYMNASIUM, Registration, made};
use crate::space::Space;

/// Physics and goal of [`MountainCar`]. Lengths and times are without unit.
#[derive(Debug, Clone, PartialEq)]
pub struct MountainCarConfig {
    /// Velocity that one step of the engine adds.
    pub force: f64,
    /// Velocity that one step on the steepest slope adds.
    pub gravity: f64,
    /// Least velocity with which the goal counts as reached.
    pub goal_velocity: f64,
}

impl Default for MountainCarConfig {
    fn default() -> Self {
        // Gymnasium MountainCar-v0.
        MountainCarConfig { force: 0.001, gravity: 0.0025, goal_velocity: 0.0 }
    }
}

/// Where the car is and how it moves.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct MountainCarState {
    /// Position along the track; the bottom of the valley is at −π/6.
    pub position: f64,
    /// Change of position in one step.
    pub velocity: f64,
}

/// The car with three actions: push left, roll, push right.
#[derive(Debug, Clone)]
pub struct MountainCar {
    config: MountainCarConfig,
    observation_space: Space,
    action_space: Space,
    state: MountainCarState,
    phase: EpisodePhase,
}

impl MountainCar {
    /// Position of the left wall.
    pub const MIN_POSITION: f64 = -1.2;
    /// Right end of the track.
    pub const MAX_POSITION: f64 = 0.6;
    /// Greatest speed.
    pub const MAX_SPEED: f64 = 0.07;
    /// Position of the flag.
    pub const GOAL_POSITION: f64 = 0.5;
    /// Bounds of the first position of the car; its first velocity is zero.
    pub(crate) const RESET_POSITIONS: (f64, f64) = (-0.6, -0.4);

    /// A car with the physics of `config`, waiting for a reset.
    pub fn new(config: MountainCarConfig) -> Self {
        MountainCar {
            config,
            observation_space: Self::positions_and_velocities(),
            action_space: Space::Discrete { n: 3 },
            state: MountainCarState::default(),
            phase: EpisodePhase::NotStarted,
        }
    }

    /// Observations of both mountain car tasks.
    pub(crate) fn positions_and_velocities() -> Space {
        Space::Box {
            low: vec![Self::MIN_POSITION as f32, -Self::MAX_SPEED as f32],
            high: vec![Self::MAX_POSITION as f32, Self::MAX_SPEED as f32],
        }
    }

    /// The state in double precision; observations are its rounding.
    pub fn state(&self) -> MountainCarState {
        self.state
    }

    /// Begins an episode at `state`, without a draw.
    pub fn set_state(&mut self, state: MountainCarState) {
        self.state = state;
        self.phase = EpisodePhase::Running;
    }

    /// One step of the engine, `direction` being −1, 0 or 1.
    fn advance(&mut self, direction: f64) {
        let MountainCarState { position, velocity } = self.state;
        let slope = libm::cos(3.0 * position);
        let velocity = velocity + (direction * self.config.force + slope * -self.config.gravity);
        let velocity = velocity.clamp(-Self::MAX_SPEED, Self::MAX_SPEED);
        let position = (position + velocity).clamp(Self::MIN_POSITION, Self::MAX_POSITION);
        let hits_wall = position == Self::MIN_POSITION && velocity < 0.0;
        self.state = MountainCarState { position, velocity: if hits_wall { 0.0 } else { velocity } };
    }

    fn is_at_goal(&self) -> bool {
        let MountainCarState { position, velocity } = self.state;
        position >= Self::GOAL_POSITION && velocity >= self.config.goal_velocity
    }

    fn picture(&self) -> Frame {
        Self::picture_at(self.state.position, Self::GOAL_POSITION)
    }

    /// The car on its hill, with the sizes and colors of Gymnasium's picture.
    pub(crate) fn picture_at(position: f64, goal: f64) -> Frame {
        const WIDTH: f64 = 600.0;
        let track = Self::MAX_POSITION - Self::MIN_POSITION;
        let scale = WIDTH / track;
        let on_hill = |x: f64| [(x - Self::MIN_POSITION) * scale, (libm::sin(3.0 * x) * 0.45 + 0.55) * scale];
        let mut frame = Frame::new(WIDTH as usize, 400, WHITE);
        let hill: Vec<_> = (0..100).map(|i| on_hill(Self::MIN_POSITION + track * f64::from(i) / 99.0)).collect();
        frame.polyline(&hill, 1.0, BLACK);

        let slope = libm::cos(3.0 * position);
        let [x, y] = on_hill(position);
        let above = [x, y + 10.0];
        frame.fill_polygon(&placed(rectangle(-20.0, 20.0, 0.0, 20.0), slope, above), BLACK);
        for wheel in placed([[-10.0, 0.0], [10.0, 0.0]], slope, above) {
            frame.fill_circle(wheel, 8.0, [128, 128, 128]);
        }

        let [x, y] = on_hill(goal);
        let top = y + 50.0;
        frame.line([x, y], [x, top], 1.0, BLACK);
        frame.fill_polygon(&[[x, top], [x, top - 10.0], [x + 25.0, top - 5.0]], [204, 204, 0]);
        frame
    }

    fn observe(&self, observation: &mut [f32]) {
        let MountainCarState { position, velocity } = self.state;
        observation.copy_from_slice(&[position as f32, velocity as f32]);
    }
}

/// What the registry knows of MountainCar-v0.
pub(crate) fn registration() -> Registration {
    Registration {
        id: "MountainCar-v0",
        max_episode_steps: Some(200),
        reward_threshold: Some(-110.0),
        // Gymnasium's `render_fps`.
        frames_per_second: 30.0,
        source: GYMNASIUM,
        spaces: None,
        make: made(|settings| {
            let goal_velocity = settings.number("goal_velocity", 0.0)?;
            Ok(MountainCar::new(MountainCarConfig { goal_velocity, ..Default::default() }))
        }),
    }
}

impl Default for MountainCar {
    fn default() -> Self {
        MountainCar::new(MountainCarConfig::default())
    }
}

impl Env for MountainCar {
    fn observation_space(&self) -> &Space {
        &self.observation_space
    }

    fn action_space(&self) -> &Space {
        &self.action_space
    }

    fn reset(&mut self, rng: &mut dyn RngCore, observation: &mut [f32]) -> Result<(), EnvError> {
        let (low, high) = Self::RESET_POSITIONS;
        self.set_state(MountainCarState { position: uniform(rng, low, high), velocity: 0.0 });
        self.observe(observation);
        Ok(())
    }

    fn step(&mut self, action: Action<'_>, _rng: &mut dyn RngCore, observation: &mut [f32]) -> Result<Step, EnvError> {
        self.phase.require_running()?;
        self.advance(action.as_discrete(3)? as f64 - 1.0);
        let terminated = self.is_at_goal();
        self.phase = EpisodePhase::after(terminated);
        self.observe(observation);
        Ok(Step { reward: -1.0, terminated, truncated: false })
    }

    fn render(&self) -> Option<Frame> {
        Some(self.picture())
    }
}
