//! Keeps the connection to one miner: its status, what it confirmed, and the reconciling of the two with what is wanted.
//!
//! ```text
//! dialling ── status and spec arrive ──▶ connected ── stream ends ──▶ backing off ──▶ dialling
//!                                        │  ▲
//!                            plan: send, │  │ status changed, desired changed, time to look again
//!                            read again  ▼  │
//! ```
//!
//! What must outlive the process is stored before it is acted on: changes that were made on the miner itself, and changes
//! that have to prove themselves (`trials`); those of many sessions go to the disk together (`notes`).

mod notes;
#[cfg(test)]
mod tests;
mod trials;
mod turn;

use self::notes::Note;
pub(crate) use self::notes::{Notes, notes};
use self::turn::Turn;
use super::{CallError, CallKind, Miner, MinerView, NotAtHome, Pacer, Reachability, Told, backoff, link::SpecReading};
use crate::{
    event::{EventKind, Events},
    reconcile::{
        Agreement, Event, GaveUp, Judgement, LocalChange, Memory, Plan, Reach, Situation, SyncState, Trial,
        evidence::LiveLedger,
        judge,
        judge::{OVERRIDE, OverrideEnd},
    },
    spec::{DesiredState, Specs},
    store::{Store, StoreError},
};
use mujina_core::id::Generation;
use mujina_proto::types::v1;
use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio::{
    sync::watch,
    time::{Instant, sleep, sleep_until},
};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, debug, error, info, info_span, warn};

/// When a miner that is making a spec true is asked how far it is, unless it says so before: first, and at last.
const LOOK_AGAIN: Duration = Duration::from_secs(2);
const LOOK_SELDOM: Duration = Duration::from_secs(32);
/// A connection that lasted this long was a good one: the next failure counts as the first.
const GOOD: Duration = Duration::from_secs(30);

/// How long a miner that calls home has for that after a start of the control plane, which is when all of them do: the
/// longest delay between their attempts, and as much again for the turn of each.
const HOMECOMING: Duration = Duration::from_secs(120);
/// Before the store is asked again after it failed.
const STORE_RETRY: Duration = Duration::from_secs(5);
/// Longest sleep towards a time of day, which somebody may set.
const LONGEST_SLEEP: Duration = Duration::from_secs(60 * 60);

/// The miner's count of specs, and of those in force: by it a status tree and a spec that was read are told to be of one time.
pub(super) type Spoken = (u64, u64);

/// What a status tree speaks of.
pub(super) fn spoken_of(status: &v1::MinerStatus) -> Spoken {
    (status.generation, status.observed_generation)
}

/// The same of a spec that was read.
pub(super) fn spoken(spec: &v1::SpecState) -> Spoken {
    (spec.generation, spec.observed_generation)
}

/// What sessions work with.
#[derive(Debug, Clone)]
pub(crate) struct Around {
    pub(crate) store: Store,
    pub(crate) specs: Specs,
    pub(crate) events: Events,
    pub(crate) notes: Notes,
    pub(crate) pacer: Pacer,
}

/// The session of one miner.
#[derive(Debug)]
pub(crate) struct Session {
    miner: Arc<Miner>,
    desired: watch::Receiver<Option<Told>>,
    around: Around,
    memory: Memory,
    spec: Option<SpecReading>,
    /// When it said anything last.
    heard_at: Option<SystemTime>,
    /// The ledger of the connection that its threads hash for, and which spec the miner spoke of with it.
    live: Option<(Spoken, LiveLedger)>,
    /// The change made on it, as it is stored.
    local: Option<LocalChange>,
    /// Changes on trial that are not over, as they are stored.
    trials: Vec<Trial>,
    /// Generation up to which trials are known.
    trials_of: Option<Generation>,
    /// How often in a row it was asked and had nothing new to say.
    looks: u32,
    /// The generation of which people were told that the miner cannot do all of it.
    impossible: Option<Generation>,
    /// To switch its power.
    turn: Turn,
    /// The generation that was sent last, whatever came of it.
    tried: Option<Generation>,
}

impl Session {
    pub(crate) fn new(miner: Arc<Miner>, around: Around) -> Self {
        let desired = miner.desired.subscribe();
        let memory = Memory::default();
        Self {
            miner,
            desired,
            around,
            memory,
            spec: None,
            heard_at: None,
            live: None,
            local: None,
            trials: Vec::new(),
            trials_of: None,
            looks: 0,
            impossible: None,
            turn: Turn::NotAsked,
            tried: None,
        }
    }

    /// Runs until `cancel`. Being cut anywhere changes nothing on the miner that would not be found out again.
    pub(crate) async fn run(mut self, cancel: CancellationToken) {
        let _ = cancel.clone().run_until_cancelled(Box::pin(self.keep_connected())).await;
        if self.miner.view().waits_for_turn {
            // Nobody waits for a miner that has no session.
            self.miner.change(|view| view.waits_for_turn = false);
        }
    }

    async fn keep_connected(&mut self) {
        self.local = loop {
            match self.around.store.local_change(&self.miner.name).await {
                Ok(local) => break local,
                Err(error) => self.unstored(&error).await,
            }
        };
        let (mut failures, expected) = (0_u32, Instant::now() + HOMECOMING);
        loop {
            let miner = self.miner.clone();
            // A change that cut the miner off is taken back while it is away.
            let due = Box::pin(self.try_out_unreached()).await;
            let is_untried = miner.view().reachability == Reachability::Untried;
            tokio::select! {
                () = miner.link.opens() => {}
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => continue,
                () = sleep_until(expected), if is_untried => {
                    self.lost(NotAtHome);
                    continue;
                }
            }
            let begun = Instant::now();
            let Err(error) = Box::pin(self.stay_connected()).await;
            self.turn = Turn::NotAsked;
            failures = if begun.elapsed() >= GOOD { 1 } else { failures.saturating_add(1) };
            self.lost(error);
            sleep(backoff(failures, rand::random())).await;
        }
    }

    /// Tells of a failure of the database, and waits until it may have passed.
    fn unstored(&self, error: &StoreError) -> impl Future<Output = ()> + Send + use<> {
        let what = error as &dyn std::error::Error;
        error!(miner.name = %self.miner.name, error = what, "what is known of a miner cannot be stored; trying again");
        sleep(STORE_RETRY)
    }

    /// Notes something for the next process. When that fails, the session goes on a little later.
    async fn note(&self, note: Note) {
        if self.around.notes.store((self.miner.name.clone(), note)).await.is_err() {
            sleep(STORE_RETRY).await;
        }
    }

    fn lost(&self, error: impl std::error::Error) {
        let reason = error.to_string();
        let view = self.miner.view();
        if matches!(view.reachability, Reachability::Unreachable(_)) {
            debug!(miner.name = %self.miner.name, error = reason, "miner still not reached");
        } else {
            info!(miner.name = %self.miner.name, error = reason, "miner not reached; trying again");
        }
        self.miner.change(|view| {
            if !matches!(view.reachability, Reachability::Unreachable(_)) {
                view.since = SystemTime::now();
            }
            view.reachability = Reachability::Unreachable(reason.clone());
            view.waits_for_turn = false;
            if view.desired_generation > Generation(0) {
                view.agreement = Agreement { state: SyncState::Unreachable, reason, at: Some(view.since) };
            }
        });
    }

    async fn stay_connected(&mut self) -> Result<std::convert::Infallible, CallError> {
        let miner = self.miner.clone();
        let mut statuses = miner.link.watch().await?;
        let first = Box::pin(statuses.first()).await?;
        Box::pin(self.read_spec()).await?;
        self.hear(&first);
        info!(miner.name = %miner.name, boot.id = first.boot_id, "miner connected");
        let mut status = first;
        miner.change(|view| {
            view.reachability = Reachability::Connected;
            view.since = SystemTime::now();
            view.status = Some((status.clone(), SystemTime::now()));
            view.spec_state = self.spec.as_ref().map(|spec| spec.message.clone());
            view.confirmed = self.spec.as_ref().map(|spec| spec.confirmed.clone());
        });
        let (mut failures, mut quarantines) = (0_u32, miner.quarantines());
        loop {
            // Boxed, because most of the time a session waits here.
            let look_again = Box::pin(self.reconcile(&mut failures)).await?;
            tokio::select! {
                next = statuses.next() => {
                    let next = next?;
                    let is_old = self.is_outdated(&next) || next.boot_id != status.boot_id;
                    status = next;
                    self.hear(&status);
                    miner.change(|view| view.status = Some((status.clone(), SystemTime::now())));
                    if is_old {
                        self.looks = 0;
                        Box::pin(self.read_spec()).await?;
                    }
                }
                // The senders live as long as the miner that `self` holds.
                _ = self.desired.changed() => self.looks = 0,
                _ = quarantines.changed() => self.looks = 0,
                () = self.turn.comes() => self.looks = 0,
                () = sleep_until(look_again.unwrap_or_else(Instant::now)), if look_again.is_some() => {
                    self.looks = self.looks.saturating_add(1);
                    Box::pin(self.read_spec()).await?;
                }
            }
        }
    }

    /// Whether a status tree speaks of another spec than the one that was read last.
    fn is_outdated(&self, status: &v1::MinerStatus) -> bool {
        self.spec.as_ref().is_none_or(|spec| spoken_of(status) != spoken(&spec.message))
    }

    async fn read_spec(&mut self) -> Result<(), CallError> {
        self.spec = Some(self.miner.link.spec().await?);
        self.heard_at = Some(SystemTime::now());
        Ok(())
    }

    fn hear(&mut self, status: &v1::MinerStatus) {
        self.heard_at = Some(SystemTime::now());
        self.live = live_ledger(status).map(|live| (spoken_of(status), live));
    }

    /// The ledger, if it was read with the spec that was read last: one from before a change in force proves nothing of it.
    fn live_now(&self) -> Option<LiveLedger> {
        let spec = &self.spec.as_ref()?.message;
        let (told_with, live) = self.live.as_ref()?;
        (*told_with == spoken(spec)).then(|| live.clone())
    }

    /// Does what the plan says until there is nothing to do; returns when to look again.
    async fn reconcile(&mut self, failures: &mut u32) -> Result<Option<Instant>, CallError> {
        loop {
            let told = self.desired.borrow_and_update().clone();
            self.learn_trials(told.as_ref()).await;
            let desired = told.map(|told| told.desired);
            let plan = self.judge(desired.as_deref()).await;
            let due = self.try_out(desired.as_deref(), &plan).await?;
            let sooner = |other: Instant| Some(due.map_or(other, |due| due.min(other)));
            match (plan, desired) {
                (Plan::Send(_), Some(desired)) => {
                    self.sending(&desired).await;
                    if let Some(delay) = self.send(&desired, failures).await? {
                        return Ok(sooner(Instant::now() + delay));
                    }
                }
                // Its turn comes by itself.
                (Plan::Wait(_), _) if self.turn.is_awaited() => return Ok(due),
                (Plan::Wait(_), _) => return Ok(sooner(self.look_again())),
                (Plan::Hold(until), _) => return Ok(sooner(at(until))),
                _ => return Ok(due),
            }
        }
    }

    fn look_again(&self) -> Instant {
        let doubled = 1_u32.checked_shl(self.looks).unwrap_or(u32::MAX);
        Instant::now() + LOOK_AGAIN.saturating_mul(doubled).min(LOOK_SELDOM)
    }

    /// What to do now; what must be remembered of that is stored, and people are told.
    async fn judge(&mut self, desired: Option<&DesiredState>) -> Plan {
        let confirmed = self.spec.as_ref().map(|spec| spec.confirmed.clone());
        let mut local = self.local.clone();
        let mut news = Vec::new();
        let (agreement, plan) = loop {
            let (confirmed, local_now) = (confirmed.as_deref(), local.as_ref());
            let situation =
                Situation { desired, confirmed, reach: &Reach::Open, memory: &self.memory, local: local_now };
            let Judgement { agreement, plan, local: next, events } = judge(&situation, OVERRIDE, crate::store::now());
            local = next;
            news.extend(events);
            // Written to take over, and not accepted by the miner yet.
            let taken_over = desired.map(|desired| desired.taken_over).unwrap_or_default();
            let accepted = confirmed.map(|confirmed| confirmed.control_generation).unwrap_or_default();
            match &mut local {
                Some(local) if taken_over > accepted && local.yields_to.is_none_or(|from| from < taken_over) => {
                    local.yield_to(taken_over);
                }
                _ => break (agreement, plan),
            }
        };
        self.keep_local(local).await;
        for event in news {
            self.tell(&event);
        }
        let (agreement, plan) = match (plan, self.miner.quarantine()) {
            // It refused nothing: it is not asked.
            (Plan::Send(_), Some(reason)) => {
                let plan = Plan::Wait(format!(
                    "nothing is sent to this miner, {reason}; find out which one is real, then release it"
                ));
                (plan.agreement(), plan)
            }
            (plan, _) => (agreement, plan),
        };
        let (agreement, plan) = match self.await_turn(desired, &plan).await {
            Some(waits) => (waits.agreement(), waits),
            None => (agreement, plan),
        };
        self.tell_if_impossible(desired, &plan);
        self.publish(desired, agreement);
        plan
    }

    async fn keep_local(&mut self, local: Option<LocalChange>) {
        if local == self.local {
            return;
        }
        // If it is not kept, it is in force all the same, and seen anew after a restart.
        self.note(Note::Local(local.clone())).await;
        self.local = local;
    }

    fn tell(&self, event: &Event) {
        let (events, miner) = (&self.around.events, Some(&self.miner.name));
        match event {
            Event::Overridden { until } => {
                let until = humantime(*until);
                let message = format!(
                    "somebody changed the spec on the miner itself; that is respected until {until}, then what is wanted is applied again; write a spec to take over at once"
                );
                events.tell(EventKind::Overridden, miner, "", message);
            }
            Event::OverrideEnded { how } => {
                let how = match how {
                    OverrideEnd::Expired => "its time was up, and what is wanted was applied",
                    OverrideEnd::TakenOver => "a spec was written that takes over",
                    OverrideEnd::Gone => "the miner lost its spec, or obeys another control plane",
                };
                events.tell(EventKind::OverrideEnded, miner, "", format!("a change made on the miner is over: {how}"));
            }
        }
    }

    /// Sends a desired state; the delay before the next attempt when it should wait.
    async fn send(&mut self, desired: &DesiredState, failures: &mut u32) -> Result<Option<Duration>, CallError> {
        let span = info_span!(
            parent: None, "spec.dispatch",
            miner.name = %self.miner.name, generation = desired.generation.0, error = tracing::field::Empty
        );
        desired.trace_parent.adopt(&span);
        let before = self.spec.as_ref().map_or(0, |spec| spec.message.generation);
        // Not the generation alone: a miner that lost its spec must not be answered from what it remembers.
        let request_id = format!("{}/{}/{before}", self.around.store.incarnation(), desired.generation);
        let within = self.confirm_within(desired.generation);
        self.tried = Some(desired.generation);
        let answered = self.miner.link.apply(desired, request_id, within).instrument(span.clone()).await;
        let (name, generation) = (&self.miner.name, desired.generation);
        let error = match answered {
            Ok(reading) => {
                *failures = 0;
                info!(miner.name = %name, %generation, "desired state accepted");
                let is_counted = reading.message.generation != before;
                self.spec = Some(reading);
                self.heard_at = Some(SystemTime::now());
                if let Some(mut local) = self.local.clone().filter(|_| !is_counted) {
                    local.settle(generation);
                    self.keep_local(Some(local)).await;
                }
                return Ok(None);
            }
            Err(error) => error,
        };
        span.record("error", error.failure.message.as_str());
        let reason = error.to_string();
        match error.kind {
            CallKind::Unreachable => return Err(error),
            CallKind::Invalid => {
                info!(miner.name = %name, %generation, reason, "desired state rejected");
                self.memory.refused(generation, reason);
                self.tell_if_given_up();
                return Ok(None);
            }
            CallKind::Conflict => {
                info!(miner.name = %name, %generation, reason, "desired state refused; looking again");
                self.memory.refused_for_now(generation, reason);
                self.tell_if_given_up();
            }
            CallKind::OutOfRange | CallKind::Failed => {
                warn!(miner.name = %name, %generation, reason, "desired state not accepted; trying again");
            }
        }
        *failures = failures.saturating_add(1);
        self.read_spec().await?;
        Ok(Some(backoff(*failures, rand::random())))
    }

    fn tell_if_given_up(&mut self) {
        if let Some(GaveUp { generation, reason }) = self.memory.gave_up() {
            let message = format!("the miner refused generation {generation}, which is not sent again: {reason}");
            self.around.events.tell(EventKind::SpecRejected, Some(&self.miner.name), "", message);
        }
    }

    /// Told once for each generation.
    fn tell_if_impossible(&mut self, desired: Option<&DesiredState>, plan: &Plan) {
        let (Plan::Impossible(reason), Some(generation)) = (plan, desired.map(|desired| desired.generation)) else {
            return;
        };
        if self.impossible.replace(generation) != Some(generation) {
            let message = format!("the miner cannot do all of generation {generation}; the rest is in force: {reason}");
            self.around.events.tell(EventKind::SpecRejected, Some(&self.miner.name), "", message);
        }
    }

    fn publish(&self, desired: Option<&DesiredState>, agreement: Agreement) {
        let generation = desired.map(|desired| desired.generation).unwrap_or_default();
        let view = self.miner.view();
        let spec = self.spec.clone();
        let is_known = match (&view.spec_state, &spec) {
            (Some(known), Some(read)) => Arc::ptr_eq(known, &read.message),
            _ => false,
        };
        // The turns of later attempts are on its own time: it had its turn.
        let waits_for_turn = self.turn.is_awaited() && self.tried != Some(generation);
        let is_judged = view.agreement == agreement && view.desired_generation == generation;
        if is_judged && is_known && view.waits_for_turn == waits_for_turn {
            return;
        }
        if view.agreement.state != agreement.state {
            info!(miner.name = %self.miner.name, %generation, state = ?agreement.state, reason = agreement.reason, "sync changed");
        }
        self.miner.change(|view| {
            // A newer desired state may have been published meanwhile; the next round judges it.
            if view.desired_generation <= generation {
                view.agreement = agreement;
                view.desired_generation = generation;
                view.waits_for_turn = waits_for_turn;
            }
            view.heard_at = self.heard_at;
            view.spec_state = spec.as_ref().map(|spec| spec.message.clone());
            view.confirmed = spec.map(|spec| spec.confirmed);
        });
    }
}

/// A desired state was stored: until the session has judged it, it is on its way.
pub(super) fn judge_again(view: &mut MinerView, desired: &DesiredState, is_on_trial: bool) {
    if view.desired_generation >= desired.generation {
        return;
    }
    view.desired_generation = desired.generation;
    view.is_on_trial |= is_on_trial;
    view.agreement = match &view.reachability {
        Reachability::Unreachable(reason) => {
            Agreement { state: SyncState::Unreachable, reason: reason.clone(), at: Some(view.since) }
        }
        Reachability::Connected | Reachability::Untried => Plan::Send(desired.generation).agreement(),
    };
}

/// The ledger of the connection that the threads hash for.
pub(super) fn live_ledger(status: &v1::MinerStatus) -> Option<LiveLedger> {
    let connection = status.pools.iter().find(|pool| pool.live)?.connection.as_ref()?;
    Some(LiveLedger {
        boot_id: status.boot_id.clone(),
        connection: connection.connection_id,
        accepted: connection.totals.as_ref().map_or(0, |totals| totals.accepted),
    })
}

/// When to look, on the way to a time of day.
fn at(time: SystemTime) -> Instant {
    Instant::now() + time.duration_since(SystemTime::now()).unwrap_or_default().min(LONGEST_SLEEP)
}

/// A time for people, to the second.
fn humantime(time: SystemTime) -> String {
    let stamp = mujina_proto::convert::timestamp(time);
    prost_types::Timestamp { nanos: 0, ..stamp }.to_string()
}
