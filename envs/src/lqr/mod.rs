//! Linear-quadratic regulators: tasks whose best controller is known in closed form.
//!
//! x' = A x + B u (+ noise), reward −(xᵀQx + uᵀRu), x₀ ~ N(0, I). The best controller is u = −K x
//! with cost-to-go xᵀPx, so that an agent can be measured against the optimum itself: without noise
//! its expected undiscounted return is −tr P.
//!
//! The problems are those of `tests/data/lqr.json` (solved with SciPy 1.17.1), under `LQR/<name>`.
//!
//! *Design.* A bad controller lets an unstable plant run away. Ending such an episode as terminated
//! would reward the agent for it (no more cost), so it is truncated: the future still counts. The
//! action box spans ten standard deviations of the best controller's inputs, wide enough that it
//! is never clipped from likely states, narrow enough to rescale squashed actions to.
//!
//! Setting by name: `process_noise`.

pub mod id;
pub mod problem;
#[rustfmt::skip]
mod problems;

use std::borrow::Cow;

use rand::RngCore;

use crate::action::Action;
use crate::env::{Env, Step};
use crate::episode::EpisodePhase;
use crate::error::EnvError;
use crate::frame::{BLACK, Frame, WHITE, rectangle};
use crate::numpy::pcg64::standard_normal;
use crate::registration::{Registration, made};
use crate::space::Space;

use id::LqrId;
use problem::{LqrProblem, dot, quadratic};

/// The environment of an [`LqrProblem`].
#[derive(Debug, Clone)]
pub struct Lqr {
    problem: Cow<'static, LqrProblem>,
    process_noise: f64,
    observation_space: Space,
    action_space: Space,
    state: Vec<f64>,
    input: Vec<f64>,
    /// Where the next state grows before it replaces `state`.
    next_state: Vec<f64>,
    phase: EpisodePhase,
}

impl Lqr {
    /// A linear plant without noise.
    pub fn new(problem: Cow<'static, LqrProblem>) -> Self {
        let (n, m) = (problem.n_states, problem.n_inputs);
        let limits = problem.action_limit.iter().map(|&limit| limit as f32).collect();
        Lqr {
            process_noise: 0.0,
            observation_space: Space::symmetric(vec![f32::INFINITY; n]),
            action_space: Space::symmetric(limits),
            state: vec![0.0; n],
            input: vec![0.0; m],
            next_state: vec![0.0; n],
            phase: EpisodePhase::NotStarted,
            problem,
        }
    }

    /// Adds noise N(0, σ²) to every state in every step. The best controller stays the same; it
    /// then costs σ² tr P a step in the long run.
    ///
    /// # Errors
    /// [`EnvError::Setting`] unless σ is finite and not negative.
    pub fn with_process_noise(self, deviation: f64) -> Result<Self, EnvError> {
        if !deviation.is_finite() || deviation < 0.0 {
            let (setting, accepted) = ("process_noise", "a finite number from 0");
            return Err(EnvError::Setting { setting, value: deviation.into(), accepted });
        }
        Ok(Lqr { process_noise: deviation, ..self })
    }

    /// The problem: matrices, optima and limits.
    pub fn problem(&self) -> &LqrProblem {
        &self.problem
    }

    /// The state in double precision; observations are its rounding.
    pub fn state(&self) -> &[f64] {
        &self.state
    }

    /// Begins an episode at `state`, without a draw.
    ///
    /// # Panics
    /// When `state` has not one entry for every state of the plant.
    pub fn set_state(&mut self, state: &[f64]) {
        self.state.copy_from_slice(state);
        self.phase = EpisodePhase::Running;
    }

    /// x ← A x + B u + noise.
    fn advance(&mut self, rng: &mut dyn RngCore) {
        let (n, m) = (self.problem.n_states, self.problem.n_inputs);
        let rows = self.problem.dynamics.chunks_exact(n).zip(self.problem.input.chunks_exact(m));
        for (next, (a, b)) in self.next_state.iter_mut().zip(rows) {
            *next = dot(a, &self.state) + dot(b, &self.input);
            if self.process_noise > 0.0 {
                *next += self.process_noise * standard_normal(rng);
            }
        }
        std::mem::swap(&mut self.state, &mut self.next_state);
    }

    /// A bar for every state and, darker, every input; a bar at the edge is at a tenth of the state
    /// limit or at the action limit.
    fn picture(&self) -> Frame {
        const SIDE: f64 = 400.0;
        let limit = self.problem.state_limit / 10.0;
        let states = self.state.iter().map(|x| (x / limit, [66, 133, 196]));
        let inputs = self.input.iter().zip(&*self.problem.action_limit).map(|(u, limit)| (u / limit, [160, 60, 50]));
        let width = SIDE / (self.state.len() + self.input.len()) as f64;
        let mut frame = Frame::new(SIDE as usize, SIDE as usize, WHITE);
        for (i, (share, color)) in states.chain(inputs).enumerate() {
            let (left, height) = (i as f64 * width, share.clamp(-1.0, 1.0) * SIDE / 2.0);
            let bar = rectangle(left + 0.1 * width, left + 0.9 * width, SIDE / 2.0, SIDE / 2.0 + height);
            frame.fill_polygon(&bar, color);
        }
        frame.line([0.0, SIDE / 2.0], [SIDE, SIDE / 2.0], 1.0, BLACK);
        frame
    }

    fn observe(&self, observation: &mut [f32]) {
        assert_eq!(observation.len(), self.state.len(), "one entry for every state");
        for (entry, &x) in observation.iter_mut().zip(&self.state) {
            *entry = x as f32;
        }
    }
}

/// What the registry knows of problem `id`.
pub(crate) fn registration(id: LqrId) -> Registration {
    let problem = id.problem();
    Registration {
        id: &problem.name,
        max_episode_steps: Some(problem.max_episode_steps),
        reward_threshold: problem.reward_threshold(),
        // Ours, a speed at which one can follow.
        frames_per_second: 20.0,
        source: &problem.source,
        spaces: None,
        make: made(move |settings| {
            let process_noise = settings.number("process_noise", 0.0)?;
            Lqr::new(Cow::Borrowed(problem)).with_process_noise(process_noise)
        }),
    }
}

impl Env for Lqr {
    fn observation_space(&self) -> &Space {
        &self.observation_space
    }

    fn action_space(&self) -> &Space {
        &self.action_space
    }

    fn reset(&mut self, rng: &mut dyn RngCore, observation: &mut [f32]) -> Result<(), EnvError> {
        self.state.fill_with(|| standard_normal(rng));
        self.phase = EpisodePhase::Running;
        self.observe(observation);
        Ok(())
    }

    fn step(&mut self, action: Action<'_>, rng: &mut dyn RngCore, observation: &mut [f32]) -> Result<Step, EnvError> {
        self.phase.require_running()?;
        let action = action.as_continuous(self.problem.n_inputs)?;
        let limits = self.problem.action_limit.iter();
        for ((input, &u), limit) in self.input.iter_mut().zip(action).zip(limits) {
            *input = f64::from(u).clamp(-limit, *limit);
        }
        let cost = quadratic(&self.problem.state_cost, &self.state) + quadratic(&self.problem.input_cost, &self.input);
        self.advance(rng);
        let truncated = self.state.iter().any(|x| x.abs() > self.problem.state_limit);
        self.phase = EpisodePhase::after(truncated);
        self.observe(observation);
        Ok(Step { reward: -cost, terminated: false, truncated })
    }

    fn render(&self) -> Option<Frame> {
        Some(self.picture())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::Outcome;
    use crate::numpy::pcg64::Pcg64;

    fn double_integrator() -> Lqr {
        Lqr::new(Cow::Borrowed(LqrId::new(0).problem()))
    }

    #[test]
    fn one_step_by_hand() {
        // x = (1, 2), u = 3: x' = (1 + 2, 2 + 3), cost 1² + 3² (Q weighs the position only).
        let mut env = double_integrator();
        env.set_state(&[1.0, 2.0]);
        let mut observation = [0.0; 2];
        let step = env.step(Action::Continuous(&[3.0]), &mut Pcg64::seed_from(0), &mut observation);
        let expected = Step { reward: -10.0, terminated: false, truncated: false };
        assert_eq!(step.expect("step"), expected);
        assert_eq!(observation, [3.0, 5.0]);
    }

    #[test]
    fn a_runaway_plant_is_truncated_not_terminated() {
        let mut env = double_integrator();
        env.set_state(&[0.0, 0.0]);
        let (mut rng, mut observation) = (Pcg64::seed_from(0), [0.0; 2]);
        let outcome = (0..1000).find_map(|_| {
            let step = env.step(Action::Continuous(&[1e30]), &mut rng, &mut observation);
            Some(step.expect("step").outcome()).filter(|outcome| outcome.is_end())
        });
        assert_eq!(outcome, Some(Outcome::Truncated));
    }

    #[test]
    fn noise_costs_its_variance_times_the_trace_in_the_long_run() {
        let (deviation, n_steps) = (0.1, 200_000);
        let mut env = double_integrator().with_process_noise(deviation).expect("a deviation");
        env.set_state(&[0.0, 0.0]);
        let (mut rng, mut observation) = (Pcg64::seed_from(0), [0.0; 2]);
        let mut cost = 0.0;
        for _ in 0..n_steps {
            let input = env.problem().optimum.input(env.state())[0] as f32;
            let step = env.step(Action::Continuous(&[input]), &mut rng, &mut observation);
            cost -= step.expect("step").reward;
        }
        let expected = deviation * deviation * env.problem().optimum.expected_cost(2);
        let mean = cost / f64::from(n_steps);
        assert!((mean / expected - 1.0).abs() < 0.03, "{mean}, expected {expected}");
    }

    #[test]
    fn negative_noise_is_refused() {
        let refused = double_integrator().with_process_noise(-1.0);
        assert!(refused.expect_err("negative").to_string().contains("process_noise is -1"));
    }
}
