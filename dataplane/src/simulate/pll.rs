//! The clock generator: what its register means. Source: BM13xx fact sheet, section 10.

use std::ops::RangeInclusive;

/// Bit 31: the generator has locked; a chip tells it, nobody writes it.
pub(super) const LOCKED: u32 = 1 << 31;
const ENABLE: u32 = 1 << 30;
const BYPASS: u32 = 1 << 29;
/// In hertz.
pub(super) const CRYSTAL: f64 = 25e6;

/// What a model's generator takes.
#[derive(Debug, Clone)]
pub(super) struct PllRange {
    pub(super) feedback: RangeInclusive<u32>,
    /// In megahertz.
    pub(super) vco: RangeInclusive<u32>,
    /// Whether post dividers are stored less one.
    pub(super) stored_minus_one: bool,
}

/// Dividers in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pll {
    pub(super) feedback: u32,
    /// Reference and post dividers multiplied.
    pub(super) divider: u32,
}

impl Pll {
    /// What a register value means; `None` when the chip cannot lock to it.
    pub(super) fn of(value: u32, range: &PllRange) -> Option<Self> {
        let feedback = value >> 16 & 0x0fff;
        let reference = value >> 8 & 0x3f;
        let more = u32::from(range.stored_minus_one);
        let posts = ((value >> 4 & 7) + more, (value & 7) + more);
        let fits = value & ENABLE != 0
            && value & BYPASS == 0
            && range.feedback.contains(&feedback)
            && (1..=2).contains(&reference)
            && (1..=7).contains(&posts.0)
            && (1..=7).contains(&posts.1)
            && range.vco.contains(&(25 * feedback / reference.max(1)));
        fits.then_some(Self { feedback, divider: reference * posts.0 * posts.1 })
    }

    /// In hertz.
    pub(super) fn hertz(self) -> f64 {
        CRYSTAL * f64::from(self.feedback) / f64::from(self.divider.max(1))
    }

    /// Whole clock periods, two for each crystal tick of `ticks`, as nonces a core tries: two in a period.
    pub(super) fn nonces(self, ticks: u64) -> u64 {
        2 * ticks * u64::from(self.feedback) / u64::from(self.divider.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::{super::ChipModel, *};

    #[test]
    fn register_values_of_the_sheet_give_their_clock() {
        for (model, value, megahertz) in [
            (ChipModel::Bm1370, 0x40a8_0265, 50.0),
            (ChipModel::Bm1370, 0x50d2_0265, 62.5),
            (ChipModel::Bm1370, 0x40a8_0230, 525.0),
            (ChipModel::Bm1370, 0x50c8_0230, 625.0),
            (ChipModel::Bm1366, 0x50c2_0240, 485.0),
            (ChipModel::Bm1368, 0x50c4_0240, 490.0),
            (ChipModel::Bm1362, 0x40a2_0255, 56.25),
            (ChipModel::Bm1362, 0x40a8_0262, 100.0),
            (ChipModel::Bm1397, 0xc060_0161, 400.0),
            (ChipModel::Bm1397, 0x4044_0221, 425.0),
        ] {
            let pll = Pll::of(value, &model.pll_range()).unwrap_or_else(|| panic!("{model} {value:08x}"));
            assert!((pll.hertz() / 1e6 - megahertz).abs() < 1e-9, "{model} {value:08x}: {}", pll.hertz());
        }
    }

    #[test]
    fn settings_outside_the_ranges_do_not_lock() {
        let range = ChipModel::Bm1370.pll_range();
        for value in [0x0000_0000, 0x409f_0230, 0x40f0_0230, 0x40a8_0330, 0x00a8_0230, 0x60a8_0230, 0x4000_0230] {
            assert_eq!(Pll::of(value, &range), None, "{value:08x}");
        }
    }
}
