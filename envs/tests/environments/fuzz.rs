//! Any bits as actions: a clear error where they are not finite, clipping where Gymnasium clips,
//! and never a NaN in a state. Drawn from a generator that is not NumPy's, as a trainer's would be.

use std::borrow::Cow;

use egn_envs::{Action, CartPole, Env, EnvError, Lqr, LqrId, MountainCarContinuous, Pendulum, RescaleAction};
use proptest::prelude::*;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

fn any_bits() -> impl Strategy<Value = f32> {
    prop_oneof![any::<u32>().prop_map(f32::from_bits), -3.0_f32..3.0, Just(f32::MAX), Just(f32::MIN)]
}

fn continuous() -> Vec<Box<dyn Env>> {
    vec![
        Box::new(MountainCarContinuous::default()),
        Box::new(Pendulum::default()),
        Box::new(RescaleAction::new(Pendulum::default()).expect("bounded")),
        Box::new(Lqr::new(Cow::Borrowed(LqrId::new(0).problem()))),
    ]
}

proptest! {
    #[test]
    fn any_bits_leave_a_finite_state_or_are_refused(seed: u64, actions in prop::collection::vec(any_bits(), 1..60)) {
        for mut env in continuous() {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let mut observation = vec![0.0; env.observation_space().len()];
            env.reset(&mut rng, &mut observation).expect("reset");
            for &action in &actions {
                match env.step(Action::Continuous(&[action]), &mut rng, &mut observation) {
                    Ok(step) => {
                        prop_assert!(action.is_finite() && step.reward.is_finite());
                        if step.outcome().is_end() {
                            env.reset(&mut rng, &mut observation).expect("reset");
                        }
                    }
                    Err(EnvError::ActionNotFinite { index: 0, .. }) => prop_assert!(!action.is_finite()),
                    Err(error) => prop_assert!(false, "{}", error),
                }
                prop_assert!(observation.iter().all(|x| x.is_finite()), "{:?}", observation);
                prop_assert!(env.observation_space().contains(&observation), "{:?}", observation);
            }
        }
    }

    #[test]
    fn any_index_is_taken_or_refused(action: usize) {
        let (mut env, mut rng, mut observation) = (CartPole::default(), ChaCha8Rng::seed_from_u64(0), [0.0; 4]);
        env.reset(&mut rng, &mut observation).expect("reset");
        let taken = env.step(Action::Discrete(action), &mut rng, &mut observation).is_ok();
        prop_assert_eq!(taken, action < 2);
    }
}
