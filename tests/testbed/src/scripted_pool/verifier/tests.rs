use super::*;
use crate::{
    scripted_pool::{ChannelPlan, EASY_TARGET, JobPlan, message},
    sv2_client::Work,
};
use std::time::Duration;

const NTIME: u32 = 1_700_000_000;
const EXTRANONCE: [u8; 8] = [1, 2, 3, 4, 5, 6, 7, 8];
const MASK: u32 = 0x1fff_e000;

fn opened() -> OpenExtendedMiningChannelSuccessOwned {
    let ChannelPlan { id, group, extranonce_prefix, extranonce_size, target } = ChannelPlan::default();
    OpenExtendedMiningChannelSuccessOwned {
        request_id: 1,
        channel_id: id,
        target: target.into(),
        extranonce_size,
        extranonce_prefix: extranonce_prefix.try_into().unwrap(),
        group_channel_id: group,
    }
}

/// A verifier that was told of a channel and of job 1 on a tip, and what a miner makes of the same.
fn world(now: Instant) -> (Verifier, Work) {
    let mut verifier = Verifier::new(MASK);
    let work = begin(&mut verifier, now);
    (verifier, work)
}

fn begin(verifier: &mut Verifier, now: Instant) -> Work {
    let MiningOwned::NewExtendedMiningJob(job) = message::job(2, &JobPlan::future(1, 12)) else { unreachable!() };
    let MiningOwned::SetNewPrevHash(tip) = message::tip(2, 1, [0x11; 32], NTIME) else { unreachable!() };
    verifier.sent(&MiningOwned::OpenExtendedMiningChannelSuccess(opened()), now);
    verifier.sent(&MiningOwned::NewExtendedMiningJob(job.clone()), now);
    verifier.sent(&MiningOwned::SetNewPrevHash(tip.clone()), now);
    Work { channel: opened(), job, tip }
}

fn numbered(share: &SubmitSharesExtendedOwned, sequence_number: u32) -> SubmitSharesExtendedOwned {
    SubmitSharesExtendedOwned { sequence_number, ..share.clone() }
}

#[test]
fn good_share_is_good_once() {
    let now = Instant::now();
    let (mut verifier, work) = world(now);
    let share = work.mine(&EXTRANONCE, 0);
    let hash = verifier.verify(&share, now).unwrap();
    assert!(meets(&hash, &EASY_TARGET));
    assert!(matches!(verifier.verify(&numbered(&share, 1), now), Err(Violation::Repeated(_))));
}

#[test]
fn header_may_not_come_again_after_a_reconnect() {
    let now = Instant::now();
    let (mut verifier, work) = world(now);
    verifier.verify(&work.mine(&EXTRANONCE, 0), now).unwrap();
    verifier.reconnected();
    assert_eq!(verifier.verify(&work.mine(&EXTRANONCE, 0), now), Err(Violation::Channel(2)));
    let again = begin(&mut verifier, now).mine(&EXTRANONCE, 0);
    assert!(matches!(verifier.verify(&again, now), Err(Violation::Repeated(_))));
    let other = work.mine(&[9; 8], 0);
    assert!(verifier.verify(&numbered(&other, 1), now).is_ok());
}

#[test]
fn sequence_numbers_rise_over_the_end_of_their_range() {
    let now = Instant::now();
    let (mut verifier, work) = world(now);
    let share = |nonce: u8, number: u32| numbered(&work.mine(&[nonce; 8], 0), number);
    assert!(verifier.verify(&share(1, u32::MAX), now).is_ok());
    assert!(verifier.verify(&share(2, 0), now).is_ok());
    assert_eq!(verifier.verify(&share(3, 0), now), Err(Violation::Sequence { before: 0, now: 0 }));
    assert_eq!(verifier.verify(&share(4, u32::MAX), now), Err(Violation::Sequence { before: 0, now: u32::MAX }));
}

#[test]
fn jobs_are_told_apart_as_unknown_future_and_dead() {
    let now = Instant::now();
    let (mut verifier, work) = world(now);
    let of_job =
        |job_id: u32, number: u32| SubmitSharesExtendedOwned { job_id, ..numbered(&work.mine(&EXTRANONCE, 0), number) };
    verifier.sent(&message::job(1, &JobPlan::future(2, 12)), now);
    assert_eq!(verifier.verify(&of_job(3, 1), now), Err(Violation::UnknownJob(3)));
    assert_eq!(verifier.verify(&of_job(2, 2), now), Err(Violation::FutureJob(2)));
    verifier.sent(&message::tip(1, 2, [0x22; 32], NTIME), now);
    assert_eq!(verifier.verify(&of_job(1, 3), now), Err(Violation::DeadTip(1)));
}

#[test]
fn share_of_an_older_job_on_the_same_tip_stays_good() {
    let now = Instant::now();
    let (mut verifier, work) = world(now);
    verifier.sent(&message::job(1, &JobPlan::immediate(2, 12, NTIME)), now);
    assert!(verifier.verify(&work.mine(&EXTRANONCE, 0), now).is_ok());
}

#[test]
fn whole_extranonce_belongs_in_a_share() {
    let now = Instant::now();
    let (mut verifier, work) = world(now);
    let short = work.share(&EXTRANONCE[..7], 0);
    assert_eq!(verifier.verify(&short, now), Err(Violation::ExtranonceLength { agreed: 8, actual: 7 }));
}

#[test]
fn version_bits_are_held_to_the_mask_and_to_the_jobs_permission() {
    let now = Instant::now();
    let (mut verifier, mut work) = world(now);
    let base = work.job.version;
    work.job.version = base | 0x2000;
    assert!(verifier.verify(&work.mine(&EXTRANONCE, 0), now).is_ok());
    work.job.version = base | 0x1000;
    let outside = Violation::Version { version: base | 0x1000, job: base, mask: MASK };
    assert_eq!(verifier.verify(&numbered(&work.share(&EXTRANONCE, 0), 1), now), Err(outside));
    let fixed = JobPlan { version_rolling_allowed: false, ..JobPlan::immediate(2, 12, NTIME) };
    verifier.sent(&message::job(2, &fixed), now);
    work.job.version = base | 0x2000;
    work.job.job_id = 2;
    let fixed = Violation::Version { version: base | 0x2000, job: base, mask: 0 };
    assert_eq!(verifier.verify(&numbered(&work.share(&EXTRANONCE, 0), 2), now), Err(fixed));
}

#[test]
fn ntime_may_rise_with_the_clock_and_one_second_more() {
    let now = Instant::now();
    let (mut verifier, mut work) = world(now);
    let mut at = |ntime: u32, elapsed: u64, number: u32| {
        work.tip.min_ntime = ntime;
        let share = numbered(&work.mine(&EXTRANONCE, 0), number);
        verifier.verify(&share, now + Duration::from_secs(elapsed))
    };
    assert!(at(NTIME + 1, 0, 1).is_ok());
    assert_eq!(at(NTIME - 1, 0, 2), Err(Violation::Ntime { ntime: NTIME - 1, first: NTIME, last: NTIME + 1 }));
    assert_eq!(at(NTIME + 7, 5, 3), Err(Violation::Ntime { ntime: NTIME + 7, first: NTIME, last: NTIME + 6 }));
    assert!(at(NTIME + 6, 5, 4).is_ok());
}

#[test]
fn target_and_prefix_are_those_of_the_job_and_not_of_the_moment() {
    let now = Instant::now();
    let (mut verifier, work) = world(now);
    verifier.sent(&message::target(1, [0; 32]), now);
    verifier.sent(&message::extranonce_prefix(2, &[0xee; 4]), now);
    assert!(verifier.verify(&work.mine(&EXTRANONCE, 0), now).is_ok());
    verifier.sent(&message::job(1, &JobPlan::immediate(2, 12, NTIME)), now);
    let mut later = work;
    later.job.job_id = 2;
    assert!(matches!(verifier.verify(&numbered(&later.mine(&EXTRANONCE, 0), 1), now), Err(Violation::AboveTarget(_))));
}

#[test]
fn future_job_takes_the_target_that_is_set_before_it_becomes_active() {
    let now = Instant::now();
    let (mut verifier, work) = world(now);
    verifier.sent(&message::target(2, [0; 32]), now);
    let MiningOwned::NewExtendedMiningJob(job) = message::job(2, &JobPlan::future(5, 12)) else { unreachable!() };
    verifier.sent(&MiningOwned::NewExtendedMiningJob(job.clone()), now);
    verifier.sent(&message::target(2, EASY_TARGET), now);
    let MiningOwned::SetNewPrevHash(tip) = message::tip(2, 5, [0x33; 32], NTIME) else { unreachable!() };
    verifier.sent(&MiningOwned::SetNewPrevHash(tip.clone()), now);
    let work = Work { job, tip, ..work };
    assert!(verifier.verify(&work.mine(&EXTRANONCE, 0), now).is_ok());
}
