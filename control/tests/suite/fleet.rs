//! Many miners: selected by what they are and do, labelled, worked on.

use crate::{
    miner::FakeMiner,
    world::{Control, PATIENCE, config, spec},
};
use mujina_control::{access::Caller, event::Events, registry::Registry, store::Store};
use mujina_proto::{
    control::v1::{self, operation_action::Action},
    failure::Failure,
};
use tokio::time::timeout;
use tonic::Code;

fn labels(pairs: &[(&str, &str)]) -> std::collections::BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect()
}

fn named(miners: &[&str]) -> Option<v1::MinerSelection> {
    let miners = miners.iter().map(|&name| name.into()).collect();
    Some(v1::MinerSelection { miners, ..v1::MinerSelection::default() })
}

fn operation(action: Action, selector: &str) -> v1::StartOperationRequest {
    let action = Some(v1::OperationAction { action: Some(action) });
    v1::StartOperationRequest { action, selector: selector.into(), ..v1::StartOperationRequest::default() }
}

async fn list(control: &Control, selector: &str, filter: &str) -> Vec<v1::Miner> {
    let request = v1::ListMinersRequest {
        selector: selector.into(),
        filter: filter.into(),
        view: v1::MinerView::Basic.into(),
        ..v1::ListMinersRequest::default()
    };
    control.registry().list_miners(request).await.unwrap().into_inner().miners
}

fn names(miners: &[v1::Miner]) -> Vec<&str> {
    miners.iter().map(|miner| miner.name.as_str()).collect()
}

async fn start(control: &Control, request: v1::StartOperationRequest) -> v1::Operation {
    control.operations().start_operation(request).await.unwrap().into_inner().operation.unwrap()
}

/// Follows an operation to its end: what its targets were in the end, and the operation.
async fn until_ended(control: &Control, id: &str) -> (Vec<v1::OperationTarget>, v1::Operation) {
    let follow = async {
        let request = v1::WatchOperationRequest { operation_id: id.into(), ..Default::default() };
        let mut stream = control.operations().watch_operation(request).await.unwrap().into_inner();
        let mut targets = std::collections::BTreeMap::new();
        let mut last = None;
        while let Some(news) = stream.message().await.unwrap() {
            assert_eq!(news.snapshot, last.is_none(), "all targets come first, and once");
            let operation = news.operation.unwrap();
            targets.extend(operation.targets.iter().map(|target| (target.miner.clone(), target.clone())));
            last = Some(operation);
        }
        (targets.into_values().collect(), last.unwrap())
    };
    timeout(PATIENCE, follow).await.expect("the operation ends in time")
}

#[tokio::test]
async fn miners_are_found_by_their_labels_and_by_what_they_do() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (FakeMiner::new(folder.path(), "rig1"), FakeMiner::new(folder.path(), "rig2"));
    let _one = one.serve().await;
    let control = Control::start(config(folder.path(), &[("rig1", &one), ("rig2", &two)])).await;
    control.until_connected("rig1").await;
    let unreachable = |miner: &v1::Miner| miner.reachability() == v1::MinerReachability::Unreachable;
    control.until("rig2", "unreachable", unreachable).await;
    let change = v1::LabelMinersRequest {
        selection: named(&["rig2"]),
        set: labels(&[("rack", "7")]),
        remove: vec!["site".into()],
        validate_only: true,
    };
    let checked = control.registry().label_miners(change.clone()).await.unwrap().into_inner();
    assert_eq!(checked.miners, ["rig2"]);
    assert_eq!(names(&list(&control, "rack", "").await), Vec::<&str>::new(), "nothing was changed");
    let change = v1::LabelMinersRequest { validate_only: false, ..change };
    assert_eq!(control.registry().label_miners(change.clone()).await.unwrap().into_inner().miners, ["rig2"]);
    let again = control.registry().label_miners(change).await.unwrap().into_inner();
    assert!(again.miners.is_empty(), "they have these labels");
    assert_eq!(names(&list(&control, "site=cellar", "").await), ["rig1"]);
    assert_eq!(names(&list(&control, "!site", "state=UNREACHABLE").await), ["rig2"]);
    assert_eq!(names(&list(&control, "", "connected and faults=0").await), ["rig1"]);
    let bad = v1::ListMinersRequest { filter: "hashrat<1".into(), selector: "a=".into(), ..Default::default() };
    let failure = Failure::from(&control.registry().list_miners(bad).await.unwrap_err());
    assert_eq!(failure.problems.iter().map(|one| one.field.as_str()).collect::<Vec<_>>(), ["filter"]);
    let summary = v1::SummarizeMinersRequest { selector: "rack=7".into() };
    let summary = control.registry().summarize_miners(summary).await.unwrap().into_inner();
    assert_eq!((summary.total, summary.connected, summary.unreachable), (1, 0, 1));
    control.stop().await;
    let control = Control::start(config(folder.path(), &[("rig1", &one), ("rig2", &two)])).await;
    assert_eq!(names(&list(&control, "rack=7", "").await), ["rig2"], "labels outlive the process");
    control.stop().await;
}

#[tokio::test]
async fn basic_view_tells_totals_and_no_branches() {
    let folder = tempfile::tempdir().unwrap();
    let miner = FakeMiner::new(folder.path(), "rig1");
    let _serving = miner.serve().await;
    let control = Control::start(config(folder.path(), &[("rig1", &miner)])).await;
    let full = control.until_connected("rig1").await.status.unwrap();
    assert_eq!(full.pools.len(), 1);
    let basic = list(&control, "", "").await.remove(0).status.unwrap();
    assert!(basic.pools.is_empty() && basic.boards.is_empty());
    assert_eq!((basic.miner_id, basic.boot_id), (full.miner_id, full.boot_id));
    control.stop().await;
}

#[tokio::test]
async fn boards_are_started_anew_and_tested_and_what_failed_is_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (FakeMiner::new(folder.path(), "rig1"), FakeMiner::new(folder.path(), "rig2"));
    let (_one, _two) = (one.serve().await, two.serve().await);
    let control = Control::start(config(folder.path(), &[("rig1", &one), ("rig2", &two)])).await;
    let restart = operation(Action::Restart(v1::RestartAction::default()), "site=cellar");
    let (targets, ended) = until_ended(&control, &start(&control, restart).await.operation_id).await;
    assert_eq!((ended.state(), targets.len()), (v1::OperationState::Succeeded, 2));
    assert!(targets.iter().all(|target| target.detail == "gamma-1: runs"), "{targets:?}");
    assert_eq!(one.state().board_calls, ["reinitialize"]);
    assert!(ended.created_by.starts_with("user/") || !ended.created_by.is_empty());
    let mut test = operation(Action::SelfTest(v1::SelfTestAction { board: "gamma-1".into() }), "");
    test.filter = "name=rig1".into();
    let failed = start(&control, test).await;
    let (targets, ended) = until_ended(&control, &failed.operation_id).await;
    assert_eq!(ended.progress, Some(v1::OperationProgress { total: 1, failed: 1, ..Default::default() }));
    assert_eq!(targets[0].detail, "gamma-1: failed fan (0 rpm)");
    assert_eq!((targets[0].error_code, targets[0].error_reason.as_str()), (9, "BOARD_FAILED"));
    let retry = v1::RetryOperationRequest { operation_id: failed.operation_id.clone(), request_id: "r".into() };
    let retried = control.operations().retry_operation(retry.clone()).await.unwrap().into_inner().operation.unwrap();
    assert_eq!((retried.retry_of.as_str(), retried.targets.len()), (failed.operation_id.as_str(), 1));
    let again = control.operations().retry_operation(retry).await.unwrap().into_inner().operation.unwrap();
    assert_eq!(again.operation_id, retried.operation_id, "one request id, one operation");
    until_ended(&control, &retried.operation_id).await;
    let first = v1::ListOperationsRequest { page_size: 2, ..v1::ListOperationsRequest::default() };
    let listed = control.operations().list_operations(first).await.unwrap().into_inner();
    assert!(listed.operations.iter().all(|one| one.targets.is_empty() && one.progress.unwrap().total == 1));
    assert!(!listed.next_page_token.is_empty());
    control.stop().await;
}

#[tokio::test]
async fn restart_of_boards_that_was_cut_is_not_asked_for_twice() {
    let folder = tempfile::tempdir().unwrap();
    let miner = FakeMiner::new(folder.path(), "rig1");
    miner.change(|state| state.hold_boards = true);
    let _serving = miner.serve().await;
    let control = Control::start(config(folder.path(), &[("rig1", &miner)])).await;
    let id = start(&control, operation(Action::Restart(v1::RestartAction::default()), "site")).await.operation_id;
    miner.until("a board is started anew", |state| state.board_calls.len() == 1).await;
    control.kill();
    let control = Control::start(config(folder.path(), &[("rig1", &miner)])).await;
    let (targets, ended) = until_ended(&control, &id).await;
    assert_eq!(ended.state(), v1::OperationState::Failed);
    assert_eq!((targets[0].error_code, targets[0].error_reason.as_str()), (10, "INTERRUPTED"));
    assert_eq!(miner.state().board_calls.len(), 1);
    control.stop().await;
}

#[tokio::test]
async fn pools_are_tested_from_each_miner_and_what_was_found_is_told_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let miner = FakeMiner::new(folder.path(), "rig1");
    let _serving = miner.serve().await;
    let control = Control::start(config(folder.path(), &[("rig1", &miner)])).await;
    let test = |pool: &str, user: &str| {
        operation(Action::TestPool(v1::TestPoolAction { pool: pool.into(), user: user.into() }), "site")
    };
    let id = start(&control, test("stratum+tcp://pool.example:3333", "alice")).await.operation_id;
    let (targets, ended) = until_ended(&control, &id).await;
    assert_eq!(ended.state(), v1::OperationState::Succeeded);
    assert_eq!(targets[0].detail, "stratum+tcp://pool.example:3333: usable, first job after 5 ms");
    let (targets, _) = until_ended(&control, &start(&control, test("", "")).await.operation_id).await;
    assert_eq!((targets[0].error_code, targets[0].error_reason.as_str()), (5, "POOL_NOT_FOUND"));
    let mixed = control.operations().start_operation(test("main", "alice")).await.unwrap_err();
    assert_eq!(Failure::from(&mixed).problems[0].field, "action.test_pool.user");
    control.stop().await;
}

#[tokio::test]
async fn bundle_is_one_document_without_secrets_and_is_read_in_parts() {
    let folder = tempfile::tempdir().unwrap();
    let miner = FakeMiner::new(folder.path(), "rig1");
    miner.change(|state| state.spec = spec(Some("hunter2")));
    let _serving = miner.serve().await;
    let control = Control::start(config(folder.path(), &[("rig1", &miner)])).await;
    let collect = operation(Action::CollectBundle(v1::CollectBundleAction {}), "site");
    let id = start(&control, collect).await.operation_id;
    let (targets, ended) = until_ended(&control, &id).await;
    assert_eq!(ended.state(), v1::OperationState::Succeeded, "{targets:?}");
    let read = async |miner: &str| {
        let request = v1::GetBundleRequest { operation_id: id.clone(), miner: miner.into() };
        let mut parts = control.operations().get_bundle(request).await?.into_inner();
        let mut bytes = Vec::new();
        while let Some(part) = parts.message().await? {
            bytes.extend(part.data);
        }
        Ok::<_, tonic::Status>(bytes)
    };
    let bytes = read("rig1").await.unwrap();
    let document: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(document["miner"], "rig1");
    assert_eq!(document["answers"]["status"]["miner"]["minerId"], "fake");
    assert_eq!(document["answers"]["boards"]["boards"][0]["status"]["boardId"], "gamma-1");
    assert!(document["answers"]["transitions"]["failure"].as_str().unwrap().contains("nobody asks for moves"));
    assert!(!String::from_utf8(bytes).unwrap().contains("hunter2"));
    assert_eq!(read("rig2").await.unwrap_err().code(), Code::NotFound);
    control.stop().await;
}

#[tokio::test]
async fn ramp_is_shown_before_and_followed_by_pause_and_resume() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (FakeMiner::new(folder.path(), "rig1"), FakeMiner::new(folder.path(), "rig2"));
    let (_one, _two) = (one.serve().await, two.serve().await);
    let control = Control::start(config(folder.path(), &[("rig1", &one), ("rig2", &two)])).await;
    control.until_connected("rig1").await;
    control.until_connected("rig2").await;
    let pause = v1::StartOperationRequest {
        ramp_watts: 5000.0,
        ..operation(Action::Pause(v1::PauseAction::default()), "site=cellar")
    };
    let preview = v1::StartOperationRequest { validate_only: true, ..pause.clone() };
    let preview = control.operations().start_operation(preview).await.unwrap().into_inner();
    // Nobody knows what they draw, so each is switched in a second of its own.
    let steps: Vec<_> = preview.ramp.iter().map(|step| (step.miner.as_str(), step.after.unwrap().seconds)).collect();
    assert_eq!(steps, [("rig1", 0), ("rig2", 1)]);
    assert_eq!(preview.operation.unwrap().operation_id, "");
    let list = control.operations().list_operations(v1::ListOperationsRequest::default()).await.unwrap();
    assert!(list.into_inner().operations.is_empty(), "nothing was started");
    let started = start(&control, pause).await;
    assert_eq!(started.ramp_watts.to_bits(), 5000_f64.to_bits());
    let (targets, ended) = until_ended(&control, &started.operation_id).await;
    assert_eq!((ended.state(), targets.len()), (v1::OperationState::Succeeded, 2), "{targets:?}");
    assert!(one.state().spec.paused && two.state().spec.paused);
    let odd = v1::StartOperationRequest {
        ramp_watts: 1.0,
        ..operation(Action::Reconnect(v1::ReconnectAction::default()), "site=cellar")
    };
    let refused = Failure::from(&control.operations().start_operation(odd).await.unwrap_err());
    assert_eq!(refused.problems[0].field, "ramp_watts");
    control.stop().await;
}

#[tokio::test]
async fn nothing_is_sent_to_a_miner_in_quarantine_until_it_is_released() {
    let folder = tempfile::tempdir().unwrap();
    let miner = FakeMiner::new(folder.path(), "rig1");
    let _serving = miner.serve().await;
    let settings = config(folder.path(), &[("rig1", &miner)]);
    {
        let (store, _lock) = Store::open(folder.path()).await.unwrap();
        let registry = Registry::new(&settings.miners, Vec::new()).unwrap();
        let by = Caller::itself("test", "test");
        let events = Events::open(store.clone()).await.unwrap();
        registry.quarantine(&store, &events, &"rig1".parse().unwrap(), "it was used twice", &by).await.unwrap();
        store.close().await;
    }
    let control = Control::start(settings).await;
    let seen = control.until_connected("rig1").await;
    assert_eq!(seen.quarantine_reason, "it was used twice");
    let reconnect = || operation(Action::Reconnect(v1::ReconnectAction::default()), "site");
    let (targets, _) = until_ended(&control, &start(&control, reconnect()).await.operation_id).await;
    assert_eq!((targets[0].error_code, targets[0].error_reason.as_str()), (9, "IDENTITY_QUARANTINED"));
    assert!(miner.state().reconnect_calls.is_empty());
    // What is wanted of it waits: it refused nothing.
    control.apply(crate::world::paused("rig1")).await;
    let waits = control.until("rig1", "it waits", |miner| miner.sync_reason.contains("it was used twice")).await;
    assert_eq!(waits.sync_state(), v1::SyncState::Applying);
    assert!(miner.state().applied.is_empty());
    let release = v1::ReleaseMinerRequest { name: "rig1".into() };
    control.registry().release_miner(release.clone()).await.unwrap();
    control.until_sync("rig1", v1::SyncState::InSync).await;
    let (_, ended) = until_ended(&control, &start(&control, reconnect()).await.operation_id).await;
    assert_eq!(ended.state(), v1::OperationState::Succeeded);
    let again = Failure::from(&control.registry().release_miner(release).await.unwrap_err());
    assert_eq!(again.reason, "NOT_IN_QUARANTINE");
    let configured = control.registry().remove_miner(v1::RemoveMinerRequest { name: "rig1".into() }).await.unwrap_err();
    assert_eq!(Failure::from(&configured).reason, "MINER_CONFIGURED");
    control.stop().await;
}

#[tokio::test]
async fn one_operation_reaches_many_miners_and_each_once() {
    let folder = tempfile::tempdir().unwrap();
    let miner = FakeMiner::new(folder.path(), "rigs");
    let _serving = miner.serve().await;
    let names: Vec<_> = (0..60).map(|i| format!("rig{i}")).collect();
    let miners: Vec<_> = names.iter().map(|name| (name.as_str(), &miner)).collect();
    let control = Control::start(config(folder.path(), &miners)).await;
    let reconnect = operation(Action::Reconnect(v1::ReconnectAction::default()), "site=cellar");
    let started = start(&control, reconnect).await;
    let (targets, ended) = until_ended(&control, &started.operation_id).await;
    assert_eq!(ended.progress, Some(v1::OperationProgress { total: 60, succeeded: 60, ..Default::default() }));
    assert!(targets.iter().all(|target| target.phases.len() == 2 && target.reconnect.is_some()));
    let (begun, asked) = {
        let state = miner.state();
        (state.reconnects.len(), state.reconnect_calls.len())
    };
    assert_eq!((begun, asked), (60, 60));
    control.stop().await;
}
