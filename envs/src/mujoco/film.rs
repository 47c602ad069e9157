//! Pictures of a simulation, from where Gymnasium looks on it.

use crate::frame::Frame;
use crate::mujoco::error::MujocoError;
use crate::mujoco::geom::{Geom, Shape};
use crate::mujoco::lens::Camera;
use crate::mujoco::model::Fields;
use crate::mujoco::scene::draw;
use crate::mujoco::simulation::Simulation;

/// Pixels of a picture.
const SIZE: [usize; 2] = [320, 240];
/// Groups of geoms from this one on are hidden, as in MuJoCo's viewer.
const FIRST_HIDDEN_GROUP: i32 = 3;
/// The color of a geom that names none, for which its material's is taken.
const NO_COLOR: [f32; 4] = [0.5, 0.5, 0.5, 1.0];

/// The camera of a model without one called `track`: Gymnasium's `default_camera_config`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct View {
    distance: f64,
    /// What it looks at; the middle of the geoms, where the model begins, unless given.
    lookat: Option<[f64; 3]>,
    /// Degrees above the horizon, the camera being above where this is negative.
    elevation: f64,
}

impl View {
    /// For a model that has a camera `track`.
    pub const TRACK: View = View::free(4.0);

    /// A camera this far away, which looks down at 45°.
    pub const fn free(distance: f64) -> Self {
        View { distance, lookat: None, elevation: -45.0 }
    }

    /// The camera, looking at a point.
    pub const fn at(self, lookat: [f64; 3]) -> Self {
        View { lookat: Some(lookat), ..self }
    }

    /// The camera, looking straight down.
    pub const fn seen_from_above(self) -> Self {
        View { elevation: -90.0, ..self }
    }
}

/// A picture of the present state.
pub(super) fn picture(simulation: &Simulation, view: &View) -> Result<Frame, MujocoError> {
    let model = simulation.model();
    // A simulation of its own, since a step leaves the positions of bodies where they were before.
    let mut still = Simulation::new(model, &["geom_xpos", "geom_xmat", "cam_xpos", "cam_xmat"])?;
    // Where the model begins, so that the camera stands still.
    let lookat = view.lookat.unwrap_or_else(|| middle(still.output(0)));
    still.reset(|qpos, qvel| {
        qpos.copy_from_slice(simulation.qpos());
        qvel.copy_from_slice(simulation.qvel());
    })?;
    let [positions, rotations, camera_positions, camera_rotations] = [0, 1, 2, 3].map(|i| still.output(i));
    let fields = model.fields()?;
    let geoms = geoms(&fields, positions, rotations)?;
    let camera = match model.camera("track") {
        Some(i) => {
            let axis = |column: usize| std::array::from_fn(|row| camera_rotations[9 * i + 3 * row + column]);
            Camera {
                position: std::array::from_fn(|k| camera_positions[3 * i + k]),
                right: axis(0),
                up: axis(1),
                field_of_view: fields.get::<f64>("cam_fovy")?[i],
            }
        }
        None => Camera::looking_at(lookat, view.distance, 90.0, view.elevation),
    };
    Ok(draw(&geoms, &camera, SIZE[0], SIZE[1]))
}

/// The visible geoms that can be drawn; meshes and height fields cannot.
fn geoms(fields: &Fields, positions: &[f64], rotations: &[f64]) -> Result<Vec<Geom>, MujocoError> {
    let kinds = fields.get::<i32>("geom_type")?;
    let (groups, materials) = (fields.get::<i32>("geom_group")?, fields.get::<i32>("geom_matid")?);
    let (sizes, colors) = (fields.get::<f64>("geom_size")?, fields.get::<f32>("geom_rgba")?);
    let material_colors = fields.get::<f32>("mat_rgba")?;
    let geom = |i: usize| {
        // mjtGeom.
        let shape = match kinds[i] {
            0 => Shape::Plane,
            2 => Shape::Sphere,
            3 => Shape::Capsule,
            4 => Shape::Ellipsoid,
            5 => Shape::Cylinder,
            6 => Shape::Box,
            _ => return None,
        };
        let color_of = |colors: &[f32], i: usize| std::array::from_fn(|k| colors[4 * i + k]);
        let own: [f32; 4] = color_of(&colors, i);
        let material = usize::try_from(materials[i]).ok().filter(|_| own == NO_COLOR);
        (groups[i] < FIRST_HIDDEN_GROUP).then(|| Geom {
            shape,
            size: size(shape, std::array::from_fn(|k| sizes[3 * i + k])),
            position: std::array::from_fn(|k| positions[3 * i + k]),
            rotation: std::array::from_fn(|k| rotations[9 * i + k]),
            color: material.map_or(own, |material| color_of(&material_colors, material)),
        })
    };
    Ok((0..kinds.len()).filter_map(geom).collect())
}

/// The size in which a geom is drawn: floors without end, as which they are touched, or a runner
/// would leave them behind.
fn size(shape: Shape, size: [f64; 3]) -> [f64; 3] {
    /// Half lengths (m) from which on a plane is a floor and no board.
    const FLOOR: f64 = 5.0;
    match shape {
        Shape::Plane if size[0] >= FLOOR => [0.0; 3],
        Shape::Plane | Shape::Sphere | Shape::Capsule | Shape::Ellipsoid | Shape::Cylinder | Shape::Box => size,
    }
}

/// The median of the geoms' positions, each coordinate by itself.
fn middle(positions: &[f64]) -> [f64; 3] {
    std::array::from_fn(|axis| {
        let mut along: Vec<f64> = positions.iter().skip(axis).step_by(3).copied().collect();
        along.sort_by(f64::total_cmp);
        along.get(along.len() / 2).copied().unwrap_or_default()
    })
}
