//! Ends answers whose reader may no longer read them; a watch would go on until its reader leaves.
//!
//! ```text
//! store ──(every 2 s, while anybody reads)──▶ Rights: bindings, tokens that count ──▶ every answer under way: goes on?
//! ```
//!
//! One look at the store serves all answers, and none of them heeds what was read before its call was let in. Certificates
//! are watched by their connections (`door.rs`).

use super::decide;
use crate::{
    access::{Binding, Caller, Method, Needs, Subject},
    registry::Registry,
    selector::Labels,
    store::{Store, StoreError},
};
use mujina_core::id::MinerName;
use mujina_proto::failure::Failure;
use std::{
    collections::HashSet,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tonic::Code;
use tracing::{info, warn};

/// How often the store is asked: answers shall end within 5 s, and bindings may be known for one already.
const POLL: Duration = Duration::from_secs(2);

/// What is known of everybody's rights. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Rights {
    /// `None` until it was read for the first time.
    known: Arc<watch::Sender<Option<Known>>>,
    store: Store,
}

/// As the store was.
#[derive(Debug, Clone)]
struct Known {
    /// Nothing here is older.
    read_at: Instant,
    bindings: Arc<[Binding]>,
    /// The ids of those that count.
    tokens: Arc<HashSet<String>>,
}

impl Rights {
    pub(super) fn new(store: Store) -> Self {
        Self { known: Arc::new(watch::Sender::new(None)), store }
    }

    /// Looks again and again, for as long as there is anybody to tell, until `cancel`.
    pub(crate) async fn run(self, cancel: CancellationToken) {
        let mut ticks = tokio::time::interval(POLL);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut is_failing = false;
        while cancel.run_until_cancelled(ticks.tick()).await.is_some() {
            if self.known.receiver_count() == 0 {
                continue;
            }
            match self.read().await {
                Ok(known) => {
                    is_failing = false;
                    self.known.send_replace(Some(known));
                }
                Err(error) if !is_failing => {
                    is_failing = true;
                    warn!(error = &error as &dyn std::error::Error, "rights cannot be read; open streams go on");
                }
                Err(_) => {}
            }
        }
    }

    async fn read(&self) -> Result<Known, StoreError> {
        let read_at = Instant::now();
        let bindings = self.store.bindings().await?;
        let tokens = Arc::new(self.store.living_tokens(SystemTime::now()).await?);
        Ok(Known { read_at, bindings, tokens })
    }

    /// Waits until the reader must be shown out, and says why.
    pub(super) fn ended(&self, reader: Reader) -> impl Future<Output = Failure> + Send + 'static {
        let mut known = self.known.subscribe();
        async move {
            // The other end goes with the listeners: then nobody waits for this.
            while known.changed().await.is_ok() {
                let end = known.borrow_and_update().as_ref().and_then(|known| reader.end(known));
                if let Some(failure) = end {
                    let Reader { caller, row, .. } = &reader;
                    info!(who = caller.person(), origin = caller.origin(), method = row.name, %failure, "stream ended");
                    return failure;
                }
            }
            std::future::pending().await
        }
    }
}

/// Whoever reads an answer.
#[derive(Debug)]
pub(super) struct Reader {
    /// With the bindings that let it in.
    pub(super) caller: Caller,
    pub(super) row: &'static Method,
    /// The miner that a relayed call is for.
    pub(super) miner: Option<MinerName>,
    pub(super) registry: Registry,
    /// When its rights had been read.
    pub(super) since: Instant,
}

impl Reader {
    /// Whether its rights can end at all.
    pub(super) fn is_watched(&self) -> bool {
        let needs_some = !matches!(self.row.needs, Needs::Nothing | Needs::Proof | Needs::Miner);
        needs_some && self.caller.subject().is_some_and(|subject| !subject.is_owner())
    }

    fn end(&self, known: &Known) -> Option<Failure> {
        let labels = self.miner.as_ref().and_then(|name| Some(self.registry.get(name)?.labels()));
        (known.read_at >= self.since).then(|| end(&self.caller, self.row, known, labels.as_deref())).flatten()
    }
}

/// Why an answer ends, if it does. Pure.
fn end(caller: &Caller, row: &'static Method, known: &Known, labels: Option<&Labels>) -> Option<Failure> {
    let subject = caller.subject()?;
    if let Subject::Token { id, .. } = subject
        && !known.tokens.contains(id)
    {
        let message = "the token was revoked or has expired; ask an admin for a new one";
        return Some(Failure::new(Code::Unauthenticated, "UNAUTHENTICATED", message));
    }
    let now = caller.with_bindings(known.bindings.clone());
    if let Err(denied) = decide(&now, row, labels) {
        return Some(denied.into());
    }
    let theirs = |of: &[Binding]| -> Vec<Binding> {
        of.iter().filter(|binding| binding.subject.is_for(subject)).cloned().collect()
    };
    (theirs(caller.bindings()) != theirs(&known.bindings)).then(|| {
        let message = "what you may see has changed; begin the stream again";
        Failure::new(Code::Unavailable, "ACCESS_CHANGED", message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{Role, methods::method};

    const WATCH: &str = "mujina.control.v1.MinerRegistryService/WatchMiners";
    const RELAYED: &str = "mujina.dataplane.v1.MinerService/WatchMiner";

    fn binding(role: Role, selector: &str) -> Binding {
        let subject = "operator:ci".parse().unwrap();
        Binding { id: format!("{role} {selector}"), subject, role, selector: selector.parse().unwrap() }
    }

    fn other() -> Binding {
        Binding { subject: "operator:eve".parse().unwrap(), id: "other".into(), ..binding(Role::Admin, "") }
    }

    fn known(bindings: Vec<Binding>) -> Known {
        Known { read_at: Instant::now(), bindings: bindings.into(), tokens: Arc::new(HashSet::from(["t1".into()])) }
    }

    /// The reason and code of the end of a stream that was let in by `before`.
    fn ended(name: &str, token: &str, before: Vec<Binding>, now: Vec<Binding>, site: &str) -> Option<(Code, String)> {
        let subject = Subject::Token { operator: "ci".into(), id: token.into() };
        let row = method(name).unwrap();
        let caller = Caller::new(subject, "unix".into(), row, before.into());
        let labels = Labels::from([("site".to_owned(), site.to_owned())]);
        let labels = (name == RELAYED).then_some(&labels);
        end(&caller, row, &known(now), labels).map(|failure| (failure.code, failure.reason))
    }

    #[test]
    fn answer_goes_on_while_nothing_changes_for_its_reader() {
        let viewer = || vec![binding(Role::Viewer, "site=a")];
        assert_eq!(ended(WATCH, "t1", viewer(), viewer(), "a"), None);
        assert_eq!(ended(WATCH, "t1", viewer(), vec![other(), binding(Role::Viewer, "site=a")], "a"), None);
        assert_eq!(ended(RELAYED, "t1", viewer(), viewer(), "a"), None);
    }

    #[test]
    fn answer_ends_with_its_token_its_binding_or_the_label_that_let_it_in() {
        let viewer = || vec![binding(Role::Viewer, "site=a")];
        let denied = Some((Code::PermissionDenied, "PERMISSION_DENIED".to_owned()));
        let unknown = Some((Code::Unauthenticated, "UNAUTHENTICATED".to_owned()));
        assert_eq!(ended(WATCH, "t2", viewer(), viewer(), "a"), unknown);
        assert_eq!(ended(WATCH, "t1", viewer(), vec![other()], "a"), denied);
        assert_eq!(ended(RELAYED, "t1", viewer(), vec![binding(Role::Viewer, "site=b")], "a"), denied);
        assert_eq!(ended(RELAYED, "t1", viewer(), viewer(), "b"), denied);
    }

    #[test]
    fn reader_that_may_see_other_miners_than_before_is_asked_to_begin_again() {
        let changed = Some((Code::Unavailable, "ACCESS_CHANGED".to_owned()));
        let (wide, narrow) = (|| vec![binding(Role::Viewer, "")], || vec![binding(Role::Viewer, "site=a")]);
        assert_eq!(ended(WATCH, "t1", wide(), narrow(), "a"), changed);
        assert_eq!(ended(WATCH, "t1", narrow(), wide(), "a"), changed);
    }
}
