//! The target network, which follows the one that learns at a distance, so that learning does not
//! chase its own targets.

use egn_solver::{Learner, Snapshot, State, StateError};

use crate::{context::Clock, experience::rollout::Rollout};

/// A target network: θ̄ ← (1 − τ) θ̄ + τ θ, at given times.
///
/// Source: Mnih et al. (2015), doi 10.1038/nature14236 (τ = 1); Lillicrap et al. (2016), arXiv
/// 1509.02971 (τ < 1).
#[derive(Debug, Clone)]
pub(crate) struct TargetNetwork {
    network: Snapshot,
    tau: f64,
}

impl TargetNetwork {
    /// A target that begins as `network`.
    pub fn new(network: Snapshot, tau: f64) -> Self {
        Self { network, tau }
    }

    /// The target network θ̄ itself.
    pub fn network(&self) -> &Snapshot {
        &self.network
    }

    /// The state of θ̄, for [`TargetNetwork::restore`].
    pub fn state(&self) -> State {
        self.network.state()
    }

    /// Restores θ̄.
    ///
    /// # Errors
    /// When the state is of another network.
    pub fn restore(&mut self, state: &State) -> Result<(), StateError> {
        self.network = self.network.restored(state)?;
        Ok(())
    }

    /// Moves θ̄ by one update.
    pub fn update(&mut self, online: &Learner) {
        self.network = online.pull(&self.network, self.tau);
    }

    /// Makes the updates that fell due while a rollout was collected, `clock` standing at its end:
    /// one every `interval` environment steps, counted as Stable-Baselines3 counts them, in whole
    /// steps of all environments. The online network stood still meanwhile, so that m updates are
    /// one with 1 − (1 − τ)ᵐ.
    pub fn follow(&mut self, online: &Learner, rollout: &Rollout, clock: Clock, interval: u64) {
        let n_updates = updates_due(clock.env_steps, rollout.n_envs as u64, rollout.n_steps as u64, interval);
        if n_updates > 0 {
            self.network = online.pull(&self.network, compounded(self.tau, n_updates));
        }
    }
}

/// Updates in the last `n_steps` steps of `n_envs` environments, which have
/// brought `env_steps` in all.
fn updates_due(env_steps: u64, n_envs: u64, n_steps: u64, interval: u64) -> u64 {
    let (calls, every) = (env_steps / n_envs, (interval / n_envs).max(1));
    calls / every - (calls - n_steps) / every
}

/// τ of one update that does what `n` do while θ stands still.
fn compounded(tau: f64, n: u64) -> f64 {
    if tau == 1.0 { 1.0 } else { 1.0 - libm::pow(1.0 - tau, n as f64) }
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Tensor};
    use egn_solver::{Activation, Network};

    use super::*;
    use crate::recorded::{assert_close, numbers, recorded};

    #[test]
    fn updates_are_counted_as_stable_baselines_counts() {
        // Its loop: n_calls rises by one a step of all environments, an update at every multiple.
        let counted = |env_steps: u64, n_envs: u64, n_steps: u64, interval: u64| {
            let end = env_steps / n_envs;
            (end - n_steps + 1..=end).filter(|call| call % (interval / n_envs).max(1) == 0).count() as u64
        };
        for (env_steps, n_envs, n_steps, interval) in
            [(256, 1, 256, 10), (512, 1, 256, 10), (4, 1, 4, 200), (200, 1, 4, 200), (96, 8, 4, 16), (30, 3, 10, 2)]
        {
            assert_eq!(
                updates_due(env_steps, n_envs, n_steps, interval),
                counted(env_steps, n_envs, n_steps, interval),
                "{env_steps} {n_envs} {n_steps} {interval}"
            );
        }
        assert_eq!(updates_due(512, 1, 256, 10), 26);
    }

    #[test]
    fn three_updates_are_those_of_stable_baselines() {
        let golden = recorded("polyak");
        let network = |section: &str| {
            let params = Tensor::new(numbers(&golden[section]), &Device::Cpu).unwrap();
            Snapshot::new(Network::mlp(&[2, 1], Activation::Identity), &params).unwrap()
        };
        let tau = compounded(golden["tau"].as_f64().unwrap(), 3);
        let moved = network("before").towards(&network("online"), tau);
        assert_close(&moved.parameters(), &numbers(&golden["after"]), 1e-12);
    }

    #[test]
    fn many_small_updates_are_one() {
        let (theta, mut follower) = (3.0, 1.0);
        for _ in 0..7 {
            follower += 0.1 * (theta - follower);
        }
        assert!((1.0 + compounded(0.1, 7) * (theta - 1.0) - follower).abs() < 1e-14);
        assert_eq!(compounded(1.0, 7), 1.0);
    }
}
