//! Shares on their way out.

use super::*;

// V16, V17
#[test]
fn share_is_sent_with_everything_the_pool_needs() {
    let (mut world, job) = World::working();
    let submit = world.submit(&job);
    let line: Value = serde_json::from_slice(&Outgoing::Submit(Box::new(submit.clone())).line("")).unwrap();
    let ntime = format!("{:08x}", WALL - 60);
    assert_eq!(
        line,
        json!({"id": submit.id, "method": "mining.submit",
            "params": ["alice", "a", "f0f0f0f007070707", ntime, "00000003", "00000000"]})
    );
}

// V17
#[test]
fn many_shares_are_in_flight_and_answered_in_any_order() {
    let (mut world, job) = World::working();
    for _ in 0..300 {
        world.find(&job);
    }
    let mut ids: Vec<u64> = world.submits().iter().map(|submit| submit.id).collect();
    assert_eq!(ids.len(), 256);
    assert!(ids.is_sorted_by(|a, b| a < b));
    assert!(!world.session.has_outgoing(), "no more before an answer");
    ids.reverse();
    let last = ids.remove(0);
    assert_eq!(verdicts(world.answer(last, json!(true))), [(256, Verdict::Accepted)]);
    assert_eq!(world.submits().len(), 1);
    let shares: Vec<u64> =
        ids.into_iter().flat_map(|id| verdicts(world.answer(id, json!(true)))).map(|(id, _)| id).collect();
    assert_eq!(shares, (1..256).rev().collect::<Vec<_>>());
}

// V17
#[test]
fn share_without_an_answer_is_lost_after_two_minutes() {
    let (mut world, job) = World::working();
    let submit = world.submit(&job);
    world.wait(60);
    world.notify("b", 1, false);
    assert!(verdicts(world.wait(59)).is_empty());
    let actions = world.wait(1);
    assert_eq!(verdicts(actions), [(1, Verdict::Lost)]);
    // Too late to count.
    assert!(world.answer(submit.id, json!(true)).is_empty());
}

// V19
#[test]
fn unanswered_shares_and_no_other_traffic_end_the_connection() {
    let (mut world, job) = World::working();
    world.now += Duration::from_secs(1);
    world.submit(&job);
    let actions = world.wait(120);
    assert!(matches!(ended(actions), Some((Some(Failure::Silent(_)), None))));
}

// U1
#[test]
fn share_with_an_extranonce_of_another_length_is_not_sent() {
    let (mut world, job) = World::working();
    let mut share = world.share(&job, false);
    share.extranonce = Extranonce::new(&[1, 2, 3]).unwrap();
    assert_eq!(not_sent(world.act(Input::Share(share))), [(1, DropReason::HardwareError)]);
}

// U9
#[test]
fn share_that_waits_ten_seconds_for_the_socket_is_suppressed() {
    let (mut world, job) = World::working();
    world.find(&job);
    let block = world.share(&job, true);
    world.act(Input::Share(block));
    assert!(not_sent(world.wait(9)).is_empty());
    assert_eq!(not_sent(world.wait(1)), [(1, DropReason::Suppressed)]);
    assert_eq!(world.submits().len(), 1);
}

// U9
#[test]
fn full_queue_drops_the_oldest_that_is_no_block() {
    let (mut world, job) = World::working();
    world.session.queue = ShareQueue::new(2, Duration::from_secs(10));
    let block = world.share(&job, true);
    world.act(Input::Share(block));
    world.find(&job);
    assert_eq!(not_sent(world.find(&job)), [(2, DropReason::Suppressed)]);
    assert_eq!(world.submits().len(), 2);
}

// J8
#[test]
fn share_of_a_job_nobody_knows_is_stale() {
    let (mut world, mut job) = World::working();
    job.handle = JobHandle::fresh();
    assert_eq!(not_sent(world.find(&job)), [(1, DropReason::Stale)]);
    let mut young = World::asked();
    assert_eq!(not_sent(young.find(&job)), [(1, DropReason::Stale)]);
}
