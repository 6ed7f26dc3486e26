//! A service of ours in this process, as if it were one of its own: a thread, a runtime and a telemetry to itself, so that
//! log lines and spans say whose they are, and it can be stopped without the others.

use mujina_proto::trace::{SpanRing, Telemetry, TelemetryError, TelemetrySettings, telemetry::ExtraLayer};
use std::{fmt::Display, future::Future, io, thread, time::Duration};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tracing::dispatcher;

/// How long a service may take to come up, or to stop, on a busy machine.
const DEADLINE: Duration = Duration::from_secs(60);

/// What the body of a service is given.
#[derive(Debug)]
pub struct Surroundings<R> {
    /// Spans of the service.
    pub spans: SpanRing,
    /// To say that it is up.
    pub ready: oneshot::Sender<R>,
    /// Ends it.
    pub cancel: CancellationToken,
}

/// Why a service is not there.
#[derive(Debug, thiserror::Error)]
pub enum PlaneError {
    /// Its telemetry cannot be set up.
    #[error(transparent)]
    Telemetry(#[from] TelemetryError),
    /// No thread or runtime for it.
    #[error("cannot start the thread of a service")]
    Thread(#[from] io::Error),
    /// It ended with an error.
    #[error("the service failed: {0}")]
    Failed(String),
    /// It panicked.
    #[error("the service panicked")]
    Panicked,
    /// It did not come up, or did not stop, in time.
    #[error("the service did not {0} within {DEADLINE:?}")]
    Late(&'static str),
}

/// A hosted service. Dropping it asks the service to stop without waiting for it.
#[derive(Debug)]
pub struct Plane {
    cancel: CancellationToken,
    spans: SpanRing,
    ended: Option<oneshot::Receiver<Result<(), PlaneError>>>,
}

impl Plane {
    /// Starts a service and waits until it says that it is up.
    ///
    /// # Errors
    /// Why it did not come up.
    pub async fn start<R, F, Fut, E>(
        telemetry: TelemetrySettings,
        extra: Option<ExtraLayer>,
        body: F,
    ) -> Result<(Self, R), PlaneError>
    where
        R: Send + 'static,
        F: FnOnce(Surroundings<R>) -> Fut + Send + 'static,
        Fut: Future<Output = Result<(), E>>,
        E: Display,
    {
        let telemetry_of_it = Telemetry::new(&telemetry, extra)?;
        let (cancel, spans) = (CancellationToken::new(), telemetry_of_it.spans());
        let (ready, is_ready) = oneshot::channel();
        let (end, ended) = oneshot::channel();
        let surroundings = Surroundings { spans: spans.clone(), ready, cancel: cancel.clone() };
        let thread = move || {
            let result = run(&telemetry_of_it, || body(surroundings));
            telemetry_of_it.shut_down(Duration::from_secs(1));
            // Nobody may be waiting.
            let _ = end.send(result);
        };
        thread::Builder::new().name(telemetry.service.into()).spawn(thread)?;
        let mut plane = Self { cancel, spans, ended: Some(ended) };
        match tokio::time::timeout(DEADLINE, is_ready).await {
            Ok(Ok(ready)) => Ok((plane, ready)),
            Ok(Err(_)) => Err(plane.wait().await.err().unwrap_or(PlaneError::Failed("it ended at once".into()))),
            Err(_) => Err(PlaneError::Late("come up")),
        }
    }

    /// Spans that it remembers.
    #[must_use]
    pub fn spans(&self) -> SpanRing {
        self.spans.clone()
    }

    /// Asks it to stop, and waits until it has.
    ///
    /// # Errors
    /// It failed, or does not stop.
    pub async fn stop(mut self) -> Result<(), PlaneError> {
        self.cancel.cancel();
        self.wait().await
    }

    /// Waits until it has ended.
    async fn wait(&mut self) -> Result<(), PlaneError> {
        let Some(ended) = self.ended.take() else { return Ok(()) };
        match tokio::time::timeout(DEADLINE, ended).await {
            Ok(result) => result.unwrap_or(Err(PlaneError::Panicked)),
            Err(_) => Err(PlaneError::Late("stop")),
        }
    }
}

impl Drop for Plane {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

fn run<Fut, E>(telemetry: &Telemetry, body: impl FnOnce() -> Fut) -> Result<(), PlaneError>
where
    Fut: Future<Output = Result<(), E>>,
    E: Display,
{
    let dispatch = telemetry.dispatch();
    let _subscriber = dispatcher::set_default(&dispatch);
    // Blocking work runs on threads of the runtime's own: they must speak for the same service.
    let inherit = move || std::mem::forget(dispatcher::set_default(&dispatch));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().on_thread_start(inherit).build()?;
    let result = runtime.block_on(async { body().await });
    runtime.shutdown_timeout(Duration::from_secs(5));
    result.map_err(|error| PlaneError::Failed(error.to_string()))
}
