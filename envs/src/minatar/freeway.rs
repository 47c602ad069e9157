//! Freeway: a chicken crosses eight lanes of cars, one point a crossing, for 2501 steps.
//!
//! Traps: the chicken moves at most every third step; a crossing draws new speeds for all cars but
//! leaves them where they are; a car hits where it stands and where it goes.

use rand::RngCore;

use super::game::{Game, Move, Tally};
use super::screen::{LAST, Screen};
use crate::numpy::mt19937::{rand, randint};

const CHICKEN: usize = 0;
const CAR: usize = 1;
/// Channel of the trail of a car of speed 1; slower cars have the next ones.
const FASTEST_TRAIL: usize = 2;

const N_CARS: usize = 8;
/// Column in which the chicken crosses.
const CROSSING: i32 = 4;
/// Steps between two moves of the chicken.
const CHICKEN_PERIOD: u32 = 3;
/// Steps that an episode outlasts by one.
const TIME_LIMIT: u32 = 2500;

#[derive(Debug, Clone, Copy, Default)]
struct Car {
    x: i32,
    /// Steps until it moves.
    timer: u32,
    /// Steps that it stands between two moves, 1 to 5.
    period: u32,
    /// Columns of a move: −1 or 1.
    direction: i32,
}

impl Car {
    fn advance(&mut self) {
        self.timer = self.period;
        self.x = (self.x + self.direction).rem_euclid(LAST + 1);
    }
}

#[derive(Debug, Default)]
pub struct Freeway {
    /// The car in row i + 1.
    cars: [Car; N_CARS],
    /// Row of the chicken.
    chicken: i32,
    chicken_timer: u32,
    steps_left: u32,
}

impl Freeway {
    fn draw_speeds(&mut self, rng: &mut dyn RngCore) {
        // All periods before all directions: the order of NumPy's two array draws.
        for car in &mut self.cars {
            car.period = randint(rng, 1, 6);
            car.timer = car.period;
        }
        for car in &mut self.cars {
            car.direction = if rand(rng) > 0.5 { 1 } else { -1 };
        }
    }

    fn walk(&mut self, player: Move) {
        let step = match player {
            Move::Up => -1,
            Move::Down => 1,
            _ => return,
        };
        if self.chicken_timer == 0 {
            self.chicken_timer = CHICKEN_PERIOD;
            self.chicken = (self.chicken + step).clamp(0, LAST);
        }
    }

    fn drive(&mut self) {
        for (row, car) in (1..).zip(&mut self.cars) {
            let hits = |car: &Car, chicken: i32| car.x == CROSSING && row == chicken;
            if hits(car, self.chicken) {
                self.chicken = LAST;
            }
            if car.timer > 0 {
                car.timer -= 1;
                continue;
            }
            car.advance();
            if hits(car, self.chicken) {
                self.chicken = LAST;
            }
        }
    }
}

impl Game for Freeway {
    fn n_channels(&self) -> usize {
        7
    }

    fn moves(&self) -> &'static [Move] {
        &[Move::Wait, Move::Up, Move::Down]
    }

    fn reset(&mut self, rng: &mut dyn RngCore) {
        *self = Freeway { chicken: LAST, chicken_timer: CHICKEN_PERIOD, steps_left: TIME_LIMIT, ..Freeway::default() };
        self.draw_speeds(rng);
    }

    fn play(&mut self, player: Move, _ramping: bool, rng: &mut dyn RngCore) -> Tally {
        let mut tally = Tally::default();
        self.walk(player);
        if self.chicken == 0 {
            tally.reward += 1;
            self.draw_speeds(rng);
            self.chicken = LAST;
        }
        self.drive();
        self.chicken_timer = self.chicken_timer.saturating_sub(1);
        tally.terminal = self.steps_left == 0;
        self.steps_left = self.steps_left.saturating_sub(1);
        tally
    }

    fn paint(&self, screen: &mut Screen<'_>) {
        screen.mark(CROSSING, self.chicken, CHICKEN);
        for (row, car) in (1..).zip(&self.cars) {
            screen.mark(car.x, row, CAR);
            let behind = (car.x - car.direction).rem_euclid(LAST + 1);
            screen.mark(behind, row, FASTEST_TRAIL + car.period as usize - 1);
        }
    }
}
