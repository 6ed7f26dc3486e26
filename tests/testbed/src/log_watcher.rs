//! Fails a test on every WARN or ERROR that it did not announce.
//!
//! One watcher per plane: each plane runs on a thread with a dispatch of its own, and the watcher is a layer of it.
//!
//! ```
//! # use mujina_testbed::log_watcher::LogWatcher;
//! let watcher = LogWatcher::new("miner");
//! watcher.expect_warn("pool.connect", "refused");
//! tracing::dispatcher::with_default(&watcher.dispatch(), || {
//!     let _span = tracing::info_span!("pool.connect").entered();
//!     tracing::warn!(reason = "refused", "pool is not reachable");
//! });
//! watcher.finish();
//! ```

use crate::PATIENCE;
use std::{
    collections::VecDeque,
    fmt::{self, Debug, Write as _},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
};
use tokio::{sync::watch, time::timeout};
use tracing::{
    Dispatch, Event, Level, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    Registry,
    layer::{Context, Layer, SubscriberExt},
    registry::{LookupSpan, Scope},
};

/// INFO lines that are kept.
const INFOS: usize = 4096;

/// A line of the log, from INFO up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRecord {
    /// INFO, WARN or ERROR.
    pub level: Level,
    /// Usually the module.
    pub target: String,
    /// Names of the spans it happened in, outermost first.
    pub spans: Vec<String>,
    /// The message, then ` name=value` for each field.
    pub text: String,
}

impl LogRecord {
    fn is_at(&self, place: &str) -> bool {
        self.target.starts_with(place) || self.spans.iter().any(|span| span == place)
    }
}

impl fmt::Display for LogRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} [{}] {}", self.level, self.target, self.spans.join(" > "), self.text)
    }
}

struct Announcement {
    level: Level,
    place: String,
    text: String,
    must_come: bool,
    came: usize,
}

impl Announcement {
    fn covers(&self, record: &LogRecord) -> bool {
        record.level == self.level && record.is_at(&self.place) && record.text.contains(&self.text)
    }
}

#[derive(Default)]
struct State {
    announced: Vec<Announcement>,
    records: Vec<LogRecord>,
    unannounced: Vec<LogRecord>,
    /// Nothing is wrong with these; the newest are kept for those who want to see one.
    infos: VecDeque<LogRecord>,
}

impl State {
    fn record(&mut self, record: LogRecord) {
        if record.level == Level::INFO {
            if self.infos.len() >= INFOS {
                self.infos.pop_front();
            }
            return self.infos.push_back(record);
        }
        let covering: Vec<_> = self.announced.iter_mut().filter(|announced| announced.covers(&record)).collect();
        if covering.is_empty() {
            self.unannounced.push(record.clone());
        }
        covering.into_iter().for_each(|announced| announced.came += 1);
        self.records.push(record);
    }

    /// What is not as announced, one line each.
    fn complaints(&self) -> Vec<String> {
        let missing = self.announced.iter().filter(|announced| announced.must_come && announced.came == 0);
        let missing = missing.map(|announced| {
            format!("announced but did not come: {} at `{}`: `{}`", announced.level, announced.place, announced.text)
        });
        self.unannounced.iter().map(|record| format!("not announced: {record}")).chain(missing).collect()
    }
}

/// Knows what the log of one plane may say. Checks when finished or dropped.
pub struct LogWatcher {
    plane: &'static str,
    shared: Arc<Shared>,
    is_finished: bool,
}

struct Shared {
    state: Mutex<State>,
    /// Counts records, to wake those who wait.
    news: watch::Sender<usize>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LogWatcher {
    /// Of a plane called so in messages.
    #[must_use]
    pub fn new(plane: &'static str) -> Self {
        let shared = Arc::new(Shared { state: Mutex::default(), news: watch::channel(0).0 });
        Self { plane, shared, is_finished: false }
    }

    /// To be put among the layers of the plane's dispatch.
    #[must_use]
    pub fn layer(&self) -> WatchLayer {
        WatchLayer(Arc::clone(&self.shared))
    }

    /// A dispatch that does nothing but watch.
    #[must_use]
    pub fn dispatch(&self) -> Dispatch {
        Dispatch::new(Registry::default().with(self.layer()))
    }

    /// From now on a WARN is right whose target begins with `place`, or which is in a span of that name, and whose message
    /// or fields contain `text`. It must come at least once.
    pub fn expect_warn(&self, place: &str, text: &str) {
        self.announce(Level::WARN, place, text, true);
    }

    /// As [`LogWatcher::expect_warn`], for an ERROR.
    pub fn expect_error(&self, place: &str, text: &str) {
        self.announce(Level::ERROR, place, text, true);
    }

    /// As [`LogWatcher::expect_warn`], but it need not come.
    pub fn allow_warn(&self, place: &str, text: &str) {
        self.announce(Level::WARN, place, text, false);
    }

    /// As [`LogWatcher::allow_warn`], for an ERROR.
    pub fn allow_error(&self, place: &str, text: &str) {
        self.announce(Level::ERROR, place, text, false);
    }

    /// WARN and ERROR that there were, announced or not.
    #[must_use]
    pub fn records(&self) -> Vec<LogRecord> {
        self.shared.state().records.clone()
    }

    /// Waits until such a WARN or ERROR has come, be it before the call.
    ///
    /// # Panics
    /// When none comes.
    pub async fn wait_for(&self, place: &str, text: &str) -> LogRecord {
        self.wait(place, text, |state| state.records.iter().collect()).await
    }

    /// As [`LogWatcher::wait_for`], for an INFO.
    ///
    /// # Panics
    /// When none comes.
    pub async fn wait_for_info(&self, place: &str, text: &str) -> LogRecord {
        self.wait(place, text, |state| state.infos.iter().collect()).await
    }

    async fn wait(&self, place: &str, text: &str, among: impl Fn(&State) -> Vec<&LogRecord>) -> LogRecord {
        let mut news = self.shared.news.subscribe();
        let come = async {
            loop {
                news.borrow_and_update();
                let found = |record: &&LogRecord| record.is_at(place) && record.text.contains(text);
                let found = among(&self.shared.state()).into_iter().find(found).cloned();
                match found {
                    Some(found) => return found,
                    // The sender lives in `self`.
                    None => news.changed().await.expect("the sender lives"),
                }
            }
        };
        let come = timeout(PATIENCE, come).await;
        come.unwrap_or_else(|_| {
            panic!("{}: no `{text}` at `{place}` among {:#?}", self.plane, among(&self.shared.state()))
        })
    }

    /// Checks now.
    ///
    /// # Panics
    /// When something came that was not announced, or did not come that was.
    pub fn finish(mut self) {
        self.is_finished = true;
        let complaints = self.shared.state().complaints();
        assert!(complaints.is_empty(), "log of {}:\n{}", self.plane, complaints.join("\n"));
    }

    fn announce(&self, level: Level, place: &str, text: &str, must_come: bool) {
        let announcement = Announcement { level, place: place.into(), text: text.into(), must_come, came: 0 };
        self.shared.state().announced.push(announcement);
    }
}

impl Drop for LogWatcher {
    fn drop(&mut self) {
        // A test that fails already has said why.
        if !self.is_finished && !thread::panicking() {
            let complaints = self.shared.state().complaints();
            assert!(complaints.is_empty(), "log of {}:\n{}", self.plane, complaints.join("\n"));
        }
    }
}

/// Hears the log of a plane for its [`LogWatcher`].
pub struct WatchLayer(Arc<Shared>);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for WatchLayer {
    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let level = *event.metadata().level();
        if level > Level::INFO {
            return;
        }
        let spans = context.event_scope(event).into_iter().flat_map(Scope::from_root);
        let spans = spans.map(|span| span.name().to_owned()).collect();
        let mut text = Text::default();
        event.record(&mut text);
        let target = event.metadata().target().to_owned();
        let record = LogRecord { level, target, spans, text: format!("{}{}", text.message, text.fields) };
        self.0.state().record(record);
        self.0.news.send_modify(|count| *count += 1);
    }
}

#[derive(Default)]
struct Text {
    message: String,
    fields: String,
}

impl Visit for Text {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        // Writing to a string does not fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use tracing::{dispatcher::with_default, error, info, info_span, warn};

    #[test]
    fn announced_warnings_pass_and_info_is_not_looked_at() {
        let watcher = LogWatcher::new("miner");
        watcher.expect_warn("pool.connect", "reason=refused");
        watcher.allow_warn("mujina_testbed::log_watcher", "never");
        with_default(&watcher.dispatch(), || {
            let _outer = info_span!("pool.connect").entered();
            let _inner = info_span!("tcp").entered();
            warn!(reason = "refused", "pool is not reachable");
            info!("nothing to see");
        });
        assert_eq!(watcher.records().len(), 1);
        assert_eq!(watcher.shared.state().infos[0].text, "nothing to see");
        watcher.finish();
    }

    #[test]
    fn unannounced_error_fails_when_the_watcher_is_dropped() {
        let failed = catch_unwind(|| {
            let watcher = LogWatcher::new("miner");
            watcher.expect_warn("mujina_testbed", "disk is full");
            with_default(&watcher.dispatch(), || {
                warn!("disk is full");
                error!("disk is full");
            });
        });
        let message = failed.expect_err("an ERROR is no WARN");
        let message = message.downcast_ref::<String>().unwrap();
        assert!(message.contains("log of miner") && message.contains("not announced: ERROR"), "{message}");
        assert!(!message.contains("WARN"), "{message}");
    }

    #[test]
    fn announcement_that_does_not_come_true_fails() {
        let watcher = LogWatcher::new("control");
        watcher.expect_warn("store", "locked");
        let failed = catch_unwind(AssertUnwindSafe(|| watcher.finish()));
        assert!(failed.unwrap_err().downcast_ref::<String>().unwrap().contains("did not come"));
    }

    #[tokio::test]
    async fn wait_ends_when_another_thread_warns() {
        let watcher = LogWatcher::new("miner");
        watcher.expect_warn("mujina_testbed", "late");
        let dispatch = watcher.dispatch();
        let plane = thread::spawn(move || with_default(&dispatch, || warn!("a late word")));
        assert_eq!(watcher.wait_for("mujina_testbed", "late").await.text, "a late word");
        plane.join().unwrap();
    }
}
