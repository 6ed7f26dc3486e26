//! Set-up, channel, and requests to go elsewhere: stratum-client 1.3, 1.4, R1 to R4.

use super::*;
use crate::pool::rate::RateTerms;

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

// R4
#[test]
fn shares_are_flushed_before_a_redirect_is_followed() {
    let (mut world, job) = World::working();
    world.find(&job);
    assert!(!has_ended(&world.hear(Incoming::Reconnect { host: String::new(), port: 0 })));
    assert_eq!(world.sent_shares().len(), 1);
    let actions = world.wait(1);
    assert_eq!(verdicts(actions), [(1, Verdict::Lost)]);

    let (mut world, job) = World::working();
    world.find(&job);
    world.hear(Incoming::Reconnect { host: String::new(), port: 0 });
    world.sent();
    let actions =
        world.hear(Incoming::SharesAccepted { channel_id: CHANNEL, last_sequence_number: 1, count: 1, shares_sum: 0 });
    assert!(matches!(actions.last(), Some(Action::End { redirect: Some(_), .. })));
    assert_eq!(verdicts(actions), [(1, Verdict::Accepted)]);
}

// R3
#[test]
fn reconnect_to_loopback_or_nonsense_is_ignored() {
    let long = "a".repeat(254);
    for host in [
        "127.0.0.1",
        "::1",
        "::ffff:127.0.0.1",
        "169.254.1.1",
        "fe80::1",
        "224.0.0.1",
        "0.0.0.0",
        "a b",
        "0x7f000001",
        "evil\0.example",
        "evil\u{202e}.example",
        long.as_str(),
    ] {
        let (mut world, _) = World::working();
        assert!(!has_ended(&world.hear(Incoming::Reconnect { host: host.into(), port: 0 })), "{host}");
    }
}

// R3
#[test]
fn pool_on_this_machine_may_lead_to_this_machine() {
    let mut profile = profile();
    profile.setup.host = "127.0.0.1".into();
    let mut world = World::with(profile);
    assert!(has_ended(&world.hear(Incoming::Reconnect { host: "127.0.0.1".into(), port: 7 })));
}

// R3, D21
#[test]
fn one_request_to_connect_elsewhere_too_many_is_ignored() {
    let mut world = World::with(Profile { may_redirect: false, ..profile() });
    assert!(!has_ended(&world.hear(Incoming::Reconnect { host: String::new(), port: 0 })));
    world.hear(set_up());
    assert!(matches!(world.sent().as_slice(), [Outgoing::Open { .. }]));
}

// S5
#[test]
fn refused_flags_of_ours_are_worth_another_try_without_them() {
    for (theirs, recovery) in [(4, Recovery::Retry), (6, Recovery::Retry), (2, Recovery::Park), (0, Recovery::Park)] {
        let refusal = Incoming::SetupError { flags: theirs, code: "unsupported-feature-flags".into() };
        let end = failure(World::with_flags(4).hear(refusal));
        assert_eq!(end, Some((FailureKind::Refused, recovery)), "{theirs}");
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
    world.session.rate = ToldRate::new(None, RateTerms::default());
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
    world.session.rate = ToldRate::new(None, RateTerms::default());
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
