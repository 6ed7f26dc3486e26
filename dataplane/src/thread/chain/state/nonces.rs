//! From a chip's answer back to the header that it stands for, or to the reason why it stands for none (stratum-client 4.5).

use super::{
    Action, Phase, State, Task,
    work::{Origin, Sent},
};
use crate::{
    asic::bm13xx::{
        Model, layout,
        response::{NonceReply, rolled_version},
        ticket::TicketMask,
    },
    job::header::{self, HEADER_LEN},
    thread::{Discard, Nonce, ThreadEvent},
};
use std::{
    collections::{HashMap, VecDeque},
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

/// Results per chip that are remembered to know duplicates.
const REMEMBERED: usize = 4096;
/// A result that comes again so soon was said twice, later it was hashed twice (H8).
const REPEAT: Duration = Duration::from_secs(5);

/// Results that came before.
#[derive(Debug)]
pub(super) struct Filter {
    seen: HashMap<[u8; 16], (Option<u8>, Instant)>,
    order: VecDeque<[u8; 16]>,
    most: usize,
}

impl Filter {
    pub(super) fn new(chips: u8) -> Self {
        Self { seen: HashMap::new(), order: VecDeque::new(), most: REMEMBERED * usize::from(chips.max(1)) }
    }

    /// Remembers a result by its hash. Says who returned it before, and when.
    fn check(&mut self, hash: [u8; 32], chip: Option<u8>, now: Instant) -> Option<(Option<u8>, Instant)> {
        // The last bytes of a good hash are zeros.
        let [key @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] = hash;
        if let Some(before) = self.seen.get(&key) {
            return Some(*before);
        }
        if self.order.len() >= self.most
            && let Some(oldest) = self.order.pop_front()
        {
            self.seen.remove(&oldest);
        }
        self.seen.insert(key, (chip, now));
        self.order.push_back(key);
        None
    }
}

/// Why a header may have been returned twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// Said twice.
    Repeat,
    /// Hashed twice, because new work came too late.
    Overrun,
    /// Hashed by two chips.
    Overlap,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Repeat => "the line or the chip's firmware repeats itself",
            Self::Overrun => "new work comes later than the chips are through with the old",
            Self::Overlap => "chips sweep the same nonces: hash-counting number or addresses overlap",
        })
    }
}

/// What is wrong with a nonce.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wrong {
    Hash,
    Version,
    Job,
}

/// A nonce that is what it should be.
struct Verified {
    version: u32,
    hash: [u8; 32],
    ticket: TicketMask,
}

impl State {
    pub(super) fn nonce(&mut self, reply: NonceReply, now: Instant) {
        let Phase::Up(up) = &self.phase else { return };
        let testing = matches!(up.task, Task::Golden(_));
        if !self.working.is_hashing() && !testing {
            return;
        }
        let chip = reply.chip(self.spec.chips, self.spec.address_interval);
        let (model, gate_bits, ticket) = (self.spec.model, self.spec.gate_bits, up.raised.ticket);
        let mut wrong = Wrong::Job;
        let mut found = None;
        for sent in self.working.slots.get(reply.job_id(model)) {
            match verify(sent, reply, model, ticket, gate_bits) {
                Ok(verified) => {
                    found = Some((sent, verified));
                    break;
                }
                Err(Wrong::Version) if self.working.drains(sent.at, now) => return,
                // The newest that could be meant is the one to judge by.
                Err(reason) if wrong == Wrong::Job => wrong = reason,
                Err(_) => {}
            }
        }
        let Some((sent, Verified { version, hash, ticket })) = found else {
            self.account(now);
            self.statistics.wrong(chip, wrong);
            self.discard(Discard::HardwareError);
            return;
        };
        if let Some((by, at)) = self.filter.check(hash, chip, now) {
            let age = now.saturating_duration_since(sent.at);
            let cause = match now.saturating_duration_since(at) {
                _ if by != chip => Cause::Overlap,
                _ if age > sent.late_after => Cause::Overrun,
                since if since < REPEAT => Cause::Repeat,
                _ => Cause::Overrun,
            };
            self.statistics.duplicate(chip, cause);
            self.discard(Discard::Duplicate);
            return;
        }
        let ticket_target = ticket.ticket_target(gate_bits);
        let event = match &sent.origin {
            Origin::Work(work, extranonce) => Some(ThreadEvent::Nonce(Nonce {
                thread: self.index,
                work: Arc::clone(work),
                extranonce: *extranonce,
                version,
                ntime: sent.ntime,
                nonce: reply.nonce,
                ticket_target,
                found_at: now,
            })),
            Origin::Test => None,
        };
        self.account(now);
        match event {
            Some(event) => {
                self.statistics.verified(chip, ticket_target.expected_hashes(), now);
                self.actions.push(Action::Tell(event));
            }
            None => self.golden_nonce(chip, now),
        }
    }

    fn discard(&mut self, reason: Discard) {
        let Some(work) = self.working.current() else { return };
        let connection = work.job.connection;
        self.actions.push(Action::Tell(ThreadEvent::Discarded { thread: self.index, connection, reason }));
    }
}

/// Whether a nonce is one of this work: with which version, and which ticket it proves. While a mask changes, chips may
/// still go by the one before, so the easier of the two is enough.
fn verify(sent: &Sent, reply: NonceReply, model: Model, ticket: TicketMask, gate_bits: u8) -> Result<Verified, Wrong> {
    let version = match reply.version {
        Some(rolled) => rolled_version(sent.version, sent.version_mask, rolled),
        None => midstate_version(sent, reply.sub_core(model)),
    };
    let version = version.ok_or(Wrong::Version)?;
    let hash = header::hash(&complete(sent.header, version, reply.nonce));
    let passes = |ticket: &TicketMask| ticket.ticket_target(gate_bits).is_met_by(hash);
    let ticket = [sent.ticket, sent.ticket.min(ticket)].into_iter().find(passes).ok_or(Wrong::Hash)?;
    Ok(Verified { version, hash, ticket })
}

/// The version of a midstate, counted as the frame had them.
fn midstate_version(sent: &Sent, midstate: u8) -> Option<u32> {
    let known = usize::from(midstate) < layout::midstate_count(sent.version_mask);
    known.then(|| (0..midstate).fold(sent.version, |version, _| layout::next_version(version, sent.version_mask)))
}

fn complete(mut header: [u8; HEADER_LEN], version: u32, nonce: u32) -> [u8; HEADER_LEN] {
    let [v0, v1, v2, v3, .., n0, n1, n2, n3] = &mut header;
    [*v0, *v1, *v2, *v3] = version.to_le_bytes();
    [*n0, *n1, *n2, *n3] = nonce.to_le_bytes();
    header
}
