//! Aggregates over seeds, and how sure we may be of them.
//!
//! A handful of seeds says little about an agent, and the mean over them is ruled by the luckiest
//! and the unluckiest. Everything the program reports over seeds is therefore an interquartile
//! mean with a 95 % percentile interval from the stratified bootstrap, as defined by
//! Agarwal et al. (2021), *Deep Reinforcement Learning at the Edge of the Statistical Precipice*,
//! <https://arxiv.org/abs/2108.13264>, and their library `rliable`.
//!
//! *Design.* Pure functions: numbers and a random stream in, numbers out. Percentiles interpolate
//! linearly as NumPy does, so that recorded draws replayed through `rliable` and through this
//! module give the same interval (`tests/data/rliable`).

use rand::{Rng, RngCore};
use serde::{Deserialize, Serialize};

/// Bootstrap replications for one number: `rliable`'s default in `get_interval_estimates`.
pub const SCORE_REPLICATIONS: usize = 50_000;

/// Bootstrap replications for a whole curve: `rliable`'s default for its performance profiles.
pub const CURVE_REPLICATIONS: usize = 2_000;

/// Probability mass of every interval we report.
pub const CONFIDENCE: f64 = 0.95;

/// An aggregate over seeds with the ends of its confidence interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The statistic of the scores themselves.
    pub value: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
}

/// How intervals are drawn: replications, and the probability mass between the ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bootstrap {
    /// Number of resamples, at least 1.
    pub replications: usize,
    /// Probability mass of the interval, in (0, 1).
    pub confidence: f64,
}

impl Bootstrap {
    /// Intervals of 95 % from [`SCORE_REPLICATIONS`] resamples.
    pub const SCORES: Self = Self { replications: SCORE_REPLICATIONS, confidence: CONFIDENCE };

    /// Intervals of 95 % from [`CURVE_REPLICATIONS`] resamples.
    pub const CURVES: Self = Self { replications: CURVE_REPLICATIONS, confidence: CONFIDENCE };
}

/// Scores of several runs on several tasks, shape (runs, tasks), row-major.
///
/// A task is an environment; a comparison on one environment is a matrix of one column.
#[derive(Clone, Debug, PartialEq)]
pub struct ScoreMatrix {
    n_runs: usize,
    n_tasks: usize,
    scores: Vec<f64>,
}

impl ScoreMatrix {
    /// Takes `scores` as (runs, `n_tasks`), row-major.
    ///
    /// # Panics
    /// When there is no score, or when the rows do not come out even.
    pub fn new(scores: Vec<f64>, n_tasks: usize) -> Self {
        assert!(n_tasks > 0 && !scores.is_empty(), "a score matrix needs a score");
        assert_eq!(scores.len() % n_tasks, 0, "every run needs a score on each of {n_tasks} tasks");
        Self { n_runs: scores.len() / n_tasks, n_tasks, scores }
    }

    /// One score a run, all on the same task.
    ///
    /// # Panics
    /// When there is no score.
    pub fn single_task(scores: Vec<f64>) -> Self {
        Self::new(scores, 1)
    }

    /// All scores, (runs, tasks) row-major.
    pub fn scores(&self) -> &[f64] {
        &self.scores
    }
}

/// Arithmetic mean; NaN when there are no values.
pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Middle value, or the mean of the two middle values; NaN when there are no values.
pub fn median(values: &[f64]) -> f64 {
    percentile(&sorted(values), 0.5)
}

/// Interquartile mean: the mean of what is left after dropping ⌊n/4⌋ values at either end.
///
/// With fewer than four values nothing is dropped. NaN when there are no values.
///
/// Source: `rliable.metrics.aggregate_iqm`, which is SciPy's `trim_mean` with a proportion to cut
/// of 0.25.
pub fn interquartile_mean(values: &[f64]) -> f64 {
    let sorted = sorted(values);
    let cut = sorted.len() / 4;
    mean(&sorted[cut..sorted.len() - cut])
}

/// Statistic of `scores` with its percentile bootstrap interval, stratified over tasks.
///
/// A resample draws, for every task on its own, as many runs as there are, with replacement.
/// `statistic` sees all (runs · tasks) scores of a resample at once.
///
/// Source: Agarwal et al. (2021), section 4.1; `rliable.library.get_interval_estimates`.
pub fn bootstrap_estimate(
    scores: &ScoreMatrix,
    statistic: impl Fn(&[f64]) -> f64,
    bootstrap: Bootstrap,
    rng: &mut dyn RngCore,
) -> Estimate {
    let n_runs = scores.n_runs;
    estimate_from_draws(scores, statistic, bootstrap, |runs| {
        runs.iter_mut().for_each(|run| *run = rng.random_range(0..n_runs));
    })
}

/// [`bootstrap_estimate`] with the drawn runs, shape (runs, tasks), written by `draw`.
fn estimate_from_draws(
    scores: &ScoreMatrix,
    statistic: impl Fn(&[f64]) -> f64,
    bootstrap: Bootstrap,
    mut draw: impl FnMut(&mut [usize]),
) -> Estimate {
    let mut runs = vec![0; scores.scores.len()];
    let mut resample = vec![0.0; scores.scores.len()];
    let statistics = (0..bootstrap.replications).map(|_| {
        draw(&mut runs);
        for (entry, (value, run)) in resample.iter_mut().zip(&runs).enumerate() {
            *value = scores.scores[run * scores.n_tasks + entry % scores.n_tasks];
        }
        statistic(&resample)
    });
    with_interval(statistics.collect(), bootstrap.confidence, statistic(&scores.scores))
}

/// Statistic of many curves, point by point, with a percentile bootstrap band.
///
/// `curves` has shape (runs, points). `None` marks a point that a run says nothing about; it is
/// left out of that point's statistic. The answer has one entry a point, `None` where no run has a
/// value. Whole runs are resampled, so that the points of one resample share their runs and the
/// band is as smooth as the curves. (`rliable` draws every point on its own; the interval of each
/// single point has the same distribution either way.)
///
/// # Panics
/// When the curves differ in length.
pub fn bootstrap_band(
    curves: &[Vec<Option<f64>>],
    statistic: impl Fn(&[f64]) -> f64,
    bootstrap: Bootstrap,
    rng: &mut dyn RngCore,
) -> Vec<Option<Estimate>> {
    let n_points = curves.first().map_or(0, Vec::len);
    for curve in curves {
        assert_eq!(curve.len(), n_points, "curves of one band need the same points");
    }
    let mut draw = || (0..curves.len()).map(|_| rng.random_range(0..curves.len())).collect();
    let resamples: Vec<Vec<usize>> = (0..bootstrap.replications).map(|_| draw()).collect();
    let everyone: Vec<usize> = (0..curves.len()).collect();

    let at_point = |point: usize| {
        let of_runs = |runs: &[usize]| {
            let values: Vec<f64> = runs.iter().filter_map(|&run| curves[run][point]).collect();
            (!values.is_empty()).then(|| statistic(&values))
        };
        let value = of_runs(&everyone)?;
        let statistics = resamples.iter().filter_map(|runs| of_runs(runs)).collect();
        Some(with_interval(statistics, bootstrap.confidence, value))
    };
    (0..n_points).map(at_point).collect()
}

/// `value` with the percentile interval of the resampled `statistics`.
fn with_interval(mut statistics: Vec<f64>, confidence: f64, value: f64) -> Estimate {
    statistics.sort_unstable_by(f64::total_cmp);
    let tail = (1.0 - confidence) / 2.0;
    Estimate { value, low: percentile(&statistics, tail), high: percentile(&statistics, 1.0 - tail) }
}

/// Quantile `fraction` in [0, 1] of ascending values, linear between neighbors.
///
/// Source: NumPy's `percentile`, method "linear", including which end it interpolates from.
fn percentile(ascending: &[f64], fraction: f64) -> f64 {
    let Some(last) = ascending.len().checked_sub(1) else { return f64::NAN };
    let position = fraction * last as f64;
    let below = (position as usize).min(last);
    let (a, b) = (ascending[below], ascending[(below + 1).min(last)]);
    let t = position - below as f64;
    if t == 0.0 {
        // Also where the neighbor is infinite, and the product would not be a number.
        return a;
    }
    if t < 0.5 { a + (b - a) * t } else { b - (b - a) * (1.0 - t) }
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    /// What the real rliable made of the same numbers; `make.py` beside it tells how.
    #[derive(Deserialize)]
    struct Rliable {
        matrices: Vec<Matrix>,
        bands: Vec<Band>,
    }

    #[derive(Deserialize)]
    struct Matrix {
        name: String,
        scores: Vec<Vec<f64>>,
        iqm: f64,
        mean: f64,
        replay: Replay,
        interval: [f64; 2],
        interval_std: [f64; 2],
    }

    #[derive(Deserialize)]
    struct Replay {
        runs: Vec<Vec<Vec<usize>>>,
        low: f64,
        high: f64,
    }

    #[derive(Deserialize)]
    struct Band {
        curves: Vec<Vec<f64>>,
        iqm: Vec<f64>,
        low: Vec<f64>,
        high: Vec<f64>,
        low_std: Vec<f64>,
        high_std: Vec<f64>,
    }

    fn rliable() -> Rliable {
        serde_json::from_str(include_str!("../../tests/data/rliable/values.json")).unwrap()
    }

    impl Matrix {
        fn score_matrix(&self) -> ScoreMatrix {
            ScoreMatrix::new(self.scores.concat(), self.scores[0].len())
        }
    }

    #[track_caller]
    fn assert_close(ours: f64, theirs: f64, tolerance: f64, what: &str) {
        assert!((ours - theirs).abs() <= tolerance, "{what}: {ours} for {theirs} ± {tolerance}");
    }

    /// Six standard deviations of the difference between one interval end of ours and the mean of
    /// twenty of rliable's, each with as many resamples as ours: chance alone exceeds it once in
    /// 5e8. The 1e-9 is for ends that never vary, where only rounding is left.
    fn monte_carlo_tolerance(std: f64) -> f64 {
        6.0 * std * (1.0f64 + 1.0 / 20.0).sqrt() + 1e-9
    }

    #[test]
    fn aggregates_equal_rliable() {
        for matrix in rliable().matrices {
            let scores = matrix.score_matrix();
            let relative = 1e-12 * matrix.iqm.abs().max(1.0);
            assert_close(interquartile_mean(scores.scores()), matrix.iqm, relative, &matrix.name);
            assert_close(mean(scores.scores()), matrix.mean, relative, &matrix.name);
        }
    }

    #[test]
    fn recorded_draws_give_rliables_interval() {
        for matrix in rliable().matrices {
            let mut draws = matrix.replay.runs.iter().map(|runs| runs.concat());
            let replayed = estimate_from_draws(
                &matrix.score_matrix(),
                interquartile_mean,
                Bootstrap { replications: matrix.replay.runs.len(), confidence: 0.95 },
                |runs| runs.copy_from_slice(&draws.next().unwrap()),
            );
            let tolerance = 1e-12 * matrix.iqm.abs().max(1.0);
            assert_close(replayed.low, matrix.replay.low, tolerance, &matrix.name);
            assert_close(replayed.high, matrix.replay.high, tolerance, &matrix.name);
        }
    }

    #[test]
    fn own_draws_give_rliables_interval_within_monte_carlo_error() {
        for matrix in rliable().matrices {
            let mut rng = ChaCha8Rng::seed_from_u64(0);
            let scores = matrix.score_matrix();
            let ours = bootstrap_estimate(&scores, interquartile_mean, Bootstrap::SCORES, &mut rng);
            let [low, high] = matrix.interval_std.map(monte_carlo_tolerance);
            assert_close(ours.low, matrix.interval[0], low, &matrix.name);
            assert_close(ours.high, matrix.interval[1], high, &matrix.name);
        }
    }

    #[test]
    fn band_equals_rliables_within_monte_carlo_error() {
        for band in rliable().bands {
            let curves: Vec<Vec<Option<f64>>> =
                band.curves.iter().map(|curve| curve.iter().copied().map(Some).collect()).collect();
            let mut rng = ChaCha8Rng::seed_from_u64(0);
            let ours = bootstrap_band(&curves, interquartile_mean, Bootstrap::CURVES, &mut rng);
            for (point, ours) in ours.into_iter().map(Option::unwrap).enumerate() {
                let what = format!("point {point}");
                assert_close(ours.value, band.iqm[point], 1e-10, &what);
                let low = monte_carlo_tolerance(band.low_std[point]);
                assert_close(ours.low, band.low[point], low, &what);
                let high = monte_carlo_tolerance(band.high_std[point]);
                assert_close(ours.high, band.high[point], high, &what);
            }
        }
    }

    #[test]
    fn interquartile_mean_drops_a_quarter_at_either_end() {
        assert_eq!(interquartile_mean(&[7.0, 1000.0, 1.0, 3.0, -1000.0]), 11.0 / 3.0);
        assert_eq!(interquartile_mean(&[1.0, 2.0, 6.0]), 3.0);
        assert_eq!(interquartile_mean(&[4.0]), 4.0);
        assert!(interquartile_mean(&[]).is_nan());
    }

    #[test]
    fn median_of_an_even_number_lies_between() {
        assert_eq!(median(&[4.0, 1.0, 3.0]), 3.0);
        assert_eq!(median(&[4.0, 1.0, 3.0, 2.0]), 2.5);
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn one_run_has_no_spread() {
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        let scores = ScoreMatrix::single_task(vec![42.0]);
        let estimate = bootstrap_estimate(&scores, mean, Bootstrap::SCORES, &mut rng);
        assert_eq!(estimate, Estimate { value: 42.0, low: 42.0, high: 42.0 });
    }

    #[test]
    fn missing_points_are_left_out() {
        let curves = [vec![Some(1.0), Some(2.0), None], vec![Some(3.0), None, None]];
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        let band = bootstrap_band(&curves, mean, Bootstrap::CURVES, &mut rng);
        assert_eq!(band[0], Some(Estimate { value: 2.0, low: 1.0, high: 3.0 }));
        assert_eq!(band[1], Some(Estimate { value: 2.0, low: 2.0, high: 2.0 }));
        assert_eq!(band[2], None);
    }
}
