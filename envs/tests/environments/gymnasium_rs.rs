//! How the CartPole of `gymnasium-rs` 0.1.1 differs from Gymnasium's, of which ours is a copy.
//!
//!     cargo test -p egn-envs --features gymnasium-rs --test gymnasium_rs -- --nocapture

use egn_envs::classic_control::cart_pole::CartPoleState;
use egn_envs::gymnasium_rs::GymnasiumRs;
use egn_envs::{Action, CartPole, Env, Pcg64, Step, testing};

type Foreign = GymnasiumRs<gymnasium_rs::envs::cartpole::CartPole>;

fn foreign() -> Foreign {
    GymnasiumRs::new(gymnasium_rs::envs::cartpole::CartPole::new())
}

/// Both carts at the state that the foreign one drew.
fn side_by_side() -> (Foreign, CartPole, [f32; 4]) {
    let (mut theirs, mut ours, mut start) = (foreign(), CartPole::default(), [0.0; 4]);
    theirs.reset(&mut Pcg64::seed_from(0), &mut start).expect("reset");
    let [position, velocity, angle, angular_velocity] = start.map(f64::from);
    ours.set_state(CartPoleState { position, velocity, angle, angular_velocity });
    (theirs, ours, start)
}

fn push(env: &mut dyn Env, observation: &mut [f32]) -> Step {
    env.step(Action::Discrete(1), &mut Pcg64::seed_from(0), observation).expect("step")
}

#[test]
fn the_adapter_keeps_the_contract_of_an_environment() {
    testing::check_same_seed_same_trajectory(foreign, 500);
    testing::check_steps_out_of_turn(foreign, 500);
    testing::check_malformed_actions(foreign);
    testing::check_reset_forgets(foreign, 500);
}

#[test]
fn its_cart_pole_emits_observations_outside_its_space() {
    // The angle that ends an episode lies beyond its bound, which Gymnasium
    // doubles for that reason.
    let (mut theirs, _, mut observation) = side_by_side();
    while !push(&mut theirs, &mut observation).terminated {}
    assert!(!theirs.observation_space().contains(&observation), "{observation:?}");
}

#[test]
fn its_cart_pole_accelerates_differently_from_the_first_step() {
    let (mut theirs, mut ours, start) = side_by_side();
    let (mut left, mut right) = (start, start);
    push(&mut theirs, &mut left);
    push(&mut ours, &mut right);
    let gaps: Vec<f32> = left.iter().zip(right).map(|(x, y)| (x - y).abs()).collect();
    println!("difference after one step: {gaps:?}");
    // Total mass 1.0 for 1.1 kg, and the pole's half length for its mass times its half length.
    assert!((0.1..0.3).contains(&gaps[1]), "cart velocity is off by {}", gaps[1]);
}

#[test]
fn its_cart_pole_does_not_reward_the_last_step() {
    let (mut theirs, mut ours, start) = side_by_side();
    let last_reward = |env: &mut dyn Env| {
        let mut observation = start;
        loop {
            let step = push(env, &mut observation);
            if step.terminated {
                return step.reward;
            }
        }
    };
    assert_eq!(last_reward(&mut theirs), 0.0);
    assert_eq!(last_reward(&mut ours), 1.0);
}
