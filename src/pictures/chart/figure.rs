//! What a chart shows, and the files that it is written to.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use plotters::prelude::{IntoDrawingArea, SVGBackend};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use thiserror::Error;

use crate::{
    analysis::{
        cohort::Cohort,
        learning_curve::{Axis, LearningCurve},
    },
    pictures::{
        chart::{drawing, raster},
        png_image::encode,
    },
    record::{contents::Ended, reader::RecordError, writer::write_whole},
};

/// Seed of the bootstrap's draws; every curve has a stream of its own, whatever else is drawn.
const BOOTSTRAP_SEED: u64 = 0x6563_6861_7274;

/// Pixels of the PNG along one side of a unit of the SVG, for screens of high density.
const PNG_SCALE: u32 = 2;

/// Why there is no chart.
#[derive(Debug, Error)]
pub enum ChartError {
    /// No run has an evaluation yet.
    #[error("no evaluation in any record, so there is nothing to draw")]
    Empty,
    /// Returns of different environments do not share an axis.
    #[error("a chart shows one environment, and these are {first} and {second}")]
    SeveralEnvironments {
        /// An environment.
        first: String,
        /// Another.
        second: String,
    },
    /// The file could not be written.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The picture could not be drawn or encoded.
    #[error("cannot draw {}: {problem}", path.display())]
    Draw {
        /// The picture.
        path: PathBuf,
        /// What the drawing library said.
        problem: String,
    },
}

/// What a chart shows, ready to be drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct Chart {
    pub(super) title: String,
    pub(super) threshold: Option<f64>,
    pub(super) lines: Vec<Line>,
    pub(super) panels: Vec<Panel>,
}

/// A cohort's entry in the legend.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Line {
    pub(super) optimizer: String,
    pub(super) label: String,
    /// Optimizers differ in colour, agents and settings in dashes: which of them this is.
    pub(super) dash: usize,
}

/// A cohort in a legend that is written elsewhere.
#[derive(Clone, Debug, PartialEq)]
pub struct LegendEntry<'a> {
    /// What the cohort is called.
    pub label: &'a str,
    /// Colour of its lines, `#rrggbb`.
    pub color: String,
    /// Lengths that are drawn and left out in turn (pixels), none for a whole line.
    pub dashes: &'static [f64],
}

/// One pair of axes.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Panel {
    pub(super) x_label: &'static str,
    /// A curve for each of the chart's lines.
    pub(super) curves: Vec<LearningCurve>,
}

impl Chart {
    /// The chart of cohorts on one environment, with its reward `threshold` as a dashed line.
    ///
    /// Cohorts without any evaluation are left out.
    ///
    /// # Errors
    /// [`ChartError::Empty`] when none is left, [`ChartError::SeveralEnvironments`].
    pub fn of(cohorts: &[Cohort], threshold: Option<f64>) -> Result<Self, ChartError> {
        let evaluated = |cohort: &&Cohort| cohort.records.iter().any(|record| !record.curve.is_empty());
        let cohorts: Vec<&Cohort> = cohorts.iter().filter(evaluated).collect();
        let env = &cohorts.first().ok_or(ChartError::Empty)?.env;
        if let Some(other) = cohorts.iter().find(|cohort| cohort.env != *env) {
            return Err(ChartError::SeveralEnvironments { first: env.clone(), second: other.env.clone() });
        }
        let mut agents: Vec<&str> = cohorts.iter().map(|cohort| cohort.agent.as_str()).collect();
        agents.dedup();
        let names: Vec<String> = agents.iter().map(|agent| agent.to_uppercase()).collect();
        let kinds: BTreeSet<_> = cohorts.iter().map(|cohort| (&cohort.agent, &cohort.variant)).collect();
        let line = |cohort: &&Cohort| {
            let of_agent =
                if agents.len() > 1 { format!("{} · ", cohort.agent.to_uppercase()) } else { String::new() };
            let label = format!("{of_agent}{}, {}", cohort.optimizer_title(), seeds(cohort));
            let dash = kinds.iter().position(|kind| *kind == (&cohort.agent, &cohort.variant)).unwrap_or_default();
            Line { optimizer: cohort.optimizer.clone(), label, dash }
        };
        let panel = |(axis, x_label)| Panel {
            x_label,
            curves: cohorts.iter().filter_map(|cohort| LearningCurve::of(cohort, axis, &mut stream())).collect(),
        };
        Ok(Self {
            title: format!("{env} · {}", names.join(", ")),
            threshold,
            lines: cohorts.iter().map(line).collect(),
            panels: [(Axis::EnvSteps, "Environment steps"), (Axis::CpuSeconds, "CPU seconds of training")]
                .map(panel)
                .into(),
        })
    }

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

    /// What belongs into a legend, in the order of the cohorts.
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

/// How many seeds, and what became of them, where it is not the expected.
fn seeds(cohort: &Cohort) -> String {
    let n_seeds = cohort.records.len();
    let ended = |ended| cohort.records.iter().filter(|r| r.summary.as_ref().map(|s| s.ended) == ended).count();
    let n_unfinished = ended(None) + ended(Some(Ended::Stopped));
    let mut text = format!("{n_seeds} seed{}", if n_seeds == 1 { "" } else { "s" });
    for (n, what) in [(ended(Some(Ended::Failed)), "failed"), (n_unfinished, "unfinished")] {
        if n > 0 {
            text += &format!(", {n} {what}");
        }
    }
    text
}

fn stream() -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(BOOTSTRAP_SEED)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::{analysis::cohort::example, record::reader::example_summary};

    /// Seeds of an optimizer that learn at about `speed`, at `cost` CPU seconds a thousand steps.
    fn runs(optimizer: &str, speed: f64, cost: f64) -> Vec<crate::record::contents::Record> {
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
            crate::record::contents::Record { env: "Pendulum-v1".into(), ..example("egn", 0, &[(0, 0.0, 0.0)]) };
        let cohorts = Cohort::of(vec![other, example("egn", 0, &[(0, 0.0, 0.0)])]);
        assert!(matches!(Chart::of(&cohorts, None), Err(ChartError::SeveralEnvironments { .. })));
    }
}
