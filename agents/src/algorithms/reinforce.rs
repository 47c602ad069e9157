//! REINFORCE with a learned baseline.
//!
//! Quick facts: on-policy, discrete and continuous actions, Monte-Carlo returns of whole episodes;
//! the baseline V is a network of its own and never stands in for rewards that were to come, but
//! for those that a time limit cut off.
//!
//! ```text
//! actor:    −(1/b) Σ ρ (G − V(s)) − βH,   G = Σ γᵏ r,   ρ = π(a|s)/π_b(a|s)
//! baseline: (1/b) Σ ½ (V(s) − G)²
//! ```
//!
//! *Design.* Environments run on while the agent learns, so an episode may have begun under an
//! earlier policy. Its steps count with the ratio ρ of the present policy to the one that took
//! them; for an episode of the present policy ρ = 1 and the gradient is that of log π (G − V). The
//! paper's γᵗ in front of each step is left out, as everywhere in practice.
//!
//! Source: Williams (1992), "Simple statistical gradient-following algorithms for connectionist
//! reinforcement learning", Machine Learning 8; Sutton and Barto (2018), section 13.4.

use std::sync::Arc;

use egn_envs::Outcome;
use egn_solver::{Outputs, SettingError, Snapshot, SolverError, State, StateError, loss::SquaredError, require};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    agent::{Agent, Learned, Update},
    context::{AgentContext, Clock, Spaces, Workload},
    error::AgentError,
    experience::{
        actions::Actions,
        returns::{discounted, explained_variance},
        rollout::Rollout,
    },
    networks::{
        actor_critic::{ActorCritic, Experience, select},
        distribution::{Distribution, PolicyBatch, Terms},
    },
    policies::{actor_plan::ActorPlan, policy::Policy},
    settings::{agent_settings::AgentSettings, on_policy::OnPolicySettings},
};

/// Settings of [`Reinforce`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ReinforceConfig {
    /// Settings of every on-policy agent.
    #[serde(flatten)]
    pub on_policy: OnPolicySettings,
    /// Fewest whole episodes that are learned from at once, 1 or more.
    pub n_episodes: usize,
    /// Most steps in a minibatch, 1 or more: the actor passes once over the episodes.
    pub batch_size: usize,
    /// Passes of the baseline over the episodes, 0 or more.
    pub critic_epochs: usize,
    /// β, 0 or more: the entropy coefficient.
    pub entropy: f64,
}

impl Default for ReinforceConfig {
    fn default() -> Self {
        // There is no textbook default; widths and γ are those of the other on-policy agents.
        Self {
            on_policy: OnPolicySettings { n_steps: 64, ..OnPolicySettings::default() },
            n_episodes: 4,
            batch_size: 256,
            critic_epochs: 5,
            entropy: 0.0,
        }
    }
}

impl AgentSettings for ReinforceConfig {
    fn summary(&self) -> &'static str {
        "Monte-Carlo policy gradient with a learned baseline (any actions)"
    }

    fn validate(&self) -> Result<(), SettingError> {
        self.on_policy.validate()?;
        require(self.n_episodes > 0, "n_episodes", "1 or more", self.n_episodes)?;
        require(self.batch_size > 0, "batch_size", "1 or more", self.batch_size)?;
        require(self.entropy >= 0.0 && self.entropy.is_finite(), "entropy", "0 or more", self.entropy)
    }

    fn gamma(&self) -> f64 {
        self.on_policy.gamma
    }

    fn has_critic(&self) -> bool {
        true
    }

    fn actor(&self, spaces: Spaces<'_>) -> Result<ActorPlan, AgentError> {
        Ok(Distribution::over(spaces.actions).actor(spaces.n_observations, self.on_policy.body()))
    }

    fn workload(&self, spaces: Spaces<'_>, n_envs: usize, _total_steps: u64) -> Workload {
        let workload = self.on_policy.workload(self.on_policy.body(), usize::MAX, spaces, n_envs);
        // Batches are of whole episodes, however long.
        let batch_size = self.batch_size as u64;
        Workload { batch_size, transitions: workload.transitions.max(batch_size), ..workload }
    }

    fn build(&self, context: &AgentContext) -> Result<Box<dyn Agent>, AgentError> {
        Ok(Box::new(Reinforce::new(self.clone(), context)?))
    }
}

/// The REINFORCE agent.
pub struct Reinforce {
    config: ReinforceConfig,
    networks: ActorCritic,
    no_actions: Actions,
    /// The episode under way in each environment.
    under_way: Vec<Episode>,
    finished: Vec<Episode>,
}

/// Steps of one episode so far.
#[derive(Debug, Clone, PartialEq)]
struct Episode {
    observations: Vec<f32>,
    actions: Actions,
    rewards: Vec<f64>,
    /// log π_b(a|s) and outputs of the policy that acted.
    log_probs: Vec<f64>,
    outputs: Vec<f64>,
    /// The real last observation, where the episode was cut.
    cut_at: Option<Vec<f32>>,
}

impl Episode {
    fn begin(no_actions: &Actions) -> Self {
        Self {
            observations: Vec::new(),
            actions: no_actions.clone(),
            rewards: Vec::new(),
            log_probs: Vec::new(),
            outputs: Vec::new(),
            cut_at: None,
        }
    }

    fn state(&self) -> State {
        let mut state = State::default();
        state.put("rewards", &self.rewards);
        state.put("observations", &self.observations);
        self.actions.put_into(&mut state, "actions");
        state.put("log_probs", &self.log_probs);
        state.put("outputs", &self.outputs);
        state.put("cut_at", self.cut_at.as_deref().unwrap_or_default());
        state
    }

    fn restored(no_actions: &Actions, state: &State) -> Result<Self, StateError> {
        let mut episode = Self::begin(no_actions);
        episode.rewards = state.get("rewards")?;
        episode.actions.take_from(state, "actions", episode.rewards.len())?;
        episode.observations = state.get("observations")?;
        episode.log_probs = state.get_all("log_probs", episode.rewards.len())?;
        episode.outputs = state.get("outputs")?;
        episode.cut_at = Some(state.get("cut_at")?).filter(|observation: &Vec<f32>| !observation.is_empty());
        Ok(episode)
    }
}

impl Reinforce {
    /// Makes the agent, ready to act.
    ///
    /// # Errors
    /// When a network cannot be made.
    pub fn new(config: ReinforceConfig, context: &AgentContext) -> Result<Self, AgentError> {
        let networks = ActorCritic::new(config.on_policy.body(), config.on_policy.log_std_init, context)?;
        let no_actions = Actions::none(&context.action_space);
        Ok(Self { config, networks, no_actions, under_way: Vec::new(), finished: Vec::new() })
    }

    /// Hands every step of a rollout to its episode. The present actor is the one that took them.
    fn sort(&mut self, rollout: &Rollout) -> Result<(), SolverError> {
        let taken = self.networks.policy_batch(&rollout.observations, rollout.actions.clone(), Vec::new())?;
        self.under_way.resize_with(rollout.n_envs, || Episode::begin(&self.no_actions));
        let (width, c) = (rollout.observations.len() / rollout.len(), taken.old_outputs.n_outputs);
        for row in 0..rollout.len() {
            let episode = &mut self.under_way[row / rollout.n_steps];
            let of_row = row * width..(row + 1) * width;
            episode.observations.extend_from_slice(&rollout.observations[of_row.clone()]);
            episode.actions.push_from(&rollout.actions, row);
            episode.rewards.push(self.config.on_policy.reward_scale * rollout.rewards[row]);
            episode.log_probs.push(taken.old_log_probs[row]);
            episode.outputs.extend_from_slice(&taken.old_outputs.values[row * c..(row + 1) * c]);
            match rollout.outcomes[row] {
                Outcome::Continues => continue,
                Outcome::Terminated => {}
                Outcome::Truncated => episode.cut_at = Some(rollout.next_observations[of_row].to_vec()),
            }
            self.finished.push(std::mem::replace(episode, Episode::begin(&self.no_actions)));
        }
        Ok(())
    }

    /// The finished episodes, one row a step, with their returns.
    fn experience(&mut self) -> Result<Experience, SolverError> {
        let episodes = std::mem::take(&mut self.finished);
        let mut actions = self.no_actions.clone();
        let (mut observations, mut returns, mut log_probs) = (Vec::new(), Vec::new(), Vec::new());
        let mut outputs = Vec::new();
        for episode in &episodes {
            let after = match &episode.cut_at {
                Some(observation) => self.networks.values(observation)?[0],
                None => 0.0,
            };
            returns.extend(discounted(&episode.rewards, after, self.config.on_policy.gamma));
            observations.extend_from_slice(&episode.observations);
            actions.extend(&episode.actions);
            log_probs.extend_from_slice(&episode.log_probs);
            outputs.extend_from_slice(&episode.outputs);
        }
        let values = self.networks.values(&observations)?;
        let policy = PolicyBatch {
            actions,
            advantages: returns.iter().zip(&values).map(|(g, v)| g - v).collect(),
            old_outputs: Outputs { n_outputs: outputs.len() / log_probs.len(), values: outputs },
            old_log_probs: log_probs,
        };
        Ok(Experience { observations, policy, values, returns })
    }

    fn updates(&mut self, experience: &Experience, clock: Clock) -> Vec<Update> {
        let ReinforceConfig { batch_size, critic_epochs, entropy, .. } = self.config;
        let normalize_advantage = self.config.on_policy.normalize_advantage;
        let (n, terms) = (experience.returns.len(), Terms { entropy, ..Terms::default() });
        let mut updates = Vec::new();
        for (i, rows) in self.networks.minibatches(n, batch_size, 1).iter().enumerate() {
            updates.push(self.networks.update_actor(experience, rows, normalize_advantage, terms, clock, i == 0));
        }
        for (i, rows) in self.networks.minibatches(n, batch_size, critic_epochs).iter().enumerate() {
            let targets = select(&experience.returns, rows);
            let loss = SquaredError { targets: &targets };
            updates.push(self.networks.update_critic(experience, rows, &loss, clock, i == 0));
        }
        updates
    }
}

impl Agent for Reinforce {
    fn steps_per_rollout(&self) -> usize {
        self.config.on_policy.n_steps
    }

    fn policy(&self) -> Result<Arc<dyn Policy>, AgentError> {
        self.networks.policy()
    }

    fn learn(&mut self, rollout: &Rollout, clock: Clock) -> Result<Learned, AgentError> {
        self.sort(rollout)?;
        if self.finished.len() < self.config.n_episodes {
            return Ok(Learned::default());
        }
        let experience = self.experience()?;
        let updates = self.updates(&experience, clock);
        let outputs = self.networks.outputs(&experience.observations)?;
        let metrics = vec![
            ("entropy", self.networks.distribution.entropy(&outputs)),
            ("kl", self.networks.distribution.kl(&experience.policy.old_outputs, &outputs)),
            ("explained_variance", explained_variance(&experience.values, &experience.returns)),
        ];
        Ok(Learned { updates, metrics })
    }

    fn forget_episodes(&mut self, envs: &[usize]) {
        for &env in envs {
            if let Some(episode) = self.under_way.get_mut(env) {
                *episode = Episode::begin(&self.no_actions);
            }
        }
    }

    fn policy_network(&self) -> Result<Snapshot, AgentError> {
        self.networks.policy_network()
    }

    fn state(&self) -> State {
        let mut state = self.networks.state();
        for (name, episodes) in [("under_way", &self.under_way), ("finished", &self.finished)] {
            state.put(name, &[episodes.len() as u64]);
            for (i, episode) in episodes.iter().enumerate() {
                state.put_part(&format!("{name}/{i}"), episode.state());
            }
        }
        state
    }

    fn restore(&mut self, state: &State) -> Result<(), StateError> {
        let episodes = |name: &str| {
            let n = state.number::<u64>(name)?;
            let part = |i| Episode::restored(&self.no_actions, &state.part(&format!("{name}/{i}")));
            (0..n).map(part).collect::<Result<Vec<_>, _>>()
        };
        (self.under_way, self.finished) = (episodes("under_way")?, episodes("finished")?);
        self.networks.restore(state)
    }
}
