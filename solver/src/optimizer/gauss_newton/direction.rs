//! The damped Gauss-Newton direction d = −(H + λI)⁻¹ g, from a system on the side of the batch.
//!
//! ```text
//! (SᵀKS + bλI) v = −ρ,   d = Jᵀ S v
//! ```
//!
//! Where there are far fewer parameters than rows the same d comes from the p × p side, and where r
//! is not in the span of S, from the gradient: [`Form`] has all three.
//!
//! *Design.* How far to go along d is another question (see
//! [`crate::optimizer::gauss_newton::egn::Egn`]). What the solve leaves behind answers most of it
//! without another pass: SᵀJd = SᵀKSv = −(ρ + bλv), so dᵀHd = ‖ρ + bλv‖²/b, and g·d = −dᵀHd −
//! λ‖d‖². What the system says of its own damping costs one more right side ([`Fit`]).

use crate::{
    error::SolverError,
    linalg::{
        cholesky::{RowSystem, symmetric_product},
        matmul::matmul,
        matrix::{Matrix, Start},
        real::Real,
        vector::{inner_product, sum_of_squares},
    },
    optimizer::{
        gauss_newton::fit::{Fit, random_signs},
        problem::Linearized,
    },
};

/// The side of the parameters needs a forward-mode pass for each of them, where the
/// side of the batch has its Gram matrix from two factors: so many times fewer
/// parameters than rows make it pay.
const PASS_COST: usize = 4;

/// Where ‖ρ + bλv‖ falls below this part of ‖ρ‖ the difference has lost too many digits, and SᵀKSv
/// is multiplied out instead: strong damping, or ρ = r/√p of a saturated softmax.
const CANCELED: f64 = 1e-5;

/// The system that d is solved from; every form gives the same d but for rounding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// b·k rows: (SᵀKS + bλI) v = −ρ, d = JᵀSv.
    Rows,
    /// p parameters: (JᵀQJ + bλI) d = −JᵀSρ.
    Parameters,
    /// b·k rows and the gradient, by the identity of Woodbury: d = (JᵀSw − g)/λ with
    /// (SᵀKS + bλI) w = SᵀJg. For a random S that r is no combination of; a small λ costs digits.
    Woodbury,
}

/// The last Gauss-Newton direction, and storage kept from step to step.
pub struct Direction<T> {
    rho: Vec<f64>,
    v: Vec<f64>,
    values: Vec<T>,
    /// g (p), where ρ does not give it; empty where it does.
    gradient: Vec<T>,
    /// SᵀJt of the tangent last measured.
    change: Vec<f64>,
    batch: usize,
}

/// What is known of a direction besides its entries.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Solution {
    /// Loss of the batch at θ.
    pub loss: f64,
    /// Norm ‖d‖.
    pub norm: f64,
    /// Slope g·d, never positive.
    pub slope: f64,
    /// dᵀHd, with all rows of every sample.
    pub curvature: f64,
    /// Smallest squared pivot of the system's Cholesky factor.
    pub smallest_pivot: f64,
    /// ‖g‖, when asked for.
    pub gradient_norm: Option<f64>,
    /// ‖(SᵀKS + bλI) v + ρ‖ / ‖ρ‖, when asked for.
    pub solve_residual: Option<f64>,
    /// How much of the batch the direction fits, when asked for; not known of [`Form::Woodbury`].
    pub fit: Option<Fit>,
}

/// What is to be measured of a solve besides the direction, at extra cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Measures {
    /// Whether to measure the norm of the gradient and the residual of the solve.
    pub norms: bool,
    /// Whether to measure the fit, and by random signs of which seed.
    pub fit: Option<u64>,
}

impl<T: Real> Default for Direction<T> {
    fn default() -> Self {
        Self { rho: Vec::new(), v: Vec::new(), values: Vec::new(), gradient: Vec::new(), change: Vec::new(), batch: 0 }
    }
}

impl<T: Real> Direction<T> {
    /// The direction d, (p).
    pub fn values(&self) -> &[T] {
        &self.values
    }

    /// Solves for d with damping λ, in the form that is cheapest.
    ///
    /// # Errors
    /// When the system is singular, which λ > 0 excludes in exact arithmetic.
    ///
    /// Source: Korbit et al., arXiv 2405.14402, with a square root of Q so that the system is
    /// symmetric.
    pub fn solve(
        &mut self,
        linearized: &mut dyn Linearized<T>,
        damping: f64,
        measures: Measures,
        system: &mut RowSystem,
    ) -> Result<Solution, SolverError> {
        let [n_rows, n_params] = linearized.shape();
        let form = if PASS_COST * n_params <= n_rows {
            Form::Parameters
        } else if linearized.separate_gradient().is_none() {
            Form::Rows
        } else {
            Form::Woodbury
        };
        self.solve_as(form, linearized, damping, measures, system)
    }

    /// Solves for d in the given form. [`Form::Rows`] is right only where ρ gives the gradient
    /// ([`Linearized::separate_gradient`]).
    ///
    /// # Errors
    /// When the system is singular, which λ > 0 excludes in exact arithmetic.
    pub fn solve_as(
        &mut self,
        form: Form,
        linearized: &mut dyn Linearized<T>,
        damping: f64,
        measures: Measures,
        system: &mut RowSystem,
    ) -> Result<Solution, SolverError> {
        self.batch = linearized.batch();
        self.rho.clear();
        self.rho.extend_from_slice(linearized.rho());
        self.values.resize(linearized.shape()[1], T::zero());
        self.gradient.clear();
        self.gradient.extend_from_slice(linearized.separate_gradient().unwrap_or_default());
        let solution = match form {
            Form::Rows => self.row_side(system, linearized, damping, measures),
            Form::Parameters => self.parameter_side(system, linearized, damping, measures),
            Form::Woodbury => self.woodbury(system, linearized, damping, measures),
        }?;
        let curvature = linearized.full_curvature(&self.values).unwrap_or(solution.curvature);
        Ok(Solution { curvature, ..solution })
    }

    fn row_side(
        &mut self,
        system: &mut RowSystem,
        linearized: &mut dyn Linearized<T>,
        damping: f64,
        measures: Measures,
    ) -> Result<Solution, SolverError> {
        let Self { rho, v, values, batch, .. } = self;
        let (gram, panels) = system.gram_and_panels(rho.len());
        linearized.gram(gram, panels);
        v.clear();
        v.extend(rho.iter().map(|r| -r));
        v.extend(measures.fit.iter().flat_map(|&seed| random_signs(seed, rho.len())));
        let smallest_pivot = system.solve_all(damping, *batch, rho.len(), v)?.smallest_pivot;
        let b = *batch as f64;
        let fit = measures.fit.map(|seed| {
            let (v, probe) = v.split_at(rho.len());
            let unfitted: Vec<f64> = v.iter().map(|v| -b * damping * v).collect();
            Fit::of(rho, &unfitted, inverse_form(seed, probe), b * damping, rho.len())
        });
        v.truncate(rho.len());
        linearized.pull_back(v, values);

        let norm = sum_of_squares(values).sqrt();
        let mut change: f64 = rho.iter().zip(&*v).map(|(rho, v)| (rho + b * damping * v).powi(2)).sum();
        if change < CANCELED * CANCELED * sum_of_squares(rho) {
            change = sum_of_squares(&symmetric_product(system.gram(), v));
        }
        let curvature = change / b;
        Ok(Solution {
            loss: linearized.value(),
            norm,
            slope: -curvature - damping * norm * norm,
            curvature,
            smallest_pivot,
            gradient_norm: measures.norms.then(|| gradient_norm(system.gram(), rho, b)),
            solve_residual: measures.norms.then(|| solve_residual(system.gram(), rho, v, b * damping)),
            fit,
        })
    }

    /// (JᵀQJ + bλI) d = −JᵀSρ, p × p, from the columns of SᵀJ: a forward-mode pass a parameter.
    /// The right-hand side is −b·g where ρ does not give it.
    fn parameter_side(
        &mut self,
        system: &mut RowSystem,
        linearized: &mut dyn Linearized<T>,
        damping: f64,
        measures: Measures,
    ) -> Result<Solution, SolverError> {
        let p = self.values.len();
        let n = self.rho.len();
        let mut columns = Vec::with_capacity(p * n);
        for j in 0..p {
            self.values.fill(T::zero());
            self.values[j] = T::one();
            linearized.push_forward(&self.values, &mut self.change);
            columns.extend_from_slice(&self.change);
        }
        let factor = Matrix::new(&columns, p, n);
        matmul(system.gram_mut(p), Start::Zero, factor, factor.transposed(), &mut Vec::new());
        let b = self.batch as f64;
        let slope = |column: &[f64]| column.iter().zip(&self.rho).map(|(c, rho)| c * rho).sum();
        let slopes: Vec<f64> = if self.gradient.is_empty() {
            columns.chunks_exact(n).map(slope).collect()
        } else {
            self.gradient.iter().map(|g| b * g.to_f64()).collect()
        };
        let mut d: Vec<f64> = slopes.iter().map(|slope| -slope).collect();
        d.extend(measures.fit.iter().flat_map(|&seed| random_signs(seed, p)));
        let smallest_pivot = system.solve_all(damping, self.batch, p, &mut d)?.smallest_pivot;
        let form = measures.fit.map(|seed| inverse_form(seed, &d[p..]));
        self.values.iter_mut().zip(&d).for_each(|(value, &d)| *value = T::of(d));

        linearized.push_forward(&self.values, &mut self.change);
        let (slope, curvature) = self.along_change(&self.values);
        let fit = form.filter(|_| self.gradient.is_empty()).map(|form| {
            let unfitted: Vec<f64> = self.rho.iter().zip(&self.change).map(|(rho, change)| rho + change).collect();
            Fit::of(&self.rho, &unfitted, form, b * damping, p)
        });
        Ok(Solution {
            loss: linearized.value(),
            norm: sum_of_squares(&self.values).sqrt(),
            slope,
            curvature,
            smallest_pivot,
            gradient_norm: measures.norms.then(|| sum_of_squares(&slopes).sqrt() / b),
            solve_residual: measures.norms.then(|| solve_residual(system.gram(), &slopes, &d[..p], b * damping)),
            fit,
        })
    }

    /// d = (JᵀSw − g)/λ with (SᵀKS + bλI) w = SᵀJg, so that SᵀJd = −bw.
    fn woodbury(
        &mut self,
        system: &mut RowSystem,
        linearized: &mut dyn Linearized<T>,
        damping: f64,
        measures: Measures,
    ) -> Result<Solution, SolverError> {
        let Self { rho, v: w, values, gradient, change, batch } = self;
        let b = *batch as f64;
        if gradient.is_empty() {
            gradient.resize(values.len(), T::zero());
            w.clear();
            w.extend(rho.iter().map(|rho| rho / b));
            linearized.pull_back(w, gradient);
        }
        let (gram, panels) = system.gram_and_panels(rho.len());
        linearized.gram(gram, panels);
        linearized.push_forward(gradient, change);
        w.clone_from(change);
        let smallest_pivot = system.solve(damping, *batch, w)?.smallest_pivot;
        linearized.pull_back(w, values);
        let scale = T::of(1.0 / damping);
        values.iter_mut().zip(&*gradient).for_each(|(d, &g)| *d = scale * (*d - g));

        Ok(Solution {
            loss: linearized.value(),
            norm: sum_of_squares(values).sqrt(),
            slope: inner_product(gradient, values),
            curvature: b * sum_of_squares(w),
            smallest_pivot,
            gradient_norm: measures.norms.then(|| sum_of_squares(gradient).sqrt()),
            solve_residual: measures.norms.then(|| {
                let right: Vec<f64> = change.iter().map(|x| -x).collect();
                solve_residual(system.gram(), &right, w, b * damping)
            }),
            fit: None,
        })
    }

    /// g·t and tᵀHt of any tangent t (p), where the last direction was solved for:
    /// g = JᵀSρ/b, H = JᵀSSᵀJ/b.
    pub fn measure(&mut self, linearized: &mut dyn Linearized<T>, tangent: &[T]) -> (f64, f64) {
        linearized.push_forward(tangent, &mut self.change);
        let (slope, curvature) = self.along_change(tangent);
        (slope, linearized.full_curvature(tangent).unwrap_or(curvature))
    }

    /// g·t and tᵀHt of a tangent t whose SᵀJt is known.
    fn along_change(&self, tangent: &[T]) -> (f64, f64) {
        let b = self.batch as f64;
        let slope = if self.gradient.is_empty() {
            self.rho.iter().zip(&self.change).map(|(rho, change)| rho * change).sum::<f64>() / b
        } else {
            inner_product(&self.gradient, tangent)
        };
        (slope, sum_of_squares(&self.change) / b)
    }
}

/// zᵀA⁻¹z of the random signs z of a seed, given A⁻¹z.
fn inverse_form(seed: u64, solved: &[f64]) -> f64 {
    random_signs(seed, solved.len()).zip(solved).map(|(z, x)| z * x).sum()
}

/// ‖g‖ = ‖JᵀSρ‖/b = √(ρᵀ SᵀKS ρ)/b.
fn gradient_norm(gram: &[f64], rho: &[f64], b: f64) -> f64 {
    let squares: f64 = symmetric_product(gram, rho).iter().zip(rho).map(|(k, r)| k * r).sum();
    squares.max(0.0).sqrt() / b
}

/// ‖(SᵀKS + shift·I) v + ρ‖ / ‖ρ‖, zero where ρ is.
fn solve_residual(gram: &[f64], rho: &[f64], v: &[f64], shift: f64) -> f64 {
    let errors = symmetric_product(gram, v).into_iter().zip(v).zip(rho).map(|((k, v), r)| k + shift * v + r);
    let size = rho.iter().map(|r| r * r).sum::<f64>().sqrt();
    if size == 0.0 { 0.0 } else { errors.map(|e| e * e).sum::<f64>().sqrt() / size }
}
