//! Programs of others, run in this process on a thread, runtime and log of their own: what they warn of is not what a test
//! of ours warns of.

use std::{
    fmt::{Debug, Write as _},
    future::Future,
    io, thread,
    time::Duration,
};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tracing::{
    Dispatch, Event,
    field::{Field, Visit},
};

/// A program that runs. Cancel it, then wait for its end.
pub(crate) struct Foreign {
    pub(crate) cancel: CancellationToken,
    /// What its body returned; an error when it panicked.
    pub(crate) ended: oneshot::Receiver<String>,
    pub(crate) thread: thread::JoinHandle<()>,
}

impl Foreign {
    /// Runs `body` until it returns; it is told by the token when it should.
    pub(crate) fn start<F: Future<Output = String>>(
        name: &str,
        threads: usize,
        log: Dispatch,
        body: impl FnOnce(CancellationToken) -> F + Send + 'static,
    ) -> io::Result<Self> {
        let cancel = CancellationToken::new();
        let (end, ended) = oneshot::channel();
        let of_workers = log.clone();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(threads)
            .on_thread_start(move || std::mem::forget(tracing::dispatcher::set_default(&of_workers)))
            .enable_all()
            .build()?;
        let stop = cancel.clone();
        let thread = thread::Builder::new().name(name.into()).spawn(move || {
            tracing::dispatcher::with_default(&log, || {
                let reason = runtime.block_on(body(stop));
                // Whatever it left behind ends here, before anybody hears that it ended.
                runtime.shutdown_timeout(Duration::from_secs(2));
                // Nobody listens any more after a drop.
                let _ = end.send(reason);
            });
        })?;
        Ok(Self { cancel, ended, thread })
    }
}

/// An event of a foreign log as text.
#[derive(Default)]
pub(crate) struct LogLine {
    pub(crate) message: String,
    /// ` name=value` for each.
    pub(crate) fields: String,
}

impl LogLine {
    pub(crate) fn of(event: &Event<'_>) -> Self {
        let mut line = Self::default();
        event.record(&mut line);
        line
    }
}

impl Visit for LogLine {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        // Writing to a string does not fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}
