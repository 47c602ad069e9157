//! Space Invaders: shoot the aliens, one point each, before they or their bullets get you.
//!
//! Traps: the column nearest to the cannon shoots, of two equally near ones the left one; the
//! fewer aliens are left the faster they move; a fleet that is shot down comes back, a little
//! faster with ramping; aliens that pass the lowest row would re-enter at the top, but end the
//! game first.

use rand::RngCore;

use super::game::{Game, Move, Tally};
use super::screen::{Bits, LAST, SIDE, Screen};

const CANNON: usize = 0;
const ALIEN: usize = 1;
const ALIEN_LEFT: usize = 2;
const ALIEN_RIGHT: usize = 3;
const FRIENDLY_BULLET: usize = 4;
const ENEMY_BULLET: usize = 5;

/// Steps between two shots of the cannon.
const SHOT_COOL_DOWN: u32 = 5;
/// Greatest number of steps between two moves of the fleet, at first.
const MOVE_PERIOD: u32 = 12;
/// Fewest steps between two moves of the fleet, which ramping ends at.
const LEAST_MOVE_PERIOD: u32 = 6;
/// Steps between two shots of the fleet.
const ENEMY_SHOT_PERIOD: u32 = 10;

const FLEET: Bits = Bits([0xfc, 0xfc, 0xfc, 0xfc, 0, 0, 0, 0, 0, 0]);
const LEFT_EDGE: u16 = 1;
const RIGHT_EDGE: u16 = 1 << LAST;

#[derive(Debug, Default)]
pub struct SpaceInvaders {
    cannon: i32,
    bullets: Bits,
    enemy_bullets: Bits,
    aliens: Bits,
    heading_right: bool,
    shot_timer: u32,
    move_period: u32,
    move_timer: u32,
    enemy_shot_timer: u32,
}

impl SpaceInvaders {
    fn steer(&mut self, player: Move) {
        match player {
            Move::Fire if self.shot_timer == 0 => {
                self.bullets.insert(self.cannon, LAST);
                self.shot_timer = SHOT_COOL_DOWN;
            }
            Move::Left => self.cannon = (self.cannon - 1).max(0),
            Move::Right => self.cannon = (self.cannon + 1).min(LAST),
            _ => {}
        }
    }

    fn advance_bullets(&mut self) {
        self.bullets.0.rotate_left(1);
        self.bullets.0[SIDE - 1] = 0;
        self.enemy_bullets.0.rotate_right(1);
        self.enemy_bullets.0[0] = 0;
    }

    /// One move of the fleet: sideways, or down and about at an edge. True when it lands.
    fn advance_fleet(&mut self) -> bool {
        self.move_timer = self.aliens.count().min(self.move_period);
        let edge = if self.heading_right { RIGHT_EDGE } else { LEFT_EDGE };
        if self.aliens.columns() & edge == 0 {
            for row in &mut self.aliens.0 {
                *row = if self.heading_right { *row << 1 } else { *row >> 1 };
            }
            return false;
        }
        self.heading_right = !self.heading_right;
        let lands = self.aliens.0[SIDE - 1] != 0;
        self.aliens.0.rotate_right(1);
        lands
    }

    fn enemy_shot(&mut self) {
        let columns = self.aliens.columns();
        let occupied = (0..=LAST).filter(|x| columns >> x & 1 == 1);
        // `min_by_key` keeps the first, leftmost, of equals.
        let Some(x) = occupied.min_by_key(|x| (x - self.cannon).abs()) else { return };
        if let Some(y) = (0..=LAST).rev().find(|&y| self.aliens.has(x, y)) {
            self.enemy_bullets.insert(x, y);
        }
    }

    /// Takes away aliens and the bullets that hit them; returns how many.
    fn hits(&mut self) -> u32 {
        let mut hits = 0;
        for (aliens, bullets) in self.aliens.0.iter_mut().zip(&mut self.bullets.0) {
            let hit = *aliens & *bullets;
            hits += hit.count_ones();
            *aliens ^= hit;
            *bullets ^= hit;
        }
        hits
    }
}

impl Game for SpaceInvaders {
    fn n_channels(&self) -> usize {
        6
    }

    fn moves(&self) -> &'static [Move] {
        &[Move::Wait, Move::Left, Move::Right, Move::Fire]
    }

    fn reset(&mut self, _rng: &mut dyn RngCore) {
        *self = SpaceInvaders {
            cannon: 5,
            aliens: FLEET,
            move_period: MOVE_PERIOD,
            move_timer: MOVE_PERIOD,
            enemy_shot_timer: ENEMY_SHOT_PERIOD,
            ..SpaceInvaders::default()
        };
    }

    fn play(&mut self, player: Move, ramping: bool, _rng: &mut dyn RngCore) -> Tally {
        self.steer(player);
        self.advance_bullets();
        let mut terminal = self.enemy_bullets.has(self.cannon, LAST) || self.aliens.has(self.cannon, LAST);
        if self.move_timer == 0 {
            terminal |= self.advance_fleet();
            terminal |= self.aliens.has(self.cannon, LAST);
        }
        if self.enemy_shot_timer == 0 {
            self.enemy_shot_timer = ENEMY_SHOT_PERIOD;
            self.enemy_shot();
        }
        let reward = self.hits();
        self.shot_timer = self.shot_timer.saturating_sub(1);
        self.move_timer -= 1;
        self.enemy_shot_timer -= 1;
        if self.aliens.count() == 0 {
            if ramping && self.move_period > LEAST_MOVE_PERIOD {
                self.move_period -= 1;
            }
            self.aliens = FLEET;
        }
        Tally { reward, terminal }
    }

    fn paint(&self, screen: &mut Screen<'_>) {
        screen.mark(self.cannon, LAST, CANNON);
        screen.mark_bits(&self.aliens, ALIEN);
        screen.mark_bits(&self.aliens, if self.heading_right { ALIEN_RIGHT } else { ALIEN_LEFT });
        screen.mark_bits(&self.bullets, FRIENDLY_BULLET);
        screen.mark_bits(&self.enemy_bullets, ENEMY_BULLET);
    }
}
