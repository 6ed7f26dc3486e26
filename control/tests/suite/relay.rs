//! Calls handed on to a miner, byte for byte.

use crate::{
    miner::FakeMiner,
    world::{Control, PATIENCE, config},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, header::CONTENT_TYPE};
use http_body_util::{BodyExt, Full};
use mujina_control::relay::MINER;
use mujina_proto::{
    dataplane::v1::{
        self as wire, board_service_client::BoardServiceClient, miner_service_client::MinerServiceClient,
        pool_service_client::PoolServiceClient, share_service_client::ShareServiceClient,
    },
    dial::Client,
    failure::Failure,
    serve::{ListenOn, Listeners, standard_routes},
};
use std::{
    convert::Infallible,
    future::{Ready, ready},
    task::{Context, Poll},
    time::Duration,
};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status, body::Body, metadata::MetadataValue, server::NamedService};
use tower::{Service, ServiceExt};

fn to<T>(miner: &str, message: T) -> tonic::Request<T> {
    let mut request = tonic::Request::new(message);
    request.metadata_mut().insert(MINER, MetadataValue::try_from(miner).unwrap());
    request
}

fn refused<T>(answer: Result<tonic::Response<T>, Status>) -> Failure {
    match answer {
        Ok(_) => panic!("the call passed"),
        Err(status) => Failure::from(&status),
    }
}

#[tokio::test]
async fn reads_and_streams_pass_with_metadata_and_the_details_of_failures() {
    let folder = tempfile::tempdir().unwrap();
    let miner = FakeMiner::new(folder.path(), "rig1");
    let _serving = miner.serve().await;
    let control = Control::start(config(folder.path(), &[("rig1", &miner)])).await;
    let answer =
        PoolServiceClient::new(control.client.clone()).list_pools(to("rig1", wire::ListPoolsRequest {})).await.unwrap();
    assert_eq!(answer.metadata().get("x-miner").unwrap(), "fake");
    assert_eq!(answer.into_inner().pools[0].name, "main");
    let mut shares = ShareServiceClient::new(control.client.clone());
    let failure = refused(shares.list_shares(to("rig1", wire::ListSharesRequest::default())).await);
    assert_eq!((failure.code, failure.reason.as_str()), (Code::ResourceExhausted, "TOO_MANY"));
    assert_eq!(failure.facts["fact"], "42");
    let watch = to("rig1", wire::WatchSharesRequest::default());
    let mut stream = shares.watch_shares(watch).await.unwrap().into_inner();
    for expected in 0..1000 {
        let event = stream.message().await.unwrap().unwrap().event;
        assert_eq!(event, Some(wire::watch_shares_response::Event::Missed(expected)));
    }
    let end = Failure::from(&stream.message().await.unwrap_err());
    assert_eq!((end.code, end.reason.as_str(), end.facts["count"].as_str()), (Code::OutOfRange, "END", "1000"));
    control.stop().await;
}

#[tokio::test]
async fn calls_that_change_the_spec_or_name_no_miner_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (miner, away) = (FakeMiner::new(folder.path(), "rig1"), FakeMiner::new(folder.path(), "rig2"));
    let _serving = miner.serve().await;
    let control = Control::start(config(folder.path(), &[("rig1", &miner), ("rig2", &away)])).await;
    let mut client = MinerServiceClient::new(control.client.clone());
    for failure in [
        refused(client.apply_spec(to("rig1", wire::ApplySpecRequest::default())).await),
        refused(client.confirm_spec(to("rig1", wire::ConfirmSpecRequest { generation: 1 })).await),
        refused(client.pause(to("rig1", wire::PauseRequest::default())).await),
        refused(client.resume(to("rig1", wire::ResumeRequest::default())).await),
    ] {
        assert_eq!((failure.code, failure.reason.as_str()), (Code::FailedPrecondition, "USE_DESIRED_STATE"));
    }
    assert!(miner.state().applied.is_empty());
    let failure = refused(client.get_miner(wire::GetMinerRequest {}).await);
    assert_eq!((failure.code, failure.reason.as_str()), (Code::InvalidArgument, "MINER_NOT_NAMED"));
    let failure = refused(client.get_miner(to("Rig", wire::GetMinerRequest {})).await);
    assert_eq!((failure.code, failure.problems[0].field.as_str()), (Code::InvalidArgument, MINER));
    let failure = refused(client.get_miner(to("rig9", wire::GetMinerRequest {})).await);
    assert_eq!((failure.code, failure.reason.as_str()), (Code::NotFound, "MINER_NOT_FOUND"));
    let failure = refused(client.get_miner(to("rig2", wire::GetMinerRequest {})).await);
    assert_eq!((failure.code, failure.reason.as_str()), (Code::Unavailable, "MINER_UNREACHABLE"));
    assert!(failure.retry_after.is_some_and(|delay| delay > Duration::ZERO));
    control.stop().await;
}

#[tokio::test]
async fn caller_that_goes_away_ends_the_call_on_the_miner() {
    let folder = tempfile::tempdir().unwrap();
    let miner = FakeMiner::new(folder.path(), "rig1");
    let _serving = miner.serve().await;
    let control = Control::start(config(folder.path(), &[("rig1", &miner)])).await;
    control.until_connected("rig1").await;
    let until = async |watchers: usize| {
        let wait = async {
            while miner.watchers() != watchers {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("{} watchers", miner.watchers()));
    };
    // The session and the collector.
    until(2).await;
    let mut client = MinerServiceClient::new(control.client.clone());
    let mut stream = client.watch_miner(to("rig1", wire::WatchMinerRequest::default())).await.unwrap().into_inner();
    stream.message().await.unwrap().unwrap();
    until(3).await;
    drop(stream);
    until(2).await;
    control.stop().await;
}

#[tokio::test]
async fn test_of_a_pool_runs_on_the_miner_and_ends_with_its_caller() {
    use wire::{test_pool_request::Target, test_pool_response::Event};
    let folder = tempfile::tempdir().unwrap();
    let miner = FakeMiner::new(folder.path(), "rig1");
    let _serving = miner.serve().await;
    let control = Control::start(config(folder.path(), &[("rig1", &miner)])).await;
    let mut pools = PoolServiceClient::new(control.client.clone());
    let request = || {
        let spec = mujina_proto::types::v1::PoolSpec { url: "stratum+tcp://pool.example".into(), ..Default::default() };
        to("rig1", wire::TestPoolRequest { target: Some(Target::Spec(spec)) })
    };
    miner.change(|state| state.hold_reconnects = true);
    let mut held = pools.test_pool(request()).await.unwrap().into_inner();
    // A phase passes at once: nothing on the way waits for the result.
    let first = held.message().await.unwrap().unwrap().event;
    assert!(matches!(first, Some(Event::Phase(phase)) if phase.name == "dns"));
    drop(held);
    miner.until("the test has ended with its caller", |state| state.tests == 0).await;

    miner.change(|state| state.hold_reconnects = false);
    let mut test = pools.test_pool(request()).await.unwrap().into_inner();
    let (mut events, mut last) = (0, None);
    while let Some(message) = test.message().await.unwrap() {
        events += 1;
        last = message.event;
    }
    let Some(Event::Result(result)) = last else { panic!("{last:?}") };
    let reached = result.connection.unwrap().peer_address;
    assert_eq!((events, result.usable, reached.as_str()), (2, true, "stratum+tcp://pool.example"));
    let named = to("rig1", wire::TestPoolRequest { target: Some(Target::Pool("nope".into())) });
    assert_eq!(refused(pools.test_pool(named).await).reason, "POOL_NOT_FOUND");
    let unpinned = pools.unpin_pool(to("rig1", wire::UnpinPoolRequest {})).await.unwrap().into_inner();
    assert_eq!(unpinned.ended, None, "pins are no change of the spec");
    control.stop().await;
}

#[tokio::test]
async fn boards_are_read_watched_and_asked_on_their_miner() {
    use wire::self_test_response::Event;
    let folder = tempfile::tempdir().unwrap();
    let miner = FakeMiner::new(folder.path(), "rig1");
    let _serving = miner.serve().await;
    let control = Control::start(config(folder.path(), &[("rig1", &miner)])).await;
    let mut boards = BoardServiceClient::new(control.client.clone());
    let id = || "gamma-1".to_owned();
    let list = boards.list_boards(to("rig1", wire::ListBoardsRequest {})).await.unwrap().into_inner();
    let one = boards.get_board(to("rig1", wire::GetBoardRequest { board_id: id() })).await.unwrap().into_inner();
    assert_eq!(list.boards, [one.board.unwrap()]);
    let request = wire::ListChipsRequest { board_id: id(), ..Default::default() };
    assert_eq!(boards.list_chips(to("rig1", request)).await.unwrap().into_inner().chips[0].chip_id, 0x1370);
    let request = to("rig1", wire::GetConstraintsRequest { board_id: id() });
    assert_eq!(boards.get_constraints(request).await.unwrap().into_inner().constraints[0].name, "frequency_mhz");
    let watch = to("rig1", wire::WatchBoardsRequest::default());
    let mut watch = boards.watch_boards(watch).await.unwrap().into_inner();
    assert!(watch.message().await.unwrap().unwrap().snapshot);

    boards.reinitialize(to("rig1", wire::ReinitializeRequest { board_id: id() })).await.unwrap();
    let duration = Some(prost_types::Duration { seconds: 30, nanos: 0 });
    boards.locate(to("rig1", wire::LocateRequest { board_id: id(), duration })).await.unwrap();
    assert_eq!(miner.state().board_calls, ["reinitialize", "locate 30"]);
    let request = to("rig1", wire::SelfTestRequest { board_id: id() });
    let mut test = boards.self_test(request).await.unwrap().into_inner();
    let mut events = Vec::new();
    while let Some(message) = test.message().await.unwrap() {
        events.push(message.event.unwrap());
    }
    assert!(matches!(events.as_slice(), [Event::Step(step), Event::Result(end)] if step.name == "fan" && !end.passed));
    let unknown = to("rig1", wire::GetBoardRequest { board_id: "nope".into() });
    let failure = refused(boards.get_board(unknown).await);
    assert_eq!((failure.reason.as_str(), failure.facts["board_id"].as_str()), ("BOARD_NOT_FOUND", "nope"));
    control.stop().await;
}

/// Answers with the bytes that it was sent, and with headers and trailers that no version of ours knows.
#[derive(Debug, Clone)]
struct Echo;

impl NamedService for Echo {
    const NAME: &'static str = "mujina.dataplane.v1.DiagnosticsService";
}

impl Service<Request<Body>> for Echo {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", HeaderValue::from_static("0"));
        trailers.insert("x-trailer-bin", HeaderValue::from_static("AAEC"));
        let said = request.headers().get("x-said").cloned();
        let timeout = request.headers().get("grpc-timeout").cloned();
        let was_named = request.headers().contains_key(MINER);
        let body = request.into_body().with_trailers(ready(Some(Ok(trailers))));
        let mut response = Response::new(Body::new(body));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        if let Some(said) = said.filter(|_| !was_named) {
            response.headers_mut().insert("x-heard", said);
        }
        if let Some(timeout) = timeout {
            response.headers_mut().insert("x-timeout", timeout);
        }
        ready(Ok(response))
    }
}

async fn exchange(client: &Client, method: &str, body: Bytes) -> Response<Body> {
    let request = Request::post(format!("/mujina.dataplane.v1.DiagnosticsService/{method}"))
        .header(CONTENT_TYPE, "application/grpc")
        .header(MINER, "rig1")
        .header("x-said", "hello")
        .header("grpc-timeout", "25S")
        .header("te", "trailers")
        .body(Body::new(Full::new(body).map_err(|never| match never {})))
        .unwrap();
    client.clone().oneshot(request).await.unwrap()
}

#[tokio::test]
async fn bytes_headers_and_trailers_pass_unchanged_and_unknown_methods_do_not() {
    let folder = tempfile::tempdir().unwrap();
    let miner = FakeMiner::new(folder.path(), "rig1");
    let listeners = Listeners::bind(&ListenOn { socket: Some(miner.socket.clone()), tcp: None }).await.unwrap();
    let (mut routes, _) = standard_routes();
    routes.add_service(Echo);
    let routes = routes.routes();
    let mut serving = JoinSet::new();
    serving.spawn(async move { listeners.serve(routes, CancellationToken::new()).await });
    let control = Control::start(config(folder.path(), &[("rig1", &miner)])).await;
    // Far more than any window or frame, and no message of protobuf.
    let sent: Bytes = (0..3_000_000_u32).map(|n| n.to_le_bytes()[(n % 3) as usize] ^ 0xff).collect();
    let answer = exchange(&control.client, "ListSpans", sent.clone()).await;
    assert_eq!(answer.headers().get("x-heard").unwrap(), "hello");
    assert_eq!(answer.headers().get("x-timeout").unwrap(), "25S");
    let heard = answer.into_body().collect().await.unwrap();
    assert_eq!(heard.trailers().unwrap().get("x-trailer-bin").unwrap(), "AAEC");
    assert_eq!(heard.to_bytes(), sent);
    // Nobody can say what a method needs that the table does not know.
    let unknown = exchange(&control.client, "OfTheFuture", Bytes::new()).await;
    assert_eq!(unknown.headers().get("grpc-status").unwrap(), "12");
    control.stop().await;
}
