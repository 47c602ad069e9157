//! The plan of an agent's actor in given spaces, before there is a network with parameters.

use std::sync::Arc;

use egn_solver::{Network, Snapshot};

use crate::policies::{greedy_rule::GreedyRule, policy::Policy};

/// The network that acts in given spaces, what its outputs mean, and the policy that acts with it.
///
/// *Design.* One description serves whoever reads a saved network, acts with it, or hands it to
/// other programs.
pub struct ActorPlan {
    /// Architecture of the network that acts ([`crate::Agent::policy_network`]).
    pub network: Network,
    /// What the greedy policy does with the network's outputs.
    pub greedy: GreedyRule,
    with_network: Box<dyn Fn(Snapshot) -> Arc<dyn Policy>>,
}

impl ActorPlan {
    /// A plan whose policy is what `with_network` makes of a saved network.
    pub fn new(
        network: Network,
        greedy: GreedyRule,
        with_network: impl Fn(Snapshot) -> Arc<dyn Policy> + 'static,
    ) -> Self {
        Self { network, greedy, with_network: Box::new(with_network) }
    }

    /// The policy that acts with a saved network.
    pub fn policy(&self, network: Snapshot) -> Arc<dyn Policy> {
        (self.with_network)(network)
    }
}
