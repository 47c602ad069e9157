//! Momentum on Gauss-Newton directions.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    linalg::real::Real,
    state::{State, StateError},
};

/// How directions are carried over; μ is the momentum, t counts steps from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum MomentumForm {
    /// v ← μv + (1 − μ)d, used v/(1 − μᵗ): an average, corrected for its start (Korbit et al., the
    /// authors' code since 9721b86).
    #[default]
    Average,
    /// m ← μm + d, used m (Polyak 1964).
    Trace,
    /// m ← μm + d, used d + μm (Nesterov 1983, in the form of optax).
    Nesterov,
}

/// The directions that momentum carries over.
#[derive(Debug, Default)]
pub(crate) struct Momentum<T> {
    velocity: Vec<T>,
    proposed: Vec<T>,
    n_steps: i32,
}

impl<T: Real> Momentum<T> {
    /// The direction to use in place of `direction`, into `used`. Nothing is carried over until
    /// [`Momentum::accept`].
    pub fn propose(&mut self, momentum: f64, form: MomentumForm, direction: &[T], used: &mut Vec<T>) {
        self.velocity.resize(direction.len(), T::zero());
        let keep = T::of(momentum);
        let take = if form == MomentumForm::Average { T::of(1.0 - momentum) } else { T::one() };
        self.proposed.clear();
        self.proposed.extend(self.velocity.iter().zip(direction).map(|(&v, &d)| keep * v + take * d));
        used.clear();
        match form {
            MomentumForm::Average => {
                let unbias = T::of(1.0 / (1.0 - momentum.powi(self.n_steps + 1)));
                used.extend(self.proposed.iter().map(|&v| unbias * v));
            }
            MomentumForm::Trace => used.extend_from_slice(&self.proposed),
            MomentumForm::Nesterov => used.extend(self.proposed.iter().zip(direction).map(|(&m, &d)| d + keep * m)),
        }
    }

    /// The state that later steps depend on.
    pub fn state(&self) -> State {
        let mut state = State::default();
        state.put("velocity", &self.velocity);
        state.put("n_steps", &[self.n_steps as u64]);
        state
    }

    /// The momentum restored from a state for `n_params` parameters.
    ///
    /// # Errors
    /// When it is no such state.
    pub fn restored(state: &State, n_params: usize) -> Result<Self, StateError> {
        let velocity = state.get_grown("velocity", n_params)?;
        Ok(Self { velocity, proposed: Vec::new(), n_steps: state.number::<u64>("n_steps")? as i32 })
    }

    /// Forgets all directions carried over, after the proposed one led astray.
    pub fn forget(&mut self) {
        self.velocity.clear();
        self.n_steps = 0;
    }

    /// Carries over the proposed direction, which was followed.
    pub fn accept(&mut self) {
        if !self.proposed.is_empty() {
            std::mem::swap(&mut self.velocity, &mut self.proposed);
            self.n_steps += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_by_hand() {
        for (form, expected) in [
            (MomentumForm::Average, [2.0, (0.5 * 1.0 + 0.5 * 4.0) / 0.75]),
            (MomentumForm::Trace, [2.0, 5.0]),
            (MomentumForm::Nesterov, [3.0, 6.5]),
        ] {
            let (mut momentum, mut used) = (Momentum::<f64>::default(), Vec::new());
            for (direction, expected) in [2.0, 4.0].into_iter().zip(expected) {
                // Proposing twice changes nothing.
                momentum.propose(0.5, form, &[-1.0], &mut used);
                momentum.propose(0.5, form, &[direction], &mut used);
                momentum.accept();
                assert!((used[0] - expected).abs() < 1e-12, "{form:?}: {used:?}");
            }
        }
    }
}
