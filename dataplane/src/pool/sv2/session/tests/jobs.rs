//! Jobs, tips, targets and prefixes: stratum-client 1.5 to 1.7, G5.

use super::*;

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

// J4
#[test]
fn past_jobs_die_with_their_tip() {
    let (mut world, past) = World::working();
    world.hear(job(11, Some(1000)));
    world.hear(job(12, None));
    world.hear(tip(12, 2));
    assert_eq!(not_sent(world.find(&past)), [(1, DropReason::Stale)]);
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
        Incoming::SharesAccepted { channel_id: GROUP, last_sequence_number: 1, count: 1, shares_sum: 0 },
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
