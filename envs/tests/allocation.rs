//! Stepping and resetting write into the caller's buffers and allocate nothing, but for lists that
//! may grow in the first episodes.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use egn_envs::{EnvId, Pcg64};

/// The system's allocator, which counts what this thread asks of it.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call is passed on to the system's allocator as it came;
// growing goes through `alloc`.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn steps_and_resets_allocate_nothing() {
    drop(vec![0_u8; 9]);
    assert!(ALLOCATIONS.get() > 0, "allocations are counted");
    // MuJoCo allocates as it pleases, in a language of its own.
    for &id in EnvId::ALL.iter().filter(|id| !matches!(id, EnvId::Mujoco(_))) {
        let mut env = id.make().expect("makes");
        let (mut rng, mut observation) = (Pcg64::seed_from(0), vec![0.0; env.observation_space().len()]);
        let (action_space, mut action) = (env.action_space().clone(), vec![0.0; env.action_space().len()]);
        env.reset(&mut rng, &mut observation).expect("reset");
        let mut walk = |n_steps| {
            for _ in 0..n_steps {
                action_space.sample(&mut rng, &mut action);
                let step = env.step(action_space.action(&action), &mut rng, &mut observation).expect("step");
                if step.outcome().is_end() {
                    env.reset(&mut rng, &mut observation).expect("reset");
                }
            }
        };
        walk(10_000);
        let before = ALLOCATIONS.get();
        walk(10_000);
        assert_eq!(ALLOCATIONS.get() - before, 0, "allocations of {id}");
    }
}
