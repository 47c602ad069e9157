//! The board that a game is painted on, and boards of bits.

/// Rows and columns of the board.
pub const SIDE: usize = 10;
/// Rightmost column and lowest row.
pub const LAST: i32 = SIDE as i32 - 1;

/// An observation while it is painted: `cells[(y · 10 + x) · n_channels + channel]`.
pub struct Screen<'a> {
    cells: &'a mut [f32],
    n_channels: usize,
}

impl<'a> Screen<'a> {
    /// Empties `cells` to paint on.
    pub fn blank(cells: &'a mut [f32], n_channels: usize) -> Self {
        assert_eq!(cells.len(), SIDE * SIDE * n_channels, "a board has 10 · 10 · channels cells");
        cells.fill(0.0);
        Screen { cells, n_channels }
    }

    /// Marks a cell of the board.
    pub fn mark(&mut self, x: i32, y: i32, channel: usize) {
        self.cells[(y as usize * SIDE + x as usize) * self.n_channels + channel] = 1.0;
    }

    /// Marks a cell, unless it lies beside the board.
    pub fn mark_within(&mut self, x: i32, y: i32, channel: usize) {
        if (0..=LAST).contains(&x) {
            self.mark(x, y, channel);
        }
    }

    /// Marks every set bit.
    pub fn mark_bits(&mut self, bits: &Bits, channel: usize) {
        for (y, &row) in (0..).zip(&bits.0) {
            let mut rest = row;
            while rest != 0 {
                self.mark(rest.trailing_zeros() as i32, y, channel);
                rest &= rest - 1;
            }
        }
    }
}

/// A set of cells: bit x of row y.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bits(pub [u16; SIDE]);

impl Bits {
    /// Whether the cell is in the set.
    pub fn has(&self, x: i32, y: i32) -> bool {
        self.0[y as usize] >> x & 1 == 1
    }

    /// Puts the cell into the set.
    pub fn insert(&mut self, x: i32, y: i32) {
        self.0[y as usize] |= 1 << x;
    }

    /// Takes the cell out of the set.
    pub fn remove(&mut self, x: i32, y: i32) {
        self.0[y as usize] &= !(1 << x);
    }

    /// Cells in the set.
    pub fn count(&self) -> u32 {
        self.0.iter().map(|row| row.count_ones()).sum()
    }

    /// Columns with a cell in the set, as bits.
    pub fn columns(&self) -> u16 {
        self.0.iter().fold(0, |columns, row| columns | row)
    }
}
