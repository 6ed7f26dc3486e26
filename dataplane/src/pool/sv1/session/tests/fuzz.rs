//! Bytes as a script of everything that can happen to a session, held against the laws of a connection. What the pool says
//! goes through the decoder, as lines.

use super::*;
use crate::pool::{
    fuzzing::{self, Audit, Script},
    sv1::message::Malformed,
};

const TARGET: &str = "sv1_session";

/// Kinds of step; what is not named below is time or the writer, so that these are frequent.
mod step {
    pub(super) const ANSWER: u8 = 0;
    pub(super) const SUBSCRIBED: u8 = 1;
    pub(super) const NOTIFY: u8 = 2;
    pub(super) const DIFFICULTY: u8 = 4;
    pub(super) const EXTRANONCE: u8 = 5;
    pub(super) const MASK: u8 = 6;
    pub(super) const RECONNECT: u8 = 7;
    pub(super) const OTHER: u8 = 8;
    pub(super) const VERDICT: u8 = 9;
    pub(super) const RATE: u8 = 12;
    pub(super) const LEAVE: u8 = 13;
    pub(super) const SHARE: u8 = 14;
    pub(super) const WRITABLE: u8 = 17;
    pub(super) const TIME: u8 = 20;
    pub(super) const KINDS: u8 = 23;
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
    for kind in
        ["phase", "opened", "facts", "job", "cleared", "sent", "not sent", "accepted", "rejected", "lost", "end"]
    {
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
    for after in [
        Input::Tick,
        Input::Writable,
        Input::Garbage,
        heard(&call("mining.notify", notify("z", 1, true))),
        Input::Close,
    ] {
        assert!(world.session.handle(after, world.now).is_empty());
    }
    assert!(world.session.deadline().is_none() && !world.session.has_outgoing());
    world.audit
}

/// A line of the pool, as the client makes an input of it.
fn heard(line: &Value) -> Input {
    match decode(line.to_string().as_bytes()) {
        Ok(message) => Input::Message { message, wall: WALL },
        Err(Malformed::Garbage(_)) => Input::Garbage,
        Err(error) => Input::Failed(error.into()),
    }
}

fn call(method: &str, params: Value) -> Value {
    let mut line = json!({"id": null, "method": method});
    line["params"] = params;
    line
}

struct Fuzzed {
    session: Session,
    audit: Audit,
    now: Instant,
    /// Since when the writer has taken nothing although there was something.
    blocked: Duration,
    shares: u64,
    /// The newest jobs, the one that is hashed last.
    jobs: VecDeque<Job>,
    /// Id of the newest request.
    last_id: u64,
}

impl Fuzzed {
    fn new(script: &mut Script<'_>) -> Self {
        let begin = script.byte();
        let limits = Limits { share_queue: 8, in_flight: 4, replies: 6, ..Limits::default() };
        let options = PoolOptions { no_suggest_difficulty: begin & 1 != 0, ..PoolOptions::default() };
        let World { mut session, now, shares } = World::with(options, begin & 2 != 0, limits);
        let actions = session.handle(Input::Tick, now);
        assert!(actions.is_empty());
        let (audit, blocked, jobs) = (Audit::default(), Duration::ZERO, VecDeque::new());
        let mut world = Self { session, audit, now, blocked, shares, jobs, last_id: 0 };
        // Most scripts begin where there is work.
        if begin < 0xc0 {
            world.drain();
            for line in [
                json!({"id": 1, "result": {"version-rolling": true, "version-rolling.mask": "1fffe000"}, "error": null}),
                json!({"id": 2, "result": subscription(), "error": null}),
                json!({"id": 3, "result": true, "error": null}),
                call("mining.set_difficulty", json!([1e-9])),
                call("mining.notify", notify("a", 1, true)),
            ] {
                world.act(heard(&line));
                world.drain();
            }
        }
        world
    }

    /// Reads what happens next.
    fn next(&mut self, step: u8, script: &mut Script<'_>) -> Input {
        match step {
            step::ANSWER => {
                let (id, error) = (script.below(8), refusal(script));
                heard(&json!({"id": id, "result": script.rarely(2), "error": error}))
            }
            step::SUBSCRIBED => {
                let size = script.pick(&[8, 8, 4, 0, 16, 17]);
                let extranonce1 = script.pick(&["01020304", "", "0102", "xx", "010"]);
                heard(&json!({"id": 2, "result": [null, extranonce1, size], "error": null}))
            }
            step::NOTIFY..step::DIFFICULTY => heard(&self.notify(script)),
            step::DIFFICULTY => {
                let difficulty = script.pick(&[1e-9, 0.5, 1.0, 65_536.0, 1e14, 0.0, -1.0, 1e300]);
                heard(&call("mining.set_difficulty", json!([difficulty])))
            }
            step::EXTRANONCE => {
                let extranonce1 = script.pick(&["0a0b0c0d", "0102", "", "zz"]);
                let size = [json!(8), json!(4), Value::Null, json!("8"), json!(2), json!(16)];
                let size = &size[usize::from(script.below(6))];
                heard(&call("mining.set_extranonce", json!([extranonce1, size])))
            }
            step::MASK => {
                let mask = script.pick(&["1fffe000", "00000000", "0x00ff0000", "ffffffff", "nonsense"]);
                heard(&call("mining.set_version_mask", json!([mask])))
            }
            step::RECONNECT if script.rarely(8) => {
                let host =
                    script.pick(&["", "pool.example", "evil.example", "127.0.0.1", "now.pool.example", "not a host"]);
                let wait = script.pick(&[0.0, 1.0, 1e9, -1.0]);
                heard(&call("client.reconnect", json!([host, script.pick(&[0, 3333]), wait])))
            }
            step::OTHER => match script.below(6) {
                0 => heard(&call("client.show_message", json!(["maintenance\u{1b}[31m"]))),
                1 => heard(&json!({"id": "ping", "method": "mining.ping", "params": []})),
                2 => heard(&json!({"id": 7, "method": "client.get_version"})),
                3 => heard(&json!({"id": 8, "method": "mining.invented", "params": [1]})),
                4 => heard(&call("mining.invented", Value::Null)),
                _ => Input::Garbage,
            },
            step::VERDICT..step::RATE => {
                let id = if script.rarely(32) {
                    u64::from(script.word())
                } else {
                    (self.last_id + 1).saturating_sub(script.below(8).into())
                };
                let (result, error) = (script.pick(&[true, true, false]), refusal(script));
                match script.below(3) {
                    0 => heard(&json!({"id": id, "result": result, "error": error})),
                    1 => heard(&json!({"id": id.to_string(), "result": result})),
                    _ => heard(&json!({"id": id, "error": error})),
                }
            }
            step::RATE => {
                let rate = script.pick(&[0.0, 1.0, 1e3, 1e6, 3e6, 1e15]);
                Input::HashRate((!script.rarely(8)).then(|| HashRate::from_hashes_per_second(rate)))
            }
            step::LEAVE if script.rarely(8) => Input::Close,
            step::LEAVE if script.rarely(16) => Input::Failed(Failure::Aborted),
            step::SHARE..step::WRITABLE => self.share(script),
            step::WRITABLE..step::TIME => Input::Writable,
            _ => self.wait(script.time()),
        }
    }

    fn notify(&self, script: &mut Script<'_>) -> Value {
        let (job_id, tip) = (script.pick(&["a", "b", "c"]), script.below(3));
        let mut params = notify(job_id, tip, script.rarely(3));
        match script.below(12) {
            0 => params[4] = json!(vec!["05".repeat(32); script.pick(&[0, 1, 32, 33])]),
            1 => params[5] = json!(script.pick(&["20000000", "3fffe000", "00000000"])),
            2 => params[6] = json!(script.pick(&["1700ffff", "00000000", "ffffffff"])),
            3 => params[7] = json!(script.pick(&["ffffffff", "00000000", "6b49d200"])),
            4 => params[2] = json!(hex::encode(script.bytes(4))),
            5 if script.rarely(16) => params = json!([job_id]),
            _ => {}
        }
        call("mining.notify", params)
    }

    /// A share of a job that was given out, or of none.
    fn share(&mut self, script: &mut Script<'_>) -> Input {
        self.shares += 1;
        let back = usize::from(script.below(4));
        let job = self.jobs.iter().rev().nth(back).or(self.jobs.back());
        let size = if script.rarely(16) { 3 } else { job.map_or(4, |job| usize::from(job.extranonce_size)) };
        let share = ShareSubmission {
            id: ShareId(self.shares),
            job: job.map_or_else(JobHandle::fresh, |job| job.handle),
            extranonce: Extranonce::new(&vec![7; size]).unwrap(),
            ntime: job.map_or(0, |job| job.min_ntime),
            nonce: 3,
            version: job.map_or(0, |job| job.version | (script.word() & job.version_mask)),
            block: script.rarely(8),
            hash: [0; 32],
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
        let actions = self.session.handle(input, self.now);
        assert!(!owed || !actions.is_empty(), "the writer was called for nothing");
        let (mut sends, mut submits, mut sent_events) = (0, 0, 0);
        for action in actions {
            match action {
                Action::Send(message) => {
                    sends += 1;
                    self.blocked = Duration::ZERO;
                    submits += u32::from(matches!(message, Outgoing::Submit(_)));
                    self.sends(&message);
                }
                Action::Event(event) => {
                    sent_events += u32::from(matches!(event, ConnectionEvent::Sent { .. }));
                    self.audit.event(&event);
                }
                Action::Job(job) => {
                    self.audit.job(&job);
                    assert_eq!(job.version & job.version_mask, 0, "bits of the pool are never cleared (V16)");
                    self.jobs.push_back(*job);
                    if self.jobs.len() > 8 {
                        self.jobs.pop_front();
                    }
                }
                Action::End { .. } => self.audit.end(),
            }
        }
        assert!(sends <= u32::from(writable), "sent without being asked");
        assert_eq!(submits, sent_events);
        let deadline = self.session.deadline();
        assert!(deadline.is_none_or(|deadline| deadline > self.now), "a deadline that has passed is a busy loop");
        assert!(deadline.is_some() || self.audit.has_ended(), "nothing would ever end it");
    }

    /// What is sent is one line of JSON, and its id is above all before it.
    fn sends(&mut self, message: &Outgoing) {
        let line = message.line("Mujina/1");
        assert_eq!(line.iter().position(|byte| *byte == b'\n'), Some(line.len() - 1));
        let said: Value = serde_json::from_slice(&line).expect("a line of JSON");
        if !matches!(message, Outgoing::Reply { .. }) {
            let id = said["id"].as_u64().expect("a number");
            assert!(id > self.last_id || !matches!(message, Outgoing::Submit(_)));
            self.last_id = self.last_id.max(id);
        }
        if let Outgoing::Submit(submit) = message {
            let size = self.session.facts.extranonce_size;
            assert!(submit.extranonce2.len() <= 16 && size <= 16);
        }
    }

    fn check_bounds(&self) {
        let (session, limits) = (&self.session, &self.session.limits);
        assert!(session.queue.len() <= limits.share_queue);
        // Answers to the pool are bounded; beside them the first questions, one wish of each kind, one authorisation.
        assert!(session.outbox.len() <= limits.replies + 6, "{:?}", session.outbox);
        assert!(session.asked.len() <= 16);
        if let Stage::Open(channel) = &session.stage {
            assert!(channel.in_flight() <= limits.in_flight);
            assert!(channel.jobs.kept() <= 16);
        }
    }
}

/// The `error` of an answer: none most of the time.
fn refusal(script: &mut Script<'_>) -> Value {
    match script.below(12) {
        0 => json!([21, "Job not found", null]),
        1 => json!([23, "Low difficulty share", ""]),
        2 => json!({"code": 22, "message": "duplicate share"}),
        3 => json!("Stale"),
        4 => json!([24, "Unauthorized worker", null]),
        5 if script.rarely(8) => json!([25, "Not subscribed", null]),
        _ => Value::Null,
    }
}

/// Writes the inputs that the corpus began with. What a fuzzer finds is added by hand.
#[test]
#[ignore = "writes into the source tree"]
fn corpus_is_written() {
    let share = [step::SHARE, 0, 0, 0, 0, 0, 0, 0, step::WRITABLE];
    let verdict = |result: u8, error: u8| [step::VERDICT, 0, 1, result, error, 0];
    let notify = |id: u8, tip: u8, clean: u8| [step::NOTIFY, id, tip, clean, 11];
    let wait = |time: u8| [step::TIME, time];
    let seeds = [
        (
            "bring_up",
            vec![
                0xc0,
                step::WRITABLE,
                step::WRITABLE,
                step::WRITABLE,
                step::SUBSCRIBED,
                0,
                0,
                step::DIFFICULTY,
                0,
                step::NOTIFY,
                0,
                1,
                0,
                11,
            ],
        ),
        ("early_notify", [&[0xc0, step::NOTIFY, 0, 1, 0, 11, step::SUBSCRIBED, 0, 0][..], &wait(5), &wait(5)].concat()),
        ("subscription_without_room", vec![0xc0, step::SUBSCRIBED, 3, 0]),
        ("share_accepted", [&[0], &share[..], &verdict(0, 11)].concat()),
        ("share_refused", [&[0], &share[..], &verdict(0, 0), &share, &verdict(2, 11)].concat()),
        ("verdicts_late", [&[0], &share.repeat(3)[..], &wait(8), &notify(1, 1, 0), &wait(8), &wait(8)].concat()),
        ("in_flight_full", [vec![0], share.repeat(12)].concat()),
        ("queue_overflow", [vec![0], [step::SHARE, 0, 0, 0, 0, 0, 0, 0].repeat(20)].concat()),
        (
            "low_difficulty_again_and_again",
            [vec![0, step::DIFFICULTY, 1], share.repeat(3), verdict(0, 1).repeat(3)].concat(),
        ),
        ("unauthorized", [&[0], &share[..], &verdict(0, 4), &wait(8), &share, &verdict(0, 4)].concat()),
        ("same_id_other_content", [&[0][..], &[step::NOTIFY, 0, 1, 0, 4, 1, 2, 3, 4], &share].concat()),
        ("job_flood", [vec![0], [notify(1, 1, 0), notify(2, 1, 0)].concat().repeat(30)].concat()),
        ("tip_flood", [vec![0], [notify(1, 1, 1), notify(2, 2, 1)].concat().repeat(30)].concat()),
        ("unusable_job_voids", [&[0], &share[..], &[step::NOTIFY, 0, 2, 1, 3, 0]].concat()),
        (
            "extranonce_changes",
            [&[0, step::EXTRANONCE, 0, 0][..], &notify(1, 1, 0), &share, &[step::EXTRANONCE, 0, 4]].concat(),
        ),
        ("mask_shrinks", [&[0], &share[..], &[step::MASK, 1], &share, &[step::MASK, 3]].concat()),
        ("reconnect", [&[0], &share[..], &[step::RECONNECT, 1, 0, 1, 1], &verdict(0, 11), &wait(5), &wait(5)].concat()),
        ("close_in_order", [&[0], &share[..], &[step::LEAVE, 1], &verdict(0, 11)].concat()),
        ("questions_of_the_pool", [vec![0], [step::OTHER, 1, step::OTHER, 2, step::OTHER, 3].repeat(10)].concat()),
        ("garbage", [vec![0], [step::OTHER, 5].repeat(10)].concat()),
    ];
    fuzzing::write(file!(), TARGET, &seeds);
}
