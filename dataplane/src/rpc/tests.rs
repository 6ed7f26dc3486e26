//! The services over a real socket, on a real miner that hashes invented work.

pub(super) mod world;

use self::world::{DEADLINE, World, failure, within};
use super::*;
use mujina_proto::{
    dataplane::v1::{
        self, miner_service_client::MinerServiceClient, pool_service_client::PoolServiceClient,
        watch_shares_response::Event,
    },
    dial::dial,
    failure::Failure,
    types,
};
use tonic::{Code, Status, Streaming};
use tracing::Instrument;

const URL: &str = "stratum2+tcp://127.0.0.1:1/9auqWEzQDVyd2oe1JVGFLMLHZtCo2FFqZwtKA5gd9xbuEu7PH72";

/// One pool that nobody serves.
fn spec(name: &str, url: &str) -> types::v1::MinerSpec {
    let pool = types::v1::PoolSpec { name: name.into(), url: url.into(), user: "u".into(), ..Default::default() };
    let strategy = types::v1::PoolStrategy::Failover.into();
    let group = types::v1::PoolGroup { name: "main".into(), strategy, pools: vec![pool] };
    types::v1::MinerSpec { pool_groups: vec![group], ..types::v1::MinerSpec::default() }
}

async fn until(
    watch: &mut Streaming<v1::WatchMinerResponse>,
    is_so: impl Fn(&types::v1::MinerStatus) -> bool,
) -> types::v1::MinerStatus {
    within(async {
        loop {
            let tree = watch.message().await.unwrap().unwrap().miner.unwrap();
            if is_so(&tree) {
                return tree;
            }
        }
    })
    .await
}

async fn end_of<T>(watch: &mut Streaming<T>) -> Failure {
    within(async {
        loop {
            match watch.message().await {
                Ok(Some(_)) => {}
                Ok(None) => panic!("ended without a word"),
                Err(status) => return Failure::from(&status),
            }
        }
    })
    .await
}

#[tokio::test]
async fn pause_really_stops_hashing_and_resume_starts_it_again() {
    let world = World::new().await;
    let mut miner = world.miner();
    let request = v1::WatchMinerRequest {
        min_interval: Some(mujina_proto::convert::duration(world::INTERVAL)),
        figures_interval: None,
    };
    let mut watch = miner.watch_miner(request).await.unwrap().into_inner();
    let hashing = |tree: &types::v1::MinerStatus| {
        tree.boards[0].threads[0].state() == types::v1::ThreadState::Hashing && tree.totals.as_ref().unwrap().found > 0
    };
    until(&mut watch, hashing).await;

    let request = v1::PauseRequest { reason: "dust".into(), request_id: "p1".into() };
    let paused = miner.pause(request.clone()).await.unwrap().into_inner().state.unwrap();
    assert!(paused.spec.as_ref().unwrap().paused);
    // The tree may be a quarter of a second behind the answer.
    let stopped = |tree: &types::v1::MinerStatus| {
        tree.state() == types::v1::MinerState::Paused
            && tree.boards[0].threads[0].state() == types::v1::ThreadState::Idle
    };
    let tree = until(&mut watch, stopped).await;
    let repeated = miner.pause(request).await.unwrap().into_inner().state.unwrap();
    assert_eq!((repeated.generation, repeated.etag), (paused.generation, paused.etag));
    let now = miner.get_miner(v1::GetMinerRequest {}).await.unwrap().into_inner().miner.unwrap();
    assert_eq!(now.boards[0].threads[0].hashes, tree.boards[0].threads[0].hashes);

    let resumed = miner.resume(v1::ResumeRequest { request_id: "r1".into() }).await.unwrap().into_inner().state;
    assert!(!resumed.unwrap().spec.unwrap().paused);
    let found = tree.totals.unwrap().found;
    until(&mut watch, |tree| hashing(tree) && tree.totals.as_ref().unwrap().found > found).await;

    let bad = v1::PauseRequest { reason: "two\nlines".into(), request_id: "x".repeat(256) };
    let refused = failure(miner.pause(bad).await);
    assert_eq!((refused.code, refused.problems.len()), (Code::InvalidArgument, 2));
    world.end().await;
}

#[tokio::test]
async fn bad_or_outdated_spec_changes_nothing_and_a_check_only_tells() {
    let world = World::new().await;
    let mut miner = world.miner();
    let before = miner.get_spec(v1::GetSpecRequest {}).await.unwrap().into_inner().state.unwrap();

    let mut bad = spec("No Name", "http://pool.example");
    bad.pool_groups[0].strategy = 77;
    let request = v1::ApplySpecRequest { spec: Some(bad), ..Default::default() };
    let refused = failure(miner.apply_spec(request).await);
    assert_eq!((refused.code, refused.reason.as_str()), (Code::InvalidArgument, "INVALID_ARGUMENT"));
    let named = |end: &str| refused.problems.iter().any(|problem| problem.field.ends_with(end));
    assert!(named(".name") && named(".url") && named(".strategy"), "{refused:?}");

    let good = v1::ApplySpecRequest { spec: Some(spec("a", URL)), ..Default::default() };
    let outdated = v1::ApplySpecRequest { etag: "other".into(), ..good.clone() };
    let refused = failure(miner.apply_spec(outdated).await);
    assert_eq!((refused.code, refused.reason.as_str()), (Code::Aborted, "ETAG_MISMATCH"));
    assert_eq!(refused.facts.get("etag"), Some(&before.etag));

    let checked = v1::ApplySpecRequest { validate_only: true, etag: before.etag.clone(), ..good.clone() };
    assert!(!miner.apply_spec(checked).await.unwrap().into_inner().changes.is_empty());
    let missing = failure(miner.apply_spec(v1::ApplySpecRequest::default()).await);
    assert_eq!(missing.problems[0].field, "spec");
    let after = miner.get_spec(v1::GetSpecRequest {}).await.unwrap().into_inner().state.unwrap();
    assert_eq!(after.etag, before.etag);

    let ordered = v1::ApplySpecRequest { control_generation: 5, ..good.clone() };
    let state = miner.apply_spec(ordered).await.unwrap().into_inner().state.unwrap();
    assert_eq!((state.origin(), state.control_generation), (types::v1::SpecOrigin::Control, 5));
    let stale = failure(miner.apply_spec(v1::ApplySpecRequest { control_generation: 4, ..good }).await);
    assert_eq!((stale.code, stale.reason.as_str()), (Code::Aborted, "STALE_GENERATION"));
    let pools = world.pools().list_pools(v1::ListPoolsRequest {}).await.unwrap().into_inner().pools;
    assert!(pools.iter().all(|pool| pool.name == "a"), "{pools:?}");
    world.end().await;
}

#[tokio::test]
async fn change_to_be_confirmed_says_when_it_goes_back_until_it_is() {
    let world = World::new().await;
    let mut miner = world.miner();
    let asked = |seconds| v1::ApplySpecRequest {
        spec: Some(spec("a", URL)),
        confirm_within: Some(mujina_proto::convert::duration(std::time::Duration::from_secs(seconds))),
        ..Default::default()
    };
    for seconds in [9, 86_401] {
        let refused = failure(miner.apply_spec(asked(seconds)).await);
        assert_eq!((refused.code, refused.problems[0].field.as_str()), (Code::InvalidArgument, "confirm_within"));
    }
    let tried = miner.apply_spec(asked(3600)).await.unwrap().into_inner().state.unwrap();
    assert!(tried.reverts_at.is_some());
    let generation = tried.generation;
    let refused = failure(miner.confirm_spec(v1::ConfirmSpecRequest { generation: generation + 1 }).await);
    assert_eq!((refused.code, refused.reason.as_str()), (Code::Aborted, "OTHER_GENERATION"));
    for _ in 0..2 {
        let kept = miner.confirm_spec(v1::ConfirmSpecRequest { generation }).await.unwrap().into_inner().state.unwrap();
        assert_eq!((kept.generation, kept.reverts_at), (generation, None));
    }
    world.end().await;
}

#[tokio::test]
async fn shares_are_watched_listed_page_by_page_and_counted() {
    let world = World::new().await;
    let mut shares = world.shares();
    let accepted = vec![types::v1::ShareOutcome::Accepted.into()];
    let request = v1::WatchSharesRequest { outcomes: accepted.clone() };
    let mut watch = shares.watch_shares(request).await.unwrap().into_inner();
    for _ in 0..3 {
        match within(watch.message()).await.unwrap().unwrap().event.unwrap() {
            Event::Share(share) => assert_eq!(share.outcome(), types::v1::ShareOutcome::Accepted),
            Event::Missed(_) => {}
        }
    }

    let mut status = world.telemetry.status();
    within(status.wait_for(|tree| tree.totals.accepted >= 3)).await.unwrap();
    let first = v1::ListSharesRequest { page_size: 1, outcomes: accepted.clone(), ..Default::default() };
    let page = shares.list_shares(first.clone()).await.unwrap().into_inner();
    assert_eq!(page.shares.len(), 1);
    let second = v1::ListSharesRequest { page_token: page.next_page_token.clone(), ..first.clone() };
    let older = shares.list_shares(second).await.unwrap().into_inner().shares;
    assert!(older[0].id < page.shares[0].id);
    let other = v1::ListSharesRequest { page_token: page.next_page_token, outcomes: Vec::new(), ..first };
    let refused = failure(shares.list_shares(other).await);
    assert_eq!((refused.code, refused.problems[0].field.as_str()), (Code::InvalidArgument, "page_token"));

    let counted = shares.get_share_statistics(v1::GetShareStatisticsRequest {}).await.unwrap().into_inner();
    let miner = counted.miner.unwrap().totals.unwrap();
    assert!(miner.balanced && miner.accepted >= 3);
    let sum = |scopes: &[v1::ShareScope]| scopes.iter().map(|one| one.totals.as_ref().unwrap().found).sum::<u64>();
    for scopes in [&counted.pools, &counted.boards, &counted.threads] {
        assert_eq!(sum(scopes), miner.found);
    }
    world.end().await;
}

#[tokio::test]
async fn buckets_come_when_they_are_closed_and_a_foreign_cursor_is_told_so() {
    let world = World::new().await;
    let mut shares = world.shares();
    let wait = Some(mujina_proto::convert::duration(world::DEADLINE));
    let request = v1::ListShareBucketsRequest { wait, ..Default::default() };
    let page = within(async {
        loop {
            match shares.list_share_buckets(request.clone()).await {
                Ok(page) => return page.into_inner(),
                // The database is opened while the miner starts.
                Err(status) => assert_eq!(Failure::from(&status).reason, "STORAGE_FAILED"),
            }
        }
    })
    .await;
    assert!(!page.database_id.is_empty() && !page.buckets.is_empty());
    assert!(page.oldest_sequence <= page.buckets[0].sequence);
    let foreign = v1::ListShareBucketsRequest { database_id: "other".into(), ..Default::default() };
    let refused = failure(shares.list_share_buckets(foreign).await);
    assert_eq!((refused.code, refused.reason.as_str()), (Code::OutOfRange, "OTHER_DATABASE"));
    assert_eq!(refused.facts.get("database_id"), Some(&page.database_id));
    world.end().await;
}

#[tokio::test]
async fn reconnect_fails_with_its_cause_and_its_span_leads_to_the_connection() {
    let world = World::new().await;
    let mut pools = world.pools();
    let live = v1::ReconnectPoolRequest::default();
    let refused = failure(pools.reconnect_pool(live).await);
    assert_eq!((refused.code, refused.reason.as_str()), (Code::FailedPrecondition, "NO_LIVE_POOL"));
    let named = v1::ReconnectPoolRequest { pool: "nope".into(), ..Default::default() };
    let refused = failure(pools.reconnect_pool(named).await);
    assert_eq!((refused.code, refused.reason.as_str()), (Code::NotFound, "POOL_NOT_FOUND"));

    let request = v1::ApplySpecRequest { spec: Some(spec("a", URL)), ..Default::default() };
    world.miner().apply_spec(request).await.unwrap();
    let command = tracing::info_span!("test.command");
    let trace_id = mujina_proto::trace::trace_id(&command).unwrap();
    let call = async {
        let request = v1::ReconnectPoolRequest { pool: "a".into(), ..Default::default() };
        let mut steps = pools.reconnect_pool(request).await?.into_inner();
        while steps.message().await?.is_some() {}
        Ok::<(), Status>(())
    };
    let failed = failure(within(call.instrument(command)).await);
    assert_eq!((failed.code, failed.reason.as_str()), (Code::Unavailable, "POOL_FAILED"), "{failed:?}");

    let spans = within(async {
        loop {
            let request = v1::ListSpansRequest { trace_id: trace_id.clone() };
            let spans = world.diagnostics().list_spans(request).await.unwrap().into_inner().spans;
            let has = |name: &str| spans.iter().any(|span| span.name == name);
            if has("pool.connect") && has("mujina.dataplane.v1.PoolService/ReconnectPool") {
                return spans;
            }
        }
    })
    .await;
    let is_server = |span: &&types::v1::Span| span.span_id == parent_of(&spans, "pool.connect");
    let server = spans.iter().find(is_server).expect("the connection's parent is in the trace");
    assert_eq!(server.name, "mujina.dataplane.v1.PoolService/ReconnectPool");
    assert_eq!(spans.iter().filter(|span| span.span_id == server.parent_span_id).count(), 1);
    let bad = v1::ListSpansRequest { trace_id: "12".into() };
    assert_eq!(failure(world.diagnostics().list_spans(bad).await).problems[0].field, "trace_id");
    world.end().await;
}

fn parent_of(spans: &[types::v1::Span], name: &str) -> String {
    spans.iter().find(|span| span.name == name).map(|span| span.parent_span_id.clone()).unwrap_or_default()
}

#[tokio::test]
async fn nobody_in_particular_may_look_over_tcp_and_change_nothing() {
    let world = World::new().await;
    let client = dial(&world.tcp, DEADLINE).await.unwrap();
    let mut miner = MinerServiceClient::new(client.clone());
    within(miner.get_miner(v1::GetMinerRequest {})).await.unwrap();
    within(miner.watch_miner(v1::WatchMinerRequest::default())).await.unwrap();
    let pause = || v1::PauseRequest { reason: "because".into(), ..Default::default() };
    let refused = failure(within(miner.pause(pause())).await);
    assert_eq!((refused.code, refused.reason.as_str()), (Code::PermissionDenied, "ANONYMOUS_CHANGE"));
    assert!(refused.message.contains("unix socket"), "{refused}");
    let tested = within(PoolServiceClient::new(client).test_pool(test_of("stratum+tcp://127.0.0.1:1"))).await;
    assert_eq!(failure(tested).reason, "ANONYMOUS_CHANGE");
    // The owner of the socket may.
    within(world.miner().pause(pause())).await.unwrap();
    world.end().await;
}

#[tokio::test]
async fn stop_ends_every_watch_with_its_reason() {
    let world = World::new().await;
    let mut trees = world.miner().watch_miner(v1::WatchMinerRequest::default()).await.unwrap().into_inner();
    let mut shares = world.shares().watch_shares(v1::WatchSharesRequest::default()).await.unwrap().into_inner();
    let health = world.health("").await;
    assert_eq!(health, ServingStatus::Serving);
    // Invented work is not what anybody wants to be paged for.
    assert_eq!(world.health(MINING_HEALTH).await, ServingStatus::NotServing);
    world.stop.cancel();
    for ended in [end_of(&mut trees).await, end_of(&mut shares).await] {
        assert_eq!((ended.code, ended.reason.as_str()), (Code::Unavailable, "SHUTTING_DOWN"));
        assert!(ended.retry_after.is_some());
    }
    world.end().await;
}

#[tokio::test]
async fn mining_is_healthy_while_work_of_a_pool_flows() {
    let world = World::new().await;
    let tree = world.telemetry.status().borrow().clone();
    let in_state = |state| Arc::new(MinerStatus { state, ..MinerStatus::clone(&tree) });
    let (publish, watched) = watch::channel(in_state(MinerState::Starting));
    let (routes, reporter) = standard_routes();
    reporter.set_service_status(MINING_HEALTH, ServingStatus::NotServing).await;
    let folder = tempfile::tempdir().unwrap();
    let (address, listeners) = world::listen(folder.path()).await;
    let stop = CancellationToken::new();
    let (served, ()) = tokio::join!(listeners.serve(routes.routes(), stop.clone()), async {
        let check = async {
            let mut health = world::watch_health(&address, MINING_HEALTH).await;
            assert_eq!(health.next().await, ServingStatus::NotServing);
            for (state, expected) in [
                (MinerState::Mining, ServingStatus::Serving),
                (MinerState::NoWork, ServingStatus::NotServing),
                (MinerState::Mining, ServingStatus::Serving),
                (MinerState::Stopping, ServingStatus::NotServing),
            ] {
                publish.send_replace(in_state(state));
                assert_eq!(health.next().await, expected, "{state:?}");
            }
        };
        tokio::select! {
            () = within(check) => {}
            () = follow(&reporter, watched) => panic!("nobody hung up"),
        }
        stop.cancel();
    });
    served.unwrap();
    world.end().await;
}

async fn outcome(test: &mut Streaming<v1::TestPoolResponse>) -> (Vec<String>, v1::TestPoolResult) {
    let mut phases = Vec::new();
    loop {
        match within(test.message()).await.unwrap().unwrap().event.unwrap() {
            v1::test_pool_response::Event::Phase(phase) => phases.push(phase.name),
            v1::test_pool_response::Event::Result(result) => return (phases, *result),
        }
    }
}

fn test_of(url: &str) -> v1::TestPoolRequest {
    let spec = types::v1::PoolSpec { url: url.into(), user: "u".into(), ..Default::default() };
    v1::TestPoolRequest { target: Some(v1::test_pool_request::Target::Spec(spec)) }
}

#[tokio::test]
async fn test_of_a_pool_that_nobody_serves_ends_with_the_phase_that_failed() {
    let world = World::new().await;
    let mut pools = world.pools();
    let mut test = pools.test_pool(test_of(URL)).await.unwrap().into_inner();
    let (phases, result) = outcome(&mut test).await;
    assert_eq!((phases, result.usable, result.failed_phase.as_str()), (vec!["dns".to_owned()], false, "tcp"));
    assert_eq!(result.failure_state(), types::v1::PoolState::BackingOff);
    assert!(!result.failure.is_empty() && result.connection.is_some());
    assert!(within(test.message()).await.unwrap().is_none(), "the result is the last");
    let refused = failure(pools.test_pool(test_of("http://pool.example")).await);
    assert_eq!((refused.code, refused.problems[0].field.as_str()), (Code::InvalidArgument, "spec.url"));
    let named = v1::TestPoolRequest { target: Some(v1::test_pool_request::Target::Pool("nope".into())) };
    assert_eq!(failure(pools.test_pool(named).await).reason, "POOL_NOT_FOUND");
    world.end().await;
}

#[tokio::test]
async fn two_tests_run_at_once_and_a_caller_that_goes_away_makes_room() {
    let world = World::new().await;
    let mut pools = world.pools();
    // It takes connections and never says a word.
    let mute = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = URL.replace("127.0.0.1:1", &mute.local_addr().unwrap().to_string());
    let first = pools.test_pool(test_of(&url)).await.unwrap().into_inner();
    let mut second = pools.test_pool(test_of(&url)).await.unwrap().into_inner();
    within(second.message()).await.unwrap().unwrap();
    let refused = failure(pools.test_pool(test_of(&url)).await);
    assert_eq!((refused.code, refused.reason.as_str()), (Code::ResourceExhausted, "TOO_MANY_TESTS"));
    assert!(refused.retry_after.is_some() && refused.message.contains("wait"), "{refused:?}");
    drop(first);
    within(async {
        // The server hears of it in its own time.
        while pools.test_pool(test_of(&url)).await.is_err() {}
    })
    .await;
    world.end().await;
}

#[tokio::test]
async fn pins_moves_channels_and_rejects_are_asked_for() {
    let world = World::new().await;
    let (mut pools, mut shares) = (world.pools(), world.shares());
    let hour = Some(mujina_proto::convert::duration(std::time::Duration::from_secs(3600)));
    let refused = failure(pools.pin_pool(v1::PinPoolRequest { pool: "nope".into(), duration: hour }).await);
    assert_eq!((refused.code, refused.reason.as_str()), (Code::NotFound, "POOL_NOT_FOUND"));
    assert_eq!(pools.unpin_pool(v1::UnpinPoolRequest {}).await.unwrap().into_inner().ended, None);
    let channels = pools.list_pool_channels(v1::ListPoolChannelsRequest {}).await.unwrap().into_inner().channels;
    assert_eq!(channels, [], "invented work has no channel");
    let request = v1::ListPoolTransitionsRequest { page_size: 5 };
    assert!(pools.list_pool_transitions(request).await.unwrap().into_inner().transitions.len() <= 5);
    let rejects = shares.list_rejects(v1::ListRejectsRequest::default()).await.unwrap().into_inner().rejects;
    assert_eq!(rejects, [], "invented work is never refused");
    world.end().await;
}

#[tokio::test]
async fn cpu_is_a_board_among_others_that_has_nothing_to_steer() {
    let world = World::new().await;
    let mut boards = world.boards();
    let cpu = within(async {
        loop {
            let request = v1::GetBoardRequest { board_id: "cpu".into() };
            let board = boards.get_board(request).await.unwrap().into_inner().board.unwrap();
            if board.status.as_ref().unwrap().totals.as_ref().unwrap().found > 0 {
                return board;
            }
        }
    })
    .await;
    let status = cpu.status.as_ref().unwrap();
    assert_eq!((status.state(), status.threads.len()), (types::v1::BoardState::Mining, 1));
    assert_eq!((cpu.chips, status.hottest_celsius, status.power_watts), (None, None, None));
    let tree = world.miner().get_miner(v1::GetMinerRequest {}).await.unwrap().into_inner().miner.unwrap();
    assert_eq!(tree.boards[0].state(), types::v1::BoardState::Mining);
    let duration = Some(mujina_proto::convert::duration(std::time::Duration::from_secs(1)));
    let refused = failure(boards.locate(v1::LocateRequest { board_id: "cpu".into(), duration }).await);
    assert_eq!((refused.code, refused.reason.as_str()), (Code::FailedPrecondition, "BOARD_REFUSED"));
    world.end().await;
}
