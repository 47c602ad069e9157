//! Pictures of environments, drawn without a display.
//!
//! Coordinates are pixels from the lower left corner, y upwards, as in Gymnasium's drawings. Edges
//! are smoothed by asking nine points of every pixel whether they are inside.

/// A color: red, green and blue.
pub type Rgb = [u8; 3];

/// White, for backgrounds.
pub const WHITE: Rgb = [255, 255, 255];
/// Black, for lines and bodies.
pub const BLACK: Rgb = [0, 0, 0];

/// An RGB picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    width: usize,
    height: usize,
    /// Row by row from the top, three bytes a pixel.
    pixels: Vec<u8>,
}

impl Frame {
    /// A picture of one color.
    pub fn new(width: usize, height: usize, background: Rgb) -> Self {
        Frame { width, height, pixels: background.repeat(width * height) }
    }

    /// A picture from its pixels, row by row from the top, three bytes each.
    pub(crate) fn from_pixels(width: usize, height: usize, pixels: Vec<u8>) -> Self {
        assert_eq!(pixels.len(), 3 * width * height, "three bytes a pixel");
        Frame { width, height, pixels }
    }

    /// Pixels in a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Rows of pixels.
    pub fn height(&self) -> usize {
        self.height
    }

    /// The pixels row by row from the top, three bytes each.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// Fills a convex polygon, whichever way round its corners are given.
    pub fn fill_polygon(&mut self, corners: &[[f64; 2]], color: Rgb) {
        let edges = || corners.iter().zip(corners.iter().cycle().skip(1));
        let inside = |[x, y]: [f64; 2]| {
            let side = |(a, b): (&[f64; 2], &[f64; 2])| (b[0] - a[0]) * (y - a[1]) - (b[1] - a[1]) * (x - a[0]);
            edges().all(|edge| side(edge) >= 0.0) || edges().all(|edge| side(edge) <= 0.0)
        };
        let bound = |i: usize, pick: fn(f64, f64) -> f64| corners.iter().map(|corner| corner[i]).reduce(pick);
        let (Some(left), Some(right)) = (bound(0, f64::min), bound(0, f64::max)) else { return };
        let (Some(bottom), Some(top)) = (bound(1, f64::min), bound(1, f64::max)) else { return };
        self.fill([left, bottom], [right, top], color, inside);
    }

    /// Fills a circle.
    pub fn fill_circle(&mut self, [x, y]: [f64; 2], radius: f64, color: Rgb) {
        let inside = |[px, py]: [f64; 2]| (px - x).powi(2) + (py - y).powi(2) <= radius * radius;
        self.fill([x - radius, y - radius], [x + radius, y + radius], color, inside);
    }

    /// Draws a straight line.
    pub fn line(&mut self, from: [f64; 2], to: [f64; 2], width: f64, color: Rgb) {
        let [dx, dy] = [to[0] - from[0], to[1] - from[1]];
        let length = libm::hypot(dx, dy).max(f64::MIN_POSITIVE);
        let [nx, ny] = [-dy / length * width / 2.0, dx / length * width / 2.0];
        let beside = |[x, y]: [f64; 2], sign: f64| [x + sign * nx, y + sign * ny];
        self.fill_polygon(&[beside(from, 1.0), beside(to, 1.0), beside(to, -1.0), beside(from, -1.0)], color);
    }

    /// Draws straight lines from point to point.
    pub fn polyline(&mut self, points: &[[f64; 2]], width: f64, color: Rgb) {
        for ends in points.windows(2) {
            self.line(ends[0], ends[1], width, color);
        }
    }

    /// Blends `color` over every pixel of the box between two corners, by how much is inside.
    fn fill(&mut self, low: [f64; 2], high: [f64; 2], color: Rgb, inside: impl Fn([f64; 2]) -> bool) {
        const OFFSETS: [f64; 3] = [1.0 / 6.0, 0.5, 5.0 / 6.0];
        let range = |low: f64, high: f64, n: usize| {
            let clamp = |x: f64| x.clamp(0.0, n as f64) as usize;
            clamp(low.floor())..clamp(high.ceil())
        };
        for y in range(low[1], high[1], self.height) {
            for x in range(low[0], high[0], self.width) {
                let points = OFFSETS.iter().flat_map(|dy| OFFSETS.iter().map(move |dx| (dx, dy)));
                let hits = points.filter(|(dx, dy)| inside([x as f64 + **dx, y as f64 + **dy])).count();
                let at = 3 * ((self.height - 1 - y) * self.width + x);
                for (pixel, ink) in self.pixels[at..at + 3].iter_mut().zip(color) {
                    let blended = usize::from(*pixel) * (9 - hits) + usize::from(ink) * hits;
                    *pixel = ((blended + 4) / 9) as u8;
                }
            }
        }
    }
}

/// Points turned by `angle` (rad, counterclockwise) about zero, then moved to `origin`.
pub fn placed<const N: usize>(points: [[f64; 2]; N], angle: f64, origin: [f64; 2]) -> [[f64; 2]; N] {
    let (sin, cos) = libm::sincos(angle);
    points.map(|[x, y]| [origin[0] + cos * x - sin * y, origin[1] + sin * x + cos * y])
}

/// Corners of a rectangle.
pub fn rectangle(left: f64, right: f64, bottom: f64, top: f64) -> [[f64; 2]; 4] {
    [[left, bottom], [left, top], [right, top], [right, bottom]]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pixel(frame: &Frame, x: usize, y_from_top: usize) -> &[u8] {
        let at = 3 * (y_from_top * frame.width() + x);
        &frame.pixels()[at..at + 3]
    }

    #[test]
    fn y_points_up_and_edges_are_blended() {
        let mut frame = Frame::new(4, 4, WHITE);
        frame.fill_polygon(&rectangle(0.0, 1.5, 0.0, 1.0), BLACK);
        assert_eq!(pixel(&frame, 0, 3), BLACK);
        assert_eq!(pixel(&frame, 0, 0), WHITE);
        assert_eq!(pixel(&frame, 2, 3), WHITE);
        let half = pixel(&frame, 1, 3)[0];
        assert!((60..200).contains(&half), "{half}");
    }

    #[test]
    fn what_lies_outside_is_cut_off() {
        let mut frame = Frame::new(3, 3, WHITE);
        frame.fill_circle([-100.0, 1.0], 5.0, BLACK);
        frame.line([-1e9, -1e9], [-1e8, -1e9], 3.0, BLACK);
        assert_eq!(frame, Frame::new(3, 3, WHITE));
        frame.fill_circle([1.5, 1.5], 100.0, BLACK);
        assert_eq!(frame, Frame::new(3, 3, BLACK));
    }

    #[test]
    fn a_quarter_turn_brings_right_to_up() {
        let [[x, y]] = placed([[1.0, 0.0]], std::f64::consts::FRAC_PI_2, [10.0, 20.0]);
        assert!((x - 10.0).abs() < 1e-12 && (y - 21.0).abs() < 1e-12);
    }
}
