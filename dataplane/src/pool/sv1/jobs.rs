//! The jobs of one connection: which is hashed, which are still good for late shares, and what each was given with.
//!
//! Source: stratum-client V8, V9, V11, V12, V16, V18, V22, D4, D15, T5. A job keeps the extranonce and the share target
//! that were set when it came. Jobs are told apart by handle: the pool's own ids may repeat.

use super::message::{Notify, Submit, Subscription};
use crate::{
    job::{BIP320_MASK, Job, JobHandle, JobLife, extranonce::MAX_EXTRANONCE},
    pool::ShareSubmission,
    trace::TraceParent,
};
use bytes::{BufMut, Bytes, BytesMut};
use mujina_core::{
    id::ConnectionId,
    text::{PEER_TEXT_BYTES, sanitise},
    units::{Difficulty, ShareTarget},
};
use serde_json::Value;
use std::{collections::VecDeque, sync::Arc, time::Instant};

/// Old jobs that are kept, for late shares and late blocks (V11, D12).
const MAX_PAST: usize = 16;
/// Siblings of the coinbase that are accepted (D4): a full block needs 15.
const MAX_MERKLE_PATH: usize = 32;
/// Most bytes that hash threads fill (C5); the rest of a larger extranonce2 stays as it is, so that its size may change.
const MAX_FILLED: u8 = 4;
/// How far a job's ntime may lie ahead of the clock, in seconds (D15).
const MAX_AHEAD: u64 = 7200;
/// A clock before this, 2025 in Unix seconds, was never set and says nothing (SEC5).
const PLAUSIBLE: u64 = 1_735_689_600;
/// Refusals for low difficulty after which a pool is taken to apply difficulties at once (T5).
const LOW_REFUSALS: u32 = 3;
/// Network difficulty from which on a late block is worth sending (U8).
const HARD_CHAIN: f64 = 1e6;

/// What a message changed for those who hash.
#[derive(Debug)]
pub(super) enum Change {
    /// Nothing.
    None,
    /// There is a new job to hash.
    Job(Box<Job>),
    /// The job cannot be hashed; `void` = what was hashed before neither.
    Unusable { why: &'static str, void: bool },
}

/// The job table.
#[derive(Debug)]
pub(super) struct Jobs {
    connection: ConnectionId,
    /// In front of what threads fill, where the pool grants more than they need (C7).
    filler: Bytes,
    /// Bytes that threads fill; never changes.
    filled: u8,
    extranonce: Extranonce,
    share_target: ShareTarget,
    version_mask: u32,
    active: Option<Live>,
    past: VecDeque<Live>,
}

/// What stands between the halves of a coinbase.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Extranonce {
    /// extranonce1, and the filler behind it.
    prefix: Bytes,
    extranonce1: Bytes,
    /// Bytes of extranonce2 that threads do not fill.
    filler: Bytes,
}

/// A job that is or was hashed.
#[derive(Debug, Clone)]
struct Live {
    handle: JobHandle,
    notify: Arc<Notify>,
    extranonce: Extranonce,
    share_target: ShareTarget,
    version_mask: u32,
    received_at: Instant,
    /// Its shares are stale.
    void: bool,
    /// Refusals for low difficulty of shares that met its own target.
    low_refusals: u32,
}

impl Jobs {
    /// Checks what was granted; `Err` says what is wrong with it. `filler` is random, new for every connection.
    pub(super) fn new(connection: ConnectionId, granted: &Subscription, filler: Bytes) -> Result<Self, String> {
        let filled = granted.size.min(MAX_FILLED);
        if filled == 0 {
            return Err("no bytes of extranonce2, so that threads cannot share the work".into());
        }
        let mut jobs = Self {
            connection,
            filler,
            filled,
            extranonce: Extranonce { prefix: Bytes::new(), extranonce1: Bytes::new(), filler: Bytes::new() },
            share_target: Difficulty::try_from(1.0).unwrap_or_default().share_target(),
            version_mask: 0,
            active: None,
            past: VecDeque::new(),
        };
        jobs.set_extranonce(granted.extranonce1.clone(), granted.size)?;
        Ok(jobs)
    }

    /// Bytes that threads fill.
    pub(super) fn filled(&self) -> u8 {
        self.filled
    }

    /// extranonce1 and the size of extranonce2, for the next job.
    pub(super) fn granted(&self) -> (&Bytes, u8) {
        (&self.extranonce.extranonce1, self.size())
    }

    pub(super) fn share_target(&self) -> ShareTarget {
        self.share_target
    }

    fn size(&self) -> u8 {
        u8::try_from(self.extranonce.filler.len()).unwrap_or(u8::MAX).saturating_add(self.filled)
    }

    /// Holds for jobs that come later only (V12).
    pub(super) fn set_extranonce(&mut self, extranonce1: Bytes, size: u8) -> Result<(), String> {
        if extranonce1.len() + usize::from(size) > MAX_EXTRANONCE {
            return Err(format!("{size} bytes of extranonce2 behind {}", extranonce1.len()));
        }
        let unfilled = size.checked_sub(self.filled).map(usize::from);
        let unfilled = unfilled.ok_or(format!("{size} bytes of extranonce2, fewer than before"))?;
        let filler = self.filler.get(..unfilled).map(|filler| self.filler.slice_ref(filler));
        let filler = filler.ok_or(format!("{size} bytes of extranonce2"))?;
        let mut prefix = BytesMut::with_capacity(extranonce1.len() + filler.len());
        prefix.put_slice(&extranonce1);
        prefix.put_slice(&filler);
        self.extranonce = Extranonce { prefix: prefix.freeze(), extranonce1, filler };
        Ok(())
    }

    /// As [`Self::set_extranonce`], with the size as before where none is said.
    pub(super) fn change_extranonce(&mut self, extranonce1: Bytes, size: Option<u8>) -> Result<(), String> {
        self.set_extranonce(extranonce1, size.unwrap_or(self.size()))
    }

    /// Holds for jobs that come later only (V9).
    pub(super) fn set_difficulty(&mut self, difficulty: Difficulty) {
        self.share_target = difficulty.share_target();
    }

    /// Holds at once: the job that is hashed is given again with it (V8).
    pub(super) fn set_version_mask(&mut self, mask: u32) -> Change {
        let mask = mask & BIP320_MASK;
        if std::mem::replace(&mut self.version_mask, mask) == mask {
            return Change::None;
        }
        let Some(active) = self.active.clone() else { return Change::None };
        self.activate(Live { handle: JobHandle::fresh(), version_mask: mask, ..active })
    }

    /// A job came. `wall` is the clock in Unix seconds.
    pub(super) fn add(&mut self, notify: Notify, wall: u64, now: Instant) -> Change {
        let flush = notify.clean_jobs || !self.active.as_ref().is_some_and(|live| live.notify.has_tip_of(&notify));
        if let Some(why) = unusable(&notify, wall) {
            let void = flush && self.active.is_some();
            if void {
                self.retire_active();
                self.void_where(|_| true);
            }
            return Change::Unusable { why, void };
        }
        let said_again =
            self.active.take_if(|live| live.notify.has_content_of(&notify) && live.notify.job_id == notify.job_id);
        if let Some(active) = said_again {
            if flush {
                self.void_where(|_| true);
            }
            return self.refresh(active);
        }
        self.retire_active();
        // The pool knows a name for one job only (V11).
        self.void_where(|live| flush || (live.notify.job_id == notify.job_id && !live.notify.has_content_of(&notify)));
        self.activate(Live {
            handle: JobHandle::fresh(),
            notify: Arc::new(notify),
            extranonce: self.extranonce.clone(),
            share_target: self.share_target,
            version_mask: self.version_mask,
            received_at: now,
            void: false,
            low_refusals: 0,
        })
    }

    /// The job that is hashed was said again: only what it is given with may have changed (V11).
    fn refresh(&mut self, active: Live) -> Change {
        let same = active.share_target == self.share_target && active.extranonce == self.extranonce;
        if same {
            self.active = Some(active);
            return Change::None;
        }
        let Self { share_target, extranonce, .. } = self;
        let fresh = Live {
            handle: JobHandle::fresh(),
            share_target: *share_target,
            extranonce: extranonce.clone(),
            low_refusals: 0,
            ..active.clone()
        };
        // Under its name the pool knows one extranonce, and it is the new one.
        let void = active.extranonce != fresh.extranonce;
        self.active = Some(Live { void, ..active });
        self.activate(fresh)
    }

    /// A share of this job was refused as too easy although it met the job's target. A pool that does so again and again
    /// applies difficulties at once, so the harder of both is used until the next job (T5).
    pub(super) fn refused_as_low(&mut self, handle: JobHandle) -> Change {
        let harder = self.share_target;
        let is_easier = |live: &&mut Live| live.handle == handle && live.share_target > harder;
        let Some(active) = self.active.as_mut().filter(is_easier) else { return Change::None };
        active.low_refusals += 1;
        if active.low_refusals < LOW_REFUSALS {
            return Change::None;
        }
        let again = Live { handle: JobHandle::fresh(), share_target: harder, low_refusals: 0, ..active.clone() };
        self.activate(again)
    }

    /// Whether the share is still worth sending: its job is live, or it may be a block on the tip before (U8).
    pub(super) fn is_live(&self, share: &ShareSubmission) -> bool {
        self.find(share).is_some()
    }

    /// Whether a share of a live job has the form that the pool expects (V5).
    pub(super) fn fits(&self, share: &ShareSubmission) -> bool {
        share.extranonce.as_bytes().len() == usize::from(self.filled)
    }

    /// What to send for a share; `None` when its job is no longer good, or the pool has since forbidden its version (V8).
    pub(super) fn submit(&self, share: &ShareSubmission, id: u64, user: &str) -> Option<Submit> {
        let live = self.find(share)?;
        let mask = self.version_mask;
        if (share.version ^ live.notify.version) & !mask != 0 {
            return None;
        }
        let mut extranonce2 = BytesMut::with_capacity(live.extranonce.filler.len() + usize::from(self.filled));
        extranonce2.put_slice(&live.extranonce.filler);
        extranonce2.put_slice(share.extranonce.as_bytes());
        Some(Submit {
            id,
            user: user.to_owned(),
            job_id: live.notify.job_id.clone(),
            extranonce2: extranonce2.freeze(),
            ntime: share.ntime,
            nonce: share.nonce,
            version_bits: (mask != 0).then_some(share.version & mask),
        })
    }

    fn find(&self, share: &ShareSubmission) -> Option<&Live> {
        let mut known = self.active.iter().chain(&self.past);
        known.find(|live| live.handle == share.job && (!live.void || (share.block && live.is_on_a_hard_chain())))
    }

    fn retire_active(&mut self) {
        if let Some(before) = self.active.take() {
            if self.past.len() >= MAX_PAST {
                self.past.pop_front();
            }
            self.past.push_back(before);
        }
    }

    fn void_where(&mut self, is_void: impl Fn(&Live) -> bool) {
        for live in &mut self.past {
            live.void |= is_void(live);
        }
    }

    fn activate(&mut self, live: Live) -> Change {
        self.retire_active();
        let job = live.job(self.connection, self.filled);
        self.active = Some(live);
        Change::Job(Box::new(job))
    }
}

impl Live {
    fn job(&self, connection: ConnectionId, filled: u8) -> Job {
        let Notify {
            job_id,
            prev_hash,
            coinbase_tx_prefix,
            coinbase_tx_suffix,
            merkle_path,
            version,
            nbits,
            ntime,
            clean_jobs: _,
        } = &*self.notify;
        Job {
            handle: self.handle,
            connection,
            label: label(job_id).into(),
            version: *version,
            // Bits that the pool has set stay set: then both ways to rebuild the version give what was hashed (V16).
            version_mask: self.version_mask & !version,
            prev_hash: *prev_hash,
            nbits: *nbits,
            min_ntime: *ntime,
            ntime_origin: self.received_at,
            coinbase_tx_prefix: coinbase_tx_prefix.clone(),
            coinbase_tx_suffix: coinbase_tx_suffix.clone(),
            extranonce_prefix: self.extranonce.prefix.clone(),
            extranonce_size: filled,
            merkle_path: merkle_path.clone(),
            share_target: self.share_target,
            network_target: network_target(*nbits),
            received_at: self.received_at,
            life: JobLife::default(),
            origin: TraceParent::default(),
            first: false,
        }
    }

    fn is_on_a_hard_chain(&self) -> bool {
        network_target(self.notify.nbits).difficulty().as_f64() >= HARD_CHAIN
    }
}

/// A malformed network target is one that no hash meets (D25).
fn network_target(nbits: u32) -> ShareTarget {
    ShareTarget::from_compact(nbits).unwrap_or(ShareTarget::from_be_bytes([0; 32]))
}

/// Why a job cannot be hashed, if so.
fn unusable(notify: &Notify, wall: u64) -> Option<&'static str> {
    if notify.merkle_path.len() > MAX_MERKLE_PATH {
        return Some("more merkle branches than a block can need");
    }
    (wall >= PLAUSIBLE && u64::from(notify.ntime) > wall + MAX_AHEAD).then_some("an ntime far ahead of the clock")
}

/// A job id as people see it.
fn label(job_id: &Value) -> String {
    match job_id {
        Value::String(text) => sanitise(text, PEER_TEXT_BYTES),
        other => other.to_string(),
    }
}
