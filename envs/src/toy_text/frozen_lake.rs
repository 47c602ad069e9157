//! FrozenLake-v1: across a frozen lake to the goal, on ice that slips, around the holes.
//!
//! Equal to Gymnasium 1.4.0, draws included. Traps: a step draws a number on firm ice as well, and
//! so does a reset, though there is one start; a slip goes to the sides of the wanted direction,
//! never back; against the edge one stays. Observations are the cell as a one-hot vector, as
//! Gymnasium's `FlattenObservation` gives it.
//!
//! Settings by name: `is_slippery`, `success_rate`.

use rand::RngCore;

use crate::action::Action;
use crate::env::{Env, Step};
use crate::episode::EpisodePhase;
use crate::error::EnvError;
use crate::frame::{Frame, Rgb, rectangle};
use crate::numpy::pcg64::unit;
use crate::registration::{GYMNASIUM, Registration, made};
use crate::space::Space;

/// One of Gymnasium's two lakes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FrozenLakeMap {
    /// Four by four cells, Gymnasium's `4x4`.
    Small,
    /// Eight by eight cells, Gymnasium's `8x8`.
    Large,
}

impl FrozenLakeMap {
    /// Rows from the top: `S` start, `F` frozen, `H` hole, `G` goal.
    pub const fn rows(self) -> &'static [&'static str] {
        // Gymnasium 1.4.0, MAPS.
        match self {
            Self::Small => &["SFFF", "FHFH", "FFFH", "HFFG"],
            Self::Large => {
                &["SFFFFFFF", "FFFFFFFF", "FFFHFFFF", "FFFFFHFF", "FFFHFFFF", "FHHFFFHF", "FHFFHFHF", "FFFHFFFG"]
            }
        }
    }

    /// What the registry knows of the lake.
    pub(crate) fn registration(self) -> Registration {
        let (id, max_episode_steps, reward_threshold) = match self {
            Self::Small => ("FrozenLake-v1", 100, 0.70),
            Self::Large => ("FrozenLake8x8-v1", 200, 0.85),
        };
        Registration {
            id,
            max_episode_steps: Some(max_episode_steps),
            reward_threshold: Some(reward_threshold),
            // Gymnasium's `render_fps`.
            frames_per_second: 4.0,
            source: GYMNASIUM,
            spaces: None,
            make: made(move |settings| {
                let defaults = FrozenLakeConfig::default();
                let is_slippery = settings.flag("is_slippery", defaults.is_slippery)?;
                let success_rate = settings.number("success_rate", defaults.success_rate)?;
                FrozenLake::new(FrozenLakeConfig { map: self, is_slippery, success_rate })
            }),
        }
    }
}

/// The lake of [`FrozenLake`] and its ice.
#[derive(Debug, Clone, PartialEq)]
pub struct FrozenLakeConfig {
    /// Where start, holes and goal lie.
    pub map: FrozenLakeMap,
    /// Whether the wanted direction is taken with probability `success_rate` only.
    pub is_slippery: bool,
    /// Probability of the wanted direction on slippery ice, 0 to 1; the
    /// rest is shared by its sides.
    pub success_rate: f64,
}

impl Default for FrozenLakeConfig {
    fn default() -> Self {
        // Gymnasium FrozenLake-v1.
        FrozenLakeConfig { map: FrozenLakeMap::Small, is_slippery: true, success_rate: 1.0 / 3.0 }
    }
}

/// The walker on the lake with four actions: left, down, right, up.
#[derive(Debug, Clone)]
pub struct FrozenLake {
    config: FrozenLakeConfig,
    observation_space: Space,
    action_space: Space,
    cell: Cell,
    phase: EpisodePhase,
}

/// Row and column of a cell, from the upper left.
type Cell = [usize; 2];

impl FrozenLake {
    const N_ACTIONS: usize = 4;
    const START: Cell = [0, 0];

    /// A walker on the lake of `config`, waiting for a reset.
    ///
    /// # Errors
    /// [`EnvError::Setting`] when `success_rate` is no probability.
    pub fn new(config: FrozenLakeConfig) -> Result<Self, EnvError> {
        let value = config.success_rate;
        if !(0.0..=1.0).contains(&value) {
            return Err(EnvError::Setting { setting: "success_rate", value: value.into(), accepted: "0 to 1" });
        }
        let n_cells = config.map.rows().iter().map(|row| row.len()).sum();
        Ok(FrozenLake {
            config,
            observation_space: Space::Box { low: vec![0.0; n_cells], high: vec![1.0; n_cells] },
            action_space: Space::Discrete { n: Self::N_ACTIONS },
            cell: Self::START,
            phase: EpisodePhase::NotStarted,
        })
    }

    fn n_rows(&self) -> usize {
        self.config.map.rows().len()
    }

    fn n_columns(&self) -> usize {
        self.config.map.rows()[0].len()
    }

    fn tile(&self, [row, column]: Cell) -> u8 {
        self.config.map.rows()[row].as_bytes()[column]
    }

    /// The direction taken where `wanted` is wanted, for a draw from [0, 1).
    fn slip(&self, wanted: usize, draw: f64) -> usize {
        if !self.config.is_slippery {
            return wanted;
        }
        let success = self.config.success_rate;
        let side = (1.0 - success) / 2.0;
        // One direction before the wanted one, itself, one after; the first sum beyond the draw
        // decides, and the first of all where rounding leaves none, as with NumPy's `cumsum` and
        // `argmax`.
        let sums = [side, side + success, side + success + side];
        let slipped = sums.iter().position(|&sum| sum > draw).unwrap_or(0);
        (wanted + Self::N_ACTIONS + slipped - 1) % Self::N_ACTIONS
    }

    /// The cell one step away, or the same one at the edge.
    fn neighbor(&self, [row, column]: Cell, direction: usize) -> Cell {
        match direction {
            0 => [row, column.saturating_sub(1)],
            1 => [(row + 1).min(self.n_rows() - 1), column],
            2 => [row, (column + 1).min(self.n_columns() - 1)],
            _ => [row.saturating_sub(1), column],
        }
    }

    /// Ice with its holes, the goal and the walker, who is seen in a hole as well.
    fn picture(&self) -> Frame {
        // Gymnasium's cell, in pixels; the colors are ours.
        const CELL: f64 = 64.0;
        const WATER: Rgb = [40, 70, 110];
        const ICE: Rgb = [224, 240, 250];
        const CRACK: Rgb = [150, 180, 200];
        const GOLD: Rgb = [220, 170, 30];
        const WALKER: Rgb = [190, 50, 50];
        let (width, height) = (self.n_columns() * CELL as usize, self.n_rows() * CELL as usize);
        let mut frame = Frame::new(width, height, CRACK);
        for row in 0..self.n_rows() {
            for column in 0..self.n_columns() {
                let (left, top) = (column as f64 * CELL, (self.n_rows() - row) as f64 * CELL);
                let center = [left + CELL / 2.0, top - CELL / 2.0];
                let floe = rectangle(left + 1.0, left + CELL - 1.0, top - CELL + 1.0, top - 1.0);
                frame.fill_polygon(&floe, ICE);
                match self.tile([row, column]) {
                    b'H' => frame.fill_circle(center, 0.4 * CELL, WATER),
                    b'G' => frame.fill_circle(center, 0.4 * CELL, GOLD),
                    _ => {}
                }
                if self.cell == [row, column] {
                    frame.fill_circle(center, 0.2 * CELL, WALKER);
                }
            }
        }
        frame
    }

    fn observe(&self, observation: &mut [f32]) {
        observation.fill(0.0);
        observation[self.cell[0] * self.n_columns() + self.cell[1]] = 1.0;
    }
}

impl Env for FrozenLake {
    fn observation_space(&self) -> &Space {
        &self.observation_space
    }

    fn action_space(&self) -> &Space {
        &self.action_space
    }

    fn reset(&mut self, rng: &mut dyn RngCore, observation: &mut [f32]) -> Result<(), EnvError> {
        // Gymnasium draws among the starts, of which either map has one.
        unit(rng);
        self.cell = Self::START;
        self.phase = EpisodePhase::Running;
        self.observe(observation);
        Ok(())
    }

    fn step(&mut self, action: Action<'_>, rng: &mut dyn RngCore, observation: &mut [f32]) -> Result<Step, EnvError> {
        self.phase.require_running()?;
        let wanted = action.as_discrete(Self::N_ACTIONS)?;
        let direction = self.slip(wanted, unit(rng));
        self.cell = self.neighbor(self.cell, direction);
        let tile = self.tile(self.cell);
        let terminated = matches!(tile, b'G' | b'H');
        self.phase = EpisodePhase::after(terminated);
        self.observe(observation);
        let reward = if tile == b'G' { 1.0 } else { 0.0 };
        Ok(Step { reward, terminated, truncated: false })
    }

    fn render(&self) -> Option<Frame> {
        Some(self.picture())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numpy::pcg64::Pcg64;

    const LEFT: usize = 0;
    const DOWN: usize = 1;
    const RIGHT: usize = 2;
    const UP: usize = 3;

    fn lake(is_slippery: bool, success_rate: f64) -> FrozenLake {
        FrozenLake::new(FrozenLakeConfig { is_slippery, success_rate, ..Default::default() }).expect("a probability")
    }

    /// Cells, rewards and ends of a walk on firm ice.
    fn walk(actions: &[usize]) -> Vec<(usize, f64, bool)> {
        let (mut env, mut rng, mut observation) = (lake(false, 0.0), Pcg64::seed_from(0), [0.0; 16]);
        env.reset(&mut rng, &mut observation).expect("reset");
        let mut step = |&action: &usize| {
            let step = env.step(Action::Discrete(action), &mut rng, &mut observation).expect("step");
            let cell = observation.iter().position(|&x| x == 1.0).expect("one cell is marked");
            assert_eq!(observation.iter().sum::<f32>(), 1.0, "one cell alone");
            (cell, step.reward, step.terminated)
        };
        actions.iter().map(&mut step).collect()
    }

    #[test]
    fn a_walk_on_firm_ice_by_hand() {
        let to_the_goal = walk(&[LEFT, UP, DOWN, DOWN, RIGHT, RIGHT, DOWN, RIGHT]);
        let cells = [0, 0, 4, 8, 9, 10, 14, 15];
        let expected = cells.map(|cell| (cell, f64::from(u8::from(cell == 15)), cell == 15));
        assert_eq!(to_the_goal, expected);
        assert_eq!(walk(&[RIGHT, DOWN]), [(1, 0.0, false), (5, 0.0, true)], "a hole ends the walk and pays nothing");
    }

    #[test]
    fn slips_go_to_the_sides_and_never_back() {
        let ice = lake(true, 0.5);
        for (wanted, [before, after]) in
            [(LEFT, [UP, DOWN]), (DOWN, [LEFT, RIGHT]), (RIGHT, [DOWN, UP]), (UP, [RIGHT, LEFT])]
        {
            let taken = [0.0, 0.249, 0.25, 0.749, 0.75, 0.999].map(|draw| ice.slip(wanted, draw));
            assert_eq!(taken, [before, before, wanted, wanted, after, after]);
        }
        assert_eq!(lake(false, 0.5).slip(RIGHT, 0.0), RIGHT, "firm ice does not slip");
        assert_eq!(lake(true, 1.0).slip(RIGHT, 0.0), RIGHT, "nor does ice on which all succeeds");
    }

    #[test]
    fn what_is_no_probability_is_refused() {
        for success_rate in [-0.1, 1.1, f64::NAN] {
            let refused = FrozenLake::new(FrozenLakeConfig { success_rate, ..Default::default() });
            assert!(refused.expect_err("no probability").to_string().contains("accepted: 0 to 1"));
        }
    }
}
