//! The rules of stratum-client 1.3 to 1.12, one or more tests each, on invented messages.

mod ledger;

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
    shares: u64,
}

impl World {
    /// SetupConnection was sent.
    fn new() -> Self {
        Self::with_flags(0)
    }

    fn with_flags(flags: u32) -> Self {
        let setup = Setup {
            flags,
            host: "pool.example".into(),
            port: 34254,
            vendor: "Mujina".into(),
            hardware_version: "cpu".into(),
            firmware: "0".into(),
        };
        let profile = Profile { connection: ConnectionId(9), setup, user: "user".into() };
        let (now, limits) = (Instant::now(), Limits::default());
        let rate = Some(HashRate::from_megahashes_per_second(1.0));
        let bring_up_by = now + limits.bring_up;
        let session = Session::new(profile, limits, ConnectionFacts::default(), rate, bring_up_by, now);
        let mut world = Self { session, now, shares: 0 };
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
        self.session.handle(input, self.now)
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

// S1, S7
#[test]
fn anything_before_the_answer_to_setup_is_a_violation() {
    for message in [job(1, None), opened(), Incoming::Ignored { extension: 0, kind: 0x2f }] {
        let end = failure(World::new().hear(message));
        assert_eq!(end, Some((FailureKind::Protocol, Recovery::Retry)));
    }
}

// S4
#[test]
fn other_protocol_version_is_refused() {
    let end = failure(World::new().hear(Incoming::SetupSuccess { used_version: 3, flags: 0 }));
    assert_eq!(end, Some((FailureKind::Refused, Recovery::Park)));
}

// S4, J11
#[test]
fn fixed_version_flag_stops_all_rolling_unless_it_echoes_ours() {
    for (ours, theirs, mask) in [(0, 1, 0), (0, 0x83, 0), (0, 2, BIP320_MASK), (1, 1, BIP320_MASK), (1, 3, 0)] {
        let mut world = World::with_flags(ours);
        world.hear(Incoming::SetupSuccess { used_version: 2, flags: theirs });
        world.hear(opened());
        world.hear(job(1, None));
        let job = only_job(world.hear(tip(1, 1)));
        assert_eq!(job.version_mask, mask, "ours {ours} theirs {theirs}");
    }
}

// S5, S6
#[test]
fn refused_setup_and_channel_park_the_pool_whatever_the_code() {
    let park = Some((FailureKind::Refused, Recovery::Park));
    assert_eq!(failure(World::new().hear(Incoming::SetupError { flags: 0, code: "maintenance".into() })), park);
    let refusal = |request_id| Incoming::OpenError { request_id, code: "unknown-user".into() };
    let mut world = World::opening();
    assert!(!has_ended(&world.hear(refusal(7)))); // C1
    assert_eq!(failure(world.hear(refusal(1))), park);
}

// S8, R1
#[test]
fn reconnect_is_honoured_in_every_stage() {
    for mut world in [World::new(), World::opening(), World::open(), World::working().0] {
        let actions = world.hear(Incoming::Reconnect { host: "other.example".into(), port: 7 });
        let Some(Action::End { failure: Some(failure), redirect }) = actions.last() else { panic!("{actions:?}") };
        assert_eq!(failure.report(None).kind, FailureKind::Redirected);
        assert_eq!(*redirect, Some(("other.example".into(), 7)));
    }
}

// R3
#[test]
fn reconnect_to_loopback_or_nonsense_is_ignored() {
    for host in ["127.0.0.1", "::1", "a b", "0x7f000001"] {
        let (mut world, _) = World::working();
        assert!(!has_ended(&world.hear(Incoming::Reconnect { host: host.into(), port: 0 })), "{host}");
    }
}

// N9
#[test]
fn mute_pool_is_given_up_at_every_step() {
    let mute = Some((FailureKind::Mute, Recovery::Retry));
    for (mut world, seconds) in [(World::new(), 10), (World::opening(), 10), (World::open(), 60)] {
        assert!(!has_ended(&world.wait(seconds - 1)));
        assert_eq!(world.session.deadline(), Some(world.now + Duration::from_secs(1)));
        assert_eq!(failure(world.wait(1)), mute);
        assert_eq!(world.session.deadline(), None);
    }
}

// C3
#[test]
fn channel_waits_for_a_hash_rate_and_gives_up() {
    let mut world = World::new();
    world.session.rate = ToldRate::new(None);
    world.hear(set_up());
    assert_eq!(world.sent(), []);
    world.wait(5);
    world.act(Input::HashRate(Some(HashRate::ZERO)));
    assert_eq!(world.sent(), []);
    world.act(Input::HashRate(Some(HashRate::from_hashes_per_second(5e5))));
    let sent = world.sent();
    let [Outgoing::Open { hash_rate, max_target, min_extranonce_size: 4, .. }] = sent.as_slice() else {
        panic!("{sent:?}")
    };
    assert_eq!((*hash_rate, *max_target), (5e5, ShareTarget::MAX)); // C4, C5

    let mut world = World::new();
    world.session.rate = ToldRate::new(None);
    world.hear(set_up());
    assert_eq!(failure(world.wait(10)), Some((FailureKind::Aborted, Recovery::Retry)));
}

// C1, D18
#[test]
fn answers_to_other_requests_and_second_answers_are_ignored() {
    let mut world = World::opening();
    assert!(events(world.hear(Incoming::OpenSuccess(OpenSuccess { request_id: 5, ..grant() }))).is_empty());
    assert!(!events(world.hear(opened())).is_empty());
    let again = world.hear(Incoming::OpenSuccess(OpenSuccess { channel_id: 77, ..grant() }));
    assert!(again.is_empty());
}

// C6, C7, T4
#[test]
fn every_usable_grant_is_taken_and_every_other_refused() {
    for size in [1, 3, 4, 16, 28] {
        let mut world = World::opening();
        let told = events(world.hear(Incoming::OpenSuccess(OpenSuccess { extranonce_size: size, ..grant() })));
        let is_told = |event: &ConnectionEvent| matches!(event, ConnectionEvent::Opened { extranonce_size } if u16::from(*extranonce_size) == size);
        assert!(told.iter().any(is_told), "{size}");
    }
    let zero = ShareTarget::from_be_bytes([0; 32]);
    let bad = [
        OpenSuccess { extranonce_size: 0, ..grant() },
        OpenSuccess { extranonce_size: 29, ..grant() },
        OpenSuccess { extranonce_size: 33, extranonce_prefix: Bytes::new(), ..grant() },
        OpenSuccess { extranonce_size: 256 + 8, ..grant() },
        OpenSuccess { share_target: zero, ..grant() },
        OpenSuccess { group_channel_id: CHANNEL, ..grant() },
    ];
    for grant in bad {
        let mut world = World::opening();
        let end = failure(world.hear(Incoming::OpenSuccess(grant.clone())));
        assert_eq!(end, Some((FailureKind::Refused, Recovery::Park)), "{grant:?}");
        let last = world.session.take_outbox();
        assert!(matches!(last.iter().collect::<Vec<_>>()[..], [Outgoing::Close { channel_id: CHANNEL, .. }]));
    }
}

// C8
#[test]
fn messages_before_the_open_answer_are_replayed() {
    let mut world = World::opening();
    for message in [job(3, None), Incoming::NewJob(NewJob { channel_id: 55, ..template(4, None) }), tip(3, 1)] {
        assert!(world.hear(message).is_empty());
    }
    let actions = world.hear(opened());
    assert!(matches!(actions.first(), Some(Action::Event(ConnectionEvent::Phase { .. }))));
    assert_eq!(only_job(actions).label.as_ref(), "3");
}

#[test]
fn phases_are_told_once_and_the_first_job_says_that_it_is_first() {
    let (mut world, first) = World::working();
    assert!(first.first && world.session.phase().is_none());
    let second = world.hear(job(11, Some(1000)));
    assert!(events(second.into_iter().collect()).is_empty());
    let third = only_job(world.hear(job(12, Some(1000))));
    assert!(!third.first);
}

// C9
#[test]
fn immediate_job_before_any_tip_waits_for_one() {
    let mut world = World::open();
    assert!(world.hear(job(1, Some(1500))).is_empty());
    assert!(world.hear(job(2, Some(1200))).is_empty());
    let job = only_job(world.hear(tip(2, 1)));
    assert_eq!((job.label.as_ref(), job.min_ntime), ("2", 1200));
}

// J1, J2, U3
#[test]
fn zero_ntime_is_an_immediate_job_and_never_below_the_tip() {
    let (mut world, _) = World::working();
    world.now += Duration::from_secs(7);
    let raised = only_job(world.hear(job(11, Some(0))));
    assert_eq!((raised.prev_hash, raised.min_ntime, raised.ntime_origin), ([1; 32], 1000, world.now));
    let own = only_job(world.hear(job(12, Some(1234))));
    assert_eq!(own.min_ntime, 1234);
}

// J3, T1, X1
#[test]
fn future_job_keeps_its_prefix_and_takes_the_newest_target() {
    let mut world = World::open();
    world.hear(job(10, None));
    world.hear(Incoming::SetExtranoncePrefix { channel_id: CHANNEL, prefix: Bytes::from_static(&[2; 5]) });
    world.hear(Incoming::SetTarget { channel_id: GROUP, share_target: target(100.0) }); // T3
    let active = only_job(world.hear(tip(10, 1)));
    assert_eq!(active.extranonce_prefix, Bytes::from_static(&[1; 4]));
    assert_eq!((active.share_target, active.min_ntime), (target(100.0), 1000));
    world.hear(Incoming::SetTarget { channel_id: CHANNEL, share_target: target(1e9) });
    let next = only_job(world.hear(job(11, Some(1000))));
    assert_eq!(next.extranonce_prefix, Bytes::from_static(&[2; 5]));
    assert_eq!(next.share_target, target(1e9));
}

// X2, X3
#[test]
fn prefix_must_fit_and_be_meant_for_us() {
    let prefix = |channel_id, len| Incoming::SetExtranoncePrefix { channel_id, prefix: vec![9; len].into() };
    let (mut world, _) = World::working();
    assert!(world.hear(prefix(GROUP, 4)).is_empty());
    assert!(world.hear(prefix(99, 4)).is_empty());
    assert!(!has_ended(&world.hear(prefix(CHANNEL, 24))));
    assert_eq!(failure(world.hear(prefix(CHANNEL, 25))), Some((FailureKind::Protocol, Recovery::Retry)));
}

// T4
#[test]
fn zero_target_is_ignored() {
    let (mut world, _) = World::working();
    let zero = ShareTarget::from_be_bytes([0; 32]);
    assert!(world.hear(Incoming::SetTarget { channel_id: CHANNEL, share_target: zero }).is_empty());
    assert_eq!(only_job(world.hear(job(11, Some(1000)))).share_target, ShareTarget::MAX);
}

// J4, U8
#[test]
fn new_tip_leaves_only_the_job_it_names() {
    let (mut world, old) = World::working();
    for id in [11, 12, 13] {
        world.hear(job(id, None));
    }
    world.find(&old);
    let actions = world.hear(tip(12, 2));
    let new = only_job(actions);
    assert_eq!((new.label.as_ref(), new.prev_hash), ("12", [2; 32]));
    assert_eq!(not_sent(world.find(&old)), [(2, DropReason::Stale)]);
    assert_eq!(world.sent_shares(), []);
    // 11 and 13 are gone with the old tip.
    assert!(is_cleared(&world.hear(tip(11, 3))));
}

// U8
#[test]
fn shares_of_a_dead_tip_do_not_wait_for_the_socket() {
    let (mut world, old) = World::working();
    world.find(&old);
    world.hear(job(11, None));
    assert_eq!(not_sent(world.hear(tip(11, 2))), [(1, DropReason::Stale)]);
}

// J5, J8
#[test]
fn late_shares_of_a_refreshed_job_keep_its_own_id() {
    let (mut world, first) = World::working();
    // The pool uses an id again within a tip.
    let second = only_job(world.hear(job(10, Some(1001))));
    let third = only_job(world.hear(job(20, Some(1002))));
    for job in [&first, &third, &second] {
        world.find(job);
    }
    let sent: Vec<_> = world.sent_shares().into_iter().map(|share| (share.sequence_number, share.job_id)).collect();
    assert_eq!(sent, [(1, 10), (2, 20), (3, 10)]);
    assert_ne!(first.handle, second.handle);
}

// D12
#[test]
fn past_jobs_are_forgotten_after_sixteen() {
    let (mut world, first) = World::working();
    let later: Vec<_> = (0..17).map(|id| only_job(world.hear(job(100 + id, Some(1000))))).collect();
    assert_eq!(not_sent(world.find(&first)), [(1, DropReason::Stale)]);
    assert!(not_sent(world.find(&later[0])).is_empty());
}

// J6, A4
#[test]
fn messages_for_other_channels_are_ignored() {
    let (mut world, _) = World::working();
    let foreign = [
        Incoming::NewJob(NewJob { channel_id: 3, ..template(30, Some(1000)) }),
        Incoming::NewTip(NewTip { channel_id: 3, job_id: 10, prev_hash: [9; 32], min_ntime: 0, nbits: 0 }),
        Incoming::SetTarget { channel_id: 3, share_target: target(9.0) },
        Incoming::CloseChannel { channel_id: 3, reason: String::new() },
        Incoming::SetGroupChannel { group_channel_id: 3, channel_ids: vec![4, 5] },
        Incoming::SharesAccepted { channel_id: GROUP, last_sequence_number: 1, count: 1 },
        Incoming::ShareRefused { channel_id: GROUP, sequence_number: 1, code: String::new() },
        Incoming::UpdateRefused { channel_id: CHANNEL, code: "invalid-nominal-hashrate".into() }, // G2
    ];
    for message in foreign {
        assert!(world.hear(message).is_empty());
    }
    let of_group = world.hear(Incoming::NewJob(NewJob { channel_id: GROUP, ..template(31, Some(1000)) }));
    assert_eq!(only_job(of_group).label.as_ref(), "31");
}

// G5
#[test]
fn group_changes_with_set_group_channel() {
    let (mut world, _) = World::working();
    let set = |group_channel_id| Incoming::SetGroupChannel { group_channel_id, channel_ids: vec![7, CHANNEL] };
    world.hear(set(6));
    assert!(world.hear(Incoming::NewJob(NewJob { channel_id: GROUP, ..template(31, Some(1000)) })).is_empty());
    assert_eq!(jobs(world.hear(Incoming::NewJob(NewJob { channel_id: 6, ..template(32, Some(1000)) }))).len(), 1);
    assert_eq!(failure(world.hear(set(CHANNEL))), Some((FailureKind::Protocol, Recovery::Retry)));
}

// J7
#[test]
fn tip_with_unknown_job_voids_everything_and_is_remembered() {
    let (mut world, old) = World::working();
    let actions = world.hear(tip(99, 2));
    assert!(is_cleared(&actions));
    assert_eq!(not_sent(world.find(&old)), [(1, DropReason::Stale)]);
    world.now += Duration::from_secs(4);
    let job = only_job(world.hear(job(11, Some(1000))));
    assert_eq!(job.prev_hash, [2; 32]);
    assert!(!has_ended(&world.wait(5)));
}

// J7
#[test]
fn tip_without_a_job_for_five_seconds_ends_the_connection() {
    let (mut world, _) = World::working();
    world.hear(tip(99, 2));
    world.hear(tip(98, 3));
    assert!(!has_ended(&world.wait(4)));
    assert_eq!(failure(world.wait(1)), Some((FailureKind::Mute, Recovery::Retry)));
}

#[test]
fn tip_said_again_for_the_job_that_is_hashed_changes_nothing() {
    let (mut world, job) = World::working();
    assert!(world.hear(tip(10, 1)).is_empty());
    assert!(not_sent(world.find(&job)).is_empty());
    // The same id on another tip is another matter.
    assert!(is_cleared(&world.hear(tip(10, 2))));
}

// J10
#[test]
fn witness_left_in_a_coinbase_is_taken_out() {
    let mut suffix = vec![6; 20];
    suffix.extend([1, 32]);
    suffix.extend([0xaa; 32]);
    suffix.extend([1, 2, 3, 4]);
    let with = NewJob {
        coinbase_tx_prefix: vec![2, 0, 0, 0, 0, 1, 1, 77].into(),
        coinbase_tx_suffix: suffix.into(),
        ..template(11, Some(1000))
    };
    let (mut world, untouched) = World::working();
    let job = only_job(world.hear(Incoming::NewJob(with)));
    assert_eq!(job.coinbase_tx_prefix.as_ref(), [2, 0, 0, 0, 1, 77]);
    assert_eq!(job.coinbase_tx_suffix.as_ref(), [vec![6; 20], vec![1, 2, 3, 4]].concat());
    assert_eq!(untouched.coinbase_tx_suffix.as_ref(), [8; 50]);
}

// J11, J12
#[test]
fn job_without_rolling_keeps_its_version_to_the_bit() {
    let (mut world, rolling) = World::working();
    let fixed = NewJob { version: 0x3fff_e004, version_rolling_allowed: false, ..template(11, Some(1000)) };
    let job = only_job(world.hear(Incoming::NewJob(fixed)));
    assert_eq!((job.version, job.version_mask), (0x3fff_e004, 0));
    assert_eq!(rolling.version_mask, BIP320_MASK);
}

// D4, D6, D25
#[test]
fn odd_jobs_are_hashed_or_dropped_but_never_end_the_session() {
    let (mut world, _) = World::working();
    let deep = NewJob { merkle_path: vec![[0; 32]; 33], ..template(11, Some(1000)) };
    assert!(world.hear(Incoming::NewJob(deep)).is_empty());
    let empty = NewJob {
        coinbase_tx_prefix: Bytes::new(),
        coinbase_tx_suffix: Bytes::new(),
        merkle_path: vec![[0; 32]; 32],
        ..template(12, None)
    };
    world.hear(Incoming::NewJob(empty));
    let broken =
        NewTip { channel_id: CHANNEL, job_id: 12, prev_hash: [4; 32], min_ntime: u32::MAX, nbits: 0xff80_0001 };
    let job = only_job(world.hear(Incoming::NewTip(broken)));
    assert!(job.network_target.is_zero());
}

// J15, F6, R8
#[test]
fn unknown_messages_are_counted_and_ignored() {
    let (mut world, _) = World::working();
    for kind in [0x15, 0x2f, 0x03, 0x24] {
        assert!(!has_ended(&world.hear(Incoming::Ignored { extension: 0, kind })));
    }
    assert_eq!(world.session.facts.unknown_messages, 4);
    assert_eq!(jobs(world.hear(job(11, Some(1000)))).len(), 1);
}

// U1, U4, U5
#[test]
fn share_is_sent_as_it_was_hashed() {
    let (mut world, job) = World::working();
    let mut share = world.share(&job, false);
    share.version = 0x2000_6000;
    share.ntime = 1003;
    world.act(Input::Share(share));
    let sent = world.sent_shares();
    let expected = Share {
        channel_id: CHANNEL,
        sequence_number: 1,
        job_id: 10,
        nonce: 3,
        ntime: 1003,
        version: 0x2000_6000,
        extranonce: vec![7; 8],
    };
    assert_eq!(sent, [expected]);
    let mut short = world.share(&job, false);
    short.extranonce = Extranonce::new(&[1; 7]).unwrap();
    assert_eq!(not_sent(world.act(Input::Share(short))), [(2, DropReason::HardwareError)]);
    let mut unknown = world.share(&job, false);
    unknown.job = JobHandle::fresh();
    assert_eq!(not_sent(world.act(Input::Share(unknown))), [(3, DropReason::Stale)]);
}

// U2
#[test]
fn sequence_number_is_taken_at_the_writer_and_sent_before_judged() {
    let (mut world, old) = World::working();
    world.find(&old);
    world.hear(job(11, None));
    let new = only_job(world.hear(tip(11, 2)));
    world.find(&new);
    let actions = world.act(Input::Writable);
    let [Action::Send(Outgoing::Share(share)), Action::Event(ConnectionEvent::Sent { share: ShareId(2) })] =
        actions.as_slice()
    else {
        panic!("{actions:?}")
    };
    assert_eq!(share.sequence_number, 1);
}

// U9
#[test]
fn full_queue_drops_the_oldest_share_that_is_no_block() {
    let (mut world, job) = World::working();
    world.session.queue = ShareQueue::new(3, Duration::from_secs(10));
    for block in [false, true, false] {
        let share = world.share(&job, block);
        world.act(Input::Share(share));
    }
    assert_eq!(not_sent(world.find(&job)), [(1, DropReason::Suppressed)]);
    let block = world.share(&job, true);
    assert_eq!(not_sent(world.act(Input::Share(block))), [(3, DropReason::Suppressed)]);
    let block = world.share(&job, true);
    assert_eq!(not_sent(world.act(Input::Share(block))), [(4, DropReason::Suppressed)]);
    assert_eq!(not_sent(world.find(&job)), [(7, DropReason::Suppressed)]);
    let mut order = Vec::new();
    while world.session.has_outgoing() {
        for event in events(world.act(Input::Writable)) {
            if let ConnectionEvent::Sent { share } = event {
                order.push(share.0);
            }
        }
    }
    assert_eq!(order, [2, 5, 6]);
}

// U9
#[test]
fn share_that_waits_ten_seconds_for_the_socket_is_suppressed() {
    let (mut world, job) = World::working();
    world.find(&job);
    let block = world.share(&job, true);
    world.act(Input::Share(block));
    assert!(not_sent(world.wait(9)).is_empty());
    assert_eq!(not_sent(world.wait(1)), [(1, DropReason::Suppressed)]);
    assert_eq!(world.sent_shares().len(), 1);
}

// L2
#[test]
fn silent_pool_is_probed_and_then_given_up() {
    let (mut world, job) = World::working();
    world.find(&job);
    world.sent();
    assert!(!has_ended(&world.wait(300)));
    assert!(matches!(world.sent().as_slice(), [Outgoing::Update { channel_id: CHANNEL, .. }]));
    world.hear(Incoming::SetTarget { channel_id: CHANNEL, share_target: ShareTarget::MAX });
    assert!(!has_ended(&world.wait(299)));
    world.find(&job);
    world.sent();
    assert!(!has_ended(&world.wait(1)));
    assert_eq!(failure(world.wait(60)), Some((FailureKind::Mute, Recovery::Retry)));
}

// L2, A3
#[test]
fn pool_that_owes_nothing_may_be_silent_for_a_quarter_of_an_hour() {
    let (mut world, _) = World::working();
    assert!(!has_ended(&world.wait(300)));
    assert!(!has_ended(&world.wait(599)));
    assert_eq!(failure(world.wait(1)), Some((FailureKind::Mute, Recovery::Retry)));
}

// L3
#[test]
fn pool_without_new_jobs_is_given_up_after_half_an_hour() {
    let (mut world, _) = World::working();
    for _ in 0..17 {
        world.wait(100);
        world.hear(Incoming::SetTarget { channel_id: CHANNEL, share_target: ShareTarget::MAX });
    }
    assert_eq!(failure(world.wait(100)), Some((FailureKind::Mute, Recovery::Retry)));
}

// G1
#[test]
fn pool_is_told_of_a_lasting_change_of_the_rate() {
    let (mut world, _) = World::working();
    world.act(Input::HashRate(Some(HashRate::from_megahashes_per_second(2.0))));
    world.wait(59);
    assert_eq!(world.sent(), []);
    world.wait(1);
    let sent = world.sent();
    let [Outgoing::Update { hash_rate, max_target: ShareTarget::MAX, .. }] = sent.as_slice() else {
        panic!("{sent:?}")
    };
    assert!((hash_rate - 2e6).abs() < 1.0);
}

// G3
#[test]
fn closed_channel_is_opened_again_once() {
    let (mut world, old) = World::working();
    world.find(&old);
    world.sent();
    world.find(&old);
    let close = || Incoming::CloseChannel { channel_id: GROUP, reason: "rebalance".into() };
    let actions = world.hear(close());
    assert!(is_cleared(&actions));
    let told = events(actions);
    assert!(matches!(told[0], ConnectionEvent::Judged { share: ShareId(1), verdict: Verdict::Lost, .. }));
    assert!(matches!(told[1], ConnectionEvent::NotSent { share: ShareId(2), reason: DropReason::Stale }));
    assert_eq!(not_sent(world.find(&old)), [(3, DropReason::Stale)]);
    assert_eq!(world.sent(), []);
    world.wait(1);
    assert!(matches!(world.sent().as_slice(), [Outgoing::Open { request_id: 2, .. }]));
    let again = Incoming::OpenSuccess(OpenSuccess { request_id: 2, channel_id: 5, ..grant() });
    let told = events(world.hear(again));
    assert!(!told.iter().any(|event| matches!(event, ConnectionEvent::Opened { .. } | ConnectionEvent::Phase { .. })));
    world.hear(Incoming::NewJob(NewJob { channel_id: 5, ..template(1, None) }));
    let new = only_job(world.hear(tip(1, 2)));
    assert!(!new.first);
    world.find(&new);
    assert_eq!(world.sent_shares()[0].sequence_number, 1);
    assert_eq!(failure(world.hear(close())), Some((FailureKind::Vanished, Recovery::Retry)));
}

// G4
#[test]
fn close_sends_what_waits_and_says_goodbye_after_the_last_verdict() {
    let (mut world, job) = World::working();
    world.find(&job);
    assert!(!has_ended(&world.act(Input::Close)));
    world.find(&job);
    assert_eq!(world.sent_shares().len(), 2);
    assert!(!has_ended(&world.wait(3)));
    let actions = world.hear(Incoming::SharesAccepted { channel_id: CHANNEL, last_sequence_number: 2, count: 2 });
    assert_eq!(failure(actions), None);
    assert_eq!(
        world.session.take_outbox(),
        VecDeque::from([Outgoing::Close { channel_id: CHANNEL, reason: "shutdown" }])
    );
}

#[test]
fn close_does_not_wait_for_ever() {
    let (mut world, job) = World::working();
    world.find(&job);
    world.sent();
    world.find(&job);
    world.act(Input::Close);
    assert!(!has_ended(&world.wait(9)));
    let actions = world.wait(1);
    assert!(has_ended(&actions));
    let told = events(actions);
    assert!(told.iter().any(|event| matches!(event, ConnectionEvent::Judged { verdict: Verdict::Lost, .. })));
}

#[test]
fn close_before_the_channel_is_open_ends_at_once() {
    for mut world in [World::new(), World::opening()] {
        assert_eq!(failure(world.act(Input::Close)), None);
    }
}

// R7
#[test]
fn end_says_what_became_of_every_share_and_comes_once() {
    let (mut world, job) = World::working();
    world.find(&job);
    world.sent();
    world.find(&job);
    let actions = world.act(Input::Failed(Failure::Aborted));
    assert!(matches!(actions.last(), Some(Action::End { .. })));
    let told = events(actions);
    assert!(matches!(told[0], ConnectionEvent::NotSent { share: ShareId(2), reason: DropReason::Stale }));
    assert!(matches!(told[1], ConnectionEvent::Judged { share: ShareId(1), verdict: Verdict::Lost, .. }));
    assert!(world.act(Input::Failed(Failure::Aborted)).is_empty());
    assert_eq!(not_sent(world.find(&job)), [(3, DropReason::Stale)]);
}

// A1, A2
#[test]
fn verdicts_follow_the_count_and_late_errors_take_back() {
    let (mut world, job) = World::working();
    for _ in 0..5 {
        world.find(&job);
    }
    world.sent();
    let refuse = |sequence_number, code: &str| Incoming::ShareRefused {
        channel_id: CHANNEL,
        sequence_number,
        code: code.into(),
    };
    let rejected = verdicts(world.hear(refuse(2, "stale-share")));
    assert_eq!(rejected, [(2, Verdict::Rejected(RejectReason::Stale))]);
    let counted = world.hear(Incoming::SharesAccepted { channel_id: CHANNEL, last_sequence_number: 5, count: 3 });
    assert_eq!(verdicts(counted), [(1, Verdict::Accepted), (3, Verdict::Accepted), (4, Verdict::Accepted)]);
    let told = events(world.hear(refuse(3, "duplicate-share")));
    let [
        ConnectionEvent::Reclassified { share: ShareId(3), reason: RejectReason::Duplicate },
        ConnectionEvent::Judged { share: ShareId(5), verdict: Verdict::Accepted, .. },
    ] = told.as_slice()
    else {
        panic!("{told:?}")
    };
}
