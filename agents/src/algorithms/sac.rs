//! Soft actor-critic.
//!
//! Quick facts: off-policy, bounded continuous actions; twin critics, a stochastic actor, and a
//! temperature α that is found, or given.
//!
//! ```text
//! y = R + Γ (min Q̄(s′, a′) − α log π(a′|s′)),  a′ ~ π(·|s′)
//! L = (1/2b) Σ (Q(s, a) − y)²                              each critic
//! ℓ = (α log π(a|s) − min Q(s, a)) / q,  a = tanh u,  u = μ + σ ε     the actor
//! J = −log α (log π(a|s) + H̄)                              the temperature
//! ```
//!
//! *The actor's curvature.* ℓ is no convex loss of μ and log σ. With G = ∂(α log π − min Q)/∂u =
//! 2αa − (1 − a²) ∂Q/∂a, its residual is r = (G (1, σε) + (0, −α)) / q by (μ, log σ). Declared is
//! the Gauss-Newton part of what u does, with the identity for u, and for the entropy −log σ the
//! Fisher curvature 2 of log σ with its weight α:
//!
//! ```text
//! Q = (1, σε)ᵀ (1, σε) + diag(0, 2α/q),   ρ = (G/q, −√(α/2q)),   q = α + mean |G| of the batch
//! ```
//!
//! 2n rows a sample; without the second where log σ is out of bounds. The step regresses the drawn
//! actions on u − G/q: about one σ of the squashed range at lr 1, in whatever units rewards are.
//! (The Fisher matrix diag(1/σ², 2) of the whole Gaussian is the curvature where π meets exp(Q/α);
//! far from there, with a small α, its steps of log σ are too long: on Pendulum σ collapsed and the
//! system with it.) Adam's direction does not depend on q, but for its changes from batch to batch.
//!
//! *The temperature* is one number, and moves by Adam whatever optimizer the networks have.
//!
//! Source: Haarnoja et al. (2018), arXiv 1812.05905. Settings as in Stable-Baselines3.

use std::sync::Arc;

use egn_solver::{
    Initialization, Learner, Network, SettingError, Snapshot, SolverError, State, StateError,
    loss::{QuadraticModel, Root},
    require,
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
    networks::{
        body::Body,
        critics::{CriticValues, Critics, pairs},
        off_policy::OffPolicy,
        temperature::{TEMPERATURE, Temperature},
    },
    policies::{
        action_range::ActionRange,
        actor_plan::ActorPlan,
        greedy_rule::GreedyRule,
        policy::{Policy, batch_of},
        squashed_gaussian::{Draw, SquashedGaussianPolicy, draws, log_probs},
    },
    settings::{agent_settings::AgentSettings, replay::ReplaySettings},
    streams::{Purpose, stream},
};

/// Settings of [`Sac`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct SacConfig {
    /// Settings of every agent with a replay memory.
    #[serde(flatten)]
    pub replay: ReplaySettings,
    /// α, the weight of the entropy, above 0; learned, from 1 on, unless given.
    pub temperature: Option<f64>,
    /// Adam's learning rate for log α, 0 or more.
    pub temperature_lr: f64,
    /// H̄, the entropy that a learned α is to hold, finite; minus the number of entries of an
    /// action unless given.
    pub target_entropy: Option<f64>,
}

impl Default for SacConfig {
    fn default() -> Self {
        // Stable-Baselines3's SAC.
        Self { replay: ReplaySettings::default(), temperature: None, temperature_lr: 3e-4, target_entropy: None }
    }
}

impl AgentSettings for SacConfig {
    fn summary(&self) -> &'static str {
        "soft actor-critic, automatic temperature (bounded continuous actions)"
    }

    fn validate(&self) -> Result<(), SettingError> {
        self.replay.validate()?;
        let positive = |alpha: f64| alpha > 0.0 && alpha.is_finite();
        require(self.temperature.is_none_or(positive), "temperature", "positive", self.temperature)?;
        require(self.temperature_lr >= 0.0, "temperature_lr", "0 or more", self.temperature_lr)?;
        let entropy = self.target_entropy;
        require(entropy.is_none_or(f64::is_finite), "target_entropy", "finite", entropy)
    }

    fn gamma(&self) -> f64 {
        self.replay.gamma
    }

    fn has_critic(&self) -> bool {
        true
    }

    fn replay(&self) -> Option<&ReplaySettings> {
        Some(&self.replay)
    }

    fn actor(&self, spaces: Spaces<'_>) -> Result<ActorPlan, AgentError> {
        let range = ActionRange::of(spaces.actions, "sac")?;
        let network = architecture(self.replay.body(), spaces);
        Ok(ActorPlan::new(network, GreedyRule::tanh(&range), move |actor| {
            Arc::new(SquashedGaussianPolicy { actor, range: range.clone(), random_before: 0.0 })
        }))
    }

    fn workload(&self, spaces: Spaces<'_>, _n_envs: usize, total_steps: u64) -> Workload {
        let n_outputs = 2 * spaces.n_actions();
        self.replay.workload(self.replay.body().widths(spaces.n_observations, n_outputs), n_outputs, total_steps)
    }

    fn build(&self, context: &AgentContext) -> Result<Box<dyn Agent>, AgentError> {
        Ok(Box::new(Sac::new(self.clone(), context)?))
    }
}

/// Architecture of the actor: means, then log σ.
fn architecture(body: Body<'_>, spaces: Spaces<'_>) -> Network {
    body.network(spaces.n_observations, 2 * spaces.actions.len())
}

/// The SAC agent.
pub struct Sac {
    config: SacConfig,
    actor: Learner,
    critics: Critics,
    temperature: Temperature,
    experience: OffPolicy,
    range: ActionRange,
}

impl Sac {
    /// Makes the agent, ready to act.
    ///
    /// # Errors
    /// When actions are not continuous and bounded, or a network cannot be made.
    pub fn new(config: SacConfig, context: &AgentContext) -> Result<Self, AgentError> {
        let range = ActionRange::of(&context.action_space, "sac")?;
        let mut rng = stream(context.seed, Purpose::Initialization, 0);
        let network = architecture(config.replay.body(), context.spaces());
        let actor = Learner::new(network, Initialization::Uniform, context.precision, &context.optimizer, &mut rng)?;
        Ok(Self {
            critics: Critics::new(context, 2, config.replay.body(), config.replay.tau, &mut rng)?,
            temperature: match config.temperature {
                Some(alpha) => Temperature::Fixed(alpha),
                None => {
                    let target_entropy = config.target_entropy.unwrap_or(-(range.width() as f64));
                    Temperature::learned(config.temperature_lr, target_entropy)?
                }
            },
            experience: config.replay.off_policy(0.0, context),
            actor,
            range,
            config,
        })
    }

    /// One update of everything, in Stable-Baselines3's order: α moves first, and what follows
    /// still uses the one before.
    fn update(&mut self, clock: Clock, first: bool, learned: &mut Learned) -> Result<f64, SolverError> {
        let n = self.range.width();
        let batch = self.experience.batch(0.0);
        let width = self.experience.width;
        let next_outputs = self.actor.forward(&batch_of(&batch.next_observations, width)?)?.clone();
        let actor = self.actor.evaluate(&batch_of(&batch.observations, width)?)?;
        let drawn = draws(&actor.outputs().values, n, &mut self.experience.rng);
        let log_probs = log_probs(&drawn, n);
        let alpha = self.temperature.value()?;
        learned.updates.extend(self.temperature.update(&log_probs, clock.context(false))?);

        let next = draws(&next_outputs.values, n, &mut self.experience.rng);
        let next_pairs = pairs(&batch.next_observations, next.iter().map(|draw| draw.action), n, width)?;
        let targets = targets(&batch, &self.critics.target_values(&next_pairs)?, &self::log_probs(&next, n), alpha);
        let taken = pairs(&batch.observations, self.range.from_env(batch.actions.continuous()), n, width)?;
        learned.updates.extend(self.critics.learn(&taken, &targets, clock, first));

        let ours = pairs(&batch.observations, drawn.iter().map(|draw| draw.action), n, width)?;
        let q = self.critics.values_and_slopes(&ours, n, 2)?;
        let slopes = Slopes::new(&drawn, &q.slopes, alpha);
        let value = mean_loss(&log_probs, &q, alpha) / slopes.scale;
        let loss = QuadraticModel::new(value, actor.outputs(), slopes.root(&drawn, alpha, n));
        let result = actor.step(&loss, clock.context(first).lending(&mut self.critics.storage));
        learned.updates.push(Update { network: "actor", result });
        self.critics.follow();
        Ok(-log_probs.iter().sum::<f64>() / log_probs.len() as f64)
    }
}

/// y of every transition, from the critics' values of actions drawn where it leads and their log
/// probabilities.
fn targets(batch: &Transitions, values: &[f64], log_probs: &[f64], alpha: f64) -> Vec<f64> {
    let soft = values.iter().zip(log_probs).map(|(value, log_prob)| value - alpha * log_prob);
    batch.rewards.iter().zip(&batch.discounts).zip(soft).map(|((r, discount), v)| r + discount * v).collect()
}

/// What the actor climbs down, and the scale by which it is divided.
struct Slopes {
    /// G, (b, n).
    by_u: Vec<f64>,
    /// q.
    scale: f64,
}

impl Slopes {
    /// From draws and ∂Q/∂a, (b, n).
    fn new(draws: &[Draw], by_action: &[f64], alpha: f64) -> Self {
        let slope = |(draw, by_action): (&Draw, &f64)| {
            2.0 * alpha * draw.action - (1.0 - draw.action * draw.action) * by_action
        };
        let by_u: Vec<f64> = draws.iter().zip(by_action).map(slope).collect();
        let scale = alpha + by_u.iter().map(|g| g.abs()).sum::<f64>() / by_u.len() as f64;
        Self { by_u, scale }
    }

    /// S and ρ of every sample, for α.
    fn root(&self, draws: &[Draw], alpha: f64, n: usize) -> Root {
        let mut root = Root { rows: vec![0.0; 4 * n * draws.len()], rho: Vec::with_capacity(2 * draws.len()) };
        let of_entropy = (2.0 * alpha / self.scale).sqrt();
        for (entry, (draw, by_u)) in draws.iter().zip(&self.by_u).enumerate() {
            let (mean, log_std) = (entry % n, n + entry % n);
            let rows = &mut root.rows[4 * n * entry..][..4 * n];
            rows[mean] = 1.0;
            let mut rho = [by_u / self.scale, 0.0];
            if draw.is_free {
                rows[log_std] = draw.std * draw.epsilon;
                rows[2 * n + log_std] = of_entropy;
                rho[1] = -alpha / self.scale / of_entropy;
            }
            root.rho.extend(rho);
        }
        root
    }
}

/// Mean of α log π − Q.
fn mean_loss(log_probs: &[f64], q: &CriticValues, alpha: f64) -> f64 {
    let terms = log_probs.iter().zip(&q.values).map(|(log_prob, q)| alpha * log_prob - q);
    terms.sum::<f64>() / log_probs.len() as f64
}

impl Agent for Sac {
    fn steps_per_rollout(&self) -> usize {
        self.config.replay.train_freq
    }

    fn policy(&self) -> Result<Arc<dyn Policy>, AgentError> {
        Ok(Arc::new(SquashedGaussianPolicy {
            actor: self.actor.snapshot(),
            range: self.range.clone(),
            random_before: self.experience.random_before(),
        }))
    }

    fn learn(&mut self, rollout: &Rollout, clock: Clock) -> Result<Learned, AgentError> {
        let n_updates = self.experience.collect(rollout, clock);
        let mut learned = Learned::default();
        if n_updates == 0 {
            return Ok(learned);
        }
        let mut entropy = 0.0;
        for i in 0..n_updates {
            entropy = self.update(clock, i == 0, &mut learned)?;
        }
        learned.metrics = vec![("entropy", entropy), (TEMPERATURE, self.temperature.value()?)];
        Ok(learned)
    }

    fn replay(&mut self) -> Option<&mut ReplayBuffer> {
        Some(&mut self.experience.replay)
    }

    fn policy_network(&self) -> Result<Snapshot, AgentError> {
        Ok(self.actor.snapshot())
    }

    fn state(&self) -> State {
        let mut state = State::default();
        state.put_part("actor", self.actor.state());
        state.put_part("critics", self.critics.state());
        state.put_part(TEMPERATURE, self.temperature.state());
        self.experience.put_into(&mut state);
        state
    }

    fn restore(&mut self, state: &State) -> Result<(), StateError> {
        self.actor.restore(&state.part("actor"))?;
        self.critics.restore(&state.part("critics"))?;
        self.temperature.restore(&state.part(TEMPERATURE))?;
        self.experience.restore(state)
    }
}

#[cfg(test)]
mod tests {
    use egn_solver::{Loss, Outputs};

    use super::*;
    use crate::recorded::{assert_close, numbers, recorded};

    /// α log π − Q of one entry for outputs μ and log σ, with Q = 3a − a².
    fn loss(mean: f64, log_std: f64, epsilon: f64, alpha: f64) -> f64 {
        let draw = Draw::new(mean, log_std, epsilon);
        alpha * draw.log_prob - (3.0 * draw.action - draw.action * draw.action)
    }

    #[test]
    fn the_actors_residual_equals_differences() {
        let (mean, log_std, epsilon, alpha, step) = (0.3, -0.7, 1.2, 0.25, 1e-5);
        let draw = Draw::new(mean, log_std, epsilon);
        let slopes = Slopes::new(&[draw], &[3.0 - 2.0 * draw.action], alpha);
        let root = slopes.root(&[draw], alpha, 1);
        let residual = [0, 1].map(|j| slopes.scale * (root.rows[j] * root.rho[0] + root.rows[2 + j] * root.rho[1]));
        let by_mean = loss(mean + step, log_std, epsilon, alpha) - loss(mean - step, log_std, epsilon, alpha);
        let by_log_std = loss(mean, log_std + step, epsilon, alpha) - loss(mean, log_std - step, epsilon, alpha);
        for (residual, difference) in residual.iter().zip([by_mean, by_log_std]) {
            assert!((residual - difference / (2.0 * step)).abs() < 1e-8, "{residual} {difference}");
        }
    }

    #[test]
    fn loss_and_residual_are_those_of_torch() {
        let golden = recorded("squashed");
        let (outputs, epsilon) = (numbers(&golden["outputs"]), numbers(&golden["epsilon"]));
        let draws: Vec<Draw> =
            (0..8).map(|i| Draw::new(outputs[i / 2 * 4 + i % 2], outputs[i / 2 * 4 + 2 + i % 2], epsilon[i])).collect();
        let alpha = golden["alpha"].as_f64().unwrap();
        let q = CriticValues { values: numbers(&golden["q"]), slopes: numbers(&golden["slopes"]) };
        let value = mean_loss(&log_probs(&draws, 2), &q, alpha);
        assert_close(&[value], &[golden["loss"].as_f64().unwrap()], 1e-12);
        let outputs = Outputs { values: outputs, n_outputs: 4 };
        let slopes = Slopes::new(&draws, &q.slopes, alpha);
        let loss = QuadraticModel::new(0.0, &outputs, slopes.root(&draws, alpha, 2));
        let mut residual = Vec::new();
        loss.residual(&outputs, &mut residual);
        // Theirs is the mean over four samples, of a loss q times ours.
        let gradient: Vec<f64> = residual.iter().map(|r| slopes.scale * r / 4.0).collect();
        assert_close(&gradient, &numbers(&golden["gradient"]), 1e-12);
    }

    #[test]
    fn a_log_std_out_of_bounds_does_not_count() {
        let draw = Draw::new(0.0, 3.0, 0.1);
        let root = Slopes::new(&[draw], &[1.0], 1.0).root(&[draw], 1.0, 1);
        assert_eq!((root.rows, root.rho[1]), (vec![1.0, 0.0, 0.0, 0.0], 0.0));
    }
}
