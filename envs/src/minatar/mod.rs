//! MinAtar: five Atari games on a ten by ten board, with sticky actions and rising difficulty.
//!
//! The rules, random draws and observations are those of MinAtar 1.0.15 (K. Young and T. Tian
//! (2019), *MinAtar: An Atari-Inspired Testbed for Thorough and Reproducible Reinforcement Learning
//! Experiments*); the code is our own. With [`Mt19937`](crate::numpy::mt19937::Mt19937) as the
//! generator a game goes step for step as there. Observations are `state[y][x][channel]`, flattened
//! in that order, as zeros and ones.
//!
//! Traps: every step draws for the sticky action first, even when nothing is sticky; the last
//! action survives a reset, so the first action of an episode may be the last one of the episode
//! before. The `-v1` ids have the smaller action set of each game. No game but Freeway ends by
//! itself after a number of steps, and MinAtar sets no time limit.
//!
//! Settings by name: `sticky_action_prob`, `difficulty_ramping`, `use_minimal_action_set`.

mod asterix;
mod breakout;
mod freeway;
mod game;
mod screen;
mod seaquest;
mod space_invaders;

use rand::RngCore;

use crate::action::Action;
use crate::env::{Env, Step};
use crate::episode::EpisodePhase;
use crate::error::EnvError;
use crate::frame::{BLACK, Frame, Rgb, rectangle};
use crate::numpy::mt19937;
use crate::registration::{Registration, made};
use crate::settings::Settings;
use crate::space::Space;
use game::{Game, Move, Tally};
use screen::{SIDE, Screen};

/// One of MinAtar's five games.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MinAtarGame {
    /// Pick up gold, evade enemies.
    Asterix,
    /// Clear bricks with a ball.
    Breakout,
    /// Cross a road of ten lanes.
    Freeway,
    /// Rescue divers with a submarine.
    Seaquest,
    /// Shoot the aliens before they land.
    SpaceInvaders,
}

impl MinAtarGame {
    /// All games.
    pub const ALL: [MinAtarGame; 5] = [
        MinAtarGame::Asterix,
        MinAtarGame::Breakout,
        MinAtarGame::Freeway,
        MinAtarGame::Seaquest,
        MinAtarGame::SpaceInvaders,
    ];

    /// What the registry knows of the game's `-v1` id.
    pub(crate) fn registration(self) -> Registration {
        Registration {
            id: match self {
                MinAtarGame::Asterix => "MinAtar/Asterix-v1",
                MinAtarGame::Breakout => "MinAtar/Breakout-v1",
                MinAtarGame::Freeway => "MinAtar/Freeway-v1",
                MinAtarGame::Seaquest => "MinAtar/Seaquest-v1",
                MinAtarGame::SpaceInvaders => "MinAtar/SpaceInvaders-v1",
            },
            max_episode_steps: None,
            reward_threshold: None,
            // MinAtar names none; ours, a speed at which one can follow.
            frames_per_second: 15.0,
            source: "MinAtar 1.0.15",
            spaces: None,
            make: made(move |settings| MinAtar::new(self, MinAtarConfig::from_settings(settings)?)),
        }
    }

    fn start(self) -> Box<dyn Game> {
        match self {
            MinAtarGame::Asterix => Box::new(asterix::Asterix::default()),
            MinAtarGame::Breakout => Box::new(breakout::Breakout::default()),
            MinAtarGame::Freeway => Box::new(freeway::Freeway::default()),
            MinAtarGame::Seaquest => Box::new(seaquest::Seaquest::default()),
            MinAtarGame::SpaceInvaders => Box::new(space_invaders::SpaceInvaders::default()),
        }
    }
}

/// How a game is played.
#[derive(Debug, Clone, PartialEq)]
pub struct MinAtarConfig {
    /// Probability that the last action is taken instead of the chosen one, 0 to 1.
    pub sticky_action_probability: f64,
    /// Whether the game gets harder as it goes on.
    pub difficulty_ramping: bool,
    /// Whether actions are only those that the game knows, instead of all six.
    pub minimal_actions: bool,
}

impl Default for MinAtarConfig {
    fn default() -> Self {
        // MinAtar 1.0.15 under its `-v1` ids.
        MinAtarConfig { sticky_action_probability: 0.1, difficulty_ramping: true, minimal_actions: true }
    }
}

impl MinAtarConfig {
    /// Settings under MinAtar's own names.
    fn from_settings(settings: &mut Settings<'_>) -> Result<Self, EnvError> {
        let defaults = MinAtarConfig::default();
        let sticky_action_probability = settings.number("sticky_action_prob", defaults.sticky_action_probability)?;
        let difficulty_ramping = settings.flag("difficulty_ramping", defaults.difficulty_ramping)?;
        let minimal_actions = settings.flag("use_minimal_action_set", defaults.minimal_actions)?;
        Ok(MinAtarConfig { sticky_action_probability, difficulty_ramping, minimal_actions })
    }
}

/// A MinAtar game as an environment.
#[derive(Debug)]
pub struct MinAtar {
    game: Box<dyn Game>,
    config: MinAtarConfig,
    moves: &'static [Move],
    last_move: Move,
    observation_space: Space,
    action_space: Space,
    phase: EpisodePhase,
}

impl MinAtar {
    /// A game, waiting for a reset.
    ///
    /// # Errors
    /// [`EnvError::Setting`] when the probability of a sticky action is not one.
    pub fn new(game: MinAtarGame, config: MinAtarConfig) -> Result<Self, EnvError> {
        let value = config.sticky_action_probability;
        if !(0.0..=1.0).contains(&value) {
            let (setting, accepted) = ("sticky_action_probability", "0 to 1");
            return Err(EnvError::Setting { setting, value: value.into(), accepted });
        }
        Ok(Self::build(game, config))
    }

    /// A game as MinAtar's `-v1` id starts it.
    pub fn standard(game: MinAtarGame) -> Self {
        Self::build(game, MinAtarConfig::default())
    }

    fn build(game: MinAtarGame, config: MinAtarConfig) -> Self {
        let game = game.start();
        let moves = if config.minimal_actions { game.moves() } else { &Move::ALL };
        let n_cells = SIDE * SIDE * game.n_channels();
        MinAtar {
            observation_space: Space::Box { low: vec![0.0; n_cells], high: vec![1.0; n_cells] },
            action_space: Space::Discrete { n: moves.len() },
            game,
            config,
            moves,
            last_move: Move::Wait,
            phase: EpisodePhase::NotStarted,
        }
    }

    /// Board of (y, x, channel) that observations flatten.
    pub fn board_shape(&self) -> [usize; 3] {
        [SIDE, SIDE, self.game.n_channels()]
    }

    /// The board in the colors of MinAtar's display: of the channels in a cell the highest shows.
    fn picture(&self) -> Frame {
        const CELL: f64 = 40.0;
        let n_channels = self.game.n_channels();
        let mut board = vec![0.0; SIDE * SIDE * n_channels];
        self.observe(&mut board);
        let side = SIDE * CELL as usize;
        let mut frame = Frame::new(side, side, BLACK);
        for (i, cell) in board.chunks_exact(n_channels).enumerate() {
            let Some(channel) = cell.iter().rposition(|&marked| marked == 1.0) else { continue };
            let (left, top) = ((i % SIDE) as f64 * CELL, (SIDE - i / SIDE) as f64 * CELL);
            frame.fill_polygon(&rectangle(left, left + CELL, top - CELL, top), channel_color(channel, n_channels));
        }
        frame
    }

    fn observe(&self, observation: &mut [f32]) {
        self.game.paint(&mut Screen::blank(observation, self.game.n_channels()));
    }
}

/// Color of a channel: Green's cubehelix, spread evenly, as MinAtar's display takes it from
/// matplotlib (start 0.5, −1.5 rotations, hue 1, gamma 1).
///
/// Source: D. A. Green (2011), *A color scheme for the display of Astronomical Intensity Images*.
fn channel_color(channel: usize, n_channels: usize) -> Rgb {
    let x = (channel + 1) as f64 / (n_channels + 1) as f64;
    let amplitude = x * (1.0 - x) / 2.0;
    let (sin, cos) = libm::sincos(std::f64::consts::TAU * (0.5 / 3.0 - 1.5 * x));
    let weights = [(-0.14861, 1.78277), (-0.29227, -0.90649), (1.97294, 0.0)];
    weights.map(|(a, b)| (255.0 * (x + amplitude * (a * cos + b * sin)).clamp(0.0, 1.0)) as u8)
}

impl Env for MinAtar {
    fn observation_space(&self) -> &Space {
        &self.observation_space
    }

    fn action_space(&self) -> &Space {
        &self.action_space
    }

    fn reset(&mut self, rng: &mut dyn RngCore, observation: &mut [f32]) -> Result<(), EnvError> {
        self.game.reset(rng);
        self.phase = EpisodePhase::Running;
        self.observe(observation);
        Ok(())
    }

    fn step(&mut self, action: Action<'_>, rng: &mut dyn RngCore, observation: &mut [f32]) -> Result<Step, EnvError> {
        self.phase.require_running()?;
        let chosen = self.moves[action.as_discrete(self.moves.len())?];
        let sticks = mt19937::rand(rng) < self.config.sticky_action_probability;
        if !sticks {
            self.last_move = chosen;
        }
        let Tally { reward, terminal } = self.game.play(self.last_move, self.config.difficulty_ramping, rng);
        self.phase = EpisodePhase::after(terminal);
        self.observe(observation);
        Ok(Step { reward: f64::from(reward), terminated: terminal, truncated: false })
    }

    fn render(&self) -> Option<Frame> {
        Some(self.picture())
    }
}
