//! What a pool says while the channel is open, and what follows.
//!
//! Source: stratum-client J6 to J8, T1 to T5, X1 to X3, A1 to A6, G2 to G5, R8, D9, D14, D15, D17.

use super::{Action, Failure, Session, Stage, channel::Channel, rejects::Finding, tips::Pace};
use crate::{
    job::{self, BIP320_MASK, Job},
    pool::{
        ConnectionEvent,
        sv2::{
            jobs::{Change, Moment},
            message::{Incoming, NewTip},
        },
    },
};
use mujina_core::{
    share::{DropReason, RejectReason},
    units::ShareTarget,
};
use std::time::Instant;
use tracing::{debug, warn};

/// Jobs ahead of the clock after which the pool is given up (D15).
const TOO_FAR_AHEAD: u32 = 3;

impl Session {
    /// A message while the channel is open.
    pub(super) fn channel_message(&mut self, message: Incoming, now: Moment) {
        let Stage::Open(channel) = &mut self.stage else { return };
        match message {
            Incoming::NewJob(job) if channel.hears(job.channel_id) => {
                let change = channel.jobs.add(job, now);
                self.apply(change, now.at);
            }
            Incoming::NewTip(tip) if channel.hears(tip.channel_id) => self.new_tip(&tip, now),
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
                    self.violation(&format!("an extranonce prefix of {len} bytes, too long for the channel"), now.at);
                }
            }
            Incoming::SetGroupChannel { group_channel_id, channel_ids } if channel_ids.contains(&channel.id) => {
                if group_channel_id == channel.id {
                    self.violation("a group with the id of our channel", now.at);
                } else {
                    channel.group = group_channel_id;
                    self.tell_facts();
                }
            }
            Incoming::SharesAccepted { channel_id, last_sequence_number, count, shares_sum }
                if channel_id == channel.id =>
            {
                self.facts.shares_sum = self.facts.shares_sum.saturating_add(shares_sum);
                let mut events = Vec::new();
                channel.pending.count(last_sequence_number, count, now.at, &mut events);
                let finding = channel.rejects.accepted(count);
                self.tell(events);
                self.follow(finding, now.at);
            }
            Incoming::ShareRefused { channel_id, sequence_number, code } if channel_id == channel.id => {
                self.refused(sequence_number, &code, now.at);
            }
            Incoming::UpdateRefused { channel_id, code } if channel_id == channel.id => {
                debug!(code, "hash rate refused by the pool; the channel stays as it is");
            }
            Incoming::EndpointChanged { channel_id } if channel_id == channel.id => self.endpoint_changed(),
            Incoming::CloseChannel { channel_id, reason } if channel.hears(channel_id) => {
                self.channel_closed(reason, now.at);
            }
            other => debug!(message = other.name(), "message for another channel, or of no use, ignored"),
        }
    }

    fn new_tip(&mut self, tip: &NewTip, now: Moment) {
        let Stage::Open(channel) = &mut self.stage else { return };
        let pace = if channel.jobs.moves(tip) { channel.tips.moved(now.at) } else { Pace::Usual };
        let change = channel.jobs.set_tip(tip, now);
        self.drop_stale();
        self.apply(change, now.at);
        match pace {
            // A chain for tests may be in a hurry.
            Pace::Suspicious if ShareTarget::from_compact(tip.nbits).is_some_and(job::is_hard_chain) => {
                warn!("the chain moves oftener than a chain does, says the pool; watch its payouts");
            }
            Pace::Usual | Pace::Suspicious => {}
            Pace::Flood => self.end(Some(Failure::TipFlood(self.limits.tip_flood)), now.at),
        }
    }

    fn refused(&mut self, sequence_number: u32, code: &str, now: Instant) {
        let Stage::Open(channel) = &mut self.stage else { return };
        debug!(sequence_number, code, "share refused by the pool");
        let reason = RejectReason::from_sv2_code(code);
        let mut events = Vec::new();
        channel.pending.refuse(sequence_number, reason, now, &mut events);
        let is_ours = !events.is_empty();
        let too_easy = is_ours && reason == RejectReason::LowDifficulty;
        if too_easy && channel.guard.refused(sequence_number, channel.jobs.share_target()) {
            warn!(
                "the pool holds shares of a job to a target that came after it; they must meet both until the next job"
            );
        }
        // What was sent before the bits became fewer says nothing about those that are left.
        let of_current = channel.guard.job_of(sequence_number) == channel.jobs.current().map(|job| job.handle);
        let counts = is_ours && (reason != RejectReason::VersionRolling || of_current);
        let finding = if counts { channel.rejects.refused(reason) } else { None };
        self.tell(events);
        self.follow(finding, now);
    }

    /// What refusals say when they come together (A6).
    fn follow(&mut self, finding: Option<Finding>, now: Instant) {
        let Stage::Open(channel) = &mut self.stage else { return };
        match finding {
            None => {}
            Some(Finding::ManyStale) => {
                warn!("the pool refuses many shares as stale; check the way to it, or take a nearer one");
            }
            Some(Finding::ManyDuplicates) => {
                warn!("the pool refuses many shares as duplicates; this is a bug of one of both, please report it");
            }
            Some(Finding::UnknownJobs) => self.end(Some(Failure::UnknownJobs(self.limits.unknown_jobs)), now),
            Some(Finding::VersionBits) => {
                // The eight bits of BIP323 first, then all of them (S4).
                let fewer = if channel.jobs.version_mask() & !BIP320_MASK == 0 { 0 } else { BIP320_MASK };
                let change = channel.jobs.restrict_versions(fewer);
                if let Change::Job(job) = &change {
                    let version_mask = format!("0x{:08x}", job.version_mask);
                    warn!(version_mask, "the pool refuses rolled versions; fewer bits are rolled");
                }
                self.apply(change, now);
            }
        }
    }

    pub(super) fn apply(&mut self, change: Change, now: Instant) {
        let Stage::Open(channel) = &mut self.stage else { return };
        match change {
            Change::None => {}
            Change::Void => self.void("the chain moved and the job for the new tip is not known"),
            Change::TooFarAhead { void } => {
                channel.too_far_ahead += 1;
                warn!("the pool's job is hours ahead of this machine's clock and was dropped; check the clock");
                let enough = channel.too_far_ahead >= TOO_FAR_AHEAD;
                if void {
                    self.void("the chain moved and the job for the new tip is too far ahead of the clock");
                }
                if enough {
                    self.end(Some(Failure::FutureJobs), now);
                }
            }
            Change::Job(job) => {
                channel.last_job_at = Some(now);
                channel.too_far_ahead = 0;
                channel.fixed_since = if job.version_mask == 0 { channel.fixed_since.or(Some(now)) } else { None };
                let passed = channel.gate.offer(job, now);
                self.emit(passed, now);
            }
        }
    }

    fn void(&mut self, why: &str) {
        if let Stage::Open(channel) = &mut self.stage {
            channel.gate.clear();
        }
        self.event(ConnectionEvent::Cleared { reason: why.into() });
    }

    /// The job that waited at the gate, if it may pass.
    pub(super) fn emit_waiting(&mut self, now: Instant) {
        let Stage::Open(channel) = &mut self.stage else { return };
        let passed = channel.gate.take(now);
        self.emit(passed, now);
    }

    fn emit(&mut self, job: Option<Box<Job>>, now: Instant) {
        let Some(mut job) = job else { return };
        if !std::mem::replace(&mut self.had_job, true) {
            job.first = true;
            self.phase_over(format!("job {}", job.label), None, now);
        }
        self.actions.push(Action::Job(job));
    }

    /// The job is old for a chain that matters (L3).
    pub(super) fn warn_of_old_job(&mut self) {
        let Stage::Open(channel) = &mut self.stage else { return };
        channel.warned_of = channel.jobs.current().map(|job| job.handle);
        warn!(minutes = self.limits.old_job.as_secs() / 60, "the pool has sent no new job for a while; it is watched");
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
}

/// Whether a channel's newest job is on a chain that matters and was not warned of yet.
pub(super) fn may_warn_of_old_job(channel: &Channel) -> bool {
    let job = channel.jobs.current().filter(|job| job::is_hard_chain(job.network_target));
    job.is_some_and(|job| channel.warned_of != Some(job.handle))
}
