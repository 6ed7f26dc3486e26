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
}

impl fmt::Display for Difficulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&three_digits(self.0, ""))
    }
}

#[cfg(test)]
mod tests {
    use bitcoin::{CompactTarget, Target};

    use super::Difficulty;

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
}
