//! Trust-region policy optimization.
//!
//! Quick facts: on-policy, discrete and continuous actions; each rollout moves the policy as far as
//! a limit on its KL divergence allows. How, the optimizer decides:
//!
//! - **EGN**: the constraint. One step along the exact natural gradient (F + λI)⁻¹ g from the whole
//!   rollout, first as long as the learning rate says but no further than where the quadratic model
//!   puts KL = δ, then back by fifths until the surrogate gains enough and the real divergence is
//!   within δ. With a learning rate that never binds this is the paper's algorithm but for
//!   conjugate gradients, in whose place stands the row-space solve.
//! - **every other**: the penalty, κ KL(π_old‖π), in minibatches, with κ doubled after
//!   a rollout that moved the policy by more than 1.5 δ and halved after one that
//!   moved it by less than δ/1.5.
//!
//! ```text
//! surrogate: −(1/b) Σ ρA,   ρ = π(a|s)/π_old(a|s),   A: generalized advantage estimate, normalized
//! critic:    (1/b) Σ ½ (V(s) − (A + V_old(s)))²
//! ```
//!
//! Source: Schulman et al. (2015), arXiv 1502.05477, eq. 14 and appendix C; the penalty from
//! Schulman et al. (2017), section 4, arXiv 1707.06347; defaults from sb3-contrib.

use std::sync::Arc;

use egn_solver::{
    EgnConfig, LineSearchConfig, OptimizerConfig, Outputs, Restart, Schedule, SettingError, Snapshot, SolverError,
    State, StateError,
    loss::{FewRows, Loss, Root, SquaredError},
    require,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    agent::{Agent, Learned, Update},
    context::{AgentContext, Clock, Spaces, Workload},
    error::AgentError,
    experience::{
        returns::{explained_variance, normalize},
        rollout::Rollout,
    },
    networks::{
        actor_critic::{ActorCritic, Experience, select},
        distribution::{Distribution, Terms},
    },
    policies::{actor_plan::ActorPlan, policy::Policy},
    settings::{agent_settings::AgentSettings, on_policy::OnPolicySettings},
};

/// Settings of [`Trpo`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct TrpoConfig {
    /// Settings of every on-policy agent.
    #[serde(flatten)]
    pub on_policy: OnPolicySettings,
    /// λ of the advantage estimate, in [0, 1]; 1 is the n-step return.
    pub gae_lambda: f64,
    /// δ, in (0, ∞): KL divergence by which a rollout may move the policy.
    pub target_kl: Schedule,
    /// Passes of the actor over a rollout under the penalty, 1 or more; the
    /// constraint takes one step.
    pub penalty_epochs: usize,
    /// κ at first, above 0: weight of the divergence in the penalty.
    pub penalty: f64,
    /// Passes of the critic over a rollout, 0 or more.
    pub critic_epochs: usize,
    /// Steps in a minibatch, of the critic and of the actor under the penalty, 1 or more.
    pub batch_size: usize,
}

impl Default for TrpoConfig {
    fn default() -> Self {
        // sb3-contrib's TRPO; the penalty's are those of Schulman et al. (2017), section 6.1.
        Self {
            on_policy: OnPolicySettings::default(),
            gae_lambda: 0.95,
            target_kl: 0.01.into(),
            penalty_epochs: 10,
            penalty: 1.0,
            critic_epochs: 10,
            batch_size: 128,
        }
    }
}

impl AgentSettings for TrpoConfig {
    fn summary(&self) -> &'static str {
        "trust-region policy optimization; with egn, the constraint, else a penalty (any actions)"
    }

    fn validate(&self) -> Result<(), SettingError> {
        self.on_policy.validate()?;
        require((0.0..=1.0).contains(&self.gae_lambda), "gae_lambda", "in [0, 1]", self.gae_lambda)?;
        self.target_kl.require("target_kl", [f64::MIN_POSITIVE, f64::MAX], "positive and finite")?;
        require(self.penalty > 0.0 && self.penalty.is_finite(), "penalty", "above 0", self.penalty)?;
        require(self.penalty_epochs > 0, "penalty_epochs", "1 or more", self.penalty_epochs)?;
        require(self.batch_size > 0, "batch_size", "1 or more", self.batch_size)
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
        // The step under the constraint takes the whole rollout.
        self.on_policy.workload(self.on_policy.body(), usize::MAX, spaces, n_envs)
    }

    fn build(&self, context: &AgentContext) -> Result<Box<dyn Agent>, AgentError> {
        Ok(Box::new(Trpo::new(self.clone(), context)?))
    }
}

/// What keeps the new policy near the old one.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Rule {
    /// To be within this KL divergence, δ.
    Constraint {
        limit: Schedule,
    },
    Penalty {
        coefficient: f64,
    },
}

/// The TRPO agent.
pub struct Trpo {
    config: TrpoConfig,
    networks: ActorCritic,
    rule: Rule,
}

/// Trials and factor of sb3-contrib, which takes any gain; here it is a tenth of the linear
/// prediction, as in Schulman's modular_rl.
const BACKTRACKING: LineSearchConfig =
    LineSearchConfig { restart: Restart::Longest, sufficient: 0.1, shrink: 0.8, grow: 1.0, max_trials: 10 };

impl Trpo {
    /// Makes the agent, ready to act. EGN's own `kl_limit` and `line_search`, where given, stand in
    /// place of δ and of the backtracking of this agent.
    ///
    /// # Errors
    /// When a network cannot be made.
    pub fn new(config: TrpoConfig, context: &AgentContext) -> Result<Self, AgentError> {
        let mut context = context.clone();
        let rule = match &mut context.optimizer {
            OptimizerConfig::Egn(EgnConfig { kl_limit, line_search, .. }) => {
                line_search.get_or_insert(BACKTRACKING);
                Rule::Constraint { limit: *kl_limit.get_or_insert(config.target_kl) }
            }
            OptimizerConfig::Adam(_)
            | OptimizerConfig::AdamW(_)
            | OptimizerConfig::RmsProp(_)
            | OptimizerConfig::Sgd(_)
            | OptimizerConfig::Lion(_)
            | OptimizerConfig::ScheduleFree(_)
            | OptimizerConfig::Muon(_)
            | OptimizerConfig::Soap(_)
            | OptimizerConfig::Kron(_)
            | OptimizerConfig::Sgn(_) => Rule::Penalty { coefficient: config.penalty },
        };
        let networks = ActorCritic::new(config.on_policy.body(), config.on_policy.log_std_init, &context)?;
        Ok(Self { config, networks, rule })
    }

    fn train_actor(&mut self, experience: &Experience, clock: Clock) -> Result<Vec<Update>, SolverError> {
        match self.rule {
            Rule::Constraint { limit } => Ok(vec![self.natural_step(experience, limit.at(clock.progress()), clock)?]),
            Rule::Penalty { coefficient } => Ok(self.penalized_steps(experience, coefficient, clock)),
        }
    }

    /// The one step of a rollout under the constraint.
    fn natural_step(&mut self, experience: &Experience, limit: f64, clock: Clock) -> Result<Update, SolverError> {
        let mut batch = experience.policy.clone();
        if self.config.on_policy.normalize_advantage {
            normalize(&mut batch.advantages);
        }
        let all: Vec<usize> = (0..batch.advantages.len()).collect();
        let observations = self.networks.rows(&experience.observations, &all)?;
        let ActorCritic { actor, distribution, storage, .. } = &mut self.networks;
        let result = distribution.with_loss(&batch, Terms::default(), |surrogate| {
            let kl = |outputs: &Outputs| distribution.kl(&batch.old_outputs, outputs);
            actor.step(&observations, &TrustRegion { surrogate, kl: &kl, limit }, clock.context(true).lending(storage))
        });
        Ok(Update { network: "actor", result })
    }

    fn penalized_steps(&mut self, experience: &Experience, coefficient: f64, clock: Clock) -> Vec<Update> {
        let TrpoConfig { batch_size, penalty_epochs, .. } = self.config;
        let normalize_advantage = self.config.on_policy.normalize_advantage;
        let terms = Terms { kl_penalty: Some(coefficient), ..Terms::default() };
        let batches = self.networks.minibatches(experience.returns.len(), batch_size, penalty_epochs);
        let step = |(i, rows): (usize, &Vec<usize>)| {
            self.networks.update_actor(experience, rows, normalize_advantage, terms, clock, i == 0)
        };
        batches.iter().enumerate().map(step).collect()
    }

    fn train_critic(&mut self, experience: &Experience, clock: Clock) -> Vec<Update> {
        let TrpoConfig { batch_size, critic_epochs, .. } = self.config;
        let batches = self.networks.minibatches(experience.returns.len(), batch_size, critic_epochs);
        let step = |(i, rows): (usize, &Vec<usize>)| {
            let targets = select(&experience.returns, rows);
            self.networks.update_critic(experience, rows, &SquaredError { targets: &targets }, clock, i == 0)
        };
        batches.iter().enumerate().map(step).collect()
    }
}

impl Rule {
    /// κ after a rollout that moved the policy by `kl`, which should have been `target`.
    fn adapt(&mut self, kl: f64, target: f64) {
        let Self::Penalty { coefficient } = self else { return };
        if kl > 1.5 * target {
            *coefficient *= 2.0;
        } else if kl < target / 1.5 {
            *coefficient /= 2.0;
        }
    }
}

impl Agent for Trpo {
    fn steps_per_rollout(&self) -> usize {
        self.config.on_policy.n_steps
    }

    fn policy(&self) -> Result<Arc<dyn Policy>, AgentError> {
        self.networks.policy()
    }

    fn learn(&mut self, rollout: &Rollout, clock: Clock) -> Result<Learned, AgentError> {
        let OnPolicySettings { gamma, reward_scale, .. } = self.config.on_policy;
        let gae_lambda = self.config.gae_lambda;
        let experience = self.networks.experience(rollout, gamma, gae_lambda, reward_scale)?;
        let mut updates = self.train_actor(&experience, clock)?;
        updates.extend(self.train_critic(&experience, clock));

        let outputs = self.networks.outputs(&experience.observations)?;
        let kl = self.networks.distribution.kl(&experience.policy.old_outputs, &outputs);
        let mut metrics = vec![
            ("entropy", self.networks.distribution.entropy(&outputs)),
            ("kl", kl),
            ("explained_variance", explained_variance(&experience.values, &experience.returns)),
        ];
        if let Rule::Penalty { coefficient } = self.rule {
            metrics.push(("kl_penalty", coefficient));
        }
        self.rule.adapt(kl, self.config.target_kl.at(clock.progress()));
        Ok(Learned { updates, metrics })
    }

    fn policy_network(&self) -> Result<Snapshot, AgentError> {
        self.networks.policy_network()
    }

    fn state(&self) -> State {
        let mut state = self.networks.state();
        if let Rule::Penalty { coefficient } = self.rule {
            state.put("penalty", &[coefficient]);
        }
        state
    }

    fn restore(&mut self, state: &State) -> Result<(), StateError> {
        if let Rule::Penalty { coefficient } = &mut self.rule {
            *coefficient = state.number("penalty")?;
        }
        self.networks.restore(state)
    }
}

/// The surrogate inside the trust region, +∞ outside of it: what backtracking may accept. The step
/// starts inside, at KL = 0, where derivatives are those of the surrogate.
struct TrustRegion<'a> {
    surrogate: &'a dyn Loss,
    /// Mean KL(π_old‖π) at some outputs.
    kl: &'a dyn Fn(&Outputs) -> f64,
    /// δ.
    limit: f64,
}

impl Loss for TrustRegion<'_> {
    fn rows_per_sample(&self, outputs: &Outputs) -> usize {
        self.surrogate.rows_per_sample(outputs)
    }

    /// Of the surrogate: the region bounds the batch, not a sample.
    fn values(&self, outputs: &Outputs, values: &mut Vec<f64>) {
        self.surrogate.values(outputs, values);
    }

    fn value(&self, outputs: &Outputs) -> f64 {
        if (self.kl)(outputs) <= self.limit { self.surrogate.value(outputs) } else { f64::INFINITY }
    }

    fn residual(&self, outputs: &Outputs, residual: &mut Vec<f64>) -> f64 {
        self.surrogate.residual(outputs, residual)
    }

    fn root(&self, outputs: &Outputs, root: &mut Root) -> f64 {
        self.surrogate.root(outputs, root)
    }

    fn few_rows(&self, outputs: &Outputs, rows: FewRows, root: &mut Root) -> f64 {
        self.surrogate.few_rows(outputs, rows, root)
    }

    fn curvature_along(&self, outputs: &Outputs, change: &[f64]) -> f64 {
        self.surrogate.curvature_along(outputs, change)
    }
}

#[cfg(test)]
mod tests {
    use egn_envs::Space;
    use egn_solver::{OptimizerName, Precision};

    use super::*;

    #[test]
    fn the_optimizers_own_limit_stands_in_place_of_delta() {
        let rule = |kl_limit: Option<Schedule>| {
            let context = AgentContext {
                observation_space: Space::symmetric(vec![1.0]),
                action_space: Space::Discrete { n: 2 },
                total_steps: 1,
                seed: 0,
                precision: Precision::F32,
                optimizer: OptimizerConfig::Egn(EgnConfig { kl_limit, ..Default::default() }),
                critic_optimizer: OptimizerName::Egn.into(),
            };
            Trpo::new(TrpoConfig { target_kl: 0.01.into(), ..Default::default() }, &context).unwrap().rule
        };
        assert_eq!(rule(None), Rule::Constraint { limit: 0.01.into() });
        assert_eq!(rule(Some(0.05.into())), Rule::Constraint { limit: 0.05.into() });
    }

    #[test]
    fn the_penalty_follows_the_divergence_and_the_constraint_has_none() {
        let after = |kl| {
            let mut rule = Rule::Penalty { coefficient: 3.0 };
            rule.adapt(kl, 0.01);
            rule
        };
        assert_eq!(after(0.02), Rule::Penalty { coefficient: 6.0 });
        assert_eq!(after(0.01), Rule::Penalty { coefficient: 3.0 });
        assert_eq!(after(0.006), Rule::Penalty { coefficient: 1.5 });
        let constraint = Rule::Constraint { limit: 0.01.into() };
        let mut rule = constraint;
        rule.adapt(1.0, 0.01);
        assert_eq!(rule, constraint);
    }
}
