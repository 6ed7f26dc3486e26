//! Whatever a pool says and in whatever order: nothing panics, and every share has exactly one fate.

use super::*;
use proptest::{collection::vec, prelude::*};
use std::collections::HashMap;

/// Where a share is, as somebody sees it who hears the events only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Waiting,
    Pending,
    NotSent,
    Judged(Verdict),
}

/// Counts as the scheduler does, and refuses what makes no sense.
#[derive(Debug, Default)]
struct Ledger {
    fates: HashMap<ShareId, Fate>,
    counted_by_pool: u64,
    ended: bool,
}

impl Ledger {
    fn found(&mut self, share: ShareId) {
        assert_eq!(self.fates.insert(share, Fate::Waiting), None);
    }

    fn note(&mut self, actions: &[Action]) {
        for action in actions {
            assert!(!self.ended || matches!(action, Action::Event(ConnectionEvent::NotSent { .. })), "{action:?}");
            match action {
                Action::Event(ConnectionEvent::Sent { share }) => self.becomes(*share, Fate::Waiting, Fate::Pending),
                Action::Event(ConnectionEvent::NotSent { share, .. }) => {
                    self.becomes(*share, Fate::Waiting, Fate::NotSent);
                }
                Action::Event(ConnectionEvent::Judged { share, verdict, .. }) => {
                    self.becomes(*share, Fate::Pending, Fate::Judged(*verdict));
                }
                Action::Event(ConnectionEvent::Reclassified { share, reason }) => {
                    let accepted = Fate::Judged(Verdict::Accepted);
                    self.becomes(*share, accepted, Fate::Judged(Verdict::Rejected(*reason)));
                }
                Action::End { .. } => self.ended = true,
                _ => {}
            }
        }
    }

    fn becomes(&mut self, share: ShareId, from: Fate, to: Fate) {
        assert_eq!(self.fates.insert(share, to), Some(from), "{share} to {to:?}");
    }

    fn count(&self, fate: impl Fn(Fate) -> bool) -> u64 {
        self.fates.values().filter(|one| fate(**one)).count() as u64
    }
}

#[derive(Debug, Clone)]
enum Step {
    Pool(Incoming),
    Find { newest: bool, block: bool },
    Write,
    Wait(u32),
    Rate(f64),
    Close,
}

fn small() -> impl Strategy<Value = u32> {
    prop_oneof![8 => 0..6_u32, 1 => any::<u32>()]
}

fn channel() -> impl Strategy<Value = u32> {
    prop_oneof![6 => Just(CHANNEL), 3 => Just(GROUP), 1 => any::<u32>()]
}

fn bytes(len: std::ops::Range<usize>) -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), len).prop_map(Bytes::from)
}

fn new_job() -> impl Strategy<Value = NewJob> {
    let path = vec(any::<[u8; 32]>(), 0..40);
    (channel(), small(), proptest::option::of(small()), any::<u32>(), any::<bool>(), path, bytes(0..60), bytes(0..60))
        .prop_map(|(channel_id, job_id, min_ntime, version, version_rolling_allowed, merkle_path, prefix, suffix)| {
            NewJob {
                channel_id,
                job_id,
                min_ntime,
                version,
                version_rolling_allowed,
                merkle_path,
                coinbase_tx_prefix: prefix,
                coinbase_tx_suffix: suffix,
            }
        })
}

fn message() -> impl Strategy<Value = Incoming> {
    let share_target = any::<[u8; 32]>().prop_map(ShareTarget::from_be_bytes);
    let code = || prop_oneof![Just("stale-share".to_owned()), ".{0,20}"];
    let opened = (small(), channel(), any::<[u8; 32]>(), 0..40_u16, bytes(0..33), channel()).prop_map(
        |(request_id, channel_id, target, extranonce_size, extranonce_prefix, group_channel_id)| {
            let share_target = ShareTarget::from_be_bytes(target);
            Incoming::OpenSuccess(OpenSuccess {
                request_id,
                channel_id,
                share_target,
                extranonce_size,
                extranonce_prefix,
                group_channel_id,
            })
        },
    );
    let tip = (channel(), small(), any::<bool>(), any::<u32>(), any::<u32>()).prop_map(
        |(channel_id, job_id, same, min_ntime, nbits)| {
            Incoming::NewTip(NewTip { channel_id, job_id, prev_hash: [u8::from(same); 32], min_ntime, nbits })
        },
    );
    prop_oneof![
        1 => (0..4_u16, any::<u32>()).prop_map(|(used_version, flags)| Incoming::SetupSuccess { used_version, flags }),
        1 => opened,
        1 => (small(), code()).prop_map(|(request_id, code)| Incoming::OpenError { request_id, code }),
        6 => new_job().prop_map(Incoming::NewJob),
        3 => tip,
        2 => (channel(), share_target)
            .prop_map(|(channel_id, share_target)| Incoming::SetTarget { channel_id, share_target }),
        1 => (channel(), bytes(0..33)).prop_map(|(channel_id, prefix)| Incoming::SetExtranoncePrefix { channel_id, prefix }),
        1 => (channel(), vec(channel(), 0..3))
            .prop_map(|(group_channel_id, channel_ids)| Incoming::SetGroupChannel { group_channel_id, channel_ids }),
        1 => (channel(), code()).prop_map(|(channel_id, reason)| Incoming::CloseChannel { channel_id, reason }),
        1 => channel().prop_map(|channel_id| Incoming::EndpointChanged { channel_id }),
        1 => (any::<u16>(), vec(any::<u16>(), 0..3))
            .prop_map(|(request_id, extensions)| Incoming::ExtensionsGranted { request_id, extensions }),
        1 => (0..3_u16, vec(1..4_u16, 0..3))
            .prop_map(|(request_id, required)| Incoming::ExtensionsRefused { request_id, required }),
        1 => (any::<u16>(), any::<u8>()).prop_map(|(extension, kind)| Incoming::Ignored { extension, kind }),
    ]
}

fn answer() -> impl Strategy<Value = Incoming> {
    prop_oneof![
        (channel(), small(), small()).prop_map(|(channel_id, last_sequence_number, count)| {
            Incoming::SharesAccepted { channel_id, last_sequence_number, count, shares_sum: 0 }
        }),
        (
            channel(),
            small(),
            prop_oneof![
                Just("difficulty-too-low".to_owned()),
                Just("invalid-job-id".to_owned()),
                Just("version-rolling-not-allowed".to_owned()),
                ".{0,9}"
            ]
        )
            .prop_map(|(channel_id, sequence_number, code)| Incoming::ShareRefused {
                channel_id,
                sequence_number,
                code
            }),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => message().prop_map(Step::Pool),
        5 => answer().prop_map(Step::Pool),
        8 => (any::<bool>(), any::<bool>()).prop_map(|(newest, block)| Step::Find { newest, block }),
        8 => Just(Step::Write),
        1 => prop_oneof![Just(0), 1..20_u32, 100..700_u32].prop_map(Step::Wait),
        1 => any::<f64>().prop_map(Step::Rate),
        1 => prop_oneof![30 => Just(Step::Write), 1 => Just(Step::Close)],
    ]
}

fn play(world: &mut World, mut known: Vec<Job>, steps: Vec<Step>) -> Result<(), TestCaseError> {
    let mut ledger = Ledger::default();
    for step in steps {
        let actions = match step {
            Step::Pool(message) => world.hear(message),
            Step::Find { newest, block } => {
                let job = if newest { known.last() } else { known.first() };
                let Some(job) = job.cloned() else { continue };
                let share = world.share(&job, block);
                ledger.found(share.id);
                world.act(Input::Share(share))
            }
            Step::Write => world.act(Input::Writable),
            Step::Wait(seconds) => world.wait(seconds.into()),
            Step::Rate(rate) => world.act(Input::HashRate(Some(HashRate::from_hashes_per_second(rate)))),
            Step::Close => world.act(Input::Close),
        };
        ledger.note(&actions);
        let sends = actions.iter().filter(|action| matches!(action, Action::Send(_))).count();
        prop_assert!(sends <= 1);
        known.extend(jobs(actions));
        if let Some(deadline) = world.session.deadline() {
            prop_assert!(deadline > world.now);
        }
        let Ledger { ended, .. } = ledger;
        prop_assert!(!ended || world.session.deadline().is_none());
    }
    if !ledger.ended {
        ledger.note(&world.act(Input::Failed(Failure::Aborted)));
    }
    prop_assert!(ledger.ended);
    prop_assert_eq!(ledger.count(|fate| matches!(fate, Fate::Waiting | Fate::Pending)), 0);
    Ok(())
}

proptest! {
    #[test]
    fn every_share_has_one_fate_whatever_the_pool_says(steps in vec(step(), 0..80)) {
        let (mut world, job) = World::working();
        play(&mut world, vec![job], steps)?;
    }

    #[test]
    fn no_order_of_messages_harms_a_session_that_is_being_set_up(
        set_up_first in any::<bool>(),
        steps in vec(step(), 0..40),
    ) {
        let mut world = World::new();
        if set_up_first {
            world.hear(set_up());
        }
        play(&mut world, Vec::new(), steps)?;
    }

    // A1, A2: a pool that judges each share once, refusals before or after the count that covers them, is believed to the digit.
    #[test]
    fn accepted_is_what_an_honest_pool_counted(
        refused in vec(any::<bool>(), 1..60),
        batch in 1..12_usize,
        late in any::<bool>(),
        first in prop_oneof![Just(1_u32), Just(u32::MAX - 20), Just(i32::MAX as u32 - 20)],
    ) {
        let mut ledger = Ledger::default();
        let mut pending = crate::pool::sv2::pending::Pending::new(first, 4096, Duration::from_secs(600));
        let (_, job) = World::working();
        let mut world = World::open();
        let now = world.now;
        let mut sequences = Vec::new();
        for _ in &refused {
            let share = world.share(&job, false);
            ledger.found(share.id);
            sequences.push(pending.push(&share, now, &mut Vec::new()));
            ledger.becomes(share.id, Fate::Waiting, Fate::Pending);
        }
        let judged: Vec<_> = sequences.iter().zip(&refused).collect();
        for batch in judged.chunks(batch) {
            let mut told = Vec::new();
            let errors = |pending: &mut crate::pool::sv2::pending::Pending, told: &mut Vec<ConnectionEvent>| {
                for (sequence, _) in batch.iter().filter(|(_, refused)| **refused) {
                    pending.refuse(**sequence, RejectReason::Other, now, told);
                }
            };
            if !late {
                errors(&mut pending, &mut told);
            }
            let count = batch.iter().filter(|(_, refused)| !**refused).count();
            let (last, _) = batch.last().unwrap();
            pending.count(**last, u32::try_from(count).unwrap(), now, &mut told);
            ledger.counted_by_pool += count as u64;
            if late {
                errors(&mut pending, &mut told);
            }
            let actions: Vec<_> = told.into_iter().map(Action::Event).collect();
            ledger.note(&actions);
            let accepted = ledger.count(|fate| fate == Fate::Judged(Verdict::Accepted));
            prop_assert_eq!(accepted, ledger.counted_by_pool);
            let open = ledger.count(|fate| fate == Fate::Pending);
            prop_assert_eq!(pending.len() as u64, open);
        }
        prop_assert!(pending.is_empty());
        prop_assert_eq!(pending.implausible(), 0);
    }
}

// A4, A7, D19
#[test]
fn pending_is_bounded_and_lies_are_counted() {
    let (mut world, job) = World::working();
    let mut pending = crate::pool::sv2::pending::Pending::new(1, 4096, Duration::from_secs(600));
    let (now, mut told) = (world.now, Vec::new());
    for _ in 0..4_100 {
        let share = world.share(&job, false);
        pending.push(&share, now, &mut told);
    }
    assert_eq!((pending.len(), told.len()), (4_096, 4));
    told.clear();
    pending.count(5_000, 1, now, &mut told);
    pending.refuse(9_999, RejectReason::Stale, now, &mut told);
    pending.count(1u32.wrapping_sub(7), 1, now, &mut told);
    assert!(told.is_empty());
    assert_eq!(pending.implausible(), 3);
    pending.count(4_100, u32::MAX, now, &mut told);
    assert_eq!((told.len(), pending.len(), pending.implausible()), (4_096, 0, 4));
}

// A2
#[test]
fn share_without_an_answer_is_lost_after_ten_minutes() {
    let (mut world, job) = World::working();
    world.find(&job);
    world.sent();
    for minute in 0..10 {
        let actions = world.wait(59);
        assert!(verdicts(actions).is_empty(), "{minute}");
        world.hear(Incoming::SetTarget { channel_id: CHANNEL, share_target: ShareTarget::MAX });
    }
    assert_eq!(verdicts(world.wait(10)), [(1, Verdict::Lost)]);
    // Too late to count.
    assert!(
        world
            .hear(Incoming::SharesAccepted { channel_id: CHANNEL, last_sequence_number: 1, count: 1, shares_sum: 0 })
            .is_empty()
    );
}
