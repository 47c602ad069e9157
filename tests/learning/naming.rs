//! A task with many actions, for curvature that sees one random row a sample.

use egn_envs::{Action, Env, EnvError, Space, Step, TimeLimit};
use rand::{Rng, RngCore};

use crate::training::{check_seeds, train};

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

fn make_env(_: usize) -> Result<Box<dyn Env>, EnvError> {
    let (observations, actions) = (Space::symmetric(vec![1.0; 5]), Space::Discrete { n: 5 });
    Ok(Box::new(TimeLimit::new(Naming { shown: 0, observations, actions }, 10)))
}

#[test]
fn one_random_row_a_sample_learns_many_actions_by_other_steps() {
    let text = |curvature: &str| {
        format!(
            "[run]\nenv = 'custom:Naming'\nagent = 'ppo'\noptimizer = 'egn'\nsteps = 8000\nenvs = 4\n\
             [agent]\nhidden = [16]\nn_steps = 64\nbatch_size = 64\nn_epochs = 4\ngamma = 0.0\n\
             curvature = '{curvature}'\n[optimizer]\nlambda = 0.1\nkl_limit = 0.005\n"
        )
    };
    for curvature in ["exact", "sampled"] {
        check_seeds(&format!("naming, {curvature} curvature"), |seed| {
            let reached = train(make_env, seed, &text(curvature))?.greedy_return(20);
            if reached == 10.0 { Ok(()) } else { Err(format!("{reached} of ten")) }
        });
    }
    let parameters = |curvature| train(make_env, 0, &text(curvature)).map(|run| run.trained.last.network.parameters());
    assert_ne!(parameters("exact"), parameters("sampled"));
}
