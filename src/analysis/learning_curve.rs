//! One curve for a whole cohort: return against environment steps or against CPU seconds.
//!
//! *Design.* Seeds are evaluated at different moments, so each is interpolated linearly between
//! its evaluations onto the moments of all of them. The curve starts where every seed has been
//! evaluated. A run that is over, finished or failed, keeps its last return from there on: it is
//! what one would have after that many seconds, and it keeps a run that broke from quietly leaving
//! the average. A run that was stopped or killed is merely unfinished, so it counts as far as it
//! got and no further.

use egn_train::record::contents::{CurvePoint, Record};
use rand::RngCore;

use crate::analysis::{
    cohort::Cohort,
    statistics::{Bootstrap, Estimate, bootstrap_band, interquartile_mean},
};

/// Past this many points a curve is drawn on an even grid: more than a chart has room for.
const MAX_POINTS: usize = 400;

/// What training is measured in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Axis {
    /// Environment steps over all environments.
    EnvSteps,
    /// CPU seconds spent on training.
    CpuSeconds,
}

impl Axis {
    fn of(self, point: &CurvePoint) -> f64 {
        match self {
            Self::EnvSteps => point.env_steps as f64,
            Self::CpuSeconds => point.cpu_seconds,
        }
    }
}

/// Interquartile mean of the return over seeds with its bootstrap band, at ascending moments.
#[derive(Clone, Debug, PartialEq)]
pub struct LearningCurve {
    /// Moments in units of the axis.
    pub x: Vec<f64>,
    /// Return at each moment.
    pub returns: Vec<Estimate>,
}

impl LearningCurve {
    /// The curve of a cohort; none when no seed has been evaluated.
    pub fn of(cohort: &Cohort, axis: Axis, rng: &mut dyn RngCore) -> Option<Self> {
        let evaluated: Vec<&Record> = cohort.records.iter().filter(|r| !r.curve.is_empty()).collect();
        let x = grid(&evaluated, axis)?;
        let curve = |record: &&Record| x.iter().map(|&x| return_at(record, axis, x)).collect();
        let curves: Vec<Vec<Option<f64>>> = evaluated.iter().map(curve).collect();
        let band = bootstrap_band(&curves, interquartile_mean, Bootstrap::CURVES, rng);
        let (x, returns) = x.into_iter().zip(band).filter_map(|(x, estimate)| Some((x, estimate?))).unzip();
        Some(Self { x, returns })
    }
}

/// All moments of evaluation from where every seed has had its first, ascending.
fn grid(records: &[&Record], axis: Axis) -> Option<Vec<f64>> {
    let first = |record: &&Record| record.curve.first().map(|point| axis.of(point));
    let start = records.iter().filter_map(first).max_by(f64::total_cmp)?;
    let moments = records.iter().flat_map(|record| &record.curve).map(|point| axis.of(point));
    let mut x: Vec<f64> = moments.filter(|&x| x >= start).collect();
    x.sort_unstable_by(f64::total_cmp);
    x.dedup();
    let end = *x.last()?;
    if x.len() > MAX_POINTS {
        let part = |i: usize| i as f64 / (MAX_POINTS - 1) as f64;
        x = (0..MAX_POINTS).map(|i| start + (end - start) * part(i)).collect();
    }
    Some(x)
}

/// Return of a run at moment `x`, linear between evaluations; none before its first evaluation, nor
/// after the last one of a run that is not over.
fn return_at(record: &Record, axis: Axis, x: f64) -> Option<f64> {
    let after = record.curve.partition_point(|point| axis.of(point) <= x);
    let before = record.curve.get(after.checked_sub(1)?)?;
    let Some(next) = record.curve.get(after) else {
        return (record.is_over() || axis.of(before) == x).then_some(before.mean);
    };
    let (x0, x1) = (axis.of(before), axis.of(next));
    Some(before.mean + (next.mean - before.mean) * (x - x0) / (x1 - x0))
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::analysis::cohort::example;
    use egn_train::{record::contents::Ended, testing::example_summary};

    fn over(mut record: Record) -> Record {
        record.summary = Some(example_summary(1.0));
        record
    }

    fn curve(records: Vec<Record>, axis: Axis) -> LearningCurve {
        let mut cohorts = Cohort::of(records);
        assert_eq!(cohorts.len(), 1);
        LearningCurve::of(&cohorts.remove(0), axis, &mut ChaCha8Rng::seed_from_u64(0)).unwrap()
    }

    fn values(curve: &LearningCurve) -> Vec<(f64, f64)> {
        curve.x.iter().copied().zip(curve.returns.iter().map(|r| r.value)).collect()
    }

    #[test]
    fn seeds_meet_on_the_moments_of_all() {
        let first = over(example("egn", 0, &[(0, 0.0, 0.0), (10, 1.0, 100.0), (20, 2.0, 100.0)]));
        let second = over(example("egn", 1, &[(0, 0.5, 0.0), (20, 4.5, 40.0)]));
        let steps = curve(vec![first.clone(), second.clone()], Axis::EnvSteps);
        assert_eq!(values(&steps), [(0.0, 0.0), (10.0, 60.0), (20.0, 70.0)]);
        // In time the second starts later and the first ends earlier, which then keeps its 100.
        let seconds = curve(vec![first, second], Axis::CpuSeconds);
        assert_eq!(values(&seconds), [(0.5, 25.0), (1.0, 52.5), (2.0, 57.5), (4.5, 70.0)]);
    }

    #[test]
    fn an_unfinished_run_leaves_and_a_failed_one_stays() {
        let finished = over(example("egn", 0, &[(0, 0.0, 0.0), (20, 2.0, 100.0)]));
        let short = example("egn", 1, &[(0, 0.0, 0.0), (10, 1.0, 10.0)]);
        let killed = curve(vec![finished.clone(), short.clone()], Axis::EnvSteps);
        assert_eq!(values(&killed), [(0.0, 0.0), (10.0, 30.0), (20.0, 100.0)]);

        let mut failed = over(short);
        failed.summary.as_mut().unwrap().ended = Ended::Failed;
        let failed = curve(vec![finished, failed], Axis::EnvSteps);
        assert_eq!(values(&failed), [(0.0, 0.0), (10.0, 30.0), (20.0, 55.0)]);
    }

    #[test]
    fn no_evaluation_is_no_curve() {
        let cohort = &Cohort::of(vec![example("egn", 0, &[])])[0];
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        assert_eq!(LearningCurve::of(cohort, Axis::EnvSteps, &mut rng), None);
    }

    #[test]
    fn long_curves_are_thinned_end_to_end() {
        let points: Vec<_> = (0..1000).map(|i| (i * 10, i as f64, 2.0 * i as f64)).collect();
        let thinned = curve(vec![over(example("egn", 0, &points))], Axis::EnvSteps);
        assert_eq!(thinned.x.len(), MAX_POINTS);
        assert_eq!((thinned.x[0], thinned.x[MAX_POINTS - 1]), (0.0, 9990.0));
        assert!(thinned.x.iter().zip(&thinned.returns).all(|(x, r)| (r.value - x / 5.0).abs() < 1e-9));
    }
}
