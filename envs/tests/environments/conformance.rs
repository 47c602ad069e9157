//! Every registered environment passes every check of `egn_envs::testing`.

use egn_envs::{EnvId, Pcg64, testing};

#[test]
fn every_environment_passes_every_check() {
    for &id in EnvId::ALL {
        println!("{id}");
        testing::check_env(|| id.make().expect("makes"), 2_000);
        // MinAtar's last action survives a reset.
        if matches!(id, EnvId::MinAtar(_)) {
            continue;
        }
        testing::check_reset_forgets(|| id.make().expect("makes"), 2_000);
    }
}

#[test]
fn nothing_is_nan_over_a_hundred_thousand_steps() {
    for &id in EnvId::ALL {
        println!("{id}");
        testing::check_emissions(&mut *id.make().expect("makes"), 100_000);
    }
}

#[test]
fn environments_can_move_to_a_thread() {
    let env = EnvId::CartPole.make().expect("makes");
    let moved = std::thread::spawn(move || env.action_space().n_actions());
    assert_eq!(moved.join().expect("no panic"), Some(2));
}

#[test]
fn every_environment_has_a_picture_that_shows_its_state() {
    for &id in EnvId::ALL {
        let mut env = id.make().expect("makes");
        let (mut rng, mut observation) = (Pcg64::seed_from(0), vec![0.0; env.observation_space().len()]);
        env.reset(&mut rng, &mut observation).expect("reset");
        let first = env.render().unwrap_or_else(|| panic!("{id} has no picture"));
        assert_eq!(first.pixels().len(), 3 * first.width() * first.height());
        assert_eq!(env.render().as_ref(), Some(&first), "{id}: a look changes nothing");
        let (mut action, action_space) = (vec![0.0; env.action_space().len()], env.action_space().clone());
        let mut moves = false;
        for _ in 0..5 {
            action_space.sample(&mut rng, &mut action);
            let step = env.step(action_space.action(&action), &mut rng, &mut observation).expect("step");
            moves |= env.render().expect("a picture") != first;
            if step.outcome().is_end() {
                break;
            }
        }
        assert!(moves, "{id}: the picture moves");
    }
}
