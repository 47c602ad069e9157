//! Our own environments, made as often as they are needed.

use std::path::PathBuf;

use egn_envs::{EnvId, Mujoco, SettingValue};

use crate::environments::group::{Draws, EnvGroup, Environments, GroupError};

/// One of our environments, with its settings.
#[derive(Debug, Clone)]
pub struct Registered {
    /// Which it is.
    pub id: EnvId,
    /// Its settings by name.
    pub values: Vec<(String, SettingValue)>,
    /// The interpreter whose packages it may need.
    pub python: Option<PathBuf>,
}

impl Environments for Registered {
    fn group(&self, first_env: usize, draws: Vec<Draws>) -> Result<Box<dyn EnvGroup>, GroupError> {
        let make = |_| self.id.make_with(&self.values, self.python.as_deref());
        make.group(first_env, draws)
    }

    fn simulator(&self) -> Option<String> {
        match self.id {
            EnvId::Mujoco(_) => {
                Mujoco::find(self.python.as_deref()).ok().map(|mujoco| format!("MuJoCo {}", mujoco.version()))
            }
            EnvId::CartPole
            | EnvId::Acrobot
            | EnvId::MountainCar
            | EnvId::MountainCarContinuous
            | EnvId::Pendulum
            | EnvId::FrozenLake(_)
            | EnvId::MinAtar(_)
            | EnvId::Lqr(_) => None,
        }
    }
}
