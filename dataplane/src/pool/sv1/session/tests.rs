//! The rules of stratum-client 3, one or more tests each, on lines as pools write them.

mod answers;
mod bring_up;
mod end;
mod jobs;
mod ledger;
mod shares;

use super::*;
use crate::{
    job::{BIP320_MASK, JobHandle, extranonce::Extranonce},
    pool::{
        FailureKind, Recovery, Verdict,
        sv1::message::{Submit, decode},
    },
};
use mujina_core::{id::ShareId, share::RejectReason, units::ShareTarget};
use serde_json::{Value, json};
use std::time::Duration;

/// The clock of every test, in Unix seconds; jobs begin a minute before.
const WALL: u64 = 1_800_000_000;

/// A session, its clock, and a pool's lines to it.
struct World {
    session: Session,
    now: Instant,
    shares: u64,
}

impl World {
    /// The three first questions are in the outbox.
    fn new() -> Self {
        Self::with(PoolOptions::default(), false, Limits::default())
    }

    fn with(options: PoolOptions, authenticated: bool, limits: Limits) -> Self {
        let profile = Profile {
            connection: ConnectionId(9),
            agent: "Mujina/1".into(),
            user: "alice".into(),
            password: "x".into(),
            options,
            home: "pool.example".parse().unwrap(),
            host: "now.pool.example".parse().unwrap(),
            authenticated,
            filler: Bytes::from_static(&[0xf0; 16]),
        };
        let now = Instant::now();
        let rate = Some(HashRate::from_megahashes_per_second(1.0));
        let bring_up_by = now + limits.bring_up;
        let session = Session::new(profile, limits, ConnectionFacts::default(), rate, bring_up_by, now);
        Self { session, now, shares: 0 }
    }

    /// The questions are sent.
    fn asked() -> Self {
        let mut world = Self::new();
        assert_eq!(world.sent().len(), 3);
        world
    }

    /// Version bits are granted, the subscription and the user are good; a difficulty was set that every hash meets.
    fn open() -> Self {
        Self::open_with(PoolOptions::default(), true)
    }

    fn open_with(options: PoolOptions, authenticated: bool) -> Self {
        let mut world = Self::with(options, authenticated, Limits::default());
        world.sent();
        world.answer(1, json!({"version-rolling": true, "version-rolling.mask": "1fffe000"}));
        world.answer(2, subscription());
        world.answer(3, json!(true));
        world.sent();
        world.call("mining.set_difficulty", json!([1e-9]));
        world
    }

    /// There is a job, `a`, on tip 1.
    fn working() -> (Self, Job) {
        let mut world = Self::open();
        let job = only_job(world.notify("a", 1, false));
        (world, job)
    }

    fn act(&mut self, input: Input) -> Vec<Action> {
        self.session.handle(input, self.now)
    }

    fn hear(&mut self, line: &Value) -> Vec<Action> {
        let message = decode(line.to_string().as_bytes()).unwrap();
        self.act(Input::Message { message, wall: WALL })
    }

    fn call(&mut self, method: &str, params: Value) -> Vec<Action> {
        let mut line = json!({"id": null, "method": method});
        line["params"] = params;
        self.hear(&line)
    }

    fn answer(&mut self, id: u64, result: Value) -> Vec<Action> {
        let mut line = json!({"id": id, "error": null});
        line["result"] = result;
        self.hear(&line)
    }

    fn refuse(&mut self, id: u64, error: Value) -> Vec<Action> {
        let mut line = json!({"id": id, "result": null});
        line["error"] = error;
        self.hear(&line)
    }

    fn notify(&mut self, job_id: &str, tip: u8, clean: bool) -> Vec<Action> {
        self.call("mining.notify", notify(job_id, tip, clean))
    }

    fn wait(&mut self, seconds: u64) -> Vec<Action> {
        self.now += Duration::from_secs(seconds);
        self.act(Input::Tick)
    }

    fn find(&mut self, job: &Job) -> Vec<Action> {
        let share = self.share(job, false);
        self.act(Input::Share(share))
    }

    fn share(&mut self, job: &Job, block: bool) -> ShareSubmission {
        self.shares += 1;
        ShareSubmission {
            id: ShareId(self.shares),
            job: job.handle,
            extranonce: Extranonce::new(&vec![7; job.extranonce_size.into()]).unwrap(),
            ntime: job.min_ntime,
            nonce: 3,
            version: job.version,
            block,
            hash: [0; 32],
            span: tracing::Span::none(),
        }
    }

    /// Everything that the writer can be given now.
    fn sent(&mut self) -> Vec<Outgoing> {
        let mut sent = Vec::new();
        while self.session.has_outgoing() {
            let actions = self.act(Input::Writable);
            sent.extend(actions.into_iter().filter_map(|action| match action {
                Action::Send(message) => Some(message),
                _ => None,
            }));
        }
        sent
    }

    fn submits(&mut self) -> Vec<Submit> {
        let is_submit = |message| if let Outgoing::Submit(submit) = message { Some(*submit) } else { None };
        self.sent().into_iter().filter_map(is_submit).collect()
    }

    /// Finds a share and says what was sent for it.
    fn submit(&mut self, job: &Job) -> Submit {
        self.find(job);
        self.submits().pop().expect("one share sent")
    }
}

fn subscription() -> Value {
    json!([[["mining.set_difficulty", "1"], ["mining.notify", "1"]], "01020304", 8])
}

/// Parameters of a job on an invented tip.
fn notify(job_id: &str, tip: u8, clean: bool) -> Value {
    let ntime = format!("{:08x}", WALL - 60);
    let branches = ["05".repeat(32)];
    json!([job_id, format!("{tip:02x}").repeat(32), "0200", "ffff", branches, "20000000", "1d00ffff", ntime, clean])
}

/// The same with one parameter changed.
fn changed(mut params: Value, at: usize, to: Value) -> Value {
    params[at] = to;
    params
}

fn jobs(actions: Vec<Action>) -> Vec<Job> {
    let job = |action| if let Action::Job(job) = action { Some(*job) } else { None };
    actions.into_iter().filter_map(job).collect()
}

fn only_job(actions: Vec<Action>) -> Job {
    let [job] = <[Job; 1]>::try_from(jobs(actions)).unwrap();
    job
}

fn events(actions: Vec<Action>) -> Vec<ConnectionEvent> {
    let event = |action| if let Action::Event(event) = action { Some(event) } else { None };
    actions.into_iter().filter_map(event).collect()
}

fn verdicts(actions: Vec<Action>) -> Vec<(u64, Verdict)> {
    let judged = |event| match event {
        ConnectionEvent::Judged { share, verdict, .. } => Some((share.0, verdict)),
        _ => None,
    };
    events(actions).into_iter().filter_map(judged).collect()
}

fn not_sent(actions: Vec<Action>) -> Vec<(u64, DropReason)> {
    let dropped = |event| match event {
        ConnectionEvent::NotSent { share, reason } => Some((share.0, reason)),
        _ => None,
    };
    events(actions).into_iter().filter_map(dropped).collect()
}

/// Why a session ended, and where the pool leads.
type Ending = (Option<Failure>, Option<(String, u16)>);

fn ended(actions: Vec<Action>) -> Option<Ending> {
    actions.into_iter().find_map(|action| match action {
        Action::End { failure, redirect } => Some((failure, redirect)),
        _ => None,
    })
}

/// Kind, recovery and words of the failure that a session ended with.
fn failed(actions: Vec<Action>) -> (FailureKind, Recovery, String) {
    let (failure, _) = ended(actions).expect("an end");
    let report = failure.expect("a failure").report(None);
    (report.kind, report.recovery, report.message)
}
