//! How a session ends, and that it does.

use super::*;
use crate::pool::sv1::transport::TransportError;

// N9
#[test]
fn pool_that_does_not_answer_the_subscription_is_given_up() {
    let mut world = World::asked();
    world.answer(3, json!(true));
    assert!(ended(world.wait(9)).is_none());
    let (kind, recovery, message) = failed(world.wait(1));
    assert_eq!((kind, recovery), (FailureKind::Mute, Recovery::Retry));
    assert!(message.contains("mining.subscribe"), "{message}");
    assert_eq!(world.session.deadline(), None);
}

// N9
#[test]
fn pool_without_a_job_is_given_up_after_a_minute() {
    let mut world = World::open();
    assert!(ended(world.wait(59)).is_none());
    let (failure, _) = ended(world.wait(1)).unwrap();
    assert!(matches!(failure, Some(Failure::NoFirstJob(_))));
}

// V19
#[test]
fn silent_pool_is_given_up_after_five_minutes() {
    let (mut world, _) = World::working();
    assert!(ended(world.wait(299)).is_none());
    assert!(matches!(ended(world.wait(1)), Some((Some(Failure::Silent(_)), None))));
}

// V19
#[test]
fn pool_without_a_new_job_is_given_up_after_ten_minutes() {
    let (mut world, _) = World::working();
    for _ in 0..4 {
        world.wait(200);
        // A job said again is a sign of life.
        assert!(ended(world.notify("a", 1, false)).is_none());
    }
    for _ in 0..2 {
        world.wait(200);
        world.call("mining.set_difficulty", json!([1]));
        world.call("mining.set_version_mask", json!(["00c00000"]));
    }
    assert!(ended(world.wait(199)).is_none());
    let (kind, _, message) = failed(world.wait(1));
    assert_eq!(kind, FailureKind::Mute);
    assert!(message.contains("no new job"), "{message}");
}

#[test]
fn end_says_what_became_of_every_share() {
    let (mut world, job) = World::working();
    world.submit(&job);
    world.find(&job);
    let actions = world.act(Input::Failed(Failure::Aborted));
    assert_eq!(not_sent(actions), [(2, DropReason::Stale)]);
    let (mut world, job) = World::working();
    world.submit(&job);
    assert_eq!(verdicts(world.act(Input::Failed(Failure::Aborted))), [(1, Verdict::Lost)]);
    assert!(world.notify("b", 1, false).is_empty());
    assert_eq!(not_sent(world.find(&job)), [(2, DropReason::Stale)]);
}

#[test]
fn close_waits_for_the_open_shares_and_no_longer() {
    let (mut world, job) = World::working();
    let submit = world.submit(&job);
    assert!(ended(world.act(Input::Close)).is_none());
    let actions = world.answer(submit.id, json!(true));
    assert!(matches!(ended(actions), Some((None, None))));

    let (mut world, job) = World::working();
    world.submit(&job);
    world.act(Input::Close);
    assert!(ended(world.wait(9)).is_none());
    let actions = world.wait(1);
    assert!(matches!(actions.last(), Some(Action::End { failure: None, redirect: None })));
    assert_eq!(verdicts(actions), [(1, Verdict::Lost)]);

    let (mut world, _) = World::working();
    assert!(matches!(ended(world.act(Input::Close)), Some((None, None))));
    assert!(matches!(ended(World::asked().act(Input::Close)), Some((None, None))));
}

/// Where the pool may lead us, if at all.
fn led(options: PoolOptions, authenticated: bool, params: Value) -> Option<(String, u16)> {
    let mut world = World::open_with(options, authenticated);
    let (failure, redirect) = ended(world.call("client.reconnect", params))?;
    assert_eq!(failure.unwrap().report(None).kind, FailureKind::Redirected);
    redirect
}

// V13
#[test]
fn pool_may_lead_back_to_its_own_host_in_any_form() {
    let here = |port| Some((String::new(), port));
    for (params, redirect) in [
        (json!([]), here(0)),
        (json!(null), here(0)),
        (json!({}), here(0)),
        (json!([null, null, null]), here(0)),
        (json!(["", 0, 0]), here(0)),
        (json!(["", ""]), here(0)),
        (json!(["pool.example", 3334]), Some(("pool.example".into(), 3334))),
        (json!(["POOL.example.", "3334", 0]), Some(("pool.example".into(), 3334))),
        (json!(["now.pool.example", 1]), Some(("now.pool.example".into(), 1))),
        (json!(["pool.example", 70_000]), None),
        (json!(["pool.example", "x"]), None),
    ] {
        assert_eq!(led(PoolOptions::default(), false, params.clone()), redirect, "{params}");
    }
    let mut world = World::open();
    assert!(ended(world.hear(&json!({"id": null, "method": "client.reconnect"}))).is_some());
}

// V13, SEC3, R3
#[test]
fn pool_may_lead_elsewhere_only_where_the_owner_said_so_and_tls_proves_it() {
    let options = || PoolOptions { redirect_hosts: vec!["pool.example".parse().unwrap()], ..PoolOptions::default() };
    let there = || json!(["eu.pool.example", 443]);
    assert_eq!(led(PoolOptions::default(), true, there()), None);
    assert_eq!(led(options(), false, there()), None, "in clear nobody proves who answers");
    assert_eq!(led(options(), true, there()), Some(("eu.pool.example".into(), 443)));
    for host in ["evilpool.example", "127.0.0.1", "0.0.0.0", "127.1", "x y", "-", &"a".repeat(300)] {
        assert_eq!(led(options(), true, json!([host, 443])), None, "{host}");
    }
    let options = PoolOptions { redirect_hosts: vec!["127.0.0.1".parse().unwrap()], ..PoolOptions::default() };
    assert_eq!(led(options, true, json!(["127.0.0.1", 443])), None, "not to this machine");
}

// V13
#[test]
fn wait_before_a_reconnect_is_at_most_a_minute_and_mining_goes_on() {
    for (wait, seconds) in [(json!(5), 5), (json!("5"), 5), (json!(3_600), 60), (json!(-1), 0), (json!(1e300), 60)] {
        let (mut world, job) = World::working();
        let mut actions = world.call("client.reconnect", json!(["", 0, wait]));
        if seconds > 0 {
            assert!(ended(actions).is_none());
            let submit = world.submit(&job);
            world.answer(submit.id, json!(true));
            assert!(ended(world.wait(seconds - 1)).is_none());
            actions = world.wait(1);
        }
        assert_eq!(ended(actions).unwrap().1, Some((String::new(), 0)), "{wait}");
    }
}

// V13
#[test]
fn reconnect_gives_open_shares_a_second_and_a_hang_up_comes_to_the_same() {
    let (mut world, job) = World::working();
    world.submit(&job);
    assert!(ended(world.call("client.reconnect", json!([]))).is_none());
    let actions = world.wait(1);
    assert_eq!(ended(actions).unwrap().1, Some((String::new(), 0)));

    let (mut world, job) = World::working();
    world.submit(&job);
    world.call("client.reconnect", json!(["", 0, 30]));
    let (failure, redirect) = ended(world.act(Input::Failed(TransportError::Closed.into()))).unwrap();
    assert_eq!((failure.unwrap().report(None).kind, redirect), (FailureKind::Redirected, Some((String::new(), 0))));
}

// V13
#[test]
fn reconnect_is_heard_while_an_answer_is_awaited() {
    let mut world = World::asked();
    let (_, redirect) = ended(world.call("client.reconnect", json!(["pool.example", 3_335]))).unwrap();
    assert_eq!(redirect, Some(("pool.example".into(), 3_335)));
}

#[test]
fn close_after_a_reconnect_is_a_close() {
    let (mut world, job) = World::working();
    let submit = world.submit(&job);
    world.call("client.reconnect", json!(["", 0, 30]));
    world.act(Input::Close);
    let actions = world.answer(submit.id, json!(true));
    assert!(matches!(ended(actions), Some((None, None))));
}
