//! Pictures of a simulation.

use crate::frame::Frame;
use crate::mujoco::library::MujocoError;
use crate::mujoco::simulation::Simulation;

/// Whence a picture is taken.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct View {
    distance: f64,
    lookat: Option<[f64; 3]>,
    elevation: f64,
}

impl View {
    /// By the model's camera `track`.
    pub const TRACK: View = View::free(4.0);

    pub const fn free(distance: f64) -> Self {
        View { distance, lookat: None, elevation: -45.0 }
    }

    pub const fn at(self, lookat: [f64; 3]) -> Self {
        View { lookat: Some(lookat), ..self }
    }

    pub const fn from_above(self) -> Self {
        View { elevation: -90.0, ..self }
    }
}

pub(super) fn picture(_: &Simulation, _: &View) -> Result<Frame, MujocoError> {
    todo!()
}
