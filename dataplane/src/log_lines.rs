//! What is logged on this thread, for tests: each event as its message and ` name=value` for each field.

use std::fmt::Write;
use tokio::sync::watch;
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
    subscriber::DefaultGuard,
};
use tracing_subscriber::{
    Layer, Registry,
    layer::{Context, SubscriberExt},
};

/// Lines of every level, from the moment on that it was made.
#[derive(Clone, Default)]
pub(crate) struct LogLines(watch::Sender<Vec<String>>);

impl LogLines {
    /// Takes what this thread logs while the guard lives.
    pub(crate) fn take() -> (Self, DefaultGuard) {
        let lines = Self::default();
        let guard = tracing::subscriber::set_default(Registry::default().with(lines.clone()));
        (lines, guard)
    }

    pub(crate) fn all(&self) -> Vec<String> {
        self.0.borrow().clone()
    }

    /// Waits until a line holds this text.
    pub(crate) async fn until(&self, text: &str) {
        let is_said = |lines: &Vec<String>| lines.iter().any(|line| line.contains(text));
        // The sender is here.
        let _ = self.0.subscribe().wait_for(is_said).await;
    }
}

impl<S: Subscriber> Layer<S> for LogLines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut line = Line(String::new());
        event.record(&mut line);
        self.0.send_modify(|lines| lines.push(line.0));
    }
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        let written = match field.name() {
            "message" => write!(self.0, "{value:?} "),
            name => write!(self.0, "{name}={value:?} "),
        };
        written.expect("a string takes everything");
    }
}
