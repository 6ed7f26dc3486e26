//! What is hard-wired in each chip. Source: BM13xx fact sheet, sections 8, 9, 10 and 22.

use super::pll::PllRange;
use std::fmt;

/// A chip type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChipModel {
    /// Of the EmberOne.
    Bm1362,
    /// Of the Bitaxe Ultra.
    Bm1366,
    /// Of the Bitaxe Supra.
    Bm1368,
    /// Of the Bitaxe Gamma.
    Bm1370,
    /// Of the Bitaxe Max.
    Bm1397,
}

/// Dead sub-cores of the last, small core of a BM1362: the last ones.
const RUNT_DEAD: u8 = 3;

impl ChipModel {
    /// Reset value of CHIP_ID, address left out.
    pub(super) fn id(self) -> u32 {
        match self {
            Self::Bm1362 => 0x1362_0300,
            Self::Bm1366 => 0x1366_0000,
            Self::Bm1368 => 0x1368_0000,
            Self::Bm1370 => 0x1370_0000,
            Self::Bm1397 => 0x1397_1800,
        }
    }

    /// Values that the core field of a nonce takes. That of the BM1397 has seven bits, which do not hold its 168 cores:
    /// they share the field's whole range here.
    pub(super) fn cores(self) -> u8 {
        match self {
            Self::Bm1362 => 65,
            Self::Bm1366 => 112,
            Self::Bm1368 => 80,
            Self::Bm1370 | Self::Bm1397 => 128,
        }
    }

    /// Versions that a core hashes in one sweep of its nonces. Of two readings of the sheet (section 14.3) this is the one
    /// with the shorter epoch: the stricter for whoever renews the work.
    pub(super) fn sub_cores(self) -> u8 {
        match self {
            Self::Bm1362 | Self::Bm1366 => 8,
            Self::Bm1368 | Self::Bm1370 => 16,
            Self::Bm1397 => 1,
        }
    }

    /// Whether this sub-core of this core exists.
    pub(super) fn has(self, core: u8, sub_core: u8) -> bool {
        self != Self::Bm1362 || core != 64 || sub_core < 8 - RUNT_DEAD
    }

    /// Hashes in a clock period.
    #[must_use]
    pub fn hashes_per_clock(self) -> u32 {
        match self {
            Self::Bm1362 => 514,
            Self::Bm1366 => 894,
            Self::Bm1368 => 1276,
            Self::Bm1370 => 2040,
            Self::Bm1397 => 672,
        }
    }

    /// Whether it makes midstates of its own and is told to by MIDSTATE_CONFIG.
    pub(super) fn rolls_versions(self) -> bool {
        self != Self::Bm1397
    }

    /// Low bits of the result's second-last fixed byte that name the sub-core; the job id stands above.
    pub(super) fn result_byte(self, job: u8, sub_core: u8) -> u8 {
        match self {
            Self::Bm1370 | Self::Bm1368 => ((job << 1) & 0xf0) | (sub_core & 0x0f),
            Self::Bm1362 | Self::Bm1366 => (job & 0xf8) | (sub_core & 0x07),
            Self::Bm1397 => (job & 0xfc) | (sub_core & 0x03),
        }
    }

    /// Bits of a job byte that must be zero.
    pub(super) fn reserved_job_bits(self) -> u8 {
        match self {
            Self::Bm1366 | Self::Bm1368 | Self::Bm1370 => 0x87,
            Self::Bm1362 => 0x07,
            Self::Bm1397 => 0x03,
        }
    }

    /// What its clock generator takes.
    pub(super) fn pll_range(self) -> PllRange {
        let (feedback, vco) = match self {
            Self::Bm1370 => (160..=239, 1600..=3200),
            Self::Bm1362 => (16..=250, 2000..=3200),
            Self::Bm1366 | Self::Bm1368 => (144..=235, 1600..=3200),
            Self::Bm1397 => (60..=200, 0..=u32::MAX),
        };
        PllRange { feedback, vco, stored_minus_one: self.rolls_versions() }
    }
}

impl fmt::Display for ChipModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Bm1362 => "BM1362",
            Self::Bm1366 => "BM1366",
            Self::Bm1368 => "BM1368",
            Self::Bm1370 => "BM1370",
            Self::Bm1397 => "BM1397",
        })
    }
}
