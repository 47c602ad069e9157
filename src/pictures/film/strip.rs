//! A film as one picture: some of its frames side by side.

use egn_envs::Frame;

use crate::pictures::{
    film::episode::{Film, FilmError},
    png_image::encode,
};

/// Frames of a strip.
const N_FRAMES: usize = 8;
/// Width of a frame at most (pixels); wider ones are scaled down by a whole number.
const MAX_WIDTH: usize = 240;
/// Width of a frame at least (pixels); narrower ones are scaled up by a whole number.
const MIN_WIDTH: usize = 100;
/// Pixels around every frame.
const MARGIN: usize = 6;
/// Color of the film between the frames: dark, for most frames are white.
const FILM: [u8; 3] = [38, 38, 44];

/// Frames from the first to the last, equally far apart in time, left to right, as a PNG.
///
/// # Errors
/// [`FilmError::Encoding`].
pub fn png_strip(film: &Film) -> Result<Vec<u8>, FilmError> {
    let last = film.frames.len() - 1;
    let n = N_FRAMES.min(film.frames.len());
    let chosen: Vec<Picture> = (0..n).map(|k| scaled(&film.frames[k * last / (n - 1).max(1)])).collect();
    let (width, height) = (chosen[0].width, chosen[0].height);
    let (strip_width, strip_height) = (n * (width + MARGIN) + MARGIN, height + 2 * MARGIN);
    let mut pixels = FILM.repeat(strip_width * strip_height);
    for (k, picture) in chosen.iter().enumerate() {
        for (y, row) in picture.pixels.chunks_exact(3 * width).enumerate() {
            let at = 3 * ((y + MARGIN) * strip_width + MARGIN + k * (width + MARGIN));
            pixels[at..at + row.len()].copy_from_slice(row);
        }
    }
    // At most 8 frames of 240 pixels: far from where u32 ends.
    encode((strip_width as u32, strip_height as u32), &pixels).map_err(|error| FilmError::Encoding(error.to_string()))
}

/// A frame at the size that it has in the strip.
struct Picture {
    width: usize,
    height: usize,
    pixels: Vec<u8>,
}

/// Each pixel is the mean of a square of the frame, or a square stands for each pixel of it.
fn scaled(frame: &Frame) -> Picture {
    let down = frame.width().div_ceil(MAX_WIDTH);
    let up = if down == 1 { MIN_WIDTH.div_ceil(frame.width()) } else { 1 };
    let (width, height) = (frame.width() * up / down, frame.height() * up / down);
    let mean = |x: usize, y: usize, channel: usize| {
        let square = (0..down).flat_map(|dy| (0..down).map(move |dx| (x * down / up + dx, y * down / up + dy)));
        let sum: usize = square.map(|(x, y)| usize::from(frame.pixels()[3 * (y * frame.width() + x) + channel])).sum();
        ((sum + down * down / 2) / (down * down)) as u8
    };
    let pixels = (0..height).flat_map(|y| (0..width).flat_map(move |x| (0..3).map(move |channel| (x, y, channel))));
    Picture { width, height, pixels: pixels.map(|(x, y, channel)| mean(x, y, channel)).collect() }
}
