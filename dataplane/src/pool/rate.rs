//! What the pool is told of our hash rate, and when it is told again.
//!
//! Source: stratum-client C3, G1, V15: never zero, and again after a minute of difference. How much that is, the protocol
//! says.

use mujina_core::units::HashRate;
use std::time::{Duration, Instant};

/// When a change of the hash rate is told (G1, V15).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RateTerms {
    /// How much the greater of two rates must be above the smaller, relative to that: 1 = a factor of two.
    pub difference: f64,
    /// How long it must last.
    pub sustained: Duration,
    /// Least time between two messages.
    pub apart: Duration,
}

impl Default for RateTerms {
    fn default() -> Self {
        Self { difference: 0.15, sustained: Duration::from_secs(60), apart: Duration::from_secs(10) }
    }
}

/// The rate that is, and the rate that was told.
#[derive(Debug)]
pub(super) struct ToldRate {
    terms: RateTerms,
    current: Option<HashRate>,
    told: Option<(HashRate, Instant)>,
    differs_since: Option<Instant>,
}

impl ToldRate {
    pub(super) fn new(current: Option<HashRate>, terms: RateTerms) -> Self {
        Self { terms, current: current.filter(|rate| is_usable(*rate)), told: None, differs_since: None }
    }

    /// The rate changed. One that is not known, or zero, is not worth telling.
    pub(super) fn observe(&mut self, current: Option<HashRate>, now: Instant) {
        if let Some(current) = current.filter(|rate| is_usable(*rate)) {
            self.current = Some(current);
            let differs = self.told.is_some_and(|(told, _)| difference(told, current) > self.terms.difference);
            self.differs_since = differs.then(|| self.differs_since.unwrap_or(now));
        }
    }

    /// The rate to tell first, once it is known.
    pub(super) fn first(&mut self, now: Instant) -> Option<HashRate> {
        let rate = self.current?;
        self.tell(rate, now);
        Some(rate)
    }

    /// The rate to tell now, if it is time.
    pub(super) fn due(&mut self, now: Instant) -> Option<HashRate> {
        let rate = self.current.filter(|_| self.deadline().is_some_and(|deadline| deadline <= now))?;
        self.tell(rate, now);
        Some(rate)
    }

    /// When to call `due`.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let (_, told_at) = self.told?;
        Some((self.differs_since? + self.terms.sustained).max(told_at + self.terms.apart))
    }

    /// What the pool knows.
    pub(super) fn told(&self) -> Option<HashRate> {
        self.told.map(|(rate, _)| rate)
    }

    fn tell(&mut self, rate: HashRate, now: Instant) {
        self.told = Some((rate, now));
        self.differs_since = None;
    }
}

/// As the wire has it: finite and above zero (C3).
#[expect(clippy::cast_possible_truncation, reason = "a rate needs no more than the 24 bits that the wire has")]
pub(super) fn on_the_wire(rate: HashRate) -> f32 {
    (rate.hashes_per_second() as f32).clamp(f32::MIN_POSITIVE, f32::MAX)
}

fn is_usable(rate: HashRate) -> bool {
    rate.hashes_per_second() > 0.0
}

/// How much the greater is above the smaller, relative to that.
fn difference(told: HashRate, current: HashRate) -> f64 {
    let ratio = current.hashes_per_second() / told.hashes_per_second();
    ratio.max(ratio.recip()) - 1.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(hashes: f64) -> Option<HashRate> {
        Some(HashRate::from_hashes_per_second(hashes))
    }

    // G1
    #[test]
    fn rate_is_told_again_only_after_a_minute_of_difference() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut told = ToldRate::new(rate(1e6), RateTerms::default());
        assert_eq!(told.first(start), rate(1e6));
        told.observe(rate(1.1e6), at(1));
        assert_eq!(told.deadline(), None);
        told.observe(rate(2e6), at(2));
        told.observe(rate(1e6), at(30));
        assert_eq!(told.deadline(), None);
        told.observe(rate(0.5e6), at(40));
        told.observe(rate(0.4e6), at(70));
        assert_eq!(told.due(at(99)), None);
        assert_eq!(told.due(at(100)), rate(0.4e6));
        assert_eq!(told.due(at(500)), None);
    }

    // C3
    #[test]
    fn unknown_and_zero_rates_are_never_told() {
        let now = Instant::now();
        let mut told = ToldRate::new(rate(0.0), RateTerms::default());
        assert_eq!(told.first(now), None);
        told.observe(None, now);
        told.observe(rate(0.0), now);
        assert_eq!(told.first(now), None);
        told.observe(rate(5.0), now);
        assert_eq!(told.first(now), rate(5.0));
        told.observe(rate(0.0), now);
        assert_eq!((told.deadline(), told.told()), (None, rate(5.0)));
    }

    #[test]
    fn any_rate_fits_the_wire() {
        assert!(on_the_wire(HashRate::from_hashes_per_second(1e300)).is_finite());
        assert!(on_the_wire(HashRate::from_hashes_per_second(1e-300)) > 0.0);
    }
}
