use super::{SpanRing, Telemetry, TelemetrySettings};
use crate::{
    dataplane::v1::{
        ListSpansRequest, ListSpansResponse,
        diagnostics_service_client::DiagnosticsServiceClient,
        diagnostics_service_server::{DiagnosticsService, DiagnosticsServiceServer},
    },
    dial,
    serve::{ListenOn, Listeners, standard_routes},
};
use std::{thread, time::Duration};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};
use tracing::{Instrument, dispatcher, info_span};

struct Diagnostics(SpanRing);

#[tonic::async_trait]
impl DiagnosticsService for Diagnostics {
    async fn list_spans(&self, request: Request<ListSpansRequest>) -> Result<Response<ListSpansResponse>, Status> {
        let _work = info_span!("work.done").entered();
        Ok(Response::new(ListSpansResponse { spans: self.0.of_trace(&request.into_inner().trace_id) }))
    }
}

fn telemetry(service: &'static str) -> Telemetry {
    let settings = TelemetrySettings {
        service,
        instance: String::new(),
        log: "off".into(),
        otlp_endpoint: None,
        frequent_spans: &[],
    };
    Telemetry::new(&settings, None).unwrap()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// A process of its own, as far as tracing goes: a thread with its own subscriber.
fn serve(address: oneshot::Sender<dial::Address>, cancel: CancellationToken) {
    let telemetry = telemetry("server");
    let _subscriber = dispatcher::set_default(&telemetry.dispatch());
    runtime().block_on(async {
        let on = ListenOn { tcp: Some(([127, 0, 0, 1], 0).into()), ..ListenOn::default() };
        let listeners = Listeners::bind(&on).await.unwrap();
        address.send(listeners.addresses().remove(0)).unwrap();
        let (mut routes, _health) = standard_routes();
        routes.add_service(DiagnosticsServiceServer::new(Diagnostics(telemetry.spans())));
        listeners.serve(routes.routes(), cancel).await.unwrap();
    });
}

#[test]
fn one_trace_runs_from_the_caller_through_the_server() {
    let cancel = CancellationToken::new();
    let (tell, address) = oneshot::channel();
    let stop = cancel.clone();
    let server = thread::spawn(move || serve(tell, stop));
    let telemetry = telemetry("client");
    let _subscriber = dispatcher::set_default(&telemetry.dispatch());
    runtime().block_on(async {
        let channel = dial::dial(&address.await.unwrap(), Duration::from_secs(10)).await.unwrap();
        let mut client = DiagnosticsServiceClient::new(channel);
        let span = info_span!("command.run");
        let trace_id = super::trace_id(&span).unwrap();
        let ask = |trace_id: String| ListSpansRequest { trace_id };
        client.list_spans(ask(trace_id.clone())).instrument(span).await.unwrap();
        // The server's span of the first call is over by the time the second is answered.
        let theirs = client.list_spans(ask(trace_id.clone())).await.unwrap().into_inner().spans;
        let ours = telemetry.spans().of_trace(&trace_id);
        let method = "mujina.dataplane.v1.DiagnosticsService/ListSpans";
        assert_eq!(ours.iter().map(|span| span.name.as_str()).collect::<Vec<_>>(), ["command.run", method]);
        assert_eq!(theirs.iter().map(|span| span.name.as_str()).collect::<Vec<_>>(), [method, "work.done"]);
        assert_eq!(theirs[0].parent_span_id, ours[1].span_id);
        assert_eq!((theirs[0].service.as_str(), ours[0].service.as_str()), ("server", "client"));
    });
    cancel.cancel();
    server.join().unwrap();
}

#[test]
fn bad_log_filter_is_refused_with_its_text() {
    let settings = TelemetrySettings {
        service: "test",
        instance: String::new(),
        log: "mujina=loud".into(),
        otlp_endpoint: None,
        frequent_spans: &[],
    };
    let error = Telemetry::new(&settings, None).unwrap_err().to_string();
    assert!(error.contains("mujina=loud"), "{error}");
}
