//! Shares and their verdicts: stratum-client 1.8, 1.9.

use super::*;

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
        extranonce: Extranonce::new(&[7; 8]).unwrap(),
        worker: None,
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
    let counted =
        world.hear(Incoming::SharesAccepted { channel_id: CHANNEL, last_sequence_number: 5, count: 3, shares_sum: 0 });
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

// A2
#[test]
fn share_that_a_count_went_past_may_be_counted_later() {
    let (mut world, job) = World::working();
    for _ in 0..3 {
        world.find(&job);
    }
    world.sent();
    let mut count = |last_sequence_number, count| {
        verdicts(world.hear(Incoming::SharesAccepted {
            channel_id: CHANNEL,
            last_sequence_number,
            count,
            shares_sum: 0,
        }))
    };
    assert_eq!(count(2, 1), [(1, Verdict::Accepted)]);
    // The newer one first: the pool had its chance with the other.
    assert_eq!(count(3, 1), [(3, Verdict::Accepted)]);
    assert_eq!(count(3, 1), [(2, Verdict::Accepted)]);
}
