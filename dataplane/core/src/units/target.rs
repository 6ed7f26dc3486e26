//! Targets: the 256-bit number that a hash must not exceed.

use std::fmt;

use bitcoin::{CompactTarget, Target};

use super::difficulty::Difficulty;
use super::work::Work;

const TWO_POW_128: f64 = 2.0 * (1_u128 << 127) as f64;
const TWO_POW_256: f64 = TWO_POW_128 * TWO_POW_128;

/// The largest hash that counts, as a 256-bit number. Used for share and ticket targets, and for network targets once
/// they are read from nbits.
///
/// Ordered by value: the *smaller* is the harder, so `a.min(b)` is the harder of two, and [`Self::MAX`] is met by every
/// hash. Shown in big endian, as explorers do.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShareTarget([u8; 32]); // big endian, so that the derived order is the numeric one

impl ShareTarget {
    /// All bits set: every hash is a share.
    pub const MAX: Self = Self([0xff; 32]);

    /// A target from 32 bytes with the least significant first, as the SV2 wire has it.
    #[must_use]
    pub fn from_le_bytes(mut bytes: [u8; 32]) -> Self {
        bytes.reverse();
        Self(bytes)
    }

    /// The target as 32 bytes with the least significant first, as the SV2 wire has it.
    #[must_use]
    pub fn to_le_bytes(self) -> [u8; 32] {
        let mut bytes = self.0;
        bytes.reverse();
        bytes
    }

    /// A target from 32 bytes with the most significant first, as the API of Mujina has it.
    #[must_use]
    pub fn from_be_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The target as 32 bytes with the most significant first, as the API of Mujina has it.
    #[must_use]
    pub fn to_be_bytes(self) -> [u8; 32] {
        self.0
    }

    /// Reads the `nbits` of a block header. None for what consensus refuses: negative, zero, or beyond 256 bits.
    /// Source: `arith_uint256::SetCompact` of Bitcoin Core.
    #[must_use]
    pub fn from_compact(nbits: u32) -> Option<Self> {
        let (size, mantissa) = (nbits >> 24, nbits & 0x007f_ffff);
        let negative = nbits & 0x0080_0000 != 0;
        let overflow = size > 34 || (size > 33 && mantissa > 0xff) || (size > 32 && mantissa > 0xffff);
        let target = Self::from(Target::from_compact(CompactTarget::from_consensus(nbits)));
        (!negative && !overflow && !target.is_zero()).then_some(target)
    }

    /// The target that one of `hashes` is expected to meet: the inverse of [`Self::expected_hashes`], to the precision
    /// of an `f64` and never easier than asked. One hash or fewer (or no number) gives [`Self::MAX`]; from 2^256 on it
    /// is zero.
    #[must_use]
    pub fn from_expected_hashes(hashes: f64) -> Self {
        if hashes.is_nan() || hashes <= 1.0 {
            return Self::MAX;
        }
        let (high, low) = to_halves(TWO_POW_256 / hashes);
        match (low.checked_sub(1), high.checked_sub(1)) {
            (Some(low), _) => Self::from_halves(high, low),
            (None, Some(high)) => Self::from_halves(high, u128::MAX),
            (None, None) => Self([0; 32]),
        }
    }

    /// Whether no hash at all can be expected to meet this target; a pool that sends it makes no sense.
    #[must_use]
    pub fn is_zero(self) -> bool {
        self.0 == [0; 32]
    }

    /// Whether a double SHA-256 meets this target. The hash is in *internal* order, as the hash function returns it,
    /// which is its number in little endian.
    #[must_use]
    pub fn is_met_by(self, hash: [u8; 32]) -> bool {
        Self::from_le_bytes(hash) <= self
    }

    /// The difficulty, for people and for V1.
    #[must_use]
    pub fn difficulty(self) -> Difficulty {
        Difficulty::from_target(&self.into())
    }

    /// How many hashes are needed on average to meet this target: 2^256 / (target + 1), which is 1 for [`Self::MAX`].
    #[must_use]
    pub fn expected_hashes(self) -> f64 {
        TWO_POW_256 / (self.as_f64() + 1.0)
    }

    /// The work that one share of this target proves.
    #[must_use]
    pub fn work(self) -> Work {
        Work::from_hashes(self.expected_hashes())
    }

    /// The number itself, rounded to an `f64`.
    pub(super) fn as_f64(self) -> f64 {
        let (high, low) = self
            .0
            .iter()
            .fold((0_u128, 0_u128), |(high, low), byte| (high << 8 | low >> 120, low << 8 | u128::from(*byte)));
        high as f64 * TWO_POW_128 + low as f64
    }

    fn from_halves(high: u128, low: u128) -> Self {
        let mut bytes = [0; 32];
        for (place, byte) in bytes.iter_mut().zip(high.to_be_bytes().into_iter().chain(low.to_be_bytes())) {
            *place = byte;
        }
        Self(bytes)
    }
}

/// Cuts a number from zero up to below 2^256 to an integer of two halves, exactly.
fn to_halves(value: f64) -> (u128, u128) {
    let high = (value / TWO_POW_128).trunc();
    // Both steps are exact: a division by a power of two, and the bits of `value` below 2^128.
    (to_u128(high), to_u128(value - high * TWO_POW_128))
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the cast saturates; cutting is the point")]
fn to_u128(value: f64) -> u128 {
    value as u128
}

impl From<Target> for ShareTarget {
    fn from(target: Target) -> Self {
        Self(target.to_be_bytes())
    }
}

impl From<ShareTarget> for Target {
    fn from(target: ShareTarget) -> Self {
        Self::from_be_bytes(target.0)
    }
}

impl fmt::Display for ShareTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ShareTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ShareTarget({self})")
    }
}

#[cfg(test)]
mod tests {
    use bitcoin::Target;
    use bitcoin::hashes::{Hash, sha256d};
    use proptest::prelude::*;

    use super::ShareTarget;

    fn one_bit(bit: usize) -> ShareTarget {
        let mut bytes = [0; 32];
        bytes[bit / 8] = 1 << (bit % 8);
        ShareTarget::from_le_bytes(bytes)
    }

    #[test]
    fn genesis_block_meets_its_target_and_no_harder_one() {
        // Header of mainnet's block 0.
        let mut header = [0_u8; 80];
        header[0] = 1;
        header[36..68].copy_from_slice(&[
            0x3b, 0xa3, 0xed, 0xfd, 0x7a, 0x7b, 0x12, 0xb2, 0x7a, 0xc7, 0x2c, 0x3e, 0x67, 0x76, 0x8f, 0x61, 0x7f, 0xc8,
            0x1b, 0xc3, 0x88, 0x8a, 0x51, 0x32, 0x3a, 0x9f, 0xb8, 0xaa, 0x4b, 0x1e, 0x5e, 0x4a,
        ]);
        header[68..72].copy_from_slice(&1_231_006_505_u32.to_le_bytes());
        header[72..76].copy_from_slice(&0x1d00_ffff_u32.to_le_bytes());
        header[76..80].copy_from_slice(&2_083_236_893_u32.to_le_bytes());
        let hash = sha256d::Hash::hash(&header).to_byte_array();

        assert!(ShareTarget::from_compact(0x1d00_ffff).unwrap().is_met_by(hash));
        assert!(!ShareTarget::from_compact(0x1b04_864c).unwrap().is_met_by(hash));
        assert!(ShareTarget::from_le_bytes(hash).is_met_by(hash), "a hash equal to the target counts");
    }

    #[test]
    fn byte_orders_are_reverses() {
        let easy = one_bit(248);
        assert_eq!(easy.to_be_bytes()[0], 1);
        assert_eq!(easy.to_le_bytes()[31], 1);
        assert_eq!(ShareTarget::from_be_bytes(easy.to_be_bytes()), easy);
        assert_eq!(easy.to_string()[..4], *"0100");
        assert!(format!("{easy:?}").starts_with("ShareTarget(0100"));
    }

    #[test]
    fn harder_is_smaller() {
        assert_eq!(one_bit(255).min(one_bit(7)), one_bit(7));
        assert!(one_bit(8) > one_bit(7));
    }

    #[test]
    fn every_hash_meets_the_easiest_target_and_only_zero_the_hardest() {
        assert!(ShareTarget::MAX.is_met_by([0xff; 32]));
        let zero = ShareTarget::from_be_bytes([0; 32]);
        assert!(zero.is_zero() && zero.is_met_by([0; 32]) && !zero.is_met_by([1; 32]));
        assert!(!ShareTarget::MAX.is_zero());
    }

    #[test]
    fn expected_hashes_are_known_at_the_ends() {
        assert_eq!(ShareTarget::MAX.expected_hashes(), 1.0);
        assert_eq!(ShareTarget::from_be_bytes([0; 32]).expected_hashes(), 2_f64.powi(256));
        assert_eq!(one_bit(0).expected_hashes(), 2_f64.powi(255));
        // Difficulty 1 takes a little more than 2^32 hashes.
        let one = ShareTarget::from_compact(0x1d00_ffff).unwrap();
        assert!((one.expected_hashes() - 4_295_032_833.0).abs() < 1e-3);
        assert_eq!(one.difficulty().as_f64(), 1.0);
        assert_eq!(one.work().hashes(), one.expected_hashes());
    }

    #[test]
    fn target_for_expected_hashes_is_clamped() {
        for hashes in [1.0, 0.0, -5.0, f64::NAN, f64::NEG_INFINITY] {
            assert_eq!(ShareTarget::from_expected_hashes(hashes), ShareTarget::MAX);
        }
        for hashes in [2_f64.powi(256), 1e300, f64::INFINITY] {
            assert!(ShareTarget::from_expected_hashes(hashes).is_zero());
        }
        let half = ShareTarget::from_expected_hashes(2.0);
        assert_eq!(half.to_be_bytes()[..2], [0x7f, 0xff]);
        assert_eq!(half.to_le_bytes()[..2], [0xff, 0xff]);
        assert_eq!(ShareTarget::from_expected_hashes(2_f64.powi(255)), one_bit(0));
    }

    #[test]
    fn compact_targets_follow_consensus() {
        // Examples of `bignum_SetCompact` in Bitcoin Core's tests.
        for refused in [
            0,
            0x0012_3456,
            0x0100_3456,
            0x0200_0056,
            0x0300_0000,
            0x0400_0000,
            0x0092_3456,
            0x0180_3456,
            0x0280_0056,
            0x0380_0000,
            0x0480_0000,
            0x01fe_dcba,
            0x0492_3456,
            0xff12_3456,
            0x2301_0000,
            0x2200_0100,
            0x2100_ffff + 1,
        ] {
            assert_eq!(ShareTarget::from_compact(refused), None, "{refused:08x}");
        }
        for (nbits, low) in
            [(0x0112_3456, 0x12_u32), (0x0200_8000, 0x80), (0x0412_3456, 0x1234_5600), (0x0212_3456, 0x1234)]
        {
            let target = ShareTarget::from_compact(nbits).unwrap();
            assert_eq!(target.to_le_bytes()[..4], low.to_le_bytes(), "{nbits:08x}");
            assert_eq!(target.to_le_bytes()[4..], [0; 28]);
        }
        assert_eq!(ShareTarget::from_compact(0x2012_3456).unwrap().to_be_bytes()[..3], [0x12, 0x34, 0x56]);
        assert_eq!(ShareTarget::from_compact(0x2200_0001).unwrap().to_be_bytes()[..2], [0x01, 0]);
        assert_eq!(ShareTarget::from_compact(0x2100_ffff).unwrap().to_be_bytes()[..3], [0xff, 0xff, 0]);
    }

    proptest! {
        #[test]
        fn expected_hashes_round_trip(exponent in 0.0..200.0_f64) {
            let hashes = exponent.exp2();
            let back = ShareTarget::from_expected_hashes(hashes).expected_hashes();
            prop_assert!((back / hashes - 1.0).abs() < 1e-14, "{hashes} {back}");
        }

        #[test]
        fn more_expected_hashes_never_make_an_easier_target(a in 1.0..1e78_f64, b in 1.0..1e78_f64) {
            let (few, many) = if a < b { (a, b) } else { (b, a) };
            prop_assert!(ShareTarget::from_expected_hashes(many) <= ShareTarget::from_expected_hashes(few));
        }

        #[test]
        fn order_agrees_with_the_consensus_library(a in any::<[u8; 32]>(), b in any::<[u8; 32]>()) {
            let (x, y) = (ShareTarget::from_le_bytes(a), ShareTarget::from_le_bytes(b));
            prop_assert_eq!(x.cmp(&y), Target::from_le_bytes(a).cmp(&Target::from_le_bytes(b)));
            prop_assert_eq!(x.is_met_by(b), y <= x);
            prop_assert_eq!(ShareTarget::from(Target::from(x)), x);
        }

        #[test]
        fn any_compact_is_read_or_refused(nbits in any::<u32>()) {
            if let Some(target) = ShareTarget::from_compact(nbits) {
                prop_assert_eq!(ShareTarget::from_compact(Target::from(target).to_compact_lossy().to_consensus()), Some(target));
            }
        }
    }
}
