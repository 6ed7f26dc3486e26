//! The clock: dividers of the PLL for a frequency, and their register.
//!
//! `f = 25 MHz × feedback / (reference × post1 × post2)`, and the VCO runs at `25 MHz × feedback / reference`. Sources agree on
//! the formula and differ in which dividers they take where several give the same frequency. Here: the least error, then the
//! lowest VCO, then the greatest first post divider. That is the rule of ESP-Miner, and of newer Mujina, which besides allows
//! equal post dividers ([`PllLimits::equal_posts`]); both are known to work. Firmware that takes the first match (stock, and
//! older ESP-Miner) runs some frequencies at a higher VCO.

use super::{Model, register::CRYSTAL};
use mujina_core::units::Frequency;

/// Set by the chip while the clock is what the dividers say.
pub const LOCKED: u32 = 1 << 31;
/// Turns the PLL on.
const ENABLE: u32 = 1 << 30;
/// Chooses the faster of two oscillators.
const FAST_VCO: u32 = 1 << 28;
/// Bits that are read back as they were written.
pub const DIVIDERS: u32 = 0x0fff_3f77;
/// Largest distance to the frequency that was asked for, in hertz: dividers that differ by one give clocks about 3 MHz apart.
const TOLERANCE: u64 = 3_125_000;

/// What dividers a model takes.
#[derive(Debug)]
pub struct PllLimits {
    /// Least and greatest feedback divider.
    pub feedback: (u16, u16),
    /// Least and greatest frequency of the VCO, in megahertz.
    pub vco: (u32, u32),
    /// Whether the register holds post dividers less one.
    pub less_one: bool,
    /// When bit 28 is set.
    pub vco_bit: VcoBit,
    /// Whether both post dividers may be the same. ESP-Miner wants the first to be greater, Mujina and stock do not.
    pub equal_posts: bool,
}

/// When the faster oscillator is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VcoBit {
    /// At 2400 MHz and above, as captured. (The driver of GekkoScience never does, and its chips work as well.)
    From2400,
    /// Not at all.
    Never,
}

/// Dividers that a chip takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Pll {
    /// Multiplies the crystal.
    pub feedback: u16,
    /// 1 or 2.
    pub reference: u8,
    /// 1 to 7.
    pub post1: u8,
    /// 1 to 7, not above the first.
    pub post2: u8,
}

impl Pll {
    /// Dividers for the nearest frequency. `None` when there is none near.
    #[must_use]
    pub fn solve(model: Model, frequency: Frequency) -> Option<Self> {
        let wanted = whole_hertz(frequency)?;
        let limits = &model.constants().pll;
        let best = Self::candidates(limits, wanted).min_by(|a, b| a.worse_than(wanted).cmp(&b.worse_than(wanted)))?;
        let (error, divisor) = best.error(wanted);
        (error < u128::from(TOLERANCE) * divisor).then_some(best)
    }

    /// For each way to divide, the two feedback dividers around the wanted frequency.
    fn candidates(limits: &PllLimits, wanted: u64) -> impl Iterator<Item = Self> {
        let posts = (1..=7_u8).flat_map(|post1| (1..=post1).map(move |post2| (post1, post2)));
        let posts = posts.filter(|(post1, post2)| limits.equal_posts || post1 > post2);
        let ways = posts.flat_map(|(post1, post2)| [1, 2].map(|reference| (reference, post1, post2)));
        let (least, greatest) = limits.feedback;
        let pairs = ways.flat_map(move |(reference, post1, post2)| {
            let divisor = u64::from(reference) * u64::from(post1) * u64::from(post2);
            let below = wanted.saturating_mul(divisor) / u64::from(CRYSTAL);
            let feedback = [below, below + 1].map(|feedback| u16::try_from(feedback).unwrap_or(u16::MAX));
            feedback.map(|feedback| Self { feedback: feedback.clamp(least, greatest), reference, post1, post2 })
        });
        pairs.filter(|pll| {
            let (least, greatest) = limits.vco;
            (least * u32::from(pll.reference)..=greatest * u32::from(pll.reference))
                .contains(&(25 * u32::from(pll.feedback)))
        })
    }

    /// What is compared: the less, the better.
    fn worse_than(&self, wanted: u64) -> impl Ord {
        let (error, divisor) = self.error(wanted);
        // A common denominator: all divisors divide it.
        let error = error * (COMMON / divisor);
        (error, self.feedback * (3 - u16::from(self.reference)), 7 - self.post1, 2 - self.reference)
    }

    /// Distance to a frequency, as a fraction of hertz.
    fn error(&self, wanted: u64) -> (u128, u128) {
        let (hertz, divisor) = self.ratio();
        ((u128::from(hertz)).abs_diff(u128::from(wanted) * u128::from(divisor)), u128::from(divisor))
    }

    /// The exact frequency: hertz, to be divided by the second.
    #[must_use]
    pub fn ratio(&self) -> (u64, u64) {
        let divisor = u64::from(self.reference) * u64::from(self.post1) * u64::from(self.post2);
        (u64::from(CRYSTAL) * u64::from(self.feedback), divisor)
    }

    /// The frequency that chips run at.
    #[must_use]
    pub fn frequency(&self) -> Frequency {
        let divisor = f64::from(self.reference) * f64::from(self.post1) * f64::from(self.post2);
        Frequency::from_megahertz(25.0 * f64::from(self.feedback) / divisor.max(1.0))
    }

    /// As the register is written.
    #[must_use]
    pub fn encode(&self, model: Model) -> u32 {
        let limits = &model.constants().pll;
        let fast =
            limits.vco_bit == VcoBit::From2400 && 25 * u32::from(self.feedback) >= 2400 * u32::from(self.reference);
        let less = u8::from(limits.less_one);
        let post = |post: u8| u32::from(post.saturating_sub(less) & 7);
        ENABLE
            | if fast { FAST_VCO } else { 0 }
            | u32::from(self.feedback & 0xfff) << 16
            | u32::from(self.reference & 0x3f) << 8
            | post(self.post1) << 4
            | post(self.post2)
    }

    /// From the register. `None` when it divides by zero.
    #[must_use]
    pub fn decode(model: Model, value: u32) -> Option<Self> {
        let [upper, lower, reference, posts] = value.to_be_bytes();
        let less = u8::from(model.constants().pll.less_one);
        let feedback = u16::from_be_bytes([upper & 0x0f, lower]);
        let pll =
            Self { feedback, reference: reference & 0x3f, post1: (posts >> 4 & 7) + less, post2: (posts & 7) + less };
        (pll.ratio().1 > 0 && feedback > 0).then_some(pll)
    }
}

/// Least common multiple of all products of a reference divider and two post dividers.
const COMMON: u128 = 2 * 420 * 420;

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a quantity is not negative and is bounded here"
)]
fn whole_hertz(frequency: Frequency) -> Option<u64> {
    let hertz = frequency.hertz().round();
    (hertz > 0.0 && hertz < 1e12).then_some(hertz as u64)
}

#[cfg(test)]
mod tests;
