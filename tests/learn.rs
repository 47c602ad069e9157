//! Off-policy agents, and PPO beside them, learn the smallest tasks that can fail with every optimizer;
//! `learn_on_policy.rs` has the others.
// Helpers of tests may panic like tests.
#![allow(clippy::unwrap_used)]

mod corridor;

use std::sync::atomic::AtomicBool;

use corridor::Corridor;
use egn_envs::{Action, Env, EnvError, Space, Step};
use egn_rl::{
    config::RunConfig,
    evaluation::{greedy_returns, summarise},
    record::Ended,
    trainer::Trainer,
};
use egn_solver::OptimizerName;
use rand::{Rng, RngCore};

/// A point on a line, pushed by at most 2: x ← x + a, at a cost of x² + a² a step.
struct Line {
    x: f64,
    observations: Space,
    actions: Space,
}

/// Steps after which an episode is cut. What follows counts.
const LINE_STEPS: usize = 10;

impl Line {
    fn new() -> Self {
        Self { x: 0.0, observations: Space::symmetric(vec![10.0]), actions: Space::symmetric(vec![2.0]) }
    }
}

impl Env for Line {
    fn observation_space(&self) -> &Space {
        &self.observations
    }

    fn action_space(&self) -> &Space {
        &self.actions
    }

    fn reset(&mut self, rng: &mut dyn RngCore, observation: &mut [f32]) -> Result<(), EnvError> {
        self.x = rng.random_range(-1.5..1.5);
        observation[0] = self.x as f32;
        Ok(())
    }

    fn step(&mut self, action: Action<'_>, _: &mut dyn RngCore, observation: &mut [f32]) -> Result<Step, EnvError> {
        let a = f64::from(action.as_continuous(1)?[0]);
        let reward = -(self.x * self.x + a * a);
        self.x = (self.x + a).clamp(-10.0, 10.0);
        observation[0] = self.x as f32;
        Ok(Step { reward, terminated: false, truncated: false })
    }
}

/// Greedy return on the line, and that of the best linear policy a = −Kx: P = 1 + P − P²/(1 + P) is the
/// golden ratio, K = P/(1 + P).
fn returns_on_the_line(agent: &str, optimizer: &str, settings: &str) -> (f64, f64) {
    let config = RunConfig::from_toml(&format!(
        "[run]\nenv = 'custom:Line'\nagent = '{agent}'\noptimizer = '{optimizer}'\nsteps = 16000\nenvs = 4\n\
         [agent]\nhidden = [32]\nlearning_starts = 400\nbatch_size = 64\ngamma = 0.95\ntau = 0.02\n\
         gradient_steps = 4\n{settings}\n"
    ))
    .unwrap();
    let make_env = |_| Ok(Box::new(egn_envs::TimeLimit::new(Line::new(), LINE_STEPS)) as Box<dyn Env>);
    let stop = AtomicBool::new(false);
    let trainer = Trainer::new(&config, &make_env, &stop);
    let trained = trainer.train(&mut []).unwrap();
    assert_eq!((trained.ended, trained.updates_failed), (Ended::Finished, 0), "{:?}", trained.error);
    let policy = trained.last.policy(&config.agent, &trained.action_space);
    let returns = greedy_returns(&make_env, &*policy, 50, 0).unwrap();
    let best = |seed: u64| {
        let mut x: f64 = egn_envs::Pcg64::seed_from(seed).random_range(-1.5..1.5);
        let golden_ratio = (1.0 + 5.0_f64.sqrt()) / 2.0;
        let mut total = 0.0;
        for _ in 0..LINE_STEPS {
            let a = -golden_ratio / (1.0 + golden_ratio) * x;
            total -= x * x + a * a;
            x += a;
        }
        total
    };
    (summarise(0, &returns).mean, (0..50).map(best).sum::<f64>() / 50.0)
}

/// Settings of every optimizer for actor and critics.
fn on_the_line(optimizer: OptimizerName) -> String {
    match optimizer {
        OptimizerName::Egn => falling("0.2", "lambda = 0.3", "0.3"),
        OptimizerName::Sgn => falling("0.2", "lambda = 0.3", "0.3"),
        OptimizerName::Adam | OptimizerName::AdamW => falling("1e-3", "", "1e-2"),
        OptimizerName::RmsProp => falling("1e-3", "", "1e-2"),
        OptimizerName::Sgd => falling("0.1", "max_grad_norm = 1.0", "0.1"),
    }
}

/// Learning rates that fall to zero, of actor and critics.
fn falling(actor: &str, others: &str, critic: &str) -> String {
    let schedule = |lr| format!("lr = {{ kind = 'linear', from = {lr}, to = 0.0 }}");
    format!("[optimizer]\n{}\n{others}\n[critic_optimizer]\n{}", schedule(actor), schedule(critic))
}

#[test]
fn continuous_agents_come_near_the_best_gain() {
    for agent in ["ddpg", "td3", "sac"] {
        for optimizer in OptimizerName::ALL {
            let of_agent = if agent == "sac" { "temperature = 0.02" } else { "noise_std = 0.2" };
            let settings = format!("{of_agent}\n{}", on_the_line(optimizer));
            let (reached, best) = returns_on_the_line(agent, &optimizer.to_string(), &settings);
            // Doing nothing costs six times the best, pushing one way far more.
            assert!(reached > 2.5 * best, "{agent} with {optimizer} reached {reached}, the best is {best}");
        }
    }
}

/// The gain that policy iteration ends at on the line, and the best one, K = γP/(1 + γP) where
/// P = 1 + γP/(1 + γP).
fn gain_on_the_line(optimizer: OptimizerName) -> (f64, f64) {
    let settings = match optimizer {
        OptimizerName::Egn => "lr = 1.0\nlambda = 1e-12",
        OptimizerName::Sgn => "lr = 1.0\nlambda = 0.0\ncg_steps = 6",
        OptimizerName::Adam | OptimizerName::AdamW | OptimizerName::RmsProp => {
            "lr = { kind = 'exponential', from = 0.1, to = 1e-3 }"
        }
        OptimizerName::Sgd => "lr = 0.1",
    };
    let config = RunConfig::from_toml(&format!(
        "[run]\nenv = 'custom:Line'\nagent = 'lqr-pi'\noptimizer = '{optimizer}'\nsteps = 2000\nenvs = 4\n\
         [agent]\nn_steps = 50\nupdates = 300\ngamma = 0.95\n[optimizer]\n{settings}\n"
    ))
    .unwrap();
    let make_env = |_| Ok(Box::new(egn_envs::TimeLimit::new(Line::new(), LINE_STEPS)) as Box<dyn Env>);
    let stop = AtomicBool::new(false);
    let trained = Trainer::new(&config, &make_env, &stop).train(&mut []).unwrap();
    assert_eq!((trained.ended, trained.updates_failed), (Ended::Finished, 0), "{:?}", trained.error);
    // What acts is −K x.
    let gain = -trained.last.network.parameters()[0];
    let gamma = 0.95;
    let best = (0..100).fold(1.0, |value: f64, _| 1.0 + gamma * value / (1.0 + gamma * value));
    (gain, gamma * best / (1.0 + gamma * best))
}

#[test]
fn policy_iteration_finds_the_best_gain() {
    for optimizer in OptimizerName::ALL {
        let (gain, best) = gain_on_the_line(optimizer);
        assert!((gain / best - 1.0).abs() < 1e-2, "{optimizer} ended at {gain}, the best is {best}");
    }
}

fn greedy_return(agent: &str, optimizer: &str, settings: &str) -> f64 {
    let agent_settings = match agent {
        "dqn" => {
            "learning_starts = 200\ntrain_freq = 1\ngradient_steps = 1\ntarget_update_interval = 50\n\
             gamma = 0.95\nexploration = 0.3"
        }
        "qrdqn" => {
            "n_quantiles = 5\nbatch_size = 16\nlearning_starts = 200\ntrain_freq = 1\ngradient_steps = 1\n\
             target_update_interval = 50\ngamma = 0.95\nexploration = 0.3"
        }
        _ => "n_steps = 64\nbatch_size = 64\nn_epochs = 4\ngamma = 0.95",
    };
    let config = RunConfig::from_toml(&format!(
        "[run]\nenv = 'custom:Corridor'\nagent = '{agent}'\noptimizer = '{optimizer}'\nsteps = 4000\nenvs = 4\n\
         [agent]\nhidden = [16]\n{agent_settings}\n[optimizer]\n{settings}\n"
    ))
    .unwrap();
    let make_env = |_| Ok(Box::new(egn_envs::TimeLimit::new(Corridor::new(), 50)) as Box<dyn Env>);
    let stop = AtomicBool::new(false);
    let trainer = Trainer::new(&config, &make_env, &stop);
    let trained = trainer.train(&mut []).unwrap();
    assert_eq!((trained.ended, trained.updates_failed), (Ended::Finished, 0), "{:?}", trained.error);
    let policy = trained.last.policy(&config.agent, &trained.action_space);
    summarise(0, &greedy_returns(&make_env, &*policy, 50, 0).unwrap()).mean
}

#[test]
fn discrete_agents_walk_the_corridor() {
    for agent in ["dqn", "qrdqn", "ppo"] {
        for optimizer in OptimizerName::ALL {
            let settings = match (optimizer, agent) {
                (OptimizerName::Egn, "ppo") => "lambda = 0.1\nkl_limit = 0.02",
                (OptimizerName::Egn, _) => "lr = 0.2\nlambda = 0.1",
                (OptimizerName::Sgn, "ppo") => "lr = 1.0\nlambda = 0.1",
                (OptimizerName::Sgn, _) => "lr = 0.2\nlambda = 0.1",
                (OptimizerName::Adam | OptimizerName::AdamW, "ppo") => "lr = 1e-2",
                (OptimizerName::Adam | OptimizerName::AdamW, _) => "lr = 3e-3",
                (OptimizerName::RmsProp, _) => "lr = 3e-3",
                (OptimizerName::Sgd, "ppo") => "lr = 0.5",
                (OptimizerName::Sgd, _) => "lr = 0.1",
            };
            let reached = greedy_return(agent, &optimizer.to_string(), settings);
            // Going left everywhere is worth 0.1, the undecided never arrive, the best possible is 1.
            assert!(reached == 1.0, "{agent} with {optimizer} reached {reached}");
        }
    }
}

/// Shows one of five things and pays for its number.
struct Naming {
    shown: usize,
    observations: Space,
    actions: Space,
}

impl Naming {
    fn show(&mut self, rng: &mut dyn RngCore, observation: &mut [f32]) {
        self.shown = rng.random_range(0..5);
        observation.fill(0.0);
        observation[self.shown] = 1.0;
    }
}

impl Env for Naming {
    fn observation_space(&self) -> &Space {
        &self.observations
    }

    fn action_space(&self) -> &Space {
        &self.actions
    }

    fn reset(&mut self, rng: &mut dyn RngCore, observation: &mut [f32]) -> Result<(), EnvError> {
        self.show(rng, observation);
        Ok(())
    }

    fn step(&mut self, action: Action<'_>, rng: &mut dyn RngCore, observation: &mut [f32]) -> Result<Step, EnvError> {
        let reward = f64::from(u8::from(action.as_discrete(5)? == self.shown));
        self.show(rng, observation);
        Ok(Step { reward, terminated: false, truncated: false })
    }
}

#[test]
fn one_random_row_a_sample_learns_many_actions_by_other_steps() {
    let trained = |curvature: &str| {
        let config = RunConfig::from_toml(&format!(
            "[run]\nenv = 'custom:Naming'\nagent = 'ppo'\noptimizer = 'egn'\nsteps = 4000\nenvs = 4\n\
             [agent]\nhidden = [16]\nn_steps = 64\nbatch_size = 64\nn_epochs = 4\ngamma = 0.0\n\
             curvature = '{curvature}'\n[optimizer]\nlambda = 0.1\nkl_limit = 0.02\n"
        ))
        .unwrap();
        let make_env = |_| {
            let (observations, actions) = (Space::symmetric(vec![1.0; 5]), Space::Discrete { n: 5 });
            Ok(Box::new(egn_envs::TimeLimit::new(Naming { shown: 0, observations, actions }, 10)) as Box<dyn Env>)
        };
        let stop = AtomicBool::new(false);
        let trained = Trainer::new(&config, &make_env, &stop).train(&mut []).unwrap();
        assert_eq!((trained.ended, trained.updates_failed), (Ended::Finished, 0), "{:?}", trained.error);
        let policy = trained.last.policy(&config.agent, &trained.action_space);
        let reached = summarise(0, &greedy_returns(&make_env, &*policy, 20, 0).unwrap()).mean;
        assert!(reached == 10.0, "with {curvature} curvature {reached} of ten");
        trained.last.network.parameters()
    };
    assert_ne!(trained("exact"), trained("sampled"));
}
