//! Shapes that a ray meets in closed form: MuJoCo's geoms as they stand in the world.

pub(super) type Vector = [f64; 3];

/// What a geom is, with MuJoCo's `geom_size` in [`Geom::size`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// The plane z = 0, seen from above only; sizes are its half lengths in x and y, 0 for no end.
    Plane,
    /// A ball; the size is its radius.
    Sphere,
    /// A cylinder along z with half balls on its ends; sizes are radius and cylinder's half length.
    Capsule,
    /// An ellipsoid; sizes are its three radii.
    Ellipsoid,
    /// A cylinder along z; sizes are radius and half length.
    Cylinder,
    /// A box; sizes are its half lengths.
    Box,
}

/// A geom as it stands in the world.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Geom {
    pub shape: Shape,
    /// Sizes in the order of MuJoCo's `geom_size` (m); what the shape does not use is ignored.
    pub size: [f64; 3],
    /// The center (m).
    pub position: Vector,
    /// The rotation from the geom's axes to the world's, row by row, as MuJoCo's `geom_xmat`.
    pub rotation: [f64; 9],
    /// Red, green, blue and opacity, each in [0, 1]; a geom of opacity 0 is not drawn.
    pub color: [f32; 4],
}

/// A ball in the world.
pub(super) struct Ball {
    pub center: Vector,
    pub radius: f64,
}

impl Geom {
    /// The geom's z axis in the world.
    pub fn axis(&self) -> Vector {
        [self.rotation[2], self.rotation[5], self.rotation[8]]
    }

    /// A row of the rotation: what a world coordinate takes from each of the geom's axes.
    pub fn row(&self, i: usize) -> Vector {
        [self.rotation[3 * i], self.rotation[3 * i + 1], self.rotation[3 * i + 2]]
    }

    /// A vector of the world in the geom's axes.
    pub fn local(&self, v: Vector) -> Vector {
        let r = &self.rotation;
        std::array::from_fn(|i| r[i] * v[0] + r[3 + i] * v[1] + r[6 + i] * v[2])
    }

    /// Balls whose convex hull holds the geom; nothing for a plane.
    pub fn hull(&self) -> Option<Vec<Ball>> {
        let [a, b, c] = self.size;
        let ball = |local: Vector, radius: f64| Ball {
            center: std::array::from_fn(|i| self.position[i] + dot(self.row(i), local)),
            radius,
        };
        Some(match self.shape {
            Shape::Plane => return None,
            Shape::Sphere => vec![ball([0.0; 3], a)],
            Shape::Ellipsoid => vec![ball([0.0; 3], a.max(b).max(c))],
            Shape::Capsule | Shape::Cylinder => [-b, b].map(|z| ball([0.0, 0.0, z], a)).into(),
            Shape::Box => {
                let sign = |corner: usize, bit: usize| if corner & bit == 0 { -1.0 } else { 1.0 };
                let corner = |i| [a * sign(i, 1), b * sign(i, 2), c * sign(i, 4)];
                (0..8).map(|i| ball(corner(i), 0.0)).collect()
            }
        })
    }

    /// The side of a plane's squares: 1 m, less on a plane so small that it would hold few.
    pub fn square(&self) -> f64 {
        let ends = self.size[..2].iter().filter(|half| **half > 0.0);
        ends.fold(1.0, |side, half| side.min(half / 10.0))
    }

    /// The distance at which a ray enters the geom, the ray given in the geom's axes.
    ///
    /// Nothing if the ray misses the geom or begins inside it.
    pub fn entry(&self, origin: Vector, direction: Vector) -> Option<f64> {
        let [a, b, _] = self.size;
        let near = match self.shape {
            Shape::Plane => plane_entry(self.size, origin, direction)?,
            Shape::Sphere => first_root(1.0, dot(origin, direction), dot(origin, origin) - a * a)?,
            Shape::Ellipsoid => {
                let scaled = |v: Vector| std::array::from_fn(|i| v[i] / self.size[i]);
                let (o, d): (Vector, Vector) = (scaled(origin), scaled(direction));
                first_root(dot(d, d), dot(o, d), dot(o, o) - 1.0)?
            }
            Shape::Capsule => capsule_entry(a, b, origin, direction)?,
            Shape::Cylinder => meeting([tube(a, origin, direction)?, slab(b, origin[2], direction[2])])?,
            Shape::Box => meeting(std::array::from_fn::<_, 3, _>(|i| slab(self.size[i], origin[i], direction[i])))?,
        };
        (near > 0.0).then_some(near)
    }

    /// The outward unit normal at a point of the surface, both in the geom's axes.
    pub fn normal(&self, point: Vector) -> Vector {
        let [x, y, z] = point;
        let [radius, half_length, _] = self.size;
        match self.shape {
            Shape::Plane => [0.0, 0.0, 1.0],
            Shape::Sphere => normalized(point),
            Shape::Capsule => normalized([x, y, z - z.clamp(-half_length, half_length)]),
            Shape::Ellipsoid => normalized(std::array::from_fn(|i| point[i] / (self.size[i] * self.size[i]))),
            Shape::Cylinder if z.abs() - half_length > (x * x + y * y).sqrt() - radius => [0.0, 0.0, z.signum()],
            Shape::Cylinder => normalized([x, y, 0.0]),
            Shape::Box => {
                let outside = |i: usize| point[i].abs() - self.size[i];
                let face = (1..3).fold(0, |face, i| if outside(i) > outside(face) { i } else { face });
                std::array::from_fn(|i| if i == face { point[i].signum() } else { 0.0 })
            }
        }
    }
}

/// The distance at which a ray meets the front of the plane z = 0.
fn plane_entry(half: [f64; 3], o: Vector, d: Vector) -> Option<f64> {
    let distance = -o[2] / d[2];
    let within = |i: usize| half[i] <= 0.0 || (o[i] + distance * d[i]).abs() <= half[i];
    (o[2] > 0.0 && d[2] < 0.0 && within(0) && within(1)).then_some(distance)
}

/// The distance at which a ray enters a capsule: its tube or, past its end, the ball there.
fn capsule_entry(radius: f64, half_length: f64, o: Vector, d: Vector) -> Option<f64> {
    let [near, _] = tube(radius, o, d)?;
    // Along the axis the tube begins infinitely far back, and o + near · d is never 0 · ∞ there.
    let z = o[2] + near * d[2];
    if z.abs() <= half_length {
        return Some(near);
    }
    let from_end = [o[0], o[1], o[2] - half_length.copysign(z)];
    first_root(1.0, dot(from_end, d), dot(from_end, from_end) - radius * radius)
}

/// The stretch of a ray inside the endless cylinder x² + y² = `radius`².
fn tube(radius: f64, o: Vector, d: Vector) -> Option<[f64; 2]> {
    let a = d[0] * d[0] + d[1] * d[1];
    let c = o[0] * o[0] + o[1] * o[1] - radius * radius;
    if a == 0.0 {
        return (c <= 0.0).then_some([f64::NEG_INFINITY, f64::INFINITY]);
    }
    let b = o[0] * d[0] + o[1] * d[1];
    let root = (b * b - a * c).sqrt();
    (root >= 0.0).then(|| [(-b - root) / a, (-b + root) / a])
}

/// The stretch of a ray between two planes at ±`half` on one axis.
fn slab(half: f64, o: f64, d: f64) -> [f64; 2] {
    let [a, b] = [(-half - o) / d, (half - o) / d];
    [a.min(b), a.max(b)]
}

/// Where the stretch begins that several stretches of a ray share, if they share one.
fn meeting<const N: usize>(stretches: [[f64; 2]; N]) -> Option<f64> {
    let near = stretches.iter().fold(f64::NEG_INFINITY, |near, stretch| near.max(stretch[0]));
    let far = stretches.iter().fold(f64::INFINITY, |far, stretch| far.min(stretch[1]));
    (near <= far).then_some(near)
}

/// The smaller root of a t² + 2 b t + c, if it has one.
fn first_root(a: f64, b: f64, c: f64) -> Option<f64> {
    let discriminant = b * b - a * c;
    (discriminant >= 0.0).then(|| (-b - discriminant.sqrt()) / a)
}

pub(super) fn dot(a: Vector, b: Vector) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

pub(super) fn cross(a: Vector, b: Vector) -> Vector {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

pub(super) fn minus(a: Vector, b: Vector) -> Vector {
    std::array::from_fn(|i| a[i] - b[i])
}

/// The point `origin` + `distance` · `direction`.
pub(super) fn along(origin: Vector, direction: Vector, distance: f64) -> Vector {
    std::array::from_fn(|i| origin[i] + distance * direction[i])
}

pub(super) fn normalized(v: Vector) -> Vector {
    let inverse = 1.0 / dot(v, v).sqrt();
    v.map(|x| x * inverse)
}

/// That two numbers differ by no more than `tolerance`, for the tests of pictures.
#[cfg(test)]
#[track_caller]
pub(super) fn assert_near(a: f64, b: f64, tolerance: f64) {
    assert!((a - b).abs() <= tolerance, "{a} is not {b} ± {tolerance}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numpy::pcg64::Pcg64;

    /// MuJoCo's `geom_xmat` for the quaternion (0.8, 0.2, −0.4, 0.4).
    const TURNED: [f64; 9] = [0.36, -0.8, -0.48, 0.48, 0.6, -0.64, 0.8, 0.0, 0.6];
    const UPRIGHT: [f64; 9] = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0];
    const SOLIDS: [(Shape, [f64; 3]); 5] = [
        (Shape::Sphere, [0.5, 0.0, 0.0]),
        (Shape::Capsule, [0.2, 0.6, 0.0]),
        (Shape::Ellipsoid, [0.3, 0.6, 0.4]),
        (Shape::Cylinder, [0.4, 0.5, 0.0]),
        (Shape::Box, [0.3, 0.5, 0.7]),
    ];

    fn at_origin(shape: Shape, size: [f64; 3], rotation: [f64; 9]) -> Geom {
        Geom { shape, size, position: [0.0; 3], rotation, color: [0.0, 0.0, 0.0, 1.0] }
    }

    #[test]
    fn rays_hit_where_mujoco_says() {
        // mujoco.mj_ray (4.0.0) on one geom at the origin, rotated by TURNED, of SOLIDS' sizes:
        // distance and normal for each ray, rounded to nine decimals.
        let rays = [
            ([0.1, -2.0, 0.3], [0.0, 1.0, -0.2]),
            ([2.0, 1.5, 1.0], [-2.0, -1.4, -1.2]),
            ([-0.3, 0.1, 3.0], [0.1, 0.0, -1.0]),
        ];
        let hits = [
            [
                [1.540012218, 0.2, -0.979787558, -0.004042488],
                [2.234811462, 0.713867871, 0.69970751, 0.028320723],
                [2.525064738, -0.097493336, 0.2, 0.974933356],
            ],
            [
                [1.87658552, 0.532378262, -0.7561115, -0.380616324],
                [2.364004545, 0.511057184, 0.351903488, 0.784209468],
                [2.833905168, 0.036503739, 0.668777629, 0.742565795],
            ],
            [
                [1.597251045, -0.242999182, -0.922039338, -0.301321849],
                [2.387134819, 0.621060036, 0.773641433, 0.125552238],
                [2.709959787, 0.165550748, 0.34165464, 0.925129751],
            ],
            [
                [1.576640601, 0.534426745, -0.755706076, -0.378545084],
                [2.143182835, 0.550748287, 0.3125217, 0.773955109],
                [2.567194589, 0.158270022, 0.609541999, 0.77679415],
            ],
            [[1.325745074, 0.8, -0.6, 0.0], [2.243779999, 0.36, 0.48, 0.8], [2.683474642, 0.36, 0.48, 0.8]],
        ];
        for ((shape, size), hits) in SOLIDS.into_iter().zip(hits) {
            let geom = at_origin(shape, size, TURNED);
            for ((origin, direction), [distance, nx, ny, nz]) in rays.into_iter().zip(hits) {
                let [o, d] = [origin, normalized(direction)].map(|v| geom.local(v));
                let entry = geom.entry(o, d).unwrap();
                assert_near(entry, distance, 1e-8);
                let normal = geom.normal(along(o, d, entry));
                for (i, n) in [nx, ny, nz].into_iter().enumerate() {
                    assert_near(dot(geom.row(i), normal), n, 1e-8);
                }
            }
        }
    }

    /// A function that is negative inside a shape, zero on its surface and positive outside.
    fn implicit(shape: Shape, size: [f64; 3], [x, y, z]: Vector) -> f64 {
        let [a, b, c] = size;
        match shape {
            Shape::Plane => z,
            Shape::Sphere => x * x + y * y + z * z - a * a,
            Shape::Ellipsoid => (x / a).powi(2) + (y / b).powi(2) + (z / c).powi(2) - 1.0,
            Shape::Capsule => x * x + y * y + (z.abs() - b).max(0.0).powi(2) - a * a,
            Shape::Cylinder => (libm::hypot(x, y) - a).max(z.abs() - b),
            Shape::Box => (x.abs() - a).max(y.abs() - b).max(z.abs() - c),
        }
    }

    #[test]
    fn rays_stop_at_the_surface_and_normals_are_its_gradient() {
        let mut rng = Pcg64::seed_from(0);
        let mut uniform = || std::array::from_fn(|_| rng.uniform(-1.0, 1.0));
        for (shape, size) in SOLIDS.into_iter().chain([(Shape::Plane, [0.0; 3])]) {
            let geom = at_origin(shape, size, UPRIGHT);
            let inside = |point: Vector| implicit(shape, size, point);
            let mut hits = 0;
            for _ in 0..500 {
                let (origin, target): (Vector, Vector) = (normalized(uniform()).map(|x| 3.0 * x), uniform());
                let direction = normalized(minus(target, origin));
                let steps = (1..600).map(|i| f64::from(i) * 0.01);
                let first_inside = steps.into_iter().find(|t| inside(along(origin, direction, *t)) < 0.0);
                let Some(entry) = geom.entry(origin, direction) else {
                    let front = shape != Shape::Plane || origin[2] > 0.0;
                    assert!(first_inside.is_none() || !front, "{shape:?} missed");
                    continue;
                };
                hits += 1;
                let point = along(origin, direction, entry);
                assert_near(inside(point), 0.0, 1e-12);
                assert!(first_inside.is_none_or(|t| entry < t && t < entry + 0.011), "{shape:?} not entered first");
                let normal = geom.normal(point);
                let gradient = std::array::from_fn(|i| {
                    let moved = |step: f64| inside(std::array::from_fn(|j| point[j] + if i == j { step } else { 0.0 }));
                    moved(1e-6) - moved(-1e-6)
                });
                for (n, g) in normal.into_iter().zip(normalized(gradient)) {
                    assert_near(n, g, 1e-4);
                }
            }
            assert!(hits > 50, "{shape:?} was hit {hits} times");
        }
    }
}
