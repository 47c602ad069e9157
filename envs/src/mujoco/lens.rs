//! A camera, and where in its picture the things of the world come to lie.

use crate::mujoco::geom::{Ball, Vector, along, cross, dot, minus, normalized};

/// A pinhole camera.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Camera {
    pub position: Vector,
    /// The unit vector to the right of the picture; the first column of MuJoCo's `cam_xmat`.
    pub right: Vector,
    /// The unit vector to the top of the picture; the second column of MuJoCo's `cam_xmat`.
    pub up: Vector,
    /// The angle between the picture's lower and upper edge (degrees), as MuJoCo's `fovy`.
    pub field_of_view: f64,
}

impl Camera {
    /// The free camera of MuJoCo's viewer (`mjvCamera`), angles in degrees.
    ///
    /// With azimuth 90 and elevation 0 it looks along the y axis; a negative elevation looks down.
    pub(super) fn looking_at(lookat: Vector, distance: f64, azimuth: f64, elevation: f64) -> Self {
        let (sin_a, cos_a) = libm::sincos(azimuth.to_radians());
        let (sin_e, cos_e) = libm::sincos(elevation.to_radians());
        let forward = [cos_a * cos_e, sin_a * cos_e, sin_e];
        Camera {
            position: along(lookat, forward, -distance),
            right: [sin_a, -cos_a, 0.0],
            up: [-cos_a * sin_e, -sin_a * sin_e, cos_e],
            field_of_view: 45.0, // MuJoCo's default for visual/global/fovy
        }
    }

    fn forward(&self) -> Vector {
        cross(self.up, self.right)
    }
}

/// Where the points of the world come to lie in the picture.
pub(super) struct Lens {
    pub camera: Camera,
    pub forward: Vector,
    /// The picture's middle, in pixels from the upper left corner.
    middle: [f64; 2],
    /// A pixel's side at distance 1.
    pub pixel: f64,
}

impl Lens {
    pub fn new(camera: &Camera, width: usize, height: usize) -> Self {
        let middle = [width as f64 / 2.0, height as f64 / 2.0];
        let pixel = libm::tan(camera.field_of_view.to_radians() / 2.0) / middle[1];
        Lens { camera: *camera, forward: camera.forward(), middle, pixel }
    }

    /// The unit vector from the camera through the point (x, y) of the picture.
    pub fn direction(&self, x: f64, y: f64) -> Vector {
        let across = along(self.forward, self.camera.right, (x - self.middle[0]) * self.pixel);
        normalized(along(across, self.camera.up, (self.middle[1] - y) * self.pixel))
    }

    /// A rectangle of the picture that holds the convex hull of some balls.
    ///
    /// Nothing if all are behind the camera; the whole picture if only some are before it.
    pub fn bounds(&self, balls: &[Ball]) -> Option<Bounds> {
        let depth = |ball: &Ball| dot(minus(ball.center, self.camera.position), self.forward);
        if balls.iter().all(|ball| depth(ball) <= -ball.radius) {
            return None;
        }
        if balls.iter().any(|ball| depth(ball) <= ball.radius) {
            return Some(Bounds::EVERYWHERE);
        }
        Some(balls.iter().fold(Bounds::NOWHERE, |all, ball| all.joined(&self.ball_bounds(ball, depth(ball)))))
    }

    /// The smallest rectangle that holds a ball before the camera.
    fn ball_bounds(&self, ball: &Ball, depth: f64) -> Bounds {
        let to_center = minus(ball.center, self.camera.position);
        // In the plane of one picture axis and the line of sight the ball is a disk; these are the
        // slopes of the two lines through the camera that touch it.
        let edges = |side: f64, middle: f64| {
            let reach = ball.radius * (side * side + depth * depth - ball.radius * ball.radius).sqrt();
            let scale = self.pixel * (depth * depth - ball.radius * ball.radius);
            [-reach, reach].map(|reach| middle + (side * depth + reach) / scale)
        };
        let [left, right] = edges(dot(to_center, self.camera.right), self.middle[0]);
        let [top, bottom] = edges(-dot(to_center, self.camera.up), self.middle[1]);
        Bounds { low: [left, top], high: [right, bottom] }
    }
}

/// A rectangle of the picture, in pixels from the upper left corner.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub low: [f64; 2],
    pub high: [f64; 2],
}

impl Bounds {
    pub const EVERYWHERE: Bounds = Bounds { low: [f64::NEG_INFINITY; 2], high: [f64::INFINITY; 2] };
    pub const NOWHERE: Bounds = Bounds { low: [f64::INFINITY; 2], high: [f64::NEG_INFINITY; 2] };

    /// The smallest rectangle that holds both.
    pub fn joined(&self, other: &Bounds) -> Bounds {
        Bounds {
            low: std::array::from_fn(|i| self.low[i].min(other.low[i])),
            high: std::array::from_fn(|i| self.high[i].max(other.high[i])),
        }
    }

    pub fn meets(&self, other: &Bounds) -> bool {
        (0..2).all(|i| self.low[i] <= other.high[i] && other.low[i] <= self.high[i])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mujoco::geom::assert_near;

    #[test]
    fn looking_at_is_the_camera_of_mujoco() {
        let lookat = [0.1, 0.2, 0.3];
        let camera = Camera::looking_at(lookat, 4.0, 35.0, -20.0);
        // mjv_updateScene (MuJoCo 4.0.0): the scene's camera for such a free camera, in f32.
        let expected = [
            (camera.position, [-2.9790044, -1.9559422, 1.6680806]),
            (camera.forward(), [0.76975113, 0.53898555, -0.34202015]),
            (camera.up, [0.2801665, 0.1961747, 0.9396926]),
        ];
        for (i, (ours, theirs)) in (0..3).flat_map(|i| expected.map(|pair| (i, pair))) {
            assert_near(ours[i], theirs[i], 1e-6);
        }
        let axes = [camera.right, camera.up, camera.forward()];
        for (i, j) in (0..3).flat_map(|i| (0..3).map(move |j| (i, j))) {
            assert_near(dot(axes[i], axes[j]), if i == j { 1.0 } else { 0.0 }, 1e-15);
        }
        let to_lookat = Lens::new(&camera, 320, 240).direction(160.0, 120.0);
        for (i, x) in lookat.into_iter().enumerate() {
            assert_near(camera.position[i] + 4.0 * to_lookat[i], x, 1e-12);
        }
    }
}
