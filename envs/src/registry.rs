//! Every environment of this crate by name.
//!
//! *Design.* One enum and one exhaustive `match` a question, so that a new environment cannot be
//! half registered. Environments of your own need no registration: implement [`Env`].

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use crate::lqr::{Lqr, LqrId};
use crate::minatar::{MinAtar, MinAtarGame};
use crate::{Acrobot, CartPole, Env, EnvError, MountainCar, MountainCarContinuous, Pendulum, Space, TimeLimit};

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
        let env = self.build();
        EnvSpec {
            id: self.name(),
            max_episode_steps: self.max_episode_steps(),
            reward_threshold: self.reward_threshold(),
            observation_space: env.observation_space().clone(),
            action_space: env.action_space().clone(),
            source: self.source(),
        }
    }

    /// The environment with its default settings and its time limit.
    ///
    /// # Errors
    /// None for the environments registered so far.
    pub fn make(self) -> Result<Box<dyn Env>, EnvError> {
        Ok(self.build())
    }

    fn build(self) -> Box<dyn Env> {
        let limit = self.max_episode_steps();
        match self {
            EnvId::CartPole => limited(CartPole::default(), limit),
            EnvId::Acrobot => limited(Acrobot::default(), limit),
            EnvId::MountainCar => limited(MountainCar::default(), limit),
            EnvId::MountainCarContinuous => limited(MountainCarContinuous::default(), limit),
            EnvId::Pendulum => limited(Pendulum::default(), limit),
            EnvId::MinAtar(game) => limited(MinAtar::standard(game), limit),
            EnvId::Lqr(id) => limited(Lqr::new(Cow::Borrowed(id.problem())), limit),
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
            // A tenth worse than the best controller.
            EnvId::Lqr(id) => Some(-1.1 * id.problem().expected_cost()),
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

impl FromStr for EnvId {
    type Err = EnvError;

    fn from_str(name: &str) -> Result<Self, EnvError> {
        let found = EnvId::ALL.iter().find(|id| id.name() == name);
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

    #[test]
    fn names_are_read_back() {
        for &id in EnvId::ALL {
            assert_eq!(id.to_string().parse::<EnvId>().expect("own name"), id);
            assert_eq!(id.spec().id, id.name());
        }
    }

    #[test]
    fn unknown_names_are_answered_with_the_nearest_one() {
        let message = |name: &str| name.parse::<EnvId>().expect_err("unknown").to_string();
        assert!(message("cartpole").contains("did you mean \"CartPole-v1\"?"));
        assert!(message("CartPole-v0").contains("accepted names: CartPole-v1"));
        assert!(!message("Humanoid-v5").contains("did you mean"));
    }
}
