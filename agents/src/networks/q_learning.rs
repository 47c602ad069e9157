//! What every agent that acts by action values holds: the network that puts them out, its target
//! network, and the memory that it learns from.
//!
//! *Design.* The counterpart of [`crate::networks::actor_critic`]. What an output stands for, and
//! what an update makes of a batch, is the algorithm's, which is in the algorithm's file.

use std::sync::Arc;

use egn_solver::{Learner, Schedule, State, StateError};

use crate::{
    agent::{Learned, Update},
    context::Clock,
    experience::rollout::Rollout,
    networks::{off_policy::OffPolicy, target_network::TargetNetwork},
    policies::{epsilon_greedy::EpsilonGreedyPolicy, greedy_rule::ActionValues, policy::Policy},
};

/// A network of action values in training.
pub(crate) struct QLearning {
    /// What the record calls the network that learns.
    pub name: &'static str,
    /// The network that learns.
    pub online: Learner,
    /// The network that targets are taken from.
    pub target: TargetNetwork,
    /// Replay memory, rounds of updates, and the stream of learning.
    pub experience: OffPolicy,
    /// What the outputs of both networks stand for.
    pub values: ActionValues,
    /// Probability ε of a random action.
    pub exploration: Schedule,
    /// Environment steps between two updates of the target network.
    pub target_update_interval: u64,
}

impl QLearning {
    /// The ε-greedy policy of the online network as it is now.
    pub fn policy(&self) -> Arc<dyn Policy> {
        Arc::new(EpsilonGreedyPolicy {
            q: self.online.snapshot(),
            values: self.values.clone(),
            epsilon: self.exploration,
            random_before: self.experience.random_before(),
        })
    }

    /// Remembers a rollout, moves the target network where that is due, and says how many updates
    /// are due.
    pub fn collect(&mut self, rollout: &Rollout, clock: Clock) -> usize {
        let n_updates = self.experience.collect(rollout, clock);
        self.target.follow(&self.online, rollout, clock, self.target_update_interval);
        n_updates
    }

    /// What came of learning from a rollout: the updates and, where there are any, ε.
    pub fn learned(&self, updates: Vec<Update>, clock: Clock) -> Learned {
        let epsilon = ("epsilon", self.exploration.at(clock.progress()));
        Learned { metrics: Vec::from_iter((!updates.is_empty()).then_some(epsilon)), updates }
    }

    /// All that later learning depends on.
    pub fn state(&self) -> State {
        let mut state = State::default();
        state.put_part(self.name, self.online.state());
        state.put_part("target", self.target.state());
        self.experience.put_into(&mut state);
        state
    }

    /// Restores the state of an agent with the same settings.
    ///
    /// # Errors
    /// When it is not such a state.
    pub fn restore(&mut self, state: &State) -> Result<(), StateError> {
        self.online.restore(&state.part(self.name))?;
        self.target.restore(&state.part("target"))?;
        self.experience.restore(state)
    }
}
