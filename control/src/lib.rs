//! The control plane of Mujina: what operators want of one miner or many, kept and made true.
//!
//! ```text
//!  callers ──▶ api ──▶ spec, operation ──▶ store (SQLite)
//!               │            │ desired states
//!               ▼            ▼
//!             relay      registry: one session per miner ──▶ reconcile/plan ──▶ the miner's API
//!                                  one collector per miner ──▶ statistics ──▶ store
//! ```
//!
//! Nothing here is needed for mining: a miner goes on by its last spec whatever becomes of this process.

pub mod access;
mod api;
pub mod audit;
pub mod config;
mod debt;
mod door;
pub mod event;
pub mod filter;
mod finish;
mod guard;
mod home;
pub mod identity;
pub mod operation;
pub mod profile;
pub mod reconcile;
pub mod registry;
pub mod relay;
pub mod repeat;
pub mod rollout;
pub mod scan;
pub mod selector;
pub mod setup;
pub mod spec;
pub mod statistics;
pub mod store;
pub mod trace;

pub use config::{Config, ConfigError, MinerConfig, TlsConfig};
pub use door::DoorError;
pub use store::StoreError;

use door::Door;
use event::Events;
use guard::Guard;
use home::Homes;
use identity::{Authority, Enrolments};
use mujina_core::id::MinerName;
use mujina_proto::{
    dial::{Address, DialError},
    serve::{ListenOn, Listeners, ServeError},
    trace::SpanRing,
};
use operation::Operations;
use profile::Profiles;
use registry::{Around, Miner, Pacer, Registry, Session};
use rollout::Rollouts;
use spec::Specs;
use statistics::{Collector, Ingest};
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime},
};
use store::Store;
use tokio::{sync::oneshot, task::JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, error, info, warn};

/// How long tasks may take to stop: longer than the listeners give their calls.
const STOP: Duration = Duration::from_secs(5);

/// How often what ended long ago is dropped.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// What the process around gives.
#[derive(Debug)]
pub struct Surroundings {
    /// The process's memory of spans.
    pub spans: SpanRing,
    /// Told once the API answers.
    pub ready: Option<oneshot::Sender<Ready>>,
}

/// The API answers.
#[derive(Debug)]
pub struct Ready {
    /// Where, the unix socket first.
    pub addresses: Vec<Address>,
    /// Where on the network.
    pub tls: Option<SocketAddr>,
}

/// Why the control plane ended without being asked to.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The database cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The API cannot be served.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// The API on the network cannot be served.
    #[error(transparent)]
    Door(#[from] DoorError),
    /// A miner's address cannot be dialled at all.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// The configured ramp of power cannot be followed.
    #[error("power.ramp: {0}")]
    Ramp(#[from] rollout::RampError),
    /// A part ended although nobody asked it to.
    #[error("task `{0}` ended early; this is a bug, please report it with the log")]
    TaskEnded(&'static str),
    /// A part panicked.
    #[error("a task panicked; this is a bug, please report it with the log")]
    TaskPanicked,
}

/// Runs the control plane until `cancel`, then stops it in order: no new calls, calls under way end within a second,
/// sessions and operations are cut (they go on with the next start), the database is closed. Works on any tokio runtime.
///
/// # Errors
/// See [`RunError`].
pub async fn run(config: Config, surroundings: Surroundings, cancel: CancellationToken) -> Result<(), RunError> {
    let Config {
        state_dir,
        socket,
        listen,
        tls,
        miners,
        log: _,
        otlp_endpoint: _,
        keep_statistics,
        rollout_approvals,
        ramp,
    } = config;
    let Surroundings { spans, ready } = surroundings;
    let (store, lock) = Store::open(&state_dir).await?;
    let registry = known_miners(&store, &miners).await?;
    registry.restore(&store).await?;
    let listeners = Listeners::bind(&ListenOn { socket, tcp: listen }).await?;
    let addresses = listeners.addresses();
    let fleet = Fleet::open(&state_dir, tls, &store, &registry).await?;
    let events = Events::open(store.clone()).await?;
    let specs = Specs::new(store.clone(), registry.clone());
    let profiles = Profiles::new(store.clone(), registry.clone(), events.clone());
    let rollouts = Rollouts::new(store.clone(), registry.clone(), specs.clone(), profiles.clone(), events.clone());
    let rollouts = rollouts.approved_by(rollout_approvals);
    let operations = Operations::new(store.clone(), registry.clone()).ramped(ramp);
    let stop = cancel.child_token();
    let mut tasks = Tasks::default();
    tasks.spawn("events", events.clone().keep(stop.clone()));
    let (ingest, statistics) = Ingest::new(store.clone());
    tasks.spawn("statistics", statistics.run(stop.clone()));
    let (notes, noted) = registry::notes(store.clone());
    tasks.spawn("notes of miners", noted.run_until(stop.clone()));
    let pacer = match ramp.map(registry::pacer).transpose()? {
        Some((pacer, pace)) => {
            tasks.spawn("turns of power", pace.run(stop.clone()));
            pacer
        }
        None => Pacer::unbounded(),
    };
    let around = Around { store: store.clone(), specs: specs.clone(), events: events.clone(), notes, pacer };
    tasks.spawn("miners", look_after(registry.clone(), around, ingest, stop.clone()));
    tasks.spawn("operations", operations.runner(specs.clone()).run(stop.clone()));
    tasks.spawn("profiles", profiles.clone().keep_true(stop.clone()));
    tasks.spawn("rollouts", rollouts.runner().run(stop.clone()));
    tasks.spawn("clean-up", statistics::prune(store.clone(), keep_statistics, stop.clone()));
    let guard = Guard::new(store.clone(), registry.clone());
    tasks.spawn("rights", guard.rights().run(stop.clone()));
    let enrolments = fleet.as_ref().map(|fleet| fleet.enrolments.clone());
    let bound = fleet.as_ref().and_then(|fleet| fleet.door.as_ref().map(Door::address));
    let parts = api::Parts {
        store: store.clone(),
        registry,
        specs,
        operations,
        events,
        profiles,
        rollouts,
        spans,
        guard,
        enrolments,
        cancel: stop.clone(),
    };
    let routes = api::routes(&parts);
    if let Some(Fleet { enrolments, door }) = fleet {
        tasks.spawn("revocations", enrolments.revoked().clone().run(stop.clone()));
        tasks.spawn("old identities", forget(enrolments, stop.clone()));
        if let Some(door) = door {
            let homes = Homes::new(parts.registry.clone(), store.clone(), parts.events.clone());
            tasks.spawn("door", door.run(routes.clone(), homes, stop.clone()));
        }
    }
    let serving = listeners.serve(routes, stop.clone());
    info!(addresses = ?addresses.iter().map(ToString::to_string).collect::<Vec<_>>(), tls = bound.map(tracing::field::display), miners = parts.registry.all().len(), "control plane ready");
    if let Some(ready) = ready {
        // Whoever asked may have gone.
        let _ = ready.send(Ready { addresses, tls: bound });
    }
    let result = {
        tokio::pin!(serving);
        let first = tokio::select! {
            // The stop ends the tasks too, and is the cause then.
            biased;
            () = cancel.cancelled() => Ended::Asked,
            served = &mut serving => Ended::Serving(served),
            failure = tasks.first_end() => Ended::Task(failure),
        };
        stop.cancel();
        match first {
            Ended::Serving(served) => served.map_err(RunError::from),
            Ended::Task(failure) => serving.await.map_err(RunError::from).and(Err(failure)),
            Ended::Asked => serving.await.map_err(RunError::from),
        }
    };
    tasks.finish().await;
    drop(parts);
    store.close().await;
    drop(lock);
    info!("control plane stopped");
    result
}

/// The miners of the configuration, and those that enrolled.
async fn known_miners(store: &Store, miners: &BTreeMap<MinerName, MinerConfig>) -> Result<Registry, RunError> {
    let desired = store.all_desired().await?;
    let registry = Registry::new(miners, desired.clone())?;
    let mut desired: BTreeMap<_, _> = desired.into_iter().map(|one| (one.miner.clone(), one)).collect();
    for (name, labels) in store.enrolled_miners().await? {
        registry.enrolled(&name, labels, desired.remove(&name));
    }
    Ok(registry)
}

/// What a control plane has that was set up for a fleet.
struct Fleet {
    enrolments: Enrolments,
    /// The API on the network, where that is configured.
    door: Option<Door>,
}

impl Fleet {
    /// `None` = it was not set up. It must be, where the network is listened on.
    async fn open(
        state_dir: &Path,
        tls: Option<TlsConfig>,
        store: &Store,
        registry: &Registry,
    ) -> Result<Option<Self>, RunError> {
        let folder = state_dir.join(setup::AUTHORITY);
        if tls.is_none() && !folder.exists() {
            return Ok(None);
        }
        let authority = Arc::new(Authority::open(&folder, SystemTime::now()).map_err(DoorError::from)?);
        let enrolments = Enrolments::new(store.clone(), authority.clone()).await?.known_to(registry.clone());
        let open = |TlsConfig { listen, names }| Door::open(listen, authority, names, enrolments.revoked().clone());
        let door = tls.map(open).transpose()?;
        Ok(Some(Self { enrolments, door }))
    }
}

/// Drops identities that ended long ago, once a day.
async fn forget(enrolments: Enrolments, cancel: CancellationToken) {
    let mut days = tokio::time::interval(DAY);
    while cancel.run_until_cancelled(days.tick()).await.is_some() {
        if let Err(error) = enrolments.prune(SystemTime::now()).await {
            warn!(error = &error as &dyn std::error::Error, "old identities cannot be dropped; trying again tomorrow");
        }
    }
}

/// Keeps a session and a collector for every miner, also for those that come later. Ends early only when one of them does.
async fn look_after(registry: Registry, around: Around, ingest: Ingest, cancel: CancellationToken) {
    let mut arrivals = registry.arrivals();
    let (mut known, mut tasks) = (BTreeMap::<MinerName, (Arc<Miner>, CancellationToken)>::new(), JoinSet::new());
    let failure = loop {
        let miners = arrivals.borrow_and_update().clone();
        known.retain(|name, (miner, stop)| {
            let is_known = miners.get(name).is_some_and(|known| Arc::ptr_eq(known, miner));
            if !is_known {
                stop.cancel();
            }
            is_known
        });
        for (name, miner) in miners.iter().filter(|(name, _)| !known.contains_key(*name)).collect::<Vec<_>>() {
            let stop = cancel.child_token();
            // Boxed, because a future that is handed on takes its size twice, and there is one of each for every miner.
            let session = Box::pin(Session::new(miner.clone(), around.clone()).run(stop.clone()));
            tasks.spawn(until_stopped(session, stop.clone()).in_current_span());
            let collector = Collector::new(miner.clone(), around.store.clone(), ingest.clone());
            tasks.spawn(until_stopped(Box::pin(collector.run(stop.clone())), stop.clone()).in_current_span());
            known.insert(name.clone(), (miner.clone(), stop));
        }
        tokio::select! {
            biased;
            () = cancel.cancelled() => break None,
            // Those of a miner that was removed end with it.
            Some(ended) = tasks.join_next() => if !matches!(&ended, Ok(true)) { break Some(ended) },
            // The registry lives as long as this task.
            _ = arrivals.changed() => {}
        }
    };
    if let Some(Err(error)) = failure
        && error.is_panic()
    {
        std::panic::resume_unwind(error.into_panic());
    }
    if cancel.is_cancelled() {
        while tasks.join_next().await.is_some() {}
    }
}

/// Whether the task ended because it was asked to.
async fn until_stopped(task: impl Future<Output = ()>, stop: CancellationToken) -> bool {
    task.await;
    stop.is_cancelled()
}

enum Ended {
    Serving(Result<(), ServeError>),
    Task(RunError),
    Asked,
}

/// All tasks of the control plane; each must run until the stop.
#[derive(Debug, Default)]
struct Tasks(JoinSet<&'static str>);

impl Tasks {
    fn spawn(&mut self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let named = async move {
            task.await;
            name
        };
        self.0.spawn(named.in_current_span());
    }

    /// Waits until a task ends, which none should.
    async fn first_end(&mut self) -> RunError {
        match self.0.join_next().await {
            Some(Ok(name)) => RunError::TaskEnded(name),
            Some(Err(_)) => RunError::TaskPanicked,
            None => std::future::pending().await,
        }
    }

    /// Waits until all have ended, now that they were asked to.
    async fn finish(mut self) {
        let all = async { while self.0.join_next().await.is_some() {} };
        if tokio::time::timeout(STOP, all).await.is_err() {
            error!(tasks = self.0.len(), "tasks did not stop in time and were cut");
        }
        self.0.shutdown().await;
    }
}
