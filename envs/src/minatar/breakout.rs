//! Breakout: a paddle keeps a ball in play that clears three rows of bricks, one point a brick.
//!
//! Traps: a ball that is still inside the bricks after a hit passes through the next one; the
//! bricks come back only when the ball reaches the paddle's row; the paddle returns the ball by
//! where it came from, straight, or by where it arrives, back the way it came.

use rand::RngCore;

use super::game::{Game, Move, Tally};
use super::screen::{Bits, LAST, SIDE, Screen};
use crate::numpy::mt19937::randint;

const PADDLE: usize = 0;
const BALL: usize = 1;
const TRAIL: usize = 2;
const BRICK: usize = 3;

const ALL_BRICKS: Bits = Bits([0, 0x3ff, 0x3ff, 0x3ff, 0, 0, 0, 0, 0, 0]);

#[derive(Debug, Default)]
pub struct Breakout {
    paddle: i32,
    ball: [i32; 2],
    last_ball: [i32; 2],
    /// Columns and rows that the ball moves in a step, each −1 or 1.
    direction: [i32; 2],
    bricks: Bits,
    /// The last step broke a brick and the ball has not left the bricks since.
    striking: bool,
}

impl Breakout {
    /// The paddle returns the ball, or it is lost.
    fn meet_paddle(&mut self, arrival: i32) -> bool {
        if self.bricks.count() == 0 {
            self.bricks = ALL_BRICKS;
        }
        let [dx, dy] = self.direction;
        if self.last_ball[0] == self.paddle {
            self.direction = [dx, -dy];
        } else if arrival == self.paddle {
            self.direction = [-dx, -dy];
        } else {
            return false;
        }
        true
    }
}

impl Game for Breakout {
    fn n_channels(&self) -> usize {
        4
    }

    fn moves(&self) -> &'static [Move] {
        &[Move::Wait, Move::Left, Move::Right]
    }

    fn reset(&mut self, rng: &mut dyn RngCore) {
        let from_right = randint(rng, 0, 2) == 1;
        let ball = [if from_right { LAST } else { 0 }, 3];
        let direction = [if from_right { -1 } else { 1 }, 1];
        *self = Breakout { paddle: 4, ball, last_ball: ball, direction, bricks: ALL_BRICKS, striking: false };
    }

    fn play(&mut self, player: Move, _ramping: bool, _rng: &mut dyn RngCore) -> Tally {
        let mut tally = Tally::default();
        match player {
            Move::Left => self.paddle = (self.paddle - 1).max(0),
            Move::Right => self.paddle = (self.paddle + 1).min(LAST),
            _ => {}
        }

        self.last_ball = self.ball;
        let [last_x, last_y] = self.last_ball;
        let (mut x, mut y) = (last_x + self.direction[0], last_y + self.direction[1]);
        if !(0..SIDE as i32).contains(&x) {
            x = x.clamp(0, LAST);
            self.direction[0] *= -1;
        }

        let inside_bricks = y >= 0 && self.bricks.has(x, y);
        if y < 0 {
            y = 0;
            self.direction[1] *= -1;
        } else if inside_bricks {
            if !self.striking {
                tally.reward += 1;
                self.bricks.remove(x, y);
                self.direction[1] *= -1;
                y = last_y;
            }
        } else if y == LAST {
            if self.meet_paddle(x) {
                y = last_y;
            } else {
                tally.terminal = true;
            }
        }
        self.striking = inside_bricks;
        self.ball = [x, y];
        tally
    }

    fn paint(&self, screen: &mut Screen<'_>) {
        screen.mark(self.ball[0], self.ball[1], BALL);
        screen.mark(self.paddle, LAST, PADDLE);
        screen.mark(self.last_ball[0], self.last_ball[1], TRAIL);
        screen.mark_bits(&self.bricks, BRICK);
    }
}
