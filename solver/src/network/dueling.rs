//! The dueling layer: outputs as a value and advantages, a fixed linear map.
//!
//! Source: Wang et al. (2016), "Dueling network architectures for deep reinforcement learning",
//! eq. 9, arXiv 1511.06581.

use crate::{
    linalg::real::Real,
    network::layer_pass::{At, LayerPass, Trace, Workspace},
};

/// The fixed linear map from (V, A₁ … Aₙ) to Qⱼ = V + Aⱼ − mean A.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dueling {
    /// Advantages, n.
    pub n_outputs: usize,
}

impl Dueling {
    /// (b, 1 + n) to (b, n).
    fn apply<T: Real>(&self, inputs: &[T], outputs: &mut [T]) {
        let n = T::of(self.n_outputs as f64);
        let rows = inputs.chunks_exact(1 + self.n_outputs).zip(outputs.chunks_exact_mut(self.n_outputs));
        for (input, output) in rows {
            let mean = input[1..].iter().copied().sum::<T>() / n;
            output.iter_mut().zip(&input[1..]).for_each(|(q, &advantage)| *q = input[0] + (advantage - mean));
        }
    }
}

impl<T: Real> LayerPass<T> for Dueling {
    fn forward(&self, _: &[T], inputs: &[T], outputs: &mut [T], _: &mut Trace<T>, _: &mut Workspace<T>) {
        self.apply(inputs, outputs);
    }

    /// The transpose: rows (b·k, n) to (b·k, 1 + n).
    fn carry(&self, at: At<'_, T>, into: &mut Vec<T>, _: &mut Workspace<T>) {
        into.clear();
        let n = T::of(self.n_outputs as f64);
        for row in at.trace.rows.chunks_exact(self.n_outputs) {
            let sum = row.iter().copied().sum::<T>();
            into.push(sum);
            into.extend(row.iter().map(|&x| x - sum / n));
        }
    }

    fn push(&self, _: At<'_, T>, _: &[T], incoming: Option<&[T]>, outgoing: &mut [T], _: &mut Workspace<T>) {
        if let Some(incoming) = incoming {
            self.apply(incoming, outgoing);
        }
    }
}
