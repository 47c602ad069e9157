//! Outputs as a value and advantages, a fixed linear map.
//!
//! Source: Wang et al. (2016), "Dueling network architectures for deep reinforcement learning", eq. 9,
//! arXiv 1511.06581.

use crate::linalg::real::Real;

/// From (V, A₁ … Aₙ) to Qⱼ = V + Aⱼ − mean A.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dueling {
    /// Advantages, n.
    pub n_outputs: usize,
}

impl Dueling {
    /// (b, 1 + n) to (b, n).
    pub(crate) fn apply<T: Real>(&self, inputs: &[T], outputs: &mut Vec<T>) {
        outputs.clear();
        let n = T::of(self.n_outputs as f64);
        for input in inputs.chunks_exact(1 + self.n_outputs) {
            let mean = input[1..].iter().copied().sum::<T>() / n;
            outputs.extend(input[1..].iter().map(|&advantage| input[0] + (advantage - mean)));
        }
    }

    /// The transpose: rows (b·k, n) to (b·k, 1 + n).
    pub(crate) fn carry<T: Real>(&self, rows: &[T], into: &mut Vec<T>) {
        into.clear();
        let n = T::of(self.n_outputs as f64);
        for row in rows.chunks_exact(self.n_outputs) {
            let sum = row.iter().copied().sum::<T>();
            into.push(sum);
            into.extend(row.iter().map(|&x| x - sum / n));
        }
    }
}
