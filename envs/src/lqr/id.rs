//! The linear-quadratic problems of this crate by number.

use super::problem::LqrProblem;
use super::problems::PROBLEMS;

/// One of the linear-quadratic problems of this crate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LqrId(u8);

impl LqrId {
    /// Number of problems.
    pub const COUNT: usize = PROBLEMS.len();

    /// The problem at `index` of the reference data.
    ///
    /// # Panics
    /// From [`LqrId::COUNT`] on.
    pub const fn new(index: usize) -> Self {
        assert!(index < Self::COUNT, "there are fewer problems");
        LqrId(index as u8)
    }

    /// The problem: matrices, optima and limits.
    pub fn problem(self) -> &'static LqrProblem {
        &PROBLEMS[usize::from(self.0)]
    }
}
