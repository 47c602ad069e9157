//! MountainCarContinuous-v0: the mountain car with an engine that pays for its force.
//!
//! Equal to Gymnasium 1.4.0 with NumPy 2. Traps: the reward is charged for the action as given,
//! before it is clipped to [−1, 1]; the goal stands at 0.45, nearer than the discrete task's; and
//! the precision is mixed. Gymnasium stores the state as float32 after every step, and NumPy 2
//! rounds a float32 scalar's arithmetic to float32 even beside Python floats, so the first step
//! (from the float64 state of a reset) is computed in one precision and all later ones in another.
//! We follow it rounding by rounding: a float64 rewrite drifts by 1e-7 a step.
//!
//! Setting by name: `goal_velocity`.

use rand::RngCore;

use crate::action::Action;
use crate::classic_control::mountain_car::MountainCar;
use crate::env::{Env, Step};
use crate::episode::EpisodePhase;
use crate::error::EnvError;
use crate::frame::Frame;
use crate::numpy::pcg64::uniform;
use crate::registration::{GYMNASIUM, Registration, made};
use crate::space::Space;

/// Physics and goal of [`MountainCarContinuous`]. Lengths and times are without unit.
#[derive(Debug, Clone, PartialEq)]
pub struct MountainCarContinuousConfig {
    /// Velocity that one step of the engine at full force adds.
    pub power: f64,
    /// Least velocity with which the goal counts as reached.
    pub goal_velocity: f64,
}

impl Default for MountainCarContinuousConfig {
    fn default() -> Self {
        // Gymnasium MountainCarContinuous-v0.
        MountainCarContinuousConfig { power: 0.0015, goal_velocity: 0.0 }
    }
}

/// Where the car is and how it moves, in the precision in which the next step is computed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum MountainCarContinuousState {
    /// Position and velocity after a reset.
    Double([f64; 2]),
    /// Position and velocity after a step.
    Single([f32; 2]),
}

/// The car with a continuous action: the force of the engine.
#[derive(Debug, Clone)]
pub struct MountainCarContinuous {
    config: MountainCarContinuousConfig,
    observation_space: Space,
    action_space: Space,
    state: MountainCarContinuousState,
    phase: EpisodePhase,
}

impl MountainCarContinuous {
    /// Position of the flag.
    pub const GOAL_POSITION: f64 = 0.45;
    /// Greatest force; greater ones are clipped.
    pub const MAX_FORCE: f32 = 1.0;
    /// Velocity that one step on the steepest slope adds.
    const GRAVITY: f64 = 0.0025;
    /// Reward at the goal.
    const GOAL_REWARD: f64 = 100.0;
    /// Charge for a squared unit of force.
    const FORCE_COST: f64 = 0.1;

    /// A car with the physics of `config`, waiting for a reset.
    pub fn new(config: MountainCarContinuousConfig) -> Self {
        MountainCarContinuous {
            config,
            observation_space: MountainCar::positions_and_velocities(),
            action_space: Space::symmetric(vec![Self::MAX_FORCE]),
            state: MountainCarContinuousState::Double([0.0; 2]),
            phase: EpisodePhase::NotStarted,
        }
    }

    /// The state in the precision in which the next step is computed.
    pub fn state(&self) -> MountainCarContinuousState {
        self.state
    }

    /// Begins an episode at `state`, without a draw.
    pub fn set_state(&mut self, state: MountainCarContinuousState) {
        self.state = state;
        self.phase = EpisodePhase::Running;
    }

    /// Velocity that the engine and the slope add, and whether Gymnasium computed it in double
    /// precision: a clipped force is a Python float there, one in range a float32.
    fn acceleration(&self, action: f32, slope: f64) -> Acceleration {
        let pull = Self::GRAVITY * slope;
        if action.abs() > Self::MAX_FORCE {
            let force = f64::from(action.clamp(-Self::MAX_FORCE, Self::MAX_FORCE));
            Acceleration::Double(force * self.config.power - pull)
        } else {
            Acceleration::Single(action * self.config.power as f32 - pull as f32)
        }
    }

    /// The next position and velocity, and whether the goal is reached.
    fn advance(&self, action: f32) -> ([f32; 2], bool) {
        match self.state {
            MountainCarContinuousState::Double([position, velocity]) => {
                let added = match self.acceleration(action, libm::cos(3.0 * position)) {
                    Acceleration::Double(added) => added,
                    Acceleration::Single(added) => f64::from(added),
                };
                self.move_double(position, velocity + added)
            }
            MountainCarContinuousState::Single([position, velocity]) => {
                let added = match self.acceleration(action, libm::cos(f64::from(3.0 * position))) {
                    Acceleration::Double(added) => added as f32,
                    Acceleration::Single(added) => added,
                };
                self.move_single(position, velocity + added)
            }
        }
    }

    fn move_double(&self, position: f64, velocity: f64) -> ([f32; 2], bool) {
        let velocity = velocity.clamp(-MountainCar::MAX_SPEED, MountainCar::MAX_SPEED);
        let (left, right) = (MountainCar::MIN_POSITION, MountainCar::MAX_POSITION);
        let position = (position + velocity).clamp(left, right);
        let velocity = if position == left && velocity < 0.0 { 0.0 } else { velocity };
        let goal = position >= Self::GOAL_POSITION && velocity >= self.config.goal_velocity;
        ([position as f32, velocity as f32], goal)
    }

    fn move_single(&self, position: f32, velocity: f32) -> ([f32; 2], bool) {
        let max_speed = MountainCar::MAX_SPEED as f32;
        let velocity = velocity.clamp(-max_speed, max_speed);
        let (left, right) = (MountainCar::MIN_POSITION as f32, MountainCar::MAX_POSITION as f32);
        let position = (position + velocity).clamp(left, right);
        let velocity = if position == left && velocity < 0.0 { 0.0 } else { velocity };
        let goal_velocity = self.config.goal_velocity as f32;
        let goal = position >= Self::GOAL_POSITION as f32 && velocity >= goal_velocity;
        ([position, velocity], goal)
    }

    fn picture(&self) -> Frame {
        let position = match self.state {
            MountainCarContinuousState::Double([position, _]) => position,
            MountainCarContinuousState::Single([position, _]) => f64::from(position),
        };
        MountainCar::picture_at(position, Self::GOAL_POSITION)
    }

    fn observe(&self, observation: &mut [f32]) {
        observation.copy_from_slice(&match self.state {
            MountainCarContinuousState::Double(state) => state.map(|x| x as f32),
            MountainCarContinuousState::Single(state) => state,
        });
    }
}

/// What engine and slope add to the velocity, in Gymnasium's precision.
enum Acceleration {
    Double(f64),
    Single(f32),
}

/// What the registry knows of MountainCarContinuous-v0.
pub(crate) fn registration() -> Registration {
    Registration {
        id: "MountainCarContinuous-v0",
        max_episode_steps: Some(999),
        reward_threshold: Some(90.0),
        // Gymnasium's `render_fps`.
        frames_per_second: 30.0,
        source: GYMNASIUM,
        spaces: None,
        make: made(|settings| {
            let goal_velocity = settings.number("goal_velocity", 0.0)?;
            Ok(MountainCarContinuous::new(MountainCarContinuousConfig { goal_velocity, ..Default::default() }))
        }),
    }
}

impl Default for MountainCarContinuous {
    fn default() -> Self {
        MountainCarContinuous::new(MountainCarContinuousConfig::default())
    }
}

impl Env for MountainCarContinuous {
    fn observation_space(&self) -> &Space {
        &self.observation_space
    }

    fn action_space(&self) -> &Space {
        &self.action_space
    }

    fn reset(&mut self, rng: &mut dyn RngCore, observation: &mut [f32]) -> Result<(), EnvError> {
        let (low, high) = MountainCar::RESET_POSITIONS;
        self.set_state(MountainCarContinuousState::Double([uniform(rng, low, high), 0.0]));
        self.observe(observation);
        Ok(())
    }

    fn step(&mut self, action: Action<'_>, _rng: &mut dyn RngCore, observation: &mut [f32]) -> Result<Step, EnvError> {
        self.phase.require_running()?;
        let action = action.as_continuous(1)?[0];
        let (state, terminated) = self.advance(action);
        self.state = MountainCarContinuousState::Single(state);
        self.phase = EpisodePhase::after(terminated);
        self.observe(observation);
        let goal = if terminated { Self::GOAL_REWARD } else { 0.0 };
        let reward = goal - f64::from(action) * f64::from(action) * Self::FORCE_COST;
        Ok(Step { reward, terminated, truncated: false })
    }

    fn render(&self) -> Option<Frame> {
        Some(self.picture())
    }
}
