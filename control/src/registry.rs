//! The miners that this control plane knows, each with its way there and what was last seen of it.
//!
//! The session of a miner owns its view; everybody else reads snapshots of it. Desired states come from `spec` and wait here
//! for the session. This is a door: below it, miners speak in messages.

mod convert;
mod link;
mod log;
mod marks;
mod pacer;
mod places;
mod reading;
mod seen;
mod select;
mod session;
mod way;
mod work;

use crate::{
    config::MinerConfig,
    reconcile::{Agreement, Confirmed, Trial},
    selector::Labels,
    spec::{DesiredState, NewDesired},
};
pub(crate) use link::deepest;
pub use link::{CallError, CallKind, Link, ReconnectEvent};
use log::ChangeLog;
pub use log::{Departure, News};
pub use marks::{LabelChange, MAX_LABELS, MarkError, Marks};
use mujina_core::{
    id::{Generation, MinerName},
    units::Watts,
};
use mujina_proto::{
    dial::{self, Address, DialError},
    home::Attached,
    types::v1,
};
pub(crate) use pacer::{Pacer, pacer};
pub(crate) use places::Place;
use places::Places;
pub use reading::FIELDS;
pub(crate) use select::{Matching, select};
pub(crate) use session::{Around, Session, notes};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};
use tokio::{sync::watch, time::Instant};
pub use way::{NotAtHome, Way};
pub(crate) use work::{Finding, PoolToTest, headed, no_boards};

/// First delay before a miner is tried again, and the longest.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));

/// The delay after `failures` in a row (1 = the first), doubled with each, times 0.5 to 1 by `jitter` in 0..1, so that
/// not all miners are tried at once.
#[must_use]
pub fn backoff(failures: u32, jitter: f64) -> Duration {
    let (first, longest) = BACKOFF;
    let doubled = first.saturating_mul(1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX));
    doubled.min(longest).mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0)
}

/// All miners. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Registry(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    miners: watch::Sender<Arc<Miners>>,
    log: Arc<ChangeLog>,
    /// What was set of miners, also of those that have not come yet.
    kept: watch::Sender<Arc<BTreeMap<MinerName, Marks>>>,
    /// Tells revisions of this process from those of others.
    instance: String,
}

/// Miners by their names.
pub type Miners = BTreeMap<MinerName, Arc<Miner>>;

/// One miner.
#[derive(Debug)]
pub struct Miner {
    /// Name in the configuration, or in its certificate.
    pub name: MinerName,
    /// Where it is reached; `None` = it calls home.
    pub address: Option<Address>,
    remembered: Mutex<Remembered>,
    quarantine: watch::Sender<Option<Arc<str>>>,
    /// For calls of our own.
    pub link: Link,
    /// For calls of others; where we dial, on a connection of their own: their streams never use up ours.
    pub relay: Way,
    places: Places,
    /// Where the newest connection of a miner goes that calls home.
    home: watch::Sender<Option<Attached>>,
    view: watch::Sender<Arc<MinerView>>,
    desired: watch::Sender<Option<Told>>,
    /// Shared with the registry.
    log: Arc<ChangeLog>,
}

/// What is known of a miner besides what is seen of it.
#[derive(Debug)]
struct Remembered {
    /// Labels of the configuration or of the token that it enrolled with last.
    base: Arc<Labels>,
    marks: Marks,
    /// Those that it came with, with what was set since.
    labels: Arc<Labels>,
    /// What it draws when it hashes.
    power: Option<Watts>,
    /// Since when it has been seen to hash without a break.
    hashing_since: Option<Instant>,
    /// When it had no statistics that were not stored.
    collected_at: Option<Instant>,
}

/// What was last seen of a miner.
#[derive(Debug, Clone)]
pub struct MinerView {
    /// Greater with every change of any miner's view.
    pub revision: u64,
    /// Whether its API answers.
    pub reachability: Reachability,
    /// Since when.
    pub since: SystemTime,
    /// Whether it does what is wanted.
    pub agreement: Agreement,
    /// Generation of the desired state that `agreement` speaks of; 0 = none.
    pub desired_generation: Generation,
    /// What it said last of its spec.
    pub confirmed: Option<Arc<Confirmed>>,
    /// The same as it was said, for people who ask.
    pub spec_state: Option<Arc<v1::SpecState>>,
    /// The newest status tree, and when it arrived.
    pub status: Option<(Arc<v1::MinerStatus>, SystemTime)>,
    /// When it last answered with its spec.
    pub heard_at: Option<SystemTime>,
    /// Whether what is wanted is not sent yet because others are switched first: its time has not begun.
    pub waits_for_turn: bool,
    /// Whether what is wanted, or something before it, has to prove itself and may still.
    pub is_on_trial: bool,
}

/// Whether a miner's API answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reachability {
    /// Not tried yet.
    Untried,
    /// It does.
    Connected,
    /// It does not, because of this.
    Unreachable(String),
}

impl Registry {
    /// The miners of the configuration with what is wanted of them. Nothing is dialled yet.
    ///
    /// # Errors
    /// An address that cannot be dialled at all.
    pub fn new(miners: &BTreeMap<MinerName, MinerConfig>, desired: Vec<DesiredState>) -> Result<Self, DialError> {
        let mut desired: BTreeMap<_, _> = desired.into_iter().map(|one| (one.miner.clone(), Arc::new(one))).collect();
        let log = Arc::new(ChangeLog::new());
        let miner = |(name, config): (&MinerName, &MinerConfig)| {
            let MinerConfig { address, labels } = config;
            let way = || dial::dial_lazy(address).map(Way::Dialled);
            let plan = MinerPlan {
                name: name.clone(),
                address: Some(address.clone()),
                labels: labels.clone(),
                link: way()?,
                relay: way()?,
                home: watch::Sender::new(None),
                desired: desired.remove(name),
            };
            Ok((name.clone(), Arc::new(plan.miner(&log))))
        };
        let miners: Miners = miners.iter().map(miner).collect::<Result<_, DialError>>()?;
        Ok(Self(Arc::new(Shared {
            miners: watch::Sender::new(Arc::new(miners)),
            log,
            kept: watch::Sender::default(),
            instance: uuid::Uuid::new_v4().simple().to_string(),
        })))
    }

    /// Knows one more miner from now on, which calls home. `false` = the name is known already, and nothing changed.
    pub fn enrolled(&self, name: &MinerName, labels: BTreeMap<String, String>, desired: Option<DesiredState>) -> bool {
        if self.get(name).is_some() {
            return false;
        }
        let home = watch::Sender::new(None);
        let plan = MinerPlan {
            name: name.clone(),
            address: None,
            labels,
            link: Way::Home(home.subscribe()),
            relay: Way::Home(home.subscribe()),
            home,
            desired: desired.map(Arc::new),
        };
        let miner = Arc::new(plan.miner(&self.0.log));
        // The log's lock is taken before that of the miners, never after it.
        let marks = self.0.kept.borrow().get(name).cloned();
        if let Some(marks) = marks {
            miner.mark(&marks);
        }
        let added = self.0.miners.send_if_modified(|miners| {
            let is_new = !miners.contains_key(name);
            if is_new {
                Arc::make_mut(miners).insert(name.clone(), miner.clone());
            }
            is_new
        });
        if added {
            miner.change(|_| {});
        }
        added
    }

    /// A miner got a certificate of its own: it is known from now on, and comes with these labels, also where it was known
    /// before. The configuration's word on a miner stands.
    pub(crate) fn arrived(&self, name: &MinerName, labels: Labels, desired: Option<DesiredState>) {
        if self.enrolled(name, labels.clone(), desired) {
            return;
        }
        if let Some(miner) = self.get(name).filter(|miner| miner.address.is_none())
            && miner.come_with(labels)
        {
            self.0.miners.send_modify(|_| {});
        }
    }

    /// Knows a miner no more.
    fn forget(&self, miner: &Arc<Miner>) {
        if let Some(connection) = miner.home.send_replace(None) {
            connection.close();
        }
        self.0.kept.send_modify(|kept| drop(Arc::make_mut(kept).remove(&miner.name)));
        self.0.log.forget(&miner.name);
        self.0.log.departed(&miner.name, miner.labels(), || {
            self.0.miners.send_if_modified(|miners| {
                // Who enrolled anew under the name meanwhile is another.
                let is_there = miners.get(&miner.name).is_some_and(|known| Arc::ptr_eq(known, miner));
                is_there && Arc::make_mut(miners).remove(&miner.name).is_some()
            });
        });
    }

    /// The miner of this name.
    #[must_use]
    pub fn get(&self, name: &MinerName) -> Option<Arc<Miner>> {
        self.0.miners.borrow().get(name).cloned()
    }

    /// All miners.
    #[must_use]
    pub fn all(&self) -> Arc<Miners> {
        self.0.miners.borrow().clone()
    }

    /// All miners now, and from now on with each that is added.
    #[must_use]
    pub fn arrivals(&self) -> watch::Receiver<Arc<Miners>> {
        self.0.miners.subscribe()
    }

    /// Told of each change of any view.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.0.log.subscribe()
    }

    /// The newest revision.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.0.log.revision()
    }

    /// What happened since a revision, up to so many changes; `None` = that is no longer known.
    #[must_use]
    pub fn since(&self, seen: u64, most: usize) -> Option<News> {
        self.0.log.since(seen, most)
    }

    /// Tells revisions of this process from those of others.
    #[must_use]
    pub fn instance(&self) -> &str {
        &self.0.instance
    }
}

/// A desired state, as the session is told of it.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    desired: Arc<DesiredState>,
    /// When it comes from the write that stored it: the generation before, and what it has to stand.
    stored: Option<(Generation, Option<Trial>)>,
}

/// What a miner is made of.
struct MinerPlan {
    name: MinerName,
    address: Option<Address>,
    labels: BTreeMap<String, String>,
    link: Way,
    relay: Way,
    home: watch::Sender<Option<Attached>>,
    desired: Option<Arc<DesiredState>>,
}

impl MinerPlan {
    fn miner(self, log: &Arc<ChangeLog>) -> Miner {
        let Self { name, address, labels, link, relay, home, desired } = self;
        let quarantine = watch::Sender::new(None);
        let view = MinerView {
            revision: 0,
            reachability: Reachability::Untried,
            since: SystemTime::now(),
            agreement: Agreement::default(),
            desired_generation: desired.as_ref().map(|desired| desired.generation).unwrap_or_default(),
            confirmed: None,
            spec_state: None,
            status: None,
            heard_at: None,
            waits_for_turn: false,
            is_on_trial: false,
        };
        let base = Arc::new(labels);
        let labels = base.clone();
        let remembered =
            Remembered { base, marks: Marks::default(), labels, power: None, hashing_since: None, collected_at: None };
        Miner {
            name,
            address,
            remembered: Mutex::new(remembered),
            link: Link::new(link, quarantine.subscribe()),
            quarantine,
            relay,
            places: Places::default(),
            home,
            view: watch::Sender::new(Arc::new(view)),
            desired: watch::Sender::new(desired.map(|desired| Told { desired, stored: None })),
            log: log.clone(),
        }
    }
}

impl Miner {
    /// A place for a call that is handed on, until it is dropped; `None` = there are too many.
    pub(crate) fn place(&self, person: String, changes: bool) -> Option<Place> {
        self.places.take(person, changes)
    }

    /// The connection on which it called home, while that is open.
    pub(crate) fn home(&self) -> Option<Attached> {
        self.home.borrow().clone().filter(|newest| !newest.has_ended())
    }

    /// Its newest connection, on which it called home. The one before is closed.
    pub fn attach(&self, connection: Attached) {
        if let Some(before) = self.home.send_replace(Some(connection)) {
            before.close();
        }
    }

    fn remembered(&self) -> MutexGuard<'_, Remembered> {
        // What is written under the lock is whole at each step.
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Its labels: of the configuration or of the token that it enrolled with, with those set since.
    #[must_use]
    pub fn labels(&self) -> Arc<Labels> {
        self.remembered().labels.clone()
    }

    /// Why nothing is sent to it; `None` = it is not in quarantine.
    #[must_use]
    pub fn quarantine(&self) -> Option<Arc<str>> {
        self.quarantine.borrow().clone()
    }

    /// The same, and from now on.
    #[must_use]
    pub fn quarantines(&self) -> watch::Receiver<Option<Arc<str>>> {
        self.quarantine.subscribe()
    }

    /// When it had no statistics that were not stored; `None` = not since this process began.
    pub(crate) fn collected_at(&self) -> Option<Instant> {
        self.remembered().collected_at
    }

    /// Asked at this time, it has no statistics that are not stored.
    pub(crate) fn collected(&self, at: Instant) {
        self.remembered().collected_at = Some(at);
    }

    /// What it draws when it hashes, also while it does not or still spins up; `None` = that was never measured.
    #[must_use]
    pub fn power(&self) -> Option<Watts> {
        self.remembered().power
    }

    /// What was last seen of it.
    #[must_use]
    pub fn view(&self) -> Arc<MinerView> {
        self.view.borrow().clone()
    }

    /// What is seen of it, from now on.
    #[must_use]
    pub fn views(&self) -> watch::Receiver<Arc<MinerView>> {
        self.view.subscribe()
    }

    /// What is wanted of it.
    #[must_use]
    pub fn desired(&self) -> Option<Arc<DesiredState>> {
        self.desired.borrow().as_ref().map(|told| told.desired.clone())
    }

    /// Waits until its API answers.
    pub async fn connected(&self) {
        let mut views = self.view.subscribe();
        let connected = views.wait_for(|view| view.reachability == Reachability::Connected).await;
        // The sender lives as long as `self`.
        drop(connected);
    }

    /// Hands a desired state that was just stored to the session. Older ones than known are ignored.
    pub(crate) fn publish_new(&self, new: &NewDesired) {
        let NewDesired { desired, before, trial, .. } = new;
        self.publish(Told { desired: desired.clone(), stored: Some((*before, trial.clone())) });
    }

    /// The same for one that was stored some time ago.
    pub(crate) fn publish_desired(&self, desired: &Arc<DesiredState>) {
        self.publish(Told { desired: desired.clone(), stored: None });
    }

    fn publish(&self, told: Told) {
        let desired = told.desired.clone();
        let is_on_trial = matches!(told.stored, Some((_, Some(_))));
        let is_news = self.desired.send_if_modified(|known| {
            let is_newer = known.as_ref().is_none_or(|known| known.desired.generation < desired.generation);
            if is_newer {
                *known = Some(told);
            }
            is_newer
        });
        if is_news {
            self.change(|view| session::judge_again(view, &desired, is_on_trial));
        }
    }

    /// Changes the view and tells everybody.
    fn change(&self, change: impl FnOnce(&mut MinerView)) {
        self.log.changed(&self.name, |revision| {
            let mut before = 0;
            self.view.send_modify(|view| {
                let mut next = MinerView::clone(view);
                change(&mut next);
                before = std::mem::replace(&mut next.revision, revision);
                *view = Arc::new(next);
            });
            before
        });
        let (reading, now) = (reading::hashing_power(&self.view()), Instant::now());
        let mut remembered = self.remembered();
        remembered.hashing_since = reading.and(remembered.hashing_since.or(Some(now)));
        if let (Some(reading), Some(since)) = (reading, remembered.hashing_since) {
            remembered.power = Some(reading::settled(remembered.power, reading, now.duration_since(since)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_from_half_a_second_to_half_a_minute() {
        let millis: Vec<_> = (1..=8).map(|n| backoff(n, 1.0).as_millis()).collect();
        assert_eq!(millis, [500, 1000, 2000, 4000, 8000, 16000, 30000, 30000]);
        assert_eq!(backoff(u32::MAX, 0.0), Duration::from_secs(15));
    }
}
