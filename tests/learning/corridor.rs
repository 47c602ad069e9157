//! The smallest task with discrete actions that can fail.

use egn_envs::{Action, Env, EnvError, Space, Step, TimeLimit};
use egn_solver::OptimizerName;
use rand::{Rng, RngCore};

use crate::training::{check_seeds, train};

/// A corridor of five cells. Right of the last one is a reward of 1 and the end; left of the first
/// one a reward of 0.1 and the end. From the middle the near-sighted go left.
pub struct Corridor {
    cell: usize,
    observations: Space,
    actions: Space,
}

const N_CELLS: usize = 5;

impl Corridor {
    pub fn new() -> Self {
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

fn make_env(_: usize) -> Result<Box<dyn Env>, EnvError> {
    Ok(Box::new(TimeLimit::new(Corridor::new(), 50)))
}

/// Walks to the right from every cell: going left everywhere is worth 0.1, the undecided never
/// arrive, the best possible is 1.
fn walks(agent: &str, optimizer: OptimizerName, steps: u64, settings: &str) {
    let text = format!(
        "[run]\nenv = 'custom:Corridor'\nagent = '{agent}'\noptimizer = '{optimizer}'\nsteps = {steps}\nenvs = 4\n\
         [agent]\nhidden = [16]\n{settings}\n"
    );
    check_seeds(&format!("corridor, {agent} with {optimizer}"), |seed| {
        let reached = train(make_env, seed, &text)?.greedy_return(50);
        if reached == 1.0 { Ok(()) } else { Err(format!("reached {reached}")) }
    });
}

#[test]
fn value_based_agents_walk_the_corridor() {
    for agent in ["dqn", "c51", "qrdqn"] {
        let of_agent = match agent {
            "dqn" => "",
            "c51" => "n_atoms = 6\nv_min = 0.0\nv_max = 1.0\nbatch_size = 16\n",
            _ => "n_quantiles = 5\nbatch_size = 16\n",
        };
        for &optimizer in OptimizerName::ALL {
            let of_optimizer = match optimizer {
                OptimizerName::Egn | OptimizerName::Sgn => "lr = 0.2\nlambda = 0.1",
                OptimizerName::Adam | OptimizerName::AdamW | OptimizerName::RmsProp | OptimizerName::Soap => {
                    "lr = 3e-3"
                }
                OptimizerName::Sgd => "lr = 0.1",
                OptimizerName::ScheduleFree => "lr = 3e-2",
                OptimizerName::Muon => "lr = 0.02\nadam_lr = 3e-3",
                OptimizerName::Kron => "lr = 3e-3",
                // With the default beta2, 0.99, qrdqn passes on 19 of 20.
                OptimizerName::Lion => "lr = 2e-3\nbeta2 = 0.9",
            };
            let settings = format!(
                "learning_starts = 200\ntrain_freq = 1\ngradient_steps = 1\ntarget_update_interval = 50\n\
                 gamma = 0.95\nexploration = 0.3\n{of_agent}[optimizer]\n{of_optimizer}"
            );
            walks(agent, optimizer, 4000, &settings);
        }
    }
}

/// Settings of a policy-gradient agent's optimizer.
fn policy_gradient_optimizer(agent: &str, optimizer: OptimizerName) -> &'static str {
    match (optimizer, agent) {
        (OptimizerName::Egn, "a2c") => {
            "[optimizer]\nlambda = 0.1\nkl_limit = 0.005\n[critic_optimizer]\nkl_limit = 'none'"
        }
        (OptimizerName::Egn, _) => "[optimizer]\nlambda = 0.1\nkl_limit = 0.02\n[critic_optimizer]\nkl_limit = 'none'",
        (OptimizerName::Sgn, "reinforce") => "[optimizer]\nlr = 0.1\nlambda = 0.3",
        (OptimizerName::Sgn, _) => "[optimizer]\nlr = 0.2\nlambda = 0.1",
        (OptimizerName::Adam | OptimizerName::AdamW | OptimizerName::Soap, _) => "[optimizer]\nlr = 5e-3",
        (OptimizerName::RmsProp, _) => "[optimizer]\nlr = 2e-3",
        (OptimizerName::Sgd, "ppo" | "trpo") => "[optimizer]\nlr = 0.2\nmax_grad_norm = 1.0",
        (OptimizerName::Sgd, "reinforce") => "[optimizer]\nlr = 0.02\nmax_grad_norm = 0.5",
        (OptimizerName::Sgd, _) => "[optimizer]\nlr = 0.1\nmax_grad_norm = 0.5",
        (OptimizerName::ScheduleFree, _) => "[optimizer]\nlr = 5e-3",
        (OptimizerName::Muon, _) => "[optimizer]\nlr = 0.02\nadam_lr = 5e-3",
        (OptimizerName::Kron, _) => "[optimizer]\nlr = 2e-3",
        (OptimizerName::Lion, _) => "[optimizer]\nlr = 1e-3",
    }
}

#[test]
fn policy_gradient_agents_walk_the_corridor() {
    for agent in ["ppo", "a2c", "trpo", "reinforce"] {
        let of_agent = match agent {
            "ppo" => "n_steps = 64\nbatch_size = 64\nn_epochs = 4",
            "a2c" => "n_steps = 16\nnormalize_advantage = true\ngae_lambda = 0.9",
            "trpo" => "n_steps = 64\nbatch_size = 64\ntarget_kl = 0.02\npenalty = 0.1",
            _ => "n_steps = 16\nbatch_size = 64",
        };
        for &optimizer in OptimizerName::ALL {
            walks(
                agent,
                optimizer,
                8000,
                &format!("gamma = 0.9\n{of_agent}\n{}", policy_gradient_optimizer(agent, optimizer)),
            );
        }
    }
}
