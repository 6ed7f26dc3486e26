//! The subscribed connection of a session: its jobs, its difficulty, its pending shares.
//!
//! Source: stratum-client V8, V9, V11, V12, V17, V20, D15.

use super::{Action, Failure, Notify, Session, Stage, due::Due};
use crate::pool::{
    ConnectionEvent, ShareSubmission, Verdict,
    sv1::{
        jobs::{Change, Jobs},
        limits::Limits,
        pending::Pending,
        refusal::{Reaction, Refusal},
    },
};
use bytes::Bytes;
use mujina_core::{
    share::{DropReason, RejectReason},
    units::Difficulty,
};
use std::time::{Duration, Instant};
use tracing::debug;

/// A connection from its subscription to its end.
#[derive(Debug)]
pub(super) struct Channel {
    pub(super) jobs: Jobs,
    pending: Pending,
    opened_at: Instant,
    last_job_at: Option<Instant>,
    /// A difficulty was set.
    has_difficulty: bool,
    /// The first job, while it waits for its difficulty until then (V9).
    held: Option<(Box<Notify>, u64, Instant)>,
    /// Jobs in a row that could not be hashed.
    unusable: u32,
    /// From when it drains, and by when it must be over.
    leaves: Option<(Instant, Instant)>,
}

impl Channel {
    pub(super) fn new(jobs: Jobs, limits: &Limits, now: Instant) -> Self {
        Self {
            jobs,
            pending: Pending::new(limits.verdict),
            opened_at: now,
            last_job_at: None,
            has_difficulty: false,
            held: None,
            unusable: 0,
            leaves: None,
        }
    }

    fn add(&mut self, notify: Notify, wall: u64, now: Instant) -> Change {
        let change = self.jobs.add(notify, wall, now);
        if let Change::Unusable { .. } = change {
            self.unusable += 1;
        } else {
            self.unusable = 0;
            self.last_job_at = Some(now);
        }
        change
    }

    pub(super) fn in_flight(&self) -> usize {
        self.pending.len()
    }

    pub(super) fn sent(&mut self, id: u64, share: &ShareSubmission, now: Instant) {
        self.pending.push(id, share, now);
    }

    /// Since when the oldest share waits for its verdict.
    pub(super) fn oldest_pending(&self) -> Option<Instant> {
        self.pending.oldest()
    }

    pub(super) fn is_closing(&self) -> bool {
        self.leaves.is_some()
    }

    /// Ends as soon as nothing is open any more, and then in any case.
    pub(super) fn close_by(&mut self, deadline: Instant) {
        let from = self.opened_at;
        let (before, by) = self.leaves.unwrap_or((from, deadline));
        self.leaves = Some((before.min(from), by.min(deadline)));
    }

    /// Goes on until then, and then ends.
    pub(super) fn leave_at(&mut self, at: Instant, flush: Duration) {
        self.leaves.get_or_insert((at, at + flush));
    }

    pub(super) fn lose(&mut self, now: Instant) -> Vec<ConnectionEvent> {
        let mut events = Vec::new();
        self.pending.lose(now, &mut events);
        events
    }

    /// Its deadlines.
    pub(super) fn due(&self, limits: &Limits, queue_is_empty: bool) -> Vec<(Instant, Due)> {
        let mut due = Vec::new();
        due.extend(self.pending.deadline().map(|at| (at, Due::Verdicts)));
        due.extend(self.held.as_ref().map(|(_, _, by)| (*by, Due::Difficulty)));
        if let Some((from, by)) = self.leaves {
            let drained = queue_is_empty && self.pending.is_empty();
            due.push((if drained { from } else { by }, Due::Drained));
            return due;
        }
        due.push(match self.last_job_at {
            None => (self.opened_at + limits.first_job, Due::FirstJob),
            Some(at) => (at + limits.same_job, Due::NewJob),
        });
        due
    }
}

impl Session {
    /// A job came. Before the subscription it is kept; the first one waits a moment for its difficulty.
    pub(super) fn notify(&mut self, notify: Box<Notify>, wall: u64, now: Instant) {
        match &mut self.stage {
            Stage::Ended => {}
            Stage::SettingUp { .. } => self.early.notify = Some((notify, wall)),
            Stage::Open(channel) if channel.has_difficulty || self.had_job => {
                let change = channel.add(*notify, wall, now);
                self.apply(change, now);
            }
            Stage::Open(channel) => {
                let by = channel.held.as_ref().map_or(now + self.limits.difficulty, |(_, _, by)| *by);
                channel.held = Some((notify, wall, by));
            }
        }
    }

    /// The job that waited for a difficulty waits no more.
    pub(super) fn release(&mut self, now: Instant) {
        let Stage::Open(channel) = &mut self.stage else { return };
        if let Some((notify, wall, _)) = channel.held.take() {
            let change = channel.add(*notify, wall, now);
            self.apply(change, now);
        }
    }

    pub(super) fn set_difficulty(&mut self, difficulty: Difficulty, now: Instant) {
        match &mut self.stage {
            Stage::Ended => {}
            Stage::SettingUp { .. } => self.early.difficulty = Some(difficulty),
            Stage::Open(channel) => {
                channel.has_difficulty = true;
                channel.jobs.set_difficulty(difficulty);
                self.tell_facts();
                self.release(now);
            }
        }
    }

    pub(super) fn set_extranonce(&mut self, extranonce1: Bytes, size: Option<u8>, now: Instant) {
        // Before the subscription it means nothing: that one says what holds from then on.
        let Stage::Open(channel) = &mut self.stage else { return };
        match channel.jobs.change_extranonce(extranonce1, size) {
            Ok(()) => self.tell_facts(),
            Err(why) => self.end(Some(Failure::Unusable { why }), now),
        }
    }

    pub(super) fn set_version_mask(&mut self, mask: u32, now: Instant) {
        match &mut self.stage {
            Stage::Ended => {}
            Stage::SettingUp { .. } => self.early.version_mask = mask,
            Stage::Open(channel) => {
                let change = channel.jobs.set_version_mask(mask);
                self.apply(change, now);
            }
        }
    }

    /// The pool judged a share, or what else this answers.
    pub(super) fn verdict(&mut self, id: u64, verdict: Verdict, refusal: Option<&Refusal>, now: Instant) {
        let Stage::Open(channel) = &mut self.stage else { return };
        let Some((job, judged)) = channel.pending.judge(id, verdict, now) else {
            debug!(request_id = id, "answer to no open request ignored");
            return;
        };
        let change = match verdict {
            Verdict::Rejected(RejectReason::LowDifficulty) => channel.jobs.refused_as_low(job),
            _ => Change::None,
        };
        self.event(judged);
        self.apply(change, now);
        match refusal.map(Refusal::reaction) {
            None | Some(Reaction::None) => {}
            Some(Reaction::Authorize) => self.authorize_again(now),
            Some(Reaction::Reconnect) => self.end(Some(Failure::NotSubscribed), now),
        }
    }

    pub(super) fn apply(&mut self, change: Change, now: Instant) {
        let Stage::Open(channel) = &mut self.stage else { return };
        match change {
            Change::None => {}
            Change::Unusable { why, void } => {
                debug!(why, "job that cannot be hashed ignored");
                let unusable = channel.unusable;
                if void {
                    self.drop_stale();
                    self.event(ConnectionEvent::Cleared { reason: format!("the pool's new job has {why}") });
                }
                if unusable >= self.limits.unusable_jobs {
                    self.end(Some(Failure::UnusableJobs(unusable)), now);
                }
            }
            Change::Job(mut job) => {
                if !std::mem::replace(&mut self.had_job, true) {
                    job.first = true;
                    self.phase_over(format!("job {}", job.label), None, now);
                }
                self.drop_stale();
                self.actions.push(Action::Job(job));
            }
        }
    }

    /// Shares of dead jobs do not wait for the socket.
    fn drop_stale(&mut self) {
        let Stage::Open(channel) = &self.stage else { return };
        for share in self.queue.purge(|share| channel.jobs.is_live(share)) {
            self.not_sent(&share, DropReason::Stale);
        }
    }

    /// Gives up shares that waited too long. If nothing else was heard since they were sent, nobody listens (V19).
    pub(super) fn expire_verdicts(&mut self, now: Instant) {
        let Stage::Open(channel) = &mut self.stage else { return };
        let mute = channel.oldest_pending().is_some_and(|sent_at| self.last_inbound <= sent_at);
        let mut events = Vec::new();
        channel.pending.expire(now, &mut events);
        self.tell(events);
        if mute {
            self.end(Some(Failure::Silent(now.saturating_duration_since(self.last_inbound))), now);
        }
    }
}
