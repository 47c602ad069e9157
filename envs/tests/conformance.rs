//! Every registered environment passes every check of `egn_envs::testing`.

use egn_envs::{EnvId, testing};

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
