//! The part of the coinbase that a miner, or its pool, may choose.

use std::fmt;

/// Most bytes of extranonce that a channel grants (B0_32).
pub const MAX_EXTRANONCE: usize = 32;

/// One part of an extranonce, the miner's or the pool's: 0 to 32 bytes, kept in place.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Extranonce {
    bytes: [u8; MAX_EXTRANONCE],
    len: u8,
}

impl Extranonce {
    /// Copies the bytes; `None` for more than 32.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let len = u8::try_from(bytes.len()).ok().filter(|len| usize::from(*len) <= MAX_EXTRANONCE)?;
        let mut copy = [0; MAX_EXTRANONCE];
        for (place, byte) in copy.iter_mut().zip(bytes) {
            *place = *byte;
        }
        Some(Self { bytes: copy, len })
    }

    /// The bytes in the order in which they are hashed and sent.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).expect("len <= 32 by construction")
    }
}

impl fmt::Debug for Extranonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_bytes().iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
