//! The open channel of a session: its messages, its jobs, its pending shares.
//!
//! Source: stratum-client C6, J1 to J15, X1 to X3, T1 to T4, A1 to A4, G2 to G5, R8.

use super::{Action, Failure, Profile, Session, Stage, due::Due};
use crate::{
    job::{BIP320_MASK, extranonce::MAX_EXTRANONCE},
    pool::{
        ConnectionEvent, ShareSubmission,
        sv2::{
            jobs::{Change, Jobs, Terms},
            limits::Limits,
            message::{Incoming, OpenSuccess, Share},
            pending::Pending,
        },
    },
};
use mujina_core::share::{DropReason, RejectReason};
use std::time::Instant;
use tracing::debug;

/// A channel from its opening to its end.
#[derive(Debug)]
pub(super) struct Channel {
    id: u32,
    group: u32,
    jobs: Jobs,
    pending: Pending,
    opened_at: Instant,
    last_job_at: Option<Instant>,
    /// By when it must be closed.
    close_by: Option<Instant>,
}

impl Channel {
    /// Checks what was granted (C6); `Err` says what is wrong with it.
    pub(super) fn new(
        success: OpenSuccess,
        profile: &Profile,
        fixed_version: bool,
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
        let version_mask = if fixed_version { 0 } else { BIP320_MASK };
        let terms = Terms { connection: profile.connection, extranonce_size, version_mask };
        Ok(Self {
            id: channel_id,
            group: group_channel_id,
            jobs: Jobs::new(terms, extranonce_prefix, share_target),
            pending: Pending::new(1),
            opened_at: now,
            last_job_at: None,
            close_by: None,
        })
    }

    pub(super) fn id(&self) -> u32 {
        self.id
    }

    pub(super) fn extranonce_size(&self) -> u8 {
        self.jobs.extranonce_size()
    }

    pub(super) fn has_pending(&self) -> bool {
        !self.pending.is_empty()
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

    /// Whether the share's job is still good.
    pub(super) fn is_live(&self, share: &ShareSubmission) -> bool {
        self.jobs.job_id(share.job).is_some()
    }

    /// Why a share of a live job cannot be sent all the same (U1).
    pub(super) fn refusal(&self, share: &ShareSubmission) -> Option<DropReason> {
        let fits = share.extranonce.as_bytes().len() == usize::from(self.extranonce_size());
        (!fits).then_some(DropReason::HardwareError)
    }

    /// The message for a share, which is pending from now on; `None` when its job is no longer good.
    pub(super) fn submit(
        &mut self,
        share: &ShareSubmission,
        now: Instant,
        events: &mut Vec<ConnectionEvent>,
    ) -> Option<Share> {
        let job_id = self.jobs.job_id(share.job)?;
        Some(Share {
            channel_id: self.id,
            sequence_number: self.pending.push(share, now, events),
            job_id,
            nonce: share.nonce,
            ntime: share.ntime,
            version: share.version,
            extranonce: share.extranonce.as_bytes().to_vec(),
        })
    }

    pub(super) fn lose(&mut self, now: Instant, events: &mut Vec<ConnectionEvent>) {
        self.pending.lose(now, events);
    }

    /// Its deadlines.
    pub(super) fn due(&self, limits: &Limits, queue_is_empty: bool) -> Vec<(Instant, Due)> {
        let mut due = Vec::new();
        due.extend(self.pending.deadline().map(|at| (at, Due::Verdicts)));
        if let Some(by) = self.close_by {
            let drained = queue_is_empty && self.pending.is_empty();
            due.push((if drained { self.opened_at } else { by }, Due::Drained));
            return due;
        }
        due.extend(self.jobs.orphaned_at().map(|at| (at + limits.orphan_tip, Due::JobForTip)));
        due.push(match self.last_job_at {
            None => (self.opened_at + limits.first_job, Due::FirstJob),
            Some(at) => (at + limits.same_job, Due::NewJob),
        });
        due
    }

    /// Whether a message to this channel or group is for us (J6).
    fn hears(&self, id: u32) -> bool {
        id == self.id || id == self.group
    }
}

impl Session {
    /// A message while the channel is open.
    pub(super) fn channel_message(&mut self, message: Incoming, now: Instant) {
        let Stage::Open(channel) = &mut self.stage else { return };
        match message {
            Incoming::NewJob(job) if channel.hears(job.channel_id) => {
                let change = channel.jobs.add(job, now);
                self.apply(change, now);
            }
            Incoming::NewTip(tip) if channel.hears(tip.channel_id) => {
                let change = channel.jobs.set_tip(&tip, now);
                self.drop_stale();
                self.apply(change, now);
            }
            Incoming::SetTarget { channel_id, share_target } if channel.hears(channel_id) => {
                if channel.jobs.set_share_target(share_target) {
                    self.tell_facts();
                } else {
                    debug!("share target of zero ignored");
                }
            }
            // Never to a group (X3).
            Incoming::SetExtranoncePrefix { channel_id, prefix } if channel_id == channel.id => {
                let len = prefix.len();
                if channel.jobs.set_extranonce_prefix(prefix) {
                    self.tell_facts();
                } else {
                    self.violation(&format!("an extranonce prefix of {len} bytes, too long for the channel"), now);
                }
            }
            Incoming::SetGroupChannel { group_channel_id, channel_ids } if channel_ids.contains(&channel.id) => {
                if group_channel_id == channel.id {
                    self.violation("a group with the id of our channel", now);
                } else {
                    channel.group = group_channel_id;
                    self.tell_facts();
                }
            }
            Incoming::SharesAccepted { channel_id, last_sequence_number, count } if channel_id == channel.id => {
                let mut events = Vec::new();
                channel.pending.count(last_sequence_number, count, now, &mut events);
                self.tell(events);
            }
            Incoming::ShareRefused { channel_id, sequence_number, code } if channel_id == channel.id => {
                debug!(sequence_number, code, "share refused by the pool");
                let mut events = Vec::new();
                channel.pending.refuse(sequence_number, RejectReason::from_sv2_code(&code), now, &mut events);
                self.tell(events);
            }
            Incoming::UpdateRefused { channel_id, code } if channel_id == channel.id => {
                debug!(code, "hash rate refused by the pool; the channel stays as it is");
            }
            Incoming::CloseChannel { channel_id, reason } if channel.hears(channel_id) => {
                self.channel_closed(reason, now);
            }
            other => debug!(message = other.name(), "message for another channel, or of no use, ignored"),
        }
    }

    fn apply(&mut self, change: Change, now: Instant) {
        match change {
            Change::None => {}
            Change::Void => self.event(ConnectionEvent::Cleared {
                reason: "the chain moved and the job for the new tip is not known".into(),
            }),
            Change::Job(mut job) => {
                if let Stage::Open(channel) = &mut self.stage {
                    channel.last_job_at = Some(now);
                }
                if !std::mem::replace(&mut self.had_job, true) {
                    job.first = true;
                    self.phase_over(format!("job {}", job.label), None, now);
                }
                self.actions.push(Action::Job(job));
            }
        }
    }

    /// Shares of dead jobs do not wait for the socket.
    fn drop_stale(&mut self) {
        let Stage::Open(channel) = &self.stage else { return };
        for share in self.queue.purge(|share| channel.is_live(share)) {
            self.not_sent(&share, DropReason::Stale);
        }
    }

    /// The pool closed the channel: its jobs and verdicts are gone. It is opened again once (G3).
    fn channel_closed(&mut self, reason: String, now: Instant) {
        let Stage::Open(channel) = &mut self.stage else { return };
        if self.reopened || channel.is_closing() {
            let failure = (!channel.is_closing()).then_some(Failure::ChannelClosed { reason });
            return self.end(failure, now);
        }
        self.reopened = true;
        let mut events = Vec::new();
        channel.lose(now, &mut events);
        self.tell(events);
        while let Some(share) = self.queue.pop() {
            self.not_sent(&share, DropReason::Stale);
        }
        self.event(ConnectionEvent::Cleared { reason: format!("the pool closed the channel: `{reason}`") });
        self.stage = Stage::Reopening { at: now + self.limits.reopen };
    }

    pub(super) fn expire_verdicts(&mut self, now: Instant) {
        let Stage::Open(channel) = &mut self.stage else { return };
        let mut events = Vec::new();
        channel.pending.expire(now, &mut events);
        self.tell(events);
    }

    pub(super) fn tell_facts(&mut self) {
        if let Some(rate) = self.rate.told() {
            self.facts.told_hash_rate = rate;
        }
        if let Stage::Open(channel) = &self.stage {
            self.facts.channel_id = Some(channel.id);
            self.facts.group_channel_id = Some(channel.group);
            self.facts.extranonce_prefix = channel.jobs.extranonce_prefix().to_vec();
            self.facts.extranonce_size = channel.extranonce_size();
            self.facts.share_difficulty = Some(channel.jobs.share_target().difficulty());
        }
        self.event(ConnectionEvent::Facts(Box::new(self.facts.clone())));
    }

    fn tell(&mut self, events: Vec<ConnectionEvent>) {
        self.actions.extend(events.into_iter().map(Action::Event));
    }
}
