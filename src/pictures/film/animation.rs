//! Films as an animated GIF.

use std::{collections::HashSet, ops::Range};

use egn_envs::Frame;
use gif::{DisposalMethod, Encoder, EncodingError, Repeat};

use crate::pictures::film::episode::{Film, FilmError};

/// How long the last picture of an episode is held (s).
const HOLD_SECONDS: f64 = 0.7;

/// NeuQuant's speed from 1 (best colors) to 30, for frames that have more than 256 colors however
/// coarse; others keep theirs.
const QUANTIZER_SPEED: i32 = 10;

/// Low bits of a color's channels that may be dropped to have 256 colors at most: NeuQuant would
/// take four times as long as drawing a shaded scene.
const DROPPED_BITS: u32 = 3;

/// An animated GIF of all films one after the other, which repeats for ever.
///
/// *Design.* Each frame holds only the rectangle that differs from the one before, with a palette
/// of its own: a tenth of the size, and the colors are exact.
///
/// # Errors
/// [`FilmError::Encoding`] when a frame is larger than a GIF can be (65,535 pixels a side).
pub fn gif(films: &[Film], frames_per_second: f64) -> Result<Vec<u8>, FilmError> {
    let Some(first) = films.first().and_then(|film| film.frames.first()) else {
        return Err(FilmError::Encoding("there are no frames".to_owned()));
    };
    let failed = |error: EncodingError| FilmError::Encoding(error.to_string());
    let mut bytes = Vec::new();
    {
        let (width, height) = (side(first.width())?, side(first.height())?);
        let mut encoder = Encoder::new(&mut bytes, width, height, &[]).map_err(failed)?;
        encoder.set_repeat(Repeat::Infinite).map_err(failed)?;
        let mut before: Option<&Frame> = None;
        for film in films {
            for (i, frame) in film.frames.iter().enumerate() {
                let is_last = i + 1 == film.frames.len();
                let seconds = if is_last { HOLD_SECONDS } else { 1.0 / frames_per_second };
                encoder.write_frame(&changed_part(before, frame, seconds)?).map_err(failed)?;
                before = Some(frame);
            }
        }
    }
    Ok(bytes)
}

/// What has to be drawn over `before` to have `frame`.
fn changed_part(before: Option<&Frame>, frame: &Frame, seconds: f64) -> Result<gif::Frame<'static>, FilmError> {
    let (columns, rows) = before.map_or((0..frame.width(), 0..frame.height()), |before| difference(before, frame));
    let row = |y: usize| 3 * (y * frame.width() + columns.start)..3 * (y * frame.width() + columns.end);
    let pixels: Vec<u8> = rows.clone().flat_map(|y| &frame.pixels()[row(y)]).copied().collect();
    let pixels = with_few_colors(pixels);
    let (width, height) = (side(columns.len())?, side(rows.len())?);
    Ok(gif::Frame {
        left: side(columns.start)?,
        top: side(rows.start)?,
        // A unit is 10 ms.
        delay: (100.0 * seconds).round() as u16,
        dispose: DisposalMethod::Keep,
        ..gif::Frame::from_rgb_speed(width, height, &pixels, QUANTIZER_SPEED)
    })
}

/// The pixels as they are where they have 256 colors at most, else as coarse as it takes.
fn with_few_colors(pixels: Vec<u8>) -> Vec<u8> {
    let coarse = |dropped: u32| -> Vec<u8> {
        let (mask, half) = (u8::MAX << dropped, (1_u8 << dropped) / 2);
        pixels.iter().map(|channel| channel & mask | half).collect()
    };
    let fits = |pixels: &[u8]| {
        let mut colors = HashSet::new();
        pixels.chunks_exact(3).all(|color| {
            colors.insert(color);
            colors.len() <= 256
        })
    };
    if fits(&pixels) {
        return pixels;
    }
    (1..=DROPPED_BITS).map(coarse).find(|coarse| fits(coarse)).unwrap_or(pixels)
}

/// Columns and rows of the smallest rectangle with all pixels that differ; one pixel if none does.
fn difference(before: &Frame, frame: &Frame) -> (Range<usize>, Range<usize>) {
    let (mut left, mut right, mut top, mut bottom) = (frame.width(), 0, frame.height(), 0);
    let pixels = before.pixels().chunks_exact(3).zip(frame.pixels().chunks_exact(3));
    for (k, _) in pixels.enumerate().filter(|(_, (old, new))| old != new) {
        let (x, y) = (k % frame.width(), k / frame.width());
        (left, right) = (left.min(x), right.max(x + 1));
        (top, bottom) = (top.min(y), bottom.max(y + 1));
    }
    if right == 0 { (0..1, 0..1) } else { (left..right, top..bottom) }
}

fn side(pixels: usize) -> Result<u16, FilmError> {
    u16::try_from(pixels).map_err(|_| FilmError::Encoding(format!("{pixels} pixels are too many for a GIF")))
}
