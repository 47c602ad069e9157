//! Actions of several steps, of one kind.

use egn_envs::{Action, Space};
use egn_solver::{State, StateError};

/// Actions of several steps or environments.
#[derive(Debug, Clone, PartialEq)]
pub enum Actions {
    /// Indices, one a step.
    Discrete(Vec<u32>),
    /// Vectors of `width` entries, one after the other.
    Continuous {
        /// All entries.
        values: Vec<f32>,
        /// Entries of one action.
        width: usize,
    },
}

impl Actions {
    /// No actions yet, of the kind that a space takes.
    pub fn none(space: &Space) -> Self {
        match space {
            Space::Discrete { .. } => Self::Discrete(Vec::new()),
            Space::Box { .. } => Self::Continuous { values: Vec::new(), width: space.len() },
        }
    }

    /// Number of actions.
    pub fn len(&self) -> usize {
        match self {
            Self::Discrete(actions) => actions.len(),
            Self::Continuous { values, width } => values.len() / width,
        }
    }

    /// Whether there is no action.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// An empty list of the same kind of actions.
    pub fn empty(&self) -> Self {
        match self {
            Self::Discrete(_) => Self::Discrete(Vec::new()),
            Self::Continuous { width, .. } => Self::Continuous { values: Vec::new(), width: *width },
        }
    }

    /// All entries into `state`, under `name`.
    pub(crate) fn put_into(&self, state: &mut State, name: &str) {
        match self {
            Self::Discrete(actions) => state.put(name, actions),
            Self::Continuous { values, .. } => state.put(name, values),
        }
    }

    /// Takes `n` actions of the same kind from entry `name` of `state`.
    ///
    /// # Errors
    /// When there are not so many.
    pub(crate) fn take_from(&mut self, state: &State, name: &str, n: usize) -> Result<(), StateError> {
        match self {
            Self::Discrete(actions) => *actions = state.get_all(name, n)?,
            Self::Continuous { values, width } => *values = state.get_all(name, n * *width)?,
        }
        Ok(())
    }

    /// Forgets all actions and keeps the memory.
    pub fn clear(&mut self) {
        match self {
            Self::Discrete(actions) => actions.clear(),
            Self::Continuous { values, .. } => values.clear(),
        }
    }

    /// Action `i`, as an environment takes it.
    pub fn get(&self, i: usize) -> Action<'_> {
        match self {
            Self::Discrete(actions) => Action::Discrete(actions[i] as usize),
            Self::Continuous { values, width } => Action::Continuous(&values[i * width..(i + 1) * width]),
        }
    }

    /// Appends action `i` of `other`, which is of the same kind.
    pub fn push_from(&mut self, other: &Self, i: usize) {
        match (self, other) {
            (Self::Discrete(to), Self::Discrete(from)) => to.push(from[i]),
            (Self::Continuous { values: to, width }, Self::Continuous { values: from, .. }) => {
                to.extend_from_slice(&from[i * *width..(i + 1) * *width]);
            }
            (to, from) => panic!("actions of two kinds: {to:?} and {from:?}"),
        }
    }

    /// Puts the one action of `other`, which is of the same kind, in place of action `i`.
    pub fn replace(&mut self, i: usize, other: &Self) {
        match (self, other) {
            (Self::Discrete(to), Self::Discrete(from)) => to[i] = from[0],
            (Self::Continuous { values: to, width }, Self::Continuous { values: from, .. }) => {
                to[i * *width..(i + 1) * *width].copy_from_slice(from);
            }
            (to, from) => panic!("actions of two kinds: {to:?} and {from:?}"),
        }
    }

    /// Appends all actions of `other`, which is of the same kind.
    pub fn extend(&mut self, other: &Self) {
        match (self, other) {
            (Self::Discrete(to), Self::Discrete(from)) => to.extend_from_slice(from),
            (Self::Continuous { values: to, .. }, Self::Continuous { values: from, .. }) => to.extend_from_slice(from),
            (to, from) => panic!("actions of two kinds: {to:?} and {from:?}"),
        }
    }

    /// Brings continuous actions within the bounds of `space`; discrete ones always are.
    pub fn clip_to(&mut self, space: &Space) {
        if let (Self::Continuous { values, width }, Space::Box { low, high }) = (self, space) {
            for action in values.chunks_exact_mut(*width) {
                action.iter_mut().zip(low.iter().zip(high)).for_each(|(x, (low, high))| *x = x.clamp(*low, *high));
            }
        }
    }

    /// All entries.
    ///
    /// # Panics
    /// For discrete actions: an agent for continuous actions is never given any.
    pub fn continuous(&self) -> &[f32] {
        match self {
            Self::Discrete(_) => panic!("vectors of actions wanted, found indices"),
            Self::Continuous { values, .. } => values,
        }
    }

    /// All indices.
    ///
    /// # Panics
    /// For continuous actions: an agent for discrete actions is never given any.
    pub fn discrete(&self) -> &[u32] {
        match self {
            Self::Discrete(actions) => actions,
            Self::Continuous { width, .. } => panic!("discrete actions wanted, found vectors of {width}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_are_clipped_entry_by_entry() {
        let mut actions = Actions::Continuous { values: vec![3.0, 0.5, -3.0, 7.0], width: 2 };
        actions.clip_to(&Space::Box { low: vec![-1.0, 0.0], high: vec![1.0, 5.0] });
        assert_eq!(actions.continuous(), [1.0, 0.5, -1.0, 5.0]);
    }
}
