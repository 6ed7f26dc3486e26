//! A command from the terminal through both planes to the pool, in one trace.

use crate::rig::{Rig, totals};
use mujina_proto::{
    trace::{Telemetry, TelemetrySettings},
    types::v1::MinerState,
};
use mujina_testbed::{
    log_watcher::LogWatcher,
    otlp_receiver::{OtlpReceiver, ReceivedSpan, ReceiverMode},
    plane::Plane,
    sv2_pool::{PoolOptions, Sv2Pool},
    world::{HostedControl, Said, Telling, control_config, mujinactl},
};
use std::{convert::Infallible, time::Duration};

async fn pool() -> Sv2Pool {
    Sv2Pool::start(PoolOptions { shares_per_minute: 600.0, ..PoolOptions::default() }).await.unwrap()
}

async fn control_of(rig: &Rig, telling: &Telling, log: &LogWatcher) -> HostedControl {
    let folder = rig.folder.path().join("control");
    let config = control_config(&folder, &[("rig1", &rig.miner.address)]);
    HostedControl::start(config, telling, Some(log)).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_through_control_reach_the_miner_and_say_how_it_went() {
    let mut pool = pool().await;
    let rig = Rig::on(&pool.url()).await;
    let control_log = LogWatcher::new("control");
    let control = control_of(&rig, &Telling::default(), &control_log).await;
    rig.wait_for(|status| totals(status).accepted >= 5).await;

    let said = mujinactl(&control.address, &["pool", "reconnect", "-o", "json"]).await;
    assert_eq!(said.code, 0, "{said:?}");
    let said = mujinactl(&control.address, &["pause", "--wait"]).await;
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(rig.miner.clients.status().await.unwrap().state(), MinerState::Paused);
    let said = mujinactl(&control.address, &["resume", "--wait"]).await;
    assert_eq!(said.code, 0, "{said:?}");
    let status = rig.wait_for(|status| status.state() == MinerState::Mining).await;
    assert_eq!(totals(&status).lost, 0);

    for words in [
        &["status"][..],
        &["miner", "list"],
        &["miner", "get", "rig1"],
        &["pool", "list", "-o", "yaml"],
        &["shares", "stats"],
        &["shares", "list", "-o", "json"],
        &["spec", "get"],
        &["version"],
    ] {
        let said = mujinactl(&control.address, words).await;
        assert_eq!(said.code, 0, "{words:?}: {said:?}");
        assert!(!said.out.is_empty(), "{words:?}");
    }
    let unknown = mujinactl(&control.address, &["-m", "nobody", "pool", "list"]).await;
    assert_eq!(unknown.code, 8, "{unknown:?}");
    control.stop().await.unwrap();
    control_log.finish();
    rig.finish().await;
    pool.stop().await.unwrap();
}

/// The command line as a process of its own, as far as tracing goes.
async fn traced_command(words: Vec<String>, address: mujina_proto::dial::Address, endpoint: &str) -> Said {
    let settings = TelemetrySettings {
        service: "mujinactl",
        instance: String::new(),
        log: "off".into(),
        otlp_endpoint: Some(endpoint.into()),
        frequent_spans: &[],
    };
    let (plane, said) = Plane::start(settings, None, move |around| async move {
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        let said = mujinactl(&address, &words).await;
        // Whoever waits for it is this test.
        let _ = around.ready.send(said);
        Ok::<_, Infallible>(())
    })
    .await
    .unwrap();
    plane.stop().await.unwrap();
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn one_trace_runs_from_the_terminal_to_the_pool() {
    let collector = OtlpReceiver::start(ReceiverMode::Normal).await.unwrap();
    let telling = Telling { otlp_endpoint: Some(collector.endpoint()), ..Telling::default() };
    let mut pool = pool().await;
    let rig = Rig::with(Some(&pool.url()), &telling).await;
    let control_log = LogWatcher::new("control");
    let control = control_of(&rig, &telling, &control_log).await;
    rig.wait_for(|status| totals(status).accepted >= 3).await;
    let words = ["pool", "reconnect", "--trace"].map(String::from).to_vec();
    let said = traced_command(words, control.address.clone(), &collector.endpoint()).await;
    assert_eq!(said.code, 0, "{said:?}");
    let trace_id = said.err.lines().find_map(|line| line.strip_prefix("trace: ")).expect("the trace id is printed");

    let wanted = [
        ("mujinactl", "mujinactl pool reconnect"),
        ("mujina-control", "operation.run"),
        ("mujina-control", "mujina.control.v1.OperationService/StartOperation"),
        ("mujina-dataplane", "mujina.dataplane.v1.PoolService/ReconnectPool"),
        ("mujina-dataplane", "pool.connect"),
        ("mujina-dataplane", "dns"),
        ("mujina-dataplane", "tcp"),
        ("mujina-dataplane", "noise"),
        ("mujina-dataplane", "setup_connection"),
        ("mujina-dataplane", "open_channel"),
        ("mujina-dataplane", "first_job"),
        ("mujina-dataplane", "share"),
        ("mujina-dataplane", "submit"),
    ];
    let has = |spans: &[ReceivedSpan], service: &str, name: &str| {
        let matches = |span: &&ReceivedSpan| span.trace_id == trace_id && span.service == service && span.name == name;
        spans.iter().any(|span| matches(&span))
    };
    let all = |spans: &[ReceivedSpan]| wanted.iter().all(|(service, name)| has(spans, service, name)).then_some(());
    let arrived = collector.wait_for(all).await;
    let missing = |spans: &[ReceivedSpan]| {
        wanted.iter().filter(|(service, name)| !has(spans, service, name)).copied().collect::<Vec<_>>()
    };
    assert!(arrived.is_ok(), "missing {:?}", missing(&collector.spans()));
    // The same trace, without a collector, from the processes' own memory.
    let shown = mujinactl(&control.address, &["trace", "show", trace_id]).await;
    assert_eq!(shown.code, 0, "{shown:?}");
    assert!(shown.out.contains("pool.connect") && shown.out.contains("operation.run"), "{}", shown.out);
    control.stop().await.unwrap();
    control_log.finish();
    rig.finish().await;
    pool.stop().await.unwrap();
    collector.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_collector_delays_neither_mining_nor_the_stop() {
    let collector = OtlpReceiver::start(ReceiverMode::Dead).await.unwrap();
    let telling = Telling { otlp_endpoint: Some(collector.endpoint()), ..Telling::default() };
    let mut pool = pool().await;
    let rig = Rig::with(Some(&pool.url()), &telling).await;
    rig.wait_for(|status| totals(status).accepted >= 20).await;
    let stop = tokio::time::timeout(Duration::from_secs(20), rig.finish());
    stop.await.expect("the stop does not wait for the collector");
    pool.stop().await.unwrap();
    collector.stop().await;
}

/// Keeps a second subscriber alive, so that spans are not judged unwanted for everybody by the first thread that asks.
#[tokio::test]
async fn telemetry_of_one_service_does_not_speak_for_another() {
    let settings = |service| TelemetrySettings {
        service,
        instance: String::new(),
        log: "off".into(),
        otlp_endpoint: None,
        frequent_spans: &[],
    };
    let (one, other) =
        (Telemetry::new(&settings("one"), None).unwrap(), Telemetry::new(&settings("other"), None).unwrap());
    let trace_id = tracing::dispatcher::with_default(&one.dispatch(), || {
        let span = tracing::info_span!(target: "mujina_test", "work.done");
        mujina_proto::trace::trace_id(&span).unwrap()
    });
    assert_eq!(one.spans().of_trace(&trace_id).len(), 1);
    assert!(other.spans().of_trace(&trace_id).is_empty());
}
