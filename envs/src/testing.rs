//! Checks that any environment passes or fails, for the tests of whoever writes one.
//!
//! ```
//! use egn_envs::{CartPole, testing};
//!
//! testing::check_env(|| CartPole::default(), 1_000);
//! ```
//!
//! Each check panics with the number of the step, or returns. That an environment is `Send` is
//! checked by the compiler: [`Env`] requires it.

use rand::RngCore;

use crate::action::Action;
use crate::env::{Env, Step};
use crate::error::EnvError;
use crate::mujoco::library::Mujoco;
use crate::numpy::pcg64::Pcg64;
use crate::space::Space;

/// The library of MuJoCo for a test that needs it, or a word on stderr that the test is skipped.
///
/// # Panics
/// Where the variable `EGN_NEED_MUJOCO` is set and the library is not found.
pub fn mujoco_or_skip() -> Option<Mujoco> {
    match Mujoco::find(None) {
        Ok(mujoco) => Some(mujoco),
        Err(error) if std::env::var_os("EGN_NEED_MUJOCO").is_some() => panic!("{error}"),
        Err(error) => {
            eprintln!("SKIPPED: {error}");
            None
        }
    }
}

/// All checks over `n_steps` random steps: what is emitted lies in the spaces, the same seed gives
/// the same trajectory, steps out of turn and malformed actions are refused and change nothing,
/// and extreme actions leave finite states.
///
/// # Panics
/// At the first check that fails.
pub fn check_env<E: Env>(make: impl Fn() -> E, n_steps: usize) {
    check_emissions(&mut make(), n_steps);
    check_same_seed_same_trajectory(&make, n_steps);
    check_steps_out_of_turn(&make, n_steps);
    check_malformed_actions(&make);
    check_extreme_actions(&mut make(), n_steps);
}

/// Observations lie in the observation space and rewards are finite over random episodes.
///
/// # Panics
/// At the first that does not.
pub fn check_emissions(env: &mut dyn Env, n_steps: usize) {
    let mut walk = Walk::new(env, 1);
    for i in 0..n_steps {
        let step = walk.random_step(env);
        let observation = &walk.observation;
        assert!(step.reward.is_finite(), "step {i}: the reward is {}", step.reward);
        let within = env.observation_space().contains(observation);
        assert!(within, "step {i}: {observation:?} lies outside the observation space");
    }
}

/// Two fresh environments with equal generators and equal actions stay equal over episodes.
///
/// # Panics
/// At the first difference.
pub fn check_same_seed_same_trajectory<E: Env>(make: impl Fn() -> E, n_steps: usize) {
    let (mut left, mut right) = (make(), make());
    let mut left_walk = Walk::new(&mut left, 2);
    let mut right_walk = Walk::new(&mut right, 2);
    for i in 0..n_steps {
        let steps = [left_walk.random_step(&mut left), right_walk.random_step(&mut right)];
        assert_eq!(steps[0], steps[1], "step {i} of two equal runs");
        assert_eq!(left_walk.observation, right_walk.observation, "step {i} of two equal runs");
    }
}

/// A reset forgets all earlier episodes: after it, a used environment behaves as a fresh one.
///
/// Not part of [`check_env`], because MinAtar's sticky action survives a reset by design.
///
/// # Panics
/// At the first difference.
pub fn check_reset_forgets<E: Env>(make: impl Fn() -> E, n_steps: usize) {
    let (mut used, mut fresh) = (make(), make());
    let mut walk = Walk::new(&mut used, 3);
    for _ in 0..n_steps {
        walk.random_step(&mut used);
    }
    let mut used_walk = Walk::new(&mut used, 4);
    let mut fresh_walk = Walk::new(&mut fresh, 4);
    for i in 0..n_steps {
        let steps = [used_walk.random_step(&mut used), fresh_walk.random_step(&mut fresh)];
        assert_eq!(steps[0], steps[1], "step {i} after a reset");
        assert_eq!(used_walk.observation, fresh_walk.observation, "step {i} after a reset");
    }
}

/// Steps before the first reset and after the end of an episode are refused, again and again.
///
/// # Panics
/// When one is accepted, or refused with an error that does not say why.
pub fn check_steps_out_of_turn<E: Env>(make: impl Fn() -> E, n_steps: usize) {
    let mut env = make();
    let (mut rng, mut observation) = (Pcg64::seed_from(5), observation_of(&env));
    let early = random_step(&mut env, &mut rng, &mut observation);
    assert!(matches!(early, Err(EnvError::NotReset)), "a step before the first reset: {early:?}");

    env.reset(&mut rng, &mut observation).expect("reset");
    for _ in 0..n_steps {
        let step = random_step(&mut env, &mut rng, &mut observation).expect("step");
        if step.outcome().is_end() {
            for _ in 0..2 {
                let late = random_step(&mut env, &mut rng, &mut observation);
                assert!(matches!(late, Err(EnvError::EpisodeOver)), "a step too late: {late:?}");
            }
            env.reset(&mut rng, &mut observation).expect("reset");
        }
    }
}

/// Actions of the wrong kind, length or range, and actions that are not finite, are refused, and
/// the episode goes on as if they had never been sent.
///
/// # Panics
/// When one is accepted or leaves a trace.
pub fn check_malformed_actions<E: Env>(make: impl Fn() -> E) {
    let (mut tried, mut twin) = (make(), make());
    let mut walk = Walk::new(&mut tried, 6);
    let mut twin_walk = Walk::new(&mut twin, 6);
    let len = tried.action_space().len();
    let numbers = |value: f32, len: usize| vec![value; len];
    let wrong_numbers = match tried.action_space() {
        Space::Discrete { .. } => vec![numbers(0.0, 1)],
        Space::Box { .. } => [f32::NAN, f32::INFINITY, f32::NEG_INFINITY]
            .map(|value| numbers(value, len))
            .into_iter()
            .chain([numbers(0.0, len + 1), numbers(0.0, len - 1)])
            .collect(),
    };
    let wrong_index = tried.action_space().n_actions().unwrap_or(0);
    for i in 0..20 {
        let Walk { rng, observation, .. } = &mut walk;
        for action in &wrong_numbers {
            let refused = tried.step(Action::Continuous(action), rng, observation);
            assert!(refused.is_err(), "action {action:?} was accepted");
        }
        for action in [wrong_index, usize::MAX] {
            let refused = tried.step(Action::Discrete(action), rng, observation);
            assert!(refused.is_err(), "action {action} was accepted");
        }
        let steps = [walk.random_step(&mut tried), twin_walk.random_step(&mut twin)];
        assert_eq!(steps[0], steps[1], "step {i} after refused actions");
        assert_eq!(walk.observation, twin_walk.observation, "step {i} after refused actions");
    }
}

/// The largest, smallest and least normal actions are accepted and leave no NaN behind.
///
/// # Panics
/// At the first NaN; nothing is checked for discrete actions.
pub fn check_extreme_actions(env: &mut dyn Env, n_steps: usize) {
    let Space::Box { low, high } = env.action_space().clone() else { return };
    let len = low.len();
    let of = |value: f32| vec![value; len];
    let extremes = [of(f32::MAX), of(f32::MIN), of(0.0), of(-0.0), of(f32::MIN_POSITIVE), of(1e-45), low, high];
    let mut walk = Walk::new(env, 7);
    for i in 0..n_steps {
        let mut action = extremes[walk.rng.next_u32() as usize % extremes.len()].clone();
        action.iter_mut().for_each(|x| *x = x.clamp(f32::MIN, f32::MAX));
        let step = walk.step(env, Action::Continuous(&action));
        let observation = &walk.observation;
        assert!(!step.reward.is_nan(), "step {i}: reward after {action:?}");
        assert!(!observation.iter().any(|x| x.is_nan()), "step {i}: {observation:?} after {action:?}");
    }
}

/// A walk through episodes; the reset after an episode waits for the next step, so that the last
/// observation can be looked at.
struct Walk {
    rng: Pcg64,
    observation: Vec<f32>,
    /// Draws actions, apart from the environment's own draws.
    actions: Pcg64,
    over: bool,
}

impl Walk {
    fn new(env: &mut (impl Env + ?Sized), seed: u64) -> Self {
        let (rng, actions) = (Pcg64::seed_from(seed), Pcg64::seed_from(!seed));
        let mut walk = Walk { rng, observation: observation_of(env), actions, over: false };
        env.reset(&mut walk.rng, &mut walk.observation).expect("reset");
        let within = env.observation_space().contains(&walk.observation);
        assert!(within, "first observation {:?} lies outside the space", walk.observation);
        walk
    }

    fn random_step(&mut self, env: &mut (impl Env + ?Sized)) -> Step {
        let action_space = env.action_space().clone();
        let mut action = vec![0.0; action_space.len()];
        action_space.sample(&mut self.actions, &mut action);
        self.step(env, action_space.action(&action))
    }

    fn step(&mut self, env: &mut (impl Env + ?Sized), action: Action<'_>) -> Step {
        let Walk { rng, observation, .. } = self;
        if self.over {
            env.reset(rng, observation).expect("reset");
        }
        let step = env.step(action, rng, observation).expect("a step within the action space");
        self.over = step.outcome().is_end();
        step
    }
}

fn observation_of(env: &(impl Env + ?Sized)) -> Vec<f32> {
    vec![f32::NAN; env.observation_space().len()]
}

fn random_step(env: &mut dyn Env, rng: &mut Pcg64, observation: &mut [f32]) -> Result<Step, EnvError> {
    let action_space = env.action_space().clone();
    let mut action = vec![0.0; action_space.len()];
    action_space.sample(rng, &mut action);
    env.step(action_space.action(&action), rng, observation)
}
