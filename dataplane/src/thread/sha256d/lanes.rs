//! What every kernel is to the scanner.

use super::block::{Midstate, Tail};

/// What a kernel does: it looks for hashes whose last word, masked, is zero, and may overlook none. Ranges wrap at 2^32.
pub(super) trait Lanes: std::fmt::Debug + Send {
    /// Midstates that it takes at once.
    fn width(&self) -> usize;
    /// Prepares exactly `width` midstates.
    fn load(&mut self, tail: Tail, midstates: &[Midstate], filter: u32);
    /// Tries `count` nonces from `first` with every midstate, and names each candidate: index of the midstate, nonce.
    fn scan(&mut self, first: u32, count: u32, candidate: &mut dyn FnMut(usize, u32));
}
