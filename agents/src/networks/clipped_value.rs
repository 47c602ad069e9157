//! PPO's clipped value loss.

use egn_solver::{
    Outputs,
    loss::{Loss, Root},
};

/// PPO's clipped value loss ℓ = ½ (V_old + clip(V − V_old, −ε, ε) − y)², one output a sample. Q = 1
/// where V moves freely and 0 where it is clipped, as the gradient is. One row a sample.
///
/// Source: Stable-Baselines3, `clip_range_vf`. The original code of Schulman et al. (2017) takes
/// the larger of the clipped and the plain error instead.
#[derive(Debug, Clone, Copy)]
pub struct ClippedValue<'a> {
    /// y, (b).
    pub targets: &'a [f64],
    /// V_old, (b).
    pub old_values: &'a [f64],
    /// ε > 0; infinite does not clip.
    pub clip: f64,
}

impl ClippedValue<'_> {
    /// Each sample's error, and its derivative by V: 0 or 1.
    fn errors<'b>(&'b self, outputs: &'b Outputs) -> impl Iterator<Item = (f64, f64)> + 'b {
        assert_eq!((self.targets.len(), self.old_values.len()), (outputs.values.len(), outputs.values.len()));
        outputs.values.iter().zip(self.targets.iter().zip(self.old_values)).map(|(value, (target, old))| {
            let change = value - old;
            let slope = f64::from(u8::from(change.abs() <= self.clip));
            (old + change.clamp(-self.clip, self.clip) - target, slope)
        })
    }
}

impl Loss for ClippedValue<'_> {
    fn rows_per_sample(&self, _: &Outputs) -> usize {
        1
    }

    fn values(&self, outputs: &Outputs, values: &mut Vec<f64>) {
        values.clear();
        values.extend(self.errors(outputs).map(|(e, _)| 0.5 * e * e));
    }

    fn residual(&self, outputs: &Outputs, residual: &mut Vec<f64>) -> f64 {
        residual.clear();
        residual.extend(self.errors(outputs).map(|(e, slope)| slope * e));
        self.value(outputs)
    }

    fn root(&self, outputs: &Outputs, root: &mut Root) -> f64 {
        root.rows.clear();
        root.rows.extend(self.errors(outputs).map(|(_, slope)| slope));
        self.residual(outputs, &mut root.rho)
    }
}

#[cfg(test)]
mod tests {
    use egn_solver::testing::check_loss;

    use super::*;
    use crate::{
        experience::returns::explained_variance,
        recorded::{assert_close, numbers, recorded_on_policy},
    };

    #[test]
    fn loss_and_explained_variance_are_those_of_stable_baselines3() {
        let golden = recorded_on_policy("clipped_value");
        let [values, old_values, targets] = ["values", "old_values", "targets"].map(|name| numbers(&golden[name]));
        let explained = golden["explained_variance"].as_f64().unwrap();
        assert_close(&[explained_variance(&values, &targets)], &[explained], 1e-12);
        let n = values.len() as f64;
        let outputs = Outputs { values, n_outputs: 1 };
        let clip = golden["clip"].as_f64().unwrap();
        let loss = ClippedValue { targets: &targets, old_values: &old_values, clip };
        let mut residual = Vec::new();
        assert_close(&[loss.residual(&outputs, &mut residual)], &[golden["loss"].as_f64().unwrap()], 1e-12);
        let gradient: Vec<f64> = residual.iter().map(|r| r / n).collect();
        assert_close(&gradient, &numbers(&golden["gradient"]), 1e-12);
    }

    #[test]
    fn a_value_that_moved_too_far_is_held() {
        let outputs = Outputs { values: vec![0.1, 1.0, -3.0], n_outputs: 1 };
        let (targets, old_values) = ([1.0, 2.0, 0.0], [0.0, 0.0, 0.0]);
        let loss = ClippedValue { targets: &targets, old_values: &old_values, clip: 0.5 };
        let mut residual = Vec::new();
        // Errors 0.1 − 1, 0.5 − 2 and −0.5 − 0.
        let expected = 0.5 * (0.81 + 2.25 + 0.25) / 3.0;
        assert!((loss.residual(&outputs, &mut residual) - expected).abs() < 1e-15);
        assert_eq!(residual, [-0.9, 0.0, 0.0]);
        check_loss(&loss, &outputs, true);
        check_loss(&ClippedValue { clip: f64::INFINITY, ..loss }, &outputs, true);
    }
}
