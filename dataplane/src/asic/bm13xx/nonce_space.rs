//! How far chips may sweep before they would hash what others hash, and how long their work lasts.
//!
//! A chip hashes a batch of versions over a window of nonces until its hash-counting number (HCN, in ticks of the crystal) is
//! reached, then the next batch over the same window. A window that is longer than the chip's part of the nonces gives
//! duplicates, a shorter one leaves nonces out. When all versions are done the chip begins again, in silence: new work must
//! come before. All figures follow from the dividers that are really programmed, in whole numbers.
//! Source: stratum-client 4.1 and 4.3 (H1 to H4).

use super::{
    ChainSpec, Model, layout,
    model::JobFormat,
    pll::Pll,
    register::{CRYSTAL, VersionRolling},
    slots,
};
use std::time::Duration;

/// Values of the seven bits that name a core.
const CORE_CODES: u64 = 128;
/// Steps of addresses.
const ADDRESSES: u64 = 256;
/// Longest time that an answer is on its way: a full buffer of the line at its slowest, and a busy host.
const LONGEST_WAY: Duration = Duration::from_millis(100);
/// Least time between two works on any chain.
const LEAST_RENEWAL: Duration = Duration::from_millis(20);
/// Longest time that work is kept, so that ntime follows the clock.
const LONGEST_RENEWAL: Duration = Duration::from_secs(1);
/// Part of its epoch after which work is renewed.
const RENEWAL: (u32, u32) = (7, 10);
/// Part of its epoch after which a renewal is late (H2).
const LATE: (u32, u32) = (95, 100);

/// Nonces that one core of one chip may sweep: by the step of addresses, not by how many chips there are, so that a chip
/// which is missing does not make its neighbours' windows longer (H4).
#[must_use]
pub fn slice(address_interval: u16) -> u64 {
    (1 << 32) / CORE_CODES * u64::from(address_interval) / ADDRESSES
}

/// The HCN with which no window exceeds its slice; at least 1, because 0 stops the chips. `None` for chips without one.
#[must_use]
pub fn hash_counting_number(model: Model, pll: &Pll, address_interval: u16) -> Option<u32> {
    if !model.rolls_versions() {
        return None;
    }
    // Two nonces per core and clock, so a tick of the crystal is worth 2 × f / 25 MHz of them.
    let (hertz, divisor) = pll.ratio();
    let ticks = slice(address_interval) * u64::from(CRYSTAL) * divisor / (2 * hertz).max(1);
    let guarded = ticks.saturating_sub(u64::from(model.constants().overrun_guard));
    Some(u32::try_from(guarded).unwrap_or(u32::MAX).max(1))
}

/// How often a chain needs other work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cadence {
    /// From here on chips hash again what they have hashed. The shorter of the figures that sources give.
    pub epoch: Duration,
    /// When work is renewed.
    pub renewal: Duration,
    /// Bytes of a job on the line take so long.
    pub frame_time: Duration,
}

impl Cadence {
    /// The rhythm of a chain at a clock, for work with this version mask, on a line of this rate (H1).
    #[must_use]
    pub fn of(spec: &ChainSpec, pll: &Pll, version_mask: u32, baud: u32) -> Self {
        let epoch = epoch(spec, pll, version_mask);
        let bytes = match spec.model.constants().job_format {
            JobFormat::Header => layout::HEADER_FRAME,
            JobFormat::Midstates => layout::LONGEST,
        };
        // Ten bits a byte.
        let frame_time = Duration::from_secs(10) * u32::try_from(bytes).unwrap_or(u32::MAX) / baud.max(1);
        let least = LEAST_RENEWAL.max(2 * frame_time).max(slots::least_renewal(spec.model, LONGEST_WAY));
        let renewal = part(epoch, RENEWAL).clamp(least, LONGEST_RENEWAL.max(least));
        Self { epoch, renewal, frame_time }
    }

    /// From this age of the work on, duplicates are possible.
    #[must_use]
    pub fn late_after(&self) -> Duration {
        part(self.epoch, LATE)
    }
}

fn part(of: Duration, (numerator, denominator): (u32, u32)) -> Duration {
    of * numerator / denominator
}

/// The shorter of: all batches of versions at one sweep each, and the whole space at the rate of the chain. Rates are those
/// of silicon, also where emulated chips hash less.
fn epoch(spec: &ChainSpec, pll: &Pll, version_mask: u32) -> Duration {
    let constants = spec.model.constants();
    let (hertz, divisor) = pll.ratio();
    let per_second = |units: u64| hertz.saturating_mul(units) / divisor.max(1);
    let Some(ticks) = hash_counting_number(spec.model, pll, spec.address_interval) else {
        // Every code of a core takes its time, whether there is such a core or not.
        let midstates = u64::try_from(layout::midstate_count(version_mask)).unwrap_or(1);
        let codes = u64::from(constants.cores.next_power_of_two()) * u64::from(constants.sub_cores);
        let hashes = (midstates << 32) * u64::from(spec.address_interval) / ADDRESSES;
        return seconds(hashes, per_second(codes));
    };
    let bits = VersionRolling::within(version_mask).mask.count_ones();
    let batches = ((1_u64 << bits) / u64::from(constants.sub_cores)).max(1);
    let sweeps = seconds(batches.saturating_mul(ticks.into()), CRYSTAL.into());
    let rate = per_second(u64::from(constants.hashing_units) * u64::from(spec.chips));
    sweeps.min(seconds(1_u64 << (32 + bits).min(63), rate))
}

/// A quotient as a time.
fn seconds(dividend: u64, divisor: u64) -> Duration {
    let nanoseconds = u128::from(dividend) * 1_000_000_000 / u128::from(divisor.max(1));
    Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests;
