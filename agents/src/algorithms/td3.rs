//! Twin delayed deep deterministic policy gradient.
//!
//! Quick facts: off-policy, bounded continuous actions; two critics, an actor, and
//! a target network of each.
//!
//! ```text
//! a′ = clip(μ̄(s′) + clip(ε, ±c), ±1),  ε ~ N(0, σ̄²)          target smoothing
//! y  = R + Γ min(Q̄₁(s′, a′), Q̄₂(s′, a′))
//! L  = (1/2b) Σ (Q(s, a) − y)²                                each critic, every update
//! ℓ  = −Q₁(s, tanh f(s)) / q                                  the actor, every d-th update
//! ```
//!
//! *The actor's curvature.* −Q₁ is no convex loss of the action. Declared is the identity in action
//! space, on ℓ divided by q = mean |∂Q₁/∂a| of the batch: with a = tanh f the residual is r =
//! −(1 − a²) ∂Q₁/∂a / q and S = diag(1 − a²), ρ = −∂Q₁/∂a / q, n rows a sample. So the Gauss-Newton
//! step regresses the actions on a + (∂Q₁/∂a) / q: a step of about one whole range at lr 1,
//! whatever the units of the reward, that λ and lr shorten. Adam's direction does not depend on q,
//! but for its changes from batch to batch.
//!
//! *Saturated actions.* Where a ≈ ±1, r and S vanish, λ is all that is left, and an actor that was
//! led there stays there, whatever the critic says later. With `preactivation_penalty` c the loss
//! is ℓ + c f²/2 (Andrychowicz et al. (2017), arXiv 1707.01495, appendix A), r = −(1 − a²) ∂Q₁/∂a /
//! q + c f, and the curvature (1 − a²)² + c.
//!
//! Source: Fujimoto, van Hoof, Meger (2018), arXiv 1802.09477. Settings as in Stable-Baselines3.

use std::sync::Arc;

use egn_solver::{
    Initialization, Learner, Network, Outputs, Schedule, SettingError, Snapshot, SolverError, State, StateError,
    loss::{QuadraticModel, Root},
    require, standard_normal,
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
        critics::{CriticValues, Critics, mean_size, pairs},
        off_policy::OffPolicy,
        target_network::TargetNetwork,
    },
    policies::{
        action_noise::{ActionNoise, NoiseKind},
        action_range::ActionRange,
        actor_plan::ActorPlan,
        deterministic::DeterministicPolicy,
        greedy_rule::GreedyRule,
        policy::{Policy, batch_of},
    },
    settings::{agent_settings::AgentSettings, replay::ReplaySettings},
    streams::{Purpose, stream},
};

/// The actor's name in records.
const ACTOR: &str = "actor";

/// The target actor's name in checkpoints.
const TARGET_ACTOR: &str = "delayed_actor";

/// Settings of [`Td3`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Td3Config {
    /// Settings of every agent with a replay memory.
    #[serde(flatten)]
    pub replay: ReplaySettings,
    /// Noise of exploration: `normal` or `ornstein_uhlenbeck`.
    pub noise: NoiseKind,
    /// σ of exploration, 0 or more, in actions of [−1, 1].
    pub noise_std: Schedule,
    /// d, updates of the critics for one of the actor, 1 or more.
    pub policy_delay: u64,
    /// σ̄, 0 or more: deviation of the noise of the target's actions.
    pub target_noise: f64,
    /// Bound of the noise of the target's actions, 0 or more.
    pub target_noise_clip: f64,
    /// c, 0 or more: weight of c f²/2 in the actor's loss, which keeps actions away from ±1.
    pub preactivation_penalty: f64,
}

impl Default for Td3Config {
    fn default() -> Self {
        // Stable-Baselines3's TD3; exploration as in Fujimoto et al. (2018).
        Self {
            replay: ReplaySettings { hidden: vec![400, 300], ..ReplaySettings::default() },
            noise: NoiseKind::Normal,
            noise_std: Schedule::Constant(0.1),
            policy_delay: 2,
            target_noise: 0.2,
            target_noise_clip: 0.5,
            preactivation_penalty: 0.0,
        }
    }
}

impl AgentSettings for Td3Config {
    fn summary(&self) -> &'static str {
        "twin delayed deterministic policy gradient (bounded continuous actions)"
    }

    fn validate(&self) -> Result<(), SettingError> {
        self.replay.validate()?;
        self.exploration().validate()?;
        require(self.policy_delay > 0, "policy_delay", "1 or more", self.policy_delay)?;
        require(self.target_noise >= 0.0, "target_noise", "0 or more", self.target_noise)?;
        require(self.target_noise_clip >= 0.0, "target_noise_clip", "0 or more", self.target_noise_clip)?;
        let penalty = self.preactivation_penalty;
        require((0.0..=f64::MAX).contains(&penalty), "preactivation_penalty", "0 or more", penalty)
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
        actor("td3", self.replay.body(), spaces)
    }

    fn workload(&self, spaces: Spaces<'_>, _n_envs: usize, total_steps: u64) -> Workload {
        let n_outputs = spaces.n_actions();
        self.replay.workload(self.replay.body().widths(spaces.n_observations, n_outputs), n_outputs, total_steps)
    }

    fn build(&self, context: &AgentContext) -> Result<Box<dyn Agent>, AgentError> {
        Ok(Box::new(Td3::new(self.clone(), context)?))
    }
}

impl Td3Config {
    fn exploration(&self) -> ActionNoise {
        ActionNoise { kind: self.noise, std: self.noise_std }
    }
}

/// Architecture of a deterministic actor, f.
fn architecture(body: Body<'_>, spaces: Spaces<'_>) -> Network {
    body.network(spaces.n_observations, spaces.actions.len())
}

/// The plan of a deterministic actor whose exploration is over.
pub(crate) fn actor(agent: &'static str, body: Body<'_>, spaces: Spaces<'_>) -> Result<ActorPlan, AgentError> {
    let range = ActionRange::of(spaces.actions, agent)?;
    Ok(ActorPlan::new(architecture(body, spaces), GreedyRule::tanh(&range), move |actor| {
        let noise = ActionNoise { kind: NoiseKind::Normal, std: Schedule::Constant(0.0) };
        Arc::new(DeterministicPolicy { actor, noise, range: range.clone(), random_before: 0.0 })
    }))
}

/// The TD3 agent, which with one critic, no delay and no smoothing is the DDPG agent.
pub struct Td3 {
    config: Td3Config,
    actor: Learner,
    target_actor: TargetNetwork,
    critics: Critics,
    experience: OffPolicy,
    range: ActionRange,
    /// Updates of the critics.
    n_updates: u64,
}

impl Td3 {
    /// Makes the agent, ready to act.
    ///
    /// # Errors
    /// When actions are not continuous and bounded, or a network cannot be made.
    pub fn new(config: Td3Config, context: &AgentContext) -> Result<Self, AgentError> {
        Self::with_critics(config, 2, "td3", context)
    }

    pub(crate) fn with_critics(
        config: Td3Config,
        n_critics: usize,
        name: &'static str,
        context: &AgentContext,
    ) -> Result<Self, AgentError> {
        let range = ActionRange::of(&context.action_space, name)?;
        let mut rng = stream(context.seed, Purpose::Initialization, 0);
        let network = architecture(config.replay.body(), context.spaces());
        let actor = Learner::new(network, Initialization::Uniform, context.precision, &context.optimizer, &mut rng)?;
        Ok(Self {
            target_actor: TargetNetwork::new(actor.snapshot(), config.replay.tau),
            critics: Critics::new(context, n_critics, config.replay.body(), config.replay.tau, &mut rng)?,
            experience: config.replay.off_policy(0.0, context),
            n_updates: 0,
            actor,
            range,
            config,
        })
    }

    /// One update of the critics, and of actor and target networks where they are due.
    fn update(&mut self, clock: Clock, learned: &mut Learned) -> Result<(), SolverError> {
        let n = self.range.width();
        let batch = self.experience.batch(0.0);
        let targets = self.targets(&batch)?;
        let taken =
            pairs(&batch.observations, self.range.from_env(batch.actions.continuous()), n, self.experience.width)?;
        let first = learned.updates.is_empty();
        learned.updates.extend(self.critics.learn(&taken, &targets, clock, first));
        self.n_updates += 1;
        if self.n_updates.is_multiple_of(self.config.policy_delay) {
            // With a delay the first update of the actor is not the first of the round.
            let first = !learned.updates.iter().any(|update| update.network == ACTOR);
            learned.updates.push(self.update_actor(&batch, clock, first)?);
            self.critics.follow();
            self.target_actor.update(&self.actor);
        }
        Ok(())
    }

    /// y of every transition.
    fn targets(&mut self, batch: &Transitions) -> Result<Vec<f64>, SolverError> {
        let Td3Config { target_noise, target_noise_clip: clip, .. } = self.config;
        let next = batch_of(&batch.next_observations, self.experience.width)?;
        let rng = &mut self.experience.rng;
        let outputs = self.target_actor.network().predict(&next)?.values;
        let actions = outputs.iter().map(|&u| {
            let noise = target_noise * standard_normal(rng);
            (libm::tanh(u) + noise.clamp(-clip, clip)).clamp(-1.0, 1.0)
        });
        let pairs = pairs(&batch.next_observations, actions, self.range.width(), self.experience.width)?;
        let values = self.critics.target_values(&pairs)?;
        Ok(batch.rewards.iter().zip(&batch.discounts).zip(values).map(|((r, discount), v)| r + discount * v).collect())
    }

    fn update_actor(&mut self, batch: &Transitions, clock: Clock, first: bool) -> Result<Update, SolverError> {
        let n = self.range.width();
        let observations = batch_of(&batch.observations, self.experience.width)?;
        let actor = self.actor.evaluate(&observations)?;
        let outputs = actor.outputs();
        let actions: Vec<f64> = outputs.values.iter().map(|&u| libm::tanh(u)).collect();
        let pairs = pairs(&batch.observations, actions.iter().copied(), n, self.experience.width)?;
        let q = self.critics.values_and_slopes(&pairs, n, 1)?;
        let loss = actor_loss(outputs, &actions, &q, self.config.preactivation_penalty);
        Ok(Update {
            network: ACTOR,
            result: actor.step(&loss, clock.context(first).lending(&mut self.critics.storage)),
        })
    }
}

/// The actor's loss at its outputs f, with actions tanh f and c, the penalty.
fn actor_loss(outputs: &Outputs, actions: &[f64], q: &CriticValues, penalty: f64) -> QuadraticModel {
    let Root { mut rows, mut rho } = root(actions, &q.slopes, outputs.n_outputs);
    let mut loss = mean_loss(q);
    if penalty > 0.0 {
        loss += 0.5 * penalty * outputs.values.iter().map(|f| f * f).sum::<f64>() / outputs.batch() as f64;
        for (entry, f) in outputs.values.iter().enumerate() {
            let s = &mut rows[entry * outputs.n_outputs + entry % outputs.n_outputs];
            let penalized = (*s * *s + penalty).sqrt();
            rho[entry] = (*s * rho[entry] + penalty * f) / penalized;
            *s = penalized;
        }
    }
    QuadraticModel::new(loss, outputs, Root { rows, rho })
}

/// −mean Q / q.
fn mean_loss(q: &CriticValues) -> f64 {
    -q.values.iter().sum::<f64>() / q.values.len() as f64 / mean_size(&q.slopes)
}

/// S = diag(1 − a²) and ρ = −∂Q/∂a / q for actions and slopes (b, n).
fn root(actions: &[f64], slopes: &[f64], n: usize) -> Root {
    let scale = mean_size(slopes);
    let mut root =
        Root { rows: vec![0.0; actions.len() * n], rho: slopes.iter().map(|slope| -slope / scale).collect() };
    for (entry, action) in actions.iter().enumerate() {
        root.rows[entry * n + entry % n] = 1.0 - action * action;
    }
    root
}

impl Agent for Td3 {
    fn steps_per_rollout(&self) -> usize {
        self.config.replay.train_freq
    }

    fn policy(&self) -> Result<Arc<dyn Policy>, AgentError> {
        Ok(Arc::new(DeterministicPolicy {
            actor: self.actor.snapshot(),
            noise: self.config.exploration(),
            range: self.range.clone(),
            random_before: self.experience.random_before(),
        }))
    }

    fn learn(&mut self, rollout: &Rollout, clock: Clock) -> Result<Learned, AgentError> {
        let n_updates = self.experience.collect(rollout, clock);
        let mut learned = Learned::default();
        for _ in 0..n_updates {
            self.update(clock, &mut learned)?;
        }
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
        state.put_part(TARGET_ACTOR, self.target_actor.state());
        state.put_part("critics", self.critics.state());
        state.put("n_updates", &[self.n_updates]);
        self.experience.put_into(&mut state);
        state
    }

    fn restore(&mut self, state: &State) -> Result<(), StateError> {
        self.actor.restore(&state.part("actor"))?;
        self.target_actor.restore(&state.part(TARGET_ACTOR))?;
        self.critics.restore(&state.part("critics"))?;
        self.n_updates = state.number("n_updates")?;
        self.experience.restore(state)
    }
}

#[cfg(test)]
mod tests {
    use egn_solver::Loss;

    use super::*;
    use crate::recorded::{assert_close, numbers, recorded};

    #[test]
    fn the_actors_residual_is_that_of_torch() {
        let golden = recorded("deterministic");
        let (outputs, slopes) = (numbers(&golden["outputs"]), numbers(&golden["slopes"]));
        let actions: Vec<f64> = outputs.iter().map(|&u| libm::tanh(u)).collect();
        let root = root(&actions, &slopes, 2);
        let outputs = Outputs { values: outputs, n_outputs: 2 };
        let mut residual = Vec::new();
        QuadraticModel::new(0.0, &outputs, root).residual(&outputs, &mut residual);
        // Theirs is the mean over three samples, and not divided by mean |∂Q/∂a|.
        let gradient: Vec<f64> = residual.iter().map(|r| r * mean_size(&slopes) / 3.0).collect();
        assert_close(&gradient, &numbers(&golden["gradient"]), 1e-12);
    }

    #[test]
    fn a_penalty_leaves_curvature_where_actions_are_saturated() {
        // At f = 40 tanh is 1 to the last digit: r = c f, S² = c. At f = 0: r = −2/q, S² = 1 + c.
        let outputs = Outputs { values: vec![40.0, 0.0], n_outputs: 1 };
        let q = CriticValues { values: vec![0.0, 0.0], slopes: vec![2.0, 2.0] };
        let loss = actor_loss(&outputs, &[1.0, 0.0], &q, 0.25);
        let (mut root, mut residual) = (Root { rows: Vec::new(), rho: Vec::new() }, Vec::new());
        assert_eq!(loss.root(&outputs, &mut root), 0.125 * 1600.0 / 2.0);
        loss.residual(&outputs, &mut residual);
        assert_close(&residual, &[10.0, -1.0], 1e-15);
        assert_close(&root.rows, &[0.5, 1.25_f64.sqrt()], 1e-15);
        // None: the loss without it, bit for bit.
        let without = QuadraticModel::new(0.0, &outputs, super::root(&[1.0, 0.0], &q.slopes, 1));
        assert_eq!(actor_loss(&outputs, &[1.0, 0.0], &q, 0.0), without);
    }

    #[test]
    fn the_actors_root_by_hand() {
        // q = (1 + 3)/2; 1 − a² = ¾ and 1.
        let root = root(&[0.5, 0.0], &[1.0, -3.0], 1);
        assert_eq!((root.rows, root.rho), (vec![0.75, 1.0], vec![-0.5, 1.5]));
        let q = CriticValues { values: vec![4.0, 8.0], slopes: vec![1.0, -3.0] };
        assert_eq!(mean_loss(&q), -3.0);
    }
}
