//! Seaquest: shoot fish and submarines, one point each, rescue divers, and surface for oxygen.
//!
//! Traps, all needed to follow the original exactly: its loops walk lists from the back and remove
//! *the first element equal* to the one at hand, which may be another one that has not moved yet,
//! and then the one at hand is met again ([`remove_equal`]); a submarine that was shot or left the
//! board in this step still fires; surfacing with six divers leaves the count at −1.

use rand::RngCore;

use super::game::{Game, Move, Tally};
use super::screen::{LAST, Screen};
use crate::numpy::mt19937::{rand, randint};

const SUB_FRONT: usize = 0;
const SUB_BACK: usize = 1;
const FRIENDLY_BULLET: usize = 2;
const TRAIL: usize = 3;
const ENEMY_BULLET: usize = 4;
const ENEMY_FISH: usize = 5;
const ENEMY_SUB: usize = 6;
const OXYGEN_GAUGE: usize = 7;
const DIVER_GAUGE: usize = 8;
const DIVER: usize = 9;

/// Steps under water that a full tank lasts.
const MAX_OXYGEN: i32 = 200;
/// Divers that fill the submarine.
const MAX_DIVERS: i32 = 6;
/// Steps between two enemies at first.
const ENEMY_PERIOD: u32 = 20;
/// Steps between two divers.
const DIVER_PERIOD: u32 = 30;
/// Steps between two moves of an enemy at first.
const ENEMY_MOVE_PERIOD: u32 = 5;
/// Fewest steps between two moves of an enemy, which ramping ends at.
const LEAST_MOVE_PERIOD: u32 = 2;
/// Steps between two moves of a diver.
const DIVER_MOVE_PERIOD: u32 = 5;
/// Steps between two shots of the player.
const SHOT_COOL_DOWN: u32 = 5;
/// Steps between two shots of an enemy submarine.
const ENEMY_SHOT_PERIOD: u32 = 10;

/// Anything that swims: bullets use neither timer, only enemy submarines use the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Swimmer {
    at: [i32; 2],
    /// −1 or 1.
    direction: i32,
    move_timer: u32,
    shot_timer: u32,
}

impl Swimmer {
    fn bullet(at: [i32; 2], direction: i32) -> Self {
        Swimmer { at, direction, move_timer: 0, shot_timer: 0 }
    }

    fn advance(&mut self) {
        self.at[0] += self.direction;
    }

    fn is_outside(&self) -> bool {
        !(0..=LAST).contains(&self.at[0])
    }
}

/// Removes the first element equal to that at `index`, and returns where the one at hand is then:
/// nowhere if it was itself the first.
fn remove_equal(list: &mut Vec<Swimmer>, index: usize) -> Option<usize> {
    let item = list[index];
    let first = list.iter().position(|other| *other == item).unwrap_or(index);
    list.remove(first);
    (first != index).then(|| index - 1)
}

fn remove_at(list: &mut Vec<Swimmer>, at: [i32; 2]) -> bool {
    let found = list.iter().position(|swimmer| swimmer.at == at);
    found.map(|index| list.remove(index)).is_some()
}

#[derive(Debug, Default)]
pub struct Seaquest {
    at: [i32; 2],
    /// Where the bow points: −1 or 1.
    direction: i32,
    oxygen: i32,
    n_divers: i32,
    bullets: Vec<Swimmer>,
    enemy_bullets: Vec<Swimmer>,
    fish: Vec<Swimmer>,
    subs: Vec<Swimmer>,
    divers: Vec<Swimmer>,
    enemy_period: u32,
    enemy_timer: u32,
    diver_timer: u32,
    move_period: u32,
    shot_timer: u32,
    at_surface: bool,
    n_ramps: u32,
}

impl Seaquest {
    fn spawn_enemy(&mut self, rng: &mut dyn RngCore) {
        let from_left = rand(rng) < 0.5;
        let is_sub = rand(rng) < 1.0 / 3.0;
        let at = [if from_left { 0 } else { LAST }, randint(rng, 1, 9) as i32];
        let direction = if from_left { 1 } else { -1 };
        let meets = |other: &Swimmer| other.at[1] == at[1] && other.direction != direction;
        if self.subs.iter().chain(&self.fish).any(meets) {
            return;
        }
        let move_timer = self.move_period;
        if is_sub {
            self.subs.push(Swimmer { at, direction, move_timer, shot_timer: ENEMY_SHOT_PERIOD });
        } else {
            self.fish.push(Swimmer { at, direction, move_timer, shot_timer: 0 });
        }
    }

    fn spawn_diver(&mut self, rng: &mut dyn RngCore) {
        let from_left = rand(rng) < 0.5;
        let at = [if from_left { 0 } else { LAST }, randint(rng, 1, 9) as i32];
        let direction = if from_left { 1 } else { -1 };
        self.divers.push(Swimmer { at, direction, move_timer: DIVER_MOVE_PERIOD, shot_timer: 0 });
    }

    fn steer(&mut self, player: Move) {
        match player {
            Move::Fire if self.shot_timer == 0 => {
                self.bullets.push(Swimmer::bullet(self.at, self.direction));
                self.shot_timer = SHOT_COOL_DOWN;
            }
            Move::Left => (self.at[0], self.direction) = ((self.at[0] - 1).max(0), -1),
            Move::Right => (self.at[0], self.direction) = ((self.at[0] + 1).min(LAST), 1),
            Move::Up => self.at[1] = (self.at[1] - 1).max(0),
            Move::Down => self.at[1] = (self.at[1] + 1).min(LAST - 1),
            _ => {}
        }
    }

    fn advance_bullets(&mut self, tally: &mut Tally) {
        for index in (0..self.bullets.len()).rev() {
            self.bullets[index].advance();
            let bullet = self.bullets[index];
            if bullet.is_outside() {
                remove_equal(&mut self.bullets, index);
            } else if remove_at(&mut self.fish, bullet.at) || remove_at(&mut self.subs, bullet.at) {
                remove_equal(&mut self.bullets, index);
                tally.reward += 1;
            }
        }
    }

    fn advance_divers(&mut self) {
        for index in (0..self.divers.len()).rev() {
            if self.takes_aboard(index) {
                continue;
            }
            let diver = &mut self.divers[index];
            if diver.move_timer > 0 {
                diver.move_timer -= 1;
                continue;
            }
            diver.move_timer = DIVER_MOVE_PERIOD;
            diver.advance();
            if diver.is_outside() {
                remove_equal(&mut self.divers, index);
            } else {
                self.takes_aboard(index);
            }
        }
    }

    /// Takes the diver aboard when it is where the player is and there is room.
    fn takes_aboard(&mut self, index: usize) -> bool {
        let meets = self.divers[index].at == self.at && self.n_divers < MAX_DIVERS;
        if meets {
            remove_equal(&mut self.divers, index);
            self.n_divers += 1;
        }
        meets
    }

    fn advance_subs(&mut self, tally: &mut Tally) {
        for index in (0..self.subs.len()).rev() {
            let still_at = advance_enemy(&mut self.subs, index, self.at, self.move_period, &mut self.bullets, tally);
            let Advanced { mut enemy, index } = still_at;
            if enemy.shot_timer == 0 {
                enemy.shot_timer = ENEMY_SHOT_PERIOD;
                self.enemy_bullets.push(Swimmer::bullet(enemy.at, enemy.direction));
            } else {
                enemy.shot_timer -= 1;
            }
            if let Some(index) = index {
                self.subs[index] = enemy;
            }
        }
    }

    fn advance_enemy_bullets(&mut self, tally: &mut Tally) {
        for index in (0..self.enemy_bullets.len()).rev() {
            let bullet = &mut self.enemy_bullets[index];
            tally.terminal |= bullet.at == self.at;
            bullet.advance();
            tally.terminal |= bullet.at == self.at;
            if bullet.is_outside() {
                remove_equal(&mut self.enemy_bullets, index);
            }
        }
    }

    fn advance_fish(&mut self, tally: &mut Tally) {
        for index in (0..self.fish.len()).rev() {
            advance_enemy(&mut self.fish, index, self.at, self.move_period, &mut self.bullets, tally);
        }
    }

    /// Breathing, and what it takes: at least one diver aboard.
    fn breathe(&mut self, ramping: bool, tally: &mut Tally) {
        tally.terminal |= self.oxygen <= 0;
        if self.at[1] > 0 {
            self.oxygen -= 1;
            self.at_surface = false;
        } else if !self.at_surface {
            if self.n_divers == 0 {
                tally.terminal = true;
            } else {
                tally.reward += self.surface(ramping);
            }
        }
    }

    fn surface(&mut self, ramping: bool) -> u32 {
        self.at_surface = true;
        let mut reward = 0;
        if self.n_divers == MAX_DIVERS {
            self.n_divers = 0;
            reward = gauge(self.oxygen);
        }
        self.oxygen = MAX_OXYGEN;
        self.n_divers -= 1;
        if ramping && (self.enemy_period > 1 || self.move_period > LEAST_MOVE_PERIOD) {
            if self.move_period > LEAST_MOVE_PERIOD && self.n_ramps % 2 == 1 {
                self.move_period -= 1;
            }
            self.enemy_period = (self.enemy_period - 1).max(1);
            self.n_ramps += 1;
        }
        reward as u32
    }
}

/// Tenths of a full tank, none when it is overdrawn.
fn gauge(oxygen: i32) -> i32 {
    oxygen.max(0) * 10 / MAX_OXYGEN
}

/// An enemy after its move, and where in its list it is, if it is still there.
struct Advanced {
    enemy: Swimmer,
    index: Option<usize>,
}

/// Moves the fish or submarine at `index` when its time has come; it may leave the board, ram the
/// player, or run into a bullet.
fn advance_enemy(
    enemies: &mut Vec<Swimmer>,
    index: usize,
    player: [i32; 2],
    move_period: u32,
    bullets: &mut Vec<Swimmer>,
    tally: &mut Tally,
) -> Advanced {
    let enemy = &mut enemies[index];
    tally.terminal |= enemy.at == player;
    if enemy.move_timer > 0 {
        enemy.move_timer -= 1;
        return Advanced { enemy: *enemy, index: Some(index) };
    }
    enemy.move_timer = move_period;
    enemy.advance();
    let enemy = *enemy;
    let index = if enemy.is_outside() {
        remove_equal(enemies, index)
    } else if enemy.at == player {
        tally.terminal = true;
        Some(index)
    } else if remove_at(bullets, enemy.at) {
        tally.reward += 1;
        remove_equal(enemies, index)
    } else {
        Some(index)
    };
    Advanced { enemy, index }
}

impl Game for Seaquest {
    fn n_channels(&self) -> usize {
        10
    }

    fn moves(&self) -> &'static [Move] {
        &Move::ALL
    }

    fn reset(&mut self, _rng: &mut dyn RngCore) {
        // The lists keep their memory: an episode that begins allocates nothing.
        let emptied = |list: &mut Vec<Swimmer>| {
            list.clear();
            std::mem::take(list)
        };
        *self = Seaquest {
            bullets: emptied(&mut self.bullets),
            enemy_bullets: emptied(&mut self.enemy_bullets),
            fish: emptied(&mut self.fish),
            subs: emptied(&mut self.subs),
            divers: emptied(&mut self.divers),
            at: [5, 0],
            direction: -1,
            oxygen: MAX_OXYGEN,
            enemy_period: ENEMY_PERIOD,
            enemy_timer: ENEMY_PERIOD,
            diver_timer: DIVER_PERIOD,
            move_period: ENEMY_MOVE_PERIOD,
            at_surface: true,
            ..Seaquest::default()
        };
    }

    fn play(&mut self, player: Move, ramping: bool, rng: &mut dyn RngCore) -> Tally {
        let mut tally = Tally::default();
        if self.enemy_timer == 0 {
            self.spawn_enemy(rng);
            self.enemy_timer = self.enemy_period;
        }
        if self.diver_timer == 0 {
            self.spawn_diver(rng);
            self.diver_timer = DIVER_PERIOD;
        }
        self.steer(player);
        self.advance_bullets(&mut tally);
        self.advance_divers();
        self.advance_subs(&mut tally);
        self.advance_enemy_bullets(&mut tally);
        self.advance_fish(&mut tally);
        for timer in [&mut self.enemy_timer, &mut self.diver_timer, &mut self.shot_timer] {
            *timer = timer.saturating_sub(1);
        }
        self.breathe(ramping, &mut tally);
        tally
    }

    fn paint(&self, screen: &mut Screen<'_>) {
        let [x, y] = self.at;
        screen.mark(x, y, SUB_FRONT);
        screen.mark(x - self.direction, y, SUB_BACK);
        (0..gauge(self.oxygen)).for_each(|x| screen.mark(x, LAST, OXYGEN_GAUGE));
        (LAST - self.n_divers..LAST).for_each(|x| screen.mark(x, LAST, DIVER_GAUGE));
        for (list, channel) in [(&self.bullets, FRIENDLY_BULLET), (&self.enemy_bullets, ENEMY_BULLET)] {
            list.iter().for_each(|bullet| screen.mark(bullet.at[0], bullet.at[1], channel));
        }
        for (list, channel) in [(&self.fish, ENEMY_FISH), (&self.subs, ENEMY_SUB), (&self.divers, DIVER)] {
            for Swimmer { at: [x, y], direction, .. } in list {
                screen.mark(*x, *y, channel);
                screen.mark_within(x - direction, *y, TRAIL);
            }
        }
    }
}
