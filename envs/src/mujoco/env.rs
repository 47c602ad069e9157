//! What all tasks of MuJoCo share: the simulation around what a task draws, rewards and observes.

use rand::RngCore;

use crate::action::Action;
use crate::env::{Env, Step};
use crate::episode::EpisodePhase;
use crate::error::EnvError;
use crate::frame::Frame;
use crate::mujoco::error::MujocoError;
use crate::mujoco::film::{View, picture};
use crate::mujoco::library::Mujoco;
use crate::mujoco::model::Model;
use crate::mujoco::simulation::Simulation;
use crate::numpy::pcg64::uniform;
use crate::registration::{GYMNASIUM, Registration, made};
use crate::settings::Settings;
use crate::space::Space;

/// What is known of a task without MuJoCo.
pub(super) struct Facts {
    /// Gymnasium's name.
    pub id: &'static str,
    /// Steps after which an episode is truncated.
    pub max_episode_steps: usize,
    /// Gymnasium's mean return from which the task counts as solved.
    pub reward_threshold: Option<f64>,
    /// File name and text of the model.
    pub model: (&'static str, &'static str),
    /// Steps of the simulation in a step of the task.
    pub frame_skip: usize,
    /// Gymnasium's `render_fps` with this `frame_skip`.
    pub frames_per_second: f64,
    /// Positions and velocities that the task reads, which a model of one's own must have, too.
    pub needs: (usize, usize),
    /// Entries of an observation with default settings.
    pub n_observations: usize,
    /// Entries of an action, and their greatest magnitude.
    pub actions: (usize, f32),
    /// Fields of MuJoCo's `mjData` that the task reads.
    pub outputs: &'static [&'static str],
    /// Whence Gymnasium looks on it.
    pub view: View,
}

/// What is peculiar to a task.
pub(super) trait Task: Send + Sized + 'static {
    /// What is known of it without MuJoCo.
    const FACTS: Facts;

    /// The task with its settings; `model` is for what it looks up by name.
    fn new(settings: &mut Settings<'_>, model: &Model) -> Result<Self, EnvError>;

    /// Changes first positions and velocities, which come as the model has them.
    fn draw_start(&self, rng: &mut dyn RngCore, qpos: &mut [f64], qvel: &mut [f64]);

    /// Takes a step; the reward, and whether the task ended.
    fn step(&self, world: &mut World, action: &[f32]) -> Result<(f64, bool), MujocoError>;

    /// Appends the entries of an observation.
    fn observe(&self, world: &World, entries: &mut Vec<f64>);
}

/// A simulation, and the time of a step of the task.
pub(super) struct World {
    simulation: Simulation,
    frame_skip: usize,
    /// Seconds of a step of the simulation.
    pub timestep: f64,
}

impl World {
    fn new(model: &Model, outputs: &[&str], frame_skip: usize) -> Result<Self, MujocoError> {
        let timestep = model.fields()?.get("opt.timestep")?.first().copied().unwrap_or_default();
        Ok(World { simulation: Simulation::new(model, outputs)?, frame_skip, timestep })
    }

    /// Seconds of a step of the task.
    pub fn dt(&self) -> f64 {
        self.timestep * self.frame_skip as f64
    }

    /// Applies an action for a step of the task.
    pub fn advance(&mut self, action: &[f32]) -> Result<(), MujocoError> {
        self.simulation.step(action, self.frame_skip)
    }

    /// As [`World::advance`], and computes `cfrc_ext`.
    pub fn advance_with_forces(&mut self, action: &[f32]) -> Result<(), MujocoError> {
        self.advance(action)?;
        self.simulation.compute_forces()
    }

    /// Generalized positions.
    pub fn qpos(&self) -> &[f64] {
        self.simulation.qpos()
    }

    /// Generalized velocities.
    pub fn qvel(&self) -> &[f64] {
        self.simulation.qvel()
    }

    /// The controls of the last step.
    pub fn ctrl(&self) -> &[f64] {
        self.simulation.ctrl()
    }

    /// The i-th of [`Facts::outputs`].
    pub fn output(&self, i: usize) -> &[f64] {
        self.simulation.output(i)
    }
}

/// Adds to every entry a uniform draw of magnitude `scale`.
pub(super) fn perturb(entries: &mut [f64], scale: f64, rng: &mut dyn RngCore) {
    entries.iter_mut().for_each(|entry| *entry += uniform(rng, -scale, scale));
}

/// The sum of squares of an action, in float32 as NumPy makes it.
pub(super) fn squares(action: &[f32]) -> f32 {
    let squares: Vec<f32> = action.iter().map(|x| x * x).collect();
    crate::numpy::sum::sum(&squares)
}

/// How many positions an observation leaves out: `first` ones, unless the setting says none.
pub(super) fn skipped(settings: &mut Settings<'_>, first: usize) -> Result<usize, EnvError> {
    Ok(if settings.flag("exclude_current_positions_from_observation", true)? { first } else { 0 })
}

/// Whether a number lies inside a range, ends excluded.
pub(super) fn within(x: f64, [low, high]: [f64; 2]) -> bool {
    low < x && x < high
}

/// From body `to` to body `from`, with three coordinates a body in `positions`.
pub(super) fn difference(positions: &[f64], from: usize, to: usize) -> [f64; 3] {
    std::array::from_fn(|i| positions[3 * from + i] - positions[3 * to + i])
}

/// The Euclidean norm.
pub(super) fn norm(entries: &[f64]) -> f64 {
    entries.iter().map(|x| x * x).sum::<f64>().sqrt()
}

/// What the registry knows of a task.
pub(super) fn registration<T: Task>() -> Registration {
    let Facts { id, max_episode_steps, reward_threshold, frames_per_second, n_observations, actions, .. } = T::FACTS;
    Registration {
        id,
        max_episode_steps: Some(max_episode_steps),
        reward_threshold,
        frames_per_second,
        source: GYMNASIUM,
        spaces: Some([observation_space(n_observations), Space::symmetric(vec![actions.1; actions.0])]),
        make: made(MujocoEnv::<T>::from_settings),
    }
}

/// Steps of the simulation that one step of a task may have: a run can be stopped between steps.
const MAX_FRAME_SKIP: usize = 1000;

fn observation_space(n: usize) -> Space {
    Space::symmetric(vec![f32::INFINITY; n])
}

/// A task, its simulation, and what the last step left.
struct MujocoEnv<T> {
    task: T,
    world: World,
    observation_space: Space,
    action_space: Space,
    /// Room for an observation in double precision.
    entries: Vec<f64>,
    phase: EpisodePhase,
}

impl<T: Task> MujocoEnv<T> {
    fn from_settings(settings: &mut Settings<'_>) -> Result<Self, EnvError> {
        let facts = T::FACTS;
        let mujoco = Mujoco::find(settings.python())?;
        let (name, text) = facts.model;
        let model = mujoco.model(name, text, settings.file("xml_file", name)?.as_deref())?;
        let frame_skip = settings.count("frame_skip", Some(facts.frame_skip))?.unwrap_or(facts.frame_skip);
        if frame_skip > MAX_FRAME_SKIP {
            let (setting, accepted) = ("frame_skip", "a whole number from 1 to 1000");
            return Err(EnvError::Setting { setting, value: (frame_skip as f64).into(), accepted });
        }
        let task = T::new(settings, &model)?;
        let world = World::new(&model, facts.outputs, frame_skip)?;
        let (n_positions, n_velocities) = facts.needs;
        if world.qpos().len() < n_positions || world.qvel().len() < n_velocities || world.ctrl().is_empty() {
            let what = format!("{n_positions} positions, {n_velocities} velocities and an actuator");
            return Err(model.lacks(&what).into());
        }
        if let Some(empty) = (0..facts.outputs.len()).find(|&i| world.output(i).is_empty()) {
            return Err(model.lacks(facts.outputs[empty]).into());
        }
        // Least and greatest in turns, an actuator each.
        let bounds: Vec<f64> = model.fields()?.get("actuator_ctrlrange")?;
        let every_other = |first: usize| bounds.iter().skip(first).step_by(2).map(|&x| x as f32).collect();
        let action_space = Space::Box { low: every_other(0), high: every_other(1) };
        let mut entries = Vec::new();
        task.observe(&world, &mut entries);
        let observation_space = observation_space(entries.len());
        Ok(MujocoEnv { task, world, observation_space, action_space, entries, phase: EpisodePhase::NotStarted })
    }

    fn observe(&mut self, observation: &mut [f32]) {
        self.entries.clear();
        self.task.observe(&self.world, &mut self.entries);
        assert_eq!(observation.len(), self.entries.len(), "length of the buffer for an observation");
        observation.iter_mut().zip(&self.entries).for_each(|(to, &from)| *to = from as f32);
    }
}

impl<T: Task> Env for MujocoEnv<T> {
    fn observation_space(&self) -> &Space {
        &self.observation_space
    }

    fn action_space(&self) -> &Space {
        &self.action_space
    }

    fn reset(&mut self, rng: &mut dyn RngCore, observation: &mut [f32]) -> Result<(), EnvError> {
        self.world.simulation.reset(|qpos, qvel| self.task.draw_start(rng, qpos, qvel))?;
        self.phase = EpisodePhase::Running;
        self.observe(observation);
        Ok(())
    }

    fn step(&mut self, action: Action<'_>, _rng: &mut dyn RngCore, observation: &mut [f32]) -> Result<Step, EnvError> {
        self.phase.require_running()?;
        let action = action.as_continuous(self.action_space.len())?;
        let (reward, terminated) = self.task.step(&mut self.world, action)?;
        // As Gymnasium's tasks, which go on when they are stepped after their end, only that here
        // a reset is due.
        self.phase = EpisodePhase::after(terminated);
        self.observe(observation);
        Ok(Step { reward, terminated, truncated: false })
    }

    fn render(&self) -> Option<Frame> {
        picture(&self.world.simulation, &T::FACTS.view).ok()
    }
}
