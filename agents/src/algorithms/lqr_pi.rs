//! Policy iteration for linear-quadratic problems, with a quadratic Q-function.
//!
//! Quick facts: the cost-to-go of a linear controller is a quadratic form zᵀHz of z = (x, u), and
//! the controller that is greedy for it is linear again. A controller is evaluated by the residual
//! of Bellman's equation, which is linear in H, so that one undamped Gauss-Newton step evaluates it
//! exactly; a first-order method has to walk there.
//!
//! ```text
//! evaluate: L = (1/b) Σ ½ (zᵀHz − γ z′ᵀHz′ + c − cost)²,   z = (x, u),  z′ = (x′, −K x′)
//! improve:  K ← H_uu⁻¹ H_ux
//! ```
//!
//! Exploration is in u alone: the residual holds for whatever was done, and the greedy
//! controller is the one that is evaluated. A truncated episode's last transition counts like
//! any other. The bias c is the cost of a step that no state explains, what process noise costs
//! on average; H itself is then drawn towards flatter forms, for the residual of one transition
//! is unbiased only without noise (Baird 1995). Everything is in f64 whatever the precision of
//! the run: the system is small.
//!
//! Source: Bradtke, Ydstie, Barto (1994), "Adaptive linear quadratic control using policy
//! iteration", doi 10.1109/ACC.1994.735224; quadratic convergence of the exact iteration:
//! Hewer (1971), doi 10.1109/TAC.1971.1099755; as control experiment with Gauss-Newton: Korbit
//! et al., arXiv 2405.14402.

use std::sync::Arc;

use candle_core::{DType, Device, Tensor};
use egn_envs::{LqrProblem, Outcome};
use egn_solver::{
    Activation, Learner, Network, Products, QuadraticForm, RowSystem, SettingError, Snapshot, SolverError, State,
    StateError, loss::SquaredError, require, standard_normal,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    agent::{Agent, Learned, Update},
    context::{AgentContext, Clock, Spaces, Workload},
    error::AgentError,
    experience::{actions::Actions, rollout::Rollout},
    policies::{
        action_range::ActionRange,
        actor_plan::ActorPlan,
        actor_state::ActorState,
        greedy_rule::GreedyRule,
        policy::{Mode, Policy},
    },
    settings::agent_settings::AgentSettings,
};

/// Settings of [`LqrPi`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LqrPiConfig {
    /// γ, the discount of rewards to come, in (0, 1].
    pub gamma: f64,
    /// Steps of each environment between two improvements of the controller, 1 or more.
    pub n_steps: usize,
    /// Optimizer steps by which a controller is evaluated, all on the last rollout, 1 or more.
    pub updates: usize,
    /// Standard deviation of the exploration as a part of the action limits, above 0.
    pub noise: f64,
}

impl Default for LqrPiConfig {
    fn default() -> Self {
        // Four times as many steps as there are parameters up to 21 states and inputs, for from
        // there on the system is solved on the parameters' side. (The authors improve every 100
        // steps: cor3bit/somax 9721b86, run_experiments.py.)
        Self { gamma: 0.99, n_steps: 1000, updates: 1, noise: 0.3 }
    }
}

impl AgentSettings for LqrPiConfig {
    fn summary(&self) -> &'static str {
        "policy iteration with a quadratic Q-function (bounded continuous actions, linear-quadratic problems)"
    }

    fn validate(&self) -> Result<(), SettingError> {
        require(self.gamma > 0.0 && self.gamma <= 1.0, "gamma", "in (0, 1]", self.gamma)?;
        require(self.n_steps > 0, "n_steps", "1 or more", self.n_steps)?;
        require(self.updates > 0, "updates", "1 or more", self.updates)?;
        require(self.noise > 0.0 && self.noise.is_finite(), "noise", "positive", self.noise)
    }

    fn gamma(&self) -> f64 {
        self.gamma
    }

    fn actor(&self, spaces: Spaces<'_>) -> Result<ActorPlan, AgentError> {
        let limits = ActionRange::of(spaces.actions, "lqr-pi")?;
        let (low, high) = limits.bounds();
        let greedy = GreedyRule::Clip { low: low.to_vec(), high: high.to_vec() };
        let n_states = spaces.n_observations;
        // The controller's output is −K x, and its bias is zero.
        let network = Network::mlp(&[n_states, limits.width()], Activation::Identity);
        Ok(ActorPlan::new(network, greedy, move |network| {
            let mut controller = LinearController::idle(n_states, limits.clone());
            controller.set_parameters(&network.parameters());
            Arc::new(controller)
        }))
    }

    fn workload(&self, spaces: Spaces<'_>, n_envs: usize, _total_steps: u64) -> Workload {
        let transitions = (self.n_steps as u64).saturating_mul(n_envs as u64);
        let n_products = Products { n_inputs: spaces.n_observations + spaces.n_actions() }.n_outputs();
        Workload { widths: vec![n_products, 1], transitions, batch_size: transitions, rows_per_sample: 1 }
    }

    fn build(&self, context: &AgentContext) -> Result<Box<dyn Agent>, AgentError> {
        Ok(Box::new(LqrPi::new(self.clone(), context)?))
    }
}

/// The LQR policy iteration agent.
pub struct LqrPi {
    config: LqrPiConfig,
    /// Linear in the difference of products φ(z) − γ φ(z′); its weights are
    /// the upper triangle of H.
    form: Learner,
    /// The controller that is being evaluated.
    controller: LinearController,
    /// What reports are measured against.
    optimum: Option<Optimum>,
}

impl LqrPi {
    /// Makes the agent, ready to act: u = 0 but for exploration.
    ///
    /// # Errors
    /// When actions are not continuous and bounded.
    pub fn new(config: LqrPiConfig, context: &AgentContext) -> Result<Self, AgentError> {
        let limits = ActionRange::of(&context.action_space, "lqr-pi")?;
        let n = context.observation_space.len();
        let n_products = Products { n_inputs: n + limits.width() }.n_outputs();
        let params = Tensor::zeros(n_products + 1, DType::F64, &Device::Cpu).map_err(SolverError::from)?;
        let linear = Network::mlp(&[n_products, 1], Activation::Identity);
        Ok(Self {
            form: Learner::from_params(linear, params, &context.optimizer)?,
            controller: LinearController::idle(n, limits),
            optimum: None,
            config,
        })
    }

    /// Makes the agent also report how far it is from the optimum of `problem`, where that is known
    /// for its discount; nothing is learned from it.
    pub fn with_optimum_of(self, problem: &LqrProblem) -> Self {
        Self { optimum: Optimum::of(problem, self.config.gamma), ..self }
    }

    /// φ(z) − γ φ(z′) of every transition (b, p), and its cost (b).
    fn equations(&self, rollout: &Rollout) -> Result<(Tensor, Vec<f64>), SolverError> {
        let n = self.controller.n_states();
        let Actions::Continuous { values: actions, width } = &rollout.actions else {
            panic!("a continuous action space gives continuous actions")
        };
        let states = rollout.observations.chunks_exact(n).zip(rollout.next_observations.chunks_exact(n));
        let (mut now, mut after) = (Vec::new(), Vec::new());
        for ((state, next), action) in states.zip(actions.chunks_exact(*width)) {
            now.extend([double(state), double(action)].concat());
            let next = double(next);
            let reply = self.controller.input(&next);
            after.extend([next, reply].concat());
        }
        let products = Products { n_inputs: n + *width };
        let (mut features, mut ahead) = (Vec::new(), Vec::new());
        products.apply(&now, &mut features);
        products.apply(&after, &mut ahead);
        let p = products.n_outputs();
        let rows = features.chunks_exact_mut(p).zip(ahead.chunks_exact(p)).zip(&rollout.outcomes);
        for ((row, ahead), outcome) in rows {
            let gamma = if *outcome == Outcome::Terminated { 0.0 } else { self.config.gamma };
            row.iter_mut().zip(ahead).for_each(|(now, after)| *now -= gamma * after);
        }
        let costs = rollout.rewards.iter().map(|&reward| -reward).collect();
        Ok((Tensor::from_vec(features, (rollout.len(), p), &Device::Cpu)?, costs))
    }

    /// The learned form as a network of (x, u).
    fn quadratic(&self) -> Result<Snapshot, SolverError> {
        let linear = self.form.snapshot();
        let n_inputs = self.controller.n_states() + self.controller.limits.width();
        Snapshot::new(Network::quadratic(n_inputs, true), &linear.to_tensor()?)
    }

    /// ‖K* − K‖ / ‖K*‖ and ‖H* − H‖ / ‖H*‖, where they are known.
    fn distances(&self, form: &QuadraticForm) -> Vec<(&'static str, f64)> {
        let Some(optimum) = &self.optimum else { return Vec::new() };
        vec![
            ("gain_error", relative_error(&self.controller.gain, &optimum.gain)),
            ("form_error", relative_error(&form.matrix, &optimum.form)),
        ]
    }
}

/// What the iteration should end at.
struct Optimum {
    /// H*, (n + m)², of the cost-to-go.
    form: Vec<f64>,
    /// K*, (m, n).
    gain: Vec<f64>,
}

impl Optimum {
    /// H* = [Q 0; 0 R] + γ [A B]ᵀ P [A B], for the discounts whose P is known.
    fn of(problem: &LqrProblem, gamma: f64) -> Option<Self> {
        let known = [&problem.optimum, &problem.discounted_optimum];
        let optimum = known.into_iter().find(|optimum| optimum.discount == gamma)?;
        let (n, m) = (problem.n_states, problem.n_inputs);
        let ahead = |state: usize, j: usize| {
            if j < n { problem.dynamics[state * n + j] } else { problem.input[state * m + j - n] }
        };
        let mut form = vec![0.0; (n + m) * (n + m)];
        for i in 0..n + m {
            for j in 0..n + m {
                let now = match (i < n, j < n) {
                    (true, true) => problem.state_cost[i * n + j],
                    (false, false) => problem.input_cost[(i - n) * m + j - n],
                    _ => 0.0,
                };
                let next: f64 = (0..n)
                    .map(|k| ahead(k, i) * (0..n).map(|l| optimum.value[k * n + l] * ahead(l, j)).sum::<f64>())
                    .sum();
                form[i * (n + m) + j] = now + gamma * next;
            }
        }
        Some(Self { form, gain: optimum.gain.to_vec() })
    }
}

fn relative_error(found: &[f64], wanted: &[f64]) -> f64 {
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|x| x * x).sum::<f64>().sqrt();
    norm(&mut found.iter().zip(wanted).map(|(a, b)| a - b)) / norm(&mut wanted.iter().copied())
}

impl Agent for LqrPi {
    fn steps_per_rollout(&self) -> usize {
        self.config.n_steps
    }

    fn policy(&self) -> Result<Arc<dyn Policy>, AgentError> {
        Ok(Arc::new(LinearController { noise: self.config.noise, ..self.controller.clone() }))
    }

    fn learn(&mut self, rollout: &Rollout, clock: Clock) -> Result<Learned, AgentError> {
        let mut learned = Learned::default();
        let (features, costs) = self.equations(rollout)?;
        let loss = SquaredError { targets: &costs };
        for i in 0..self.config.updates {
            let result = self.form.step(&features, &loss, clock.context(i == 0));
            learned.updates.push(Update { network: "form", result });
        }
        let quadratic = self.quadratic()?;
        self.controller = self.controller.improved(&quadratic);
        if let Some(form) = quadratic.quadratic_form() {
            learned.metrics = self.distances(&form);
        }
        Ok(learned)
    }

    fn policy_network(&self) -> Result<Snapshot, AgentError> {
        let controller = &self.controller;
        let network = Network::mlp(&[controller.n_states(), controller.limits.width()], Activation::Identity);
        let params = Tensor::new(controller.parameters(), &Device::Cpu).map_err(SolverError::from)?;
        Ok(Snapshot::new(network, &params)?)
    }

    fn state(&self) -> State {
        let mut state = State::default();
        state.put_part("form", self.form.state());
        state.put("controller/params", &self.controller.parameters());
        state
    }

    fn restore(&mut self, state: &State) -> Result<(), StateError> {
        self.form.restore(&state.part("form"))?;
        let n_params = self.controller.parameters().len();
        self.controller.set_parameters(&state.get_all("controller/params", n_params)?);
        Ok(())
    }
}

fn double(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&x| f64::from(x)).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The linear controller u = −K x, within the limits of the actions.
#[derive(Debug, Clone)]
pub struct LinearController {
    /// K (m, n).
    gain: Vec<f64>,
    limits: ActionRange,
    /// Standard deviation of the exploration as a part of the limits.
    noise: f64,
}

impl LinearController {
    /// u = 0 for states of n entries.
    fn idle(n_states: usize, limits: ActionRange) -> Self {
        Self { gain: vec![0.0; limits.width() * n_states], limits, noise: 0.0 }
    }

    /// n.
    fn n_states(&self) -> usize {
        self.gain.len() / self.limits.width()
    }

    /// K = H_uu⁻¹ H_ux where H_uu is positive definite; the present gain elsewhere, since there
    /// the form has no least cost.
    fn improved(&self, form: &Snapshot) -> Self {
        let Some(QuadraticForm { matrix, .. }) = form.quadratic_form() else { return self.clone() };
        let (n, m) = (self.n_states(), self.limits.width());
        let entry = |i: usize, j: usize| matrix[(n + i) * (n + m) + j];
        let mut system = RowSystem::default();
        let mut gain = vec![0.0; m * n];
        for state in 0..n {
            let mut column: Vec<f64> = (0..m).map(|input| entry(input, state)).collect();
            system.gram_mut(m).iter_mut().enumerate().for_each(|(at, h)| *h = entry(at % m, n + at / m));
            if system.solve(0.0, 1, &mut column).is_err() {
                return self.clone();
            }
            column.into_iter().enumerate().for_each(|(input, k)| gain[input * n + state] = k);
        }
        Self { gain, ..self.clone() }
    }

    /// Weights (n, m) and bias of a network whose output is −K x.
    fn parameters(&self) -> Vec<f64> {
        let (n, m) = (self.n_states(), self.limits.width());
        let weights = (0..n * m).map(|at| -self.gain[at % m * n + at / m]);
        weights.chain(std::iter::repeat_n(0.0, m)).collect()
    }

    /// Takes the K of such parameters.
    fn set_parameters(&mut self, params: &[f64]) {
        let (n, m) = (self.n_states(), self.limits.width());
        self.gain.iter_mut().enumerate().for_each(|(at, k)| *k = -params[at % n * m + at / n]);
    }

    /// −K x, within the limits.
    fn input(&self, state: &[f64]) -> Vec<f64> {
        let rows = self.gain.chunks_exact(state.len());
        rows.enumerate().map(|(j, row)| self.limits.clamp(j, -dot(row, state))).collect()
    }
}

impl Policy for LinearController {
    fn act(
        &self,
        observations: &[f32],
        mode: Mode,
        states: &mut [ActorState],
        actions: &mut Actions,
    ) -> Result<(), AgentError> {
        let Actions::Continuous { values, .. } = actions else {
            return Err(AgentError::ActionSpace { agent: "lqr-pi", needs: "continuous" });
        };
        for (state, actor) in observations.chunks_exact(self.n_states()).zip(states) {
            for (j, input) in self.input(&double(state)).into_iter().enumerate() {
                let noise = match mode {
                    Mode::Greedy => 0.0,
                    Mode::Explore { .. } => self.noise * self.limits.half_width(j) * standard_normal(&mut actor.rng),
                };
                // Within the limits here, so that what is learned from is what was done.
                values.push(self.limits.clamp(j, input + noise) as f32);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use egn_envs::{LqrId, Space};

    use super::*;

    #[test]
    fn the_optimal_form_has_the_optimal_gain_and_no_residual() {
        for index in 0..LqrId::COUNT {
            let problem = LqrId::new(index).problem();
            let optimum = Optimum::of(problem, 0.99).unwrap();
            let (n, m) = (problem.n_states, problem.n_inputs);
            let actions = Space::symmetric(vec![f32::MAX; m]);
            let upper: Vec<f64> = (0..n + m)
                .flat_map(|i| (i..n + m).map(move |j| i * (n + m) + j))
                .map(|at| optimum.form[at])
                .chain([0.0])
                .collect();
            let form =
                Snapshot::new(Network::quadratic(n + m, true), &Tensor::new(upper, &Device::Cpu).unwrap()).unwrap();
            let controller = LinearController::idle(n, ActionRange::of(&actions, "lqr-pi").unwrap()).improved(&form);
            let error = relative_error(&controller.gain, &optimum.gain);
            assert!(error < 1e-5, "{}: {error:e}", problem.name);

            // Bellman's equation, for whatever is done.
            let quadratic = |matrix: &[f64], z: &[f64]| {
                matrix.chunks_exact(z.len()).zip(z).map(|(row, zi)| zi * dot(row, z)).sum::<f64>()
            };
            let draw = |scale: f64, count: usize| (1..=count).map(|i| libm::sin(scale * i as f64)).collect::<Vec<_>>();
            let (state, input) = (draw(0.7, n), draw(1.9, m));
            let rows = problem.dynamics.chunks_exact(n).zip(problem.input.chunks_exact(m));
            let next: Vec<f64> = rows.map(|(a, b)| dot(a, &state) + dot(b, &input)).collect();
            let cost = quadratic(&problem.state_cost, &state) + quadratic(&problem.input_cost, &input);
            let reply = controller.input(&next);
            let now = quadratic(&optimum.form, &[state, input].concat());
            let residual = now - 0.99 * quadratic(&optimum.form, &[next, reply].concat()) - cost;
            assert!(residual.abs() < 1e-5 * now.abs(), "{}: {residual:e} of {now:e}", problem.name);
        }
    }
}
