//! The first words, and what may come before their answers.

use super::*;

// V2, V7
#[test]
fn all_that_needs_no_answer_is_said_at_once() {
    let sent = World::new().sent();
    let lines: Vec<_> = sent.iter().map(|message| message.line("").trim_ascii().to_vec()).collect();
    let said: Vec<Value> = lines.iter().map(|line| serde_json::from_slice(line).unwrap()).collect();
    assert_eq!(
        said,
        [
            json!({"id": 1, "method": "mining.configure", "params": [["version-rolling"],
                {"version-rolling.mask": "1fffe000", "version-rolling.min-bit-count": 2}]}),
            json!({"id": 2, "method": "mining.subscribe", "params": ["Mujina/1"]}),
            json!({"id": 3, "method": "mining.authorize", "params": ["alice", "x"]}),
        ]
    );
}

// V2
#[test]
fn silence_on_configure_is_no_obstacle() {
    let mut world = World::asked();
    world.answer(2, subscription());
    world.call("mining.set_difficulty", json!([1]));
    let job = only_job(world.notify("a", 1, true));
    assert_eq!(job.version_mask, 0);
    let submit = world.submit(&job);
    assert_eq!((submit.version_bits, submit.job_id), (None, json!("a")));
}

// V2, V8
#[test]
fn late_answer_to_configure_lets_the_current_job_roll() {
    let mut world = World::asked();
    world.answer(2, subscription());
    world.call("mining.set_difficulty", json!([1]));
    let before = only_job(world.notify("a", 1, true));
    let after = only_job(world.answer(1, json!({"version-rolling": true, "version-rolling.mask": "1fffe000"})));
    assert_eq!((after.version_mask, after.first), (BIP320_MASK, false));
    assert_ne!(after.handle, before.handle);
    assert_eq!((after.min_ntime, after.ntime_origin), (before.min_ntime, before.ntime_origin));
}

// V3, V9
#[test]
fn newest_of_each_that_came_before_the_subscription_is_used() {
    let mut world = World::asked();
    for (job_id, difficulty) in [("a", 8), ("b", 16)] {
        assert!(jobs(world.notify(job_id, 1, true)).is_empty());
        world.call("mining.set_difficulty", json!([difficulty]));
    }
    let actions = world.answer(2, subscription());
    let job = only_job(actions);
    assert_eq!((&*job.label, job.share_target.difficulty().as_f64()), ("b", 16.0));
    assert!(job.first);
}

// V4
#[test]
fn answers_come_in_any_order_and_with_ids_as_text() {
    let mut world = World::asked();
    world.hear(&json!({"id": "3", "result": true, "error": null}));
    let told = events(world.hear(&json!({"id": "2", "result": subscription()})));
    assert!(told.iter().any(|event| matches!(event, ConnectionEvent::Opened { extranonce_size: 4 })));
    world.hear(&json!({"id": "1", "result": {"version-rolling": true}, "error": null}));
    world.call("mining.set_difficulty", json!([1]));
    assert_eq!(only_job(world.notify("a", 1, true)).version_mask, BIP320_MASK);
}

// V4
#[test]
fn error_without_an_id_is_not_fatal() {
    let mut world = World::asked();
    assert!(world.hear(&json!({"id": null, "result": null, "error": [20, "who?", null]})).is_empty());
    assert!(world.hear(&json!({"error": "what?"})).is_empty());
    assert!(world.hear(&json!({"id": 77, "result": true})).is_empty());
    assert!(!events(world.answer(2, subscription())).is_empty());
}

// V5
#[test]
fn every_shape_of_a_subscription_is_read() {
    for (result, extranonce1, size) in [
        (json!([null, "", 4]), vec![], 4),
        (json!([[], "AABB", "8"]), vec![0xaa, 0xbb], 8),
        (json!(["subs", "01", 16]), vec![1], 16),
        (json!([[[["mining.notify"]], 7], "0102", 1, "more"]), vec![1, 2], 1),
    ] {
        let mut world = World::asked();
        let told = events(world.answer(2, result.clone()));
        let facts =
            told.iter().find_map(|event| if let ConnectionEvent::Facts(facts) = event { Some(facts) } else { None });
        let facts = facts.unwrap_or_else(|| panic!("{result}"));
        assert_eq!((&facts.extranonce_prefix, facts.extranonce_size), (&extranonce1, size));
    }
}

// V5
#[test]
fn subscription_that_makes_no_sense_is_a_violation() {
    for result in [
        json!(null),
        json!(true),
        json!([]),
        json!([[], "012", 8]),
        json!([[], "zz", 8]),
        json!([[], 7, 8]),
        json!([[], "01", 17]),
        json!([[], "01", -1]),
        json!([[], "01"]),
        json!([[], "01", "eight"]),
    ] {
        let (kind, recovery, _) = failed(World::asked().answer(2, result.clone()));
        assert_eq!((kind, recovery), (FailureKind::Protocol, Recovery::Retry), "{result}");
    }
}

// V5, W5, D7
#[test]
fn subscription_that_threads_cannot_share_or_nobody_can_hash_is_refused() {
    for result in [json!([[], "01020304", 0]), json!([[], "01".repeat(29), 4]), json!([[], "01".repeat(300), 4])] {
        let (kind, recovery, message) = failed(World::asked().answer(2, result));
        assert_eq!((kind, recovery), (FailureKind::Refused, Recovery::Park));
        assert!(message.contains("extranonce2"), "{message}");
    }
}

// V6
#[test]
fn refused_user_parks_the_pool() {
    for refusal in
        [json!({"id": 3, "result": false, "error": null}), json!({"id": 3, "error": [24, "no such user", null]})]
    {
        let mut world = World::asked();
        world.answer(2, subscription());
        let (kind, recovery, message) = failed(world.hear(&refusal));
        assert_eq!((kind, recovery), (FailureKind::Refused, Recovery::Park));
        assert!(message.contains("user"), "{message}");
    }
}

// V6
#[test]
fn shares_flow_before_the_user_is_known() {
    let mut world = World::asked();
    world.answer(2, subscription());
    world.call("mining.set_difficulty", json!([1e-9]));
    let job = only_job(world.notify("a", 1, true));
    let submit = world.submit(&job);
    assert_eq!(verdicts(world.answer(submit.id, json!(true))), [(1, Verdict::Accepted)]);
    assert!(ended(world.answer(3, json!(null))).is_none());
}

#[test]
fn refused_subscription_parks_the_pool() {
    let (kind, recovery, message) = failed(World::asked().refuse(2, json!([20, "banned\u{1b}[2J", null])));
    assert_eq!((kind, recovery), (FailureKind::Refused, Recovery::Park));
    assert!(message.contains("`banned` (code 20)"), "{message}");
}

// V7
#[test]
fn only_bits_that_were_granted_and_asked_for_are_rolled() {
    for (result, mask) in [
        (json!({"version-rolling": true, "version-rolling.mask": "1fffe000"}), BIP320_MASK),
        (json!({"version-rolling": true, "version-rolling.mask": "0x00FFE000"}), 0x00ff_e000),
        (json!({"version-rolling": true, "version-rolling.mask": "ffffffff"}), BIP320_MASK),
        (json!({"version-rolling": true}), BIP320_MASK),
        (json!({"version-rolling": "true", "version-rolling.mask": "1FFFE000"}), BIP320_MASK),
        (json!({"version-rolling": true, "version-rolling.mask": "00000000"}), 0),
        (json!({"version-rolling": true, "version-rolling.mask": "junk"}), 0),
        (json!({"version-rolling": false, "version-rolling.mask": "1fffe000"}), 0),
        (json!({"version-rolling": "not here", "version-rolling.mask": "1fffe000"}), 0),
        (json!({"version-rolling.mask": "1fffe000"}), 0),
        (json!(null), 0),
        (json!(true), 0),
        (json!([]), 0),
    ] {
        let mut world = World::asked();
        world.answer(1, result.clone());
        world.answer(2, subscription());
        world.call("mining.set_difficulty", json!([1]));
        let job = only_job(world.notify("a", 1, true));
        assert_eq!(job.version_mask, mask, "{result}");
        assert_eq!(world.submit(&job).version_bits.is_some(), mask != 0);
    }
    let mut world = World::asked();
    assert!(world.refuse(1, json!([-3, "Method not found", null])).is_empty());
    assert!(!events(world.answer(2, subscription())).is_empty());
}

// V9
#[test]
fn first_job_waits_two_seconds_for_its_difficulty() {
    let mut world = World::asked();
    world.answer(2, subscription());
    assert!(jobs(world.notify("a", 1, true)).is_empty());
    assert!(jobs(world.wait(1)).is_empty());
    assert!(jobs(world.notify("b", 1, true)).is_empty());
    let job = only_job(world.wait(1));
    assert_eq!((&*job.label, job.share_target.difficulty().as_f64()), ("b", 1.0));

    let mut world = World::asked();
    world.answer(2, subscription());
    assert!(jobs(world.notify("a", 1, true)).is_empty());
    let job = only_job(world.call("mining.set_difficulty", json!([512])));
    assert_eq!(job.share_target.difficulty().as_f64(), 512.0);
}

// V12, V15
#[test]
fn wishes_follow_once_the_user_is_known() {
    let mut world = World::asked();
    world.answer(2, subscription());
    assert!(world.sent().is_empty());
    world.answer(3, json!(true));
    let sent = world.sent();
    let [Outgoing::SubscribeExtranonce { id: 4 }, Outgoing::SuggestDifficulty { id: 5, difficulty }] = sent.as_slice()
    else {
        panic!("{sent:?}")
    };
    assert!((difficulty.as_f64() - 1e7 / 4_294_967_296.0).abs() < 1e-12);
    // Refused, answered oddly, or not at all: nothing follows.
    assert!(world.refuse(4, json!([20, "Unsupported", null])).is_empty());
    assert!(world.refuse(5, json!([-32601, "unknown method"])).is_empty());
    assert!(world.answer(3, json!(true)).is_empty() && world.sent().is_empty());
}

// V12, V15
#[test]
fn wishes_that_the_owner_does_not_want_are_not_said() {
    let options = PoolOptions { no_extranonce_subscribe: true, no_suggest_difficulty: true, ..PoolOptions::default() };
    let mut world = World::with(options, false, Limits::default());
    world.sent();
    world.answer(2, subscription());
    world.answer(3, json!(true));
    world.act(Input::HashRate(Some(HashRate::from_megahashes_per_second(100.0))));
    world.wait(100);
    assert!(world.sent().is_empty());
}

// V15
#[test]
fn difficulty_is_suggested_again_only_when_the_rate_doubles_or_halves() {
    let (mut world, _) = World::working();
    let rate = |world: &mut World, megahashes| {
        world.act(Input::HashRate(Some(HashRate::from_megahashes_per_second(megahashes))));
        world.wait(61);
        let sent = world.sent();
        assert!(sent.iter().all(|message| matches!(message, Outgoing::SuggestDifficulty { .. })));
        sent.len()
    };
    assert_eq!(rate(&mut world, 1.9), 0);
    assert_eq!(rate(&mut world, 2.1), 1);
    assert_eq!(rate(&mut world, 1.1), 0);
    assert_eq!(rate(&mut world, 1.0), 1);
}

// V15
#[test]
fn difficulty_is_suggested_once_the_rate_is_known() {
    let mut world = World::asked();
    world.session.rate = ToldRate::new(None, RateTerms { difference: 1.0, ..RateTerms::default() });
    world.answer(2, subscription());
    world.answer(3, json!(true));
    assert!(matches!(world.sent().as_slice(), [Outgoing::SubscribeExtranonce { .. }]));
    world.act(Input::HashRate(Some(HashRate::from_hashes_per_second(4.294_967_296e9))));
    let sent = world.sent();
    let [suggest @ Outgoing::SuggestDifficulty { .. }] = sent.as_slice() else { panic!("{sent:?}") };
    let line: Value = serde_json::from_slice(&suggest.line("")).unwrap();
    assert_eq!((&line["id"], &line["params"]), (&json!(5), &json!([10])));
}
