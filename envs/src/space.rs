//! Where observations and actions lie.
//!
//! Spaces are flat: an observation is a slice of `f32`, whatever shape the environment thinks in.

use rand::RngCore;

use crate::action::Action;
use crate::numpy::pcg64::{standard_exponential, standard_normal, uniform, uniform_index};

/// A set of observations or actions.
#[derive(Debug, Clone, PartialEq)]
pub enum Space {
    /// The whole numbers 0 to n − 1.
    Discrete {
        /// Number of points, n.
        n: usize,
    },
    /// Vectors with every entry between two bounds, which may be infinite.
    Box {
        /// Least value of each entry.
        low: Vec<f32>,
        /// Greatest value of each entry.
        high: Vec<f32>,
    },
}

#[allow(clippy::len_without_is_empty)] // An empty space would be a bug; nobody asks.
impl Space {
    /// A box whose entries lie between −`high` and `high`.
    pub fn symmetric(high: Vec<f32>) -> Self {
        Space::Box { low: high.iter().map(|bound| -bound).collect(), high }
    }

    /// Numbers in one point: 1 for discrete, else the number of entries.
    pub fn len(&self) -> usize {
        match self {
            Space::Discrete { .. } => 1,
            Space::Box { low, .. } => low.len(),
        }
    }

    /// How many points a discrete space has; `None` for a box.
    pub fn n_actions(&self) -> Option<usize> {
        match self {
            Space::Discrete { n } => Some(*n),
            Space::Box { .. } => None,
        }
    }

    /// Whether `point` lies in the space. A point of a discrete space is one whole number.
    pub fn contains(&self, point: &[f32]) -> bool {
        match self {
            Space::Discrete { n } => {
                matches!(point, [index] if index.fract() == 0.0 && (0.0..*n as f32).contains(index))
            }
            Space::Box { low, high } => {
                let within = |((x, low), high): ((&f32, &f32), &f32)| low <= x && x <= high;
                point.len() == low.len() && point.iter().zip(low).zip(high).all(within)
            }
        }
    }

    /// Draws a point into `point`: uniform where an entry is bounded on both sides, exponential
    /// from a single bound, normal without bounds, as Gymnasium's `Box.sample` does (the draws
    /// themselves are not NumPy's ziggurat).
    pub fn sample(&self, rng: &mut dyn RngCore, point: &mut [f32]) {
        assert_eq!(point.len(), self.len(), "a point of this space has {} numbers", self.len());
        match self {
            Space::Discrete { n } => point[0] = uniform_index(rng, *n) as f32,
            Space::Box { low, high } => {
                for ((x, &low), &high) in point.iter_mut().zip(low).zip(high) {
                    *x = sample_between(rng, low, high);
                }
            }
        }
    }

    /// A point, as [`Space::sample`] writes them, read as an action.
    pub fn action<'a>(&self, point: &'a [f32]) -> Action<'a> {
        match self {
            Space::Discrete { .. } => Action::Discrete(point[0] as usize),
            Space::Box { .. } => Action::Continuous(point),
        }
    }
}

fn sample_between(rng: &mut dyn RngCore, low: f32, high: f32) -> f32 {
    let (low, high) = (f64::from(low), f64::from(high));
    let x = match (low.is_finite(), high.is_finite()) {
        (true, true) => uniform(rng, low, high),
        (true, false) => low + standard_exponential(rng),
        (false, true) => high - standard_exponential(rng),
        (false, false) => standard_normal(rng),
    };
    x as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numpy::pcg64::Pcg64;

    fn mixed() -> Space {
        Space::Box {
            low: vec![-1.0, 2.0, f32::NEG_INFINITY, f32::NEG_INFINITY],
            high: vec![1.0, f32::INFINITY, 3.0, f32::INFINITY],
        }
    }

    #[test]
    fn samples_lie_in_their_space() {
        let mut rng = Pcg64::seed_from(0);
        for space in [mixed(), Space::Discrete { n: 3 }, Space::symmetric(vec![2.0])] {
            let mut point = vec![f32::NAN; space.len()];
            for _ in 0..1000 {
                space.sample(&mut rng, &mut point);
                assert!(space.contains(&point), "{space:?} does not contain {point:?}");
            }
        }
    }

    #[test]
    fn all_indices_of_a_discrete_space_are_drawn_about_equally() {
        let (mut rng, space) = (Pcg64::seed_from(1), Space::Discrete { n: 3 });
        let mut counts = [0; 3];
        for _ in 0..30_000 {
            let mut point = [0.0];
            space.sample(&mut rng, &mut point);
            counts[point[0] as usize] += 1;
        }
        // Five standard deviations of a binomial count.
        assert!(counts.iter().all(|count| (9_600..10_400).contains(count)), "{counts:?}");
    }

    #[test]
    fn points_outside_are_not_contained() {
        assert!(!mixed().contains(&[1.1, 2.0, 0.0, 0.0]));
        assert!(!mixed().contains(&[0.0, 2.0, f32::NAN, 0.0]));
        assert!(!mixed().contains(&[0.0, 2.0, 0.0]));
        assert!(!Space::Discrete { n: 2 }.contains(&[2.0]));
        assert!(!Space::Discrete { n: 2 }.contains(&[0.5]));
        assert!(!Space::Discrete { n: 2 }.contains(&[-1.0]));
    }
}
