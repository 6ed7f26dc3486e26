//! The hand that plays with an emulated board while a driver works with it.

use super::{
    BoardKind, Fault, Options, PhysicsReport, Record, Statistics, ViolationRecord,
    assembly::Assembly,
    cable::Session,
    fault::Faults,
    record::{Event, Log},
};
use crate::transport::device::BoardDevice;
use std::{
    io,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

/// What the threads of a board share with its remotes.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) assembly: Mutex<Assembly>,
}

/// Plays faults, pulls the plug, and tells what happened. Clones are the same hand.
#[derive(Debug, Clone)]
pub struct Remote {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    kind: BoardKind,
    options: Options,
    faults: Faults,
    log: Log,
    shared: Arc<Shared>,
    plug: Mutex<Plug>,
}

/// The cable, and how often it was plugged in.
#[derive(Debug, Default)]
struct Plug {
    session: Option<Session>,
    times: u32,
}

impl Remote {
    /// A board that is not plugged in.
    pub(super) fn new(kind: BoardKind, options: Options) -> Self {
        let now = Instant::now();
        let (faults, log) = (Faults::default(), Log::since(now));
        let assembly = Mutex::new(Assembly::new(kind, &options, faults.clone(), log.clone(), now));
        let shared = Arc::new(Shared { assembly });
        Self { inner: Arc::new(Inner { kind, options, faults, log, shared, plug: Mutex::default() }) }
    }

    /// Lets something go wrong, until it is cleared.
    pub fn inject(&self, fault: Fault) {
        self.inner.faults.inject(fault);
        self.wake();
    }

    /// Ends a fault.
    pub fn clear(&self, fault: Fault) {
        self.inner.faults.clear(fault);
        self.wake();
    }

    /// Whether a fault is in force; one that happens once is not any more when it has.
    #[must_use]
    pub fn has(&self, fault: Fault) -> bool {
        self.inner.faults.has(fault)
    }

    /// Pulls the cable: both ports are closed when this returns.
    pub fn unplug(&self) {
        let session = self.plug().session.take();
        if session.is_some() {
            drop(session);
            self.inner.log.note(Event::Plugged(false), Instant::now());
        }
    }

    /// Plugs the board in after all power was gone: everything is as at power-on. Ports are new ones, and every other time
    /// their names sort the other way round.
    ///
    /// # Errors
    /// The system gives no pseudo-terminal or no thread.
    pub fn replug(&self) -> io::Result<BoardDevice> {
        self.unplug();
        let Inner { kind, options, faults, log, shared, .. } = &*self.inner;
        let now = Instant::now();
        let mut fresh = Assembly::new(*kind, options, faults.clone(), log.clone(), now);
        {
            let mut assembly = shared.assembly.lock().unwrap_or_else(PoisonError::into_inner);
            fresh.chain.keep_count(&assembly.chain);
            *assembly = fresh;
        }
        self.plug_in()
    }

    /// Plugs the cable in again while the board kept its power and its state, as a Bitaxe does: it may still be hashing.
    /// Also after the controller has restarted.
    ///
    /// # Errors
    /// The system gives no pseudo-terminal or no thread.
    pub fn reconnect(&self) -> io::Result<BoardDevice> {
        self.unplug();
        self.plug_in()
    }

    /// The device as discovery tells it; without a cable its ports are paths that do not exist.
    #[must_use]
    pub fn device(&self) -> BoardDevice {
        let plug = self.plug();
        let gone = || PathBuf::from("/dev/null/unplugged");
        let (control, data) = match &plug.session {
            Some(session) => (session.control.clone(), session.data.clone()),
            None => (gone(), gone()),
        };
        let (manufacturer, product) = self.inner.kind.strings();
        let Options { serial, place, release, .. } = self.inner.options.clone();
        BoardDevice {
            place,
            manufacturer: manufacturer.to_owned(),
            product: product.to_owned(),
            serial,
            release,
            control,
            data,
        }
    }

    /// What was done to the board, oldest first.
    #[must_use]
    pub fn record(&self) -> Vec<Record> {
        self.inner.log.records()
    }

    /// What should not have been done to it.
    #[must_use]
    pub fn violations(&self) -> Vec<ViolationRecord> {
        self.inner.log.violations()
    }

    /// What the chips did.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        self.assembly().chain.statistics()
    }

    /// What an instrument would measure now.
    #[must_use]
    pub fn physics(&self) -> PhysicsReport {
        let mut assembly = self.assembly();
        assembly.refresh(Instant::now());
        assembly.report()
    }

    /// Hashes per second that the chips should make at the clock in force.
    #[must_use]
    pub fn nominal_hash_rate(&self) -> mujina_core::units::HashRate {
        self.assembly().chain.nominal_hash_rate()
    }

    fn plug_in(&self) -> io::Result<BoardDevice> {
        let mut plug = self.plug();
        let swapped = plug.times % 2 == 1;
        plug.session = Some(Session::start(&self.inner.shared, &self.inner.options, swapped)?);
        plug.times = plug.times.wrapping_add(1);
        drop(plug);
        self.inner.log.note(Event::Plugged(true), Instant::now());
        Ok(self.device())
    }

    fn wake(&self) {
        self.plug().session.iter().for_each(Session::wake);
    }

    fn plug(&self) -> MutexGuard<'_, Plug> {
        self.inner.plug.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn assembly(&self) -> MutexGuard<'_, Assembly> {
        self.inner.shared.assembly.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
