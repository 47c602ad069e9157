//! Every optimizer on every toy problem: each reaches the stated loss, and on least squares exact
//! Gauss-Newton needs the fewest steps.
//!
//! Two problems are no networks at all: whoever has residuals and their Jacobian implements
//! [`Problem`] and gets every optimizer. All optimizers have the same number of learning rates to
//! choose from.

use std::f64::consts::PI;

use candle_core::{Device, Tensor};
use egn_solver::{
    Activation, AdamConfig, AdamWConfig, EgnConfig, GramPanels, Initialization, KronConfig, Learner, Linearized,
    LionConfig, MuonConfig, Network, Optimizer, OptimizerConfig, OptimizerName, Precision, Problem, Real,
    RmsPropConfig, Schedule, ScheduleFreeConfig, SgdConfig, SgnConfig, SoapConfig, SolverError, StepContext,
    loss::{BinaryCrossEntropy, CrossEntropy, FewRows},
    schedule::Moving,
};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// r(θ), and its Jacobian, row after row.
type Residual = fn(&[f64]) -> (Vec<f64>, Vec<Vec<f64>>);

/// ½‖r(θ)‖²: one sample with as many rows as there are residuals.
struct LeastSquares<T> {
    params: Vec<T>,
    residual: Residual,
    /// At the point last evaluated, as the next two.
    jacobian: Vec<Vec<f64>>,
    r: Vec<f64>,
    value: f64,
}

impl<T: Real> LeastSquares<T> {
    fn new(start: &[f64], residual: Residual) -> Self {
        Self {
            params: start.iter().map(|&x| T::of(x)).collect(),
            residual,
            jacobian: Vec::new(),
            r: Vec::new(),
            value: f64::NAN,
        }
    }

    fn evaluate(&mut self) {
        let theta: Vec<f64> = self.params.iter().map(|x| x.to_f64()).collect();
        (self.r, self.jacobian) = (self.residual)(&theta);
        self.value = 0.5 * dot(&self.r, &self.r);
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

impl<T: Real> Problem<T> for LeastSquares<T> {
    fn params(&mut self) -> &mut [T] {
        &mut self.params
    }

    fn n_params(&self) -> usize {
        self.params.len()
    }

    fn gradient(&mut self, gradient: &mut [T]) -> Result<f64, SolverError> {
        self.evaluate();
        let r = self.r.clone();
        self.pull_back(&r, gradient);
        Ok(self.value)
    }

    fn linearize(&mut self, _: Option<FewRows>) -> Result<&mut dyn Linearized<T>, SolverError> {
        self.evaluate();
        Ok(self)
    }

    fn loss(&mut self) -> f64 {
        self.evaluate();
        self.value
    }
}

impl<T: Real> Linearized<T> for LeastSquares<T> {
    fn value(&self) -> f64 {
        self.value
    }

    fn batch(&self) -> usize {
        1
    }

    fn shape(&self) -> [usize; 2] {
        [self.r.len(), self.params.len()]
    }

    fn rho(&self) -> &[f64] {
        &self.r
    }

    fn gram(&mut self, gram: &mut [f64], _: &mut GramPanels) {
        let n = self.jacobian.len();
        for j in 0..n {
            for i in j..n {
                gram[j * n + i] = dot(&self.jacobian[i], &self.jacobian[j]);
            }
        }
    }

    fn pull_back(&mut self, v: &[f64], result: &mut [T]) {
        for (j, x) in result.iter_mut().enumerate() {
            *x = T::of(self.jacobian.iter().zip(v).map(|(row, v)| row[j] * v).sum());
        }
    }

    fn push_forward(&mut self, tangent: &[T], result: &mut Vec<f64>) {
        let tangent: Vec<f64> = tangent.iter().map(|t| t.to_f64()).collect();
        *result = self.jacobian.iter().map(|row| dot(row, &tangent)).collect();
    }
}

/// Eight unknowns of curvature 1 to 1/300, coupled to their neighbors; minimum at θᵢ = i.
fn quadratic(theta: &[f64]) -> (Vec<f64>, Vec<Vec<f64>>) {
    let n = theta.len();
    let scale = |i: usize| libm::pow(300_f64, -(i as f64) / (2.0 * (n - 1) as f64));
    let row = |i: usize| {
        let mut row = vec![0.0; n];
        row[i] = scale(i);
        row[(i + 1) % n] = 0.3 * scale(i);
        row
    };
    let jacobian: Vec<Vec<f64>> = (0..n).map(row).collect();
    let offset: Vec<f64> = theta.iter().enumerate().map(|(i, x)| x - i as f64).collect();
    (jacobian.iter().map(|row| dot(row, &offset)).collect(), jacobian)
}

/// Rosenbrock (1960): r = (10(y − x²), 1 − x), minimum at (1, 1).
fn rosenbrock(theta: &[f64]) -> (Vec<f64>, Vec<Vec<f64>>) {
    let (x, y) = (theta[0], theta[1]);
    (vec![10.0 * (y - x * x), 1.0 - x], vec![vec![-20.0 * x, 10.0], vec![-1.0, 0.0]])
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Toy {
    Quadratic,
    Rosenbrock,
    TwoSpirals,
    Logistic,
}

impl Toy {
    const ALL: [Self; 4] = [Self::Quadratic, Self::Rosenbrock, Self::TwoSpirals, Self::Logistic];

    fn is_least_squares(self) -> bool {
        matches!(self, Self::Quadratic | Self::Rosenbrock)
    }

    /// The loss to be reached: nothing left of 100 and of 12.1 on least squares, a tenth of a
    /// coin's ln 2 on the spirals, the minimum to five digits for the logistic regression.
    fn target(self) -> f64 {
        match self {
            Self::Quadratic | Self::Rosenbrock => 1e-6,
            Self::TwoSpirals => 0.1 * libm::log(2_f64),
            Self::Logistic => logistic_minimum() + 1e-5,
        }
    }

    /// Steps that every optimizer has.
    fn budget(self) -> usize {
        match self {
            Self::Quadratic | Self::Rosenbrock => 20_000,
            Self::TwoSpirals => 3_000,
            Self::Logistic => 2_000,
        }
    }

    /// Steps to the target, if it is reached within the budget.
    fn steps(self, optimizer: &OptimizerConfig) -> Option<usize> {
        match self {
            Self::Quadratic => self.steps_of_problem(LeastSquares::<f64>::new(&[0.0; 8], quadratic), optimizer),
            Self::Rosenbrock => self.steps_of_problem(LeastSquares::<f64>::new(&[-1.2, 1.0], rosenbrock), optimizer),
            Self::TwoSpirals => {
                let (x, labels) = two_spirals();
                let network = Network::mlp(&[2, 24, 24, 2], Activation::Tanh);
                let mut learner = learner(network, optimizer);
                self.count(|context| learner.step(&x, &CrossEntropy { labels: &labels }, context).map(|r| r.loss))
            }
            Self::Logistic => {
                let (x, targets) = logistic();
                let x = Tensor::new(&*x, &Device::Cpu).unwrap().reshape((targets.len(), 2)).unwrap();
                let mut learner = learner(Network::mlp(&[2, 1], Activation::Identity), optimizer);
                let loss = BinaryCrossEntropy { targets: &targets };
                self.count(|context| learner.step(&x, &loss, context).map(|r| r.loss))
            }
        }
    }

    fn steps_of_problem(self, mut problem: LeastSquares<f64>, optimizer: &OptimizerConfig) -> Option<usize> {
        let mut optimizer: Box<dyn Optimizer<f64>> = optimizer.build();
        self.count(|context| optimizer.step(&mut problem, context).map(|report| report.loss))
    }

    /// `step` answers the loss before it; a step that is refused ends the attempt.
    fn count(self, mut step: impl FnMut(StepContext) -> Result<f64, SolverError>) -> Option<usize> {
        let budget = self.budget();
        let context = |i: usize| StepContext { progress: i as f64 / budget as f64, ..Default::default() };
        (0..budget).map_while(|i| step(context(i)).ok()).position(|loss| loss <= self.target())
    }
}

fn learner(network: Network, optimizer: &OptimizerConfig) -> Learner {
    let rng = &mut ChaCha8Rng::seed_from_u64(3);
    Learner::new(network, Initialization::Uniform, Precision::F64, optimizer, rng).unwrap()
}

/// Two arms of 80 points, one turn and a half each. Lang and Witbrock (1988), shortened.
fn two_spirals() -> (Tensor, Vec<u32>) {
    let point = |i: u32| {
        let (t, sign) = (f64::from(i / 2) / 79.0, if i.is_multiple_of(2) { 1.0 } else { -1.0 });
        let (radius, angle) = (0.3 + 1.7 * t, 3.0 * PI * t);
        [sign * radius * libm::cos(angle), sign * radius * libm::sin(angle)]
    };
    let x: Vec<f64> = (0..160).flat_map(point).collect();
    (Tensor::from_vec(x, (160, 2), &Device::Cpu).unwrap(), (0..160).map(|i| i % 2).collect())
}

/// 60 points whose classes overlap, so that the minimum is finite.
fn logistic() -> (Vec<f64>, Vec<f64>) {
    let x: Vec<f64> = (0..120).map(|i| 1.5 * libm::sin(f64::from(i * i + 3 * i))).collect();
    let targets = x.chunks_exact(2).enumerate();
    let targets = targets.map(|(i, x)| f64::from(x[0] - 0.5 * x[1] + 1.5 * libm::cos(i as f64) > 0.2));
    (x.clone(), targets.collect())
}

/// The least loss of the logistic regression, by Newton's method on its three parameters.
fn logistic_minimum() -> f64 {
    let (x, targets) = logistic();
    let rows: Vec<[f64; 3]> = x.chunks_exact(2).map(|x| [x[0], x[1], 1.0]).collect();
    let mut w = [0.0; 3];
    for _ in 0..50 {
        let (mut g, mut h) = ([0.0; 3], [[0.0; 3]; 3]);
        for (row, y) in rows.iter().zip(&targets) {
            let p = 1.0 / (1.0 + libm::exp(-dot(&w, row)));
            for i in 0..3 {
                g[i] += (p - y) * row[i];
                (0..3).for_each(|j| h[i][j] += p * (1.0 - p) * row[i] * row[j]);
            }
        }
        let d = solve_three(h, g);
        (0..3).for_each(|i| w[i] -= d[i]);
    }
    let loss = |(row, y): (&[f64; 3], &f64)| libm::log1p(libm::exp(dot(&w, row))) - y * dot(&w, row);
    rows.iter().zip(&targets).map(loss).sum::<f64>() / targets.len() as f64
}

/// Cramer's rule.
fn solve_three(m: [[f64; 3]; 3], right: [f64; 3]) -> [f64; 3] {
    let determinant = |m: [[f64; 3]; 3]| -> f64 {
        (0..3).map(|j| m[0][j] * (m[1][(j + 1) % 3] * m[2][(j + 2) % 3] - m[1][(j + 2) % 3] * m[2][(j + 1) % 3])).sum()
    };
    std::array::from_fn(|column| {
        let mut replaced = m;
        (0..3).for_each(|row| replaced[row][column] = right[row]);
        determinant(replaced) / determinant(m)
    })
}

/// Four settings, which differ in the learning rate.
fn settings(name: OptimizerName, toy: Toy) -> [OptimizerConfig; 4] {
    // Least squares with residuals that vanish needs next to no damping.
    let lambda = if toy.is_least_squares() { 1e-6.into() } else { 1e-2.into() };
    let least_squares_or = |yes: [f64; 4], no: [f64; 4]| if toy.is_least_squares() { yes } else { no };
    // Adaptive rates of a constant size circle the minimum at a distance of that size.
    let falling = |from: f64| Schedule::Moving(Moving::Exponential { from, to: 1e-6, over: 1.0 });
    match name {
        OptimizerName::Egn => [1.0, 0.5, 0.3, 0.1]
            .map(|lr| OptimizerConfig::Egn(EgnConfig { lr: lr.into(), lambda, ..Default::default() })),
        OptimizerName::Sgn => [1.0, 0.5, 0.3, 0.1]
            .map(|lr| OptimizerConfig::Sgn(SgnConfig { lr: lr.into(), lambda, ..Default::default() })),
        OptimizerName::Adam => {
            [0.003, 0.01, 0.03, 0.1].map(|lr| OptimizerConfig::Adam(AdamConfig { lr: lr.into(), ..Default::default() }))
        }
        OptimizerName::AdamW => [0.003, 0.01, 0.03, 0.1].map(|lr| {
            // So little decay that it does not move the minimum.
            OptimizerConfig::AdamW(AdamWConfig {
                adam: AdamConfig { lr: lr.into(), ..Default::default() },
                weight_decay: 1e-8,
            })
        }),
        OptimizerName::RmsProp => [0.003, 0.01, 0.03, 0.1]
            .map(|lr| OptimizerConfig::RmsProp(RmsPropConfig { lr: falling(lr), ..Default::default() })),
        OptimizerName::Sgd => least_squares_or([3e-4, 1e-3, 1e-2, 1e-1], [0.03, 0.1, 0.3, 1.0])
            .map(|lr| OptimizerConfig::Sgd(SgdConfig { lr: lr.into(), momentum: 0.9, ..Default::default() })),
        OptimizerName::ScheduleFree => [0.01, 0.03, 0.1, 0.3]
            .map(|lr| OptimizerConfig::ScheduleFree(ScheduleFreeConfig { lr: lr.into(), ..Default::default() })),
        // Most toys have no hidden matrix: AdamW's rate is what there is to choose.
        OptimizerName::Muon => [0.003, 0.01, 0.03, 0.1].map(|lr| {
            OptimizerConfig::Muon(MuonConfig { lr: falling(0.02), adam_lr: falling(lr), ..Default::default() })
        }),
        // As little decay as AdamW.
        OptimizerName::Soap => [0.003, 0.01, 0.03, 0.1]
            .map(|lr| OptimizerConfig::Soap(SoapConfig { lr: falling(lr), weight_decay: 1e-8, ..Default::default() })),
        OptimizerName::Kron => [0.003, 0.01, 0.03, 0.1]
            .map(|lr| OptimizerConfig::Kron(KronConfig { lr: falling(lr), ..Default::default() })),
        OptimizerName::Lion => [0.001, 0.003, 0.01, 0.03]
            .map(|lr| OptimizerConfig::Lion(LionConfig { lr: falling(lr), ..Default::default() })),
    }
}

fn fewest_steps(name: OptimizerName, toy: Toy) -> Option<usize> {
    settings(name, toy).iter().filter_map(|optimizer| toy.steps(optimizer)).min()
}

#[test]
fn every_optimizer_solves_every_toy_and_egn_is_first_on_least_squares() {
    for toy in Toy::ALL {
        let steps = OptimizerName::ALL.iter().map(|&name| {
            let steps = fewest_steps(name, toy);
            println!("{toy:?} {name}: {steps:?}");
            steps.unwrap_or_else(|| panic!("{name} does not reach {:e} on {toy:?}", toy.target()))
        });
        let steps: Vec<usize> = steps.collect();
        let [egn, first_order @ .., sgn] = &steps[..] else { panic!("{steps:?}") };
        if toy.is_least_squares() {
            assert!(first_order.iter().all(|other| egn < other), "{toy:?}: {steps:?}");
            // Conjugate gradients that run to the end of so small a system are exact, too.
            assert!(egn <= sgn, "{toy:?}: {steps:?}");
        }
    }
}

#[test]
fn a_problem_of_ones_own_works_in_single_precision() {
    let mut problem = LeastSquares::<f32>::new(&[-1.2, 1.0], rosenbrock);
    let config = EgnConfig { lambda: 1e-6.into(), ..Default::default() };
    let mut optimizer: Box<dyn Optimizer<f32>> = OptimizerConfig::Egn(config).build();
    for _ in 0..5 {
        optimizer.step(&mut problem, StepContext::default()).unwrap();
    }
    assert!(problem.loss() < 1e-10, "{}", problem.loss());
}

/// As rounding may make it; here a damping does that no learner would take.
#[test]
fn conjugate_gradients_refuse_a_model_that_curves_down() {
    let mut problem = LeastSquares::<f64>::new(&[-1.2, 1.0], rosenbrock);
    let config = SgnConfig { lambda: (-1e6).into(), warm_start: false, ..Default::default() };
    let mut optimizer: Box<dyn Optimizer<f64>> = OptimizerConfig::Sgn(config).build();
    let before = problem.loss();
    let error = optimizer.step(&mut problem, StepContext::default()).unwrap_err();
    assert!(matches!(error, SolverError::NotConvex { damping: -1e6, curvature } if curvature < 0.0), "{error}");
    assert_eq!(problem.loss(), before);
}

/// NIST's Misra1a, y = θ₁ (1 − exp(−θ₂ x)), from its first start, where a full step goes astray and
/// steps of a hundredth gain: a search of fifteen trials ends above them, and the next one goes on
/// from there.
///
/// Source: NIST/ITL StRD, nonlinear regression, Misra1a, data and certified values.
#[test]
fn a_search_that_found_nothing_goes_on_where_it_ended() {
    fn misra(theta: &[f64]) -> (Vec<f64>, Vec<Vec<f64>>) {
        const DATA: [[f64; 2]; 14] = [
            [10.07, 77.6],
            [14.73, 114.9],
            [17.94, 141.1],
            [23.93, 190.8],
            [29.61, 239.9],
            [35.18, 289.0],
            [40.02, 332.8],
            [44.82, 378.4],
            [50.76, 434.8],
            [55.05, 477.3],
            [61.01, 536.8],
            [66.40, 593.1],
            [75.47, 689.1],
            [81.78, 760.0],
        ];
        let row = |[y, x]: [f64; 2]| {
            let decay = libm::exp(-theta[1] * x);
            (theta[0] * (1.0 - decay) - y, vec![1.0 - decay, theta[0] * x * decay])
        };
        DATA.into_iter().map(row).unzip()
    }
    let mut problem = LeastSquares::<f64>::new(&[500.0, 1e-4], misra);
    let config = EgnConfig { lambda: 1e-12.into(), line_search: Some(Default::default()), ..Default::default() };
    let mut optimizer: Box<dyn Optimizer<f64>> = OptimizerConfig::Egn(config).build();
    let taken = (0..100).filter(|_| optimizer.step(&mut problem, StepContext::default()).unwrap().step_norm > 0.0);
    assert!(taken.count() >= 10);
    let certified = [238.942_129_18, 5.501_564_318_1e-4];
    for (found, certified) in problem.params().to_vec().iter().zip(certified) {
        assert!((found / certified - 1.0).abs() < 1e-8, "{found} for {certified}");
    }
    assert!((2.0 * problem.loss() / 1.245_513_889_4e-1 - 1.0).abs() < 1e-9);
}
