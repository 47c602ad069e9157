//! Every agent with every optimizer learns the smallest task that can fail.
// Helpers of tests may panic like tests.
#![allow(clippy::unwrap_used)]

use std::sync::atomic::AtomicBool;

use egn_envs::{Action, Env, EnvError, Space, Step};
use egn_rl::{
    config::RunConfig,
    evaluation::{greedy_returns, summarise},
    record::Ended,
    trainer::Trainer,
};
use rand::{Rng, RngCore};

/// A corridor of five cells. Right of the last one is a reward of 1 and the end; left of the first
/// one a reward of 0.1 and the end. From the middle the near-sighted go left.
struct Corridor {
    cell: usize,
    observations: Space,
    actions: Space,
}

const N_CELLS: usize = 5;

impl Corridor {
    fn new() -> Self {
        let observations = Space::Box { low: vec![0.0; N_CELLS], high: vec![1.0; N_CELLS] };
        Self { cell: 0, observations, actions: Space::Discrete { n: 2 } }
    }

    fn show(&self, observation: &mut [f32]) {
        observation.fill(0.0);
        observation[self.cell] = 1.0;
    }
}

impl Env for Corridor {
    fn observation_space(&self) -> &Space {
        &self.observations
    }

    fn action_space(&self) -> &Space {
        &self.actions
    }

    fn reset(&mut self, rng: &mut dyn RngCore, observation: &mut [f32]) -> Result<(), EnvError> {
        self.cell = rng.random_range(0..N_CELLS);
        self.show(observation);
        Ok(())
    }

    fn step(&mut self, action: Action<'_>, _: &mut dyn RngCore, observation: &mut [f32]) -> Result<Step, EnvError> {
        let ended = |reward| Step { reward, terminated: true, truncated: false };
        let step = match (action.as_discrete(2)?, self.cell) {
            (0, 0) => ended(0.1),
            (1, cell) if cell == N_CELLS - 1 => ended(1.0),
            (direction, _) => {
                self.cell = if direction == 1 { self.cell + 1 } else { self.cell - 1 };
                Step { reward: 0.0, terminated: false, truncated: false }
            }
        };
        self.show(observation);
        Ok(step)
    }
}

fn greedy_return(agent: &str, optimizer: &str, settings: &str) -> f64 {
    let agent_settings = match agent {
        "dqn" => {
            "learning_starts = 200\ntrain_freq = 1\ngradient_steps = 1\ntarget_update_interval = 50\n\
             gamma = 0.95\nexploration = 0.3"
        }
        _ => "n_steps = 64\nbatch_size = 64\nn_epochs = 4\ngamma = 0.95",
    };
    let config = RunConfig::from_toml(&format!(
        "[run]\nenv = 'CartPole-v1'\nagent = '{agent}'\noptimizer = '{optimizer}'\nsteps = 4000\nenvs = 4\n\
         [agent]\nhidden = [16]\n{agent_settings}\n[optimizer]\n{settings}\n"
    ))
    .unwrap();
    let make_env = |_| Ok(Box::new(egn_envs::TimeLimit::new(Corridor::new(), 50)) as Box<dyn Env>);
    let stop = AtomicBool::new(false);
    let trainer = Trainer::new(&config, &make_env, &stop);
    let trained = trainer.train(&mut []).unwrap();
    assert_eq!((trained.ended, trained.updates_failed), (Ended::Finished, 0), "{:?}", trained.error);
    let policy = config.agent.policy_from(trained.last);
    summarise(0, &greedy_returns(&make_env, &*policy, 50, 0).unwrap()).mean
}

#[test]
fn every_agent_with_every_optimizer_walks_the_corridor() {
    // Going left everywhere is worth 0.1, the undecided never arrive, the best possible is 1.
    for (agent, optimizer, settings) in [
        ("dqn", "egn", "lr = 0.2\nlambda = 0.1"),
        ("dqn", "adam", "lr = 3e-3"),
        ("dqn", "sgd", "lr = 0.1"),
        ("ppo", "egn", "lambda = 0.1\nkl_limit = 0.02"),
        ("ppo", "adam", "lr = 1e-2"),
        ("ppo", "sgd", "lr = 0.5"),
    ] {
        let reached = greedy_return(agent, optimizer, settings);
        assert!(reached == 1.0, "{agent} with {optimizer} reached {reached}");
    }
}
