//! Proximal policy optimization.
//!
//! Quick facts: on-policy, discrete actions, separate actor and critic, each with its own
//! optimizer. With a first-order optimizer this is PPO as everybody runs it. With EGN the actor's
//! step solves with the Fisher curvature, so it is a damped natural policy gradient, shortened to
//! the KL limit of its optimizer: TRPO with an exact solve, in minibatches.
//!
//! ```text
//! A: generalised advantage estimate, normalised in each minibatch
//! actor:  −(1/b) Σ min(ρA, clip(ρ, 1−ε, 1+ε)A) − βH,   ρ = π(a|s)/π_old(a|s)
//! critic: (1/b) Σ ½ (V(s) − (A + V_old(s)))²
//! ```
//!
//! Source: Schulman et al. (2017), arXiv 1707.06347; details as in Stable-Baselines3, but for the
//! global norm of the gradient, which is clipped network by network.

use std::sync::Arc;

use candle_core::Tensor;
use egn_envs::Outcome;
use egn_solver::{
    Activation, Initialisation, Learner, Network, Schedule, Snapshot, SolverError, State, StateError,
    loss::{CategoricalPolicyGradient, PolicySample, SquaredError, log_softmax},
    require,
};
use rand::Rng;
use serde::{Deserialize, Serialize};

use crate::{
    Agent, AgentError, CategoricalPolicy, Clock, Learned, Policy, Purpose, Rollout, Setting, Stream, Update,
    agent::widths, policy::batch_of, position, returns, stream, streams::seek_to,
};

/// Of the hidden layers.
pub(crate) const ACTIVATION: Activation = Activation::Tanh;

/// Settings of [`Ppo`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PpoConfig {
    /// Widths of the hidden tanh layers, of actor and critic alike.
    pub hidden: Vec<usize>,
    /// Steps of each environment in a rollout, 1 or more.
    pub n_steps: usize,
    /// γ, in [0, 1].
    pub gamma: f64,
    /// λ of the advantage estimate, in [0, 1].
    pub gae_lambda: f64,
    /// Steps in a minibatch of the actor, 1 or more.
    pub batch_size: usize,
    /// Passes of the actor over a rollout.
    pub n_epochs: usize,
    /// Steps in a minibatch of the critic; 0 is the actor's.
    pub critic_batch_size: usize,
    /// Passes of the critic over a rollout; 0 is the actor's.
    pub critic_epochs: usize,
    /// ε, in (0, ∞]: how far the ratio may go before the gradient stops; `inf` does not clip.
    pub clip: Schedule,
    /// β, 0 or more: the entropy coefficient.
    pub entropy: f64,
    /// Whether advantages are normalised in each minibatch.
    pub normalise_advantage: bool,
}

impl Default for PpoConfig {
    fn default() -> Self {
        // Stable-Baselines3's PPO.
        Self {
            hidden: vec![64, 64],
            n_steps: 2048,
            gamma: 0.99,
            gae_lambda: 0.95,
            batch_size: 64,
            n_epochs: 10,
            critic_batch_size: 0,
            critic_epochs: 0,
            clip: 0.2.into(),
            entropy: 0.0,
            normalise_advantage: true,
        }
    }
}

impl PpoConfig {
    /// Whether every setting is in its range.
    ///
    /// # Errors
    /// The first setting that is not, with the range.
    pub fn validate(&self) -> Result<(), String> {
        require(self.hidden.iter().all(|&width| width > 0), "hidden", "a list of positive widths", &self.hidden)?;
        require(self.n_steps > 0, "n_steps", "1 or more", self.n_steps)?;
        require((0.0..=1.0).contains(&self.gamma), "gamma", "in [0, 1]", self.gamma)?;
        require((0.0..=1.0).contains(&self.gae_lambda), "gae_lambda", "in [0, 1]", self.gae_lambda)?;
        require(self.batch_size > 0, "batch_size", "1 or more", self.batch_size)?;
        require(self.n_epochs > 0, "n_epochs", "1 or more", self.n_epochs)?;
        require(self.clip.stays_within(0.0, f64::INFINITY), "clip", "0 or more (inf for none)", self.clip)?;
        require(self.entropy >= 0.0 && self.entropy.is_finite(), "entropy", "0 or more", self.entropy)
    }
}

/// The agent.
pub struct Ppo {
    config: PpoConfig,
    actor: Learner,
    critic: Learner,
    rng: Stream,
    width: usize,
}

/// A rollout as the two networks learn from it, one row a step.
struct Experience {
    observations: Vec<f32>,
    samples: Vec<PolicySample>,
    returns: Vec<f64>,
}

impl Ppo {
    /// Ready to act.
    ///
    /// # Errors
    /// When the action space is not discrete, or a network cannot be made.
    pub fn new(config: PpoConfig, setting: &Setting) -> Result<Self, AgentError> {
        let n_actions = setting.n_actions("ppo")?;
        let width = setting.observation_space.len();
        let learner = |index, n_outputs, output_gain, optimizer| {
            let network = Network::mlp(&widths(width, &config.hidden, n_outputs), ACTIVATION);
            let mut rng = stream(setting.seed, Purpose::Initialisation, index);
            let initialisation = Initialisation::Orthogonal { output_gain };
            Learner::new(network, initialisation, setting.precision, optimizer, &mut rng)
        };
        Ok(Self {
            actor: learner(0, n_actions, 0.01, &setting.optimizer)?,
            critic: learner(1, 1, 1.0, &setting.critic_optimizer)?,
            rng: stream(setting.seed, Purpose::Learning, 0),
            width,
            config,
        })
    }

    /// What the present networks make of a rollout: they are still those that acted.
    fn experience(&mut self, rollout: &Rollout) -> Result<Experience, SolverError> {
        let observations = batch_of(&rollout.observations, self.width)?;
        let values = self.critic.forward(&observations)?.values.clone();
        let next_values = self.next_values(rollout, &values)?;
        let mut advantages = vec![0.0; rollout.len()];
        for start in (0..rollout.len()).step_by(rollout.n_steps) {
            let steps = start..start + rollout.n_steps;
            returns::gae(
                &rollout.rewards[steps.clone()],
                &values[steps.clone()],
                &next_values[steps.clone()],
                &rollout.outcomes[steps.clone()],
                self.config.gamma,
                self.config.gae_lambda,
                &mut advantages[steps],
            );
        }
        let logits = self.actor.forward(&observations)?;
        let mut log_p = vec![0.0; logits.n_outputs];
        let taken = rollout.actions.discrete().iter().zip(&advantages);
        let samples = logits.rows().zip(taken).map(|(logits, (&action, &advantage))| {
            log_softmax(logits, &mut log_p);
            PolicySample { action, advantage, old_log_prob: log_p[action as usize] }
        });
        Ok(Experience {
            samples: samples.collect(),
            returns: advantages.iter().zip(&values).map(|(a, v)| a + v).collect(),
            observations: rollout.observations.clone(),
        })
    }

    /// V of the observation after each step: the next row's where the episode goes on, and the
    /// critic's own word at the ends of episodes and of the rollout.
    fn next_values(&mut self, rollout: &Rollout, values: &[f64]) -> Result<Vec<f64>, SolverError> {
        let is_last = |row: usize| row % rollout.n_steps == rollout.n_steps - 1;
        let ends: Vec<usize> =
            (0..rollout.len()).filter(|&row| is_last(row) || rollout.outcomes[row] != Outcome::Continues).collect();
        let observations = rows(&rollout.next_observations, self.width, &ends)?;
        let mut next_values = [&values[1..], &[0.0]].concat();
        for (&row, &value) in ends.iter().zip(&self.critic.forward(&observations)?.values) {
            next_values[row] = value;
        }
        Ok(next_values)
    }

    fn update_actor(&mut self, experience: &Experience, rows_of_batch: &[usize], clock: Clock, first: bool) -> Update {
        let mut samples: Vec<_> = rows_of_batch.iter().map(|&row| experience.samples[row]).collect();
        if self.config.normalise_advantage {
            let mut advantages: Vec<_> = samples.iter().map(|sample| sample.advantage).collect();
            returns::normalise(&mut advantages);
            samples.iter_mut().zip(advantages).for_each(|(sample, advantage)| sample.advantage = advantage);
        }
        let clip = Some(self.config.clip.at(clock.progress())).filter(|clip| clip.is_finite());
        let loss = CategoricalPolicyGradient { samples: &samples, clip, entropy: self.config.entropy };
        let result = rows(&experience.observations, self.width, rows_of_batch)
            .and_then(|observations| self.actor.step(&observations, &loss, clock.context(first)));
        Update { network: "actor", result }
    }

    fn update_critic(&mut self, experience: &Experience, rows_of_batch: &[usize], clock: Clock, first: bool) -> Update {
        let targets: Vec<_> = rows_of_batch.iter().map(|&row| experience.returns[row]).collect();
        let loss = SquaredError { targets: &targets };
        let result = rows(&experience.observations, self.width, rows_of_batch)
            .and_then(|observations| self.critic.step(&observations, &loss, clock.context(first)));
        Update { network: "critic", result }
    }

    /// Minibatches of `size` rows covering `n` rows `epochs` times, in random order.
    fn minibatches(&mut self, n: usize, size: usize, epochs: usize) -> Vec<Vec<usize>> {
        let mut order: Vec<usize> = (0..n).collect();
        let mut batches = Vec::new();
        for _ in 0..epochs {
            for i in (1..n).rev() {
                order.swap(i, self.rng.random_range(0..=i));
            }
            batches.extend(order.chunks(size).map(<[usize]>::to_vec));
        }
        batches
    }
}

/// Some rows of a matrix with `width` columns, as a tensor.
fn rows(matrix: &[f32], width: usize, chosen: &[usize]) -> Result<Tensor, SolverError> {
    let gathered: Vec<f32> = chosen.iter().flat_map(|&row| &matrix[row * width..(row + 1) * width]).copied().collect();
    batch_of(&gathered, width)
}

impl Agent for Ppo {
    fn steps_per_rollout(&self) -> usize {
        self.config.n_steps
    }

    fn policy(&self) -> Result<Arc<dyn Policy>, AgentError> {
        Ok(Arc::new(CategoricalPolicy { logits: self.actor.snapshot()? }))
    }

    fn learn(&mut self, rollout: &Rollout, clock: Clock) -> Result<Learned, AgentError> {
        let experience = self.experience(rollout)?;
        let PpoConfig { batch_size, n_epochs, .. } = self.config;
        let or_actor = |setting, actor| if setting == 0 { actor } else { setting };
        let critic_batch_size = or_actor(self.config.critic_batch_size, batch_size);
        let critic_epochs = or_actor(self.config.critic_epochs, n_epochs);

        let mut learned = Learned::default();
        for (i, batch) in self.minibatches(rollout.len(), batch_size, n_epochs).iter().enumerate() {
            learned.updates.push(self.update_actor(&experience, batch, clock, i == 0));
        }
        for (i, batch) in self.minibatches(rollout.len(), critic_batch_size, critic_epochs).iter().enumerate() {
            learned.updates.push(self.update_critic(&experience, batch, clock, i == 0));
        }
        learned.metrics = self.metrics(&experience)?;
        Ok(learned)
    }

    fn policy_network(&self) -> Result<Snapshot, AgentError> {
        Ok(self.actor.snapshot()?)
    }

    fn state(&self) -> State {
        let mut state = State::default();
        state.put_part("actor", self.actor.state());
        state.put_part("critic", self.critic.state());
        state.put("stream", &position(&self.rng));
        state
    }

    fn restore(&mut self, state: &State) -> Result<(), StateError> {
        self.actor.restore(&state.part("actor"))?;
        self.critic.restore(&state.part("critic"))?;
        seek_to(&mut self.rng, state)
    }
}

impl Ppo {
    /// Entropy of the new policy, its KL divergence from the old one by the estimator
    /// (ρ − 1) − log ρ (Schulman 2020, "Approximating KL divergence"), and the share of ratios
    /// beyond the clip range; all over the rollout.
    fn metrics(&mut self, experience: &Experience) -> Result<Vec<(&'static str, f64)>, SolverError> {
        let observations = batch_of(&experience.observations, self.width)?;
        let logits = self.actor.forward(&observations)?;
        let mut log_p = vec![0.0; logits.n_outputs];
        let (mut entropy, mut kl) = (0.0, 0.0);
        for (logits, sample) in logits.rows().zip(&experience.samples) {
            log_softmax(logits, &mut log_p);
            entropy -= log_p.iter().map(|l| l.exp() * l).sum::<f64>();
            let log_ratio = log_p[sample.action as usize] - sample.old_log_prob;
            kl += log_ratio.exp_m1() - log_ratio;
        }
        let n = experience.samples.len() as f64;
        Ok(vec![("entropy", entropy / n), ("kl", kl / n)])
    }
}
