//! Categorical deep Q-networks.
//!
//! Quick facts: off-policy, discrete actions; a network with a distribution over N fixed returns,
//! the atoms, for every action, and its target network. Only the chosen action's atoms have rows in
//! the Gauss-Newton system: N − 1 a sample, so batches times atoms is its size, or one with a
//! sampled curvature ([`ChosenDistribution`] has Q).
//!
//! ```text
//! zᵢ = v_min + i (v_max − v_min)/(N − 1),  p(s, a) = softmax θ(s, a),  Q(s, a) = Σ zᵢ pᵢ(s, a)
//! a* = argmaxₐ Q̄(s′, a)                    (double: argmaxₐ Q(s′, a))
//! m = Φ p̄(s′, a*) at R + Γ z               Φ: onto the atoms, mass shared between neighbors
//! L = −(1/b) Σ Σᵢ mᵢ log pᵢ(s, a)
//! ```
//!
//! R and Γ are reward and discount of a window of n steps ([`crate::replay`]): Γ is zero where it
//! ends the episode, and not where a time limit does. What lies beyond the outermost atoms becomes
//! theirs, so v_min and v_max have to hold every return that counts.
//!
//! Source: Bellemare, Dabney, Munos (2017), arXiv 1707.06887, algorithm 1. Atoms as there, other
//! settings as in Stable-Baselines3's DQN.

use std::sync::Arc;

use egn_solver::{
    Network, Schedule, SettingError, Snapshot, SolverError, State, StateError,
    loss::{ChosenDistribution, Curvature, Sampled, log_softmax},
    require,
    schedule::Moving,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    agent::{Agent, Learned, Update},
    context::{AgentContext, Clock, Spaces, Workload},
    error::AgentError,
    experience::{
        replay::{ReplayBuffer, Transitions},
        rollout::Rollout,
    },
    networks::q_learning::QLearning,
    policies::{
        actor_plan::ActorPlan,
        greedy_rule::ActionValues,
        policy::{Policy, batch_of},
    },
    settings::{agent_settings::AgentSettings, q_learning::QLearningSettings, replay::ReplaySettings},
};

/// Settings of [`C51`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct C51Config {
    /// Settings of every agent that acts by the values of its actions.
    #[serde(flatten)]
    pub q: QLearningSettings,
    /// N, atoms of an action's return, 2 or more.
    pub n_atoms: usize,
    /// The return of the first atom, finite and below `v_max`.
    pub v_min: f64,
    /// The return of the last atom, finite and above `v_min`.
    pub v_max: f64,
    /// Whether the online network chooses the next action.
    pub double: bool,
    /// Curvature of the loss that EGN sees: `exact`, N − 1 rows a sample, or `sampled`, one.
    pub curvature: Curvature,
}

impl Default for C51Config {
    fn default() -> Self {
        Self {
            q: QLearningSettings {
                exploration: Schedule::Moving(Moving::Linear { from: 1.0, to: 0.01, over: 0.1 }),
                ..QLearningSettings::default()
            },
            // Bellemare et al. (2017), section 5, for rewards within ±1.
            n_atoms: 51,
            v_min: -10.0,
            v_max: 10.0,
            // Stable-Baselines3's DQN; ε falls to 0.01 as in the paper.
            double: false,
            curvature: Curvature::Exact,
        }
    }
}

impl AgentSettings for C51Config {
    fn summary(&self) -> &'static str {
        "categorical deep Q-networks: a distribution over fixed returns (discrete actions)"
    }

    fn validate(&self) -> Result<(), SettingError> {
        self.q.validate()?;
        require(self.n_atoms > 1, "n_atoms", "2 or more", self.n_atoms)?;
        require(self.v_min.is_finite(), "v_min", "finite", self.v_min)?;
        require(self.v_max > self.v_min && self.v_max.is_finite(), "v_max", "finite and above v_min", self.v_max)
    }

    fn gamma(&self) -> f64 {
        self.q.replay.gamma
    }

    fn replay(&self) -> Option<&ReplaySettings> {
        Some(&self.q.replay)
    }

    fn actor(&self, spaces: Spaces<'_>) -> Result<ActorPlan, AgentError> {
        Ok(self.q.actor(self.architecture(spaces)?, self.values()))
    }

    fn workload(&self, spaces: Spaces<'_>, _n_envs: usize, total_steps: u64) -> Workload {
        let rows_per_sample = match self.curvature {
            Curvature::Exact => self.n_atoms - 1,
            Curvature::Sampled => 1,
        };
        self.q.workload(spaces, self.n_atoms, rows_per_sample, total_steps)
    }

    fn build(&self, context: &AgentContext) -> Result<Box<dyn Agent>, AgentError> {
        Ok(Box::new(C51::new(self.clone(), context)?))
    }
}

impl C51Config {
    fn architecture(&self, spaces: Spaces<'_>) -> Result<Network, AgentError> {
        let n_actions = spaces.n_discrete("c51")?;
        self.q.network(spaces, n_actions * self.n_atoms)
    }

    /// z, (N).
    fn support(&self) -> Vec<f64> {
        let (range, last) = (self.v_max - self.v_min, (self.n_atoms - 1) as f64);
        (0..self.n_atoms).map(|i| self.v_min + range * i as f64 / last).collect()
    }

    fn values(&self) -> ActionValues {
        ActionValues::Expectation { support: self.support() }
    }
}

/// The C51 agent.
pub struct C51 {
    config: C51Config,
    q: QLearning,
}

impl C51 {
    /// Makes the agent, ready to act.
    ///
    /// # Errors
    /// When the action space is not discrete, or the network cannot be made.
    pub fn new(config: C51Config, context: &AgentContext) -> Result<Self, AgentError> {
        let network = config.architecture(context.spaces())?;
        let q = config.q.q_learning("atoms", network, config.values(), 0.0, context)?;
        Ok(Self { config, q })
    }

    /// m of every transition, (b, N).
    fn targets(&mut self, batch: &Transitions) -> Result<Vec<f64>, SolverError> {
        let next = batch_of(&batch.next_observations, self.q.experience.width)?;
        let outputs = self.q.target.network().predict(&next)?;
        let choice = if self.config.double { self.q.online.forward(&next)? } else { &outputs };
        let (n, support) = (self.config.n_atoms, self.config.support());
        let (mut p, mut targets) = (vec![0.0; n], vec![0.0; batch.rewards.len() * n]);
        let windows = batch.rewards.iter().zip(&batch.discounts);
        for ((target, (&reward, &discount)), (row, choice)) in
            targets.chunks_exact_mut(n).zip(windows).zip(outputs.rows().zip(choice.rows()))
        {
            let best = self.q.values.best(choice) as usize;
            log_softmax(&row[best * n..(best + 1) * n], &mut p);
            p.iter_mut().for_each(|p| *p = libm::exp(*p));
            project(&support, reward, discount, &p, target);
        }
        Ok(targets)
    }

    fn update(&mut self, clock: Clock, first: bool) -> Result<Update, SolverError> {
        let batch = self.q.experience.batch(0.0);
        let targets = self.targets(&batch)?;
        let observations = batch_of(&batch.observations, self.q.experience.width)?;
        let actions = batch.actions.discrete();
        let loss = ChosenDistribution { actions, targets: &targets, n_atoms: self.config.n_atoms };
        let context = clock.context(first);
        let result = match self.config.curvature {
            Curvature::Exact => self.q.online.step(&observations, &loss, context),
            Curvature::Sampled => {
                self.q.online.step(&observations, &Sampled::new(&loss, &mut self.q.experience.rng), context)
            }
        };
        Ok(Update { network: self.q.name, result })
    }
}

/// Φ, added to `projected` (N): each mass of `p` (N) moves from its atom z of `support` to
/// R + Γz, no further than the outermost atoms, and is shared between the two atoms there
/// in proportion to nearness.
fn project(support: &[f64], reward: f64, discount: f64, p: &[f64], projected: &mut [f64]) {
    let last = support.len() - 1;
    let (low, high) = (support[0], support[last]);
    let spacing = (high - low) / last as f64;
    for (mass, z) in p.iter().zip(support) {
        let position = ((reward + discount * z).clamp(low, high) - low) / spacing;
        let left = (position as usize).min(last - 1);
        let share = (position - left as f64).min(1.0);
        projected[left] += mass * (1.0 - share);
        projected[left + 1] += mass * share;
    }
}

impl Agent for C51 {
    fn steps_per_rollout(&self) -> usize {
        self.config.q.replay.train_freq
    }

    fn policy(&self) -> Result<Arc<dyn Policy>, AgentError> {
        Ok(self.q.policy())
    }

    fn learn(&mut self, rollout: &Rollout, clock: Clock) -> Result<Learned, AgentError> {
        let n_updates = self.q.collect(rollout, clock);
        let updates = (0..n_updates).map(|i| self.update(clock, i == 0)).collect::<Result<_, _>>()?;
        Ok(self.q.learned(updates, clock))
    }

    fn replay(&mut self) -> Option<&mut ReplayBuffer> {
        Some(&mut self.q.experience.replay)
    }

    fn policy_network(&self) -> Result<Snapshot, AgentError> {
        Ok(self.q.online.snapshot())
    }

    fn state(&self) -> State {
        self.q.state()
    }

    fn restore(&mut self, state: &State) -> Result<(), StateError> {
        self.q.restore(state)
    }
}

#[cfg(test)]
mod tests {
    use egn_envs::{Outcome, Space};
    use egn_solver::{OptimizerName, Precision};
    use rand::Rng;

    use super::*;
    use crate::{
        experience::actions::Actions,
        recorded::assert_close,
        streams::{Purpose, stream},
    };

    /// Φ from its definition, eq. 7 of the paper: an atom takes of each mass as much as a triangle
    /// of one spacing to either side allows.
    fn projected(support: &[f64], reward: f64, discount: f64, p: &[f64]) -> Vec<f64> {
        let (low, high) = (support[0], support[support.len() - 1]);
        let spacing = support[1] - support[0];
        let moved = |z: &f64| (reward + discount * z).max(low).min(high);
        let triangle = |z: f64, at: f64| (1.0 - (at - z).abs() / spacing).clamp(0.0, 1.0);
        support.iter().map(|z| p.iter().zip(support).map(|(p, from)| p * triangle(*z, moved(from))).sum()).collect()
    }

    fn config(n_atoms: usize, v_min: f64, v_max: f64) -> C51Config {
        C51Config { n_atoms, v_min, v_max, ..C51Config::default() }
    }

    fn ours(support: &[f64], reward: f64, discount: f64, p: &[f64]) -> Vec<f64> {
        let mut target = vec![0.0; p.len()];
        project(support, reward, discount, p, &mut target);
        target
    }

    #[test]
    fn a_projection_is_that_of_its_definition_and_keeps_mass_and_mean() {
        let mut rng = stream(3, Purpose::Learning, 0);
        for _ in 0..500 {
            let (n, v_min) = (rng.random_range(2..60), rng.random_range(-20.0..5.0));
            let support = config(n, v_min, v_min + rng.random_range(0.1..40.0)).support();
            let weights: Vec<f64> = (0..n).map(|_| rng.random::<f64>()).collect();
            let p: Vec<f64> = weights.iter().map(|w| w / weights.iter().sum::<f64>()).collect();
            let mean = |p: &[f64]| p.iter().zip(&support).map(|(p, z)| p * z).sum::<f64>();
            for discount in [0.0, 0.5, 0.97, 1.0] {
                let reward = rng.random_range(-30.0..30.0);
                let target = ours(&support, reward, discount, &p);
                assert_close(&target, &projected(&support, reward, discount, &p), 1e-10);
                assert!((target.iter().sum::<f64>() - 1.0).abs() < 1e-12 && target.iter().all(|&m| m >= 0.0));
                // Towards the middle of the support nothing is cut off.
                let middle = 0.5 * (support[0] + support[n - 1]);
                let inside = (1.0 - discount) * middle;
                assert!((mean(&ours(&support, inside, discount, &p)) - inside - discount * mean(&p)).abs() < 1e-10);
            }
        }
    }

    #[test]
    fn projections_by_hand() {
        let (support, p) = (config(5, 0.0, 4.0).support(), [0.1, 0.2, 0.3, 0.2, 0.2]);
        assert_eq!(support, [0.0, 1.0, 2.0, 3.0, 4.0]);
        // An end: every mass at the reward, whatever p is.
        assert_close(&ours(&support, 1.25, 0.0, &p), &[0.0, 0.75, 0.25, 0.0, 0.0], 1e-15);
        // Beyond the outermost atoms: all of it on them.
        assert_close(&ours(&support, 9.0, 0.0, &p), &[0.0, 0.0, 0.0, 0.0, 1.0], 1e-15);
        assert_close(&ours(&support, -9.0, 1.0, &p), &[1.0, 0.0, 0.0, 0.0, 0.0], 1e-15);
        // Three steps of reward 1, then γ³ = ⅛: from 1¾ on, an eighth apart.
        let moved = [0.25 - 0.0, 0.25 - 0.125, 0.0, 0.125, 0.25];
        let two = 1.0 - moved.iter().zip(p).map(|(off, p)| off * p).sum::<f64>();
        let (one, three) = (0.25 * 0.1 + 0.125 * 0.2, 0.125 * 0.2 + 0.25 * 0.2);
        assert_close(&ours(&support, 1.75, 0.125, &p), &[0.0, one, two, three, 0.0], 1e-15);
        // Nothing moves: bit for bit what it was.
        assert_eq!(ours(&support, 0.0, 1.0, &p), p);
    }

    fn context() -> AgentContext {
        AgentContext {
            observation_space: Space::symmetric(vec![1.0; 2]),
            action_space: Space::Discrete { n: 3 },
            total_steps: 100,
            seed: 5,
            precision: Precision::F64,
            optimizer: OptimizerName::Adam.into(),
            critic_optimizer: OptimizerName::Adam.into(),
        }
    }

    /// Ends of an episode, by the environment and by a time limit, and a step that goes on.
    fn rollout() -> Rollout {
        Rollout {
            n_envs: 1,
            n_steps: 3,
            observations: vec![0.1, 0.2, 0.3, 0.4, 0.5, 0.6],
            actions: Actions::Discrete(vec![0, 1, 2]),
            rewards: vec![1.0, 2.0, 3.0],
            next_observations: vec![0.7, 0.8, 0.9, 1.0, -1.1, 1.2],
            outcomes: vec![Outcome::Terminated, Outcome::Truncated, Outcome::Continues],
        }
    }

    #[test]
    fn targets_bootstrap_from_the_best_action_unless_the_episode_has_ended() {
        for double in [false, true] {
            let replay = ReplaySettings { hidden: vec![8], gamma: 0.5, learning_starts: 0, ..Default::default() };
            let q = QLearningSettings { replay, ..QLearningSettings::default() };
            let config = C51Config { q, double, ..config(7, 0.0, 6.0) };
            let support = config.support();
            let mut agent = C51::new(config, &context()).unwrap();
            let clock = Clock { env_steps: 3, total_steps: 100, diagnose: false };
            // Some steps, after which the two networks differ.
            for _ in 0..200 {
                agent.learn(&rollout(), clock).unwrap();
            }
            let (online, target) = (agent.q.online.snapshot(), agent.q.target.network().clone());
            assert_ne!(online.parameters(), target.parameters());
            let batch = agent.q.experience.batch(0.0);
            let targets = agent.targets(&batch).unwrap();
            let mut seen = [false; 3];
            for (i, target_of_one) in targets.chunks_exact(7).enumerate() {
                let next = batch_of(&batch.next_observations[2 * i..2 * i + 2], 2).unwrap();
                let probabilities = |network: &Snapshot| -> Vec<Vec<f64>> {
                    let outputs = network.predict(&next).unwrap();
                    let softmax = |z: &[f64]| {
                        let sum: f64 = z.iter().map(|&z| libm::exp(z)).sum();
                        z.iter().map(|&z| libm::exp(z) / sum).collect()
                    };
                    outputs.values.chunks_exact(7).map(softmax).collect()
                };
                let chooser = probabilities(if double { &online } else { &target });
                let value = |p: &Vec<f64>| p.iter().zip(&support).map(|(p, z)| p * z).sum::<f64>();
                let best = (0..3).max_by(|&i, &j| value(&chooser[i]).total_cmp(&value(&chooser[j]))).unwrap();
                let reward = batch.rewards[i];
                seen[reward as usize - 1] = true;
                let discount = if reward == 1.0 { 0.0 } else { 0.5 };
                let expected = projected(&support, reward, discount, &probabilities(&target)[best]);
                assert_close(target_of_one, &expected, 1e-12);
            }
            assert_eq!(seen, [true; 3], "every kind of transition was drawn");
        }
    }
}
