//! The miners that this control plane knows, each with its way there and what was last seen of it.
//!
//! The session of a miner owns its view; everybody else reads snapshots of it. Desired states come from `spec` and wait here
//! for the session. This is a door: below it, miners speak in messages.

mod convert;
mod link;
mod session;
mod way;

use crate::{
    config::MinerConfig,
    reconcile::{Agreement, Confirmed},
    selector::Labels,
    spec::DesiredState,
};
pub(crate) use link::deepest;
pub use link::{CallError, CallKind, Link, ReconnectEvent};
use mujina_core::id::{Generation, MinerName};
use mujina_proto::{
    dial::{self, Address, DialError},
    home::Attached,
    types::v1,
};
pub(crate) use session::Session;
use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio::sync::watch;
pub use way::{NotAtHome, Way};

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
    changes: watch::Sender<u64>,
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
    labels: watch::Sender<Arc<Labels>>,
    /// For calls of our own.
    pub link: Link,
    /// For calls of others; where we dial, on a connection of their own: their streams never use up ours.
    pub relay: Way,
    /// Where the newest connection of a miner goes that calls home.
    home: watch::Sender<Option<Attached>>,
    view: watch::Sender<Arc<MinerView>>,
    desired: watch::Sender<Option<Arc<DesiredState>>>,
    /// Shared with the registry.
    changes: watch::Sender<u64>,
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
        let changes = watch::Sender::new(0);
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
            Ok((name.clone(), Arc::new(plan.miner(&changes))))
        };
        let miners: Miners = miners.iter().map(miner).collect::<Result<_, DialError>>()?;
        Ok(Self(Arc::new(Shared { miners: watch::Sender::new(Arc::new(miners)), changes })))
    }

    /// Knows one more miner from now on, which calls home. `false` = the name is known already, and nothing changed.
    pub fn enrolled(&self, name: &MinerName, labels: BTreeMap<String, String>, desired: Option<DesiredState>) -> bool {
        let added = self.0.miners.send_if_modified(|miners| {
            if miners.contains_key(name) {
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
            let miner = Arc::new(plan.miner(&self.0.changes));
            Arc::make_mut(miners).insert(name.clone(), miner);
            true
        });
        if added {
            self.0.changes.send_modify(|count| *count += 1);
        }
        added
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
        self.0.changes.subscribe()
    }
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
    fn miner(self, changes: &watch::Sender<u64>) -> Miner {
        let Self { name, address, labels, link, relay, home, desired } = self;
        let view = MinerView {
            revision: *changes.borrow(),
            reachability: Reachability::Untried,
            since: SystemTime::now(),
            agreement: Agreement::default(),
            desired_generation: desired.as_ref().map(|desired| desired.generation).unwrap_or_default(),
            confirmed: None,
            spec_state: None,
            status: None,
        };
        Miner {
            name,
            address,
            labels: watch::Sender::new(Arc::new(labels)),
            link: Link::new(link),
            relay,
            home,
            view: watch::Sender::new(Arc::new(view)),
            desired: watch::Sender::new(desired),
            changes: changes.clone(),
        }
    }
}

impl Miner {
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

    /// Its labels: of the configuration or of the token that it enrolled with, with those set since.
    #[must_use]
    pub fn labels(&self) -> Arc<Labels> {
        self.labels.borrow().clone()
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
        self.desired.borrow().clone()
    }

    /// Waits until its API answers.
    pub async fn connected(&self) {
        let mut views = self.view.subscribe();
        let connected = views.wait_for(|view| view.reachability == Reachability::Connected).await;
        // The sender lives as long as `self`.
        drop(connected);
    }

    /// Hands a desired state that was stored to the session. Older ones than known are ignored.
    pub(crate) fn publish_desired(&self, desired: &Arc<DesiredState>) {
        let is_news = self.desired.send_if_modified(|known| {
            let is_newer = known.as_ref().is_none_or(|known| known.generation < desired.generation);
            if is_newer {
                *known = Some(desired.clone());
            }
            is_newer
        });
        if is_news {
            self.change(|view| session::judge_again(view, desired));
        }
    }

    /// Changes the view and tells everybody.
    fn change(&self, change: impl FnOnce(&mut MinerView)) {
        let mut revision = 0;
        self.changes.send_modify(|count| {
            *count += 1;
            revision = *count;
        });
        self.view.send_modify(|view| {
            let mut next = MinerView::clone(view);
            change(&mut next);
            next.revision = revision;
            *view = Arc::new(next);
        });
        // Whoever read between the two looks again.
        self.changes.send_modify(|_| {});
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
