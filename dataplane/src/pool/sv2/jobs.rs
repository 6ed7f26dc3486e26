//! The jobs of one channel: which are known, which is hashed, which are still good for late shares.
//!
//! Source: stratum-client J1 to J15, T1, X1, U3. Each job keeps the extranonce prefix that was set when it came, and from
//! its activation on the share target that was set then. Jobs are told apart by handle; the pool's own ids may repeat.

use super::message::{NewJob, NewTip};
use crate::{
    job::{BIP320_MASK, Job, JobHandle},
    trace::TraceParent,
};
use bytes::{Bytes, BytesMut};
use mujina_core::{id::ConnectionId, units::ShareTarget};
use std::{collections::VecDeque, time::Instant};

/// Future jobs that are kept (D13); the oldest goes first.
const MAX_FUTURE: usize = 16;
/// Jobs of the current tip that are kept for late shares (D12).
const MAX_PAST: usize = 16;
/// Siblings of the coinbase that are accepted (D4): a full block needs 15.
const MAX_MERKLE_PATH: usize = 32;
/// A witness that holds one item of 32 bytes, as that of every coinbase does.
const COINBASE_WITNESS: usize = 34;
/// The lock time at the end of a transaction.
const LOCK_TIME: usize = 4;

/// What a message changed for those who hash.
#[derive(Debug)]
pub(super) enum Change {
    /// Nothing.
    None,
    /// There is a new job to hash.
    Job(Box<Job>),
    /// What was hashed is void, and nothing takes its place.
    Void,
}

/// What is pinned for all jobs of a channel.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms {
    pub(super) connection: ConnectionId,
    /// Bytes that the miner fills; never changes.
    pub(super) extranonce_size: u8,
    /// Version bits that may be rolled in jobs that allow it; 0 after REQUIRES_FIXED_VERSION (S4).
    pub(super) version_mask: u32,
}

/// The job table.
#[derive(Debug)]
pub(super) struct Jobs {
    terms: Terms,
    extranonce_prefix: Bytes,
    share_target: ShareTarget,
    tip: Option<Tip>,
    /// Since when the tip has no job (J7).
    orphaned_at: Option<Instant>,
    future: VecDeque<Template>,
    /// An immediate job that came before any tip (C9).
    held: Option<Template>,
    active: Option<Live>,
    past: VecDeque<Live>,
}

#[derive(Debug, Clone, Copy)]
struct Tip {
    prev_hash: [u8; 32],
    nbits: u32,
    min_ntime: u32,
}

/// A job that was received, with the prefix of that moment.
#[derive(Debug)]
struct Template {
    message: NewJob,
    extranonce_prefix: Bytes,
}

/// A job that is or was hashed on the current tip.
#[derive(Debug, Clone, Copy)]
struct Live {
    handle: JobHandle,
    job_id: u32,
}

impl Jobs {
    pub(super) fn new(terms: Terms, extranonce_prefix: Bytes, share_target: ShareTarget) -> Self {
        Self {
            terms,
            extranonce_prefix,
            share_target,
            tip: None,
            orphaned_at: None,
            future: VecDeque::new(),
            held: None,
            active: None,
            past: VecDeque::new(),
        }
    }

    pub(super) fn extranonce_size(&self) -> u8 {
        self.terms.extranonce_size
    }

    pub(super) fn extranonce_prefix(&self) -> &Bytes {
        &self.extranonce_prefix
    }

    pub(super) fn share_target(&self) -> ShareTarget {
        self.share_target
    }

    /// Since when the pool owes a job for its newest tip (J7).
    pub(super) fn orphaned_at(&self) -> Option<Instant> {
        self.orphaned_at
    }

    /// Holds for jobs that come later, and for future jobs once they are activated (T1). A target that no hash meets is
    /// no target (T4): `false`.
    pub(super) fn set_share_target(&mut self, share_target: ShareTarget) -> bool {
        let usable = !share_target.is_zero();
        if usable {
            self.share_target = share_target;
        }
        usable
    }

    /// Holds for jobs that come later only (X1). `false` = too long for the channel.
    pub(super) fn set_extranonce_prefix(&mut self, prefix: Bytes) -> bool {
        let fits = prefix.len() + usize::from(self.terms.extranonce_size) <= crate::job::extranonce::MAX_EXTRANONCE;
        if fits {
            self.extranonce_prefix = prefix;
        }
        fits
    }

    /// The pool's id of a job whose shares are still worth sending.
    pub(super) fn job_id(&self, handle: JobHandle) -> Option<u32> {
        let mut live = self.active.iter().chain(&self.past);
        live.find(|live| live.handle == handle).map(|live| live.job_id)
    }

    /// A job came.
    pub(super) fn add(&mut self, message: NewJob, now: Instant) -> Change {
        if message.merkle_path.len() > MAX_MERKLE_PATH {
            return Change::None;
        }
        let (job_id, min_ntime) = (message.job_id, message.min_ntime);
        let template = Template { message, extranonce_prefix: self.extranonce_prefix.clone() };
        match (min_ntime, self.tip) {
            (None, _) => {
                self.future.retain(|future| future.message.job_id != job_id);
                if self.future.len() >= MAX_FUTURE {
                    self.future.pop_front();
                }
                self.future.push_back(template);
                Change::None
            }
            (Some(_), None) => {
                self.held = Some(template);
                Change::None
            }
            // Never below the tip's own bound (U3).
            (Some(min_ntime), Some(tip)) => {
                if let Some(before) = self.active.take() {
                    if self.past.len() >= MAX_PAST {
                        self.past.pop_front();
                    }
                    self.past.push_back(before);
                }
                self.activate(template, tip, min_ntime.max(tip.min_ntime), now)
            }
        }
    }

    /// The chain moved. Only the job that is named stays valid (J4); the tip is kept even when that job is unknown (J7).
    pub(super) fn set_tip(&mut self, message: &NewTip, now: Instant) -> Change {
        let NewTip { channel_id: _, job_id, prev_hash, min_ntime, nbits } = *message;
        let same_tip = self.tip.is_some_and(|tip| tip.prev_hash == prev_hash && tip.nbits == nbits);
        let tip = Tip { prev_hash, nbits, min_ntime };
        self.tip = Some(tip);
        let named = self.future.iter().position(|future| future.message.job_id == job_id);
        let named = named.and_then(|at| self.future.remove(at));
        self.future.clear();
        self.past.clear();
        let held = self.held.take();
        if named.is_none() && same_tip && self.active.is_some_and(|active| active.job_id == job_id) {
            // Said again of the job that is hashed: nothing moved.
            return Change::None;
        }
        match named.or(held) {
            Some(template) => {
                let min_ntime = template.message.min_ntime.unwrap_or(min_ntime).max(min_ntime);
                self.activate(template, tip, min_ntime, now)
            }
            None => {
                self.orphaned_at = Some(now);
                self.active.take().map_or(Change::None, |_| Change::Void)
            }
        }
    }

    fn activate(&mut self, template: Template, tip: Tip, min_ntime: u32, now: Instant) -> Change {
        let Template { message, extranonce_prefix } = template;
        let handle = JobHandle::fresh();
        self.active = Some(Live { handle, job_id: message.job_id });
        self.orphaned_at = None;
        let rolling = message.version_rolling_allowed;
        let (coinbase_tx_prefix, coinbase_tx_suffix) =
            without_witness(message.coinbase_tx_prefix, message.coinbase_tx_suffix);
        Change::Job(Box::new(Job {
            handle,
            connection: self.terms.connection,
            label: message.job_id.to_string().into(),
            version: message.version,
            version_mask: if rolling { self.terms.version_mask & BIP320_MASK } else { 0 },
            prev_hash: tip.prev_hash,
            nbits: tip.nbits,
            min_ntime,
            ntime_origin: now,
            coinbase_tx_prefix,
            coinbase_tx_suffix,
            extranonce_prefix,
            extranonce_size: self.terms.extranonce_size,
            merkle_path: message.merkle_path,
            share_target: self.share_target,
            // A malformed network target is one that no hash meets (D25).
            network_target: ShareTarget::from_compact(tip.nbits).unwrap_or(ShareTarget::from_be_bytes([0; 32])),
            received_at: now,
            origin: TraceParent::default(),
            first: false,
        }))
    }
}

/// Takes marker, flag and witness out of a coinbase, for pools that forgot to (J10): a transaction has inputs, so a zero
/// in place of their count is the marker.
fn without_witness(prefix: Bytes, suffix: Bytes) -> (Bytes, Bytes) {
    let (Some([0, 1]), Some((head, tail))) =
        (prefix.get(4..6), suffix.split_last_chunk::<{ COINBASE_WITNESS + LOCK_TIME }>())
    else {
        return (prefix, suffix);
    };
    let [1, 32, ..] = *tail else { return (prefix, suffix) };
    let lock_time = tail.get(COINBASE_WITNESS..).unwrap_or_default();
    let join = |a: &[u8], b: &[u8]| {
        let mut both = BytesMut::with_capacity(a.len() + b.len());
        both.extend_from_slice(a);
        both.extend_from_slice(b);
        both.freeze()
    };
    let version = prefix.get(..4).unwrap_or_default();
    (join(version, prefix.get(6..).unwrap_or_default()), join(head, lock_time))
}
