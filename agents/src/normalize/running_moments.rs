//! Mean and variance of a stream, updated in batches.

use egn_solver::{State, StateError};

/// Mean and population variance of everything seen so far, entry by entry.
///
/// Batches are merged by the formula of Chan, Golub and LeVeque (1979), *Updating Formulae and a
/// Pairwise Algorithm for Computing Sample Variances*, as Stable-Baselines3's `RunningMeanStd`
/// does. The result depends on the order of the batches in its last digits: merge in a fixed order.
#[derive(Debug, Clone, PartialEq)]
pub struct RunningMoments {
    /// Mean of each entry.
    pub mean: Vec<f64>,
    /// Variance of each entry.
    pub variance: Vec<f64>,
    /// Weight of the points seen; starts just above zero, so that nothing is divided by zero.
    pub count: f64,
}

impl RunningMoments {
    /// Moments that have seen nothing yet: mean 0 and variance 1 with hardly any weight.
    pub fn new(len: usize) -> Self {
        // Stable-Baselines3, RunningMeanStd.
        const FIRST_COUNT: f64 = 1e-4;
        RunningMoments { mean: vec![0.0; len], variance: vec![1.0; len], count: FIRST_COUNT }
    }

    /// Takes in `rows`, a batch of points one after the other; an empty batch changes nothing.
    ///
    /// # Panics
    /// When the batch does not consist of whole points.
    pub fn update(&mut self, rows: &[f64]) {
        let len = self.mean.len();
        assert_eq!(rows.len() % len, 0, "a point has {len} entries");
        let n = (rows.len() / len) as f64;
        if rows.is_empty() {
            return;
        }
        let total = self.count + n;
        for i in 0..len {
            let column = || rows.iter().skip(i).step_by(len);
            let mean = column().sum::<f64>() / n;
            let squares: f64 = column().map(|x| (x - mean) * (x - mean)).sum();
            let gap = mean - self.mean[i];
            let merged = self.variance[i] * self.count + squares + gap * gap * self.count * n / total;
            self.mean[i] += gap * n / total;
            self.variance[i] = merged / total;
        }
        self.count = total;
    }

    /// The statistics: `mean` and `variance` (n), and `count`.
    pub fn state(&self) -> State {
        let mut state = State::default();
        state.put("mean", &self.mean);
        state.put("variance", &self.variance);
        state.put("count", &[self.count]);
        state
    }

    /// Restores the statistics from a [`RunningMoments::state`].
    ///
    /// # Errors
    /// When the state is of points of another length; nothing has changed then.
    pub fn restore(&mut self, state: &State) -> Result<(), StateError> {
        let n = self.mean.len();
        let (mean, variance) = (state.get_all("mean", n)?, state.get_all("variance", n)?);
        *self = Self { mean, variance, count: state.number("count")? };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_give_the_moments_of_all_their_points() {
        let points: Vec<f64> = (0..40).map(|i| f64::from(i * i % 17) + 1e3).collect();
        let mut moments = RunningMoments::new(2);
        for batch in [&points[..2], &points[2..20], &[], &points[20..]] {
            moments.update(batch);
        }
        for i in 0..2 {
            let column: Vec<f64> = points.iter().copied().skip(i).step_by(2).collect();
            let mean = column.iter().sum::<f64>() / 20.0;
            let variance = column.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 20.0;
            // The point that the start stands for weighs 1e-4 and lies 1e3 away.
            assert!((moments.mean[i] - mean).abs() < 1e-2, "{moments:?}");
            assert!((moments.variance[i] - variance).abs() < 10.0, "{moments:?}");
        }
        assert!((moments.count - 20.0001).abs() < 1e-12);
    }

    #[test]
    fn first_batch_replaces_the_start() {
        let mut moments = RunningMoments::new(1);
        moments.update(&[3.0, 5.0]);
        assert!((moments.mean[0] - 4.0).abs() < 1e-3 && (moments.variance[0] - 1.0).abs() < 1e-2);
    }
}
