//! The loop of the source: runs connection tasks, feeds what happens into `state`, and does what comes out.

use super::{
    Command, Snapshot, SourceHandle, SourcePolicy,
    reconnect::Caller,
    state::{Action, Input, Now, State},
};
use crate::{
    pool::{ConnectionEvent, EVENT_QUEUE, SHARE_QUEUE, ShareSubmission, Target},
    scheduler::{self, SchedulerHandle, SwitchReport},
    trace::TraceParent,
};
use mujina_core::{id::ConnectionId, pool::PoolSpec, units::HashRate};
use std::{
    collections::HashMap,
    pin::Pin,
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;
use tracing::{error, field::Empty, info_span};

/// Time that connections have at shutdown to answer their shares, before they are cut.
const SHUTDOWN_DRAIN: Duration = Duration::from_secs(2);
/// Time that cut connections have to report what was lost.
const SHUTDOWN_CUT: Duration = Duration::from_secs(1);

/// Makes the task of a connection: to a pool, or, for no pool, of invented work.
pub type Connector = Box<dyn FnMut(Option<PoolSpec>, Lines) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send>;

/// A connection's ends of the lines between it and the rest; see `pool::ConnectionPlan` for what each carries.
#[derive(Debug)]
#[expect(missing_docs, reason = "the fields are those of the plan")]
pub struct Lines {
    pub id: ConnectionId,
    pub target: Option<Target>,
    pub hash_rate: watch::Receiver<Option<HashRate>>,
    pub shares: mpsc::Receiver<ShareSubmission>,
    pub events: mpsc::Sender<(ConnectionId, ConnectionEvent)>,
    pub close: CancellationToken,
    pub abort: CancellationToken,
    pub span: tracing::Span,
}

/// The actor behind [`SourceHandle`].
pub struct Source {
    state: State,
    scheduler: SchedulerHandle,
    hash_rate: watch::Receiver<Option<HashRate>>,
    connector: Connector,
    commands: mpsc::Receiver<Command>,
    snapshot: watch::Sender<Arc<Snapshot>>,
    /// Handed to every connection.
    event_sender: mpsc::Sender<(ConnectionId, ConnectionEvent)>,
    events: mpsc::Receiver<(ConnectionId, ConnectionEvent)>,
    tasks: JoinSet<()>,
    running: HashMap<tokio::task::Id, ConnectionId>,
    lines: HashMap<ConnectionId, Line>,
    switches: JoinSet<(ConnectionId, Option<SwitchReport>)>,
}

/// Our ends of a connection.
struct Line {
    close: CancellationToken,
    abort: CancellationToken,
    /// Handed on to the scheduler when the channel opens.
    shares: Option<mpsc::Sender<ShareSubmission>>,
}

/// What woke the loop.
enum Wake {
    Command(Command),
    Event(ConnectionId, ConnectionEvent),
    Switched(ConnectionId, Option<SwitchReport>),
    TaskEnded(Result<(tokio::task::Id, ()), tokio::task::JoinError>),
    Deadline,
    Stop,
}

impl Source {
    /// With `synthetic`, threads hash invented work while no pool is configured.
    #[must_use]
    pub fn new(
        scheduler: SchedulerHandle,
        policy: SourcePolicy,
        synthetic: bool,
        connector: Connector,
    ) -> (Self, SourceHandle) {
        let (commands, command_queue) = mpsc::channel(super::COMMAND_QUEUE);
        let (snapshot, watcher) = watch::channel(Arc::default());
        let (event_sender, events) = mpsc::channel(EVENT_QUEUE);
        let source = Self {
            state: State::new(policy, synthetic, rand::random::<f64>),
            hash_rate: scheduler.hash_rate(),
            scheduler,
            connector,
            commands: command_queue,
            snapshot,
            event_sender,
            events,
            tasks: JoinSet::new(),
            running: HashMap::new(),
            lines: HashMap::new(),
            switches: JoinSet::new(),
        };
        (source, SourceHandle { commands, snapshot: watcher })
    }

    /// Runs until `cancel`, then closes all connections in order and returns when they have ended.
    pub async fn run(mut self, cancel: CancellationToken) {
        let mut stop_at = None;
        loop {
            match self.next(&cancel, stop_at).await {
                Wake::Stop if stop_at.is_none() => {
                    stop_at = Some(tokio::time::Instant::now() + SHUTDOWN_DRAIN);
                    self.step(Input::Shutdown).await;
                }
                Wake::Stop => break,
                wake => self.handle(wake).await,
            }
            if stop_at.is_some() && self.state.is_empty() {
                return;
            }
        }
        self.cut().await;
    }

    async fn next(&mut self, cancel: &CancellationToken, stop_at: Option<tokio::time::Instant>) -> Wake {
        let deadline = self.state.deadline().map(tokio::time::Instant::from_std);
        let stop = async {
            match stop_at {
                None => cancel.cancelled().await,
                Some(at) => tokio::time::sleep_until(at).await,
            }
        };
        // Events first: jobs and verdicts must not wait for people.
        tokio::select! {
            biased;
            () = stop => Wake::Stop,
            Some((id, event)) = self.events.recv() => Wake::Event(id, event),
            Some(Ok((id, report))) = self.switches.join_next() => Wake::Switched(id, report),
            Some(command) = self.commands.recv() => Wake::Command(command),
            Some(ended) = self.tasks.join_next_with_id() => Wake::TaskEnded(ended),
            () = sleep_until(deadline) => Wake::Deadline,
        }
    }

    async fn handle(&mut self, wake: Wake) {
        match wake {
            Wake::Command(Command::Configure { groups, trace, reply }) => {
                self.step(Input::Configure { groups, trace }).await;
                // A caller that went away wanted it all the same.
                let _ = reply.send(Ok(self.state.configured()));
            }
            Wake::Command(Command::Reconnect { request, phases, trace, reply }) => {
                self.step(Input::Reconnect { request, caller: Caller { phases, reply }, trace }).await;
            }
            Wake::Command(Command::Pin { pool, duration, reply }) => {
                self.step(Input::Pin { pool, duration, reply }).await;
            }
            Wake::Command(Command::Unpin { reply }) => self.step(Input::Unpin { reply }).await,
            Wake::Event(id, event) => self.step(Input::Event(id, event)).await,
            Wake::Switched(id, report) => {
                self.step(Input::Switched(id, report.unwrap_or_default())).await;
            }
            Wake::TaskEnded(ended) => self.task_ended(ended).await,
            Wake::Deadline => self.step(Input::Tick).await,
            Wake::Stop => {}
        }
    }

    async fn task_ended(&mut self, ended: Result<(tokio::task::Id, ()), tokio::task::JoinError>) {
        let (task, failed) = match &ended {
            Ok((task, ())) => (*task, false),
            Err(failure) => (failure.id(), true),
        };
        let Some(id) = self.running.remove(&task) else { return };
        self.lines.remove(&id);
        if failed {
            error!(connection.id = %id, "connection task panicked; please report this with the log");
            while let Ok((id, event)) = self.events.try_recv() {
                self.step(Input::Event(id, event)).await;
            }
            self.step(Input::Vanished(id)).await;
        }
    }

    async fn step(&mut self, input: Input) {
        let now = self.now();
        let mut actions = self.state.handle(input, now);
        for action in actions.drain(..) {
            self.perform(action).await;
        }
        self.state.reuse(actions);
        if !self.state.take_changed() {
            return;
        }
        let snapshot = self.state.snapshot(now);
        self.snapshot.send_if_modified(|old| {
            let changed = **old != snapshot;
            if changed {
                *old = Arc::new(snapshot);
            }
            changed
        });
    }

    async fn perform(&mut self, action: Action) {
        match action {
            Action::Connect { id, spec, target, trace } => self.connect(id, spec.map(|spec| *spec), target, &trace),
            Action::Begin { id, pool, extranonce_size } => {
                if let Some(shares) = self.lines.get_mut(&id).and_then(|line| line.shares.take()) {
                    self.tell(scheduler::Command::Begin { connection: id, pool, shares, extranonce_size }).await;
                }
            }
            Action::Activate(connection) => {
                let (reply, answer) = oneshot::channel();
                self.tell(scheduler::Command::Activate { connection, reply }).await;
                self.switches.spawn(async move { (connection, answer.await.ok()) });
            }
            Action::Tell(order) => self.tell(order).await,
            Action::Close(id) => {
                if let Some(line) = self.lines.get_mut(&id) {
                    line.shares = None;
                    line.close.cancel();
                }
            }
            Action::Abort(id) => {
                if let Some(line) = self.lines.get_mut(&id) {
                    line.shares = None;
                    line.abort.cancel();
                }
            }
        }
    }

    fn now(&self) -> Now {
        let hash_rate = *self.hash_rate.borrow();
        Now { at: tokio::time::Instant::now().into_std(), wall: SystemTime::now(), hash_rate }
    }

    async fn tell(&mut self, order: scheduler::Command) {
        // Without a scheduler the miner is on its way down, and nothing counts any more.
        let _ = self.scheduler.send(order).await;
    }

    fn connect(&mut self, id: ConnectionId, spec: Option<PoolSpec>, target: Option<Target>, trace: &TraceParent) {
        let (sender, shares) = mpsc::channel(SHARE_QUEUE);
        let (close, abort) = (CancellationToken::new(), CancellationToken::new());
        self.lines.insert(id, Line { close: close.clone(), abort: abort.clone(), shares: Some(sender) });
        let url = spec.as_ref().map(|spec| spec.endpoint.to_string());
        let name = spec.as_ref().map(|spec| spec.name.to_string());
        let span = info_span!(
            parent: None,
            "pool.connect",
            pool.name = name,
            pool.url = url,
            connection.id = %id,
            otel.status_code = Empty,
            otel.status_description = Empty,
        );
        trace.adopt(&span);
        let lines = Lines {
            id,
            target,
            hash_rate: self.scheduler.hash_rate(),
            shares,
            events: self.event_sender.clone(),
            close,
            abort,
            span,
        };
        let task = self.tasks.spawn((self.connector)(spec, lines));
        self.running.insert(task.id(), id);
    }

    /// Ends what did not end in time, and waits until the losses are counted.
    async fn cut(&mut self) {
        for line in self.lines.values() {
            line.abort.cancel();
        }
        let counted = async {
            while !self.state.is_empty() {
                let Some((id, event)) = self.events.recv().await else { return };
                self.step(Input::Event(id, event)).await;
            }
        };
        if tokio::time::timeout(SHUTDOWN_CUT, counted).await.is_err() {
            error!("connections did not end in time; their open shares are not counted");
        }
    }
}

async fn sleep_until(deadline: Option<tokio::time::Instant>) {
    match deadline {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
