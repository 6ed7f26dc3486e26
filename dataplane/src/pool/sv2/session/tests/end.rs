//! Silence, closing and what follows: stratum-client G1, G3, G4, L2, L3, R7.

use super::*;

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

// L2
#[test]
fn share_that_follows_the_probe_has_its_time_to_be_answered() {
    let (mut world, job) = World::working();
    world.wait(300);
    assert!(matches!(world.sent().as_slice(), [Outgoing::Update { .. }]));
    world.wait(200);
    world.find(&job);
    world.sent();
    assert!(!has_ended(&world.wait(59)));
    assert_eq!(failure(world.wait(1)), Some((FailureKind::Mute, Recovery::Retry)));
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
    let actions =
        world.hear(Incoming::SharesAccepted { channel_id: CHANNEL, last_sequence_number: 2, count: 2, shares_sum: 0 });
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
