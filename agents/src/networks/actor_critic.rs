//! An actor and a critic, two networks with an optimizer each, and what they make of a rollout.
//!
//! *Design.* What every on-policy agent of this crate holds. It has no choices of its own: when
//! and how often either network learns is the algorithm's, which is in the algorithm's file.

use std::sync::Arc;

use candle_core::Tensor;
use egn_envs::Outcome;
use egn_solver::{
    Initialization, Learner, Network, OptimizerConfig, Outputs, RowSystem, Snapshot, SolverError, State, StateError,
    loss::{Curvature, Loss, Sampled},
};
use rand::Rng;

use crate::{
    agent::Update,
    context::{AgentContext, Clock},
    error::AgentError,
    experience::{actions::Actions, returns, rollout::Rollout},
    networks::{
        body::Body,
        distribution::{Distribution, PolicyBatch, Terms},
    },
    policies::policy::{Policy, batch_of},
    streams::{Purpose, Stream, position, seek_to, stream},
};

/// An actor and a critic, each with its optimizer.
pub struct ActorCritic {
    /// Network that puts out a distribution over actions.
    pub actor: Learner,
    /// Network that puts out V(s).
    pub critic: Learner,
    /// What the actor's outputs mean.
    pub distribution: Distribution,
    /// Row-system storage that actor and critic share.
    pub storage: RowSystem,
    width: usize,
    rng: Stream,
    /// Signs of sampled curvature, apart from what every optimizer draws.
    signs: Stream,
}

/// A rollout as the two networks learn from it, one row a step.
pub struct Experience {
    /// What the policy saw, (b, observation).
    pub observations: Vec<f32>,
    /// What the actor learns from.
    pub policy: PolicyBatch,
    /// V(s) before learning, (b).
    pub values: Vec<f64>,
    /// What V(s) should be, (b).
    pub returns: Vec<f64>,
}

impl ActorCritic {
    /// Makes an actor and a critic with the same torso; log σ starts at `log_std_init` where there
    /// is one.
    ///
    /// # Errors
    /// When a network cannot be made, or not for such observations.
    pub fn new(body: Body<'_>, log_std_init: f64, context: &AgentContext) -> Result<Self, AgentError> {
        let width = context.observation_space.len();
        body.check(width)?;
        let distribution = Distribution::over(&context.action_space);
        let learner = |index, network: Network, output_gain, optimizer: &OptimizerConfig| {
            let mut rng = stream(context.seed, Purpose::Initialization, index);
            let initialization = Initialization::Orthogonal { output_gain };
            Learner::new(network, initialization, context.precision, optimizer, &mut rng)
        };
        let mut actor = learner(0, distribution.network(width, body), 0.01, &context.optimizer)?;
        actor.set_free_outputs(log_std_init);
        let critic = learner(1, body.network(width, 1), 1.0, &context.critic_optimizer)?;
        let [rng, signs] = [0, 1].map(|index| stream(context.seed, Purpose::Learning, index));
        Ok(Self { actor, critic, distribution, storage: RowSystem::default(), width, rng, signs })
    }

    /// The policy of the actor as it is now.
    ///
    /// # Errors
    /// When the actor cannot be copied.
    pub fn policy(&self) -> Result<Arc<dyn Policy>, AgentError> {
        Ok(self.distribution.policy(self.actor.snapshot()))
    }

    /// A copy of the actor.
    ///
    /// # Errors
    /// When there cannot be one.
    pub fn policy_network(&self) -> Result<Snapshot, AgentError> {
        Ok(self.actor.snapshot())
    }

    /// All that later learning depends on.
    pub fn state(&self) -> State {
        let mut state = State::default();
        state.put_part("actor", self.actor.state());
        state.put_part("critic", self.critic.state());
        state.put("stream", &position(&self.rng));
        state.put("signs/stream", &position(&self.signs));
        state
    }

    /// Restores the state of networks with the same settings.
    ///
    /// # Errors
    /// When it is not such a state.
    pub fn restore(&mut self, state: &State) -> Result<(), StateError> {
        self.actor.restore(&state.part("actor"))?;
        self.critic.restore(&state.part("critic"))?;
        seek_to(&mut self.signs, &state.part("signs"))?;
        seek_to(&mut self.rng, state)
    }

    /// Values, advantages and returns of a rollout, by generalized advantage estimation with the
    /// present networks, which are still those that acted. Rewards count `reward_scale` times.
    ///
    /// # Errors
    /// When a network cannot be evaluated.
    pub fn experience(
        &mut self,
        rollout: &Rollout,
        gamma: f64,
        gae_lambda: f64,
        reward_scale: f64,
    ) -> Result<Experience, SolverError> {
        let rewards: Vec<f64> = rollout.rewards.iter().map(|reward| reward_scale * reward).collect();
        let values = self.values(&rollout.observations)?;
        let next_values = self.next_values(rollout, &values)?;
        let mut advantages = vec![0.0; rollout.len()];
        for start in (0..rollout.len()).step_by(rollout.n_steps) {
            let steps = start..start + rollout.n_steps;
            returns::gae(
                &rewards[steps.clone()],
                &values[steps.clone()],
                &next_values[steps.clone()],
                &rollout.outcomes[steps.clone()],
                gamma,
                gae_lambda,
                &mut advantages[steps],
            );
        }
        let returns = advantages.iter().zip(&values).map(|(a, v)| a + v).collect();
        let policy = self.policy_batch(&rollout.observations, rollout.actions.clone(), advantages)?;
        Ok(Experience { observations: rollout.observations.clone(), policy, values, returns })
    }

    /// V(s) of each row.
    ///
    /// # Errors
    /// When the critic cannot be evaluated.
    pub fn values(&mut self, observations: &[f32]) -> Result<Vec<f64>, SolverError> {
        Ok(self.critic.forward(&batch_of(observations, self.width)?)?.values.clone())
    }

    /// The actor's outputs for each row.
    ///
    /// # Errors
    /// When the actor cannot be evaluated.
    pub fn outputs(&mut self, observations: &[f32]) -> Result<Outputs, SolverError> {
        Ok(self.actor.forward(&batch_of(observations, self.width)?)?.clone())
    }

    /// Steps taken by the actor as it is now.
    ///
    /// # Errors
    /// When the actor cannot be evaluated.
    pub fn policy_batch(
        &mut self,
        observations: &[f32],
        actions: Actions,
        advantages: Vec<f64>,
    ) -> Result<PolicyBatch, SolverError> {
        let old_outputs = self.outputs(observations)?;
        let old_log_probs = self.distribution.log_probs(&old_outputs, &actions);
        Ok(PolicyBatch { actions, advantages, old_log_probs, old_outputs })
    }

    /// V of the observation after each step: the next row's where the episode goes on, and the
    /// critic's own word at the ends of episodes and of the rollout.
    fn next_values(&mut self, rollout: &Rollout, values: &[f64]) -> Result<Vec<f64>, SolverError> {
        let is_last = |row: usize| row % rollout.n_steps == rollout.n_steps - 1;
        let ends: Vec<usize> =
            (0..rollout.len()).filter(|&row| is_last(row) || rollout.outcomes[row] != Outcome::Continues).collect();
        let observations = self.rows(&rollout.next_observations, &ends)?;
        let mut next_values = [&values[1..], &[0.0]].concat();
        for (&row, &value) in ends.iter().zip(&self.critic.forward(&observations)?.values) {
            next_values[row] = value;
        }
        Ok(next_values)
    }

    /// Minibatches of `size` rows covering `n` rows `epochs` times, in random order.
    pub fn minibatches(&mut self, n: usize, size: usize, epochs: usize) -> Vec<Vec<usize>> {
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

    /// One step of the actor on some rows; `normalize` brings their
    /// advantages to mean 0, deviation 1.
    pub fn update_actor(
        &mut self,
        experience: &Experience,
        rows: &[usize],
        normalize: bool,
        terms: Terms,
        clock: Clock,
        first: bool,
    ) -> Update {
        let mut batch = experience.policy.select(rows);
        if normalize {
            returns::normalize(&mut batch.advantages);
        }
        let observations = self.rows(&experience.observations, rows);
        let Self { actor, signs, distribution, storage, .. } = self;
        let context = clock.context(first).lending(storage);
        let result = observations.and_then(|observations| {
            distribution.with_loss(&batch, terms, |loss| match terms.curvature {
                Curvature::Exact => actor.step(&observations, loss, context),
                Curvature::Sampled => actor.step(&observations, &Sampled::new(loss, signs), context),
            })
        });
        Update { network: "actor", result }
    }

    /// One step of the critic on some rows.
    pub fn update_critic(
        &mut self,
        experience: &Experience,
        rows: &[usize],
        loss: &dyn Loss,
        clock: Clock,
        first: bool,
    ) -> Update {
        let observations = self.rows(&experience.observations, rows);
        let context = clock.context(first).lending(&mut self.storage);
        let result = observations.and_then(|observations| self.critic.step(&observations, loss, context));
        Update { network: "critic", result }
    }

    /// Some rows of a matrix of observations, as a tensor.
    ///
    /// # Errors
    /// When candle cannot make it.
    pub fn rows(&self, observations: &[f32], chosen: &[usize]) -> Result<Tensor, SolverError> {
        let width = self.width;
        let gathered: Vec<f32> =
            chosen.iter().flat_map(|&row| &observations[row * width..(row + 1) * width]).copied().collect();
        batch_of(&gathered, width)
    }
}

/// Entries of `values` at the given rows.
pub fn select(values: &[f64], rows: &[usize]) -> Vec<f64> {
    rows.iter().map(|&row| values[row]).collect()
}

#[cfg(test)]
mod tests {
    use egn_envs::Space;
    use egn_solver::{Activation, EgnConfig, OptimizerConfig, Precision, loss::SquaredError};

    use super::*;
    use crate::networks::layers::LayerSettings;

    /// V of a task without end that pays 1 a step, seen through episodes cut,
    /// or ended, after 5 steps.
    fn learned_value(outcome: Outcome) -> f64 {
        let optimizer = OptimizerConfig::Egn(EgnConfig { lambda: 1e-3.into(), ..EgnConfig::default() });
        let context = AgentContext {
            observation_space: Space::symmetric(vec![1.0]),
            action_space: Space::Discrete { n: 2 },
            total_steps: 1,
            seed: 1,
            precision: Precision::F64,
            optimizer: optimizer.clone(),
            critic_optimizer: optimizer,
        };
        let (activation, layers) = (Activation::Tanh, LayerSettings::default());
        let body = Body { convolutions: None, hidden: &[4], activation, layers };
        let mut networks = ActorCritic::new(body, 0.0, &context).unwrap();
        let n = 10;
        let outcome_of = |t| if t % 5 == 4 { outcome } else { Outcome::Continues };
        let rollout = Rollout {
            n_envs: 1,
            n_steps: n,
            observations: vec![1.0; n],
            actions: Actions::Discrete(vec![0; n]),
            rewards: vec![1.0; n],
            next_observations: vec![1.0; n],
            outcomes: (0..n).map(outcome_of).collect(),
        };
        let clock = Clock { env_steps: 0, total_steps: 1, diagnose: true };
        let all: Vec<usize> = (0..n).collect();
        for _ in 0..200 {
            let experience = networks.experience(&rollout, 0.9, 0.95, 1.0).unwrap();
            let loss = SquaredError { targets: &experience.returns };
            networks.update_critic(&experience, &all, &loss, clock, false).result.unwrap();
        }
        networks.values(&[1.0]).unwrap()[0]
    }

    #[test]
    fn a_time_limit_changes_no_value() {
        // 1/(1 − γ) = 10; ended after 5 steps it is less than 1 + γ + … + γ⁴ = 4.1.
        let [cut, ended] = [Outcome::Truncated, Outcome::Terminated].map(learned_value);
        assert!((cut - 10.0).abs() < 1e-3, "{cut}");
        assert!(ended < 4.1, "{ended}");
    }
}
