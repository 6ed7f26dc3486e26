use super::*;
use opentelemetry_proto::tonic::{
    collector::trace::v1::trace_service_client::TraceServiceClient,
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Status as SpanStatus},
};
use tonic::transport::Channel;

async fn client(receiver: &OtlpReceiver) -> TraceServiceClient<Channel> {
    TraceServiceClient::connect(receiver.endpoint()).await.unwrap()
}

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.into(), value: Some(AnyValue { value: Some(value) }), ..Default::default() }
}

fn request(service: &str, name: &str) -> ExportTraceServiceRequest {
    let span = Span {
        name: name.into(),
        trace_id: vec![0xab; 16],
        span_id: vec![1; 8],
        attributes: vec![attribute("pool.attempt", Value::IntValue(3))],
        status: Some(SpanStatus { code: StatusCode::Error.into(), message: "refused".into() }),
        ..Default::default()
    };
    let resource = Resource {
        attributes: vec![attribute("service.name", Value::StringValue(service.into()))],
        ..Default::default()
    };
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(resource),
            scope_spans: vec![ScopeSpans { spans: vec![span], ..Default::default() }],
            ..Default::default()
        }],
    }
}

#[tokio::test]
async fn exported_span_arrives_with_its_service_and_attributes() {
    let receiver = OtlpReceiver::start(ReceiverMode::Normal).await.unwrap();
    client(&receiver).await.export(request("mujina-dataplane", "pool.connect")).await.unwrap();
    let found = receiver.wait_for(|spans| spans.iter().find(|span| span.name == "pool.connect").cloned()).await;
    let span = found.expect("the span arrived");
    assert_eq!((span.service.as_str(), span.trace_id.as_str()), ("mujina-dataplane", "ab".repeat(16).as_str()));
    assert_eq!((span.parent_span_id.as_str(), span.failed), ("", true));
    assert_eq!(span.attributes.get("pool.attempt").map(String::as_str), Some("3"));
    receiver.stop().await;
}

#[tokio::test]
async fn dead_receiver_never_answers_until_it_is_revived() {
    let receiver = OtlpReceiver::start(ReceiverMode::Dead).await.unwrap();
    let mut client = client(&receiver).await;
    let export = client.export(request("control", "reconcile"));
    tokio::pin!(export);
    assert!(timeout(Duration::from_millis(200), &mut export).await.is_err());
    assert_eq!(receiver.spans(), Vec::new());
    receiver.set_mode(ReceiverMode::Normal);
    timeout(PATIENCE, export).await.unwrap().unwrap();
    assert_eq!(receiver.spans().len(), 1);
}

#[tokio::test]
async fn slow_receiver_answers_late_and_stops_at_once() {
    let receiver = OtlpReceiver::start(ReceiverMode::Slow(Duration::from_secs(3600))).await.unwrap();
    let mut client = client(&receiver).await;
    let export = client.export(request("control", "reconcile"));
    let stopped = async {
        receiver.wait_for(|spans| (!spans.is_empty()).then_some(())).await.expect("the span is kept at once");
        receiver.stop().await;
    };
    let both = async { tokio::join!(export, stopped) };
    let (answer, ()) = timeout(PATIENCE, both).await.expect("nobody waits an hour");
    // Whether the answer still gets out depends on who hears of the stop first.
    drop(answer);
}
