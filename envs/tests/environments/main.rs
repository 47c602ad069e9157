//! Environments beside the real ones, and whatever is done to them.

mod conformance;
mod fuzz;
mod golden_frozen_lake;
mod golden_gymnasium;
mod golden_lqr;
mod golden_minatar;
mod golden_mujoco;
#[cfg(unix)]
mod gymnasium_child;
#[cfg(unix)]
mod gymnasium_host;
#[cfg(feature = "gymnasium-rs")]
mod gymnasium_rs;

/// The library of MuJoCo, or a word that a test is skipped for want of it.
///
/// # Panics
/// Where `EGN_NEED_MUJOCO` says that it must be there.
fn mujoco_here() -> Option<egn_envs::Mujoco> {
    match egn_envs::Mujoco::find(None) {
        Ok(mujoco) => Some(mujoco),
        Err(error) if std::env::var_os("EGN_NEED_MUJOCO").is_some() => panic!("{error}"),
        Err(error) => {
            eprintln!("SKIPPED: {error}");
            None
        }
    }
}
