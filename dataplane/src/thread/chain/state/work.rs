//! Work of a chain: taken up, renewed before the chips are through with it, and put down.
//!
//! Idle chips are stopped with a hash-counting number of zero, which all chips that have one obey. A BM1397 has none and
//! hashes on; so in either case what comes while the chain is idle is thrown away, without counting as an error.

use super::{Action, DRAIN, Phase, State, Task};
use crate::{
    asic::bm13xx::{
        ChainSpec, Model,
        command::Command,
        layout,
        model::JobFormat,
        nonce_space::{self, Cadence},
        register::{self, VersionRolling},
        slots::Slots,
        ticket::TicketMask,
    },
    job::{
        extranonce::Extranonce,
        header::{self, HEADER_LEN},
        merkle,
    },
    thread::{ThreadEvent, Work},
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// One job frame, as it went to the chips.
#[derive(Debug)]
pub(super) struct Sent {
    /// With the bits of the mask clear and no nonce.
    pub(super) header: [u8; HEADER_LEN],
    pub(super) version: u32,
    pub(super) version_mask: u32,
    pub(super) ntime: u32,
    pub(super) ticket: TicketMask,
    pub(super) at: Instant,
    /// From this age on the chips may have hashed it twice.
    pub(super) late_after: Duration,
    pub(super) origin: Origin,
}

/// Whose work a frame is.
#[derive(Debug)]
pub(super) enum Origin {
    /// The scheduler's.
    Work(Arc<Work>, Extranonce),
    /// Nobody's: chips are being tested.
    Test,
}

/// What the chips work on.
#[derive(Debug)]
pub(super) struct Working {
    current: Option<Current>,
    pub(super) slots: Slots<Sent>,
    /// Greatest generation that was told as started.
    generation: u64,
    started: Option<u64>,
    /// Whether the chips have work whose results count.
    hashing: bool,
    /// Whether the chips' hash-counting number is zero.
    pub(super) stopped: bool,
    sent_at: Option<Instant>,
    next: Option<Instant>,
    accounted: Instant,
    /// Part of a hash that was not counted yet.
    remainder: f64,
    /// Results of works from before this moment may have a version of the mask that came after.
    pub(super) mask_changed: Option<Instant>,
}

#[derive(Debug)]
struct Current {
    work: Arc<Work>,
    fingerprint: u64,
    exhausted: bool,
}

impl Working {
    pub(super) fn new(model: Model, now: Instant) -> Self {
        Self {
            current: None,
            slots: Slots::new(model),
            generation: 0,
            started: None,
            hashing: false,
            stopped: false,
            sent_at: None,
            next: None,
            accounted: now,
            remainder: 0.0,
            mask_changed: None,
        }
    }

    pub(super) fn due(&self) -> Option<Instant> {
        self.next
    }

    pub(super) fn is_hashing(&self) -> bool {
        self.hashing
    }

    pub(super) fn current(&self) -> Option<&Arc<Work>> {
        self.current.as_ref().map(|current| &current.work)
    }

    /// Whether a result of a work sent then may have been found under a mask that came later.
    pub(super) fn drains(&self, sent_at: Instant, now: Instant) -> bool {
        self.mask_changed.is_some_and(|changed| sent_at < changed && now < changed + DRAIN)
    }

    /// Counts what should have been hashed since the last time, and says how much that was and how many seconds it took.
    pub(super) fn account(&mut self, rate: f64, now: Instant) -> (f64, f64) {
        let passed = now.saturating_duration_since(self.accounted).as_secs_f64();
        self.accounted = self.accounted.max(now);
        if !self.hashing {
            return (0.0, 0.0);
        }
        let hashes = rate * passed;
        let Some(current) = &self.current else { return (hashes, passed) };
        let due = hashes + self.remainder;
        self.remainder = due.fract();
        current.work.slot.add_hashes(whole(due));
        (hashes, passed)
    }

    /// The chips were reset, or will be: what they were given is gone.
    pub(super) fn forget(&mut self) {
        self.slots.clear();
        self.hashing = false;
        self.stopped = false;
        self.sent_at = None;
        self.next = None;
        self.mask_changed = None;
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a float is cut to the range of the type")]
fn whole(hashes: f64) -> u64 {
    hashes.max(0.0) as u64
}

impl State {
    /// Takes up other work: the chips hear of it before anybody else.
    pub(super) fn work(&mut self, work: Arc<Work>, now: Instant) {
        self.account(now);
        self.working.generation = work.generation;
        self.working.current = Some(Current { fingerprint: work.job.fingerprint(), work, exhausted: false });
        if matches!(&self.phase, Phase::Up(up) if !matches!(up.task, Task::Golden(_))) {
            self.renew(now);
        }
    }

    /// Puts work down.
    pub(super) fn idle(&mut self, now: Instant) {
        self.stop_hashing(now);
        self.working.current = None;
        let generation = self.working.generation;
        self.actions.push(Action::Tell(ThreadEvent::Idle { thread: self.index, generation }));
    }

    /// Stops the chips, as far as they can be stopped.
    pub(super) fn stop_hashing(&mut self, now: Instant) {
        self.account(now);
        self.working.hashing = false;
        self.working.next = None;
        self.working.sent_at = None;
        if matches!(self.phase, Phase::Up(_)) && self.spec.model.rolls_versions() && !self.working.stopped {
            self.working.stopped = true;
            self.write(Command::write_all(register::HASH_COUNTING_NUMBER, 0).encode().as_bytes());
        }
    }

    pub(super) fn renew_if_due(&mut self, now: Instant) {
        if self.working.next.is_none_or(|next| now < next) {
            return;
        }
        if let Phase::Up(up) = &self.phase
            && self.working.sent_at.is_some_and(|sent_at| now > sent_at + up.cadence.late_after())
        {
            self.late_renewals += 1;
        }
        self.renew(now);
    }

    /// Gives the chips the next piece of the current work.
    pub(super) fn renew(&mut self, now: Instant) {
        self.account(now);
        self.working.next = None;
        let Phase::Up(up) = &self.phase else { return };
        let frame_time = up.cadence.frame_time;
        let Some(current) = &mut self.working.current else { return };
        let work = Arc::clone(&current.work);
        let (job, generation) = (&work.job, work.generation);
        let ntime = job.max_ntime(now);
        let extranonce = if job.is_expired(now) { None } else { work.slot.next(current.fingerprint, ntime) };
        let Some(extranonce) = extranonce else {
            self.exhausted(&work, now);
            return;
        };
        current.exhausted = false;
        let version_mask = job.version_mask & register::ROLLABLE;
        let version = job.version & !version_mask;
        let root = merkle::root(job, extranonce.as_bytes());
        let header = header::with_root(job, &root, version, ntime, 0);
        let ticket = self.ticket_for(&work);
        self.send(header, version, version_mask, ticket, Origin::Work(Arc::clone(&work), extranonce), now);
        let gap = self.working.hashing.then_some(frame_time);
        self.working.hashing = true;
        self.working.next = self.up().map(|up| now + up.cadence.renewal);
        if self.working.started != Some(generation) {
            self.working.started = Some(generation);
            self.actions.push(Action::Tell(ThreadEvent::Started { thread: self.index, generation, gap }));
        }
    }

    /// Nothing new to hash before the next second, if at all: chips that went on would only repeat themselves.
    fn exhausted(&mut self, work: &Work, now: Instant) {
        self.stop_hashing(now);
        let job = &work.job;
        let next = job.max_ntime(now).wrapping_sub(job.min_ntime).saturating_add(1);
        let at = job.ntime_origin.checked_add(Duration::from_secs(next.into()));
        self.working.next = at.filter(|at| job.max_ntime(*at) > job.max_ntime(now) && !job.is_expired(*at));
        let Some(current) = &mut self.working.current else { return };
        if !current.exhausted {
            current.exhausted = true;
            let event = ThreadEvent::Exhausted { thread: self.index, generation: work.generation };
            self.actions.push(Action::Tell(event));
        }
    }

    /// The easier of: few enough results, and every hash that is asked for.
    fn ticket_for(&self, work: &Work) -> TicketMask {
        let ChainSpec { results_per_second, gate_bits, .. } = self.spec;
        let few = TicketMask::for_rate(self.nominal_hash_rate(), results_per_second, gate_bits);
        few.min(TicketMask::for_target(work.ticket_target, gate_bits))
    }

    /// Writes a job. A mask of versions is changed before it, everything else after it.
    pub(super) fn send(
        &mut self,
        header: [u8; HEADER_LEN],
        version: u32,
        version_mask: u32,
        ticket: TicketMask,
        origin: Origin,
        now: Instant,
    ) {
        let (spec, working) = (&self.spec, &mut self.working);
        let Phase::Up(up) = &mut self.phase else { return };
        let mut bytes = Vec::with_capacity(layout::LONGEST + 24);
        let command = |bytes: &mut Vec<u8>, register, value| {
            bytes.extend_from_slice(Command::write_all(register, value).encode().as_bytes());
        };
        if up.raised.version_mask != version_mask {
            up.raised.version_mask = version_mask;
            up.cadence = Cadence::of(spec, &up.raised.pll, version_mask, up.raised.baud);
            working.mask_changed = Some(now);
            if spec.model.rolls_versions() {
                command(&mut bytes, register::MIDSTATE_CONFIG, VersionRolling { mask: version_mask }.encode());
            }
        }
        let id = working.slots.next_id();
        match spec.model.constants().job_format {
            JobFormat::Header => bytes.extend_from_slice(&layout::whole(id, &header)),
            JobFormat::Midstates => {
                bytes.extend_from_slice(layout::midstates(id, &header, version_mask, [0; 4]).as_bytes());
            }
        }
        if working.stopped
            && let Some(ticks) = nonce_space::hash_counting_number(spec.model, &up.raised.pll, spec.address_interval)
        {
            // The chips stand still: they must know how far to sweep before they begin.
            let mut first = Vec::with_capacity(bytes.len() + 11);
            command(&mut first, register::HASH_COUNTING_NUMBER, ticks);
            first.append(&mut bytes);
            bytes = first;
            working.stopped = false;
        }
        if up.raised.ticket != ticket {
            up.raised.ticket = ticket;
            command(&mut bytes, register::TICKET_MASK, ticket.encode());
        }
        let [.., n0, n1, n2, n3, _, _, _, _, _, _, _, _] = header;
        let ntime = u32::from_le_bytes([n0, n1, n2, n3]);
        let late_after = up.cadence.late_after();
        working.slots.put(Sent { header, version, version_mask, ntime, ticket, at: now, late_after, origin });
        working.sent_at = Some(now);
        self.actions.push(Action::Write(bytes));
    }
}
