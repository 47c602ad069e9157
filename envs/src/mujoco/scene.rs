//! Pictures of MuJoCo's geoms, drawn on the processor by casting rays.
//!
//! A caller hands over the geoms where they are ([`Geom`]) and a [`Camera`], and [`draw`] gives
//! back a [`Frame`]: Lambert shading under one distant light and a lamp at the camera, a checkered
//! floor on which motion is seen, the geoms' shadows on it, and a sky.
//!
//! # Design
//!
//! MuJoCo's own renderer needs OpenGL, which a machine without a display often lacks. Its geoms are
//! shapes that a ray meets in closed form, so no triangle is needed. Two things keep the rays few
//! and short: a pixel whose corners look alike takes its color from them, and only others cast four
//! rays inside; and the picture is cut into tiles, whose rays are tested only against the geoms
//! that can be seen there, and whose shadows against those that can throw one there.

use std::ops::Range;

use crate::frame::Frame;
use crate::mujoco::geom::{Ball, Geom, Shape, Vector, along, dot, minus};
use crate::mujoco::lens::{Bounds, Camera, Lens};

/// The direction to the light, of length 1: high, and from where MuJoCo's cameras usually stand.
const LIGHT: Vector = [-0.36, -0.48, 0.8];
/// How bright a surface is that neither the light nor the camera's lamp reaches.
const AMBIENT: f64 = 0.35;
/// What the camera's lamp adds to a surface that faces it, so that shaded sides keep their form.
const LAMP: f64 = 0.2;
/// What the light adds to a surface that faces it.
const DIFFUSE: f64 = 0.5;
/// How bright the darker squares of a floor are, relative to the lighter ones.
const DARK_SQUARE: f64 = 0.8;
/// The sine of the angle below the horizon at which a floor begins to fade into the sky.
const HAZE: f64 = 0.15;
const HORIZON: Vector = [0.84, 0.89, 0.94];
const ZENITH: Vector = [0.36, 0.52, 0.74];

/// Pixels of a tile's side.
const TILE: usize = 16;
/// How much the colors at a pixel's corners may differ before its inside is looked at.
const EDGE: f64 = 0.03;
/// Where the four samples inside a pixel lie, in each direction.
const SAMPLES: [f64; 2] = [0.25, 0.75];

/// Draws the geoms as the camera sees them, `width` × `height` pixels.
pub(super) fn draw(geoms: &[Geom], camera: &Camera, width: usize, height: usize) -> Frame {
    let lens = Lens::new(camera, width, height);
    let drawn: Vec<Geom> = geoms.iter().filter(|geom| geom.color[3] > 0.0).copied().collect();
    let floors: Vec<&Geom> = drawn.iter().filter(|geom| geom.shape == Shape::Plane).collect();
    let prepared: Vec<Prepared> = drawn.iter().map(|geom| Prepared::new(geom, &floors, &lens)).collect();
    let mut pixels = vec![0; 3 * width * height];
    for top in (0..height).step_by(TILE) {
        for left in (0..width).step_by(TILE) {
            let (right, bottom) = (width.min(left + TILE), height.min(top + TILE));
            let tile = Bounds { low: [left as f64, top as f64], high: [right as f64, bottom as f64] };
            let view = View {
                lens: &lens,
                seen: prepared.iter().filter(|geom| geom.outline.meets(&tile)).collect(),
                casters: prepared.iter().filter(|geom| geom.shadow.meets(&tile)).collect(),
            };
            view.each_pixel(left..right, top..bottom, |x, y, color| {
                let at = 3 * (y * width + x);
                pixels[at..at + 3].copy_from_slice(&color.map(|channel| (255.0 * channel + 0.5) as u8));
            });
        }
    }
    Frame::from_pixels(width, height, pixels)
}

/// A geom with what all rays of a picture share.
struct Prepared<'a> {
    geom: &'a Geom,
    /// The camera's position, in the geom's axes.
    eye: Vector,
    /// The direction to the light, in the geom's axes.
    light: Vector,
    /// Where in the picture the geom can be.
    outline: Bounds,
    /// Where in the picture the geom's shadow can be.
    shadow: Bounds,
    squares_per_meter: f64,
}

impl<'a> Prepared<'a> {
    fn new(geom: &'a Geom, floors: &[&Geom], lens: &Lens) -> Self {
        let hull = geom.hull();
        let shadows = floors.iter().filter_map(|floor| lens.bounds(&shadow(hull.as_deref()?, floor)?));
        Prepared {
            geom,
            eye: geom.local(minus(lens.camera.position, geom.position)),
            light: geom.local(LIGHT),
            outline: hull.as_ref().map_or(Bounds::EVERYWHERE, |hull| lens.bounds(hull).unwrap_or(Bounds::NOWHERE)),
            squares_per_meter: 1.0 / geom.square(),
            shadow: shadows.fold(Bounds::NOWHERE, |all, shadow| all.joined(&shadow)),
        }
    }
}

/// Balls on a floor whose hull holds the shadow of the hull of `balls`, if they throw one.
fn shadow(balls: &[Ball], floor: &Geom) -> Option<Vec<Ball>> {
    let cosine = dot(floor.axis(), LIGHT);
    let height = |ball: &Ball| dot(minus(ball.center, floor.position), floor.axis());
    let thrown =
        |ball: &Ball| Ball { center: along(ball.center, LIGHT, -height(ball) / cosine), radius: ball.radius / cosine };
    let falls = cosine > 0.0 && balls.iter().any(|ball| height(ball) > -ball.radius);
    falls.then(|| balls.iter().map(thrown).collect())
}

/// What can be seen in one tile of the picture.
struct View<'a> {
    lens: &'a Lens,
    seen: Vec<&'a Prepared<'a>>,
    casters: Vec<&'a Prepared<'a>>,
}

impl View<'_> {
    /// Calls `paint` with place and color of the pixels in some columns and rows.
    fn each_pixel(&self, columns: Range<usize>, rows: Range<usize>, mut paint: impl FnMut(usize, usize, Vector)) {
        let corner = |x: usize, y: usize| self.color(self.lens.direction(x as f64, y as f64));
        let corners = |y: usize| -> Vec<Vector> { (columns.start..=columns.end).map(|x| corner(x, y)).collect() };
        let mut above = corners(rows.start);
        for y in rows {
            let below = corners(y + 1);
            for (i, x) in columns.clone().enumerate() {
                let mean = mean_if_alike([above[i], above[i + 1], below[i], below[i + 1]]);
                paint(x, y, mean.unwrap_or_else(|| self.mean_of_samples(x as f64, y as f64)));
            }
            above = below;
        }
    }

    /// The mean color of four points inside the pixel whose upper left corner is (x, y).
    fn mean_of_samples(&self, x: f64, y: f64) -> Vector {
        let mut mean = [0.0; 3];
        for dy in SAMPLES {
            for dx in SAMPLES {
                mean = along(mean, self.color(self.lens.direction(x + dx, y + dy)), 0.25);
            }
        }
        mean
    }

    /// The color seen in a direction: the nearest geom's and, through it, what lies behind.
    fn color(&self, direction: Vector) -> Vector {
        let mut color = [0.0; 3];
        let (mut distance, mut passed) = (0.0, 1.0);
        while let Some((hit, prepared)) = self.nearest(direction, distance) {
            let opacity = f64::from(prepared.geom.color[3]);
            color = along(color, self.surface(prepared, direction, hit), passed * opacity);
            (distance, passed) = (hit, passed * (1.0 - opacity));
            if passed < 1e-3 {
                return color;
            }
        }
        along(color, sky(direction), passed)
    }

    /// The first geom that a ray enters farther away than `beyond`, and how far away that is.
    fn nearest(&self, direction: Vector, beyond: f64) -> Option<(f64, &Prepared<'_>)> {
        let mut nearest: Option<(f64, &Prepared)> = None;
        for prepared in &self.seen {
            let Some(hit) = prepared.geom.entry(prepared.eye, prepared.geom.local(direction)) else { continue };
            if hit > beyond && nearest.is_none_or(|(distance, _)| hit < distance) {
                nearest = Some((hit, prepared));
            }
        }
        nearest
    }

    /// The color of a geom's surface where a ray from the camera meets it.
    fn surface(&self, prepared: &Prepared, direction: Vector, distance: f64) -> Vector {
        let geom = prepared.geom;
        let local_direction = geom.local(direction);
        let point = along(prepared.eye, local_direction, distance);
        let normal = geom.normal(point);
        let facing = -dot(normal, local_direction);
        let lit = dot(normal, prepared.light).max(0.0);
        let paint = [geom.color[0], geom.color[1], geom.color[2]].map(f64::from);
        if geom.shape != Shape::Plane {
            return paint.map(|channel| channel * (AMBIENT + LAMP * facing + DIFFUSE * lit).min(1.0));
        }
        let lit = if self.in_shadow(along(self.lens.camera.position, direction, distance)) { 0.0 } else { lit };
        let scale = prepared.squares_per_meter;
        let squares = checker(scale * point[0], scale * point[1], scale * distance * self.lens.pixel / facing);
        // The lamp lights a floor evenly: only squares and shadows are to be seen on it.
        let brightness = squares * (AMBIENT + LAMP + DIFFUSE * lit).min(1.0);
        let haze = (1.0 - facing / HAZE).max(0.0).powi(2);
        let sky = sky(direction);
        std::array::from_fn(|i| (1.0 - haze) * brightness * paint[i] + haze * sky[i])
    }

    /// Whether a geom stands between a point of a floor and the light.
    fn in_shadow(&self, point: Vector) -> bool {
        self.casters.iter().any(|caster| {
            let origin = caster.geom.local(minus(point, caster.geom.position));
            caster.geom.entry(origin, caster.light).is_some()
        })
    }
}

/// The mean of the colors at a pixel's corners, unless an edge passes between them.
fn mean_if_alike(corners: [Vector; 4]) -> Option<Vector> {
    let [a, b, c, d] = corners;
    let alike = (0..3).all(|i| {
        let (low, high) = (a[i].min(b[i]).min(c[i]).min(d[i]), a[i].max(b[i]).max(c[i]).max(d[i]));
        high - low < EDGE
    });
    alike.then(|| std::array::from_fn(|i| 0.25 * (a[i] + b[i] + c[i] + d[i])))
}

/// The brightness of a floor at (x, y) for a pixel that is `pixel` long there, all in squares.
///
/// The squares fade into their mean where a pixel holds a whole one, or they would flicker.
fn checker(x: f64, y: f64, pixel: f64) -> f64 {
    // The cast rounds towards zero, so squares below zero come out one too high: odd for even.
    let [i, j] = [x, y].map(|x| x as i64 ^ i64::from(x < 0.0));
    let contrast = ((1.0 - pixel) / 0.7).clamp(0.0, 1.0);
    let half = (1.0 - DARK_SQUARE) / 2.0 * contrast;
    (1.0 + DARK_SQUARE) / 2.0 + if (i ^ j) & 1 == 0 { half } else { -half }
}

/// The color of the background in a direction.
fn sky(direction: Vector) -> Vector {
    let height = direction[2].max(0.0);
    std::array::from_fn(|i| HORIZON[i] + height * (ZENITH[i] - HORIZON[i]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mujoco::geom::assert_near;
    use crate::numpy::pcg64::Pcg64;

    const UPRIGHT: [f64; 9] = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0];
    /// Turns the z axis to the world's y axis, along which the tests' cameras look.
    const LYING: [f64; 9] = [1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, -1.0, 0.0];
    /// MuJoCo's `geom_xmat` for the quaternion (0.8, 0.2, −0.4, 0.4).
    const TURNED: [f64; 9] = [0.36, -0.8, -0.48, 0.48, 0.6, -0.64, 0.8, 0.0, 0.6];
    const SOLIDS: [(Shape, [f64; 3]); 5] = [
        (Shape::Sphere, [0.5, 0.0, 0.0]),
        (Shape::Capsule, [0.2, 0.6, 0.0]),
        (Shape::Ellipsoid, [0.3, 0.6, 0.4]),
        (Shape::Cylinder, [0.4, 0.5, 0.0]),
        (Shape::Box, [0.3, 0.5, 0.7]),
    ];
    const BLACK: [f32; 4] = [0.0, 0.0, 0.0, 1.0];
    const SIDE: usize = 400;

    fn geom(shape: Shape, size: [f64; 3], position: Vector, rotation: [f64; 9], color: [f32; 4]) -> Geom {
        Geom { shape, size, position, rotation, color }
    }

    /// A camera at (0, −4, 0) that looks along y.
    fn camera() -> Camera {
        Camera::looking_at([0.0; 3], 4.0, 90.0, 0.0)
    }

    fn lens() -> Lens {
        Lens::new(&camera(), SIDE, SIDE)
    }

    fn pixel(frame: &Frame, x: usize, y: usize) -> [u8; 3] {
        std::array::from_fn(|i| frame.pixels()[3 * (y * frame.width() + x) + i])
    }

    fn brightness(frame: &Frame, x: usize, y: usize) -> u32 {
        pixel(frame, x, y).map(u32::from).iter().sum()
    }

    /// How much of each pixel a black geom hides of the sky.
    fn coverage(black: Geom) -> Vec<Vec<f64>> {
        let [with, without] = [&[black][..], &[]].map(|geoms| draw(geoms, &camera(), SIDE, SIDE));
        let hidden = |x, y| 1.0 - f64::from(brightness(&with, x, y)) / f64::from(brightness(&without, x, y));
        (0..SIDE).map(|y| (0..SIDE).map(|x| hidden(x, y)).collect()).collect()
    }

    #[test]
    fn silhouettes_are_those_of_geometry() {
        use std::f64::consts::PI;
        // Half widths and heights as slopes from the camera, at distance 4. Lines that touch a ball
        // of radius r at distance d have slope r / √(d² − r²), an ellipsoid is a stretched ball,
        // and flat faces are as large as at their own distance. Areas are those of the rectangle
        // around the silhouette times the last number.
        let round = |r: f64, depth: f64, distance: f64| r / (distance * distance - depth * depth).sqrt();
        let capsule_top = libm::tan(libm::atan(0.8 / 4.0) + libm::asin(0.3 / libm::hypot(0.8, 4.0)));
        let cases = [
            (Shape::Sphere, [0.8, 0.0, 0.0], UPRIGHT, round(0.8, 0.8, 4.0), round(0.8, 0.8, 4.0), Some(PI / 4.0)),
            (Shape::Ellipsoid, [0.9, 0.5, 0.7], UPRIGHT, round(0.9, 0.5, 4.0), round(0.7, 0.5, 4.0), Some(PI / 4.0)),
            (Shape::Box, [0.9, 0.5, 0.3], UPRIGHT, 0.9 / 3.5, 0.3 / 3.5, Some(1.0)),
            (Shape::Cylinder, [0.5, 0.8, 0.0], UPRIGHT, round(0.5, 0.5, 4.0), 0.8 / 3.5, None),
            (Shape::Cylinder, [0.5, 0.8, 0.0], LYING, 0.5 / 3.2, 0.5 / 3.2, Some(PI / 4.0)),
            (Shape::Capsule, [0.3, 0.8, 0.0], UPRIGHT, round(0.3, 0.3, 4.0), capsule_top, None),
            (Shape::Capsule, [0.3, 0.8, 0.0], LYING, round(0.3, 0.3, 3.2), round(0.3, 0.3, 3.2), Some(PI / 4.0)),
        ];
        for (shape, size, rotation, half_width, half_height, filled) in cases {
            let covered = coverage(geom(shape, size, [0.0; 3], rotation, BLACK));
            let [width, height] = [half_width, half_height].map(|half| 2.0 * half / lens().pixel);
            // Samples stand half a pixel apart, so either edge is known to a quarter.
            assert_near(covered[SIDE / 2].iter().sum(), width, 0.6);
            assert_near(covered.iter().map(|row| row[SIDE / 2]).sum(), height, 0.6);
            let area: f64 = covered.iter().flatten().sum();
            if let Some(filled) = filled {
                assert_near(area / (filled * width * height), 1.0, 5e-3);
            }
        }
    }

    #[test]
    fn a_turned_box_reaches_to_its_corners() {
        let (size, position) = ([0.7, 0.3, 0.5], [0.2, 0.6, -0.1]);
        let cube = geom(Shape::Box, size, position, TURNED, BLACK);
        let covered = coverage(cube);
        let on_screen = |i: usize| {
            let sign = |bit: usize| if i >> bit & 1 == 0 { -1.0 } else { 1.0 };
            let world: Vector = std::array::from_fn(|j| {
                position[j] + (0..3).map(|k| TURNED[3 * j + k] * sign(k) * size[k]).sum::<f64>()
            });
            [world[0], -world[2]].map(|slope| SIDE as f64 / 2.0 + slope / (world[1] + 4.0) / lens().pixel)
        };
        let edge = |axis: usize, pick: fn(f64, f64) -> f64| (0..8).map(|i| on_screen(i)[axis]).reduce(pick).unwrap();
        let rows = || (0..SIDE).filter(|y| covered[*y].iter().any(|part| *part > 0.0));
        let columns = || (0..SIDE).filter(|x| covered.iter().any(|row| row[*x] > 0.0));
        // The tip of a corner may pass between the samples of a pixel.
        for (first, last, axis) in [
            (columns().next().unwrap(), columns().next_back().unwrap(), 0),
            (rows().next().unwrap(), rows().next_back().unwrap(), 1),
        ] {
            assert_near(first as f64, edge(axis, f64::min), 1.5);
            assert_near(last as f64 + 1.0, edge(axis, f64::max), 1.5);
        }
    }

    #[test]
    fn a_plane_ends_at_the_horizon_or_at_its_edges() {
        let half = |size| coverage(geom(Shape::Plane, size, [0.0, 0.0, -1.0], UPRIGHT, BLACK));
        let endless = half([0.0; 3]);
        assert!(endless[..SIDE / 2].iter().flatten().all(|part| *part == 0.0), "above the horizon");
        assert!(endless[SIDE - 1].iter().all(|part| *part == 1.0), "at the lower edge");
        let ended = half([1.5, 1.0, 0.0]);
        let bottom = |y: f64| SIDE as f64 / 2.0 + 1.0 / (4.0 + y) / lens().pixel;
        assert_near(ended.iter().map(|row| row[SIDE / 2]).sum(), bottom(-1.0) - bottom(1.0), 0.6);
        assert_near(ended[bottom(0.0) as usize].iter().sum(), 3.0 / 4.0 / lens().pixel, 1.0);
    }

    #[test]
    fn bounds_hold_what_they_bound() {
        let mut rng = Pcg64::seed_from(1);
        let floor = geom(Shape::Plane, [0.0; 3], [0.0, 0.0, -1.0], UPRIGHT, BLACK);
        let lens = Lens::new(&camera(), 60, 60);
        for (shape, size) in SOLIDS.repeat(8) {
            let position = std::array::from_fn(|i| rng.uniform(-2.0, if i == 1 { 4.0 } else { 2.0 }));
            let geom = geom(shape, size, position, TURNED, BLACK);
            let prepared = Prepared::new(&geom, &[&floor], &lens);
            let view = View { lens: &lens, seen: vec![&prepared], casters: vec![&prepared] };
            for (x, y) in (0..3600).map(|i| (f64::from(i % 60) + 0.5, f64::from(i / 60) + 0.5)) {
                let pixel = Bounds { low: [x, y], high: [x, y] };
                let direction = lens.direction(x, y);
                assert!(prepared.outline.meets(&pixel) || view.nearest(direction, 0.0).is_none(), "{geom:?}");
                if direction[2] < 0.0 {
                    let point = along(lens.camera.position, direction, -1.0 / direction[2]);
                    assert!(prepared.shadow.meets(&pixel) || !view.in_shadow(point), "{geom:?}");
                }
            }
        }
    }

    #[test]
    fn the_nearer_geom_hides_the_farther_one() {
        let red = geom(Shape::Sphere, [0.5, 0.0, 0.0], [0.0, -1.0, 0.0], UPRIGHT, [1.0, 0.0, 0.0, 1.0]);
        let blue = geom(Shape::Box, [0.9; 3], [0.0, 1.0, 0.0], UPRIGHT, [0.0, 0.0, 1.0, 1.0]);
        let frame = draw(&[red, blue], &camera(), 64, 48);
        assert_eq!(frame, draw(&[blue, red], &camera(), 64, 48));
        let [r, g, b] = pixel(&frame, 32, 24);
        assert!(r > 100 && g == 0 && b == 0, "{r} {g} {b}");
        let [r, g, b] = pixel(&frame, 32 + 11, 24);
        assert!(r == 0 && g == 0 && b > 100, "{r} {g} {b}");
        let through = |opacity| {
            let glass = Geom { color: [1.0, 0.0, 0.0, opacity], ..red };
            pixel(&draw(&[glass, blue], &camera(), 64, 48), 32, 24)
        };
        assert_eq!(through(0.0), pixel(&draw(&[blue], &camera(), 64, 48), 32, 24));
        assert_near(f64::from(through(0.5)[2]), f64::from(through(0.0)[2]) / 2.0, 1.0);
    }

    #[test]
    fn a_shadow_falls_away_from_the_light() {
        let floor = geom(Shape::Plane, [0.0; 3], [0.0; 3], UPRIGHT, [0.8, 0.8, 0.8, 1.0]);
        let ball = geom(Shape::Sphere, [0.2, 0.0, 0.0], [0.3, 0.2, 1.0], UPRIGHT, [0.8, 0.8, 0.8, 1.0]);
        let camera = Camera::looking_at([0.0; 3], 8.0, 90.0, -50.0);
        let [with, without] = [&[floor, ball][..], &[floor]].map(|geoms| draw(geoms, &camera, SIDE, SIDE));
        let lens = Lens::new(&camera, SIDE, SIDE);
        let shade = |point: Vector| {
            let to_point = minus(point, camera.position);
            let slope = |axis: Vector| dot(to_point, axis) / dot(to_point, lens.forward) / lens.pixel;
            let [x, y] = [200.0 + slope(camera.right), 200.0 - slope(camera.up)].map(|x| x as usize);
            f64::from(brightness(&with, x, y)) / f64::from(brightness(&without, x, y))
        };
        let center = along([0.3, 0.2, 1.0], LIGHT, -1.0 / LIGHT[2]);
        assert!(shade(center) < 0.7, "{}", shade(center));
        // The shadow is an ellipse with half axes 0.2 across the light and 0.2 / 0.8 along it.
        for (axis, half) in [([0.6, 0.8, 0.0], 0.25), ([0.8, -0.6, 0.0], 0.2)] {
            for side in [-half, half] {
                assert!(shade(along(center, axis, 0.8 * side)) < 0.7);
                assert!(shade(along(center, axis, 1.2 * side)) > 0.99);
            }
        }
    }

    #[test]
    fn squares_alternate_on_both_sides_of_zero_and_fade_far_away() {
        for (x, y) in (-3..3).flat_map(|x| (-3..3).map(move |y| (x, y))) {
            let expected = if (x + y) % 2 == 0 { 1.0 } else { DARK_SQUARE };
            let [x, y] = [x, y].map(|cell| f64::from(cell) + 0.9);
            assert_near(checker(x, y, 0.1), expected, 1e-12);
            assert_near(checker(x, y, 1.0), (1.0 + DARK_SQUARE) / 2.0, 1e-12);
        }
    }

    #[test]
    fn azimuth_90_looks_along_y_with_x_to_the_right() {
        let camera = Camera::looking_at([1.0, 2.0, 3.0], 4.0, 90.0, 0.0);
        for (x, expected) in camera.position.into_iter().zip([1.0, -2.0, 3.0]) {
            assert_near(x, expected, 1e-12);
        }
        let ball = geom(Shape::Sphere, [0.1, 0.0, 0.0], [1.5, 2.0, 3.4], UPRIGHT, BLACK);
        let frame = draw(&[ball], &camera, 320, 240);
        // 45 degrees from the upper to the lower edge: 240 pixels are 2 · 4 m · tan 22.5° there.
        let meter = 240.0 / (8.0 * (2.0_f64.sqrt() - 1.0));
        let at = [160.0 + 0.5 * meter, 120.0 - 0.4 * meter].map(|x| x as usize);
        assert_eq!(pixel(&frame, at[0], at[1]), [0; 3]);
    }

    #[test]
    fn states_that_are_not_numbers_draw_a_picture_all_the_same() {
        for bad in [f64::NAN, f64::INFINITY, -1e300] {
            let floor = geom(Shape::Plane, [0.0; 3], [0.0, 0.0, -1.0], UPRIGHT, [1.0; 4]);
            let shapes = SOLIDS.map(|(shape, size)| geom(shape, size, [bad; 3], [bad; 9], [1.0; 4]));
            let geoms = [&shapes[..], &[floor, Geom { rotation: [bad; 9], ..floor }]].concat();
            draw(&geoms, &camera(), 20, 20);
            draw(&geoms, &Camera::looking_at([bad; 3], 4.0, 90.0, 0.0), 20, 20);
        }
    }
}
