//! Every environment of this crate by name.
//!
//! *Design.* One enum and one exhaustive `match` a question, so that a new environment cannot be
//! half registered. Environments of your own need no registration: implement [`Env`].

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use crate::classic_control::acrobot::Acrobot;
use crate::classic_control::cart_pole::CartPole;
use crate::classic_control::cart_pole::CartPoleConfig;
use crate::classic_control::mountain_car::MountainCar;
use crate::classic_control::mountain_car::MountainCarConfig;
use crate::classic_control::mountain_car_continuous::MountainCarContinuous;
use crate::classic_control::mountain_car_continuous::MountainCarContinuousConfig;
use crate::classic_control::pendulum::Pendulum;
use crate::classic_control::pendulum::PendulumConfig;
use crate::env::Env;
use crate::error::EnvError;
use crate::lqr::Lqr;
use crate::lqr::id::LqrId;
use crate::minatar::{MinAtar, MinAtarConfig, MinAtarGame};
use crate::settings::Settings;
use crate::space::Space;
use crate::wrappers::time_limit::TimeLimit;

/// Names an environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EnvId {
    /// `CartPole-v1`, see [`CartPole`].
    CartPole,
    /// `Acrobot-v1`, see [`Acrobot`].
    Acrobot,
    /// `MountainCar-v0`, see [`MountainCar`].
    MountainCar,
    /// `MountainCarContinuous-v0`, see [`MountainCarContinuous`].
    MountainCarContinuous,
    /// `Pendulum-v1`, see [`Pendulum`].
    Pendulum,
    /// `MinAtar/…-v1`, see [`MinAtar`].
    MinAtar(MinAtarGame),
    /// `LQR/…`, see [`Lqr`].
    Lqr(LqrId),
}

/// Everything but the LQR problems, in the order in which a list shows it.
const GAMES: [EnvId; 10] = [
    EnvId::CartPole,
    EnvId::Acrobot,
    EnvId::MountainCar,
    EnvId::MountainCarContinuous,
    EnvId::Pendulum,
    EnvId::MinAtar(MinAtarGame::Asterix),
    EnvId::MinAtar(MinAtarGame::Breakout),
    EnvId::MinAtar(MinAtarGame::Freeway),
    EnvId::MinAtar(MinAtarGame::Seaquest),
    EnvId::MinAtar(MinAtarGame::SpaceInvaders),
];

const ALL: [EnvId; GAMES.len() + LqrId::COUNT] = {
    let mut all = [EnvId::CartPole; GAMES.len() + LqrId::COUNT];
    let mut i = 0;
    while i < all.len() {
        all[i] = if i < GAMES.len() { GAMES[i] } else { EnvId::Lqr(LqrId::new(i - GAMES.len())) };
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
    /// Where observations lie.
    pub observation_space: Space,
    /// Where actions lie.
    pub action_space: Space,
    /// The package and version that this environment equals.
    pub source: &'static str,
}

impl EnvId {
    /// All environments, in the order in which a list shows them.
    pub const ALL: &'static [EnvId] = &ALL;

    /// The accepted name.
    pub fn name(self) -> &'static str {
        match self {
            EnvId::CartPole => "CartPole-v1",
            EnvId::Acrobot => "Acrobot-v1",
            EnvId::MountainCar => "MountainCar-v0",
            EnvId::MountainCarContinuous => "MountainCarContinuous-v0",
            EnvId::Pendulum => "Pendulum-v1",
            EnvId::MinAtar(MinAtarGame::Asterix) => "MinAtar/Asterix-v1",
            EnvId::MinAtar(MinAtarGame::Breakout) => "MinAtar/Breakout-v1",
            EnvId::MinAtar(MinAtarGame::Freeway) => "MinAtar/Freeway-v1",
            EnvId::MinAtar(MinAtarGame::Seaquest) => "MinAtar/Seaquest-v1",
            EnvId::MinAtar(MinAtarGame::SpaceInvaders) => "MinAtar/SpaceInvaders-v1",
            EnvId::Lqr(id) => &id.problem().name,
        }
    }

    /// What is known of the environment without running it.
    pub fn spec(self) -> EnvSpec {
        let (observation_space, action_space) = self.spaces();
        EnvSpec {
            id: self.name(),
            max_episode_steps: self.max_episode_steps(),
            reward_threshold: self.reward_threshold(),
            observation_space,
            action_space,
            source: self.source(),
        }
    }

    /// The environment with its default settings and its time limit.
    ///
    /// # Errors
    /// None for the environments registered so far.
    pub fn make(self) -> Result<Box<dyn Env>, EnvError> {
        self.make_with(&[])
    }

    /// The environment with some settings changed. All take `max_episode_steps`, and each those that
    /// are listed here under their names in Gymnasium and MinAtar; flags are 0 or 1:
    /// CartPole `sutton_barto_reward`; both mountain cars `goal_velocity`; Pendulum `g`; MinAtar
    /// `sticky_action_prob`, `difficulty_ramping`, `use_minimal_action_set`; LQR `process_noise`.
    ///
    /// # Errors
    /// [`EnvError::UnknownSetting`] with the accepted names, [`EnvError::Setting`] with the range.
    pub fn make_with(self, settings: &[(String, f64)]) -> Result<Box<dyn Env>, EnvError> {
        let mut settings = Settings::new(settings);
        let limit = settings.count("max_episode_steps", self.max_episode_steps())?;
        let env: Box<dyn Env> = match self {
            EnvId::CartPole => {
                let sutton_barto_reward = settings.flag("sutton_barto_reward", false)?;
                limited(CartPole::new(CartPoleConfig { sutton_barto_reward, ..Default::default() }), limit)
            }
            EnvId::Acrobot => limited(Acrobot::default(), limit),
            EnvId::MountainCar => {
                let goal_velocity = settings.number("goal_velocity", 0.0)?;
                limited(MountainCar::new(MountainCarConfig { goal_velocity, ..Default::default() }), limit)
            }
            EnvId::MountainCarContinuous => {
                let goal_velocity = settings.number("goal_velocity", 0.0)?;
                let config = MountainCarContinuousConfig { goal_velocity, ..Default::default() };
                limited(MountainCarContinuous::new(config), limit)
            }
            EnvId::Pendulum => {
                let defaults = PendulumConfig::default();
                let gravity = settings.number("g", defaults.gravity)?;
                limited(Pendulum::new(PendulumConfig { gravity, ..defaults }), limit)
            }
            EnvId::MinAtar(game) => limited(MinAtar::new(game, min_atar_config(&mut settings)?)?, limit),
            EnvId::Lqr(id) => {
                let plant = Lqr::new(Cow::Borrowed(id.problem()));
                limited(plant.with_process_noise(settings.number("process_noise", 0.0)?)?, limit)
            }
        };
        settings.finish().map(|()| env)
    }

    /// Observation and action space.
    fn spaces(self) -> (Space, Space) {
        let of = |env: &dyn Env| (env.observation_space().clone(), env.action_space().clone());
        match self {
            EnvId::CartPole => of(&CartPole::default()),
            EnvId::Acrobot => of(&Acrobot::default()),
            EnvId::MountainCar => of(&MountainCar::default()),
            EnvId::MountainCarContinuous => of(&MountainCarContinuous::default()),
            EnvId::Pendulum => of(&Pendulum::default()),
            EnvId::MinAtar(game) => of(&MinAtar::standard(game)),
            EnvId::Lqr(id) => of(&Lqr::new(Cow::Borrowed(id.problem()))),
        }
    }

    fn max_episode_steps(self) -> Option<usize> {
        match self {
            EnvId::CartPole | EnvId::Acrobot => Some(500),
            EnvId::MountainCar | EnvId::Pendulum => Some(200),
            EnvId::MountainCarContinuous => Some(999),
            EnvId::MinAtar(_) => None,
            EnvId::Lqr(id) => Some(id.problem().max_episode_steps),
        }
    }

    fn reward_threshold(self) -> Option<f64> {
        match self {
            EnvId::CartPole => Some(475.0),
            EnvId::Acrobot => Some(-100.0),
            EnvId::MountainCar => Some(-110.0),
            EnvId::MountainCarContinuous => Some(90.0),
            EnvId::Pendulum | EnvId::MinAtar(_) => None,
            EnvId::Lqr(id) => id.problem().reward_threshold(),
        }
    }

    fn source(self) -> &'static str {
        match self {
            EnvId::CartPole | EnvId::Acrobot | EnvId::MountainCar | EnvId::MountainCarContinuous | EnvId::Pendulum => {
                "Gymnasium 1.4.0"
            }
            EnvId::MinAtar(_) => "MinAtar 1.0.15",
            EnvId::Lqr(id) => &id.problem().source,
        }
    }
}

fn min_atar_config(settings: &mut Settings<'_>) -> Result<MinAtarConfig, EnvError> {
    let defaults = MinAtarConfig::default();
    let sticky_action_probability = settings.number("sticky_action_prob", defaults.sticky_action_probability)?;
    let difficulty_ramping = settings.flag("difficulty_ramping", defaults.difficulty_ramping)?;
    let minimal_actions = settings.flag("use_minimal_action_set", defaults.minimal_actions)?;
    Ok(MinAtarConfig { sticky_action_probability, difficulty_ramping, minimal_actions })
}

/// Wrapped before it is boxed, so that a step is one virtual call.
fn limited<E: Env + 'static>(env: E, limit: Option<usize>) -> Box<dyn Env> {
    match limit {
        Some(limit) => Box::new(TimeLimit::new(env, limit)),
        None => Box::new(env),
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
    let wanted = name.to_lowercase();
    let distance = |id: &str| strsim::damerau_levenshtein(&wanted, &id.to_lowercase());
    let nearest = names.iter().copied().min_by_key(|id| distance(id));
    EnvError::UnknownEnv {
        name: name.to_owned(),
        // More than half of the letters wrong is no typing error.
        nearest: nearest.filter(|id| distance(id) <= id.len() / 2),
        accepted: names.join(", "),
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
        id.make_with(&[(name.to_owned(), value)])
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
        assert!(message(EnvId::CartPole, "sutton_barto_reward", 2.0).contains("0 or 1"));
        assert!(message(EnvId::MinAtar(MinAtarGame::Breakout), "sticky_action_prob", 1.5).contains("0 to 1"));
        assert!(message(EnvId::Lqr(LqrId::new(0)), "process_noise", -1.0).contains("from 0"));
    }

    #[test]
    fn unknown_names_are_answered_with_the_nearest_one() {
        let message = |name: &str| name.parse::<EnvId>().expect_err("unknown").to_string();
        assert!(message("cartpole").contains("did you mean \"CartPole-v1\"?"));
        assert!(message("CartPole-v0").contains("accepted names: CartPole-v1"));
        assert!(!message("Humanoid-v5").contains("did you mean"));
    }
}
