//! The open channel of a session: its jobs, its pending shares, and what it watches for.
//!
//! Source: stratum-client C6, U1, U8, T5, A6, J14, L3. `traffic` has what the pool says to it.

use super::{
    Profile, due::Due, gate::JobGate, rejects::RejectWatch, target_guard::TargetGuard, tips::TipWatch, traffic,
};
use crate::{
    job::{JobHandle, extranonce::MAX_EXTRANONCE},
    pool::{
        ConnectionEvent, ShareSubmission,
        sv2::{
            jobs::{Jobs, Terms},
            limits::Limits,
            message::{OpenSuccess, Share},
            pending::Pending,
        },
    },
};
use mujina_core::share::DropReason;
use std::{sync::Arc, time::Instant};
use tracing::info;

/// A channel from its opening to its end.
#[derive(Debug)]
pub(super) struct Channel {
    pub(super) id: u32,
    pub(super) group: u32,
    pub(super) jobs: Jobs,
    pub(super) pending: Pending,
    pub(super) gate: JobGate,
    pub(super) rejects: RejectWatch,
    pub(super) guard: TargetGuard,
    pub(super) tips: TipWatch,
    opened_at: Instant,
    pub(super) last_job_at: Option<Instant>,
    /// Jobs in a row that were ahead of the clock (D15).
    pub(super) too_far_ahead: u32,
    /// Since when jobs forbid to roll versions (D17).
    pub(super) fixed_since: Option<Instant>,
    /// The old job that was warned of (L3).
    pub(super) warned_of: Option<JobHandle>,
    /// By when it must be closed.
    close_by: Option<Instant>,
}

impl Channel {
    /// Checks what was granted (C6); `Err` says what is wrong with it.
    pub(super) fn new(
        success: OpenSuccess,
        profile: &Profile,
        fixed_version: bool,
        limits: Limits,
        now: Instant,
    ) -> Result<Self, String> {
        let OpenSuccess {
            request_id: _,
            channel_id,
            share_target,
            extranonce_size,
            extranonce_prefix,
            group_channel_id,
        } = success;
        let extranonce_size = match u8::try_from(extranonce_size) {
            Ok(size @ 1..=32) => size,
            _ => return Err(format!("{extranonce_size} bytes of extranonce")),
        };
        if extranonce_prefix.len() + usize::from(extranonce_size) > MAX_EXTRANONCE {
            return Err(format!("{extranonce_size} bytes of extranonce behind {}", extranonce_prefix.len()));
        }
        if share_target.is_zero() {
            return Err("a target that no hash meets".into());
        }
        if channel_id == group_channel_id {
            return Err("a channel that is its own group".into());
        }
        let version_mask = if fixed_version { 0 } else { profile.version_mask };
        let terms = Terms { connection: profile.connection, extranonce_size, version_mask, limits };
        Ok(Self {
            id: channel_id,
            group: group_channel_id,
            jobs: Jobs::new(terms, extranonce_prefix, share_target),
            pending: Pending::new(1, limits.pending_shares, limits.verdict),
            gate: JobGate::new(limits.job_rate, now),
            rejects: RejectWatch::new(limits.unknown_jobs),
            guard: TargetGuard::default(),
            tips: TipWatch::new(limits.many_tips, limits.tip_flood),
            opened_at: now,
            last_job_at: None,
            too_far_ahead: 0,
            fixed_since: None,
            warned_of: None,
            close_by: None,
        })
    }

    pub(super) fn extranonce_size(&self) -> u8 {
        self.jobs.extranonce_size()
    }

    /// Answers to shares that made no sense (A4, D19).
    pub(super) fn implausible(&self) -> u64 {
        self.pending.implausible()
    }

    pub(super) fn is_closing(&self) -> bool {
        self.close_by.is_some()
    }

    pub(super) fn close_by(&mut self, deadline: Instant) {
        self.close_by.get_or_insert(deadline);
    }

    /// Whether a message to this channel or group is for us (J6).
    pub(super) fn hears(&self, id: u32) -> bool {
        id == self.id || id == self.group
    }

    /// Whether the share may still be sent: its job is good, or it is a block of the tip before (U8).
    pub(super) fn is_live(&self, share: &ShareSubmission) -> bool {
        self.jobs.job_id(share.job, share.block).is_some()
    }

    /// Why a share of a live job cannot be sent all the same (U1, T5).
    pub(super) fn refusal(&self, share: &ShareSubmission) -> Option<DropReason> {
        let fits = share.extranonce.as_bytes().len() == usize::from(self.extranonce_size());
        let held_back = !share.block && self.guard.holds_back(share.job, share.hash, self.jobs.share_target());
        match (fits, held_back) {
            (false, _) => Some(DropReason::HardwareError),
            (true, true) => Some(DropReason::BelowTarget),
            (true, false) => None,
        }
    }

    /// The message for a share, which is pending from now on; `None` when its job is no longer good.
    pub(super) fn submit(
        &mut self,
        share: &ShareSubmission,
        worker: Option<Arc<str>>,
        now: Instant,
        events: &mut Vec<ConnectionEvent>,
    ) -> Option<Share> {
        let job_id = self.jobs.job_id(share.job, share.block)?;
        if self.jobs.is_dead(share.job) {
            info!(share.id = %share.id, "stale block candidate is sent all the same");
        }
        let sequence_number = self.pending.push(share, now, events);
        self.guard.sent(sequence_number, share.job, share.hash);
        Some(Share {
            channel_id: self.id,
            sequence_number,
            job_id,
            nonce: share.nonce,
            ntime: share.ntime,
            version: share.version,
            extranonce: share.extranonce,
            worker,
        })
    }

    pub(super) fn lose(&mut self, now: Instant, events: &mut Vec<ConnectionEvent>) {
        self.pending.lose(now, events);
    }

    /// Its deadlines, one after the other.
    pub(super) fn due(
        &self,
        limits: &Limits,
        needs_rolling: bool,
        queue_is_empty: bool,
        mut each: impl FnMut(Instant, Due),
    ) {
        if let Some(at) = self.pending.deadline() {
            each(at, Due::Verdicts);
        }
        if let Some(by) = self.close_by {
            let drained = queue_is_empty && self.pending.is_empty();
            return each(if drained { self.opened_at } else { by }, Due::Drained);
        }
        if let Some(at) = self.gate.deadline() {
            each(at, Due::WaitingJob);
        }
        if let Some(at) = self.jobs.orphaned_at() {
            each(at + limits.orphan_tip, Due::JobForTip);
        }
        if let Some(since) = self.fixed_since.filter(|_| needs_rolling) {
            each(since + limits.fixed_version, Due::RolledVersion);
        }
        match self.last_job_at {
            None => each(self.opened_at + limits.first_job, Due::FirstJob),
            Some(at) => {
                each(at + limits.same_job.min(limits.job_life.max_age), Due::NewJob);
                if traffic::may_warn_of_old_job(self) {
                    each(at + limits.old_job, Due::OldJob);
                }
            }
        }
    }
}
