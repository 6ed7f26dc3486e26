//! Jobs, and what they are given with.

use super::*;
use crate::job::{header, tests::BITAXE_PATH};

// V11
#[test]
fn fields_of_a_job_stand_where_the_header_has_them() {
    // A job of a public pool, a share that it accepted from a Bitaxe Gamma, and the difficulty that it said of it.
    let mut world = World::asked();
    world.answer(1, json!({"version-rolling": true, "version-rolling.mask": "1fffe000"}));
    world.answer(2, json!([[], "4128064f", 4]));
    world.call("mining.set_difficulty", json!([1000]));
    let prefix = "02000000010000000000000000000000000000000000000000000000000000000000000000ffffffff170330c30d5075626c69632d506f6f6c";
    let suffix = concat!(
        "ffffffff02e5b5c61200000000220020984a77c289084ff2d434c316bdada021c6c183d507c8a20d3b159b09ac02fe28",
        "0000000000000000266a24aa21a9edb98ee50410ed4abd48401ed484fc874409d086a3faf0816136a8ad6168314c5800000000"
    );
    // As explorers show it the hash is 000000000000000000015296bc96391d0d67f4a301f2d4fc6db962c16b6455fd.
    let prev_hash = "6b6455fd6db962c101f2d4fc0d67f4a3bc96391d000152960000000000000000";
    let params = json!(["1", prev_hash, prefix, suffix, BITAXE_PATH, "20000000", "17023a04", "685468d7", true]);
    let job = only_job(world.call("mining.notify", params));
    assert_eq!((job.extranonce_size, job.min_ntime, job.nbits), (4, 0x6854_68d7, 0x1702_3a04));
    let header = header::assemble(&job, &[0x17, 0, 0, 0], 0x20b4_4000, 0x6854_68d7, 0x7552_034c);
    let difficulty = ShareTarget::from_le_bytes(header::hash(&header)).difficulty().as_f64();
    assert!((difficulty - 29_588.01).abs() < 0.01, "{difficulty}");
    assert!(job.share_target.is_met_by(header::hash(&header)));
}

// V11
#[test]
fn clean_jobs_is_read_in_all_its_forms() {
    let (mut world, first) = World::working();
    let mut previous = first;
    for (at, (flag, clean)) in [
        (json!(true), true),
        (json!(false), false),
        (json!(1), true),
        (json!(0), false),
        (json!("true"), true),
        (json!(null), false),
    ]
    .into_iter()
    .enumerate()
    {
        let params = changed(notify(&format!("j{at}"), 1, false), 8, flag.clone());
        let job = only_job(world.call("mining.notify", params));
        let stale = not_sent(world.find(&previous));
        assert_eq!(!stale.is_empty(), clean, "{flag}");
        previous = job;
    }
    // Missing means no.
    let mut params = notify("short", 1, false);
    params.as_array_mut().unwrap().pop();
    let job = only_job(world.call("mining.notify", params));
    assert!(not_sent(world.find(&previous)).is_empty());
    // The last of more than nine.
    let mut params = notify("long", 1, false);
    params.as_array_mut().unwrap().extend([json!("more"), json!(true)]);
    only_job(world.call("mining.notify", params));
    assert_eq!(not_sent(world.find(&job)).len(), 1);
}

// V11
#[test]
fn job_that_cannot_be_read_is_a_violation() {
    for (at, to) in [
        (0, json!(null)),
        (0, json!("x".repeat(256))),
        (1, json!("07")),
        (1, json!(7)),
        (2, json!("020")),
        (3, json!("zz")),
        (4, json!("none")),
        (4, json!(["05"])),
        (5, json!("2000000000")),
        (5, json!("+2000000")),
        (6, json!("")),
        (7, json!("now")),
    ] {
        let params = changed(notify("a", 1, true), at, to.clone());
        assert!(
            decode(json!({"method": "mining.notify", "params": params}).to_string().as_bytes()).is_err(),
            "{at} {to}"
        );
    }
    assert!(decode(br#"{"method":"mining.notify"}"#).is_err());
}

// V11, J8
#[test]
fn job_id_may_be_a_number_and_is_said_back_as_it_came() {
    let mut world = World::open();
    let params = changed(notify("", 1, true), 0, json!(4711));
    let job = only_job(world.call("mining.notify", params));
    assert_eq!(&*job.label, "4711");
    assert_eq!(world.submit(&job).job_id, json!(4711));
}

// SEC7
#[test]
fn job_id_is_shown_without_what_a_terminal_would_obey() {
    let mut world = World::open();
    let job = only_job(world.notify("\u{1b}[31mred\u{202e}", 1, true));
    assert_eq!(&*job.label, "red");
    assert_eq!(world.submit(&job).job_id, json!("\u{1b}[31mred\u{202e}"));
}

// V9, T1
#[test]
fn difficulty_holds_from_the_next_job_on() {
    let (mut world, first) = World::working();
    let told = events(world.call("mining.set_difficulty", json!([64.5])));
    assert!(
        matches!(told.as_slice(), [ConnectionEvent::Facts(facts)] if facts.share_difficulty.unwrap().as_f64() == 64.5)
    );
    let second = only_job(world.notify("b", 1, false));
    assert!(first.share_target.difficulty().as_f64() < 1e-8);
    assert_eq!(second.share_target.difficulty().as_f64(), 64.5);
    assert!(not_sent(world.find(&first)).is_empty());
}

// V9
#[test]
fn difficulty_that_is_none_changes_nothing() {
    let mut world = World::open();
    world.call("mining.set_difficulty", json!([2]));
    for bad in [
        json!([0]),
        json!([-1]),
        json!(["nan"]),
        json!(["inf"]),
        json!([1e15]),
        json!([1e-10]),
        json!([null]),
        json!([]),
    ] {
        assert!(jobs(world.call("mining.set_difficulty", bad)).is_empty());
    }
    world.hear(&json!({"method": "mining.set_difficulty"}));
    assert_eq!(only_job(world.notify("a", 1, true)).share_target.difficulty().as_f64(), 2.0);
    world.call("mining.set_difficulty", json!(["0.5"]));
    assert_eq!(only_job(world.notify("b", 1, true)).share_target.difficulty().as_f64(), 0.5);
}

// V9, V10
#[test]
fn difficulty_is_the_number_nearest_to_its_decimals() {
    let mut world = World::open();
    for (text, difficulty) in [("0.1", 0.1), ("4096.0000000000001", 4096.0), ("931.1", 931.1), ("1e3", 1000.0)] {
        let line = format!(r#"{{"method":"mining.set_difficulty","params":[{text}]}}"#);
        let message = decode(line.as_bytes()).unwrap();
        assert_eq!(message, Incoming::SetDifficulty(Difficulty::try_from(difficulty).unwrap()), "{text}");
        world.act(Input::Message { message, wall: WALL });
        let job = only_job(world.notify(text, 1, true));
        assert_eq!(job.share_target, Difficulty::try_from(difficulty).unwrap().share_target());
    }
}

// V11, J13, W2
#[test]
fn job_said_again_does_not_restart_the_search() {
    let (mut world, job) = World::working();
    assert!(jobs(world.notify("a", 1, false)).is_empty());
    // A pool that cleans and means the same job again: it stays good.
    assert!(jobs(world.notify("a", 1, true)).is_empty());
    assert!(not_sent(world.find(&job)).is_empty());
}

// V9, V11
#[test]
fn job_said_again_with_another_difficulty_is_only_refreshed() {
    let (mut world, before) = World::working();
    world.call("mining.set_difficulty", json!([8]));
    world.now += Duration::from_secs(5);
    let after = only_job(world.notify("a", 1, false));
    assert_eq!(after.share_target.difficulty().as_f64(), 8.0);
    assert_eq!(after.fingerprint(), before.fingerprint());
    assert_eq!((after.ntime_origin, after.min_ntime), (before.ntime_origin, before.min_ntime));
    assert_eq!(world.submit(&after).job_id, json!("a"));
    // What was found just before still has its name.
    assert!(not_sent(world.find(&before)).is_empty());
}

// V11, V12
#[test]
fn job_said_again_with_another_extranonce_replaces_its_namesake() {
    let (mut world, before) = World::working();
    world.call("mining.set_extranonce", json!(["0a0b", 8]));
    let after = only_job(world.notify("a", 1, false));
    assert_eq!(after.extranonce_prefix[..2], [0x0a, 0x0b]);
    assert_eq!(not_sent(world.find(&before)), [(1, DropReason::Stale)]);
    assert!(not_sent(world.find(&after)).is_empty());
}

// V11, J8
#[test]
fn id_with_another_content_is_another_job() {
    let (mut world, before) = World::working();
    let after = only_job(world.call("mining.notify", changed(notify("a", 1, false), 2, json!("0201"))));
    assert_ne!(after.fingerprint(), before.fingerprint());
    assert_eq!(not_sent(world.find(&before)), [(1, DropReason::Stale)]);
    assert!(not_sent(world.find(&after)).is_empty());
}

// J8
#[test]
fn id_that_comes_back_on_another_tip_names_the_new_job_alone() {
    let (mut world, before) = World::working();
    let after = only_job(world.notify("a", 2, true));
    assert_eq!(not_sent(world.find(&before)), [(1, DropReason::Stale)]);
    assert_eq!(world.submit(&after).job_id, json!("a"));
}

// V11, J5
#[test]
fn late_shares_of_the_sixteen_jobs_before_are_sent() {
    let (mut world, first) = World::working();
    let mut known = vec![first];
    for number in 0..17 {
        known.push(only_job(world.notify(&format!("n{number}"), 1, false)));
    }
    let sent: Vec<bool> = known.iter().map(|job| not_sent(world.find(job)).is_empty()).collect();
    assert_eq!(sent, [vec![false], vec![true; 17]].concat());
    assert_eq!(world.submits().first().unwrap().job_id, json!("n0"));
}

// V11, U8
#[test]
fn new_tip_makes_shares_stale_whatever_clean_jobs_says() {
    for clean in [true, false] {
        let (mut world, old) = World::working();
        world.find(&old);
        let actions = world.notify("b", 2, clean);
        assert_eq!(not_sent(actions), [(1, DropReason::Stale)], "what waited for the socket");
        assert_eq!(not_sent(world.find(&old)), [(2, DropReason::Stale)]);
    }
}

// U8
#[test]
fn late_block_is_sent_on_a_hard_chain_alone() {
    for (nbits, sent) in [("17023a04", true), ("1d00ffff", false), ("207fffff", false)] {
        let mut world = World::open();
        let old = only_job(world.call("mining.notify", changed(notify("a", 1, true), 6, json!(nbits))));
        world.notify("b", 2, true);
        let share = world.share(&old, true);
        assert_eq!(not_sent(world.act(Input::Share(share))).is_empty(), sent, "{nbits}");
        assert!(not_sent(world.find(&old)).len() == 1);
    }
}

// V12, X1
#[test]
fn extranonce_holds_from_the_next_job_on() {
    let (mut world, before) = World::working();
    let told = events(world.call("mining.set_extranonce", json!(["aabbcc", 8])));
    assert!(
        matches!(told.as_slice(), [ConnectionEvent::Facts(facts)] if facts.extranonce_prefix == [0xaa, 0xbb, 0xcc])
    );
    let after = only_job(world.notify("b", 1, false));
    assert_eq!(before.extranonce_prefix[..], [1, 2, 3, 4, 0xf0, 0xf0, 0xf0, 0xf0]);
    assert_eq!(after.extranonce_prefix[..], [0xaa, 0xbb, 0xcc, 0xf0, 0xf0, 0xf0, 0xf0]);
}

// V12, V16, U1
#[test]
fn size_of_extranonce2_may_change_and_each_share_keeps_its_own() {
    let (mut world, before) = World::working();
    world.call("mining.set_extranonce", json!(["aa", 4]));
    let shorter = only_job(world.notify("b", 1, false));
    world.call("mining.set_extranonce", json!(["bb", 16]));
    let longer = only_job(world.notify("c", 1, false));
    world.call("mining.set_extranonce", json!(["cc"]));
    let as_before = only_job(world.notify("d", 1, false));
    let mut lengths = Vec::new();
    for job in [&before, &shorter, &longer, &as_before] {
        let submit = world.submit(job);
        let hashed = [&job.extranonce_prefix[..], &[7; 4]].concat();
        let extranonce1_len = hashed.len() - submit.extranonce2.len();
        assert_eq!(hashed[extranonce1_len..], submit.extranonce2[..]);
        lengths.push((extranonce1_len, submit.extranonce2.len()));
    }
    assert_eq!(lengths, [(4, 8), (1, 4), (1, 16), (1, 16)]);
}

// V12, D7
#[test]
fn extranonce_that_cannot_be_used_ends_the_connection() {
    for params in [json!(["aa", 3]), json!(["aa", 0]), json!(["aa".repeat(30), 8])] {
        let (mut world, _) = World::working();
        let (kind, recovery, _) = failed(world.call("mining.set_extranonce", params));
        assert_eq!((kind, recovery), (FailureKind::Refused, Recovery::Park));
    }
    for params in [json!(["aaa", 8]), json!([]), json!([null, 8]), json!(["aa", 17])] {
        assert!(decode(json!({"method": "mining.set_extranonce", "params": params}).to_string().as_bytes()).is_err());
    }
}

// V8
#[test]
fn mask_holds_at_once_and_forbidden_shares_are_not_sent() {
    let (mut world, before) = World::working();
    let after = only_job(world.call("mining.set_version_mask", json!(["00c00000"])));
    assert_eq!((before.version_mask, after.version_mask), (BIP320_MASK, 0x00c0_0000));
    assert_ne!(after.fingerprint(), before.fingerprint());
    let mut bad = world.share(&before, false);
    bad.version |= 0x0000_2000;
    let mut good = world.share(&before, false);
    good.version |= 0x0040_0000;
    world.act(Input::Share(bad));
    world.act(Input::Share(good));
    let dropped = not_sent(world.act(Input::Writable));
    assert_eq!(dropped, [(1, DropReason::Stale)]);
    assert!(jobs(world.call("mining.set_version_mask", json!(["00c00000"]))).is_empty());
    // None at all: no rolling, and no sixth parameter.
    let fixed = only_job(world.call("mining.set_version_mask", json!(["0"])));
    assert_eq!((fixed.version_mask, world.submit(&fixed).version_bits), (0, None));
    assert!(jobs(world.call("mining.set_version_mask", json!(["what"]))).is_empty());
}

// V8
#[test]
fn mask_never_grows_beyond_what_was_asked_for() {
    let (mut world, _) = World::working();
    assert!(jobs(world.call("mining.set_version_mask", json!(["ffffffff"]))).is_empty());
    assert_eq!(only_job(world.notify("b", 1, false)).version_mask, BIP320_MASK);
}

// V16
#[test]
fn version_bits_rebuild_the_version_in_both_ways_that_pools_do_it() {
    for base in ["20000000", "3fffe000", "20402000", "00000004"] {
        let mut world = World::open();
        let job = only_job(world.call("mining.notify", changed(notify("a", 1, true), 5, json!(base))));
        let mut share = world.share(&job, false);
        share.version |= job.version_mask & 0x0a5a_4000;
        let hashed = share.version;
        world.act(Input::Share(share));
        let bits = world.submits().pop().unwrap().version_bits.unwrap();
        assert_eq!(bits & !BIP320_MASK, 0);
        assert_eq!((job.version & !BIP320_MASK) | bits, hashed, "BIP310, {base}");
        assert_eq!(job.version | bits, hashed, "ckpool, {base}");
    }
}

// V18
#[test]
fn ntime_begins_where_the_job_says() {
    let (world, job) = World::working();
    assert_eq!(u64::from(job.min_ntime), WALL - 60);
    assert_eq!(job.max_ntime(world.now), job.min_ntime);
    assert_eq!(job.max_ntime(world.now + Duration::from_secs(9_999)), job.min_ntime + 6_600);
}

// D15
#[test]
fn job_from_the_future_is_dropped_and_three_end_the_connection() {
    let late = |job_id: &str, tip| changed(notify(job_id, tip, false), 7, json!(format!("{:08x}", WALL + 7_201)));
    let (mut world, job) = World::working();
    assert!(world.call("mining.notify", late("b", 1)).is_empty());
    assert!(not_sent(world.find(&job)).is_empty(), "the job before on the same tip goes on");
    let told = events(world.call("mining.notify", late("c", 2)));
    assert!(matches!(told.as_slice(), [ConnectionEvent::NotSent { .. }, ConnectionEvent::Cleared { .. }]), "{told:?}");
    let (kind, recovery, message) = failed(world.call("mining.notify", late("d", 2)));
    assert_eq!((kind, recovery), (FailureKind::Protocol, Recovery::Retry));
    assert!(message.contains("clock"), "{message}");
    // A good one in between forgives, and the edge is still good.
    let (mut world, _) = World::working();
    for round in 0..4 {
        world.call("mining.notify", late("b", 1));
        let edge = changed(notify(&format!("e{round}"), 1, false), 7, json!(format!("{:08x}", WALL + 7_200)));
        assert_eq!(jobs(world.call("mining.notify", edge)).len(), 1);
    }
}

// D15, SEC5
#[test]
fn clock_that_was_never_set_judges_no_job() {
    let mut world = World::open();
    let message =
        decode(json!({"method": "mining.notify", "params": notify("a", 1, true)}).to_string().as_bytes()).unwrap();
    assert_eq!(jobs(world.act(Input::Message { message, wall: 0 })).len(), 1);
}

// D4
#[test]
fn endless_merkle_path_is_dropped() {
    let (mut world, _) = World::working();
    let path =
        |branches: usize| changed(notify(&branches.to_string(), 1, false), 4, json!(vec!["05".repeat(32); branches]));
    assert_eq!(jobs(world.call("mining.notify", path(32))).len(), 1);
    assert!(jobs(world.call("mining.notify", path(33))).is_empty());
}

// D25
#[test]
fn job_with_a_network_target_of_nonsense_is_hashed_for_its_share_target() {
    let mut world = World::open();
    let job = only_job(world.call("mining.notify", changed(notify("a", 1, true), 6, json!("ff800000"))));
    assert!(job.network_target.is_zero() && !job.share_target.is_zero());
}

// V9 a, T5
#[test]
fn pool_that_applies_difficulties_at_once_is_followed_until_the_next_job() {
    let (mut world, job) = World::working();
    world.call("mining.set_difficulty", json!([8]));
    let mut again = Vec::new();
    for _ in 0..3 {
        let submit = world.submit(&job);
        again.extend(jobs(world.refuse(submit.id, json!([23, "Low difficulty share", null]))));
    }
    let [harder] = again.try_into().unwrap();
    assert_eq!((harder.share_target.difficulty().as_f64(), harder.fingerprint()), (8.0, job.fingerprint()));
    world.call("mining.set_difficulty", json!([1]));
    assert_eq!(only_job(world.notify("b", 1, false)).share_target.difficulty().as_f64(), 1.0);
    // Refusals while the job's target is the harder one say nothing of that kind.
    let job = only_job(world.notify("c", 1, false));
    world.call("mining.set_difficulty", json!([0.5]));
    for _ in 0..9 {
        let submit = world.submit(&job);
        assert!(jobs(world.refuse(submit.id, json!([23, "", null]))).is_empty());
    }
}
