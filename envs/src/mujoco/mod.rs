//! Gymnasium's MuJoCo tasks, without Python.
//!
//! Equal to Gymnasium 1.4.0 with the same library of MuJoCo: positions and velocities bit for bit,
//! rewards with the roundings of NumPy. MuJoCo itself is loaded at run time ([`Mujoco::find`]).
//! It computes with the C library of the system, so that a trajectory may differ in its last digits
//! between systems, and soon in more.
//!
//! *Design.* A library gives functions ([`Mujoco`]), a model is compiled XML, a simulation a
//! state of it. A file of the folder `tasks` says what its task draws, rewards, ends and observes,
//! in the order of Gymnasium's file of the same name. Each environment is a simulation of its own:
//! stepping several of them in one call was measured and is no faster in one thread.
//!
//! Settings by name are the arguments of Gymnasium's constructors, pictures aside; `xml_file` is
//! the name of a file of one's own.

mod env;
pub(crate) mod error;
mod film;
mod functions;
mod geom;
mod lens;
pub(crate) mod library;
mod model;
mod scene;
mod simulation;
mod tasks;

use crate::registration::Registration;

pub use error::MujocoError;
pub use library::Mujoco;

/// A task of MuJoCo that Gymnasium has, in its version 5.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // Each is called like Gymnasium's.
pub enum MujocoTask {
    Ant,
    HalfCheetah,
    Hopper,
    Humanoid,
    HumanoidStandup,
    InvertedDoublePendulum,
    InvertedPendulum,
    Pusher,
    Reacher,
    Swimmer,
    Walker2d,
}

impl MujocoTask {
    /// All tasks, by name.
    pub const ALL: &'static [MujocoTask] = &[
        MujocoTask::Ant,
        MujocoTask::HalfCheetah,
        MujocoTask::Hopper,
        MujocoTask::Humanoid,
        MujocoTask::HumanoidStandup,
        MujocoTask::InvertedDoublePendulum,
        MujocoTask::InvertedPendulum,
        MujocoTask::Pusher,
        MujocoTask::Reacher,
        MujocoTask::Swimmer,
        MujocoTask::Walker2d,
    ];

    pub(crate) fn registration(self) -> Registration {
        match self {
            MujocoTask::Ant => env::registration::<tasks::ant::Ant>(),
            MujocoTask::HalfCheetah => env::registration::<tasks::half_cheetah::HalfCheetah>(),
            MujocoTask::Hopper => env::registration::<tasks::hopper::Hopper>(),
            MujocoTask::Humanoid => env::registration::<tasks::humanoid::Humanoid>(),
            MujocoTask::HumanoidStandup => env::registration::<tasks::humanoid_standup::HumanoidStandup>(),
            MujocoTask::InvertedDoublePendulum => {
                env::registration::<tasks::inverted_double_pendulum::InvertedDoublePendulum>()
            }
            MujocoTask::InvertedPendulum => env::registration::<tasks::inverted_pendulum::InvertedPendulum>(),
            MujocoTask::Pusher => env::registration::<tasks::pusher::Pusher>(),
            MujocoTask::Reacher => env::registration::<tasks::reacher::Reacher>(),
            MujocoTask::Swimmer => env::registration::<tasks::swimmer::Swimmer>(),
            MujocoTask::Walker2d => env::registration::<tasks::walker2d::Walker2d>(),
        }
    }
}
