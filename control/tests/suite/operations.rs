//! Operations: stored, done, resumed, cancelled, traced.

use crate::{
    miner::FakeMiner,
    world::{Control, PATIENCE, config, spec},
};
use mujina_control::{Config, relay::MINER};
use mujina_core::units::Watts;
use mujina_proto::{
    control::v1::{self, diagnostics_service_client::DiagnosticsServiceClient, operation_action::Action},
    dataplane::v1::{self as wire, pool_service_client::PoolServiceClient},
    failure::Failure,
    trace::{Telemetry, TelemetrySettings, trace_id},
};
use tokio::time::timeout;
use tonic::Code;
use tracing::Instrument;

fn reconnect(miners: &[&str]) -> v1::StartOperationRequest {
    request(Action::Reconnect(v1::ReconnectAction::default()), miners)
}

fn request(action: Action, miners: &[&str]) -> v1::StartOperationRequest {
    v1::StartOperationRequest {
        action: Some(v1::OperationAction { action: Some(action) }),
        miners: miners.iter().map(|&name| name.into()).collect(),
        all: miners.is_empty(),
        request_id: String::new(),
        ..v1::StartOperationRequest::default()
    }
}

async fn start(control: &Control, request: v1::StartOperationRequest) -> v1::Operation {
    control.operations().start_operation(request).await.unwrap().into_inner().operation.unwrap()
}

/// Follows an operation to its end.
async fn until_ended(control: &Control, id: &str) -> v1::Operation {
    let follow = async {
        let request = v1::WatchOperationRequest { operation_id: id.into(), ..Default::default() };
        let mut stream = control.operations().watch_operation(request).await.unwrap().into_inner();
        while stream.message().await.unwrap().is_some() {}
        // News are of what changed; this is all of it.
        let request = v1::GetOperationRequest { operation_id: id.into() };
        control.operations().get_operation(request).await.unwrap().into_inner().operation.unwrap()
    };
    timeout(PATIENCE, follow).await.expect("the operation ends in time")
}

#[tokio::test]
async fn reconnect_runs_on_all_miners_and_keeps_phases_and_results() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (FakeMiner::new(folder.path(), "rig1"), FakeMiner::new(folder.path(), "rig2"));
    let failure = Failure::new(Code::FailedPrecondition, "NO_POOL", "no pool is live; configure one");
    two.change(|state| state.reconnect_failure = Some(failure.into()));
    let (_one, _two) = (one.serve().await, two.serve().await);
    let control = Control::start(config(folder.path(), &[("rig1", &one), ("rig2", &two)])).await;
    let first = start(&control, v1::StartOperationRequest { request_id: "r1".into(), ..reconnect(&[]) }).await;
    let ended = until_ended(&control, &first.operation_id).await;
    assert_eq!(ended.state(), v1::OperationState::PartiallyFailed);
    assert!(ended.finished_at.is_some());
    let [good, bad] = &ended.targets[..] else { panic!("{ended:?}") };
    assert_eq!((good.miner.as_str(), good.state()), ("rig1", v1::TargetState::Succeeded));
    assert_eq!(good.phases.iter().map(|phase| phase.name.as_str()).collect::<Vec<_>>(), ["dns", "tcp"]);
    assert_eq!(good.reconnect.as_ref().unwrap().connection_id, 7);
    assert_eq!((bad.error_code, bad.error_reason.as_str()), (9, "NO_POOL"));
    assert_eq!(bad.error_message, "no pool is live; configure one");
    let again = start(&control, v1::StartOperationRequest { request_id: "r1".into(), ..reconnect(&[]) }).await;
    assert_eq!(again, ended);
    let other = v1::StartOperationRequest { request_id: "r1".into(), ..reconnect(&["rig1"]) };
    let refused = Failure::from(&control.operations().start_operation(other).await.unwrap_err());
    assert_eq!(refused.problems.first().map(|problem| problem.field.as_str()), Some("request_id"), "{refused:?}");
    let retry = v1::RetryOperationRequest { operation_id: first.operation_id, request_id: "r1".into() };
    control.operations().retry_operation(retry).await.unwrap_err();
    assert_eq!(one.state().reconnect_calls.len(), 1);
    control.stop().await;
}

#[tokio::test]
async fn restarted_control_plane_joins_the_reconnect_that_it_began() {
    let folder = tempfile::tempdir().unwrap();
    let miner = FakeMiner::new(folder.path(), "rig1");
    miner.change(|state| state.hold_reconnects = true);
    let _serving = miner.serve().await;
    let control = Control::start(config(folder.path(), &[("rig1", &miner)])).await;
    let id = start(&control, reconnect(&["rig1"])).await.operation_id;
    miner.until("reconnect begun", |state| state.reconnect_calls.len() == 1).await;
    control.kill();
    let control = Control::start(config(folder.path(), &[("rig1", &miner)])).await;
    miner.until("reconnect joined", |state| state.reconnect_calls.len() == 2).await;
    miner.change(|state| state.hold_reconnects = false);
    let ended = until_ended(&control, &id).await;
    assert_eq!(ended.state(), v1::OperationState::Succeeded);
    assert_eq!(miner.state().reconnects.len(), 1, "one request id, so one reconnect");
    control.stop().await;
}

#[tokio::test]
async fn pause_and_resume_go_through_the_desired_state_and_wait_for_the_miner() {
    let folder = tempfile::tempdir().unwrap();
    let (known, unknown) = (FakeMiner::new(folder.path(), "rig1"), FakeMiner::new(folder.path(), "rig2"));
    known.change(|state| state.spec = spec(None));
    let _serving = known.serve().await;
    let control = Control::start(config(folder.path(), &[("rig1", &known), ("rig2", &unknown)])).await;
    control.until_connected("rig1").await;
    let pause = Action::Pause(v1::PauseAction { reason: "maintenance".into() });
    let id = start(&control, request(pause, &[])).await.operation_id;
    let ended = until_ended(&control, &id).await;
    assert_eq!(ended.state(), v1::OperationState::PartiallyFailed);
    assert_eq!(ended.targets[0].state(), v1::TargetState::Succeeded);
    assert_eq!((ended.targets[1].error_code, ended.targets[1].error_reason.as_str()), (9, "MINER_NOT_SEEN"));
    assert!(known.state().spec.paused);
    assert_eq!(known.state().spec.pool_groups.len(), 1);
    let id = start(&control, request(Action::Resume(v1::ResumeAction {}), &["rig1"])).await.operation_id;
    assert_eq!(until_ended(&control, &id).await.state(), v1::OperationState::Succeeded);
    assert!(!known.state().spec.paused);
    assert_eq!(known.state().control_generation, 2);
    control.stop().await;
}

#[tokio::test]
async fn cancelled_operation_lets_targets_under_way_end() {
    let folder = tempfile::tempdir().unwrap();
    let miner = FakeMiner::new(folder.path(), "rig1");
    miner.change(|state| state.hold_reconnects = true);
    let _serving = miner.serve().await;
    let control = Control::start(config(folder.path(), &[("rig1", &miner)])).await;
    let id = start(&control, reconnect(&["rig1"])).await.operation_id;
    miner.until("reconnect begun", |state| state.reconnect_calls.len() == 1).await;
    let cancel = v1::CancelOperationRequest { operation_id: id.clone() };
    let cancelled = control.operations().cancel_operation(cancel).await.unwrap().into_inner().operation.unwrap();
    assert_eq!(cancelled.state(), v1::OperationState::Running);
    miner.change(|state| state.hold_reconnects = false);
    assert_eq!(until_ended(&control, &id).await.state(), v1::OperationState::Succeeded);
    control.stop().await;
}

#[tokio::test]
async fn bad_requests_start_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let miner = FakeMiner::new(folder.path(), "rig1");
    let control = Control::start(config(folder.path(), &[("rig1", &miner)])).await;
    let failed = async |request: v1::StartOperationRequest| {
        Failure::from(&control.operations().start_operation(request).await.unwrap_err())
    };
    let nothing = failed(v1::StartOperationRequest::default()).await;
    let fields: Vec<_> = nothing.problems.iter().map(|one| one.field.as_str()).collect();
    assert_eq!(fields, ["miners", "action"]);
    let long = Action::Pause(v1::PauseAction { reason: "x".repeat(256) });
    assert_eq!(failed(request(long, &["rig1"])).await.problems[0].field, "action.pause.reason");
    let unknown = failed(reconnect(&["rig1", "rig7", "rig8"])).await;
    assert_eq!(unknown.code, Code::NotFound);
    assert!(unknown.message.contains("rig7, rig8"));
    let missing = v1::GetOperationRequest { operation_id: "x".into() };
    assert_eq!(control.operations().get_operation(missing).await.unwrap_err().code(), Code::NotFound);
    let list = control.operations().list_operations(v1::ListOperationsRequest::default()).await.unwrap();
    assert!(list.into_inner().operations.is_empty());
    control.stop().await;
}

#[tokio::test]
async fn one_trace_leads_from_the_request_over_the_operation_to_the_miner() {
    let settings = TelemetrySettings {
        service: "mujina-control",
        instance: String::new(),
        log: "off".into(),
        otlp_endpoint: None,
        frequent_spans: &[],
    };
    let telemetry = Telemetry::new(&settings, None).unwrap();
    let _here = tracing::dispatcher::set_default(&telemetry.dispatch());
    let folder = tempfile::tempdir().unwrap();
    let (miner, away) = (FakeMiner::new(folder.path(), "rig1"), FakeMiner::new(folder.path(), "rig2"));
    let _serving = miner.serve().await;
    let config = config(folder.path(), &[("rig1", &miner), ("rig2", &away)]);
    let control = Control::start_with(config, telemetry.spans()).await;
    let unreachable = |miner: &v1::Miner| miner.reachability() == v1::MinerReachability::Unreachable;
    control.until("rig2", "unreachable", unreachable).await;
    control.until_connected("rig1").await;
    let command = tracing::info_span!(target: "mujina", "command");
    let trace = trace_id(&command).unwrap();
    let started = start(&control, reconnect(&["rig1"])).instrument(command.clone()).await;
    let mut relayed = tonic::Request::new(wire::ListPoolsRequest {});
    relayed.metadata_mut().insert(MINER, "rig1".parse().unwrap());
    PoolServiceClient::new(control.client.clone()).list_pools(relayed).instrument(command.clone()).await.unwrap();
    drop(command);
    assert_eq!(started.trace_id, trace);
    until_ended(&control, &started.operation_id).await;
    assert!(miner.state().reconnect_calls[0].contains(&trace), "{:?}", miner.state().reconnect_calls);
    let mut diagnostics = DiagnosticsServiceClient::new(control.client.clone());
    let follow = async {
        loop {
            let request = v1::ListSpansRequest { trace_id: trace.clone() };
            let answer = diagnostics.list_spans(request).await.unwrap().into_inner();
            // The last span ends a moment after the operation does.
            if answer.spans.iter().any(|span| span.name == "operation.run") {
                return answer;
            }
            tokio::task::yield_now().await;
        }
    };
    let answer = timeout(PATIENCE, follow).await.expect("the spans end in time");
    let span =
        |name: &str| answer.spans.iter().find(|span| span.name == name).unwrap_or_else(|| panic!("{name}: {answer:?}"));
    let (run, target) = (span("operation.run"), span("operation.target"));
    let serve = span("mujina.control.v1.OperationService/StartOperation");
    let call = span("mujina.dataplane.v1.PoolService/ReconnectPool");
    assert!(answer.spans.iter().any(|span| span.span_id == run.parent_span_id && span.name == serve.name));
    assert_eq!(target.parent_span_id, run.span_id);
    assert!(answer.spans.iter().any(|span| span.name == call.name && span.parent_span_id == target.span_id));
    span("pool.connect");
    // The command's call, control's answer to it, its own call to the miner, and the miner's answer, which runs here too.
    let relayed = answer.spans.iter().filter(|span| span.name == "mujina.dataplane.v1.PoolService/ListPools").count();
    assert_eq!(relayed, 4, "{answer:?}");
    assert_eq!(answer.unreachable_miners, ["rig2"]);
    control.stop().await;
}

#[tokio::test]
async fn operation_without_a_ramp_takes_the_configured_one_and_is_refused_by_none() {
    let folder = tempfile::tempdir().unwrap();
    let miners = ["rig1", "rig2", "rig3"].map(|name| FakeMiner::new(folder.path(), name));
    let named = [("rig1", &miners[0]), ("rig2", &miners[1]), ("rig3", &miners[2])];
    let ramp = Some(Watts::from_watts(5000.0));
    let control = Control::start(Config { ramp, ..config(folder.path(), &named) }).await;
    let preview = async |request: v1::StartOperationRequest| {
        let dry = v1::StartOperationRequest { validate_only: true, ..request };
        let dry = control.operations().start_operation(dry).await.unwrap().into_inner();
        let seconds: Vec<_> = dry.ramp.iter().map(|step| step.after.unwrap().seconds).collect();
        (dry.operation.unwrap().ramp_watts, seconds)
    };
    let pause = || request(Action::Pause(v1::PauseAction::default()), &[]);
    assert_eq!(preview(pause()).await, (5000.0, vec![0, 1, 2]));
    assert_eq!(preview(v1::StartOperationRequest { ramp_watts: 900.0, ..pause() }).await, (900.0, vec![0, 1, 2]));
    assert_eq!(preview(reconnect(&[])).await, (0.0, vec![]));
    control.stop().await;
}
