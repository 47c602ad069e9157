//! Every environment of this crate by name.
//!
//! *Design.* An environment's own file says what is known of it; here are one enum, one list and
//! one exhaustive `match`, so that a new environment cannot be half registered. Environments of
//! your own need no registration: implement [`Env`].

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use crate::classic_control;
use crate::env::Env;
use crate::error::EnvError;
use crate::lqr;
use crate::lqr::id::LqrId;
use crate::minatar::MinAtarGame;
use crate::mujoco::MujocoTask;
use crate::registration::Registration;
use crate::setting_value::SettingValue;
use crate::settings::Settings;
use crate::space::Space;
use crate::toy_text::frozen_lake::FrozenLakeMap;

/// The name of an environment of this crate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // Each is called like the type that it makes.
pub enum EnvId {
    CartPole,
    Acrobot,
    MountainCar,
    MountainCarContinuous,
    Pendulum,
    FrozenLake(FrozenLakeMap),
    MinAtar(MinAtarGame),
    Lqr(LqrId),
    Mujoco(MujocoTask),
}

/// Everything but the LQR problems and MuJoCo's tasks, in the order in which a list shows it.
const GAMES: &[EnvId] = &[
    EnvId::CartPole,
    EnvId::Acrobot,
    EnvId::MountainCar,
    EnvId::MountainCarContinuous,
    EnvId::Pendulum,
    EnvId::FrozenLake(FrozenLakeMap::Small),
    EnvId::FrozenLake(FrozenLakeMap::Large),
    EnvId::MinAtar(MinAtarGame::Asterix),
    EnvId::MinAtar(MinAtarGame::Breakout),
    EnvId::MinAtar(MinAtarGame::Freeway),
    EnvId::MinAtar(MinAtarGame::Seaquest),
    EnvId::MinAtar(MinAtarGame::SpaceInvaders),
];

const ALL: [EnvId; GAMES.len() + MujocoTask::ALL.len() + LqrId::COUNT] = {
    let mut all = [EnvId::CartPole; GAMES.len() + MujocoTask::ALL.len() + LqrId::COUNT];
    let mut i = 0;
    while i < all.len() {
        all[i] = if i < GAMES.len() {
            GAMES[i]
        } else if i < GAMES.len() + MujocoTask::ALL.len() {
            EnvId::Mujoco(MujocoTask::ALL[i - GAMES.len()])
        } else {
            EnvId::Lqr(LqrId::new(i - GAMES.len() - MujocoTask::ALL.len()))
        };
        i += 1;
    }
    all
};

/// What is known of an environment without running it.
#[derive(Debug, Clone, PartialEq)]
pub struct EnvSpec {
    /// The accepted name.
    pub id: &'static str,
    /// Steps after which an episode is truncated.
    pub max_episode_steps: Option<usize>,
    /// Mean return from which the task counts as solved.
    pub reward_threshold: Option<f64>,
    /// Steps that a film shows in a second: Gymnasium's `render_fps` where it has one.
    pub frames_per_second: f64,
    /// The space of observations.
    pub observation_space: Space,
    /// The space of actions.
    pub action_space: Space,
    /// The package and version that this environment equals.
    pub source: &'static str,
}

impl EnvId {
    /// All environments, in the order in which a list shows them.
    pub const ALL: &'static [EnvId] = &ALL;

    /// What the environment's own file says of it.
    fn registration(self) -> Registration {
        match self {
            EnvId::CartPole => classic_control::cart_pole::registration(),
            EnvId::Acrobot => classic_control::acrobot::registration(),
            EnvId::MountainCar => classic_control::mountain_car::registration(),
            EnvId::MountainCarContinuous => classic_control::mountain_car_continuous::registration(),
            EnvId::Pendulum => classic_control::pendulum::registration(),
            EnvId::FrozenLake(map) => map.registration(),
            EnvId::MinAtar(game) => game.registration(),
            EnvId::Lqr(id) => lqr::registration(id),
            EnvId::Mujoco(task) => task.registration(),
        }
    }

    /// The accepted name.
    pub fn name(self) -> &'static str {
        self.registration().id
    }

    /// What is known of the environment without running it.
    ///
    /// # Panics
    /// Not with the environments registered so far: those that need nothing from outside accept
    /// their default settings.
    pub fn spec(self) -> EnvSpec {
        let Registration { id, max_episode_steps, reward_threshold, frames_per_second, source, spaces, .. } =
            self.registration();
        let [observation_space, action_space] = spaces.unwrap_or_else(|| {
            let env = self.make().expect("default settings are accepted");
            [env.observation_space().clone(), env.action_space().clone()]
        });
        EnvSpec { id, max_episode_steps, reward_threshold, frames_per_second, observation_space, action_space, source }
    }

    /// The environment with its default settings and its time limit.
    ///
    /// # Errors
    /// [`EnvError::Mujoco`] where MuJoCo is needed and not found; none for the others.
    pub fn make(self) -> Result<Box<dyn Env>, EnvError> {
        self.make_with(&[], None)
    }

    /// The environment with some settings changed, under their names in Gymnasium and
    /// MinAtar; flags are 0 or 1. All take `max_episode_steps`; the module of an
    /// environment names the others. `python` is the interpreter whose packages an environment may
    /// need ([`Mujoco::find`](crate::mujoco::Mujoco::find)).
    ///
    /// # Errors
    /// [`EnvError::UnknownSetting`] with the accepted names, [`EnvError::Setting`] with the range,
    /// [`EnvError::Mujoco`].
    pub fn make_with(
        self,
        settings: &[(String, SettingValue)],
        python: Option<&Path>,
    ) -> Result<Box<dyn Env>, EnvError> {
        let registration = self.registration();
        let mut settings = Settings::new(settings, python);
        let limit = settings.count("max_episode_steps", registration.max_episode_steps)?;
        let env = (registration.make)(&mut settings, limit)?;
        settings.finish().map(|()| env)
    }
}

impl fmt::Display for EnvId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The two plants of the paper's control experiments, as the paper names them.
const SHORT_NAMES: [(&str, &str); 2] = [("LQR/ac1", "LQR/controlgym-ac1-QI"), ("LQR/bdt1", "LQR/controlgym-bdt1-QI")];

impl FromStr for EnvId {
    type Err = EnvError;

    fn from_str(name: &str) -> Result<Self, EnvError> {
        let full = SHORT_NAMES.iter().find(|(short, _)| *short == name).map_or(name, |(_, full)| full);
        let found = EnvId::ALL.iter().find(|id| id.name() == full);
        found.copied().ok_or_else(|| unknown(name))
    }
}

fn unknown(name: &str) -> EnvError {
    let names: Vec<&'static str> = EnvId::ALL.iter().map(|id| id.name()).collect();
    let games: Vec<&str> = names.iter().copied().filter(|name| !name.starts_with("LQR/")).collect();
    let wanted = name.to_lowercase();
    let distance = |id: &str| strsim::damerau_levenshtein(&wanted, &id.to_lowercase());
    let nearest = names.iter().copied().min_by_key(|id| distance(id));
    EnvError::UnknownEnv {
        name: name.to_owned(),
        // More than half of the letters wrong is no typing error.
        nearest: nearest.filter(|id| distance(id) <= id.len() / 2),
        // Nobody reads on after forty plants.
        accepted: format!("{}, and {} plants such as LQR/ac1", games.join(", "), names.len() - games.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::Action;
    use crate::numpy::pcg64::Pcg64;

    #[test]
    fn names_are_read_back() {
        for &id in EnvId::ALL {
            assert_eq!(id.to_string().parse::<EnvId>().expect("own name"), id);
            assert_eq!(id.spec().id, id.name());
        }
    }

    fn with(id: EnvId, name: &str, value: f64) -> Result<Box<dyn Env>, EnvError> {
        id.make_with(&[(name.to_owned(), value.into())], None)
    }

    #[test]
    fn settings_reach_the_environment() {
        let (mut rng, mut observation) = (Pcg64::seed_from(0), [0.0; 4]);
        let mut env = with(EnvId::CartPole, "sutton_barto_reward", 1.0).expect("a setting");
        env.reset(&mut rng, &mut observation).expect("reset");
        let mut push = |env: &mut dyn Env| env.step(Action::Discrete(0), &mut rng, &mut observation).expect("step");
        assert_eq!(push(&mut *env).reward, 0.0);
        let mut short = with(EnvId::CartPole, "max_episode_steps", 1.0).expect("a setting");
        short.reset(&mut Pcg64::seed_from(0), &mut [0.0; 4]).expect("reset");
        assert!(push(&mut *short).truncated);
        let all_actions = with(EnvId::MinAtar(MinAtarGame::Freeway), "use_minimal_action_set", 0.0);
        assert_eq!(all_actions.expect("a setting").action_space(), &Space::Discrete { n: 6 });
    }

    #[test]
    fn unknown_and_impossible_settings_are_refused() {
        let message = |id, name, value| with(id, name, value).err().expect("refused").to_string();
        let unknown = message(EnvId::Pendulum, "gravity", 9.81);
        assert_eq!(unknown, "this environment has no setting \"gravity\"; accepted: max_episode_steps, g");
        assert!(message(EnvId::Pendulum, "g", f64::NAN).contains("a finite number"));
        assert!(message(EnvId::Pendulum, "max_episode_steps", 0.5).contains("a whole number from 1"));
        assert!(message(EnvId::CartPole, "sutton_barto_reward", 2.0).contains("true or false, or 1 or 0"));
        assert!(message(EnvId::MinAtar(MinAtarGame::Breakout), "sticky_action_prob", 1.5).contains("0 to 1"));
        assert!(message(EnvId::Lqr(LqrId::new(0)), "process_noise", -1.0).contains("from 0"));
    }

    #[test]
    fn unknown_names_are_answered_with_the_nearest_one() {
        let message = |name: &str| name.parse::<EnvId>().expect_err("unknown").to_string();
        assert!(message("cartpole").contains("did you mean \"CartPole-v1\"?"));
        assert!(message("CartPole-v0").contains("accepted names: CartPole-v1"));
        assert!(!message("Labyrinth-v5").contains("did you mean"));
    }
}
