//! Two optimizers side by side: what each seed's training reached when, as a chart.
//!
//! What the examples share; it is no part of the crate.

use std::{error::Error, fs, path::PathBuf};

use plotters::{
    coord::Shift,
    prelude::*,
    style::{FontStyle, register_font},
};

/// Where a training stood.
#[derive(Clone, Copy)]
pub struct Point {
    /// How far it was: steps or epochs.
    pub at: f64,
    /// CPU seconds spent on optimizer steps.
    pub cpu_seconds: f64,
    /// What it had reached.
    pub value: f64,
}

/// An optimizer and its trainings, one a seed.
pub struct Racer {
    pub name: String,
    pub seeds: Vec<Vec<Point>>,
}

/// What the axes show.
pub struct Axes {
    pub title: &'static str,
    pub at: &'static str,
    pub value: &'static str,
    /// Least and greatest value shown.
    pub range: [f64; 2],
}

/// CPU seconds that this process has used.
pub fn cpu_seconds() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a valid timespec, which the call fills.
    let failed = unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time) };
    assert_eq!(failed, 0, "a process has a clock");
    time.tv_sec as f64 + 1e-9 * time.tv_nsec as f64
}

/// Mean of `values`.
pub fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let n = values.len() as f64;
    values.sum::<f64>() / n
}

const COLORS: [RGBColor; 2] = [RGBColor(0xd5, 0x5e, 0x00), RGBColor(0x00, 0x72, 0xb2)];
const SIZE: (u32, u32) = (1000, 420);

/// Draws every seed of every racer against both clocks; the path of the SVG.
pub fn draw(name: &str, axes: &Axes, racers: &[Racer]) -> Result<PathBuf, Box<dyn Error>> {
    let font = include_bytes!("../../../src/fonts/Inter-Regular.ttf");
    register_font("sans-serif", FontStyle::Normal, font).map_err(|_| "the font cannot be read")?;
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/charts");
    fs::create_dir_all(&folder)?;
    let folder = folder.canonicalize()?;
    let svg = folder.join(format!("{name}.svg"));
    panels(SVGBackend::new(&svg, SIZE).into_drawing_area(), axes, racers)?;
    Ok(svg)
}

fn panels<B: DrawingBackend>(area: DrawingArea<B, Shift>, axes: &Axes, racers: &[Racer]) -> Result<(), Box<dyn Error>>
where
    B::ErrorType: 'static,
{
    area.fill(&WHITE)?;
    let area = area.titled(axes.title, ("sans-serif", 18))?;
    let (left, right) = area.split_horizontally(SIZE.0 / 2);
    panel(&left, axes, axes.at, racers, |point| point.at)?;
    panel(&right, axes, "CPU seconds of training", racers, |point| point.cpu_seconds)?;
    area.present()?;
    Ok(())
}

fn panel<B: DrawingBackend>(
    area: &DrawingArea<B, Shift>,
    axes: &Axes,
    x_label: &str,
    racers: &[Racer],
    x: impl Fn(&Point) -> f64,
) -> Result<(), Box<dyn Error>>
where
    B::ErrorType: 'static,
{
    let points = racers.iter().flat_map(|racer| racer.seeds.iter().flatten());
    let end = points.map(&x).fold(0.0, f64::max);
    let [low, high] = axes.range;
    let mut chart = ChartBuilder::on(area)
        .margin(12)
        .x_label_area_size(36)
        .y_label_area_size(56)
        .build_cartesian_2d(0.0..end, low..high)?;
    chart.configure_mesh().x_desc(x_label).y_desc(axes.value).light_line_style(WHITE).draw()?;
    for (racer, color) in racers.iter().zip(COLORS) {
        for (i, seed) in racer.seeds.iter().enumerate() {
            let line = seed.iter().map(|point| (x(point), point.value.clamp(low, high)));
            let drawn = chart.draw_series(LineSeries::new(line, color.stroke_width(2)))?;
            if i == 0 {
                let label = format!("{}, {} seeds", racer.name, racer.seeds.len());
                drawn.label(label).legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], color.stroke_width(3)));
            }
        }
    }
    chart
        .configure_series_labels()
        .background_style(WHITE)
        .border_style(BLACK.mix(0.3))
        .position(SeriesLabelPosition::MiddleRight)
        .draw()?;
    Ok(())
}
