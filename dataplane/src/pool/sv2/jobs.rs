//! The jobs of one channel: which are known, which is hashed, which are still good for late shares.
//!
//! Source: stratum-client J1 to J15, T1, X1, U3, U8, D4, D5, D12, D13, D15. Each job keeps the extranonce prefix that was
//! set when it came, and from its activation on the share target that was set then. Jobs are told apart by handle; the
//! pool's own ids may repeat.

mod witness;

use super::{
    limits::Limits,
    message::{NewJob, NewTip},
};
use crate::{
    job::{self, Job, JobHandle},
    trace::TraceParent,
};
use bytes::Bytes;
use mujina_core::{id::ConnectionId, units::ShareTarget};
use std::{collections::VecDeque, time::Instant};

/// What a message changed for those who hash.
#[derive(Debug)]
pub(super) enum Change {
    /// Nothing.
    None,
    /// There is a new job to hash.
    Job(Box<Job>),
    /// What was hashed is void, and nothing takes its place.
    Void,
    /// The job's time is too far ahead of our clock, and it was dropped (D15).
    TooFarAhead {
        /// What was hashed is void with it.
        void: bool,
    },
}

/// What is pinned for all jobs of a channel.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms {
    pub(super) connection: ConnectionId,
    /// Bytes that the miner fills; never changes.
    pub(super) extranonce_size: u8,
    /// Version bits that may be rolled in jobs that allow it; 0 after REQUIRES_FIXED_VERSION (S4).
    pub(super) version_mask: u32,
    pub(super) limits: Limits,
}

/// Now, by the clock that never jumps and, where it can be trusted, by that of the world.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub(super) at: Instant,
    /// Unix seconds.
    pub(super) wall: Option<u32>,
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
    /// Jobs of the tip before, if a block of it is worth something (U8).
    dead: VecDeque<Live>,
    /// The job that is hashed, to be given out again on other terms.
    current: Option<Job>,
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

/// A job that is or was hashed.
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
            dead: VecDeque::new(),
            current: None,
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

    /// The job that is hashed.
    pub(super) fn current(&self) -> Option<&Job> {
        self.current.as_ref()
    }

    /// Since when the pool owes a job for its newest tip (J7).
    pub(super) fn orphaned_at(&self) -> Option<Instant> {
        self.orphaned_at
    }

    /// Whether this is another block to build on than the newest one.
    pub(super) fn moves(&self, message: &NewTip) -> bool {
        !self.tip.is_some_and(|tip| tip.prev_hash == message.prev_hash && tip.nbits == message.nbits)
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
        let fits = prefix.len() + usize::from(self.terms.extranonce_size) <= job::extranonce::MAX_EXTRANONCE;
        if fits {
            self.extranonce_prefix = prefix;
        }
        fits
    }

    /// The pool's id of a job whose shares are still worth sending; those of the tip before only for a block (U8).
    pub(super) fn job_id(&self, handle: JobHandle, block: bool) -> Option<u32> {
        let dead = self.dead.iter().filter(|_| block);
        let mut known = self.active.iter().chain(&self.past).chain(dead);
        known.find(|known| known.handle == handle).map(|known| known.job_id)
    }

    /// Whether a job's tip is gone, so that only its blocks may still be sent.
    pub(super) fn is_dead(&self, handle: JobHandle) -> bool {
        self.dead.iter().any(|dead| dead.handle == handle)
    }

    /// A job came.
    pub(super) fn add(&mut self, message: NewJob, now: Moment) -> Change {
        if message.merkle_path.len() > self.terms.limits.merkle_path || message.size() > self.terms.limits.job_bytes {
            return Change::None;
        }
        let (job_id, min_ntime) = (message.job_id, message.min_ntime);
        let lowest = self.tip.map_or(0, |tip| tip.min_ntime);
        if min_ntime.is_some_and(|min_ntime| self.is_too_far(min_ntime.max(lowest), now)) {
            return Change::TooFarAhead { void: false };
        }
        let template = Template { message, extranonce_prefix: self.extranonce_prefix.clone() };
        match (min_ntime, self.tip) {
            (None, _) => {
                self.keep_for_later(job_id, template);
                Change::None
            }
            (Some(_), None) => {
                self.held = Some(template);
                Change::None
            }
            // Never below the tip's own bound (U3).
            (Some(min_ntime), Some(tip)) => {
                self.retire();
                self.activate(template, tip, min_ntime.max(tip.min_ntime), now.at)
            }
        }
    }

    /// The chain moved. Only the job that is named stays valid (J4); the tip is kept even when that job is unknown (J7).
    pub(super) fn set_tip(&mut self, message: &NewTip, now: Moment) -> Change {
        let NewTip { channel_id: _, job_id, prev_hash, min_ntime, nbits } = *message;
        let same_tip = !self.moves(message);
        let tip = Tip { prev_hash, nbits, min_ntime };
        let before = self.tip.replace(tip);
        let named = self.future.iter().position(|future| future.message.job_id == job_id);
        let named = named.and_then(|at| self.future.remove(at));
        self.future.clear();
        let held = self.held.take();
        if named.is_none() && same_tip && self.active.is_some_and(|active| active.job_id == job_id) {
            // Said again of the job that is hashed: nothing moved.
            self.past.clear();
            return Change::None;
        }
        let was_hashing = self.bury(before.map(|tip| tip.nbits));
        let too_far = self.is_too_far(min_ntime, now);
        match named.or(held).filter(|_| !too_far) {
            Some(template) => {
                let min_ntime = template.message.min_ntime.unwrap_or(min_ntime).max(min_ntime);
                self.activate(template, tip, min_ntime, now.at)
            }
            None => {
                self.orphaned_at = Some(now.at);
                match (too_far, was_hashing) {
                    (true, void) => Change::TooFarAhead { void },
                    (false, true) => Change::Void,
                    (false, false) => Change::None,
                }
            }
        }
    }

    /// Gives the job that is hashed out again, with no other version bits than these. Shares of its old form are late ones.
    pub(super) fn restrict_versions(&mut self, version_mask: u32) -> Change {
        self.terms.version_mask &= version_mask;
        let (Some(current), Some(active)) = (&mut self.current, &mut self.active) else { return Change::None };
        if current.version_mask & !version_mask == 0 {
            return Change::None;
        }
        current.handle = JobHandle::fresh();
        current.version_mask &= version_mask;
        let before = std::mem::replace(&mut active.handle, current.handle);
        let (job, job_id) = (current.clone(), active.job_id);
        self.remember_past(Live { handle: before, job_id });
        Change::Job(Box::new(job))
    }

    /// Version bits that are rolled at most.
    pub(super) fn version_mask(&self) -> u32 {
        self.terms.version_mask
    }

    fn is_too_far(&self, min_ntime: u32, now: Moment) -> bool {
        let latest = |wall: u32| u64::from(wall) + self.terms.limits.future_ntime.as_secs();
        now.wall.is_some_and(|wall| u64::from(min_ntime) > latest(wall))
    }

    fn keep_for_later(&mut self, job_id: u32, template: Template) {
        let limits = self.terms.limits;
        self.future.retain(|future| future.message.job_id != job_id);
        let mut bytes: usize = self.future.iter().map(|future| future.message.size()).sum();
        bytes += template.message.size();
        while self.future.len() >= limits.future_jobs || bytes > limits.job_bytes {
            let Some(oldest) = self.future.pop_front() else { break };
            bytes -= oldest.message.size();
        }
        self.future.push_back(template);
    }

    /// The active job makes room for another of its tip.
    fn retire(&mut self) {
        if let Some(before) = self.active.take() {
            self.remember_past(before);
        }
    }

    fn remember_past(&mut self, job: Live) {
        if self.past.len() >= self.terms.limits.past_jobs {
            self.past.pop_front();
        }
        self.past.push_back(job);
    }

    /// All jobs of the tip are dead; those of a chain that matters are remembered for a block (U8). Whether one was hashed.
    fn bury(&mut self, nbits: Option<u32>) -> bool {
        let was_hashing = self.active.is_some();
        self.retire();
        let was_hard = nbits.and_then(ShareTarget::from_compact).is_some_and(job::is_hard_chain);
        let past = std::mem::take(&mut self.past);
        self.dead = if was_hard { past } else { VecDeque::new() };
        self.current = None;
        was_hashing
    }

    fn activate(&mut self, template: Template, tip: Tip, min_ntime: u32, now: Instant) -> Change {
        let Template { message, extranonce_prefix } = template;
        let handle = JobHandle::fresh();
        self.active = Some(Live { handle, job_id: message.job_id });
        self.orphaned_at = None;
        let rolling = message.version_rolling_allowed;
        let (coinbase_tx_prefix, coinbase_tx_suffix) =
            witness::without_witness(message.coinbase_tx_prefix, message.coinbase_tx_suffix);
        let job = Job {
            handle,
            connection: self.terms.connection,
            label: message.job_id.to_string().into(),
            version: message.version,
            version_mask: if rolling { self.terms.version_mask } else { 0 },
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
            life: self.terms.limits.job_life,
            origin: TraceParent::default(),
            first: false,
        };
        self.current = Some(job.clone());
        Change::Job(Box::new(job))
    }
}
