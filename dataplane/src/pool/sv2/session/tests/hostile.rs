//! Floods, absurd values and refusals that come together: stratum-client T5, U8, A6, S4, L3 and the table of 2.2.

use super::*;
use crate::pool::sv2::session::channel::Channel;

/// nbits of mainnet in 2025.
const HARD: u32 = 0x1702_3a04;

fn hard_tip(job_id: u32, tip: u8) -> Incoming {
    Incoming::NewTip(NewTip { channel_id: CHANNEL, job_id, prev_hash: [tip; 32], min_ntime: 1000, nbits: HARD })
}

fn channel(world: &World) -> &Channel {
    let Stage::Open(channel) = &world.session.stage else { panic!("no channel") };
    channel
}

fn refuse(sequence_number: u32, code: &str) -> Incoming {
    Incoming::ShareRefused { channel_id: CHANNEL, sequence_number, code: code.into() }
}

// T5
#[test]
fn pool_that_applies_a_target_at_once_gets_shares_that_meet_both_until_the_next_job() {
    let (mut world, job) = World::working();
    let find = |world: &mut World, job: &Job, hash| {
        let share = ShareSubmission { hash, ..world.share(job, false) };
        world.act(Input::Share(share))
    };
    let (easy, hard) = ([0xff; 32], [0; 32]);
    for _ in 0..4 {
        find(&mut world, &job, easy);
    }
    assert_eq!(world.sent_shares().len(), 4);
    world.hear(Incoming::SetTarget { channel_id: CHANNEL, share_target: target(1e6) });
    for sequence in [1, 2] {
        world.hear(refuse(sequence, "difficulty-too-low"));
    }
    assert!(not_sent(find(&mut world, &job, easy)).is_empty(), "two are an accident");
    world.hear(refuse(3, "difficulty-too-low"));
    assert_eq!(not_sent(find(&mut world, &job, easy)), [(6, DropReason::BelowTarget)]);
    assert!(not_sent(find(&mut world, &job, hard)).is_empty());
    let next = only_job(world.hear(super::job(11, Some(1000))));
    assert!(not_sent(find(&mut world, &next, easy)).is_empty(), "the guard ends with its job");
}

// T5
#[test]
fn shares_that_met_both_targets_raise_no_guard() {
    let (mut world, job) = World::working();
    for sequence in 1..10 {
        world.find(&job);
        world.sent();
        world.hear(refuse(sequence, "difficulty-too-low"));
    }
    assert!(not_sent(world.find(&job)).is_empty());
}

// U8
#[test]
fn block_of_the_tip_before_is_sent_once_more_and_a_share_is_not() {
    let mut world = World::open();
    world.hear(job(10, None));
    let old = only_job(world.hear(hard_tip(10, 1)));
    let waiting = world.share(&old, true);
    world.act(Input::Share(waiting));
    world.find(&old);
    world.hear(job(11, None));
    // What waits for the socket is looked through as well.
    assert_eq!(not_sent(world.hear(hard_tip(11, 2))), [(2, DropReason::Stale)]);
    assert_eq!(not_sent(world.find(&old)), [(3, DropReason::Stale)]);
    let late = world.share(&old, true);
    world.act(Input::Share(late));
    let sent: Vec<_> = world.sent_shares().into_iter().map(|share| share.job_id).collect();
    assert_eq!(sent, [10, 10]);
    world.hear(job(12, None));
    world.hear(hard_tip(12, 3));
    let too_late = world.share(&old, true);
    assert_eq!(not_sent(world.act(Input::Share(too_late))), [(5, DropReason::Stale)]);
}

// U8, T6
#[test]
fn block_of_a_trivial_chain_dies_with_its_tip() {
    let (mut world, old) = World::working();
    world.hear(job(11, None));
    world.hear(tip(11, 2));
    let late = world.share(&old, true);
    assert_eq!(not_sent(world.act(Input::Share(late))), [(1, DropReason::Stale)]);
}

// A6
#[test]
fn burst_of_unknown_jobs_ends_the_connection() {
    let (mut world, job) = World::working();
    for _ in 0..5 {
        world.find(&job);
    }
    world.sent();
    for sequence in 1..5 {
        assert!(!has_ended(&world.hear(refuse(sequence, "invalid-job-id"))));
    }
    // An answer to no share says nothing.
    assert!(!has_ended(&world.hear(refuse(99, "invalid-job-id"))));
    assert_eq!(failure(world.hear(refuse(5, "invalid-job-id"))), Some((FailureKind::Protocol, Recovery::Retry)));
}

// S4, 0.2
#[test]
fn refused_version_bits_are_rolled_no_more() {
    let mut world = World::rolling(crate::job::BIP323_MASK);
    world.hear(set_up());
    world.hear(opened());
    world.hear(job(10, None));
    let wide = only_job(world.hear(tip(10, 1)));
    assert_eq!(wide.version_mask, 0x1fff_ffe0);
    let mut sequence = 0;
    let mut newest = wide.clone();
    for expected in [BIP320_MASK, 0] {
        let mut narrowed = Vec::new();
        for form in [&newest, &newest, &wide, &newest] {
            sequence += 1;
            world.find(form);
            assert_eq!(world.sent_shares()[0].job_id, 10);
            narrowed.extend(jobs(world.hear(refuse(sequence, "invalid-non-rollable-version-bit"))));
        }
        let [narrow] = narrowed.as_slice() else { panic!("{narrowed:?}") };
        assert_eq!((narrow.version_mask, narrow.label.as_ref()), (expected, "10"));
        assert_ne!(narrow.handle, newest.handle);
        newest = narrow.clone();
    }
    // Late shares of the wide form may still be sent, and later jobs keep the narrow one.
    assert!(not_sent(world.find(&wide)).is_empty());
    assert_eq!(only_job(world.hear(job(11, Some(1000)))).version_mask, 0);
}

// D12, D27
#[test]
fn flood_of_jobs_passes_as_twenty_and_then_the_newest_of_each_twentieth_of_a_second() {
    let (mut world, _) = World::working();
    let mut passed = 0;
    for id in 0..1000 {
        passed += jobs(world.hear(job(100 + id, Some(1000)))).len();
    }
    assert_eq!(passed, 19);
    let deadline = world.session.deadline().unwrap();
    assert!(deadline - world.now <= Duration::from_millis(51));
    world.now = deadline;
    assert_eq!(only_job(world.act(Input::Tick)).label.as_ref(), "1099");
    assert!(jobs(world.act(Input::Tick)).is_empty());
}

// D12, J7
#[test]
fn job_that_waits_in_a_flood_is_void_with_its_tip() {
    let (mut world, _) = World::working();
    for id in 0..100 {
        world.hear(job(100 + id, Some(1000)));
    }
    assert!(is_cleared(&world.hear(tip(999, 2))));
    assert!(jobs(world.wait(1)).is_empty());
}

// D14
#[test]
fn tips_of_a_chain_that_cannot_be_end_the_connection() {
    let (mut world, _) = World::working();
    for number in 0..59_u8 {
        world.hear(job(100, None));
        assert!(!has_ended(&world.hear(tip(100, 10 + number))), "{number}");
    }
    // The same tip again is none.
    world.hear(job(100, None));
    assert!(!has_ended(&world.hear(tip(100, 10 + 58))));
    world.hear(job(100, None));
    assert_eq!(failure(world.hear(tip(100, 200))), Some((FailureKind::Protocol, Recovery::Park)));
}

// D15, SEC5
#[test]
fn jobs_hours_ahead_of_a_trusted_clock_are_dropped_and_three_are_enough() {
    let (mut world, before) = World::working();
    // Without a clock nothing is too far.
    assert_eq!(jobs(world.hear(job(11, Some(4_000_000_000)))).len(), 1);
    world.wall = Some(10_000);
    assert_eq!(jobs(world.hear(job(12, Some(17_200)))).len(), 1);
    for id in [13, 14] {
        assert!(world.hear(job(id, Some(17_201))).is_empty());
    }
    assert!(not_sent(world.find(&before)).is_empty(), "the job before is hashed on");
    assert_eq!(jobs(world.hear(job(15, Some(17_200)))).len(), 1);
    for id in [16, 17] {
        world.hear(job(id, Some(17_201)));
    }
    assert_eq!(failure(world.hear(job(18, Some(17_201)))), Some((FailureKind::Protocol, Recovery::Park)));
}

// D15
#[test]
fn tip_hours_ahead_voids_what_was_hashed() {
    let (mut world, _) = World::working();
    world.wall = Some(10_000);
    world.hear(job(11, None));
    let ahead = NewTip { channel_id: CHANNEL, job_id: 11, prev_hash: [2; 32], min_ntime: 17_201, nbits: 0x1d00_ffff };
    let actions = world.hear(Incoming::NewTip(ahead));
    assert!(is_cleared(&actions) && jobs(actions).is_empty());
    // A job is never below its tip.
    assert!(world.hear(job(12, Some(9_000))).is_empty());
}

// D16
#[test]
fn job_of_long_ago_is_hashed() {
    let (mut world, _) = World::working();
    world.wall = Some(4_000_000_000);
    assert_eq!(only_job(world.hear(job(11, Some(1)))).min_ntime, 1000);
}

// D5, D13
#[test]
fn future_jobs_are_bounded_in_number_and_in_bytes() {
    let (mut world, _) = World::working();
    world.session.limits.job_bytes = 4 << 20;
    let large = |job_id| {
        Incoming::NewJob(NewJob {
            coinbase_tx_prefix: vec![1; 65_535].into(),
            coinbase_tx_suffix: vec![2; 65_535].into(),
            ..template(job_id, None)
        })
    };
    for id in 100..140 {
        world.hear(large(id));
    }
    // The oldest went first: it is unknown now (J7), the newest is there.
    assert!(is_cleared(&world.hear(tip(123, 2))));
    for id in 200..240 {
        world.hear(large(id));
    }
    assert_eq!(only_job(world.hear(tip(224, 3))).label.as_ref(), "224");
}

// D5, C8
#[test]
fn messages_before_the_channel_are_bounded_in_bytes() {
    let mut world = World::opening();
    world.session.limits.job_bytes = 100_000;
    for id in 0..10 {
        let large = NewJob { coinbase_tx_suffix: vec![2; 30_000].into(), ..template(id, None) };
        world.hear(Incoming::NewJob(large));
    }
    let Stage::Opening { early, .. } = &world.session.stage else { panic!() };
    assert_eq!(early.len(), 3);
}

// D17, S3
#[test]
fn pool_that_forbids_rolling_is_left_by_hardware_that_cannot_do_without() {
    for (flags, leaves) in [(4, true), (0, false)] {
        let mut world = World::with_flags(flags);
        world.hear(set_up());
        world.hear(opened());
        let fixed = |job_id| NewJob { version_rolling_allowed: false, ..template(job_id, Some(1000)) };
        world.hear(Incoming::NewJob(fixed(1)));
        world.hear(tip(1, 1));
        world.wait(59);
        world.hear(Incoming::NewJob(fixed(2)));
        let actions = world.wait(1);
        assert_eq!(has_ended(&actions), leaves);
        if leaves {
            assert_eq!(failure(actions), Some((FailureKind::Refused, Recovery::Park)));
        }
    }
}

// L3
#[test]
fn old_job_is_warned_of_once_and_on_a_chain_that_matters_only() {
    for (hard, warns) in [(true, true), (false, false)] {
        let mut world = World::open();
        world.hear(job(10, None));
        world.hear(if hard { hard_tip(10, 1) } else { tip(10, 1) });
        for _ in 0..5 {
            world.wait(119);
            world.hear(Incoming::SetTarget { channel_id: CHANNEL, share_target: ShareTarget::MAX });
        }
        assert!(channel(&world).warned_of.is_none());
        world.wait(5);
        assert_eq!(channel(&world).warned_of.is_some(), warns);
    }
}

// D18
#[test]
fn second_answer_to_the_open_request_changes_nothing() {
    let (mut world, job) = World::working();
    for grant in [grant(), OpenSuccess { channel_id: 9, ..grant() }, OpenSuccess { request_id: 2, ..grant() }] {
        assert!(world.hear(Incoming::OpenSuccess(grant)).is_empty());
    }
    assert_eq!(channel(&world).id, CHANNEL);
    assert!(not_sent(world.find(&job)).is_empty());
}

// A1, D19
#[test]
fn sums_of_the_pool_are_added_up_to_the_greatest_there_is() {
    let (mut world, job) = World::working();
    for sequence in 1..3 {
        world.find(&job);
        world.sent();
        let told = world.hear(Incoming::SharesAccepted {
            channel_id: CHANNEL,
            last_sequence_number: sequence,
            count: u32::MAX,
            shares_sum: u64::MAX - 1,
        });
        assert_eq!(verdicts(told), [(sequence.into(), Verdict::Accepted)]);
    }
    assert_eq!(world.session.facts.shares_sum, u64::MAX);
    assert_eq!(channel(&world).implausible(), 2);
}
