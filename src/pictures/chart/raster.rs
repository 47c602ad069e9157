//! A picture of pixels, drawn large and averaged down.
//!
//! *Design.* plotters' bitmap backend smooths no thick line, and its text engine ignores side
//! bearings and lays glyphs higher than its SVG backend does. So this backend lets plotters draw
//! every shape [`OVERSAMPLING`] times too large, sets text itself from the metrics of the embedded
//! font with the anchors of the SVG backend, and averages blocks of pixels at the end.

use ab_glyph::{Font, FontRef, PxScale, ScaleFont, point};
use plotters::{
    coord::Shift,
    drawing::DrawingAreaErrorKind,
    prelude::{BitMapBackend, DrawingArea, DrawingBackend, IntoDrawingArea},
};
use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingErrorKind,
    text_anchor::{HPos, VPos},
};

use crate::pictures::chart::drawing::{EM, FONT};

/// Drawn pixels along one side of a pixel of the picture.
pub(super) const OVERSAMPLING: u32 = 3;

/// Bytes of an RGB pixel.
const CHANNELS: usize = 3;

type PixelError = <BitMapBackend<'static> as DrawingBackend>::ErrorType;
type Drawn<T = ()> = Result<T, DrawingErrorKind<PixelError>>;

/// RGB pixels, row-major, of a picture of `size` that `draw` draws [`OVERSAMPLING`] times as large.
pub(super) fn pixels(
    size: (u32, u32),
    draw: impl FnOnce(&DrawingArea<Raster<'_>, Shift>) -> Result<(), DrawingAreaErrorKind<PixelError>>,
) -> Result<Vec<u8>, String> {
    let font = FontRef::try_from_slice(FONT).map_err(|error| error.to_string())?;
    let large = (size.0 * OVERSAMPLING, size.1 * OVERSAMPLING);
    let mut samples = vec![0; large.0 as usize * large.1 as usize * CHANNELS];
    let shapes = BitMapBackend::with_buffer(&mut samples, large);
    let root = Raster { shapes, font }.into_drawing_area();
    draw(&root).map_err(|error| error.to_string())?;
    drop(root);
    Ok(averaged(&samples, size))
}

/// Mean of every block of [`OVERSAMPLING`]² samples; `size` is that of the result.
fn averaged(samples: &[u8], size: (u32, u32)) -> Vec<u8> {
    let (width, height, n) = (size.0 as usize, size.1 as usize, OVERSAMPLING as usize);
    let stride = width * n * CHANNELS;
    let mut pixels = Vec::with_capacity(width * height * CHANNELS);
    for y in 0..height {
        for x in 0..width {
            for channel in 0..CHANNELS {
                let corner = y * n * stride + x * n * CHANNELS + channel;
                let sum: usize =
                    (0..n * n).map(|i| usize::from(samples[corner + i / n * stride + i % n * CHANNELS])).sum();
                pixels.push(((sum + n * n / 2) / (n * n)) as u8);
            }
        }
    }
    pixels
}

/// plotters' bitmap backend with text of our own.
pub(super) struct Raster<'a> {
    shapes: BitMapBackend<'a>,
    font: FontRef<'static>,
}

impl DrawingBackend for Raster<'_> {
    type ErrorType = PixelError;

    fn get_size(&self) -> (u32, u32) {
        self.shapes.get_size()
    }

    fn ensure_prepared(&mut self) -> Drawn {
        self.shapes.ensure_prepared()
    }

    fn present(&mut self) -> Drawn {
        self.shapes.present()
    }

    fn draw_pixel(&mut self, point: BackendCoord, color: BackendColor) -> Drawn {
        self.shapes.draw_pixel(point, color)
    }

    fn draw_line<S: BackendStyle>(&mut self, from: BackendCoord, to: BackendCoord, style: &S) -> Drawn {
        self.shapes.draw_line(from, to, style)
    }

    fn draw_rect<S: BackendStyle>(&mut self, from: BackendCoord, to: BackendCoord, style: &S, fill: bool) -> Drawn {
        self.shapes.draw_rect(from, to, style, fill)
    }

    /// Sets `text` as an SVG viewer does: `dy` of 0.76 em, ½ ex or −½ ex from its anchor.
    fn draw_text<S: BackendTextStyle>(&mut self, text: &str, style: &S, pos: BackendCoord) -> Drawn {
        let em = (style.size() / EM) as f32;
        let units = self.font.units_per_em().unwrap_or(1000.0);
        let font = self.font.clone().into_scaled(PxScale::from(em * self.font.height_unscaled() / units));
        let width: f32 = text.chars().map(|c| font.h_advance(font.glyph_id(c))).sum();
        let x_height = font.outline_glyph(font.scaled_glyph('x')).map_or(0.5 * em, |x| -x.px_bounds().min.y);
        let mut pen = match style.anchor().h_pos {
            HPos::Left => 0.0,
            HPos::Center => -0.5 * width,
            HPos::Right => -width,
        };
        let baseline = match style.anchor().v_pos {
            VPos::Top => 0.76 * em,
            VPos::Center => 0.5 * x_height,
            VPos::Bottom => -0.5 * x_height,
        };
        let color = style.color();
        for c in text.chars() {
            let mut glyph = font.scaled_glyph(c);
            pen += font.h_advance(glyph.id);
            glyph.position = point(pen - font.h_advance(glyph.id), baseline);
            let Some(outline) = font.outline_glyph(glyph) else { continue };
            let corner = outline.px_bounds().min;
            let mut covered = Vec::new();
            outline.draw(|x, y, coverage| covered.push((x, y, coverage)));
            for (x, y, coverage) in covered {
                let (x, y) = style.transform().transform(corner.x as i32 + x as i32, corner.y as i32 + y as i32);
                let alpha = color.alpha * f64::from(coverage.min(1.0));
                self.draw_pixel((pos.0 + x, pos.1 + y), BackendColor { alpha, ..color })?;
            }
        }
        Ok(())
    }
}
