//! A chart as files and as pieces of a page.

use std::path::{Path, PathBuf};

use egn_train::record::writer::write_whole;
use plotters::prelude::{IntoDrawingArea, SVGBackend};

use crate::pictures::{
    chart::{
        drawing,
        figure::{Chart, ChartError},
        raster,
    },
    png_image::encode,
};

/// Pixels of the PNG along one side of a unit of the SVG, for screens of high density.
const PNG_SCALE: u32 = 2;

/// A cohort in a legend that is written elsewhere.
#[derive(Clone, Debug, PartialEq)]
pub struct LegendEntry<'a> {
    /// What the cohort is called.
    pub label: &'a str,
    /// Color of the cohort's lines, `#rrggbb`.
    pub color: String,
    /// Lengths that are drawn and left out in turn (pixels), none for a whole line.
    pub dashes: &'static [f64],
}

impl Chart {
    /// Writes `<stem>.svg` and `<stem>.png`, each whole or not at all, and says where.
    ///
    /// # Errors
    /// [`ChartError::Record`] when a file cannot be written, [`ChartError::Draw`].
    pub fn write(&self, stem: &Path) -> Result<[PathBuf; 2], ChartError> {
        let name = stem.file_name().unwrap_or_default().to_string_lossy();
        // Not `with_extension`, which would take the end of "Foo-v1.2" for one.
        let [svg, png] = ["svg", "png"].map(|ending| stem.with_file_name(format!("{name}.{ending}")));
        let failed = |path: &Path, problem| ChartError::Draw { path: path.to_path_buf(), problem };
        let text = self.svg().map_err(|problem| failed(&svg, problem))?;
        write_whole(&svg, text.as_bytes())?;
        let bytes = self.png().map_err(|problem| failed(&png, problem))?;
        write_whole(&png, &bytes)?;
        Ok([svg, png])
    }

    /// The panels as SVGs of their own, for a page that has title and legend in its text.
    ///
    /// # Errors
    /// What the drawing library says.
    pub fn panel_svgs(&self) -> Result<Vec<String>, String> {
        let svg = |panel| {
            let mut text = String::new();
            let root = SVGBackend::with_string(&mut text, drawing::PANEL_SIZE).into_drawing_area();
            drawing::draw_alone(self, panel, &root).map_err(|error| error.to_string())?;
            drop(root);
            Ok(text)
        };
        self.panels.iter().map(svg).collect()
    }

    /// The entries of a legend, in the order of the cohorts.
    pub fn legend(&self) -> impl Iterator<Item = LegendEntry<'_>> {
        self.lines.iter().map(|line| LegendEntry {
            label: &line.label,
            color: drawing::color_name(&line.optimizer),
            dashes: drawing::dash_pattern(line.dash),
        })
    }

    /// The chart as the text of an SVG.
    fn svg(&self) -> Result<String, String> {
        let mut text = String::new();
        let backend = SVGBackend::with_string(&mut text, drawing::SIZE);
        let root = backend.into_drawing_area();
        drawing::draw(self, &root, 1).map_err(|error| error.to_string())?;
        drop(root);
        Ok(text)
    }

    /// The chart as the bytes of a PNG.
    fn png(&self) -> Result<Vec<u8>, String> {
        let size = (drawing::SIZE.0 * PNG_SCALE, drawing::SIZE.1 * PNG_SCALE);
        let pixels = raster::pixels(size, |root| drawing::draw(self, root, PNG_SCALE * raster::OVERSAMPLING))?;
        encode(size, &pixels).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::analysis::cohort::{Cohort, example};
    use egn_train::testing::example_summary;

    /// Seeds of an optimizer that learn at about `speed`, at `cost` CPU seconds a thousand steps.
    fn runs(optimizer: &str, speed: f64, cost: f64) -> Vec<egn_train::record::contents::Record> {
        let run = |seed: u64| {
            let point = |k: u64| {
                let late = k as f64 - speed * (1.0 + 0.15 * seed as f64);
                let wiggle = 15.0 * libm::sin((7 * k + 3 * seed) as f64);
                let mean = (500.0 / (1.0 + libm::exp(-late / 3.0)) + wiggle).clamp(9.0, 500.0);
                (1000 * k, cost * k as f64 * (1.0 + 0.03 * seed as f64), mean)
            };
            let mut record = example(optimizer, seed, &(0..=50).map(point).collect::<Vec<_>>());
            record.summary = Some(example_summary(1.0));
            record
        };
        (0..5).map(run).collect()
    }

    fn example_chart() -> Chart {
        let records = [runs("egn", 8.0, 0.25), runs("adam", 22.0, 0.15)].concat();
        Chart::of(&Cohort::of(records), Some(475.0)).unwrap()
    }

    #[test]
    fn both_pictures_are_written_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let [svg, png] = example_chart().write(&dir.path().join("CartPole-v1.5")).unwrap();
        let text = fs::read_to_string(&svg).unwrap();
        for said in ["Adam (baseline), 5 seeds", "EGN, 5 seeds", "threshold", "475", "Environment steps", "10k"] {
            assert!(text.contains(said), "{said} is not in the chart");
        }
        let bytes = fs::read(&png).unwrap();
        assert_eq!(&bytes[1..4], b"PNG");
        let side = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
        assert_eq!((side(16), side(20)), (2400, 960));
        assert_eq!(
            (svg.file_name().unwrap(), png.file_name().unwrap()),
            ("CartPole-v1.5.svg".as_ref(), "CartPole-v1.5.png".as_ref())
        );
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_curve_does_not_depend_on_its_company() {
        let alone = Chart::of(&Cohort::of(runs("egn", 8.0, 0.25)), None).unwrap();
        assert_eq!(alone.panels[1].curves[0], example_chart().panels[1].curves[0]);
    }

    #[test]
    fn one_evaluation_or_none_is_drawable_or_said() {
        let single = Chart::of(&Cohort::of(vec![example("egn", 0, &[(0, 0.0, 9.0)])]), None).unwrap();
        assert_eq!(single.lines[0].label, "EGN, 1 seed, 1 unfinished");
        assert!(single.svg().is_ok());
        let nothing = Chart::of(&Cohort::of(vec![example("egn", 0, &[])]), None);
        assert!(matches!(nothing, Err(ChartError::Empty)));
    }

    #[test]
    fn environments_do_not_share_a_chart() {
        let other =
            egn_train::record::contents::Record { env: "Pendulum-v1".into(), ..example("egn", 0, &[(0, 0.0, 0.0)]) };
        let cohorts = Cohort::of(vec![other, example("egn", 0, &[(0, 0.0, 0.0)])]);
        assert!(matches!(Chart::of(&cohorts, None), Err(ChartError::SeveralEnvironments { .. })));
    }
}
