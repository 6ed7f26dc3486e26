//! Decides what becomes of a nonce before anything is sent (stratum-client 4.5): pure, one verifier per connection.
//!
//! In order: version bits, header hash, ticket target, stale, share target (or block), duplicate, ntime window, flood cap.
//! The first that fails names the outcome.

use super::limits::Limits;
use crate::{
    job::{self, Job, header},
    thread::Nonce,
    token_bucket::TokenBucket,
};
use mujina_core::share::DropReason;
use std::{
    collections::{HashSet, VecDeque},
    time::Instant,
};

/// A nonce with its outcome.
#[derive(Debug, Clone, Copy)]
pub(super) struct Checked {
    /// The header that was hashed. Zeros for a version that cannot be.
    pub(super) header: [u8; header::HEADER_LEN],
    /// Its hash, internal byte order.
    pub(super) hash: [u8; 32],
    /// Whether it proves hashing: it met its ticket target and was not counted before.
    pub(super) proves_work: bool,
    /// What follows.
    pub(super) fate: Fate,
}

/// What is to be done with a nonce.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// Count it.
    Drop(DropReason),
    /// Send it.
    Submit {
        /// It meets the network target.
        block: bool,
        /// It is a block on a tip that is no longer the pool's: may still win (stratum-client U8).
        late: bool,
    },
}

/// What a connection remembers of its shares.
#[derive(Debug)]
pub(super) struct Verifier {
    tip: Option<[u8; 32]>,
    shares: Seen,
    /// Nonces that are no shares, so that a repeated one does not count twice as work.
    others: Seen,
    flood: TokenBucket,
}

impl Verifier {
    pub(super) fn new(limits: &Limits, now: Instant) -> Self {
        let flood = TokenBucket::new(limits.share_rate, limits.share_burst, now);
        let seen = || Seen { capacity: limits.seen_hashes, set: HashSet::new(), order: VecDeque::new() };
        Self { tip: None, shares: seen(), others: seen(), flood }
    }

    /// Learns of the connection's newest job. Hashes are forgotten only when the previous block is another.
    pub(super) fn job(&mut self, job: &Job) {
        if self.tip != Some(job.prev_hash) {
            self.tip = Some(job.prev_hash);
            self.shares.clear();
        }
    }

    /// Checks a nonce of this connection, whose newest job is `current`; `None` = its jobs are void.
    pub(super) fn check(&mut self, nonce: &Nonce, current: Option<&Job>, now: Instant) -> Checked {
        let job = &*nonce.work.job;
        let Some((header, hash)) = examine(nonce) else { return Checked::faulty() };
        if !nonce.ticket_target.is_met_by(hash) {
            return Checked { header, hash, ..Checked::faulty() };
        }
        let drop = |reason, proves_work| Checked { header, hash, proves_work, fate: Fate::Drop(reason) };
        let block = job.is_block(hash);
        let late = !current.is_some_and(|current| job.shares_tip_with(current));
        if late && !(block && job::is_hard_chain(job.network_target)) {
            return drop(DropReason::Stale, self.others.insert(hash));
        }
        if !block && !job.share_target.is_met_by(hash) {
            return drop(DropReason::BelowTarget, self.others.insert(hash));
        }
        if !self.shares.insert(hash) {
            return drop(DropReason::Duplicate, false);
        }
        if nonce.ntime < job.min_ntime || nonce.ntime > job.max_ntime(now) {
            return drop(DropReason::OutOfWindow, true);
        }
        if !block && !self.flood.take(now) {
            return drop(DropReason::Suppressed, true);
        }
        Checked { header, hash, proves_work: true, fate: Fate::Submit { block, late } }
    }
}

impl Checked {
    fn faulty() -> Self {
        let fate = Fate::Drop(DropReason::HardwareError);
        Self { header: [0; header::HEADER_LEN], hash: [0xff; 32], proves_work: false, fate }
    }
}

/// Checks a nonce whose connection is gone: it is stale, or a hardware error all the same.
pub(super) fn check_orphan(nonce: &Nonce) -> Checked {
    match examine(nonce) {
        Some((header, hash)) if nonce.ticket_target.is_met_by(hash) => {
            Checked { header, hash, proves_work: false, fate: Fate::Drop(DropReason::Stale) }
        }
        Some((header, hash)) => Checked { header, hash, ..Checked::faulty() },
        None => Checked::faulty(),
    }
}

/// Whether a hash is a block on a real chain: if its pool does not take it, worth a line in the log, so that a person may
/// rescue it (stratum-client L5).
pub(super) fn is_lost_block(job: &Job, hash: [u8; 32]) -> bool {
    job.network_target.is_met_by(hash) && job::is_hard_chain(job.network_target)
}

/// Header and hash; `None` when the version has bits that may not be rolled.
fn examine(nonce: &Nonce) -> Option<([u8; header::HEADER_LEN], [u8; 32])> {
    let job = &*nonce.work.job;
    if !job.allows_version(nonce.version) {
        return None;
    }
    let header = header::assemble(job, nonce.extranonce.as_bytes(), nonce.version, nonce.ntime, nonce.nonce);
    Some((header, header::hash(&header)))
}

/// The newest hashes of something; the oldest goes first.
#[derive(Debug)]
struct Seen {
    capacity: usize,
    set: HashSet<[u8; 32]>,
    order: VecDeque<[u8; 32]>,
}

impl Seen {
    /// Whether it is new.
    fn insert(&mut self, hash: [u8; 32]) -> bool {
        if !self.set.insert(hash) {
            return false;
        }
        self.order.push_back(hash);
        if self.order.len() > self.capacity
            && let Some(oldest) = self.order.pop_front()
        {
            self.set.remove(&oldest);
        }
        true
    }

    fn clear(&mut self) {
        self.set.clear();
        self.order.clear();
    }
}

#[cfg(test)]
mod tests;
