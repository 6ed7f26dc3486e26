//! The rules of stratum-client 1.3 to 1.12, one or more tests each, on invented messages.

mod bring_up;
mod end;
mod extensions;
mod hostile;
mod jobs;
mod ledger;
mod shares;

use super::*;
use crate::{
    job::{BIP320_MASK, JobHandle, extranonce::Extranonce},
    pool::{
        FailureKind, Recovery, Verdict,
        sv2::message::{NewJob, NewTip, Share},
    },
};
use bytes::Bytes;
use mujina_core::{id::ShareId, share::RejectReason, units::ShareTarget};
use std::time::Duration;

const CHANNEL: u32 = 2;
const GROUP: u32 = 1;

/// A session, its clock, and a pool's lines to it.
struct World {
    session: Session,
    now: Instant,
    wall: Option<u32>,
    shares: u64,
}

impl World {
    /// SetupConnection was sent.
    fn new() -> Self {
        Self::with_flags(0)
    }

    fn with_flags(flags: u32) -> Self {
        let mut profile = profile();
        profile.setup.flags = flags;
        Self::with(profile)
    }

    /// The operator wants these extensions.
    fn wanting(extensions: &[u16]) -> Self {
        Self::with(Profile { extensions: extensions.to_vec(), ..profile() })
    }

    /// The operator allows these version bits.
    fn rolling(version_mask: u32) -> Self {
        Self::with(Profile { version_mask, ..profile() })
    }

    fn with(profile: Profile) -> Self {
        let (now, limits) = (Instant::now(), Limits::default());
        let rate = Some(HashRate::from_megahashes_per_second(1.0));
        let bring_up_by = now + limits.bring_up;
        let session = Session::new(profile, limits, ConnectionFacts::default(), rate, bring_up_by, now);
        let mut world = Self { session, now, wall: None, shares: 0 };
        assert!(matches!(world.sent().as_slice(), [Outgoing::Setup(_)]));
        world
    }

    /// The channel was asked for.
    fn opening() -> Self {
        let mut world = Self::new();
        world.hear(set_up());
        assert!(matches!(world.sent().as_slice(), [Outgoing::Open { request_id: 1, .. }]));
        world
    }

    /// The channel is open.
    fn open() -> Self {
        let mut world = Self::opening();
        world.hear(opened());
        world
    }

    /// There is a job, 10, on tip 1.
    fn working() -> (Self, Job) {
        let mut world = Self::open();
        world.hear(job(10, None));
        let job = only_job(world.hear(tip(10, 1)));
        (world, job)
    }

    fn act(&mut self, input: Input) -> Vec<Action> {
        self.session.handle(input, self.now, self.wall)
    }

    fn hear(&mut self, message: Incoming) -> Vec<Action> {
        self.act(Input::Message(message))
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
            let before = sent.len();
            sent.extend(actions.into_iter().filter_map(|action| match action {
                Action::Send(message) => Some(message),
                _ => None,
            }));
            if sent.len() == before {
                break;
            }
        }
        sent
    }

    fn sent_shares(&mut self) -> Vec<Share> {
        let sent = self.sent().into_iter();
        sent.filter_map(|message| if let Outgoing::Share(share) = message { Some(share) } else { None }).collect()
    }
}

fn profile() -> Profile {
    let setup = Setup {
        flags: 0,
        host: "pool.example".into(),
        port: 34254,
        vendor: "Mujina".into(),
        hardware_version: "cpu".into(),
        firmware: "0".into(),
    };
    Profile {
        connection: ConnectionId(9),
        setup,
        user: "user".into(),
        version_mask: BIP320_MASK,
        extensions: Vec::new(),
        worker: Some("rig".into()),
        connect_time: Duration::from_millis(40),
        may_redirect: true,
    }
}

fn set_up() -> Incoming {
    Incoming::SetupSuccess { used_version: 2, flags: 0 }
}

fn grant() -> OpenSuccess {
    OpenSuccess {
        request_id: 1,
        channel_id: CHANNEL,
        share_target: ShareTarget::MAX,
        extranonce_size: 8,
        extranonce_prefix: Bytes::from_static(&[1; 4]),
        group_channel_id: GROUP,
    }
}

fn opened() -> Incoming {
    Incoming::OpenSuccess(grant())
}

fn template(job_id: u32, min_ntime: Option<u32>) -> NewJob {
    NewJob {
        channel_id: CHANNEL,
        job_id,
        min_ntime,
        version: 0x2000_0000,
        version_rolling_allowed: true,
        merkle_path: vec![[5; 32]],
        coinbase_tx_prefix: Bytes::from_static(&[2, 0, 0, 0, 1, 0, 9]),
        coinbase_tx_suffix: Bytes::from_static(&[8; 50]),
    }
}

fn job(job_id: u32, min_ntime: Option<u32>) -> Incoming {
    Incoming::NewJob(template(job_id, min_ntime))
}

fn tip(job_id: u32, tip: u8) -> Incoming {
    let prev_hash = [tip; 32];
    Incoming::NewTip(NewTip { channel_id: GROUP, job_id, prev_hash, min_ntime: 1000, nbits: 0x1d00_ffff })
}

fn target(expected_hashes: f64) -> ShareTarget {
    ShareTarget::from_expected_hashes(expected_hashes)
}

fn jobs(actions: Vec<Action>) -> Vec<Job> {
    let jobs = actions.into_iter();
    jobs.filter_map(|action| if let Action::Job(job) = action { Some(*job) } else { None }).collect()
}

fn only_job(actions: Vec<Action>) -> Job {
    let mut jobs = jobs(actions);
    assert_eq!(jobs.len(), 1);
    jobs.remove(0)
}

fn events(actions: Vec<Action>) -> Vec<ConnectionEvent> {
    let events = actions.into_iter();
    events.filter_map(|action| if let Action::Event(event) = action { Some(event) } else { None }).collect()
}

fn verdicts(actions: Vec<Action>) -> Vec<(u64, Verdict)> {
    let judged = events(actions).into_iter();
    judged
        .filter_map(|event| match event {
            ConnectionEvent::Judged { share, verdict, .. } => Some((share.0, verdict)),
            _ => None,
        })
        .collect()
}

fn not_sent(actions: Vec<Action>) -> Vec<(u64, DropReason)> {
    let dropped = events(actions).into_iter();
    dropped
        .filter_map(|event| match event {
            ConnectionEvent::NotSent { share, reason } => Some((share.0, reason)),
            _ => None,
        })
        .collect()
}

fn failure(actions: Vec<Action>) -> Option<(FailureKind, Recovery)> {
    let mut ends = actions.into_iter().filter_map(|action| match action {
        Action::End { failure, .. } => Some(failure.map(|failure| failure.report(None))),
        _ => None,
    });
    let end = ends.next().expect("an end").map(|failure| (failure.kind, failure.recovery));
    assert!(ends.next().is_none());
    end
}

fn has_ended(actions: &[Action]) -> bool {
    actions.iter().any(|action| matches!(action, Action::End { .. }))
}

fn is_cleared(actions: &[Action]) -> bool {
    actions.iter().any(|action| matches!(action, Action::Event(ConnectionEvent::Cleared { .. })))
}
