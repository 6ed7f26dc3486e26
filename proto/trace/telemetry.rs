//! Sets up what a process tells of itself: a log for people, spans in memory, and spans for a collector when one is named.
//!
//! Neither a collector nor a reader of the log that is slow or dead delays anything: spans and lines wait in bounded queues,
//! leave from threads of their own, and are dropped when a queue is full.

use super::ring::SpanRing;
use opentelemetry::{KeyValue, trace::TracerProvider};
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::{
    Resource,
    trace::{BatchConfigBuilder, BatchSpanProcessor, SdkTracerProvider},
};
use std::{
    io::{self, IsTerminal},
    sync::mpsc,
    thread,
    time::Duration,
};
use tokio::sync::oneshot;
use tracing::{Dispatch, Level, dispatcher};
use tracing_appender::non_blocking::{NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::{
    EnvFilter, Layer, Registry,
    filter::{ParseError, Targets},
    layer::SubscriberExt,
};

/// Spans that may wait for the collector; more are dropped.
const EXPORT_QUEUE: usize = 2048;
/// Lines that may wait for whoever reads the log; more are dropped.
const LOG_QUEUE: usize = 4096;
/// How long spans wait for company before they are sent.
const EXPORT_DELAY: Duration = Duration::from_secs(1);
/// How long the collector may take to answer.
const EXPORT_DEADLINE: Duration = Duration::from_secs(5);

/// A further listener to what happens, for tests.
pub type ExtraLayer = Box<dyn Layer<Registry> + Send + Sync>;

/// What a process wants told.
#[derive(Debug, Clone)]
pub struct TelemetrySettings {
    /// Name of the program.
    pub service: &'static str,
    /// Which of several, for the collector; empty = not said.
    pub instance: String,
    /// What goes to the log: `info`, `mujina_dataplane=debug,warn` and the like; `off` for no log.
    pub log: String,
    /// Where the collector listens for OTLP over gRPC; `None` = there is none.
    pub otlp_endpoint: Option<String>,
    /// Names of spans that must not push others out of the memory.
    pub frequent_spans: &'static [&'static str],
}

/// Why nothing can be told.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter is not understood.
    #[error("log filter `{0}` is not understood; use for example `info` or `mujina_dataplane=debug,warn`")]
    Filter(String, #[source] ParseError),
    /// The collector's address is not understood.
    #[error("cannot export spans to {0}; check OTEL_EXPORTER_OTLP_ENDPOINT")]
    Exporter(String, #[source] opentelemetry_otlp::ExporterBuildError),
    /// No thread for the exporter.
    #[error("cannot start the exporter's thread; check the limits of the process")]
    Thread(#[source] io::Error),
}

/// The telemetry of a process, running.
#[derive(Debug)]
pub struct Telemetry {
    dispatch: Dispatch,
    spans: SpanRing,
    provider: SdkTracerProvider,
    /// Keeps the exporter's thread alive.
    export: Option<oneshot::Sender<()>>,
    /// Writes what still waits when it goes, for at most a second.
    log: WorkerGuard,
}

impl Telemetry {
    /// Sets up what `settings` ask for; nothing is installed yet.
    ///
    /// # Errors
    /// See [`TelemetryError`].
    pub fn new(settings: &TelemetrySettings, extra: Option<ExtraLayer>) -> Result<Self, TelemetryError> {
        let TelemetrySettings { service, instance, log, otlp_endpoint, frequent_spans } = settings;
        let filter: EnvFilter = log.parse().map_err(|error| TelemetryError::Filter(log.clone(), error))?;
        let spans = SpanRing::new(service, frequent_spans);
        let resource = Resource::builder()
            .with_service_name(*service)
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .with_attributes((!instance.is_empty()).then(|| KeyValue::new("service.instance.id", instance.clone())))
            .build();
        let builder = SdkTracerProvider::builder().with_resource(resource).with_span_processor(spans.clone());
        let (provider, export) = match otlp_endpoint {
            Some(endpoint) => {
                let (processor, stop) = exporter(endpoint)?;
                (builder.with_span_processor(processor).build(), Some(stop))
            }
            None => (builder.build(), None),
        };
        // Our own spans are traced whatever the log shows.
        let ours = Targets::new().with_target("mujina", Level::INFO);
        let traces = tracing_opentelemetry::layer()
            .with_tracer(provider.tracer("mujina"))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false)
            .with_filter(ours);
        let (writer, log) = log_writer(io::stderr());
        let lines = tracing_subscriber::fmt::layer()
            .compact()
            .with_target(false)
            .with_ansi(io::stderr().is_terminal())
            .with_writer(writer)
            .with_filter(filter);
        let registry = Registry::default().with(extra).with(traces).with(lines);
        Ok(Self { dispatch: Dispatch::new(registry), spans, provider, export, log })
    }

    /// Makes it the telemetry of the whole process.
    pub fn install(&self) {
        // Only a second installation could fail, and the first one stays.
        let _ = dispatcher::set_global_default(self.dispatch.clone());
    }

    /// For threads that have a telemetry of their own.
    #[must_use]
    pub fn dispatch(&self) -> Dispatch {
        self.dispatch.clone()
    }

    /// The newest spans.
    #[must_use]
    pub fn spans(&self) -> SpanRing {
        self.spans.clone()
    }

    /// Sends what still waits, for at most `deadline`. Blocks; the collector's answer is not needed to go on.
    pub fn shut_down(self, deadline: Duration) {
        // A collector that does not answer is its owner's to notice.
        let _ = self.provider.shutdown_with_timeout(deadline);
        drop(self.export);
        drop(self.log);
    }
}

/// A writer that never waits for `target`.
fn log_writer(target: impl io::Write + Send + 'static) -> (NonBlocking, WorkerGuard) {
    NonBlockingBuilder::default().lossy(true).buffered_lines_limit(LOG_QUEUE).thread_name("mujina-log").finish(target)
}

/// The exporter with a thread and a runtime of its own, which runs until the sender is dropped.
fn exporter(endpoint: &str) -> Result<(BatchSpanProcessor, oneshot::Sender<()>), TelemetryError> {
    let (stop, stopped) = oneshot::channel::<()>();
    let (made, making) = mpsc::sync_channel(1);
    let address = endpoint.to_owned();
    let body = move || {
        // What the exporter's own connection logs and traces must not come back to it.
        let _silence = dispatcher::set_default(&Dispatch::none());
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => return drop(made.send(Err(TelemetryError::Thread(error)))),
        };
        runtime.block_on(async {
            let exporter = SpanExporter::builder()
                .with_tonic()
                .with_endpoint(address.clone())
                .with_timeout(EXPORT_DEADLINE)
                .build()
                .map_err(|error| TelemetryError::Exporter(address, error));
            let running = exporter.is_ok();
            if made.send(exporter).is_ok() && running {
                // Ends when the process lets go of it.
                let _ = stopped.await;
            }
        });
    };
    thread::Builder::new().name("mujina-otlp".into()).spawn(body).map_err(TelemetryError::Thread)?;
    let gone = || TelemetryError::Thread(io::Error::other("the thread ended early"));
    let exporter = making.recv().map_err(|_| gone())??;
    let batches =
        BatchConfigBuilder::default().with_max_queue_size(EXPORT_QUEUE).with_scheduled_delay(EXPORT_DELAY).build();
    Ok((BatchSpanProcessor::builder(exporter).with_batch_config(batches).build(), stop))
}

/// Whether a filter text is understood.
///
/// # Errors
/// What is wrong with it.
pub fn check_filter(log: &str) -> Result<(), TelemetryError> {
    log.parse::<EnvFilter>().map(drop).map_err(|error| TelemetryError::Filter(log.into(), error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    /// A terminal that somebody stopped.
    struct Stuck(mpsc::Receiver<()>);

    impl Write for Stuck {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            // Ends when the test does.
            let _ = self.0.recv();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn reader_of_the_log_that_stands_still_stops_nobody() {
        let (free, stuck) = mpsc::channel();
        let (mut writer, guard) = log_writer(Stuck(stuck));
        let lost = writer.error_counter();
        // Would never return if it waited.
        for _ in 0..3 * LOG_QUEUE {
            writer.write_all(b"a line\n").unwrap();
        }
        assert!(lost.dropped_lines() >= LOG_QUEUE, "what does not fit is dropped and counted");
        drop(free);
        drop(guard);
    }
}
