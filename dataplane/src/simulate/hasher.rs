//! The hashing itself: all cores of a chip at one counter, each with its versions.
//!
//! The core stands in the lowest byte of a header's nonce and a core's versions share all but the midstate, so the kernels
//! of `thread::sha256d` fit: several midstates, and the nonces of all cores in one range.

use super::{
    ChipModel,
    job::{Body, ChipJob},
    sweep::{Step, number},
};
use crate::thread::sha256d::{HeaderScanner, Kernel, MAX_WIDTH, Midstate, Tail};
use mujina_core::units::ShareTarget;
use std::sync::Arc;

/// What a chip hashes in one go.
#[derive(Debug, Clone)]
pub(super) struct Portion {
    /// Which chip, and which life of it: results of a chip that was reset since are lost.
    pub(super) chip: usize,
    pub(super) life: u64,
    pub(super) model: ChipModel,
    pub(super) job: Arc<ChipJob>,
    pub(super) step: Step,
    /// Version mask in force.
    pub(super) mask: u16,
    /// Version fields of the sub-cores, the first sub-core's first; of midstates, their indices.
    pub(super) fields: Vec<u16>,
    /// Leading zero bits worth telling.
    pub(super) zeros: u32,
}

/// A hash that has the zeros.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) core: u8,
    /// Sub-core, or index of the midstate.
    pub(super) sub_core: u8,
    pub(super) field: u16,
    /// In header order.
    pub(super) nonce: [u8; 4],
    /// Most significant byte first, as people write it.
    pub(super) hash: [u8; 32],
}

impl Portion {
    /// Headers in it.
    pub(super) fn hashes(&self) -> u64 {
        let exists = |core: u8| (0..self.width()).filter(|sub_core| self.model.has(core, *sub_core)).count();
        (0..self.model.cores()).map(|core| u64::try_from(exists(core)).unwrap_or_default()).sum()
    }

    fn width(&self) -> u8 {
        u8::try_from(self.fields.len()).unwrap_or(u8::MAX)
    }
}

/// Hashes portions.
#[derive(Debug)]
pub(super) struct Hasher {
    scanner: HeaderScanner,
}

impl Hasher {
    /// With the fastest of the kernels that every CPU of its kind has: no measuring at start.
    pub(super) fn new() -> Self {
        let wanted = [Kernel::ShaNiAsm, Kernel::ShaNi, Kernel::ArmSha2];
        let scanner = wanted.into_iter().find_map(|kernel| HeaderScanner::new(kernel).ok());
        let scanner = scanner.or_else(|| HeaderScanner::new(Kernel::Portable).ok());
        Self { scanner: scanner.expect("the portable kernel runs everywhere") }
    }

    /// Hashes a portion; finds are ordered by core, then sub-core.
    pub(super) fn hash(&mut self, portion: &Portion) -> Vec<Found> {
        self.scanner.set_target(target(portion.zeros));
        let (tail, midstates) = prepare(portion);
        let mut found = Vec::new();
        let mut first = 0_u8;
        // Cores follow one another in steps of two: between them are those of another counter, which are hashed for nothing.
        // That is far cheaper than a scan for each core.
        let start = u32::from_le_bytes(number(0, portion.step.counter).to_be_bytes());
        let count = 2 * u32::from(portion.model.cores()) - 1;
        for group in midstates.chunks(self.scanner.width().clamp(1, MAX_WIDTH)) {
            self.scanner.load(tail, group);
            self.scanner.scan(start, count, |hit| {
                let Ok(core) = u8::try_from((hit.nonce.wrapping_sub(start)) / 2) else { return };
                let is_of_counter = hit.nonce.wrapping_sub(start).is_multiple_of(2);
                let sub_core = first.saturating_add(u8::try_from(hit.midstate).unwrap_or(u8::MAX));
                if is_of_counter && portion.model.has(core, sub_core) {
                    let field = portion.fields.get(usize::from(sub_core)).copied().unwrap_or_default();
                    let mut hash = hit.hash;
                    hash.reverse();
                    found.push(Found { core, sub_core, field, nonce: hit.nonce.to_le_bytes(), hash });
                }
            });
            first = first.saturating_add(u8::try_from(group.len()).unwrap_or(u8::MAX));
        }
        found.sort_by_key(|found| (found.core, found.sub_core));
        found
    }
}

/// Every hash with so many leading zero bits.
fn target(zeros: u32) -> ShareTarget {
    let mut bytes = [0_u8; 32];
    for (byte, bits) in bytes.iter_mut().zip((0_u32..).step_by(8)) {
        *byte = 0xff_u8.checked_shr(zeros.saturating_sub(bits)).unwrap_or_default();
    }
    ShareTarget::from_be_bytes(bytes)
}

fn prepare(portion: &Portion) -> (Tail, Vec<Midstate>) {
    match &portion.job.body {
        Body::Header(base) => {
            let header = |field| padded(&rolled(base, portion.mask, field));
            let midstates = portion.fields.iter().map(|field| Midstate::of(&header(*field))).collect();
            (Tail::of(&header(0)), midstates)
        }
        Body::Midstates { states, tail } => {
            let mut header = [0; 80];
            for (place, byte) in header.iter_mut().skip(64).zip(tail) {
                *place = *byte;
            }
            (Tail::of(&header), states.iter().copied().map(Midstate::from_words).collect())
        }
    }
}

/// The header of a version: the bits of the field take the place of those that the mask covers.
pub(super) fn rolled(base: &[u8; 76], mask: u16, field: u16) -> [u8; 76] {
    let mut header = *base;
    if let Some(version) = header.first_chunk_mut::<4>() {
        let mask = u32::from(mask) << 13;
        *version = ((u32::from_le_bytes(*version) & !mask) | (u32::from(field) << 13 & mask)).to_le_bytes();
    }
    header
}

fn padded(header: &[u8; 76]) -> [u8; 80] {
    let mut whole = [0; 80];
    for (place, byte) in whole.iter_mut().zip(header) {
        *place = *byte;
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::{frame::JobForm, job::tests::EXAMPLE_A};
    use sha2::{Digest, Sha256};

    fn portion(model: ChipModel, counter: u32, zeros: u32) -> Portion {
        let frame = hex::decode(EXAMPLE_A).unwrap();
        let job = Arc::new(ChipJob::parse(&frame[4..86], JobForm::Header, 1).unwrap());
        let fields = (0..u16::from(model.sub_cores())).collect();
        Portion { chip: 0, life: 0, model, job, step: Step { batch: 0, counter }, mask: 0xffff, fields, zeros }
    }

    fn plain(header: &[u8; 76], nonce: [u8; 4]) -> [u8; 32] {
        let mut hash: [u8; 32] = Sha256::digest(Sha256::digest([header.as_slice(), &nonce].concat())).into();
        hash.reverse();
        hash
    }

    #[test]
    fn kernel_finds_what_plain_hashing_finds() {
        let portion = portion(ChipModel::Bm1362, 0x0004_0107, 6);
        let Body::Header(base) = &portion.job.body else { panic!("a header") };
        let mut expected = Vec::new();
        for core in 0..65 {
            for sub_core in 0..8_u8 {
                let nonce = number(core, portion.step.counter).to_be_bytes();
                let hash = plain(&rolled(base, 0xffff, sub_core.into()), nonce);
                if hash[0] < 4 && (core != 64 || sub_core < 5) {
                    expected.push(Found { core, sub_core, field: sub_core.into(), nonce, hash });
                }
            }
        }
        assert!(!expected.is_empty());
        assert_eq!(Hasher::new().hash(&portion), expected);
        assert_eq!(portion.hashes(), 517);
    }

    #[test]
    fn zeros_of_a_target_are_counted_in_bits() {
        assert_eq!(target(0), ShareTarget::MAX);
        assert_eq!(target(12).to_be_bytes()[..3], [0, 0x0f, 0xff]);
        assert_eq!(target(16).to_be_bytes()[..3], [0, 0, 0xff]);
        assert_eq!(target(255).to_be_bytes()[31], 1);
    }
}
