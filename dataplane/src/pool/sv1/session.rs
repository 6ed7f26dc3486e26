//! One SV1 connection as a state machine: messages, shares and the time go in, actions come out.
//!
//! ```text
//! SettingUp ─subscribed─▶ Open ─reconnect, close─▶ (drains) ─▶ Ended
//!     └── refused, late, broken, closed ──▶ Ended ◀──┘
//! ```
//! Source: stratum-client 3 and the parts of 1 and 2 that it names. What comes before its time is kept and used when it
//! can be (V3). `client` carries messages to and from it; jobs and pending shares have files of their own. Before it ends
//! it says what became of every share.

mod bring_up;
mod due;
mod mining;

use super::{
    failure::Failure,
    jobs::Jobs,
    limits::Limits,
    message::{Answer, Incoming, Notify, Outgoing},
};
use crate::{
    job::Job,
    pool::{
        ConnectionEvent, ConnectionFacts, ShareSubmission,
        queue::ShareQueue,
        rate::{RateTerms, ToldRate},
    },
};
use bring_up::Question;
use bytes::Bytes;
use mining::Channel;
use mujina_core::{
    id::ConnectionId,
    pool::{Host, PoolOptions},
    share::DropReason,
    status::PhaseName,
    text::{PEER_TEXT_BYTES, Secret, sanitise},
    units::{Difficulty, HashRate},
};
use std::{collections::VecDeque, time::Instant};
use tracing::{debug, info};

/// Messages of a pool that one connection shows to whoever reads the log.
const MAX_SHOWN: u32 = 32;

/// What happened.
#[derive(Debug)]
pub(super) enum Input {
    /// A message, and the clock in Unix seconds when it came.
    Message {
        message: Incoming,
        wall: u64,
    },
    /// A line that is no message.
    Garbage,
    Share(ShareSubmission),
    HashRate(Option<HashRate>),
    /// The writer takes one message.
    Writable,
    /// A deadline passed.
    Tick,
    /// Close in order.
    Close,
    /// The stream failed, or somebody cut it.
    Failed(Failure),
}

/// What to do, in this order.
#[derive(Debug)]
pub(super) enum Action {
    /// Hands a message to the writer; only ever in answer to [`Input::Writable`], and once.
    Send(Outgoing),
    Event(ConnectionEvent),
    /// A usable job, still without its span.
    Job(Box<Job>),
    /// Nothing comes after it.
    End {
        failure: Option<Failure>,
        redirect: Option<(String, u16)>,
    },
}

/// As whom we connect, and to whom.
#[derive(Debug, Clone)]
pub(super) struct Profile {
    pub(super) connection: ConnectionId,
    /// Name and version of this program.
    pub(super) agent: String,
    pub(super) user: String,
    pub(super) password: Secret,
    pub(super) options: PoolOptions,
    /// The pool's own host.
    pub(super) home: Host,
    /// The machine that we are connected to.
    pub(super) host: Host,
    /// Whether it had to prove who it is.
    pub(super) authenticated: bool,
    /// Random, for the part of extranonce2 that threads do not fill.
    pub(super) filler: Bytes,
}

/// Everything known of a connection.
#[derive(Debug)]
pub(super) struct Session {
    profile: Profile,
    limits: Limits,
    stage: Stage,
    rate: ToldRate,
    facts: ConnectionFacts,
    phase: Option<PhaseName>,
    phase_began: Instant,
    last_inbound: Instant,
    /// Lines in a row that were no message.
    garbage: u32,
    /// Messages for a person so far.
    shown: u32,
    queue: ShareQueue,
    outbox: VecDeque<Outgoing>,
    last_id: u64,
    /// What was asked and not answered yet.
    asked: Vec<(u64, Question)>,
    authorized_at: Option<Instant>,
    /// The pool knows us, so that it can be told more.
    introduced: bool,
    early: Early,
    had_job: bool,
    redirect: Option<(String, u16)>,
    actions: Vec<Action>,
}

/// What came before its time, the newest of each (V3).
#[derive(Debug, Default)]
struct Early {
    notify: Option<(Box<Notify>, u64)>,
    difficulty: Option<Difficulty>,
    version_mask: u32,
}

#[derive(Debug)]
enum Stage {
    SettingUp { by: Instant, bring_up_by: Instant },
    Open(Box<Channel>),
    Ended,
}

impl Session {
    /// Begins with configure, subscribe and authorize in the outbox (V2). `facts` is what is known of the peer so far.
    pub(super) fn new(
        profile: Profile,
        limits: Limits,
        facts: ConnectionFacts,
        hash_rate: Option<HashRate>,
        bring_up_by: Instant,
        now: Instant,
    ) -> Self {
        let mut session = Self {
            profile,
            limits,
            stage: Stage::SettingUp { by: now + limits.setup, bring_up_by },
            rate: ToldRate::new(hash_rate, RateTerms { difference: 1.0, ..RateTerms::default() }),
            facts,
            phase: Some(PhaseName::SetupConnection),
            phase_began: now,
            last_inbound: now,
            garbage: 0,
            shown: 0,
            queue: ShareQueue::new(limits.share_queue, limits.share_queue_age),
            outbox: VecDeque::new(),
            last_id: 0,
            asked: Vec::new(),
            authorized_at: None,
            introduced: false,
            early: Early::default(),
            had_job: false,
            redirect: None,
            actions: Vec::new(),
        };
        session.introduce(now);
        session
    }

    /// One step.
    pub(super) fn handle(&mut self, input: Input, now: Instant) -> Vec<Action> {
        match input {
            Input::Message { message, wall } => {
                self.last_inbound = now;
                self.garbage = 0;
                self.message(message, wall, now);
            }
            Input::Garbage => self.no_message(now),
            Input::Share(share) => self.share(share, now),
            Input::HashRate(rate) => {
                self.rate.observe(rate, now);
                self.suggest_first(now);
            }
            Input::Writable => self.send_next(now),
            Input::Tick => {}
            Input::Close => self.close(now),
            Input::Failed(failure) => self.end(Some(failure), now),
        }
        while let Some((at, due)) = self.next_due()
            && at <= now
        {
            self.pass(due, now);
        }
        std::mem::take(&mut self.actions)
    }

    /// When to call `handle` with [`Input::Tick`] at the latest.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.next_due().map(|(at, _)| at)
    }

    /// Whether there is something for the writer.
    pub(super) fn has_outgoing(&self) -> bool {
        match &self.stage {
            Stage::Ended => false,
            Stage::SettingUp { .. } => !self.outbox.is_empty(),
            Stage::Open(channel) => {
                !self.outbox.is_empty() || (!self.queue.is_empty() && channel.in_flight() < self.limits.in_flight)
            }
        }
    }

    /// Where the bring-up stands; `None` after the first job.
    pub(super) fn phase(&self) -> Option<PhaseName> {
        self.phase
    }

    fn message(&mut self, message: Incoming, wall: u64, now: Instant) {
        if let Stage::Ended = self.stage {
            return;
        }
        match message {
            Incoming::Answer(answer) => self.answer(answer, now),
            Incoming::Notify(notify) => self.notify(notify, wall, now),
            Incoming::SetDifficulty(difficulty) => self.set_difficulty(difficulty, now),
            Incoming::SetExtranonce { extranonce1, size } => self.set_extranonce(extranonce1, size, now),
            Incoming::SetVersionMask(mask) => self.set_version_mask(mask, now),
            Incoming::Reconnect { host, port, wait } => self.reconnect(&host, port, wait, now),
            Incoming::ShowMessage(text) => self.show(&text),
            Incoming::Request { id, reply } => {
                if self.outbox.len() < self.limits.replies {
                    self.outbox.push_back(Outgoing::Reply { id, reply });
                }
            }
            Incoming::Ignored { what } => {
                debug!(what, "message of no use ignored");
                self.unknown();
            }
        }
    }

    /// Not for ever: the log is ours.
    fn show(&mut self, text: &str) {
        self.shown += 1;
        if self.shown <= MAX_SHOWN {
            info!(text, "message of the pool");
        } else {
            debug!(text, "one more message of the pool");
        }
    }

    fn no_message(&mut self, now: Instant) {
        if let Stage::Ended = self.stage {
            return;
        }
        self.garbage += 1;
        if self.garbage >= self.limits.garbage {
            return self.end(Some(Failure::Garbage(self.garbage)), now);
        }
        self.unknown();
    }

    fn unknown(&mut self) {
        self.facts.unknown_messages += 1;
        if self.facts.unknown_messages.is_power_of_two() {
            self.tell_facts();
        }
    }

    fn share(&mut self, share: ShareSubmission, now: Instant) {
        let reason = match &self.stage {
            Stage::Open(channel) if !channel.jobs.is_live(&share) => Some(DropReason::Stale),
            Stage::Open(channel) => (!channel.jobs.fits(&share)).then_some(DropReason::HardwareError),
            _ => Some(DropReason::Stale),
        };
        match reason {
            Some(reason) => self.not_sent(&share, reason),
            None => {
                if let Some(dropped) = self.queue.push(share, now) {
                    self.not_sent(&dropped, DropReason::Suppressed);
                }
            }
        }
    }

    fn send_next(&mut self, now: Instant) {
        if let Stage::Ended = self.stage {
            return;
        }
        if let Some(message) = self.outbox.pop_front() {
            self.actions.push(Action::Send(message));
            return;
        }
        let Stage::Open(channel) = &mut self.stage else { return };
        while channel.in_flight() < self.limits.in_flight
            && let Some(share) = self.queue.pop()
        {
            if let Some(submit) = channel.jobs.submit(&share, self.last_id + 1, &self.profile.user) {
                self.last_id += 1;
                channel.sent(self.last_id, &share, now);
                self.actions.push(Action::Send(Outgoing::Submit(Box::new(submit))));
                return self.event(ConnectionEvent::Sent { share: share.id });
            }
            self.actions.push(Action::Event(ConnectionEvent::NotSent { share: share.id, reason: DropReason::Stale }));
        }
    }

    fn close(&mut self, now: Instant) {
        self.redirect = None;
        match &mut self.stage {
            Stage::Open(channel) => channel.close_by(now + self.limits.drain),
            _ => self.end(None, now),
        }
    }

    fn violation(&mut self, what: &str, now: Instant) {
        let what = sanitise(what, PEER_TEXT_BYTES);
        self.end(Some(Failure::Violation { what }), now);
    }

    fn end(&mut self, failure: Option<Failure>, now: Instant) {
        let redirect = self.redirect.take();
        let asked = redirect.clone().map(|(host, port)| Failure::Redirected { host, port });
        // A pool that asked to go and then hung up did what it said.
        let failure = asked.or(failure);
        let stage = std::mem::replace(&mut self.stage, Stage::Ended);
        if let Stage::Ended = stage {
            return;
        }
        self.outbox.clear();
        while let Some(share) = self.queue.pop() {
            self.not_sent(&share, DropReason::Stale);
        }
        if let Stage::Open(mut channel) = stage {
            let events = channel.lose(now);
            self.tell(events);
        }
        self.actions.push(Action::End { failure, redirect });
    }

    fn phase_over(&mut self, detail: String, next: Option<PhaseName>, now: Instant) {
        let elapsed = now.saturating_duration_since(self.phase_began);
        if let Some(name) = std::mem::replace(&mut self.phase, next) {
            self.event(ConnectionEvent::Phase { name, elapsed, detail });
        }
        self.phase_began = now;
    }

    fn tell_facts(&mut self) {
        if let Some(rate) = self.rate.told() {
            self.facts.told_hash_rate = rate;
        }
        if let Stage::Open(channel) = &self.stage {
            let (extranonce1, size) = channel.jobs.granted();
            self.facts.extranonce_prefix = extranonce1.to_vec();
            self.facts.extranonce_size = size;
            self.facts.share_difficulty = Some(channel.jobs.share_target().difficulty());
        }
        self.event(ConnectionEvent::Facts(Box::new(self.facts.clone())));
    }

    fn not_sent(&mut self, share: &ShareSubmission, reason: DropReason) {
        self.event(ConnectionEvent::NotSent { share: share.id, reason });
    }

    fn tell(&mut self, events: Vec<ConnectionEvent>) {
        self.actions.extend(events.into_iter().map(Action::Event));
    }

    fn event(&mut self, event: ConnectionEvent) {
        self.actions.push(Action::Event(event));
    }
}

#[cfg(test)]
mod tests;
