//! What each chip did, against what it should have done.

use super::nonces::{Cause, Wrong};
use crate::asic::bm13xx::ChainSpec;
use mujina_core::{
    board::{ChipErrors, ChipReport},
    units::HashRate,
};
use std::{
    collections::VecDeque,
    time::{Duration, Instant, SystemTime},
};

/// The rate is measured over so many minutes.
const MINUTES: usize = 10;
/// One of them.
const MINUTE: Duration = Duration::from_secs(60);
/// A chip is silent when so many results were to be expected and none came: by chance once in 5 × 10⁸ times.
const SILENT: f64 = 20.0;
/// A rate that is off by so many standard errors is no chance.
const OUTLIER: f64 = 5.0;
/// Results that a ratio of errors must stand on.
const SAMPLE: u64 = 50;
/// Ratio of errors worth a note (stratum-client 4.6).
const ERRORS: f64 = 0.005;
/// Results that a ratio of duplicates must stand on, and the ratio (H8).
const DUPLICATES: (u64, f64) = (1000, 0.001);

/// Of all chips, nearest to the host first.
#[derive(Debug)]
pub(super) struct Statistics {
    chips: Vec<Chip>,
    chip_id: u16,
    address_interval: u16,
}

#[derive(Debug, Default)]
struct Chip {
    verified: u64,
    errors: ChipErrors,
    duplicates: u64,
    cause: Option<Cause>,
    last: Option<Instant>,
    /// Results to be expected since the last one.
    missing: f64,
    minutes: VecDeque<Minute>,
}

/// What a chip did in one minute.
#[derive(Debug)]
struct Minute {
    since: Instant,
    hashed_for: f64,
    expected: f64,
    proved: f64,
    results: u32,
}

impl Statistics {
    pub(super) fn new(spec: &ChainSpec) -> Self {
        let chips = (0..spec.chips).map(|_| Chip::default()).collect();
        Self { chips, chip_id: spec.model.constants().chip_id, address_interval: spec.address_interval }
    }

    /// The chips were reset: what they failed to do before is no matter any more.
    pub(super) fn restart(&mut self) {
        for chip in &mut self.chips {
            chip.missing = 0.0;
            chip.minutes.clear();
        }
    }

    /// So much should have been hashed by all, up to now, in so many seconds; and a result is to be expected every so many
    /// hashes.
    pub(super) fn expect(&mut self, hashes: f64, per_result: f64, seconds: f64, now: Instant) {
        if hashes <= 0.0 {
            return;
        }
        let share = hashes / count(self.chips.len()).max(1.0);
        for chip in &mut self.chips {
            chip.missing += share / per_result.max(1.0);
            let minute = chip.minute(now);
            minute.hashed_for += seconds;
            minute.expected += share;
        }
    }

    pub(super) fn verified(&mut self, chip: Option<u8>, hashes: f64, now: Instant) {
        let Some(chip) = self.chip(chip) else { return };
        chip.verified += 1;
        chip.last = Some(now);
        chip.missing = 0.0;
        let minute = chip.minute(now);
        minute.proved += hashes;
        minute.results = minute.results.saturating_add(1);
    }

    pub(super) fn wrong(&mut self, chip: Option<u8>, wrong: Wrong) {
        let Some(chip) = self.chip(chip) else { return };
        match wrong {
            Wrong::Hash => chip.errors.wrong_hash += 1,
            Wrong::Version => chip.errors.wrong_version += 1,
            Wrong::Job => chip.errors.unknown_job += 1,
        }
    }

    pub(super) fn duplicate(&mut self, chip: Option<u8>, cause: Cause) {
        let Some(chip) = self.chip(chip) else { return };
        chip.duplicates += 1;
        chip.cause = Some(cause);
    }

    /// Chips that have gone silent.
    pub(super) fn silent(&self) -> usize {
        self.chips.iter().filter(|chip| chip.missing >= SILENT).count()
    }

    pub(super) fn all_are_silent(&self) -> bool {
        !self.chips.is_empty() && self.silent() == self.chips.len()
    }

    pub(super) fn reports(&mut self, nominal: HashRate, now: Instant, wall: SystemTime) -> Vec<ChipReport> {
        let (chip_id, interval) = (self.chip_id, self.address_interval);
        let nominal_hash_rate = nominal.scaled(count(self.chips.len()).max(1.0).recip());
        let report = |(index, chip): (u32, &Chip)| {
            let measured = chip.measured();
            let address = u32::from(interval).saturating_mul(index);
            ChipReport {
                index,
                address: u8::try_from(address).unwrap_or(u8::MAX),
                chip_id,
                verified: chip.verified,
                errors: chip.errors,
                duplicates: chip.duplicates,
                hash_rate: measured.map(|(hash_rate, _)| hash_rate),
                relative_error: measured.map(|(_, error)| error),
                nominal_hash_rate,
                last_nonce_at: chip.last.and_then(|last| wall.checked_sub(now.saturating_duration_since(last))),
                notes: chip.notes(),
            }
        };
        (0..).zip(&self.chips).map(report).collect()
    }

    fn chip(&mut self, index: Option<u8>) -> Option<&mut Chip> {
        self.chips.get_mut(usize::from(index?))
    }
}

impl Chip {
    /// The minute at work.
    fn minute(&mut self, now: Instant) -> &mut Minute {
        let is_over = |minute: &Minute| now.saturating_duration_since(minute.since) >= MINUTE;
        if self.minutes.back().is_none_or(is_over) {
            if self.minutes.len() >= MINUTES {
                self.minutes.pop_front();
            }
            self.minutes.push_back(Minute { since: now, hashed_for: 0.0, expected: 0.0, proved: 0.0, results: 0 });
        }
        self.minutes.back_mut().expect("one was pushed above if there was none")
    }

    /// Rate and its relative standard error: results come by chance, so n of them are n ± √n.
    fn measured(&self) -> Option<(HashRate, f64)> {
        let results: f64 = self.minutes.iter().map(|minute| f64::from(minute.results)).sum();
        let proved: f64 = self.minutes.iter().map(|minute| minute.proved).sum();
        let seconds: f64 = self.minutes.iter().map(|minute| minute.hashed_for).sum();
        (results > 0.0 && seconds > 0.0)
            .then(|| (HashRate::from_hashes_per_second(proved / seconds), results.sqrt().recip()))
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.missing >= SILENT {
            notes.push(format!("silent, though {:.0} results were to be expected", self.missing));
        }
        let expected: f64 = self.minutes.iter().map(|minute| minute.expected).sum();
        let proved: f64 = self.minutes.iter().map(|minute| minute.proved).sum();
        if let Some((_, error)) = self.measured()
            && expected > 0.0
        {
            let ratio = proved / expected;
            // By the error of what was expected, which is there also when little came.
            if (ratio - 1.0).abs() > OUTLIER * error * ratio.max(ratio.sqrt()) {
                notes.push(format!("hashes at {:.0} % of what its clock should give", ratio * 100.0));
            }
        }
        let results = self.verified + self.errors.sum() + self.duplicates;
        let part = |of: u64| wide(of) / wide(results.max(1));
        if results >= SAMPLE && part(self.errors.sum()) > ERRORS {
            notes.push(format!("{:.1} % of its nonces are wrong", part(self.errors.sum()) * 100.0));
        }
        let (least, ratio) = DUPLICATES;
        if results >= least
            && part(self.duplicates) > ratio
            && let Some(cause) = self.cause
        {
            notes.push(format!("{:.2} % of its nonces came before; probably {cause}", part(self.duplicates) * 100.0));
        }
        notes
    }
}

fn count(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
fn wide(count: u64) -> f64 {
    count as f64
}
