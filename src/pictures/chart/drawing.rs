//! How a chart looks: the same drawing for every plotters backend.

use std::sync::OnceLock;

use egn_solver::OptimizerName;
use plotters::{
    coord::{Shift, types::RangedCoordf64},
    drawing::DrawingAreaErrorKind,
    prelude::*,
    style::{
        FontStyle, register_font,
        text_anchor::{HPos, Pos, VPos},
    },
};

use crate::{
    analysis::learning_curve::LearningCurve,
    digits::decimals,
    pictures::chart::figure::{Chart, Line, Panel},
};

/// Width and height of the drawing at scale 1.
pub(super) const SIZE: (u32, u32) = (1200, 480);

/// Width and height of a panel on its own.
pub(super) const PANEL_SIZE: (u32, u32) = (450, 300);

/// Inter, SIL Open Font License (`src/fonts/OFL.txt`), cut down to Latin, Greek and signs.
pub(super) const FONT: &[u8] = include_bytes!("../../fonts/Inter-Regular.ttf");

/// plotters' font sizes in units of the em that they come out as.
pub(super) const EM: f64 = 1.24;

/// What SVG viewers are asked for, and the name the embedded font is registered under.
const FONT_FAMILY: &str = "Inter, Helvetica, Arial, sans-serif";

const INK: RGBColor = RGBColor(0x1f, 0x23, 0x28);
const GRAY: RGBColor = RGBColor(0x65, 0x6d, 0x76);
const AXIS: RGBColor = RGBColor(0xa8, 0xae, 0xb5);
const GRID: RGBColor = RGBColor(0xe9, 0xec, 0xef);

/// Okabe and Ito (2008), *Color Universal Design*: eight colors told apart by color-blind eyes,
/// less the yellow that vanishes on white. An optimizer has the same color in every chart.
fn color(optimizer: &str) -> RGBColor {
    match optimizer.parse() {
        Ok(OptimizerName::Egn) => RGBColor(0x00, 0x72, 0xb2),
        Ok(OptimizerName::Adam) => RGBColor(0xe6, 0x8a, 0x00),
        Ok(OptimizerName::Sgd) => RGBColor(0x00, 0x9e, 0x73),
        _ => {
            let others = [
                RGBColor(0xcc, 0x79, 0xa7),
                RGBColor(0xd5, 0x5e, 0x00),
                RGBColor(0x56, 0xb4, 0xe9),
                RGBColor(0x44, 0x44, 0x44),
            ];
            others[optimizer.bytes().map(usize::from).sum::<usize>() % others.len()]
        }
    }
}

/// The color of an optimizer as `#rrggbb`.
pub(super) fn color_name(optimizer: &str) -> String {
    let RGBColor(red, green, blue) = color(optimizer);
    format!("#{red:02x}{green:02x}{blue:02x}")
}

type Drawn<DB> = Result<(), DrawingAreaErrorKind<<DB as DrawingBackend>::ErrorType>>;
type Axes<'a, 'b, DB> = ChartContext<'a, DB, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

/// Draws `chart` on an area of [`SIZE`] times `scale`.
pub(super) fn draw<DB: DrawingBackend>(chart: &Chart, root: &DrawingArea<DB, Shift>, scale: u32) -> Drawn<DB> {
    // Once for all threads; it cannot fail on a font that is compiled in, and a test says so.
    static REGISTERED: OnceLock<bool> = OnceLock::new();
    REGISTERED.get_or_init(|| register_font(FONT_FAMILY, FontStyle::Normal, FONT).is_ok());

    let px = |length: i32| length * scale as i32;
    root.fill(&WHITE)?;
    root.draw(&Text::new(chart.title.clone(), (px(MARGIN), px(20)), text(19, scale, INK)))?;
    let subtitle = "Greedy evaluation · interquartile mean over seeds, band: 95 % bootstrap interval";
    root.draw(&Text::new(subtitle, (px(MARGIN), px(48)), text(13, scale, GRAY)))?;
    let legend_bottom = draw_legend(&chart.lines, root, scale)?;

    let (_, plots) = root.split_vertically(legend_bottom + px(6));
    let y_range = y_range(chart);
    let panels = plots.split_evenly((1, chart.panels.len()));
    for (number, (panel, area)) in chart.panels.iter().zip(&panels).enumerate() {
        draw_panel(chart, panel, number == 0, y_range.clone(), area, scale)?;
    }
    root.present()
}

/// Draws one panel of `chart` on an area of [`PANEL_SIZE`].
pub(super) fn draw_alone<DB: DrawingBackend>(chart: &Chart, panel: &Panel, root: &DrawingArea<DB, Shift>) -> Drawn<DB> {
    root.fill(&WHITE)?;
    draw_panel(chart, panel, true, y_range(chart), root, 1)?;
    root.present()
}

const MARGIN: i32 = 26;
const LEGEND_TOP: i32 = 76;
const LEGEND_ROW: i32 = 22;

/// Draws the entries in rows below the subtitle; the bottom of the last row, in pixels.
fn draw_legend<DB: DrawingBackend>(
    lines: &[Line],
    root: &DrawingArea<DB, Shift>,
    scale: u32,
) -> Result<i32, DrawingAreaErrorKind<DB::ErrorType>> {
    let px = |length: i32| length * scale as i32;
    let style = text(13, scale, INK).pos(Pos::new(HPos::Left, VPos::Center));
    let (mut x, mut y) = (px(MARGIN), px(LEGEND_TOP) + px(LEGEND_ROW) / 2);
    for line in lines {
        let width = px(38) + root.estimate_text_size(&line.label, &style)?.0 as i32;
        if x > px(MARGIN) && x + width > px(SIZE.0 as i32 - MARGIN) {
            (x, y) = (px(MARGIN), y + px(LEGEND_ROW));
        }
        let color = color(&line.optimizer);
        root.draw(&Rectangle::new([(x, y - px(6)), (x + px(28), y + px(6))], color.mix(BAND).filled()))?;
        for dash in dashes(line.dash, vec![(x, y), (x + px(28), y)], scale) {
            root.draw(&PathElement::new(dash, stroke(color, 2, scale)))?;
        }
        root.draw(&Text::new(line.label.clone(), (x + px(38), y), style.clone()))?;
        x += width + px(30);
    }
    Ok(y + px(LEGEND_ROW) / 2)
}

/// Opacity of a confidence band.
const BAND: f64 = 0.18;

fn draw_panel<DB: DrawingBackend>(
    chart: &Chart,
    panel: &Panel,
    is_first: bool,
    y_range: std::ops::Range<f64>,
    area: &DrawingArea<DB, Shift>,
    scale: u32,
) -> Drawn<DB> {
    let px = |length: i32| length * scale as i32;
    let last = panel.curves.iter().filter_map(|curve| curve.x.last()).copied().fold(0.0, f64::max);
    // A chart of a single moment still needs a width.
    let x_range = 0.0..if last > 0.0 { last } else { 1.0 };
    let mut axes = ChartBuilder::on(area)
        .margin_left(px(if is_first { MARGIN } else { 4 }))
        // What a threshold is called stands there.
        .margin_right(px(if chart.threshold.is_some() { 74 } else { 24 }))
        .margin_top(px(8))
        .margin_bottom(px(14))
        .set_label_area_size(LabelAreaPosition::Left, px(if is_first { 62 } else { 44 }))
        .set_label_area_size(LabelAreaPosition::Bottom, px(46))
        .build_cartesian_2d(x_range.clone(), y_range)?;
    axes.configure_mesh()
        .x_labels(7)
        .y_labels(7)
        .x_label_formatter(&|x| tick_label(*x, 1e3))
        .y_label_formatter(&|y| tick_label(*y, 1e5))
        .bold_line_style(stroke(GRID, 1, scale))
        .light_line_style(TRANSPARENT)
        .axis_style(stroke(AXIS, 1, scale))
        .set_all_tick_mark_size(px(4))
        .label_style(text(12, scale, GRAY))
        .axis_desc_style(text(13, scale, INK))
        .x_desc(panel.x_label)
        .y_desc(if is_first { "Return" } else { "" })
        .draw()?;
    if let Some(threshold) = chart.threshold {
        draw_threshold(threshold, x_range.end, &mut axes, scale)?;
    }
    let drawn = || chart.lines.iter().zip(&panel.curves).rev();
    for (line, curve) in drawn() {
        axes.draw_series([Polygon::new(outline(curve), color(&line.optimizer).mix(BAND))])?;
    }
    for (line, curve) in drawn() {
        draw_line(line, curve, &mut axes, scale)?;
    }
    Ok(())
}

/// The band of a curve: along its upper edge and back along the lower one.
fn outline(curve: &LearningCurve) -> Vec<(f64, f64)> {
    let edge = |end: fn(&crate::analysis::statistics::Estimate) -> f64| {
        curve.x.iter().copied().zip(curve.returns.iter().map(end)).collect::<Vec<_>>()
    };
    let mut points = edge(|estimate| estimate.high);
    points.extend(edge(|estimate| estimate.low).into_iter().rev());
    points
}

fn draw_line<DB: DrawingBackend>(
    line: &Line,
    curve: &LearningCurve,
    axes: &mut Axes<'_, '_, DB>,
    scale: u32,
) -> Drawn<DB> {
    let points = curve.x.iter().copied().zip(curve.returns.iter().map(|estimate| estimate.value));
    let pixels: Vec<(i32, i32)> = points.map(|point| axes.as_coord_spec().translate(&point)).collect();
    let area = axes.plotting_area().strip_coord_spec();
    let (left, top) = area.get_base_pixel();
    let local = |path: Vec<(i32, i32)>| path.into_iter().map(|(x, y)| (x - left, y - top)).collect::<Vec<_>>();
    if let [alone] = pixels[..] {
        let dot = Circle::new(local(vec![alone])[0], 3 * scale as i32, color(&line.optimizer).filled());
        return area.draw(&dot);
    }
    for dash in dashes(line.dash, pixels, scale) {
        area.draw(&PathElement::new(local(dash), stroke(color(&line.optimizer), 2, scale)))?;
    }
    Ok(())
}

/// A dashed line with its value written outside the axes, where no curve can run through it.
fn draw_threshold<DB: DrawingBackend>(threshold: f64, end: f64, axes: &mut Axes<'_, '_, DB>, scale: u32) -> Drawn<DB> {
    let ends = [(0.0, threshold), (end, threshold)];
    let dash = (5 * scale, 4 * scale);
    axes.draw_series(DashedLineSeries::new(ends, dash.0, dash.1, stroke(GRAY, 1, scale)))?;
    let beside = |line: i32| (7 * scale as i32, line * scale as i32);
    let style = text(11, scale, GRAY).pos(Pos::new(HPos::Left, VPos::Center));
    for (label, offset) in [("threshold".to_owned(), -7), (tick_label(threshold, 1e5), 7)] {
        axes.draw_series([EmptyElement::at((end, threshold)) + Text::new(label, beside(offset), style.clone())])?;
    }
    Ok(())
}

/// Lowest to highest return in the chart with some air, from zero where that is near.
fn y_range(chart: &Chart) -> std::ops::Range<f64> {
    let estimates = chart.panels.iter().flat_map(|panel| &panel.curves).flat_map(|curve| &curve.returns);
    let ends = estimates.flat_map(|estimate| [estimate.low, estimate.high]).chain(chart.threshold);
    let (low, high) = ends.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), y| (low.min(y), high.max(y)));
    let low = if low >= 0.0 && low < 0.3 * high { 0.0 } else { low };
    let span = if high > low { high - low } else { 10.0 * high.abs().max(1.0) };
    (if low == 0.0 { 0.0 } else { low - 0.05 * span })..high + 0.05 * span
}

/// A number as short as it can be said: 0.5, 475, 10k, 1.5M. `thousands` is where k begins.
fn tick_label(value: f64, thousands: f64) -> String {
    let (scaled, unit) = match value.abs() {
        size if size >= 1e6 => (value / 1e6, "M"),
        size if size >= thousands => (value / 1e3, "k"),
        _ => (value, ""),
    };
    let digits = format!("{scaled:.*}", decimals(&[scaled]).max(3));
    let digits = digits.trim_end_matches('0').trim_end_matches('.');
    let sign = if digits.starts_with('-') && digits != "-0" { "\u{2212}" } else { "" };
    format!("{sign}{}{unit}", digits.trim_start_matches('-'))
}

/// Lengths that are drawn and left out in turn (pixels): nothing for a whole line. Kinds repeat
/// after the last.
pub fn dash_pattern(kind: usize) -> &'static [f64] {
    const PATTERNS: [&[f64]; 7] = [
        &[],
        &[9.0, 4.0],
        &[3.0, 3.0],
        &[10.0, 3.0, 2.0, 3.0],
        &[18.0, 4.0],
        &[10.0, 3.0, 2.0, 3.0, 2.0, 3.0],
        &[2.0, 7.0],
    ];
    PATTERNS[kind % PATTERNS.len()]
}

/// Whether something is drawn at `position` along a dashed line.
fn is_drawn(pattern: &[f64], position: f64) -> bool {
    let mut left = position % pattern.iter().sum::<f64>();
    let end = pattern.iter().position(|length| {
        left -= length;
        left < 0.0
    });
    end.is_none_or(|part| part % 2 == 0)
}

/// `path` in the pieces that are drawn of it.
fn dashes(kind: usize, path: Vec<(i32, i32)>, scale: u32) -> Vec<Vec<(i32, i32)>> {
    let pattern = dash_pattern(kind);
    if pattern.is_empty() {
        return vec![path];
    }
    let mut pieces: Vec<Vec<(i32, i32)>> = Vec::new();
    let (mut walked, mut was_on) = (0.0, false);
    for pair in path.windows(2) {
        let [(x0, y0), (x1, y1)] = [pair[0], pair[1]].map(|(x, y)| (f64::from(x), f64::from(y)));
        let length = libm::hypot(x1 - x0, y1 - y0);
        let steps = length.ceil().max(1.0);
        for step in 0..=steps as i32 {
            let t = f64::from(step) / steps;
            let is_on = is_drawn(pattern, (walked + t * length) / f64::from(scale));
            let point = ((x0 + t * (x1 - x0)).round() as i32, (y0 + t * (y1 - y0)).round() as i32);
            match pieces.last_mut() {
                Some(piece) if is_on && was_on => piece.push(point),
                _ if is_on => pieces.push(vec![point]),
                _ => {}
            }
            was_on = is_on;
        }
        walked += length;
    }
    pieces.retain(|piece| piece.len() > 1);
    pieces
}

fn stroke(color: RGBColor, width: u32, scale: u32) -> ShapeStyle {
    color.stroke_width(width * scale)
}

fn text(em_pixels: u32, scale: u32, color: RGBColor) -> TextStyle<'static> {
    let size = f64::from(em_pixels * scale) * EM;
    TextStyle { color: color.to_backend_color(), ..TextStyle::from((FONT_FAMILY, size).into_font()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tick_labels_are_short() {
        let said = [0.0, -0.0, 0.25, 475.0, 10_000.0, 12_500.0, 2e6, -1500.0].map(|x| tick_label(x, 1e3));
        assert_eq!(said, ["0", "0", "0.25", "475", "10k", "12.5k", "2M", "\u{2212}1.5k"]);
        assert_eq!(tick_label(-1500.0, 1e5), "\u{2212}1500");
    }

    #[test]
    fn embedded_font_is_a_font() {
        assert!(register_font("test", FontStyle::Normal, FONT).is_ok());
    }

    #[test]
    fn dashes_cover_their_share_of_a_line() {
        let pieces = dashes(1, vec![(0, 0), (1300, 0)], 1);
        assert_eq!(pieces.len(), 100);
        let drawn: usize = pieces.iter().map(Vec::len).sum();
        assert!((890..=910).contains(&drawn), "nine of thirteen pixels, give or take an end: {drawn}");
        for kind in 1..7 {
            let pattern = dash_pattern(kind);
            assert!((1..kind).all(|other| dash_pattern(other) != pattern));
            let share = pattern.iter().step_by(2).sum::<f64>() / pattern.iter().sum::<f64>();
            let drawn = (0..10_000).filter(|&i| is_drawn(pattern, f64::from(i) / 10.0)).count();
            assert!((drawn as f64 / 10_000.0 - share).abs() < 0.02, "kind {kind}: {drawn} of 10000, not {share}");
        }
        assert_eq!(dashes(0, vec![(0, 0), (5, 5)], 1), [[(0, 0), (5, 5)]]);
    }
}
