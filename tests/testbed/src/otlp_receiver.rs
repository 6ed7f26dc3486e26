//! A collector that keeps the spans it is sent, and that can be slow or dead when a test wants to see that nobody minds.
//!
//! Speaks OTLP over gRPC, traces only.

use crate::PATIENCE;
use opentelemetry_proto::tonic::{
    collector::trace::v1::{
        ExportTraceServiceRequest, ExportTraceServiceResponse,
        trace_service_server::{TraceService, TraceServiceServer},
    },
    common::v1::{AnyValue, KeyValue, any_value::Value},
    trace::v1::{Span, status::StatusCode},
};
use std::{
    collections::BTreeMap,
    io,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};
use tokio::{
    net::TcpListener,
    sync::watch,
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_stream::wrappers::TcpListenerStream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, transport::Server};

/// Spans kept; more are refused, which no test needs.
const KEPT: usize = 200_000;

/// How it treats those who send.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReceiverMode {
    /// Answers at once.
    #[default]
    Normal,
    /// Keeps the spans, and answers after this long.
    Slow(Duration),
    /// Takes the request and never answers.
    Dead,
}

/// A span as it arrived. Ids are lower-case hex.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivedSpan {
    /// `service.name` of its process.
    pub service: String,
    /// Its name.
    pub name: String,
    /// Its trace.
    pub trace_id: String,
    /// Its own id.
    pub span_id: String,
    /// Empty at the root of a trace.
    pub parent_span_id: String,
    /// Nanoseconds since 1970.
    pub start: u64,
    /// Nanoseconds since 1970.
    pub end: u64,
    /// Values as text.
    pub attributes: BTreeMap<String, String>,
    /// Trace and span id of each.
    pub links: Vec<(String, String)>,
    /// Whether its status is an error.
    pub failed: bool,
}

/// A running collector. It ends with [`OtlpReceiver::stop`], or at once when dropped.
pub struct OtlpReceiver {
    address: SocketAddr,
    mode: watch::Sender<ReceiverMode>,
    spans: watch::Sender<Vec<ReceivedSpan>>,
    cancel: CancellationToken,
    tasks: JoinSet<Result<(), tonic::transport::Error>>,
}

impl OtlpReceiver {
    /// Listens on a free loopback port, on the current runtime.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start(mode: ReceiverMode) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (mode, spans) = (watch::channel(mode).0, watch::channel(Vec::new()).0);
        let cancel = CancellationToken::new();
        let service = Collector { mode: mode.subscribe(), spans: spans.clone(), cancel: cancel.clone() };
        let server = Server::builder().add_service(TraceServiceServer::new(service));
        let mut tasks = JoinSet::new();
        tasks.spawn(
            server.serve_with_incoming_shutdown(TcpListenerStream::new(listener), cancel.clone().cancelled_owned()),
        );
        Ok(Self { address, mode, spans, cancel, tasks })
    }

    /// For `OTEL_EXPORTER_OTLP_ENDPOINT`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Treats requests so from now on, also those that wait.
    pub fn set_mode(&self, mode: ReceiverMode) {
        self.mode.send_replace(mode);
    }

    /// All that arrived, in that order.
    #[must_use]
    pub fn spans(&self) -> Vec<ReceivedSpan> {
        self.spans.borrow().clone()
    }

    /// Waits until `find` finds what it looks for in all that arrived.
    ///
    /// # Errors
    /// With all that arrived when it does not.
    pub async fn wait_for<T>(
        &self,
        mut find: impl FnMut(&[ReceivedSpan]) -> Option<T>,
    ) -> Result<T, Vec<ReceivedSpan>> {
        let mut spans = self.spans.subscribe();
        let come = async {
            loop {
                if let Some(found) = find(&spans.borrow_and_update()) {
                    return found;
                }
                spans.changed().await.expect("the sender lives in self");
            }
        };
        timeout(PATIENCE, come).await.map_err(|_| self.spans())
    }

    /// Closes all connections and waits until its task is gone.
    pub async fn stop(mut self) {
        self.cancel.cancel();
        // Those who keep a connection open without a word are cut.
        let _ = timeout(Duration::from_secs(2), self.tasks.join_next()).await;
        self.tasks.shutdown().await;
    }
}

impl Drop for OtlpReceiver {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

struct Collector {
    mode: watch::Receiver<ReceiverMode>,
    spans: watch::Sender<Vec<ReceivedSpan>>,
    cancel: CancellationToken,
}

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let mut mode = self.mode.clone();
        let mode = tokio::select! {
            () = self.cancel.cancelled() => return Err(Status::unavailable("collector stops; try another")),
            alive = mode.wait_for(|mode| *mode != ReceiverMode::Dead) => alive.map(|mode| *mode).unwrap_or_default(),
        };
        let received = received(request.into_inner());
        let mut is_full = false;
        self.spans.send_modify(|spans| {
            is_full = spans.len() + received.len() > KEPT;
            spans.extend(received.into_iter().filter(|_| !is_full));
        });
        if is_full {
            return Err(Status::resource_exhausted("collector is full; send less"));
        }
        if let ReceiverMode::Slow(delay) = mode {
            tokio::select! {
                () = self.cancel.cancelled() => {}
                () = sleep(delay) => {}
            }
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

fn received(request: ExportTraceServiceRequest) -> Vec<ReceivedSpan> {
    let of_process = |process: opentelemetry_proto::tonic::trace::v1::ResourceSpans| {
        let attributes = texts(process.resource.unwrap_or_default().attributes);
        let service = attributes.get("service.name").cloned().unwrap_or_default();
        let spans = process.scope_spans.into_iter().flat_map(|scope| scope.spans);
        spans.map(move |span| received_span(service.clone(), span))
    };
    request.resource_spans.into_iter().flat_map(of_process).collect()
}

fn received_span(service: String, span: Span) -> ReceivedSpan {
    ReceivedSpan {
        service,
        name: span.name,
        trace_id: hex(&span.trace_id),
        span_id: hex(&span.span_id),
        parent_span_id: hex(&span.parent_span_id),
        start: span.start_time_unix_nano,
        end: span.end_time_unix_nano,
        attributes: texts(span.attributes),
        links: span.links.iter().map(|link| (hex(&link.trace_id), hex(&link.span_id))).collect(),
        failed: span.status.is_some_and(|status| status.code() == StatusCode::Error),
    }
}

fn texts(attributes: Vec<KeyValue>) -> BTreeMap<String, String> {
    attributes.into_iter().map(|attribute| (attribute.key, text(attribute.value))).collect()
}

fn text(value: Option<AnyValue>) -> String {
    match value.and_then(|value| value.value) {
        Some(Value::StringValue(text)) => text,
        Some(Value::BoolValue(value)) => value.to_string(),
        Some(Value::IntValue(value)) => value.to_string(),
        Some(Value::DoubleValue(value)) => value.to_string(),
        Some(other) => format!("{other:?}"),
        None => String::new(),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
