//! What an agent does in one step.

use crate::error::EnvError;

/// What an agent does in one step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Action<'a> {
    /// One of n actions, counted from zero.
    Discrete(usize),
    /// One number for every entry of a [`Space::Box`](crate::space::Space::Box).
    Continuous(&'a [f32]),
}

impl<'a> Action<'a> {
    /// The index of a discrete action, checked to be below `n`.
    ///
    /// # Errors
    /// [`EnvError::ActionKind`] for a continuous action,
    /// [`EnvError::ActionRange`] for `n` and above.
    pub fn as_discrete(self, n: usize) -> Result<usize, EnvError> {
        match self {
            Action::Discrete(action) if action < n => Ok(action),
            Action::Discrete(action) => Err(EnvError::ActionRange { action, n }),
            Action::Continuous(_) => Err(EnvError::ActionKind { expected: "discrete", found: "continuous" }),
        }
    }

    /// The numbers of a continuous action, checked to be `len` finite ones.
    ///
    /// # Errors
    /// [`EnvError::ActionKind`] for a discrete action, [`EnvError::ActionLength`], and
    /// [`EnvError::ActionNotFinite`], where Gymnasium would carry NaN into the state.
    pub fn as_continuous(self, len: usize) -> Result<&'a [f32], EnvError> {
        let Action::Continuous(values) = self else {
            return Err(EnvError::ActionKind { expected: "continuous", found: "discrete" });
        };
        if values.len() != len {
            return Err(EnvError::ActionLength { found: values.len(), expected: len });
        }
        match values.iter().position(|value| !value.is_finite()) {
            Some(index) => Err(EnvError::ActionNotFinite { index, value: values[index] }),
            None => Ok(values),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_actions_are_refused_with_their_numbers() {
        assert!(matches!(Action::Discrete(2).as_discrete(2), Err(EnvError::ActionRange { action: 2, n: 2 })));
        assert!(matches!(Action::Discrete(0).as_continuous(1), Err(EnvError::ActionKind { .. })));
        assert!(matches!(Action::Continuous(&[]).as_discrete(1), Err(EnvError::ActionKind { .. })));
        let too_long = Action::Continuous(&[0.0, 0.0]).as_continuous(1);
        assert!(matches!(too_long, Err(EnvError::ActionLength { found: 2, expected: 1 })));
        let infinite = Action::Continuous(&[0.0, f32::INFINITY]).as_continuous(2);
        assert!(matches!(infinite, Err(EnvError::ActionNotFinite { index: 1, .. })));
    }
}
