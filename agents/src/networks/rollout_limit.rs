//! A trust region for a whole rollout: how far the policy may go from the one that collected it.
//!
//! The limit is measured on all of the rollout's observations, exactly, after all epochs and
//! minibatches, so that neither changes its meaning; and it holds whatever optimizer made the
//! steps. A move that went further is shortened in the space of parameters, θ ← θ₀ + s(θ − θ₀).
//!
//! *Design.* Means and standard deviations have limits of their own, because one step narrows a
//! Gaussian faster than it moves its mean. Where log σ does not depend on the state it is a
//! parameter itself, and each limit shortens its own part of θ.
//!
//! Source: Schulman et al. (2015), arXiv 1502.05477, for the limit; Abdolmaleki et al. (2018),
//! arXiv 1812.02256, section 4.2, and Otto et al. (2021), arXiv 2101.09207, for two of them.

use egn_solver::{Schedule, SettingError, Snapshot, SolverError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::networks::actor_critic::{ActorCritic, Experience};

/// The limits on a rollout's learning; in a file they stand among the agent's own settings.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RolloutLimits {
    /// δ, above 0: greatest mean divergence KL(π_old‖π) from the policy that collected the rollout,
    /// after all epochs, whatever the optimizer; of Gaussians the part of their means. No limit
    /// unless given.
    pub rollout_kl: Option<Schedule>,
    /// δ, above 0: the same for the part of the Gaussians' standard deviations.
    pub rollout_kl_std: Option<Schedule>,
}

/// Shorter than the length that the limit asks for if divergence were a square: mostly enough.
const MARGIN: f64 = 0.95;

/// After so many shortenings the policy stays as it was: its divergence is not finite, or jumps.
const MAX_SHORTENINGS: usize = 60;

impl RolloutLimits {
    /// Checks that every limit is in its range.
    ///
    /// # Errors
    /// The first setting that is not.
    pub fn validate(&self) -> Result<(), SettingError> {
        let check = |limit: Option<Schedule>, name| {
            limit.map_or(Ok(()), |limit| limit.require(name, [f64::MIN_POSITIVE, f64::MAX], "above 0 and finite"))
        };
        check(self.rollout_kl, "rollout_kl")?;
        check(self.rollout_kl_std, "rollout_kl_std")
    }

    /// Whether nothing is limited.
    pub fn are_none(&self) -> bool {
        *self == Self::default()
    }

    /// The limits (means, deviations) at some progress; infinite where there is none.
    pub fn at(&self, progress: f64) -> [f64; 2] {
        [self.rollout_kl, self.rollout_kl_std].map(|limit| limit.map_or(f64::INFINITY, |limit| limit.at(progress)))
    }
}

impl ActorCritic {
    /// A copy of the actor if there are limits, to be given to [`ActorCritic::shorten`].
    pub fn actor_if(&self, is_limited: bool) -> Option<Snapshot> {
        is_limited.then(|| self.actor.snapshot())
    }

    /// Shortens the move of the actor from `before`, which collected the rollout, until its
    /// divergences (means, deviations) are within the limits; does nothing without `before`.
    ///
    /// # Errors
    /// When the actor cannot be evaluated.
    pub fn shorten(
        &mut self,
        before: Option<Snapshot>,
        experience: &Experience,
        limits: [f64; 2],
    ) -> Result<(), SolverError> {
        let Some(before) = before else { return Ok(()) };
        for _ in 0..MAX_SHORTENINGS {
            let outputs = self.outputs(&experience.observations)?;
            let parts = self.distribution.kl_parts(&experience.policy.old_outputs, &outputs);
            let keep = |part: usize| match limits[part] / parts[part] {
                ratio if ratio >= 1.0 => 1.0,
                ratio if ratio >= 0.0 => MARGIN * ratio.sqrt(),
                // Not a number.
                _ => 0.0,
            };
            if (0..2).all(|part| parts[part] <= limits[part]) {
                return Ok(());
            }
            let kept = [keep(0), keep(1)];
            self.actor.retreat(&before, kept[0], kept[1]);
        }
        self.actor.retreat(&before, 0.0, 0.0);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use egn_envs::Space;
    use egn_solver::{AdamConfig, OptimizerConfig, Precision};

    use super::*;
    use crate::{
        context::{AgentContext, Clock},
        experience::actions::Actions,
        networks::distribution::Terms,
        settings::on_policy::OnPolicySettings,
    };

    const N: usize = 32;

    fn networks() -> ActorCritic {
        let optimizer = OptimizerConfig::Adam(AdamConfig { lr: 0.05.into(), ..AdamConfig::default() });
        let context = AgentContext {
            observation_space: Space::symmetric(vec![1.0]),
            action_space: Space::symmetric(vec![1.0]),
            total_steps: 1,
            seed: 1,
            precision: Precision::F64,
            critic_optimizer: optimizer.clone(),
            optimizer,
        };
        let settings = OnPolicySettings { hidden: vec![8], ..OnPolicySettings::default() };
        ActorCritic::new(settings.body(), -0.5, &context).unwrap()
    }

    /// Ten long steps of Adam, then the limits; the divergences (means, deviations) that are left.
    fn after(limits: [f64; 2]) -> [f64; 2] {
        let mut networks = networks();
        let observations: Vec<f32> = (0..N).map(|i| i as f32 / 16.0 - 1.0).collect();
        let actions = Actions::Continuous { values: (0..N).map(|i| libm::sinf(i as f32)).collect(), width: 1 };
        let advantages = (0..N).map(|i| libm::cos(i as f64)).collect();
        let policy = networks.policy_batch(&observations, actions, advantages).unwrap();
        let experience = Experience { observations, policy, values: vec![0.0; N], returns: vec![0.0; N] };
        let before = networks.actor_if(true);
        let (rows, clock) = ((0..N).collect::<Vec<_>>(), Clock { env_steps: 0, total_steps: 1, diagnose: false });
        for _ in 0..10 {
            networks.update_actor(&experience, &rows, true, Terms::default(), clock, false).result.unwrap();
        }
        networks.shorten(before, &experience, limits).unwrap();
        let outputs = networks.outputs(&experience.observations).unwrap();
        networks.distribution.kl_parts(&experience.policy.old_outputs, &outputs)
    }

    #[test]
    fn each_part_ends_within_its_own_limit_and_is_left_alone_below_it() {
        let free = after([f64::INFINITY; 2]);
        assert!(free[0] > 0.01 && free[1] > 0.01, "{free:?}");
        let [means, deviations] = after([1e-3, f64::INFINITY]);
        assert!((0.5e-3..=1e-3).contains(&means) && (deviations - free[1]).abs() < 1e-12, "{means} {deviations}");
        let [means, deviations] = after([f64::INFINITY, 1e-3]);
        assert!((0.5e-3..=1e-3).contains(&deviations) && (means - free[0]).abs() < 1e-12, "{means} {deviations}");
        assert_eq!(after([10.0, 10.0]), free);
    }
}
