//! One SV2 connection as a state machine: messages, shares and the time go in, actions come out.
//!
//! ```text
//! SettingUp ─Success─▶ (Negotiating ─▶) AwaitingRate ─rate─▶ Opening ─Success─▶ Open ─CloseChannel─▶ Reopening ─1 s─▶ Opening (once)
//!     └────────┴─────────────┴── refused, late, broken, closed ──▶ Ended ◀──┘
//! ```
//! Source: Stratum V2 specification 03 and 05; stratum-client 1.3 to 1.12. `client` carries messages to and from it; jobs,
//! pending shares, waiting shares and the told rate have files of their own. Before it ends it says what became of every
//! share.

mod bring_up;
mod channel;
mod due;
mod extensions;
mod gate;
mod rejects;
mod target_guard;
mod tips;
mod traffic;

use super::{
    failure::Failure,
    jobs::Moment,
    limits::Limits,
    message::{Incoming, OpenSuccess, Outgoing, Setup},
};
use crate::{
    job::Job,
    pool::{ConnectionEvent, ConnectionFacts, ShareSubmission, queue::ShareQueue, rate::ToldRate},
};
use channel::Channel;
use extensions::Extensions;
use mujina_core::{
    id::ConnectionId,
    share::DropReason,
    status::PhaseName,
    text::{PEER_TEXT_BYTES, sanitise},
    units::HashRate,
};
use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};
use tracing::debug;

/// Messages that are kept for a channel that is being opened (C8).
const MAX_EARLY: usize = 32;

/// What happened.
#[derive(Debug)]
pub(super) enum Input {
    Message(Incoming),
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
    /// Nothing comes after it. What is left in the outbox goes first.
    End {
        failure: Option<Failure>,
        redirect: Option<(String, u16)>,
    },
}

/// As whom we connect.
#[derive(Debug, Clone)]
pub(super) struct Profile {
    pub(super) connection: ConnectionId,
    pub(super) setup: Setup,
    pub(super) user: String,
    /// Version bits to roll where the pool allows it.
    pub(super) version_mask: u32,
    /// Extensions to ask for.
    pub(super) extensions: Vec<u16>,
    /// Who finds shares, for a pool that tracks workers.
    pub(super) worker: Option<Arc<str>>,
    /// How long the connect took.
    pub(super) connect_time: Duration,
    /// Whether a request to connect elsewhere is followed: not for ever (R3).
    pub(super) may_redirect: bool,
}

/// Everything known of a connection.
#[derive(Debug)]
pub(super) struct Session {
    profile: Profile,
    limits: Limits,
    stage: Stage,
    rate: ToldRate,
    facts: ConnectionFacts,
    /// By when the first channel must be open.
    bring_up_by: Instant,
    phase: Option<PhaseName>,
    phase_began: Instant,
    fixed_version: bool,
    extensions: Extensions,
    last_inbound: Instant,
    probed_at: Option<Instant>,
    queue: ShareQueue,
    outbox: VecDeque<Outgoing>,
    last_request: u32,
    /// The size that the first channel was granted.
    extranonce_size: Option<u8>,
    had_job: bool,
    reopened: bool,
    /// Where the pool asked to go, once the channel is closed.
    redirect: Option<(String, u16)>,
    actions: Vec<Action>,
    /// Empty between two steps.
    events: Vec<ConnectionEvent>,
}

#[derive(Debug)]
enum Stage {
    SettingUp { by: Instant },
    Negotiating { by: Instant },
    AwaitingRate { by: Instant },
    Opening { by: Instant, early: VecDeque<Incoming> },
    Open(Box<Channel>),
    Reopening { at: Instant },
    Ended,
}

impl Session {
    /// Begins with SetupConnection in the outbox. `facts` is what is known of the peer so far.
    pub(super) fn new(
        profile: Profile,
        limits: Limits,
        facts: ConnectionFacts,
        hash_rate: Option<HashRate>,
        bring_up_by: Instant,
        now: Instant,
    ) -> Self {
        let outbox = VecDeque::from([Outgoing::Setup(profile.setup.clone())]);
        Self {
            profile,
            limits,
            stage: Stage::SettingUp { by: now + limits.setup },
            rate: ToldRate::new(hash_rate, limits.rate),
            facts,
            bring_up_by,
            phase: Some(PhaseName::SetupConnection),
            phase_began: now,
            fixed_version: false,
            extensions: Extensions::default(),
            last_inbound: now,
            probed_at: None,
            queue: ShareQueue::new(limits.share_queue, limits.share_queue_age),
            outbox,
            last_request: 0,
            extranonce_size: None,
            had_job: false,
            reopened: false,
            redirect: None,
            actions: Vec::new(),
            events: Vec::new(),
        }
    }

    /// One step. `wall` is the time of the world in Unix seconds, if this machine's clock can be trusted.
    pub(super) fn handle(&mut self, input: Input, now: Instant, wall: Option<u32>) -> Vec<Action> {
        match input {
            Input::Message(message) => {
                self.last_inbound = now;
                self.probed_at = None;
                self.message(message, Moment { at: now, wall });
            }
            Input::Share(share) => self.share(share, now),
            Input::HashRate(rate) => {
                self.rate.observe(rate, now);
                self.open_when_rate_is_known(now);
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

    /// Takes the list back that `handle` returned, so that the next step need not allocate one.
    pub(super) fn reuse(&mut self, actions: Vec<Action>) {
        if self.actions.is_empty() {
            self.actions = actions;
        }
    }

    /// When to call `handle` with [`Input::Tick`] at the latest.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.next_due().map(|(at, _)| at)
    }

    /// Whether there is something for the writer.
    pub(super) fn has_outgoing(&self) -> bool {
        let waits = !self.outbox.is_empty() || !self.queue.is_empty();
        waits && !matches!(self.stage, Stage::Ended)
    }

    /// What is still to be said when the session has ended.
    pub(super) fn take_outbox(&mut self) -> VecDeque<Outgoing> {
        std::mem::take(&mut self.outbox)
    }

    /// Where the bring-up stands; `None` after the first job.
    pub(super) fn phase(&self) -> Option<PhaseName> {
        self.phase
    }

    fn message(&mut self, message: Incoming, now: Moment) {
        match (&mut self.stage, message) {
            (Stage::Ended, _) => {}
            (_, Incoming::Reconnect { host, port }) => self.redirect(host, port, now.at),
            (Stage::SettingUp { .. }, message) => self.set_up(message, now.at),
            (_, Incoming::Ignored { extension, kind }) => self.unknown(extension, kind),
            (_, Incoming::ExtensionsGranted { request_id, extensions }) => {
                self.extensions_granted(request_id, &extensions, now.at);
            }
            (_, Incoming::ExtensionsRefused { request_id, required }) => {
                self.extensions_refused(request_id, &required, now.at);
            }
            (Stage::Opening { .. }, Incoming::OpenSuccess(success)) => self.opened(success, now),
            (Stage::Opening { .. }, Incoming::OpenError { request_id, code }) if request_id == self.last_request => {
                self.end(Some(Failure::OpenRefused { code }), now.at);
            }
            (Stage::Opening { early, .. }, message) => {
                early.push_back(message);
                let bytes = |early: &VecDeque<Incoming>| early.iter().map(Incoming::size).sum::<usize>();
                while early.len() > MAX_EARLY || bytes(early) > self.limits.job_bytes {
                    early.pop_front();
                }
            }
            (Stage::Open(_), message) => self.channel_message(message, now),
            (Stage::Negotiating { .. } | Stage::AwaitingRate { .. } | Stage::Reopening { .. }, message) => {
                debug!(message = message.name(), "message for no channel ignored");
            }
        }
    }

    fn share(&mut self, share: ShareSubmission, now: Instant) {
        let reason = match &self.stage {
            Stage::Open(channel) if channel.is_live(&share) => channel.refusal(&share),
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
        let events = &mut self.events;
        while let Some(share) = self.queue.pop() {
            let worker = self.profile.worker.clone().filter(|_| self.extensions.tracks_workers());
            if let Some(message) = channel.submit(&share, worker, now, events) {
                self.actions.push(Action::Send(Outgoing::Share(message)));
                events.push(ConnectionEvent::Sent { share: share.id });
                break;
            }
            events.push(ConnectionEvent::NotSent { share: share.id, reason: DropReason::Stale });
        }
        self.actions.extend(events.drain(..).map(Action::Event));
    }

    fn close(&mut self, now: Instant) {
        match &mut self.stage {
            Stage::Open(channel) => channel.close_by(now + self.limits.drain),
            _ => self.end(None, now),
        }
    }

    fn unknown(&mut self, extension: u16, kind: u8) {
        debug!(extension, kind, "unknown message ignored");
        self.facts.unknown_messages += 1;
        if self.facts.unknown_messages.is_power_of_two() {
            self.tell_facts();
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
        self.finish(asked.or(failure), redirect, now);
    }

    /// Says what became of every share, and that it is over.
    fn finish(&mut self, failure: Option<Failure>, redirect: Option<(String, u16)>, now: Instant) {
        let stage = std::mem::replace(&mut self.stage, Stage::Ended);
        if let Stage::Ended = stage {
            return;
        }
        self.outbox.retain(|message| matches!(message, Outgoing::Close { .. }));
        while let Some(share) = self.queue.pop() {
            self.not_sent(&share, DropReason::Stale);
        }
        if let Stage::Open(mut channel) = stage {
            let mut events = Vec::new();
            channel.lose(now, &mut events);
            debug!(implausible = channel.implausible(), "channel is over");
            self.actions.extend(events.into_iter().map(Action::Event));
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

    fn not_sent(&mut self, share: &ShareSubmission, reason: DropReason) {
        self.event(ConnectionEvent::NotSent { share: share.id, reason });
    }

    fn event(&mut self, event: ConnectionEvent) {
        self.actions.push(Action::Event(event));
    }

    fn tell(&mut self, events: Vec<ConnectionEvent>) {
        self.actions.extend(events.into_iter().map(Action::Event));
    }

    fn tell_facts(&mut self) {
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
}

#[cfg(test)]
mod tests;
