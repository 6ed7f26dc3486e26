//! Jobs as frames, from the 80 bytes of a header.
//!
//! Chips that roll versions take the whole header, others the state of the hash after its first 64 bytes, for one version or
//! for four. Fields keep the header's byte order; the two hashes are sent with their eight words in reverse.

use super::{crc, slots::JobId};
use bitcoin::hashes::{HashEngine, sha256};
use std::fmt;

/// Length of a block header.
pub const HEADER_LEN: usize = 80;
/// Length of a frame with a whole header.
pub const HEADER_FRAME: usize = 88;
/// Length of a frame with four midstates.
pub const LONGEST: usize = 152;

/// What begins every job frame.
const PREAMBLE: [u8; 3] = [0x55, 0xaa, 0x21];
/// Versions that a chip without version rolling hashes side by side.
const MIDSTATES: usize = 4;

/// A job as bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum JobFrame {
    /// With the whole header.
    Header([u8; HEADER_FRAME]),
    /// With one midstate.
    Midstate([u8; 56]),
    /// With four.
    Midstates([u8; LONGEST]),
}

impl JobFrame {
    /// Preamble to checksum.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Header(bytes) => bytes,
            Self::Midstate(bytes) => bytes,
            Self::Midstates(bytes) => bytes,
        }
    }
}

impl fmt::Debug for JobFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.as_bytes()))
    }
}

/// A frame with the whole header. Bits of the version that the chip will roll must be zero: no capture shows what it does
/// with others. The nonce is not sent: the chip begins where it begins.
#[must_use]
pub fn whole(id: JobId, header: &[u8; HEADER_LEN]) -> [u8; HEADER_FRAME] {
    let mut frame = [0; HEADER_FRAME];
    frame[..3].copy_from_slice(&PREAMBLE);
    // The count of bytes behind the preamble, as ESP-Miner and Mujina send it. Stock firmware sends 0x36; chips ignore it.
    frame[3] = 0x56;
    frame[4] = id.0;
    frame[5] = 1;
    frame[10..14].copy_from_slice(&header[72..76]);
    frame[14..18].copy_from_slice(&header[68..72]);
    reverse_words(&mut frame[18..50], &header[36..68]);
    reverse_words(&mut frame[50..82], &header[4..36]);
    frame[82..86].copy_from_slice(&header[..4]);
    let crc = crc::crc16(&frame[2..86]);
    frame[86..].copy_from_slice(&crc.to_be_bytes());
    frame
}

/// A frame with midstates: for the header's own version and, if the mask has room for them, the three that follow it.
/// `start` is the first nonce, in the header's byte order: zero but in tests.
#[must_use]
pub fn midstates(id: JobId, header: &[u8; HEADER_LEN], version_mask: u32, start: [u8; 4]) -> JobFrame {
    if version_mask.count_ones() < 2 {
        let mut frame = [0; 56];
        head(&mut frame, id, header, start);
        frame[22..54].copy_from_slice(&midstate(header));
        let crc = crc::crc16(&frame[2..54]);
        frame[54..].copy_from_slice(&crc.to_be_bytes());
        return JobFrame::Midstate(frame);
    }
    let mut frame = [0; LONGEST];
    head(&mut frame, id, header, start);
    let mut rolled = *header;
    for place in frame[22..150].chunks_exact_mut(32) {
        place.copy_from_slice(&midstate(&rolled));
        let [a, b, c, d, ..] = rolled;
        let version = next_version(u32::from_le_bytes([a, b, c, d]), version_mask);
        rolled[..4].copy_from_slice(&version.to_le_bytes());
    }
    let crc = crc::crc16(&frame[2..150]);
    frame[150..].copy_from_slice(&crc.to_be_bytes());
    JobFrame::Midstates(frame)
}

/// Versions that a frame with midstates has under a mask.
#[must_use]
pub fn midstate_count(version_mask: u32) -> usize {
    if version_mask.count_ones() < 2 { 1 } else { MIDSTATES }
}

/// Adds one in the bits of a mask; the bits outside stay. A mask of zero changes nothing.
#[must_use]
pub fn next_version(version: u32, version_mask: u32) -> u32 {
    let lowest = version_mask & version_mask.wrapping_neg();
    let carried = (version | !version_mask).wrapping_add(lowest);
    (version & !version_mask) | (carried & version_mask)
}

/// The first 22 bytes, for any number of midstates.
fn head<const N: usize>(frame: &mut [u8; N], id: JobId, header: &[u8; HEADER_LEN], start: [u8; 4]) {
    const { assert!(N >= 56 && N <= LONGEST && (N - 24).is_multiple_of(32)) };
    let length = u8::try_from(N - 2).unwrap_or(u8::MAX);
    let count = u8::try_from((N - 24) / 32).unwrap_or(1);
    let [p0, p1, p2] = PREAMBLE;
    let fields = [&[p0, p1, p2, length, id.0, count][..], &start, &header[72..76], &header[68..72], &header[64..68]];
    for (place, byte) in frame.iter_mut().zip(fields.into_iter().flatten()) {
        *place = *byte;
    }
}

/// State of the hash after 64 bytes, the last word first, each with its most significant byte first.
fn midstate(header: &[u8; HEADER_LEN]) -> [u8; 32] {
    let mut engine = sha256::HashEngine::default();
    engine.input(&header[..64]);
    let state = engine.midstate().to_byte_array();
    let mut reversed = [0; 32];
    reverse_words(&mut reversed, &state);
    reversed
}

fn reverse_words(to: &mut [u8], from: &[u8]) {
    for (place, word) in to.chunks_exact_mut(4).zip(from.chunks_exact(4).rev()) {
        place.copy_from_slice(word);
    }
}

#[cfg(test)]
mod tests;
