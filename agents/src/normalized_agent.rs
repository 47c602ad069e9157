//! An agent that learns from observations and rewards of unit scale, as Stable-Baselines3's
//! `VecNormalize` makes them.
//!
//! *Design.* Statistics move between two rollouts and never within one: a group of environments
//! that waited for what another sees at each step could not be stepped on its own, and one that did
//! not would make the record depend on the workers. So a policy acts under the statistics of all
//! rollouts before its own, the first one under mean 0 and variance 1; `VecNormalize` moves them at
//! every step. Observations are learned from as the policy saw them, or out of a replay memory
//! under the statistics of the present, as Stable-Baselines3 draws them; rewards always under those
//! that include their own rollout.
//!
//! Returns in records, and evaluations, are of the rewards that the environment paid.

use std::sync::Arc;

use egn_solver::{State, StateError};

use crate::{
    agent::{Agent, Learned},
    context::Clock,
    error::AgentError,
    experience::rollout::Rollout,
    networks::temperature::TEMPERATURE,
    normalize::normalizer::Normalizer,
    policies::policy::Policy,
    trained::{TrainedPolicy, normalized},
};

/// An agent behind a normalizer; one that is all `None` changes nothing.
pub struct NormalizedAgent {
    agent: Box<dyn Agent>,
    normalizer: Arc<Normalizer>,
}

impl NormalizedAgent {
    /// An agent, and a normalizer that has seen nothing yet.
    pub fn new(agent: Box<dyn Agent>, normalizer: Normalizer) -> Self {
        Self { agent, normalizer: Arc::new(normalizer) }
    }

    /// Steps that each environment takes between two calls of [`NormalizedAgent::learn`].
    pub fn steps_per_rollout(&self) -> usize {
        self.agent.steps_per_rollout()
    }

    /// The policy as it is now, for observations as environments give them.
    ///
    /// # Errors
    /// When the network cannot be copied.
    pub fn policy(&self) -> Result<Arc<dyn Policy>, AgentError> {
        Ok(normalized(self.agent.policy()?, self.normalizer.observations.as_ref()))
    }

    /// The policy as it is now, in the form that is saved to act again.
    ///
    /// # Errors
    /// When the network cannot be copied.
    pub fn trained_policy(&self) -> Result<TrainedPolicy, AgentError> {
        let normalizer = self.normalizer.observations.clone();
        Ok(TrainedPolicy { network: self.agent.policy_network()?, normalizer })
    }

    /// Learns from a rollout as environments gave it; `clock` stands at its end.
    ///
    /// # Errors
    /// As [`Agent::learn`].
    pub fn learn(&mut self, mut rollout: Rollout, clock: Clock) -> Result<Learned, AgentError> {
        let acted_under = self.normalizer.clone();
        observe(Arc::make_mut(&mut self.normalizer), &rollout);
        if let Some(replay) = self.agent.replay() {
            replay.set_normalizer(self.normalizer.clone());
        } else {
            if let Some(normalizer) = &acted_under.observations {
                normalizer.apply(&mut rollout.observations);
                normalizer.apply(&mut rollout.next_observations);
            }
            if let Some(normalizer) = &self.normalizer.rewards {
                rollout.rewards.iter_mut().for_each(|reward| *reward = normalizer.apply(*reward));
            }
        }
        self.agent.learn(&rollout, clock)
    }

    /// Takes over another agent's networks, and the statistics of the observations that they were
    /// trained on; optimizers, memories and counters stay as they are.
    ///
    /// # Errors
    /// When they do not fit; the agent is then as it was.
    pub fn start_from(&mut self, networks: &State) -> Result<(), StateError> {
        let begun = self.state().overlaid(networks, is_network)?;
        self.restore(&begun)
    }

    /// Forgets the episodes of environments that could not be restored to where they stood.
    pub fn forget_episodes(&mut self, envs: &[usize]) {
        self.agent.forget_episodes(envs);
        if let Some(normalizer) = &mut Arc::make_mut(&mut self.normalizer).rewards {
            envs.iter().for_each(|&env| normalizer.returns[env] = 0.0);
        }
    }

    /// All that later learning depends on, of the agent and of its scales.
    pub fn state(&self) -> State {
        let mut state = self.agent.state();
        state.put_part("normalizer", self.normalizer.state());
        state
    }

    /// Restores the state of an agent with the same settings.
    ///
    /// # Errors
    /// When it is not such a state; the agent is then of no more use.
    pub fn restore(&mut self, state: &State) -> Result<(), StateError> {
        Arc::make_mut(&mut self.normalizer).restore(&state.part("normalizer"))?;
        self.agent.restore(state)
    }
}

/// The networks and statistics in a [`NormalizedAgent::state`], for
/// [`NormalizedAgent::start_from`].
pub fn networks_of(agent: State) -> State {
    agent.filtered(is_network)
}

/// Whether an array in an agent's state is a network's parameters, which every learner calls by
/// this name, or of the statistics of observations.
fn is_network(name: &str) -> bool {
    match name.split_once('/') {
        // SAC's α, which is no network: it is found anew.
        Some((TEMPERATURE, _)) => false,
        _ => name.ends_with("/params") || name.starts_with("normalizer/observations/"),
    }
}

/// Takes in what a rollout brought: the observations that the policy saw, all at once, and the
/// rewards step by step, as the running returns need them.
fn observe(normalizer: &mut Normalizer, rollout: &Rollout) {
    if let Some(normalizer) = &mut normalizer.observations {
        normalizer.observe(&rollout.observations);
    }
    if let Some(normalizer) = &mut normalizer.rewards {
        for t in 0..rollout.n_steps {
            let rows = || (t..rollout.len()).step_by(rollout.n_steps);
            let rewards: Vec<f64> = rows().map(|row| rollout.rewards[row]).collect();
            let ended: Vec<bool> = rows().map(|row| rollout.outcomes[row].is_end()).collect();
            normalizer.observe(&rewards, &ended);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use egn_envs::{Outcome, Space};
    use egn_solver::Snapshot;

    use super::*;
    use crate::{
        experience::{
            actions::Actions,
            replay::{Memory, ReplayBuffer},
        },
        normalize::normalizer::{ObservationNormalizer, RewardNormalizer},
        policies::{actor_state::ActorState, policy::Mode},
    };

    /// Keeps what it is shown, and remembers it where it has a memory.
    struct Witness {
        learned: Arc<Mutex<Vec<Rollout>>>,
        replay: Option<ReplayBuffer>,
    }

    impl Agent for Witness {
        fn steps_per_rollout(&self) -> usize {
            2
        }

        fn policy(&self) -> Result<Arc<dyn Policy>, AgentError> {
            Ok(Arc::new(Echo))
        }

        fn learn(&mut self, rollout: &Rollout, _: Clock) -> Result<Learned, AgentError> {
            let mut seen = rollout.clone();
            if let Some(replay) = &mut self.replay {
                replay.extend(rollout);
                let mut rng = crate::streams::stream(0, crate::streams::Purpose::Learning, 0);
                let drawn = replay.sample(1, 0.0, &mut rng);
                (seen.observations, seen.rewards) = (drawn.observations, drawn.rewards);
            }
            self.learned.lock().unwrap().push(seen);
            Ok(Learned::default())
        }

        fn replay(&mut self) -> Option<&mut ReplayBuffer> {
            self.replay.as_mut()
        }

        fn policy_network(&self) -> Result<Snapshot, AgentError> {
            panic!("nobody asks")
        }

        fn state(&self) -> State {
            State::default()
        }

        fn restore(&mut self, _: &State) -> Result<(), StateError> {
            Ok(())
        }
    }

    /// Does what it sees.
    struct Echo;

    impl Policy for Echo {
        fn act(
            &self,
            observations: &[f32],
            _: Mode,
            _: &mut [ActorState],
            actions: &mut Actions,
        ) -> Result<(), AgentError> {
            let Actions::Continuous { values, .. } = actions else { panic!("continuous actions") };
            values.extend_from_slice(observations);
            Ok(())
        }
    }

    fn rollout(observations: [f32; 2], rewards: [f64; 2]) -> Rollout {
        Rollout {
            n_envs: 1,
            n_steps: 2,
            observations: observations.to_vec(),
            actions: Actions::Continuous { values: vec![0.0; 2], width: 1 },
            rewards: rewards.to_vec(),
            next_observations: observations.to_vec(),
            outcomes: vec![Outcome::Continues, Outcome::Truncated],
        }
    }

    fn agent(replay: Option<ReplayBuffer>) -> (NormalizedAgent, Arc<Mutex<Vec<Rollout>>>) {
        let learned = Arc::default();
        let normalizer = Normalizer {
            observations: Some(ObservationNormalizer::new(1, 10.0)),
            rewards: Some(RewardNormalizer::new(1, 0.5, 10.0)),
        };
        (NormalizedAgent::new(Box::new(Witness { learned: Arc::clone(&learned), replay }), normalizer), learned)
    }

    fn act(agent: &NormalizedAgent, observation: f32) -> f32 {
        let mut actions = Actions::Continuous { values: Vec::new(), width: 1 };
        agent.policy().unwrap().act(&[observation], Mode::Greedy, &mut [], &mut actions).unwrap();
        actions.continuous()[0]
    }

    const CLOCK: Clock = Clock { env_steps: 2, total_steps: 9, diagnose: false };

    #[test]
    fn observations_are_learned_from_as_the_policy_saw_them_and_rewards_by_all_that_is_known() {
        let (mut agent, learned) = agent(None);
        for rewards in [[3.0, -1.5], [5.0, 0.0]] {
            let seen = [4.0, 8.0].map(|observation| act(&agent, observation));
            agent.learn(rollout([4.0, 8.0], rewards), CLOCK).unwrap();
            assert_eq!(learned.lock().unwrap().pop().unwrap().observations, seen);
        }
        // Mean 6 and deviation 2, the start weighing 1e-4.
        assert!((act(&agent, 9.0) - 1.5).abs() < 1e-3, "{}", act(&agent, 9.0));
        // Running returns with γ = 1/2, from 0 in each episode, in which the
        // last rollout counts, too.
        agent.learn(rollout([6.0, 6.0], [2.0, 2.0]), CLOCK).unwrap();
        let paid = learned.lock().unwrap().pop().unwrap().rewards;
        let expected = 2.0 / deviation_of(&[3.0, 0.0, 5.0, 2.5, 2.0, 3.0]);
        assert!(paid.iter().all(|reward| (reward - expected).abs() < 1e-3), "{paid:?} against {expected}");
    }

    fn deviation_of(values: &[f64]) -> f64 {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        (values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n).sqrt()
    }

    #[test]
    fn old_transitions_are_drawn_as_the_present_statistics_scale_them() {
        let memory = Memory { capacity: 1, n_steps: 1, gamma: 0.5, priority: 0.0 };
        let (mut agent, learned) = agent(Some(ReplayBuffer::new(memory, 1, &Space::symmetric(vec![1.0]))));
        for observations in [[4.0, 8.0], [0.0, 10.0]] {
            agent.learn(rollout(observations, [3.0, 1.0]), CLOCK).unwrap();
            let drawn = learned.lock().unwrap().pop().unwrap();
            assert_eq!(drawn.observations, [act(&agent, observations[1])]);
            assert_eq!(drawn.rewards, [agent.normalizer.rewards.as_ref().unwrap().apply(1.0)]);
        }
    }

    #[test]
    fn a_normalizer_reads_back_bit_for_bit() {
        let (mut one, _) = agent(None);
        one.learn(rollout([0.1, 0.7], [0.3, 0.9]), CLOCK).unwrap();
        let (mut other, _) = agent(None);
        other.restore(&one.state()).unwrap();
        assert_eq!(one.normalizer, other.normalizer);
    }
}
