//! Bytes as a script of everything that can happen to a session, held against the laws of a connection.

use super::*;
use crate::pool::fuzzing::{self, Audit, Script};
use crate::pool::sv2::message::encode;
use std::collections::VecDeque;

const TARGET: &str = "sv2_session";

/// Kinds of step; what is not named below is time or the writer, so that these are frequent.
mod step {
    pub(super) const SET_UP: u8 = 0;
    pub(super) const OPENED: u8 = 1;
    pub(super) const JOB: u8 = 2;
    pub(super) const TIP: u8 = 3;
    pub(super) const TARGET: u8 = 4;
    pub(super) const PREFIX: u8 = 5;
    pub(super) const GROUP: u8 = 6;
    pub(super) const ACCEPTED: u8 = 7;
    pub(super) const REFUSED: u8 = 8;
    pub(super) const CLOSED: u8 = 9;
    pub(super) const RECONNECT: u8 = 10;
    pub(super) const EXTENSIONS: u8 = 11;
    pub(super) const OTHER: u8 = 12;
    pub(super) const RATE: u8 = 13;
    pub(super) const LEAVE: u8 = 14;
    pub(super) const SHARE: u8 = 15;
    pub(super) const WRITABLE: u8 = 18;
    pub(super) const TIME: u8 = 21;
    pub(super) const KINDS: u8 = 24;
}

#[test]
fn session_keeps_the_laws_of_a_connection_whatever_happens() {
    bolero::check!(name = TARGET).with_iterations(1000).with_max_len(2048).for_each(|input: &[u8]| {
        play(input);
    });
}

#[test]
fn corpus_has_something_of_every_kind() {
    let mut seen = std::collections::BTreeSet::new();
    fuzzing::replay(file!(), TARGET, |input| seen.extend(play(input).seen));
    for kind in [
        "phase",
        "opened",
        "facts",
        "job",
        "cleared",
        "sent",
        "not sent",
        "accepted",
        "rejected",
        "lost",
        "reclassified",
        "end",
    ] {
        assert!(seen.contains(kind), "no {kind} in the corpus");
    }
}

/// Plays a script to its end and then ends the session.
fn play(input: &[u8]) -> Audit {
    let mut script = Script::new(input);
    let mut world = Fuzzed::new(&mut script);
    while !world.audit.has_ended()
        && let Some(step) = script.step(step::KINDS)
    {
        let next = world.next(step, &mut script);
        world.act(next);
        world.check_bounds();
    }
    if !world.audit.has_ended() {
        world.act(Input::Failed(Failure::Aborted));
    }
    assert!(world.audit.has_ended());
    assert!(world.session.take_outbox().iter().all(|message| matches!(message, Outgoing::Close { .. })));
    for after in [Input::Tick, Input::Writable, Input::Message(set_up()), Input::Message(job(1, Some(1))), Input::Close]
    {
        assert!(world.session.handle(after, world.now, None).is_empty());
    }
    assert!(world.session.deadline().is_none() && !world.session.has_outgoing());
    world.audit
}

struct Fuzzed {
    session: Session,
    audit: Audit,
    now: Instant,
    wall: Option<u32>,
    /// Since when the writer has taken nothing although there was something.
    blocked: Duration,
    shares: u64,
    /// The newest jobs, the one that is hashed last.
    jobs: VecDeque<Job>,
    last_sequence: u32,
    opens: u32,
}

impl Fuzzed {
    fn new(script: &mut Script<'_>) -> Self {
        let begin = script.byte();
        let limits = Limits {
            share_queue: 8,
            pending_shares: 8,
            future_jobs: 3,
            past_jobs: 3,
            job_bytes: 2_000,
            ..Limits::default()
        };
        let mut profile = profile();
        profile.setup.flags = if begin & 1 == 0 { 0 } else { 4 };
        profile.extensions = if begin & 2 == 0 { Vec::new() } else { vec![2] };
        let rate = (begin & 4 == 0).then(|| HashRate::from_megahashes_per_second(1.0));
        let (now, wall) = (Instant::now(), (begin & 8 == 0).then_some(2_000));
        let session = Session::new(profile, limits, ConnectionFacts::default(), rate, now + limits.bring_up, now);
        let (audit, blocked) = (Audit::default(), Duration::ZERO);
        let jobs = VecDeque::new();
        let mut world = Self { session, audit, now, wall, blocked, shares: 0, jobs, last_sequence: 0, opens: 0 };
        // Most scripts begin where there is work.
        if begin < 0xc0 {
            world.drain();
            for message in [
                set_up(),
                Incoming::ExtensionsGranted { request_id: 1, extensions: vec![2] },
                opened(),
                job(10, None),
                tip(10, 1),
            ] {
                world.act(Input::Message(message));
                world.drain();
            }
        }
        world
    }

    /// Reads what happens next.
    fn next(&mut self, step: u8, script: &mut Script<'_>) -> Input {
        let channel_id = script.pick(&[CHANNEL, CHANNEL, CHANNEL, GROUP, 9]);
        Input::Message(match step {
            step::SET_UP if script.rarely(8) => {
                Incoming::SetupError { flags: 4, code: "unsupported-feature-flags".into() }
            }
            step::SET_UP => {
                Incoming::SetupSuccess { used_version: script.pick(&[2, 2, 2, 1]), flags: script.word() & 7 }
            }
            step::OPENED if script.rarely(16) => {
                Incoming::OpenError { request_id: script.pick(&[1, 2, 3]), code: "no".into() }
            }
            step::OPENED => Incoming::OpenSuccess(OpenSuccess {
                request_id: script.pick(&[1, 1, 2, 7]),
                channel_id: script.pick(&[CHANNEL, CHANNEL, GROUP]),
                share_target: self.share_target(script),
                extranonce_size: script.pick(&[8, 8, 8, 1, 32, 0, 33]),
                extranonce_prefix: Bytes::copy_from_slice(script.bytes(4)),
                group_channel_id: GROUP,
            }),
            step::JOB => Incoming::NewJob(NewJob {
                channel_id,
                min_ntime: if script.rarely(2) {
                    None
                } else {
                    Some(script.pick(&[0, 999, 1_000, 1_001, 9_201, u32::MAX]))
                },
                version: script.word(),
                version_rolling_allowed: !script.rarely(4),
                merkle_path: vec![[5; 32]; script.pick(&[0, 1, 12, 32, 33, 255])],
                coinbase_tx_prefix: Bytes::copy_from_slice(script.bytes(7)),
                coinbase_tx_suffix: vec![8; script.pick(&[0, 1, 100, 1_000, 60_000])].into(),
                ..template(u32::from(script.below(6)), None)
            }),
            step::TIP => Incoming::NewTip(NewTip {
                channel_id,
                job_id: script.below(6).into(),
                prev_hash: [script.below(3); 32],
                min_ntime: script.pick(&[0, 1_000, 1_001, 9_201, u32::MAX]),
                nbits: script.pick(&[0x1d00_ffff, 0x1700_0fff, 0x207f_ffff, 0, u32::MAX]),
            }),
            step::TARGET => Incoming::SetTarget { channel_id, share_target: self.share_target(script) },
            step::PREFIX => {
                let len = script.pick(&[0, 4, 4, 16, 24, 25]);
                Incoming::SetExtranoncePrefix { channel_id, prefix: Bytes::copy_from_slice(script.bytes(len)) }
            }
            step::GROUP => Incoming::SetGroupChannel {
                group_channel_id: script.pick(&[GROUP, 7, 8, CHANNEL]),
                channel_ids: vec![channel_id, 5, channel_id],
            },
            step::ACCEPTED => Incoming::SharesAccepted {
                channel_id: CHANNEL,
                last_sequence_number: self.sequence(script),
                count: script.pick(&[1, 1, 1, 2, 3, 0, 5, u32::MAX]),
                shares_sum: script.pick(&[0, 1, u64::MAX]),
            },
            step::REFUSED => Incoming::ShareRefused {
                channel_id: CHANNEL,
                sequence_number: self.sequence(script),
                code: script
                    .pick(&[
                        "stale-share",
                        "invalid-job-id",
                        "difficulty-too-low",
                        "duplicate-share",
                        "version-rolling-not-allowed",
                        "?",
                    ])
                    .into(),
            },
            step::CLOSED if script.rarely(4) => Incoming::CloseChannel { channel_id, reason: "maintenance".into() },
            step::RECONNECT if script.rarely(8) => {
                let host = script.pick(&["", "other.example", "127.0.0.1", "not a host", "::1"]);
                Incoming::Reconnect { host: host.into(), port: script.pick(&[0, 3333]) }
            }
            step::EXTENSIONS => {
                let request_id = u16::from(script.below(5));
                match script.below(4) {
                    0 => Incoming::ExtensionsRefused { request_id, required: vec![script.pick(&[2, 3])] },
                    1 => Incoming::EndpointChanged { channel_id },
                    _ => Incoming::ExtensionsGranted { request_id, extensions: vec![script.pick(&[2, 4])] },
                }
            }
            step::OTHER if script.rarely(3) => Incoming::UpdateRefused { channel_id, code: "max-target".into() },
            step::OTHER => Incoming::Ignored { extension: script.byte().into(), kind: script.byte() },
            step::RATE => {
                let rate = script.pick(&[0.0, 1.0, 1e3, 1e6, 3e6, 1e15]);
                return Input::HashRate((!script.rarely(8)).then(|| HashRate::from_hashes_per_second(rate)));
            }
            step::LEAVE if script.rarely(8) => return Input::Close,
            step::LEAVE if script.rarely(16) => return Input::Failed(Failure::Aborted),
            step::SHARE..step::WRITABLE => return self.share(script),
            step::WRITABLE..step::TIME => return Input::Writable,
            _ => return self.wait(script.time()),
        })
    }

    fn share_target(&self, script: &mut Script<'_>) -> ShareTarget {
        let easy = [ShareTarget::MAX, target(256.0), target(1e6), target(1e18), ShareTarget::from_be_bytes([0; 32])];
        script.pick(&easy)
    }

    /// A sequence number near those that were sent.
    fn sequence(&self, script: &mut Script<'_>) -> u32 {
        if script.rarely(32) { script.word() } else { (self.last_sequence + 2).saturating_sub(script.below(10).into()) }
    }

    /// A share of a job that was given out, or of none.
    fn share(&mut self, script: &mut Script<'_>) -> Input {
        self.shares += 1;
        let back = usize::from(script.below(4));
        let job = self.jobs.iter().rev().nth(back).or(self.jobs.back());
        let size = if script.rarely(16) { 3 } else { job.map_or(8, |job| usize::from(job.extranonce_size)) };
        let share = ShareSubmission {
            id: ShareId(self.shares),
            job: job.map_or_else(JobHandle::fresh, |job| job.handle),
            extranonce: Extranonce::new(&vec![7; size]).unwrap(),
            ntime: job.map_or(0, |job| job.min_ntime),
            nonce: 3,
            version: 0x2000_0000,
            block: script.rarely(8),
            hash: [script.byte(); 32],
            span: tracing::Span::none(),
        };
        self.audit.handed(share.id);
        Input::Share(share)
    }

    /// The clock moves on. A writer that is stuck for longer than its deadline has failed, so that nothing piles up.
    fn wait(&mut self, time: Duration) -> Input {
        self.blocked += time;
        if self.blocked > self.session.limits.write {
            self.drain();
        }
        self.now += time;
        self.wall = self.wall.map(|wall| wall.saturating_add(u32::try_from(time.as_secs()).unwrap()));
        Input::Tick
    }

    /// The writer takes all that there is.
    fn drain(&mut self) {
        for _ in 0..100 {
            if !self.session.has_outgoing() {
                self.blocked = Duration::ZERO;
                return;
            }
            self.act(Input::Writable);
        }
        panic!("there is no end of what the writer is given");
    }

    /// One step, and what must be true of it.
    fn act(&mut self, input: Input) {
        let writable = matches!(input, Input::Writable);
        let owed = writable && self.session.has_outgoing();
        let actions = self.session.handle(input, self.now, self.wall);
        assert!(!owed || !actions.is_empty(), "the writer was called for nothing");
        let (mut sends, mut sent_shares, mut sent_events) = (0, 0, 0);
        for action in actions {
            match action {
                Action::Send(message) => {
                    sends += 1;
                    self.blocked = Duration::ZERO;
                    sent_shares += u32::from(matches!(message, Outgoing::Share(_)));
                    self.sends(&message);
                }
                Action::Event(event) => {
                    sent_events += u32::from(matches!(event, ConnectionEvent::Sent { .. }));
                    self.audit.event(&event);
                }
                Action::Job(job) => {
                    self.audit.job(&job);
                    self.jobs.push_back(*job);
                    if self.jobs.len() > 8 {
                        self.jobs.pop_front();
                    }
                }
                Action::End { .. } => self.audit.end(),
            }
        }
        assert!(sends <= u32::from(writable), "sent without being asked");
        assert_eq!(sent_shares, sent_events);
        let deadline = self.session.deadline();
        assert!(deadline.is_none_or(|deadline| deadline > self.now), "a deadline that has passed is a busy loop");
        assert!(deadline.is_some() || self.audit.has_ended(), "nothing would ever end it");
    }

    fn sends(&mut self, message: &Outgoing) {
        encode(message).expect("what is sent can be sent");
        match message {
            Outgoing::Open { .. } => {
                self.opens += 1;
                assert!(self.opens <= 2, "a channel is opened again once");
                self.last_sequence = 0;
            }
            Outgoing::Share(share) => {
                assert_eq!(share.sequence_number, self.last_sequence + 1);
                self.last_sequence = share.sequence_number;
            }
            _ => {}
        }
    }

    fn check_bounds(&self) {
        let (session, limits) = (&self.session, &self.session.limits);
        assert!(session.queue.len() <= limits.share_queue);
        // The set-up, the newest of each request, two opens.
        assert!(session.outbox.len() <= 6, "{:?}", session.outbox);
        match &session.stage {
            Stage::Opening { early, .. } => {
                assert!(early.len() <= MAX_EARLY);
                assert!(early.iter().map(Incoming::size).sum::<usize>() <= limits.job_bytes);
            }
            Stage::Open(channel) => {
                assert!(channel.pending.len() <= limits.pending_shares);
                assert!(channel.pending.remembered() <= limits.pending_shares);
                let (jobs, bytes) = channel.jobs.kept();
                assert!(jobs <= limits.future_jobs + 2 * limits.past_jobs);
                assert!(bytes <= 2 * limits.job_bytes);
            }
            _ => {}
        }
    }
}

/// Writes the inputs that the corpus began with. What a fuzzer finds is added by hand.
#[test]
#[ignore = "writes into the source tree"]
fn corpus_is_written() {
    // From the first message on: set-up, extensions, channel, future job, its tip, a share, its verdict.
    let begin = [0xc2, step::SET_UP, 0, 0, 0, 0, 0, 0, 0, step::EXTENSIONS, 0, 1, 2, 0, step::WRITABLE, 0];
    let open = [&begin[..], &[step::OPENED, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4]].concat();
    let share = [step::SHARE, 0, 0, 0, 0, 0, step::WRITABLE, 0];
    let accept = |back: u8, count: u8| [step::ACCEPTED, 0, 0, back, count, 0];
    let refuse = |back: u8, code: u8| [step::REFUSED, 0, 0, back, code];
    let wait = |time: u8| [step::TIME, 0, time];
    let seeds = [
        ("bring_up", open.clone()),
        ("share_accepted", [&[0], &share[..], &accept(2, 0)].concat()),
        ("share_reclassified", [&[0], &share[..], &accept(2, 0), &refuse(2, 0)].concat()),
        ("batched_success_then_late_error", [&[0], &share[..], &share, &share, &accept(2, 3), &refuse(3, 3)].concat()),
        ("implausible_count", [&[0], &share[..], &accept(2, 7), &share, &accept(2, 7)].concat()),
        ("verdict_never_comes", [&[0], &share[..], &wait(8), &wait(9), &wait(9), &wait(9)].concat()),
        ("channel_closed_and_opened_again", [&[0], &share[..], &[step::CLOSED, 0, 1], &wait(5), &wait(1)].concat()),
        ("group_closed", [&[0], &share[..], &[step::CLOSED, 3, 1], &wait(5)].concat()),
        ("tip_without_job", [&[0][..], &[step::TIP, 0, 5, 2, 1, 0], &wait(7), &wait(6)].concat()),
        ("job_flood", [vec![0], [step::JOB, 0, 0, 2, 1, 0, 0, 0, 0, 1, 7, 7, 7, 7, 7, 7, 7, 1, 0].repeat(40)].concat()),
        ("tip_flood", [vec![0], [step::TIP, 0, 1, 1, 1, 0, step::TIP, 0, 1, 2, 1, 0].repeat(40)].concat()),
        ("endpoint_flood", [vec![2], [step::EXTENSIONS, 0, 0, 1].repeat(40)].concat()),
        ("queue_overflow", [vec![0], [step::SHARE, 0, 0, 0, 0, 0].repeat(20)].concat()),
        ("pending_overflow", [vec![0], share.repeat(20)].concat()),
        ("target_flaps", [vec![0], [step::TARGET, 0, 0, step::TARGET, 0, 3, step::TARGET, 0, 4].repeat(8)].concat()),
        ("prefix_too_long", vec![0, step::PREFIX, 0, 1, 1, 1, 1, step::PREFIX, 0, 5]),
        ("redirect", [&[0], &share[..], &[step::RECONNECT, 0, 1, 1, 1], &accept(2, 0), &wait(6)].concat()),
        ("close_in_order", [&[0], &share[..], &[step::LEAVE, 0, 1], &accept(2, 0), &wait(1)].concat()),
        ("rolling_refused", [&[0], &share.repeat(3)[..], &refuse(2, 4), &refuse(3, 4), &refuse(4, 4)].concat()),
    ];
    fuzzing::write(file!(), TARGET, &seeds);
}
