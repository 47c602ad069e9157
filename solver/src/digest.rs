//! A checksum that detects damage.

/// A checksum (FNV-1a) that changes with any bit of the data added to it, and so detects damage.
///
/// Source: Fowler, Noll, Vo, draft-eastlake-fnv-17.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digest(u64);

impl Default for Digest {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Digest {
    /// Adds bytes to the data that the checksum covers.
    pub fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    /// The checksum of all bytes added so far.
    pub fn value(self) -> u64 {
        self.0
    }
}
