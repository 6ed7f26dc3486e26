use super::*;
use crate::{
    header::meets,
    scripted_sv1::{EASY_DIFFICULTY, Sv1Job, Welcome, message},
    sv1_client::Sv1Work,
};
use serde_json::json;
use std::time::Duration;

const NTIME: u32 = 1_700_000_000;
const EXTRANONCE2: [u8; 8] = [1, 2, 3, 4, 5, 6, 7, 8];
const MASK: u32 = 0x1fff_e000;
const NO_BITS: Option<u32> = Some(0);

fn job(id: &str, tip: u8) -> Sv1Job {
    Sv1Job { ntime: NTIME, ..Sv1Job::new(id, tip) }
}

/// A verifier that heard a whole set-up and job "a", and what a miner makes of the same.
fn world(now: Instant) -> (Sv1Verifier, Sv1Work) {
    let mut verifier = Sv1Verifier::default();
    let work = begin(&mut verifier, now);
    (verifier, work)
}

fn begin(verifier: &mut Sv1Verifier, now: Instant) -> Sv1Work {
    set_up(verifier, now);
    verifier.sent(&message::difficulty(EASY_DIFFICULTY), now);
    verifier.sent(&job("a", 0x11).notify(), now);
    work_of(&job("a", 0x11))
}

fn set_up(verifier: &mut Sv1Verifier, now: Instant) {
    let welcome = Welcome::default();
    let rolling = json!([["version-rolling"], {"version-rolling.mask": "1fffe000"}]);
    verifier.received(&message::ask(1, "mining.configure", rolling));
    verifier.received(&message::ask(2, "mining.subscribe", json!(["testbed/1"])));
    verifier.received(&message::ask(3, "mining.authorize", json!(["alice", "x"])));
    verifier.sent(&message::result(&json!(1), welcome.configured.clone()), now);
    verifier.sent(&message::result(&json!("2"), welcome.subscribed()), now);
    verifier.sent(&message::result(&json!(3), json!(true)), now);
}

fn work_of(job: &Sv1Job) -> Sv1Work {
    Sv1Work {
        worker: "alice".into(),
        notify: job.read(),
        extranonce1: Welcome::default().extranonce1,
        target: difficulty::target(EASY_DIFFICULTY),
        version_bits: NO_BITS,
    }
}

/// As it would come over the wire.
fn share(id: u64, params: Value) -> Sv1Share {
    Sv1Share::of(&message::ask(id, "mining.submit", params)).unwrap()
}

fn mined(work: &Sv1Work) -> Sv1Share {
    share(10, work.mine(&EXTRANONCE2, 0))
}

#[test]
fn good_share_is_good_once() {
    let now = Instant::now();
    let (mut verifier, work) = world(now);
    let judged = verifier.verify(&mined(&work), now).unwrap();
    assert!(meets(&judged.hash, &work.target));
    assert_eq!((judged.notify, judged.version), (0, 0x2000_0000));
    assert!(matches!(verifier.verify(&mined(&work), now), Err(Violation::Repeated(_))));
}

#[test]
fn header_may_not_come_again_after_a_reconnect() {
    let now = Instant::now();
    let (mut verifier, work) = world(now);
    verifier.verify(&mined(&work), now).unwrap();
    verifier.reconnected();
    assert_eq!(verifier.verify(&mined(&work), now), Err(Violation::Worker("alice".into())));
    let again = begin(&mut verifier, now);
    assert!(matches!(verifier.verify(&mined(&again), now), Err(Violation::Repeated(_))));
    assert!(verifier.verify(&share(11, work.mine(&[9; 8], 0)), now).is_ok());
}

#[test]
fn id_of_any_earlier_request_is_not_to_be_used_again() {
    let now = Instant::now();
    let (mut verifier, work) = world(now);
    for id in [2, 10, 10] {
        verifier.received(&message::ask(id, "mining.submit", work.mine(&EXTRANONCE2, 0)));
    }
    for id in [2, 10] {
        let again = share(id, work.mine(&EXTRANONCE2, 0));
        assert_eq!(verifier.verify(&again, now), Err(Violation::RepeatedId(id.to_string())));
    }
    assert!(verifier.verify(&share(11, work.mine(&EXTRANONCE2, 0)), now).is_ok());
}

#[test]
fn worker_must_be_the_one_that_was_authorised() {
    let now = Instant::now();
    let (mut verifier, work) = world(now);
    let stranger = Sv1Work { worker: "mallory".into(), ..work };
    assert_eq!(verifier.verify(&mined(&stranger), now), Err(Violation::Worker("mallory".into())));
}

#[test]
fn clean_job_another_tip_and_a_reused_id_end_the_jobs_before() {
    let now = Instant::now();
    let refreshed = Sv1Job { clean_jobs: false, ..job("b", 0x11) };
    let other_tip = Sv1Job { clean_jobs: false, ..job("b", 0x22) };
    let same_id = Sv1Job { clean_jobs: false, tag: "another".into(), ..job("a", 0x11) };
    for (next, is_dead) in [(refreshed, false), (job("b", 0x11), true), (other_tip, true)] {
        let (mut verifier, work) = world(now);
        verifier.sent(&next.notify(), now);
        let verdict = verifier.verify(&mined(&work), now);
        assert_eq!(verdict == Err(Violation::DeadJob("a".into())), is_dead, "{next:?}: {verdict:?}");
        assert_eq!(verdict.is_ok(), !is_dead, "{next:?}");
        assert_eq!(verifier.verify(&mined(&work_of(&next)), now).unwrap().notify, 1);
    }
    let (mut verifier, work) = world(now);
    verifier.sent(&same_id.notify(), now);
    assert!(matches!(verifier.verify(&mined(&work), now), Err(Violation::AboveTarget(_))), "hashed as the new job");
    let unknown = Sv1Work { notify: job("c", 0x11).read(), ..work };
    assert_eq!(verifier.verify(&mined(&unknown), now), Err(Violation::UnknownJob("c".into())));
}

#[test]
fn fields_have_their_exact_lengths() {
    let now = Instant::now();
    let (mut verifier, work) = world(now);
    let good = work.mine(&EXTRANONCE2, 0);
    let with = |at: usize, text: &str| {
        let mut params = good.clone();
        params[at] = json!(text);
        share(10, params)
    };
    let length = |text: &str| Violation::Extranonce2 { agreed: 8, text: text.into() };
    for text in ["01020304050607", "010203040506070809", "010203040506070", "0102030405060708 ", "01020304050607zz"] {
        assert_eq!(verifier.verify(&with(2, text), now), Err(length(text)));
    }
    for (at, text) in [(3, "6553f10"), (4, "0x123456"), (4, "000012345"), (5, "+2000000")] {
        assert_eq!(verifier.verify(&with(at, text), now), Err(Violation::EightDigits(text.into())));
    }
    let mut numbers = good.clone();
    numbers[4] = json!(7);
    assert_eq!(verifier.verify(&share(10, numbers), now), Err(Violation::Parameter(4)));
    assert_eq!(verifier.verify(&share(10, json!(["alice", "a"])), now), Err(Violation::Parameter(2)));
    let mut seven = good.clone();
    seven.as_array_mut().unwrap().push(json!("00000000"));
    assert_eq!(verifier.verify(&share(10, seven), now), Err(Violation::TooMany(7)));
    assert!(verifier.verify(&share(10, good), now).is_ok());
}

#[test]
fn version_bits_are_held_to_the_mask_in_force() {
    let now = Instant::now();
    let (mut verifier, mut work) = world(now);
    work.version_bits = Some(0x2000);
    assert_eq!(verifier.verify(&mined(&work), now).unwrap().version, 0x2000_2000);
    work.version_bits = Some(0x1000);
    let outside = Violation::VersionMask { bits: 0x1000, mask: MASK };
    assert_eq!(verifier.verify(&mined(&work), now), Err(outside));
    work.version_bits = None;
    assert_eq!(verifier.verify(&mined(&work), now), Err(Violation::VersionMissing { mask: MASK }));

    verifier.sent(&message::version_mask(0x0000_4000), now);
    work.version_bits = Some(0x2000);
    let outside = Violation::VersionMask { bits: 0x2000, mask: 0x4000 };
    assert_eq!(verifier.verify(&mined(&work), now), Err(outside));
    verifier.sent(&message::version_mask(0), now);
    assert_eq!(verifier.verify(&mined(&work), now), Err(Violation::VersionNotRolled(0x2000)));
    work.version_bits = None;
    assert!(verifier.verify(&mined(&work), now).is_ok());
    // What was not asked for cannot be granted.
    verifier.sent(&message::version_mask(0xffff_ffff), now);
    work.version_bits = Some(0x1000);
    let outside = Violation::VersionMask { bits: 0x1000, mask: MASK };
    assert_eq!(verifier.verify(&mined(&work), now), Err(outside));
}

#[test]
fn version_that_pools_rebuild_differently_is_not_good() {
    let now = Instant::now();
    let (mut verifier, _) = world(now);
    let base = Sv1Job { version: 0x2000_4000, ..job("b", 0x11) };
    verifier.sent(&base.notify(), now);
    let mut work = work_of(&base);
    work.version_bits = Some(0x2000);
    let rules = Violation::VersionRules { bip310: 0x2000_2000, ckpool: 0x2000_6000 };
    assert_eq!(verifier.verify(&mined(&work), now), Err(rules));
    work.version_bits = Some(0x6000);
    assert_eq!(verifier.verify(&mined(&work), now).unwrap().version, 0x2000_6000);
}

#[test]
fn answers_to_configure_grant_what_they_say_and_no_more_than_was_asked() {
    let now = Instant::now();
    for (result, mask) in [
        (json!({"version-rolling": true, "version-rolling.mask": "0x1FFFE000"}), MASK),
        (json!({"version-rolling": true, "version-rolling.mask": "ffffffff"}), MASK),
        (json!({"version-rolling": true, "version-rolling.mask": "00002000"}), 0x2000),
        (json!({"version-rolling": true}), MASK),
        (json!({"version-rolling": "true", "version-rolling.mask": "00ffe000"}), 0x00ff_e000),
        (json!({"version-rolling": false, "version-rolling.mask": "1fffe000"}), 0),
        (json!({"version-rolling": "not here"}), 0),
        (json!({}), 0),
        (Value::Null, 0),
    ] {
        let mut verifier = Sv1Verifier::default();
        set_up(&mut verifier, now);
        verifier.sent(&message::result(&json!(1), result.clone()), now);
        assert_eq!(verifier.mask, mask, "{result}");
    }
}

#[test]
fn ntime_may_rise_with_the_clock_and_one_second_more() {
    let now = Instant::now();
    let (mut verifier, work) = world(now);
    let mut at = |ntime: u32, elapsed: u64| {
        let mut work = work.clone();
        work.notify.ntime = ntime;
        verifier.verify(&mined(&work), now + Duration::from_secs(elapsed)).map(|judged| judged.notify)
    };
    assert_eq!(at(NTIME + 1, 0), Ok(0));
    assert_eq!(at(NTIME - 1, 0), Err(Violation::Ntime { ntime: NTIME - 1, first: NTIME, last: NTIME + 1 }));
    assert_eq!(at(NTIME + 7, 5), Err(Violation::Ntime { ntime: NTIME + 7, first: NTIME, last: NTIME + 6 }));
    assert_eq!(at(NTIME + 6, 5), Ok(0));
}

#[test]
fn difficulty_and_extranonce_are_those_of_the_notify_and_not_of_the_moment() {
    let now = Instant::now();
    let (mut verifier, work) = world(now);
    verifier.sent(&message::difficulty(1e6), now);
    verifier.sent(&message::extranonce(&[0xee; 6], 6), now);
    assert_eq!(verifier.verify(&mined(&work), now).unwrap().notify, 0);
    let next = Sv1Job { clean_jobs: false, ..job("b", 0x11) };
    verifier.sent(&next.notify(), now);
    let mut later = work_of(&next);
    let length = Violation::Extranonce2 { agreed: 6, text: "0102030405060708".into() };
    assert_eq!(verifier.verify(&mined(&later), now), Err(length));
    later.extranonce1 = vec![0xee; 6];
    let six = |later: &Sv1Work| share(10, later.mine(&EXTRANONCE2[..6], 0));
    assert!(matches!(verifier.verify(&six(&later), now), Err(Violation::AboveTarget(_))));
    verifier.sent(&message::difficulty(EASY_DIFFICULTY), now);
    assert!(matches!(verifier.verify(&six(&later), now), Err(Violation::AboveTarget(_))), "the job keeps its own");
}

#[test]
fn repeated_notify_is_the_same_job_at_its_new_difficulty() {
    let now = Instant::now();
    let (mut verifier, work) = world(now);
    let later = now + Duration::from_secs(30);
    verifier.sent(&message::difficulty(EASY_DIFFICULTY / 16.0), later);
    verifier.sent(&job("a", 0x11).notify(), later);
    let easier = Sv1Work { target: difficulty::target(EASY_DIFFICULTY / 16.0), ..work.clone() };
    let share_of = |work: &Sv1Work, number: u8| share(10, work.mine(&[number; 8], 0));
    assert_eq!(verifier.verify(&share_of(&easier, 1), later).unwrap().notify, 1);
    let mut rolled = easier;
    rolled.notify.ntime += 30;
    assert!(verifier.verify(&share_of(&rolled, 2), later).is_ok(), "its clock goes on");

    verifier.sent(&message::difficulty(EASY_DIFFICULTY), later);
    verifier.sent(&job("a", 0x11).notify(), later);
    assert_eq!(verifier.verify(&share_of(&work, 3), later).unwrap().notify, 2, "the newest that fits");
}

#[test]
fn what_comes_before_the_answer_to_subscribe_is_judged_with_its_extranonce() {
    let now = Instant::now();
    let mut verifier = Sv1Verifier::default();
    verifier.received(&message::ask(3, "mining.authorize", json!(["alice", "x"])));
    verifier.sent(&job("a", 0x11).notify(), now);
    let mut work = work_of(&job("a", 0x11));
    work.version_bits = None;
    assert_eq!(verifier.verify(&mined(&work), now), Err(Violation::NoExtranonce));
    set_up(&mut verifier, now);
    verifier.sent(&message::result(&json!(1), json!({"version-rolling": false})), now);
    assert!(matches!(verifier.verify(&mined(&work), now), Err(Violation::AboveTarget(_))), "1 until another comes");
    verifier.sent(&message::difficulty(EASY_DIFFICULTY), now);
    assert!(verifier.verify(&mined(&work), now).is_ok());
    // A second answer changes nothing.
    verifier.sent(&message::result(&json!(2), json!([[], "00", 1])), now);
    assert!(verifier.verify(&share(11, work.mine(&[9; 8], 0)), now).is_ok());
}

#[test]
fn what_no_miner_can_read_changes_nothing() {
    let now = Instant::now();
    let (mut verifier, work) = world(now);
    let mut odd = job("b", 0x22).params();
    odd[2] = json!("0");
    for bad in [
        message::call("mining.set_difficulty", json!([0])),
        message::call("mining.set_difficulty", json!([-1.0])),
        message::call("mining.set_difficulty", json!(["nan"])),
        message::call("mining.set_difficulty", json!([])),
        message::call("mining.set_extranonce", json!(["abc", 4])),
        message::call("mining.set_extranonce", json!(["abcd", 17])),
        message::call("mining.set_version_mask", json!(["?"])),
        message::call("mining.notify", odd),
        message::call("mining.notify", json!([])),
        json!([1, 2]),
        Value::Null,
    ] {
        verifier.sent(&bad, now);
    }
    assert!(verifier.verify(&mined(&work), now).is_ok());
    assert_eq!(verifier.notifies(), 1);
}
