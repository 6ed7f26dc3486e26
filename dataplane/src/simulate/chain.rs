//! A chain of chips without a board: bytes in, bytes out, hashes in between. Pure: time is given.
//!
//! Used by the board's thread, which lets a worker do the hashing; tests and benches drive one directly: [`Chain::supply`],
//! [`Chain::receive`], [`Chain::run`].

use super::{
    ChipModel, Options, Pacing,
    chip::{Chip, Senses},
    fault::{Fault, Faults},
    frame::nonce_reply,
    hasher::{Found, Hasher, Portion},
    job::Body,
    record::{Log, Record, Statistics, Violation, ViolationRecord},
    sweep::version_field,
};
use mujina_core::units::HashRate;
use std::{
    collections::{HashSet, VecDeque},
    time::{Duration, Instant},
};

/// Chips do not listen so soon after reset.
const SETTLE: Duration = Duration::from_millis(5);
/// Hashes that may be due, as time; what exceeds it is missed.
const BACKLOG: Duration = Duration::from_millis(250);
/// A marginal chip repeats itself after this.
const LATCH: Duration = Duration::from_millis(11);
/// Hashes that are remembered to know duplicates.
const REMEMBERED: usize = 1 << 17;
/// Bytes that wait for the line: more are lost, as from a controller's buffer that nobody empties.
const OUTBOX: usize = 1 << 14;

/// What the chain is given besides bytes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Supply {
    /// Core power, I/O power, and reset released.
    pub running: bool,
    /// Part of the nonces that come out wrong, from 0 to 1, because the voltage is too low for the clock.
    pub wrong: f64,
    /// The voltage is so low that chips hang until reset.
    pub hangs: bool,
    /// Temperature of the chips in degrees Celsius.
    pub temperature: f64,
    /// Core voltage of a chip.
    pub volts: f64,
}

impl Supply {
    /// As it should be.
    pub const GOOD: Self = Self { running: true, wrong: 0.0, hangs: false, temperature: 60.0, volts: 1.15 };
}

/// Chips on one line.
#[derive(Debug)]
pub struct Chain {
    pub(super) chips: Vec<Chip>,
    pub(super) input: Vec<u8>,
    pub(super) log: Log,
    pub(super) faults: Faults,
    pub(super) was_told_inactive: bool,
    pub(super) jobs: u64,
    gate: u8,
    stride: u32,
    pacing: Pacing,
    budget: Option<HashRate>,
    supply: Supply,
    listens_from: Instant,
    settled: Instant,
    /// Frames for the host, and when their last byte has gone over the line.
    output: VecDeque<(Instant, Vec<u8>)>,
    output_bytes: usize,
    line_free: Instant,
    chance: u64,
    seen: HashSet<[u8; 16]>,
    seen_order: VecDeque<[u8; 16]>,
    statistics: Statistics,
    hasher: Option<Hasher>,
}

impl Chain {
    /// A chain without power. Of the options it takes gate, pacing, seed and hash budget.
    #[must_use]
    pub fn new(model: ChipModel, chips: u8, options: &Options, now: Instant) -> Self {
        Self::with(model, chips, options, Faults::default(), Log::since(now), now)
    }

    pub(super) fn with(model: ChipModel, chips: u8, options: &Options, faults: Faults, log: Log, now: Instant) -> Self {
        let gate = options.gate_bits.clamp(8, 32);
        // A chip that sweeps all versions of its sub-cores at once would make two hashes for each that it makes.
        let thinner = u32::from(model.rolls_versions());
        Self {
            chips: vec![Chip::new(model); usize::from(chips)],
            input: Vec::new(),
            log,
            faults,
            was_told_inactive: false,
            jobs: 0,
            gate,
            stride: 1 << (32 + thinner - u32::from(gate)),
            pacing: options.pacing,
            budget: options.hash_budget,
            supply: Supply { running: false, ..Supply::GOOD },
            listens_from: now,
            settled: now,
            output: VecDeque::new(),
            output_bytes: 0,
            line_free: now,
            chance: options.seed | 1,
            seen: HashSet::new(),
            seen_order: VecDeque::new(),
            statistics: Statistics::default(),
            hasher: None,
        }
    }

    /// Tries every counter, one after the other: what silicon does, and far too many for a whole window here.
    pub fn hash_densely(&mut self) {
        self.stride = 1;
    }

    /// Power, reset and surroundings as they are from now on. Chips forget everything when they lose power or are reset.
    pub fn supply(&mut self, supply: Supply, now: Instant) {
        self.settle(now);
        let (was, is) = (self.supply.running, supply.running);
        self.supply = supply;
        if was != is {
            self.chips.iter_mut().for_each(Chip::reset);
            self.was_told_inactive = false;
            self.input.clear();
            self.drop_output();
            self.listens_from = now + SETTLE;
            if self.faults.has(Fault::GarbageAtPowerUp) {
                self.send(&[0xff, 0xff, 0x00, 0xff], now);
            }
        }
        if is && (supply.hangs || self.faults.take(Fault::Hang)) {
            self.chips.iter_mut().for_each(|chip| chip.is_hung = true);
        }
    }

    /// Takes bytes from the host, as if at the right speed, and gives what is due for it.
    pub fn receive(&mut self, bytes: &[u8], now: Instant) -> Vec<u8> {
        self.take_bytes(bytes, now);
        self.due(now)
    }

    /// Hashes all that is due up to now, and gives what is due for the host.
    pub fn run(&mut self, now: Instant) -> Vec<u8> {
        let mut hasher = self.hasher.take().unwrap_or_else(Hasher::new);
        for portion in self.portions(now, usize::MAX) {
            let found = hasher.hash(&portion);
            self.finish(&portion, &found, now);
        }
        self.hasher = Some(hasher);
        self.due(now)
    }

    /// What the host has on its side of the line by now.
    pub fn due(&mut self, now: Instant) -> Vec<u8> {
        let mut bytes = Vec::new();
        while self.output.front().is_some_and(|(at, _)| *at <= now) {
            bytes.extend(self.output.pop_front().map(|(_, frame)| frame).unwrap_or_default());
        }
        self.output_bytes = self.output_bytes.saturating_sub(bytes.len());
        bytes
    }

    /// When the next bytes are due.
    #[must_use]
    pub fn next_due(&self) -> Option<Instant> {
        self.output.front().map(|(at, _)| *at)
    }

    /// Speed of the chips in baud.
    #[must_use]
    pub fn baud(&self) -> f64 {
        self.chips.first().map_or(115_200.0, Chip::baud)
    }

    /// Hashes per second at the clock in force, cores enabled or not.
    #[must_use]
    pub fn nominal_hash_rate(&self) -> HashRate {
        HashRate::from_hashes_per_second(self.chips.iter().map(|chip| self.rate(chip)).sum())
    }

    /// What the chips did.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        Statistics { chips: self.chips.iter().map(|chip| chip.statistics).collect(), ..self.statistics.clone() }
    }

    /// What reached the chips.
    #[must_use]
    pub fn record(&self) -> Vec<Record> {
        self.log.records()
    }

    /// What should not have.
    #[must_use]
    pub fn violations(&self) -> Vec<ViolationRecord> {
        self.log.violations()
    }

    /// Lets something go wrong.
    pub fn inject(&mut self, fault: Fault) {
        self.faults.inject(fault);
    }

    /// Ends a fault.
    pub fn clear(&mut self, fault: Fault) {
        self.faults.clear(fault);
    }

    /// Goes on counting where another chain was, and remembers what it returned: it is the same board.
    pub(super) fn keep_count(&mut self, before: &Self) {
        self.statistics = before.statistics.clone();
        self.seen.clone_from(&before.seen);
        self.seen_order.clone_from(&before.seen_order);
        self.jobs = before.jobs;
        for (chip, old) in self.chips.iter_mut().zip(&before.chips) {
            chip.statistics = super::ChipStatistics { address: 0, ..old.statistics };
            chip.life = old.life + 1;
        }
    }

    /// Part of the chips' greatest activity: 1 when all hash.
    pub(super) fn activity(&self) -> f64 {
        let busy = |chip: &&Chip| chip.can_hash() && chip.job.is_some();
        let count = |number| f64::from(u32::try_from(number).unwrap_or(u32::MAX));
        if self.supply.running {
            count(self.chips.iter().filter(busy).count()) / count(self.chips.len().max(1))
        } else {
            0.0
        }
    }

    pub(super) fn clock(&self) -> f64 {
        self.chips.first().map_or(0.0, Chip::clock)
    }

    pub(super) fn is_hung(&self) -> bool {
        self.chips.iter().any(|chip| chip.is_hung)
    }

    pub(super) fn is_running(&self) -> bool {
        self.supply.running
    }

    pub(super) fn model(&self) -> ChipModel {
        self.chips.first().map_or(ChipModel::Bm1370, |chip| chip.model)
    }

    pub(super) fn listens(&self, now: Instant) -> bool {
        self.supply.running && now >= self.listens_from
    }

    /// Chips that the line reaches.
    pub(super) fn hearing(&self) -> impl Iterator<Item = &Chip> {
        self.chips.iter().take(self.reach())
    }

    pub(super) fn hearing_mut(&mut self) -> impl Iterator<Item = &mut Chip> {
        let reach = self.reach();
        self.chips.iter_mut().take(reach)
    }

    fn reach(&self) -> usize {
        let broken = |fault| if let Fault::BrokenAfter { chips } = fault { Some(usize::from(chips)) } else { None };
        self.faults.find(broken).unwrap_or(self.chips.len())
    }

    pub(super) fn senses(&self) -> Senses {
        let Supply { temperature, volts, .. } = self.supply;
        Senses { temperature, volts, gate: self.gate, locks: true }
    }

    pub(super) fn complain(&self, violation: Violation, bytes: &[u8], now: Instant) {
        self.log.complain(violation, bytes, now);
    }

    /// Puts a frame on the line to the host: one at a time, with a gap of a byte.
    pub(super) fn send(&mut self, frame: &[u8], now: Instant) {
        if self.output_bytes + frame.len() > OUTBOX {
            self.statistics.overrun += 1;
            return;
        }
        let byte = match self.pacing {
            Pacing::Line => Duration::from_secs_f64(10.0 / self.baud().max(1.0)),
            Pacing::Immediate => Duration::ZERO,
        };
        let bytes = u32::try_from(frame.len()).unwrap_or(u32::MAX);
        let at = self.line_free.max(now) + byte.saturating_mul(bytes);
        self.line_free = at + byte;
        self.output_bytes += frame.len();
        self.output.push_back((at, frame.to_vec()));
    }

    fn drop_output(&mut self) {
        self.output.clear();
        self.output_bytes = 0;
    }

    fn rate(&self, chip: &Chip) -> f64 {
        chip.clock() * f64::from(chip.model.hashes_per_clock()) * f64::from(i32::from(self.gate) - 32).exp2()
    }

    /// Lets hashes come due, at the clocks that were in force until now.
    pub(super) fn settle(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.settled).as_secs_f64();
        self.settled = self.settled.max(now);
        if !self.supply.running {
            return;
        }
        let nominal = self.nominal_hash_rate().hashes_per_second();
        let scale = self.budget.map_or(1.0, |budget| (budget.hashes_per_second() / nominal.max(1.0)).min(1.0));
        for index in 0..self.chips.len() {
            let slowed = self.speed(index) * scale;
            let Some(rate) = self.chips.get(index).map(|chip| self.rate(chip) * slowed) else { continue };
            let Some(chip) = self.chips.get_mut(index) else { continue };
            if !chip.can_hash() || chip.job.is_none() {
                chip.owed = 0.0;
                continue;
            }
            let most = (rate * BACKLOG.as_secs_f64()).max(8192.0);
            chip.owed += rate * passed;
            self.statistics.missed += (chip.owed - most).max(0.0);
            chip.owed = chip.owed.min(most);
        }
    }

    fn speed(&self, index: usize) -> f64 {
        let of = |chip: u8| usize::from(chip) == index;
        let slow = self.faults.find(|fault| match fault {
            Fault::SlowChip { chip, percent } if of(chip) => Some(f64::from(percent) / 100.0),
            _ => None,
        });
        slow.unwrap_or(1.0)
    }

    /// Takes portions that are due, about `most`, for a hasher; each comes back to [`Self::finish`].
    pub(super) fn portions(&mut self, now: Instant, most: usize) -> Vec<Portion> {
        self.settle(now);
        self.repeat_latched(now);
        let (stride, gate, reach) = (self.stride, self.gate, self.reach());
        let chips = self.chips.len();
        let share = most.div_ceil(chips.max(1));
        let mut portions = Vec::new();
        for (index, chip) in self.chips.iter_mut().enumerate().take(reach) {
            for _ in 0..share {
                if chip.owed < 1.0 {
                    break;
                }
                let Some(portion) = portion(chip, index, chips, stride, gate) else { break };
                chip.owed -= count(portion.hashes());
                portions.push(portion);
            }
        }
        portions
    }

    /// Counts a portion and returns its nonces.
    pub(super) fn finish(&mut self, portion: &Portion, found: &[Found], now: Instant) {
        let Some(chip) = self.chips.get_mut(portion.chip) else { return };
        if chip.life != portion.life {
            return;
        }
        chip.statistics.hashes += portion.hashes();
        let is = |job: &super::job::ChipJob| job.serial == portion.job.serial;
        let is_late = chip.previous.as_ref().is_some_and(|(job, until)| is(job) && now < *until);
        if !is_late && !chip.job.as_deref().is_some_and(is) {
            return;
        }
        for found in found {
            self.answer(portion, found, now);
        }
    }

    fn answer(&mut self, portion: &Portion, found: &Found, now: Instant) {
        let gate = u32::from(self.gate);
        let Some(chip) = self.chips.get(portion.chip) else { return };
        let ticket = chip.ticket();
        let is_stuck = self.faults.has(Fault::StuckChip { chip: u8::try_from(portion.chip).unwrap_or(u8::MAX) });
        if is_stuck || !chip.reports(found.core) || bits_after(&found.hash, gate) & ticket != 0 {
            return;
        }
        let over = leading_zeros(&found.hash).saturating_sub(gate + ticket.leading_ones());
        let excess = u8::try_from(2 * over).unwrap_or(u8::MAX);
        let mut job = portion.job.byte;
        if self.faults.has(Fault::UnknownJob) {
            job ^= 0x08;
        }
        let mut nonce = found.nonce;
        let comes_out_wrong = self.chance() < self.supply.wrong;
        if comes_out_wrong || self.faults.has(Fault::BelowTicket) {
            nonce = nonce.map(|byte| byte ^ 0x01);
            self.statistics.wrong += 1;
        }
        let (model, long) = (portion.model, matches!(portion.job.body, Body::Header(_)));
        let version = (long && !self.faults.has(Fault::ShortReplies)).then_some(found.field);
        let frame = nonce_reply(nonce, excess, model.result_byte(job, found.sub_core), version);
        self.remember(&found.hash);
        if let Some(chip) = self.chips.get_mut(portion.chip) {
            chip.statistics.hits += 1;
            chip.errors = chip.errors.wrapping_add(u32::from(comes_out_wrong) << ticket.leading_ones().min(31));
            chip.newest = Some((frame.clone(), now));
        }
        let mut sent = frame.clone();
        if self.faults.take(Fault::LostByte) {
            sent = frame.iter().enumerate().filter(|(at, _)| *at != 5).map(|(_, byte)| *byte).collect();
        }
        if self.faults.take(Fault::FlippedBit)
            && let Some(byte) = sent.get_mut(4)
        {
            *byte ^= 0x10;
        }
        self.send(&sent, now);
        if self.faults.has(Fault::RepeatedNonces) {
            self.statistics.duplicates += 1;
            self.send(&frame, now);
        }
    }

    fn repeat_latched(&mut self, now: Instant) {
        if !self.supply.running || !self.faults.has(Fault::LatchedNonce) {
            return;
        }
        let mut again = Vec::new();
        for chip in &mut self.chips {
            if let Some((frame, sent_at)) = &mut chip.newest
                && now.saturating_duration_since(*sent_at) >= LATCH
            {
                *sent_at = now;
                again.push(frame.clone());
            }
        }
        for frame in again {
            self.statistics.duplicates += 1;
            self.send(&frame, now);
        }
    }

    fn remember(&mut self, hash: &[u8; 32]) {
        let Some(key) = hash.last_chunk::<16>() else { return };
        if !self.seen.insert(*key) {
            self.statistics.duplicates += 1;
            return;
        }
        self.seen_order.push_back(*key);
        if self.seen_order.len() > REMEMBERED {
            self.seen_order.pop_front().into_iter().for_each(|old| {
                self.seen.remove(&old);
            });
        }
    }

    /// A number from 0 up to 1: xorshift, which is chance enough here.
    fn chance(&mut self) -> f64 {
        self.chance ^= self.chance << 13;
        self.chance ^= self.chance >> 7;
        self.chance ^= self.chance << 17;
        count(self.chance >> 11) / count(1 << 53)
    }
}

fn portion(chip: &mut Chip, index: usize, chips: usize, stride: u32, gate: u8) -> Option<Portion> {
    let job = chip.job.clone()?;
    let window = chip.window(chips)?;
    let mask = chip.version_mask();
    let (batches, fields): (u32, _) = match &job.body {
        Body::Header(_) => {
            let versions = 1_u32 << mask.count_ones();
            let at_once = u32::from(chip.model.sub_cores()).min(versions);
            (versions / at_once, at_once)
        }
        Body::Midstates { states, .. } => (1, u32::try_from(states.len()).unwrap_or(1)),
    };
    let step = chip.sweep.next(window, stride, batches)?;
    let numbers = step.batch * fields..(step.batch + 1) * fields;
    let fields = match &job.body {
        Body::Header(_) => numbers.map(|number| version_field(number, mask)).collect(),
        Body::Midstates { .. } => numbers.filter_map(|number| u16::try_from(number).ok()).collect(),
    };
    let zeros = u32::from(gate) + chip.ticket().leading_ones();
    Some(Portion { chip: index, life: chip.life, model: chip.model, job, step, mask, fields, zeros })
}

fn leading_zeros(hash: &[u8; 32]) -> u32 {
    let (high, low) = hash.split_at(16);
    let half = |bytes: &[u8]| bytes.first_chunk::<16>().map_or(0, |bytes| u128::from_be_bytes(*bytes));
    if half(high) == 0 { 128 + half(low).leading_zeros() } else { half(high).leading_zeros() }
}

/// The 32 bits of a hash that follow the gate.
fn bits_after(hash: &[u8; 32], gate: u32) -> u32 {
    let high = hash.first_chunk::<16>().map_or(0, |bytes| u128::from_be_bytes(*bytes));
    u32::try_from(high << gate >> 96).unwrap_or_default()
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^53 but for chance, which takes 53 bits")]
fn count(number: u64) -> f64 {
    number as f64
}
