//! How many may come in at once: in all, from one address, in handshakes, and without being known.
//!
//! Handshakes cost computing and may be drawn out; whoever has to wait for one costs a socket. So connections wait here for
//! their turn, those of one address behind each other, and a hall full of miners behind one address is let in within seconds.
//! All of them together leave descriptors to the rest of the process, and those that wait leave most places to those inside.

use nix::sys::resource::{Resource, getrlimit};
use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Connections in all, and from one address.
const CONNECTIONS: (usize, usize) = (65_536, 16_384);
/// Connections that have not shaken hands, in all and from one address: who hangs up on more dials again.
const WAITING: (usize, usize) = (16_384, 2048);
/// Descriptors for the rest of the process: the database, callers on this machine and miners that it dials. An eighth, and
/// at least so many.
const RESERVE: usize = 128;
/// Handshakes at the same time in all, and from one address: some 20 KiB each.
const HANDSHAKES: (usize, usize) = (512, 128);
/// Connections without a certificate in all, and from one address: people with tokens, and miners that enrol.
const STRANGERS: (usize, usize) = (1024, 64);

/// All that may come in. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Places {
    connections: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    handshakes: Arc<Semaphore>,
    strangers: Arc<Semaphore>,
    addresses: Arc<Mutex<HashMap<IpAddr, Address>>>,
    limits: Limits,
}

/// Of one address.
#[derive(Debug)]
struct Address {
    connections: usize,
    /// Of those of them that have not shaken hands.
    waiting: Arc<Semaphore>,
    handshakes: Arc<Semaphore>,
    strangers: Arc<Semaphore>,
}

#[derive(Debug, Clone, Copy)]
struct Limits {
    connections: (usize, usize),
    waiting: (usize, usize),
    handshakes: (usize, usize),
    strangers: (usize, usize),
}

/// A connection that was let in, until it is dropped.
#[derive(Debug)]
pub(super) struct Guest {
    places: Places,
    address: IpAddr,
    _place: OwnedSemaphorePermit,
    /// Until it has shaken hands.
    waiting: Option<Turn>,
    own_handshakes: Arc<Semaphore>,
    own_strangers: Arc<Semaphore>,
}

/// A turn, until it is dropped.
#[derive(Debug)]
#[must_use = "the turn is over when this is dropped"]
pub(super) struct Turn {
    _own: OwnedSemaphorePermit,
    _of_all: OwnedSemaphorePermit,
}

impl Limits {
    /// Those of a process that may have so many files open. Pure.
    fn within(open_files: usize) -> Self {
        let most = open_files.saturating_sub(RESERVE.max(open_files / 8)).max(1);
        let of = |(all, own): (usize, usize), parts: (usize, usize)| {
            (all.min(most / parts.0).max(1), own.min(most / parts.1).max(1))
        };
        Self {
            connections: of(CONNECTIONS, (1, 1)),
            waiting: of(WAITING, (2, 8)),
            handshakes: HANDSHAKES,
            strangers: of(STRANGERS, (2, 2)),
        }
    }
}

impl Places {
    /// As many as this process may have.
    pub(super) fn of_this_process() -> Self {
        let soft = getrlimit(Resource::RLIMIT_NOFILE).map_or(u64::MAX, |(soft, _)| soft);
        Self::new(Limits::within(usize::try_from(soft).unwrap_or(usize::MAX)))
    }

    /// How many connections there are places for.
    pub(super) fn connections(&self) -> usize {
        self.limits.connections.0
    }

    fn new(limits: Limits) -> Self {
        Self {
            connections: Arc::new(Semaphore::new(limits.connections.0)),
            waiting: Arc::new(Semaphore::new(limits.waiting.0)),
            handshakes: Arc::new(Semaphore::new(limits.handshakes.0)),
            strangers: Arc::new(Semaphore::new(limits.strangers.0)),
            addresses: Arc::default(),
            limits,
        }
    }

    /// Lets a connection in; `None` = there are too many, of this address or in all.
    pub(super) fn enter(&self, address: IpAddr) -> Option<Guest> {
        let Limits { connections, waiting, handshakes, strangers } = self.limits;
        let address = address.to_canonical();
        let place = self.connections.clone().try_acquire_owned().ok()?;
        let of_all = self.waiting.clone().try_acquire_owned().ok()?;
        let mut all = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        let own = all.entry(address).or_insert_with(|| Address {
            connections: 0,
            waiting: Arc::new(Semaphore::new(waiting.1)),
            handshakes: Arc::new(Semaphore::new(handshakes.1)),
            strangers: Arc::new(Semaphore::new(strangers.1)),
        });
        if own.connections >= connections.1 {
            return None;
        }
        let waiting = Some(Turn { _own: own.waiting.clone().try_acquire_owned().ok()?, _of_all: of_all });
        own.connections += 1;
        let (own_handshakes, own_strangers) = (own.handshakes.clone(), own.strangers.clone());
        Some(Guest { places: self.clone(), address, _place: place, waiting, own_handshakes, own_strangers })
    }
}

impl Guest {
    /// Waits for its turn to shake hands.
    ///
    /// # Cancel safety
    /// Safe; the place in the queue is lost.
    pub(super) async fn handshake(&self) -> Turn {
        // First behind its own kind, so that an address never holds up others with those that wait.
        let own = self.own_handshakes.clone().acquire_owned().await.expect("never closed");
        let of_all = self.places.handshakes.clone().acquire_owned().await.expect("never closed");
        Turn { _own: own, _of_all: of_all }
    }

    /// It waits no more.
    pub(super) fn shook_hands(&mut self) {
        self.waiting = None;
    }

    /// Leave to stay without being known; `None` = there are too many of those.
    pub(super) fn stranger(&self) -> Option<Turn> {
        let own = self.own_strangers.clone().try_acquire_owned().ok()?;
        let of_all = self.places.strangers.clone().try_acquire_owned().ok()?;
        Some(Turn { _own: own, _of_all: of_all })
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let mut all = self.places.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = all.get_mut(&self.address) {
            own.connections = own.connections.saturating_sub(1);
            if own.connections == 0 {
                all.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    fn places() -> Places {
        Places::new(Limits { connections: (4, 3), waiting: (9, 9), handshakes: (3, 2), strangers: (2, 1) })
    }

    fn address(number: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, number])
    }

    #[test]
    fn connections_are_bounded_by_address_and_in_all_and_given_back() {
        let places = places();
        let mut greedy: Vec<_> = (0..3).map(|_| places.enter(address(1)).unwrap()).collect();
        assert!(places.enter(address(1)).is_none());
        assert!(places.enter("::ffff:192.0.2.1".parse().unwrap()).is_none(), "the same address");
        let other = places.enter(address(2)).unwrap();
        assert!(places.enter(address(3)).is_none(), "full");
        greedy.pop();
        assert!(places.enter(address(3)).is_some());
        drop((greedy, other));
        assert!(places.addresses.lock().unwrap().is_empty());
    }

    #[test]
    fn those_that_do_not_shake_hands_leave_places_to_those_that_do() {
        let limits = Limits { connections: (9, 9), waiting: (3, 2), handshakes: (3, 2), strangers: (2, 1) };
        let places = Places::new(limits);
        let mut idle: Vec<_> = (0..2).map(|_| places.enter(address(1)).unwrap()).collect();
        assert!(places.enter(address(1)).is_none(), "two of its wait");
        let mut other = places.enter(address(2)).unwrap();
        assert!(places.enter(address(3)).is_none(), "three wait");
        other.shook_hands();
        other.shook_hands();
        let third = places.enter(address(3)).unwrap();
        assert!(places.enter(address(2)).is_none());
        idle.pop();
        let fourth = places.enter(address(1)).unwrap();
        drop((idle, other, third, fourth));
        assert!(places.addresses.lock().unwrap().is_empty());
    }

    #[test]
    fn places_leave_descriptors_to_the_rest_of_the_process() {
        let small = Limits::within(1024);
        assert_eq!((small.connections, small.waiting), ((896, 896), (448, 112)));
        assert!(small.strangers.0 <= 448);
        let Limits { connections, waiting, strangers, .. } = Limits::within(1 << 20);
        assert_eq!((connections, waiting, strangers), (CONNECTIONS, WAITING, STRANGERS));
        assert_eq!(Limits::within(65_536).connections.0, 57_344);
        for few in 0..300 {
            assert!(Limits::within(few).connections.0 >= 1, "{few}");
        }
    }

    #[tokio::test]
    async fn address_that_draws_handshakes_out_leaves_turns_to_others() {
        let places = places();
        let guests: Vec<_> = (0..3).map(|_| places.enter(address(1)).unwrap()).collect();
        let turns = [guests[0].handshake().await, guests[1].handshake().await];
        assert!(guests[2].handshake().now_or_never().is_none());
        let other = places.enter(address(2)).unwrap();
        assert!(other.handshake().now_or_never().is_some());
        drop(turns);
        assert!(guests[2].handshake().now_or_never().is_some());
    }

    #[test]
    fn strangers_are_bounded() {
        let places = places();
        let (a, b, c) =
            (places.enter(address(1)).unwrap(), places.enter(address(1)).unwrap(), places.enter(address(2)).unwrap());
        let first = a.stranger().unwrap();
        assert!(b.stranger().is_none());
        assert!(c.stranger().is_some());
        drop(first);
        assert!(b.stranger().is_some());
    }
}
