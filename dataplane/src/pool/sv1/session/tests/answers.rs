//! What the pool says of shares, asks of us, and tells in passing.

use super::*;

/// The verdict on a share that is answered so.
fn verdict(mut answer: Value) -> (Verdict, World) {
    let (mut world, job) = World::working();
    let submit = world.submit(&job);
    answer["id"] = submit.id.into();
    let judged = verdicts(world.hear(&answer));
    let [(1, verdict)] = judged.as_slice() else { panic!("{answer} gave {judged:?}") };
    (*verdict, world)
}

// V20
#[test]
fn every_answer_to_a_share_has_its_verdict() {
    let rejected = Verdict::Rejected;
    for (answer, expected) in [
        (json!({"result": true, "error": null}), Verdict::Accepted),
        (json!({"result": true}), Verdict::Accepted),
        (json!({"jsonrpc": "2.0", "result": true, "error": null}), Verdict::Accepted),
        (json!({"result": "OK"}), Verdict::Accepted),
        (json!({"result": null, "error": null}), Verdict::Lost),
        (json!({}), Verdict::Lost),
        (json!({"error": null}), Verdict::Lost),
        (json!({"result": null, "error": [21, "Job not found", null]}), rejected(RejectReason::Stale)),
        (json!({"error": [21]}), rejected(RejectReason::Stale)),
        (json!({"result": false, "error": null}), rejected(RejectReason::Other)),
        (
            json!({"result": false, "error": null, "reject-reason": "Above target 2"}),
            rejected(RejectReason::LowDifficulty),
        ),
        (json!({"result": null, "error": "Stale"}), rejected(RejectReason::Stale)),
        (
            json!({"error": {"code": "22", "message": "duplicate share", "data": null}}),
            rejected(RejectReason::Duplicate),
        ),
        (json!({"result": true, "error": [23, "", ""]}), rejected(RejectReason::LowDifficulty)),
    ] {
        assert_eq!(verdict(answer.clone()).0, expected, "{answer}");
    }
}

// V20
#[test]
fn user_that_the_pool_forgot_is_told_again_but_not_all_the_time() {
    let (_, mut world) = verdict(json!({"error": [24, "Unauthorized worker", null]}));
    assert!(world.sent().is_empty(), "it was told just now");
    world.wait(60);
    let job = only_job(world.notify("b", 1, false));
    let refuse = |world: &mut World| {
        let submit = world.submit(&job);
        world.refuse(submit.id, json!([24, "Unauthorized worker", null]));
        world.sent()
    };
    let sent = refuse(&mut world);
    let [Outgoing::Authorize { id, .. }] = sent.as_slice() else { panic!("{sent:?}") };
    assert!(refuse(&mut world).is_empty(), "the question is open");
    world.answer(*id, json!(true));
    assert!(refuse(&mut world).is_empty(), "it was told just now");
    assert!(world.sent().is_empty(), "wishes are said once");
    world.wait(60);
    let sent = refuse(&mut world);
    let [Outgoing::Authorize { id, .. }] = sent.as_slice() else { panic!("{sent:?}") };
    let actions = world.answer(*id, json!(false));
    assert_eq!(failed(actions).1, Recovery::Park);
}

// V20
#[test]
fn connection_that_the_pool_forgot_is_made_again() {
    let (mut world, job) = World::working();
    let submit = world.submit(&job);
    let actions = world.refuse(submit.id, json!([25, "Not subscribed", null]));
    assert!(matches!(
        actions.first(),
        Some(Action::Event(ConnectionEvent::Judged { verdict: Verdict::Rejected(RejectReason::Unauthorized), .. }))
    ));
    assert_eq!(failed(actions).1, Recovery::Retry);
}

// V14
#[test]
fn requests_of_the_pool_are_answered() {
    let mut world = World::open();
    for (request, reply) in [
        (json!({"id": 7, "method": "mining.ping", "params": []}), json!({"id": 7, "result": "pong", "error": null})),
        (json!({"id": "x", "method": "client.get_version"}), json!({"id": "x", "result": "Mujina/1", "error": null})),
        (
            json!({"id": 8, "method": "mining.what", "params": {}}),
            json!({"id": 8, "result": null, "error": [20, "Unsupported method", null]}),
        ),
    ] {
        world.hear(&request);
        let sent = world.sent();
        let [message] = sent.as_slice() else { panic!("{sent:?}") };
        assert_eq!(serde_json::from_slice::<Value>(&message.line("Mujina/1")).unwrap(), reply);
    }
    for silent in [
        json!({"id": null, "method": "mining.ping"}),
        json!({"method": "mining.set_goal", "params": ["x"]}),
        json!({"id": "x".repeat(256), "method": "mining.ping"}),
        json!({"id": [1], "method": "mining.ping"}),
    ] {
        world.hear(&silent);
        assert!(world.sent().is_empty(), "{silent}");
    }
}

// V14, D27
#[test]
fn flood_of_requests_fills_no_memory() {
    let mut world = World::open();
    for id in 0..1_000 {
        world.hear(&json!({"id": id, "method": "mining.ping"}));
    }
    assert_eq!(world.sent().len(), 64);
}

// V14
#[test]
fn message_for_a_person_is_fit_for_a_log() {
    let line = json!({"method": "client.show_message", "params": [format!("\u{1b}[31mhello\n{}", "x".repeat(300))]});
    let Incoming::ShowMessage(text) = decode(line.to_string().as_bytes()).unwrap() else { panic!("{line}") };
    assert!(text.starts_with("hellox") && text.len() == 256, "{text}");
    assert!(World::open().hear(&line).is_empty());
    assert!(World::open().hear(&json!({"method": "client.show_message"})).is_empty());
}

// V1
#[test]
fn line_that_is_no_message_is_forgiven_until_there_are_many_in_a_row() {
    let mut world = World::open();
    for _ in 0..3 {
        for _ in 0..7 {
            assert!(ended(world.act(Input::Garbage)).is_none());
        }
        world.call("mining.set_difficulty", json!([1]));
    }
    for _ in 0..7 {
        world.act(Input::Garbage);
    }
    let (kind, _, message) = failed(world.act(Input::Garbage));
    assert_eq!(kind, FailureKind::Protocol);
    assert!(message.contains("Stratum V1"), "{message}");
}
