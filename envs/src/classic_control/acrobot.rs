//! Acrobot-v1: swing the tip of a two-link arm above a line, with a motor at the elbow only.
//!
//! Equal to Gymnasium 1.4.0: the equations of Sutton and Barto's book (not those of Sutton's 1996
//! paper, which differ in one term), one Runge-Kutta step of 0.2 s. Traps: a reset rounds the state
//! to float32, later states are double; angles are wrapped into [−π, π] by adding turns, angular
//! velocities are clipped; a step costs 1, the last one nothing.

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

/// Angles and angular velocities of the two links.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct AcrobotState {
    /// Angle of the first link from hanging down (rad).
    pub angle1: f64,
    /// Angle of the second link relative to the first (rad).
    pub angle2: f64,
    /// Angular velocity of the first link (rad/s).
    pub velocity1: f64,
    /// Angular velocity of the second link relative to the first (rad/s).
    pub velocity2: f64,
}

/// The arm with three actions: torque −1, 0 and 1 N·m.
#[derive(Debug, Clone)]
pub struct Acrobot {
    observation_space: Space,
    action_space: Space,
    state: AcrobotState,
    phase: EpisodePhase,
}

// Gymnasium Acrobot-v1, which has the same links in its `LINK_…` constants.
/// Gravity (m/s²).
const GRAVITY: f64 = 9.8;
/// Length of either link (m); only the first one's enters.
const LENGTH: f64 = 1.0;
/// Distance from the joint to either link's center of mass (m).
const CENTER: f64 = 0.5;
/// Mass of either link (kg).
const MASS: f64 = 1.0;
/// Moment of inertia of either link (kg·m²).
const INERTIA: f64 = 1.0;
/// Time between two states (s).
const TIME_STEP: f64 = 0.2;
/// A first state has every entry within this of zero.
const RESET_BOUND: f64 = 0.1;

impl Acrobot {
    /// Greatest angular velocity of the first link (rad/s).
    pub const MAX_VELOCITY1: f64 = 4.0 * PI;
    /// Greatest angular velocity of the second link (rad/s).
    pub const MAX_VELOCITY2: f64 = 9.0 * PI;

    /// An arm waiting for a reset.
    pub fn new() -> Self {
        let speeds = [Self::MAX_VELOCITY1 as f32, Self::MAX_VELOCITY2 as f32];
        Acrobot {
            observation_space: Space::symmetric(vec![1.0, 1.0, 1.0, 1.0, speeds[0], speeds[1]]),
            action_space: Space::Discrete { n: 3 },
            state: AcrobotState::default(),
            phase: EpisodePhase::NotStarted,
        }
    }

    /// The state in double precision.
    pub fn state(&self) -> AcrobotState {
        self.state
    }

    /// Begins an episode at `state`, without a draw.
    pub fn set_state(&mut self, state: AcrobotState) {
        self.state = state;
        self.phase = EpisodePhase::Running;
    }

    fn advance(&mut self, torque: f64) {
        let AcrobotState { angle1, angle2, velocity1, velocity2 } = self.state;
        let [angle1, angle2, velocity1, velocity2] = runge_kutta([angle1, angle2, velocity1, velocity2], torque);
        self.state = AcrobotState {
            angle1: wrap(angle1),
            angle2: wrap(angle2),
            velocity1: velocity1.clamp(-Self::MAX_VELOCITY1, Self::MAX_VELOCITY1),
            velocity2: velocity2.clamp(-Self::MAX_VELOCITY2, Self::MAX_VELOCITY2),
        };
    }

    /// Whether the tip is more than one link above the shoulder.
    fn is_up(&self) -> bool {
        let AcrobotState { angle1, angle2, .. } = self.state;
        -libm::cos(angle1) - libm::cos(angle2 + angle1) > 1.0
    }

    /// The arm and the line to swing above, with the sizes and colors of Gymnasium's picture.
    fn picture(&self) -> Frame {
        const SIDE: f64 = 500.0;
        let scale = SIDE / 4.4;
        let AcrobotState { angle1, angle2, .. } = self.state;
        let shoulder = [SIDE / 2.0; 2];
        let elbow =
            [shoulder[0] + LENGTH * libm::sin(angle1) * scale, shoulder[1] - LENGTH * libm::cos(angle1) * scale];
        let link = rectangle(0.0, LENGTH * scale, -0.1 * scale, 0.1 * scale);
        let mut frame = Frame::new(SIDE as usize, SIDE as usize, WHITE);
        let height = SIDE / 2.0 + LENGTH * scale;
        frame.line([0.0, height], [SIDE, height], 1.0, BLACK);
        for (joint, angle) in [(shoulder, angle1), (elbow, angle1 + angle2)] {
            frame.fill_polygon(&placed(link, angle - FRAC_PI_2, joint), [0, 204, 204]);
            frame.fill_circle(joint, 0.1 * scale, [204, 204, 0]);
        }
        frame
    }

    fn observe(&self, observation: &mut [f32]) {
        let AcrobotState { angle1, angle2, velocity1, velocity2 } = self.state;
        let ((sin1, cos1), (sin2, cos2)) = (libm::sincos(angle1), libm::sincos(angle2));
        let entries = [cos1, sin1, cos2, sin2, velocity1, velocity2];
        observation.copy_from_slice(&entries.map(|x| x as f32));
    }
}

/// Brings an angle into [−π, π] by whole turns, added one by one as Gymnasium does: rounding
/// differs from that of a remainder.
fn wrap(mut angle: f64) -> f64 {
    while angle > PI {
        angle -= TAU;
    }
    while angle < -PI {
        angle += TAU;
    }
    angle
}

/// Time derivative of (angle 1, angle 2, velocity 1, velocity 2).
fn derivative([angle1, angle2, velocity1, velocity2]: [f64; 4], torque: f64) -> [f64; 4] {
    let (sin2, cos2) = libm::sincos(angle2);
    let d1 = MASS * (CENTER * CENTER)
        + MASS * (LENGTH * LENGTH + CENTER * CENTER + 2.0 * LENGTH * CENTER * cos2)
        + INERTIA
        + INERTIA;
    let d2 = MASS * (CENTER * CENTER + LENGTH * CENTER * cos2) + INERTIA;
    let phi2 = MASS * CENTER * GRAVITY * libm::cos(angle1 + angle2 - FRAC_PI_2);
    let phi1 = -MASS * LENGTH * CENTER * (velocity2 * velocity2) * sin2
        - 2.0 * MASS * LENGTH * CENTER * velocity2 * velocity1 * sin2
        + (MASS * CENTER + MASS * LENGTH) * GRAVITY * libm::cos(angle1 - FRAC_PI_2)
        + phi2;
    let coriolis = MASS * LENGTH * CENTER * (velocity1 * velocity1) * sin2;
    let acceleration2 =
        (torque + d2 / d1 * phi1 - coriolis - phi2) / (MASS * (CENTER * CENTER) + INERTIA - d2 * d2 / d1);
    let acceleration1 = -(d2 * acceleration2 + phi1) / d1;
    [velocity1, velocity2, acceleration1, acceleration2]
}

/// One classical Runge-Kutta step of [`TIME_STEP`] under constant torque.
fn runge_kutta(state: [f64; 4], torque: f64) -> [f64; 4] {
    let ahead = |step: f64, k: [f64; 4]| std::array::from_fn(|i| state[i] + step * k[i]);
    let half = TIME_STEP / 2.0;
    let k1 = derivative(state, torque);
    let k2 = derivative(ahead(half, k1), torque);
    let k3 = derivative(ahead(half, k2), torque);
    let k4 = derivative(ahead(TIME_STEP, k3), torque);
    let slope = |i: usize| k1[i] + 2.0 * k2[i] + 2.0 * k3[i] + k4[i];
    std::array::from_fn(|i| state[i] + TIME_STEP / 6.0 * slope(i))
}

/// What the registry knows of Acrobot-v1.
pub(crate) fn registration() -> Registration {
    Registration {
        id: "Acrobot-v1",
        max_episode_steps: Some(500),
        reward_threshold: Some(-100.0),
        // Gymnasium's `render_fps`.
        frames_per_second: 15.0,
        source: GYMNASIUM,
        spaces: None,
        make: made(|_| Ok(Acrobot::new())),
    }
}

impl Default for Acrobot {
    fn default() -> Self {
        Acrobot::new()
    }
}

impl Env for Acrobot {
    fn observation_space(&self) -> &Space {
        &self.observation_space
    }

    fn action_space(&self) -> &Space {
        &self.action_space
    }

    fn reset(&mut self, rng: &mut dyn RngCore, observation: &mut [f32]) -> Result<(), EnvError> {
        let mut draw = || f64::from(uniform(rng, -RESET_BOUND, RESET_BOUND) as f32);
        self.set_state(AcrobotState { angle1: draw(), angle2: draw(), velocity1: draw(), velocity2: draw() });
        self.observe(observation);
        Ok(())
    }

    fn step(&mut self, action: Action<'_>, _rng: &mut dyn RngCore, observation: &mut [f32]) -> Result<Step, EnvError> {
        self.phase.require_running()?;
        self.advance(action.as_discrete(3)? as f64 - 1.0);
        let terminated = self.is_up();
        self.phase = EpisodePhase::after(terminated);
        self.observe(observation);
        Ok(Step { reward: if terminated { 0.0 } else { -1.0 }, terminated, truncated: false })
    }

    fn render(&self) -> Option<Frame> {
        Some(self.picture())
    }
}
