//! Difficulty: how operators and V1 pools speak of targets.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::prefix::three_digits;
use super::quantity::{quantity, saturate};
use super::target::ShareTarget;

/// 0xffff × 2^208, the target of difficulty 1. Source: nbits 0x1d00ffff of the genesis block.
const DIFFICULTY_ONE: f64 = 65_535.0 * (1_u128 << 104) as f64 * (1_u128 << 104) as f64;

/// How many times smaller a target is than that of difficulty 1: a finite number from zero up, serialised as that
/// number. About 2^32 hashes are expected per unit; CPU targets lie far below 1.
#[derive(Clone, Copy, Default, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Difficulty(f64);

quantity!(Difficulty, "");

impl Difficulty {
    /// The difficulty of a target. A target of zero, which no hash meets, has the largest number there is.
    #[must_use]
    pub fn from_target(target: &bitcoin::Target) -> Self {
        Self(saturate(DIFFICULTY_ONE / ShareTarget::from(*target).as_f64()))
    }

    /// The plain number.
    #[must_use]
    pub fn as_f64(self) -> f64 {
        self.0
    }

    /// The greatest hash of this difficulty, floor(0xffff × 2^208 / difficulty) in whole numbers: a share that the pool
    /// counts is never one bit too high for us. Zero and what lies beyond 256 bits give [`ShareTarget::MAX`].
    #[must_use]
    pub fn share_target(self) -> ShareTarget {
        let (mantissa, exponent) = parts(self.0);
        let shift = 208 - exponent;
        if mantissa == 0 || shift > MAX_SHIFT {
            return ShareTarget::MAX;
        }
        let Ok(shift) = usize::try_from(shift) else { return ShareTarget::from_be_bytes([0; 32]) };
        divided(shift, mantissa).unwrap_or(ShareTarget::MAX)
    }
}

/// From here on up the quotient has more than 256 bits: 2^15 × 2^294 / 2^53.
const MAX_SHIFT: i32 = 293;

/// The number as mantissa × 2^exponent, exactly. Source: IEEE 754, binary64.
fn parts(value: f64) -> (u64, i32) {
    let bits = value.to_bits();
    let (fraction, exponent) = (bits & ((1 << 52) - 1), i32::try_from((bits >> 52) & 0x7ff).unwrap_or_default());
    if exponent == 0 { (fraction, -1074) } else { (fraction | 1 << 52, exponent - 1075) }
}

/// floor((0xffff << shift) / divisor) by long division in digits of 64 bits; `None` beyond 256 bits.
#[expect(clippy::cast_possible_truncation, reason = "a remainder is below the divisor, so digits have 64 bits")]
fn divided(shift: usize, divisor: u64) -> Option<ShareTarget> {
    let ones = 0xffff_u128 << (shift % 64);
    let mut digits = [0_u64; 5];
    for (place, part) in digits.iter_mut().skip(shift / 64).zip([ones as u64, (ones >> 64) as u64]) {
        *place = part;
    }
    let divisor = u128::from(divisor);
    let mut remainder = 0_u128;
    for digit in digits.iter_mut().rev() {
        let dividend = remainder << 64 | u128::from(*digit);
        *digit = (dividend / divisor) as u64;
        remainder = dividend % divisor;
    }
    let [quotient @ .., 0] = digits else { return None };
    let mut bytes = [0; 32];
    for (place, byte) in bytes.iter_mut().zip(quotient.iter().flat_map(|digit| digit.to_le_bytes())) {
        *place = byte;
    }
    Some(ShareTarget::from_le_bytes(bytes))
}

impl fmt::Display for Difficulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&three_digits(self.0, ""))
    }
}

#[cfg(test)]
mod tests {
    use bitcoin::{CompactTarget, Target};
    use proptest::prelude::*;

    use super::{Difficulty, ShareTarget};

    fn of_nbits(nbits: u32) -> Difficulty {
        Difficulty::from_target(&Target::from_compact(CompactTarget::from_consensus(nbits)))
    }

    #[test]
    fn known_blocks_have_their_difficulty() {
        assert_eq!(of_nbits(0x1d00_ffff).as_f64(), 1.0);
        // Block 100,000 of mainnet.
        assert!((of_nbits(0x1b04_864c).as_f64() - 14_484.162_361_225_399).abs() < 1e-9);
        assert!((of_nbits(0x207f_ffff).as_f64() / 4.656_542_373_906_925e-10 - 1.0).abs() < 1e-12);
    }

    #[test]
    fn difficulty_is_shown_without_unit() {
        let shown = |value| Difficulty::try_from(value).unwrap().to_string();
        assert_eq!([4.66e-6, 1.0, 29_600.0].map(shown), ["4.66e-6", "1.00", "29.6 k"]);
        assert_eq!(format!("{:?}", of_nbits(0x1d00_ffff)), "Difficulty(1.0)");
    }

    #[test]
    fn impossible_target_has_a_finite_difficulty() {
        assert_eq!(Difficulty::from_target(&Target::ZERO).as_f64(), f64::MAX);
        assert!(Difficulty::from_target(&Target::from_be_bytes([0xff; 32])).as_f64() > 0.0);
    }

    #[test]
    fn difficulty_from_outside_must_be_a_number() {
        for outside in [f64::NAN, f64::INFINITY, -1.0] {
            assert!(Difficulty::try_from(outside).is_err());
        }
    }

    fn target(difficulty: f64) -> String {
        Difficulty::try_from(difficulty).unwrap().share_target().to_string()
    }

    // V10
    #[test]
    fn fractional_difficulties_have_exact_targets() {
        assert_eq!(target(1.0), format!("00000000ffff{}", "0".repeat(52)));
        assert_eq!(target(16_383.75), format!("000000000004{}", "0".repeat(52)));
        assert!(target(0.001).starts_with("000003e7fc17ffff"), "{}", target(0.001));
        assert_eq!(target(65_535.0), format!("0000000000010{}", "0".repeat(51)));
        assert_eq!(target(2_f64.powi(-32)), format!("ffff{}", "0".repeat(60)));
        // Not 1000 / 3 in decimals: the f64 nearest to it.
        assert_eq!(target(1000.0 / 3.0), "0000000000c49ae147ae147e0692f6e82949b247fbc22db7737e146981c16633");
    }

    #[test]
    fn difficulties_at_the_ends_have_targets_too() {
        for easy in [0.0, f64::MIN_POSITIVE, f64::MIN_POSITIVE / 8.0, 1e-300, 2_f64.powi(-33)] {
            assert_eq!(target(easy), "f".repeat(64), "{easy}");
        }
        assert_eq!(target(65_535.0 * 2_f64.powi(208)), format!("{}1", "0".repeat(63)));
        assert_eq!(target(65_536.0 * 2_f64.powi(208)), "0".repeat(64));
        assert_eq!(target(f64::MAX), "0".repeat(64));
    }

    proptest! {
        #[test]
        fn target_of_a_difficulty_has_that_difficulty(exponent in -30.0..48.0_f64) {
            let difficulty = Difficulty::try_from(exponent.exp2()).unwrap();
            let back = difficulty.share_target().difficulty().as_f64();
            prop_assert!((back / difficulty.as_f64() - 1.0).abs() < 1e-14);
        }

        // By the definition of a floor: target * mantissa <= 0xffff << shift < (target + 1) * mantissa, for whole numbers.
        #[test]
        fn whole_difficulties_divide_like_whole_numbers(difficulty in 1_u64..1 << 48) {
            let found = Difficulty::try_from(difficulty as f64).unwrap().share_target();
            let mut quotient = [0_u8; 32];
            let mut remainder = 0_u64;
            for (place, digit) in quotient.iter_mut().zip([0_u8; 4].into_iter().chain([0xff, 0xff]).chain([0; 26])) {
                let dividend = remainder << 8 | u64::from(digit);
                *place = u8::try_from(dividend / difficulty).expect("a remainder is below the divisor");
                remainder = dividend % difficulty;
            }
            prop_assert_eq!(found, ShareTarget::from_be_bytes(quotient));
        }

        #[test]
        fn harder_difficulties_never_have_easier_targets(a in any::<f64>(), b in any::<f64>()) {
            let (Ok(a), Ok(b)) = (Difficulty::try_from(a.abs()), Difficulty::try_from(b.abs())) else { return Ok(()) };
            let (low, high) = if a < b { (a, b) } else { (b, a) };
            prop_assert!(high.share_target() <= low.share_target());
        }
    }
}
