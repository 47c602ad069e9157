//! What the games share: moves, what they bring, and the rules of a game.

use rand::RngCore;

use super::screen::Screen;

/// What the player does, in MinAtar's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Move {
    Wait,
    Left,
    Up,
    Right,
    Down,
    Fire,
}

impl Move {
    pub(super) const ALL: [Move; 6] = [Move::Wait, Move::Left, Move::Up, Move::Right, Move::Down, Move::Fire];
}

/// The reward of a move, and whether it ended the game.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tally {
    pub(super) reward: u32,
    pub(super) terminal: bool,
}

/// The rules of one game.
pub(super) trait Game: Send + std::fmt::Debug {
    /// Channels of the board.
    fn n_channels(&self) -> usize;
    /// Moves that have an effect, in MinAtar's order.
    fn moves(&self) -> &'static [Move];
    /// Sets up the board.
    fn reset(&mut self, rng: &mut dyn RngCore);
    /// Takes one move.
    fn play(&mut self, player: Move, ramping: bool, rng: &mut dyn RngCore) -> Tally;
    /// Marks everything on an empty board.
    fn paint(&self, screen: &mut Screen<'_>);
}
