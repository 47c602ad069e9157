//! Asterix: pick up gold, one point each, and touch no enemy; both come from the sides.
//!
//! Traps: an object spawns before the player moves, and may be met where it appears; a spawn draws
//! its side and kind even when all rows are taken; every second ramp also quickens the objects.

use rand::RngCore;

use super::game::{Game, Move, Tally};
use super::screen::{LAST, Screen};
use crate::numpy::mt19937::{rand, randint};

const PLAYER: usize = 0;
const ENEMY: usize = 1;
const TRAIL: usize = 2;
const GOLD: usize = 3;

/// Rows that objects run in: 1 to 8.
const N_ROWS: usize = 8;
/// Steps between two ramps.
const RAMP_INTERVAL: i32 = 100;
/// Steps between two spawns at first.
const SPAWN_PERIOD: u32 = 10;
/// Steps between two moves of the objects at first.
const MOVE_PERIOD: u32 = 5;

#[derive(Debug, Clone, Copy)]
struct Object {
    x: i32,
    /// −1 or 1.
    direction: i32,
    is_gold: bool,
}

#[derive(Debug, Default)]
pub struct Asterix {
    x: i32,
    y: i32,
    /// The object in row i + 1.
    objects: [Option<Object>; N_ROWS],
    spawn_period: u32,
    spawn_timer: u32,
    move_period: u32,
    move_timer: u32,
    ramp_timer: i32,
    n_ramps: u32,
}

impl Asterix {
    fn spawn(&mut self, rng: &mut dyn RngCore) {
        let from_left = rand(rng) < 0.5;
        let is_gold = rand(rng) < 1.0 / 3.0;
        let free = self.objects.iter().filter(|object| object.is_none()).count();
        if free == 0 {
            return;
        }
        let chosen = randint(rng, 0, free as u32) as usize;
        let (x, direction) = if from_left { (0, 1) } else { (LAST, -1) };
        let slot = self.objects.iter_mut().filter(|object| object.is_none()).nth(chosen);
        if let Some(slot) = slot {
            *slot = Some(Object { x, direction, is_gold });
        }
    }

    fn walk(&mut self, player: Move) {
        match player {
            Move::Left => self.x = (self.x - 1).max(0),
            Move::Right => self.x = (self.x + 1).min(LAST),
            Move::Up => self.y = (self.y - 1).max(1),
            Move::Down => self.y = (self.y + 1).min(N_ROWS as i32),
            Move::Wait | Move::Fire => {}
        }
    }

    /// What the player meets in its row: gold is taken, an enemy ends the game.
    fn meet(&mut self, tally: &mut Tally) {
        let met = &mut self.objects[self.y as usize - 1];
        match met {
            Some(object) if object.x == self.x && object.is_gold => {
                *met = None;
                tally.reward += 1;
            }
            Some(object) if object.x == self.x => tally.terminal = true,
            _ => {}
        }
    }

    fn advance_objects(&mut self) {
        for slot in &mut self.objects {
            if let Some(object) = slot {
                object.x += object.direction;
                if !(0..=LAST).contains(&object.x) {
                    *slot = None;
                }
            }
        }
    }

    fn ramp(&mut self) {
        if self.spawn_period <= 1 && self.move_period <= 1 {
            return;
        }
        if self.ramp_timer >= 0 {
            self.ramp_timer -= 1;
            return;
        }
        if self.move_period > 1 && self.n_ramps % 2 == 1 {
            self.move_period -= 1;
        }
        if self.spawn_period > 1 {
            self.spawn_period -= 1;
        }
        self.n_ramps += 1;
        self.ramp_timer = RAMP_INTERVAL;
    }
}

impl Game for Asterix {
    fn n_channels(&self) -> usize {
        4
    }

    fn moves(&self) -> &'static [Move] {
        &[Move::Wait, Move::Left, Move::Up, Move::Right, Move::Down]
    }

    fn reset(&mut self, _rng: &mut dyn RngCore) {
        *self = Asterix {
            x: 5,
            y: 5,
            objects: [None; N_ROWS],
            spawn_period: SPAWN_PERIOD,
            spawn_timer: SPAWN_PERIOD,
            move_period: MOVE_PERIOD,
            move_timer: MOVE_PERIOD,
            ramp_timer: RAMP_INTERVAL,
            n_ramps: 0,
        };
    }

    fn play(&mut self, player: Move, ramping: bool, rng: &mut dyn RngCore) -> Tally {
        let mut tally = Tally::default();
        if self.spawn_timer == 0 {
            self.spawn(rng);
            self.spawn_timer = self.spawn_period;
        }
        self.walk(player);
        self.meet(&mut tally);
        if self.move_timer == 0 {
            self.move_timer = self.move_period;
            self.advance_objects();
            self.meet(&mut tally);
        }
        self.spawn_timer -= 1;
        self.move_timer -= 1;
        if ramping {
            self.ramp();
        }
        tally
    }

    fn paint(&self, screen: &mut Screen<'_>) {
        screen.mark(self.x, self.y, PLAYER);
        for (row, object) in (1..).zip(&self.objects) {
            if let Some(Object { x, direction, is_gold }) = *object {
                screen.mark(x, row, if is_gold { GOLD } else { ENEMY });
                screen.mark_within(x - direction, row, TRAIL);
            }
        }
    }
}
