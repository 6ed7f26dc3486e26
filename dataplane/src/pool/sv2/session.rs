//! One SV2 connection as a state machine: messages, shares and the time go in, actions come out.
//!
//! ```text
//! SettingUp ─Success─▶ AwaitingRate ─rate─▶ Opening ─Success─▶ Open ─CloseChannel─▶ Reopening ─1 s─▶ Opening (once)
//!     └────────┴─────────────┴── refused, late, broken, closed ──▶ Ended ◀──┘
//! ```
//! Source: Stratum V2 specification 03 and 05; stratum-client 1.3 to 1.12. `client` carries messages to and from it; jobs,
//! pending shares, waiting shares and the told rate have files of their own. Before it ends it says what became of every
//! share.

mod channel;
#[cfg(test)]
mod tests;

use super::{
    failure::Failure,
    limits::Limits,
    message::{Incoming, OpenSuccess, Outgoing, Setup},
    queue::ShareQueue,
    rate::{ToldRate, on_the_wire},
};
use crate::{
    job::Job,
    pool::{ConnectionEvent, ConnectionFacts, ShareSubmission},
};
use channel::Channel;
use mujina_core::{
    id::ConnectionId,
    pool::Host,
    share::DropReason,
    status::PhaseName,
    text::{PEER_TEXT_BYTES, sanitise},
    units::HashRate,
};
use std::{collections::VecDeque, time::Instant};
use tracing::debug;

/// Messages that are kept for a channel that is being opened (C8).
const MAX_EARLY: usize = 32;
/// Bit of SetupConnection that asks for standard jobs; in the answer it forbids rolling the version (S4).
const FIRST_FLAG: u32 = 1;
/// The version of the protocol.
const VERSION: u16 = 2;

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
    last_inbound: Instant,
    probed_at: Option<Instant>,
    queue: ShareQueue,
    outbox: VecDeque<Outgoing>,
    last_request: u32,
    /// The size that the first channel was granted.
    extranonce_size: Option<u8>,
    had_job: bool,
    reopened: bool,
    actions: Vec<Action>,
}

#[derive(Debug)]
enum Stage {
    SettingUp { by: Instant },
    AwaitingRate { by: Instant },
    Opening { by: Instant, early: VecDeque<Incoming> },
    Open(Box<Channel>),
    Reopening { at: Instant },
    Ended,
}

/// What a deadline is for.
#[derive(Debug, Clone, Copy)]
enum Due {
    SetupAnswer,
    HashRate,
    OpenAnswer,
    BringUp,
    Reopen,
    FirstJob,
    JobForTip,
    NewJob,
    Probe,
    Silence,
    Verdicts,
    Queue,
    TellRate,
    Drained,
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
            rate: ToldRate::new(hash_rate),
            facts,
            bring_up_by,
            phase: Some(PhaseName::SetupConnection),
            phase_began: now,
            fixed_version: false,
            last_inbound: now,
            probed_at: None,
            queue: ShareQueue::new(limits.share_queue, limits.share_queue_age),
            outbox,
            last_request: 0,
            extranonce_size: None,
            had_job: false,
            reopened: false,
            actions: Vec::new(),
        }
    }

    /// One step.
    pub(super) fn handle(&mut self, input: Input, now: Instant) -> Vec<Action> {
        match input {
            Input::Message(message) => {
                self.last_inbound = now;
                self.probed_at = None;
                self.message(message, now);
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

    fn message(&mut self, message: Incoming, now: Instant) {
        match (&mut self.stage, message) {
            (Stage::Ended, _) => {}
            (_, Incoming::Reconnect { host, port }) => self.redirect(host, port, now),
            (Stage::SettingUp { .. }, message) => self.set_up(message, now),
            (_, Incoming::Ignored { extension, kind }) => self.unknown(extension, kind),
            (Stage::Opening { .. }, Incoming::OpenSuccess(success)) => self.opened(success, now),
            (Stage::Opening { .. }, Incoming::OpenError { request_id, code }) if request_id == self.last_request => {
                self.end(Some(Failure::OpenRefused { code }), now);
            }
            (Stage::Opening { early, .. }, message) => {
                if early.len() >= MAX_EARLY {
                    early.pop_front();
                }
                early.push_back(message);
            }
            (Stage::Open(_), message) => self.channel_message(message, now),
            (Stage::AwaitingRate { .. } | Stage::Reopening { .. }, message) => {
                debug!(message = message.name(), "message for no channel ignored");
            }
        }
    }

    fn set_up(&mut self, message: Incoming, now: Instant) {
        match message {
            Incoming::SetupSuccess { used_version: VERSION, flags } => {
                let ours = self.profile.setup.flags;
                // Some pools say our own flags back, which means nothing (S4).
                let echo = flags == ours && ours & FIRST_FLAG != 0;
                self.fixed_version = flags & FIRST_FLAG != 0 && !echo;
                self.phase_over(format!("version {VERSION}, flags 0x{flags:08x}"), Some(PhaseName::OpenChannel), now);
                self.stage = Stage::AwaitingRate { by: now + self.limits.hash_rate };
                self.open_when_rate_is_known(now);
            }
            Incoming::SetupSuccess { used_version, .. } => self.end(Some(Failure::Version(used_version)), now),
            Incoming::SetupError { flags, code } => self.end(Some(Failure::SetupRefused { code, flags }), now),
            other => self.violation(&format!("{} before the answer to SetupConnection", other.name()), now),
        }
    }

    fn open_when_rate_is_known(&mut self, now: Instant) {
        if let Stage::AwaitingRate { .. } = self.stage
            && let Some(rate) = self.rate.first(now)
        {
            self.open(rate, now);
        }
    }

    fn open(&mut self, rate: HashRate, now: Instant) {
        self.last_request += 1;
        self.outbox.push_back(Outgoing::Open {
            request_id: self.last_request,
            user: self.profile.user.clone(),
            hash_rate: on_the_wire(rate),
            max_target: self.limits.max_target,
            min_extranonce_size: self.limits.min_extranonce_size,
        });
        self.stage = Stage::Opening { by: now + self.limits.open, early: VecDeque::new() };
    }

    fn opened(&mut self, success: OpenSuccess, now: Instant) {
        if success.request_id != self.last_request {
            debug!(request_id = success.request_id, "answer to a request that was never made ignored");
            return;
        }
        let channel_id = success.channel_id;
        let channel = match Channel::new(success, &self.profile, self.fixed_version, now) {
            Ok(channel) if self.extranonce_size.is_none_or(|size| size == channel.extranonce_size()) => channel,
            refused => {
                let why = refused.err().unwrap_or_else(|| "another extranonce size than the channel before it".into());
                self.outbox.push_back(Outgoing::Close { channel_id, reason: "unusable-channel" });
                self.end(Some(Failure::Unusable { why }), now);
                return;
            }
        };
        let extranonce_size = channel.extranonce_size();
        let early = match std::mem::replace(&mut self.stage, Stage::Open(Box::new(channel))) {
            Stage::Opening { early, .. } => early,
            _ => VecDeque::new(),
        };
        if self.extranonce_size.replace(extranonce_size).is_none() {
            let detail = format!("channel {channel_id}, {extranonce_size} bytes of extranonce");
            self.phase_over(detail, Some(PhaseName::FirstJob), now);
            self.event(ConnectionEvent::Opened { extranonce_size });
        }
        self.tell_facts();
        for message in early {
            self.message(message, now);
        }
    }

    fn redirect(&mut self, host: String, port: u16, now: Instant) {
        let parsed = host.parse::<Host>();
        let ours = self.profile.setup.host.parse::<Host>();
        let allowed = match (&parsed, &ours) {
            _ if host.is_empty() => true,
            (Ok(new), Ok(ours)) => !new.is_loopback() || ours.is_loopback(),
            _ => false,
        };
        let closing = matches!(&self.stage, Stage::Open(channel) if channel.is_closing());
        if !allowed || closing {
            debug!(host, port, "request to connect elsewhere ignored");
            return;
        }
        let redirect = Some((host.clone(), port));
        self.finish(Some(Failure::Redirected { host, port }), redirect, now);
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
        let mut events = Vec::new();
        while let Some(share) = self.queue.pop() {
            if let Some(message) = channel.submit(&share, now, &mut events) {
                self.actions.push(Action::Send(Outgoing::Share(message)));
                events.push(ConnectionEvent::Sent { share: share.id });
                break;
            }
            events.push(ConnectionEvent::NotSent { share: share.id, reason: DropReason::Stale });
        }
        self.actions.extend(events.into_iter().map(Action::Event));
    }

    fn close(&mut self, now: Instant) {
        match &mut self.stage {
            Stage::Open(channel) => channel.close_by(now + self.limits.drain),
            _ => self.end(None, now),
        }
    }

    /// The nearest deadline.
    fn next_due(&self) -> Option<(Instant, Due)> {
        let bring_up = (self.bring_up_by, Due::BringUp);
        let candidates = match &self.stage {
            Stage::SettingUp { by } => vec![(*by, Due::SetupAnswer), bring_up],
            Stage::AwaitingRate { by } => vec![(*by, Due::HashRate), bring_up],
            Stage::Opening { by, .. } if self.extranonce_size.is_none() => vec![(*by, Due::OpenAnswer), bring_up],
            Stage::Opening { by, .. } => vec![(*by, Due::OpenAnswer)],
            Stage::Reopening { at } => vec![(*at, Due::Reopen)],
            Stage::Ended => Vec::new(),
            Stage::Open(channel) => {
                let idle = match self.probed_at {
                    None => (self.last_inbound + self.limits.soft_idle, Due::Probe),
                    Some(at) if channel.has_pending() => (at + self.limits.probe, Due::Silence),
                    Some(_) => (self.last_inbound + self.limits.hard_idle, Due::Silence),
                };
                let mut due = channel.due(&self.limits, self.queue.is_empty());
                due.push(idle);
                due.extend(self.queue.deadline().map(|at| (at, Due::Queue)));
                due.extend(self.rate.deadline().map(|at| (at, Due::TellRate)));
                due
            }
        };
        candidates.into_iter().min_by_key(|(at, _)| *at)
    }

    /// A deadline passed.
    fn pass(&mut self, due: Due, now: Instant) {
        let limits = self.limits;
        let failure = match due {
            Due::SetupAnswer => Failure::Mute { step: "SetupConnection", deadline: limits.setup },
            Due::OpenAnswer => Failure::Mute { step: "OpenExtendedMiningChannel", deadline: limits.open },
            Due::BringUp => Failure::BringUp(limits.bring_up),
            Due::HashRate => Failure::NoHashRate(limits.hash_rate),
            Due::FirstJob => Failure::NoFirstJob(limits.first_job),
            Due::JobForTip => Failure::NoJobForTip,
            Due::NewJob => Failure::NoNewJob(limits.same_job),
            Due::Silence => Failure::Silent(now.saturating_duration_since(self.last_inbound)),
            Due::Reopen => {
                let rate = self.rate.first(now).unwrap_or_default();
                return self.open(rate, now);
            }
            Due::Probe => {
                self.probed_at = Some(now);
                return self.update_channel(self.rate.told());
            }
            Due::TellRate => {
                let rate = self.rate.due(now);
                self.update_channel(rate);
                return self.tell_facts();
            }
            Due::Verdicts => return self.expire_verdicts(now),
            Due::Queue => {
                for share in self.queue.expire(now) {
                    self.not_sent(&share, DropReason::Suppressed);
                }
                return;
            }
            Due::Drained => {
                if let Stage::Open(channel) = &self.stage {
                    self.outbox.push_back(Outgoing::Close { channel_id: channel.id(), reason: "shutdown" });
                }
                return self.end(None, now);
            }
        };
        self.end(Some(failure), now);
    }

    fn update_channel(&mut self, rate: Option<HashRate>) {
        if let (Stage::Open(channel), Some(rate)) = (&self.stage, rate) {
            self.outbox.push_back(Outgoing::Update {
                channel_id: channel.id(),
                hash_rate: on_the_wire(rate),
                max_target: self.limits.max_target,
            });
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
        self.finish(failure, None, now);
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
}
