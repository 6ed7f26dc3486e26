//! Each outcome, and the order in which they are decided.

use super::*;
use crate::{
    job::{extranonce::Extranonce, tests::job},
    scheduler::slot::SlotSpace,
    thread::{ThreadIndex, Work},
};
use mujina_core::units::ShareTarget;
use std::{sync::Arc, time::Duration};

fn nothing_meets_it() -> ShareTarget {
    ShareTarget::from_be_bytes([0; 32])
}

fn nonce(job: &Job, ticket_target: ShareTarget, number: u32) -> Nonce {
    let slot = SlotSpace::new(8, [0; 32]).slot(0);
    Nonce {
        thread: ThreadIndex(0),
        work: Arc::new(Work { generation: 1, job: Arc::new(job.clone()), slot, ticket_target }),
        extranonce: Extranonce::new(&[5; 8]).unwrap(),
        version: job.version,
        ntime: job.min_ntime,
        nonce: number,
        ticket_target,
        found_at: job.received_at,
    }
}

fn fate_of(job: &Job, nonce: &Nonce, current: Option<&Job>) -> Fate {
    let mut verifier = Verifier::new(&Limits::default(), job.received_at);
    verifier.job(job);
    verifier.check(nonce, current, job.received_at).fate
}

#[test]
fn good_share_is_sent_with_the_header_that_was_hashed() {
    let job = job();
    let nonce = nonce(&job, ShareTarget::MAX, 3);
    let mut verifier = Verifier::new(&Limits::default(), job.received_at);
    verifier.job(&job);
    let checked = verifier.check(&nonce, Some(&job), job.received_at);
    assert_eq!(checked.fate, Fate::Submit { block: false, late: false });
    assert!(checked.proves_work);
    assert_eq!(checked.header, header::assemble(&job, &[5; 8], job.version, job.min_ntime, 3));
    assert_eq!(checked.hash, header::hash(&checked.header));
}

#[test]
fn each_fault_has_its_name_and_the_first_one_counts() {
    // Everything is wrong with this nonce; one fault after the other is mended.
    let mut tip = job();
    tip.share_target = nothing_meets_it();
    let mut other_tip = tip.clone();
    other_tip.prev_hash = [8; 32];
    let mut bad = nonce(&tip, nothing_meets_it(), 1);
    bad.version ^= 1;
    bad.ntime -= 1;
    let error = Fate::Drop(DropReason::HardwareError);
    assert_eq!(fate_of(&tip, &bad, Some(&other_tip)), error);
    bad.version ^= 1;
    assert_eq!(fate_of(&tip, &bad, Some(&other_tip)), error, "above its ticket target");
    bad.ticket_target = ShareTarget::MAX;
    assert_eq!(fate_of(&tip, &bad, Some(&other_tip)), Fate::Drop(DropReason::Stale));
    assert_eq!(fate_of(&tip, &bad, None), Fate::Drop(DropReason::Stale));
    assert_eq!(fate_of(&tip, &bad, Some(&tip)), Fate::Drop(DropReason::BelowTarget));
    tip.share_target = ShareTarget::MAX;
    bad.work = nonce(&tip, ShareTarget::MAX, 1).work;
    let mut verifier = Verifier::new(&Limits::default(), tip.received_at);
    verifier.job(&tip);
    let mut check = |nonce: &Nonce| verifier.check(nonce, Some(&tip), tip.received_at).fate;
    assert_eq!(check(&bad), Fate::Drop(DropReason::OutOfWindow));
    assert_eq!(check(&bad), Fate::Drop(DropReason::Duplicate));
    bad.ntime += 1;
    assert_eq!(check(&bad), Fate::Submit { block: false, late: false });
}

#[test]
fn rolled_version_is_allowed_inside_the_mask_only() {
    let mut job = job();
    let mut rolled = nonce(&job, ShareTarget::MAX, 1);
    rolled.version ^= 0x0000_2000;
    assert_eq!(fate_of(&job, &rolled, Some(&job)), Fate::Submit { block: false, late: false });
    job.version_mask = 0;
    rolled.work = nonce(&job, ShareTarget::MAX, 1).work;
    assert_eq!(fate_of(&job, &rolled, Some(&job)), Fate::Drop(DropReason::HardwareError));
}

#[test]
fn ntime_may_follow_the_clock_and_not_overtake_it() {
    let job = job();
    let mut later = nonce(&job, ShareTarget::MAX, 1);
    later.ntime += 3;
    let mut verifier = Verifier::new(&Limits::default(), job.received_at);
    verifier.job(&job);
    let mut at = |millis, number| {
        later.nonce = number;
        verifier.check(&later, Some(&job), job.ntime_origin + Duration::from_millis(millis)).fate
    };
    assert_eq!(at(2999, 1), Fate::Drop(DropReason::OutOfWindow));
    assert_eq!(at(3000, 2), Fate::Submit { block: false, late: false });
}

#[test]
fn duplicates_are_remembered_until_the_previous_block_changes() {
    let first = job();
    let share = nonce(&first, ShareTarget::MAX, 1);
    let mut verifier = Verifier::new(&Limits::default(), first.received_at);
    verifier.job(&first);
    let sent = Fate::Submit { block: false, late: false };
    assert_eq!(verifier.check(&share, Some(&first), first.received_at).fate, sent);
    // The same tip again, under another handle.
    let refreshed = job();
    verifier.job(&refreshed);
    let again = verifier.check(&share, Some(&refreshed), first.received_at);
    assert_eq!((again.fate, again.proves_work), (Fate::Drop(DropReason::Duplicate), false));
    let mut next = job();
    next.prev_hash = [9; 32];
    verifier.job(&next);
    assert_eq!(verifier.check(&share, Some(&next), first.received_at).fate, Fate::Drop(DropReason::Stale));
    verifier.job(&first);
    assert_eq!(verifier.check(&share, Some(&first), first.received_at).fate, sent);
}

#[test]
fn repeated_nonce_that_is_no_share_proves_work_once() {
    let mut job = job();
    job.share_target = nothing_meets_it();
    let nonce = nonce(&job, ShareTarget::MAX, 1);
    let mut verifier = Verifier::new(&Limits::default(), job.received_at);
    let mut proves = || verifier.check(&nonce, Some(&job), job.received_at).proves_work;
    assert_eq!([proves(), proves()], [true, false]);
}

#[test]
fn memory_of_hashes_is_bounded() {
    let mut seen = Seen { capacity: 4096, set: HashSet::new(), order: VecDeque::new() };
    for number in 0..10_000_u32 {
        let mut hash = [0; 32];
        hash[..4].copy_from_slice(&number.to_le_bytes());
        assert!(seen.insert(hash));
        assert_eq!(seen.set.len(), seen.order.len());
    }
    assert_eq!(seen.set.len(), 4096);
    assert!(seen.insert([0; 32]), "the oldest went first");
}

#[test]
fn block_on_a_tip_that_is_gone_is_sent_on_a_hard_chain_only() {
    // No hash found here meets a hard target; that such a one is sent late, the last line cannot show.
    let mut hard = job();
    hard.network_target = ShareTarget::from_compact(0x1702_9a8a).unwrap();
    assert!(crate::job::is_hard_chain(hard.network_target) && !crate::job::is_hard_chain(job().network_target));
    let mut easy = job();
    easy.network_target = ShareTarget::MAX;
    let found = nonce(&easy, ShareTarget::MAX, 1);
    assert_eq!(fate_of(&easy, &found, Some(&easy)), Fate::Submit { block: true, late: false });
    let mut next = easy.clone();
    next.prev_hash = [8; 32];
    assert_eq!(fate_of(&easy, &found, Some(&next)), Fate::Drop(DropReason::Stale));
    assert!(is_lost_block(&hard, [0; 32]) && !is_lost_block(&hard, [0xff; 32]) && !is_lost_block(&easy, [0; 32]));
}

#[test]
fn blocks_pass_the_flood_cap() {
    let mut easy = job();
    easy.network_target = ShareTarget::MAX;
    let mut verifier = Verifier::new(&Limits::default(), easy.received_at);
    verifier.job(&easy);
    for number in 0..200 {
        let checked = verifier.check(&nonce(&easy, ShareTarget::MAX, number), Some(&easy), easy.received_at);
        assert_eq!(checked.fate, Fate::Submit { block: true, late: false });
    }
}

#[test]
fn flood_is_capped_at_a_burst_and_then_a_rate() {
    let job = job();
    let mut verifier = Verifier::new(&Limits::default(), job.received_at);
    verifier.job(&job);
    let mut number = 0;
    let mut sent_of = |count: u32, at: Instant| {
        let passed = |_: &u32| {
            number += 1;
            let checked = verifier.check(&nonce(&job, ShareTarget::MAX, number), Some(&job), at);
            assert!(checked.proves_work);
            checked.fate == Fate::Submit { block: false, late: false }
        };
        (0..count).filter(passed).count()
    };
    assert_eq!(sent_of(150, job.received_at), 100);
    assert_eq!(sent_of(150, job.received_at + Duration::from_secs(2)), 40);
}

#[test]
fn orphan_is_stale_or_faulty() {
    let job = job();
    let reason = |nonce: &Nonce| check_orphan(nonce).fate;
    assert_eq!(reason(&nonce(&job, ShareTarget::MAX, 1)), Fate::Drop(DropReason::Stale));
    assert_eq!(reason(&nonce(&job, nothing_meets_it(), 1)), Fate::Drop(DropReason::HardwareError));
}
