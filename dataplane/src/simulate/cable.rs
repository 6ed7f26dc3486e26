//! A board's USB cable: two pseudo-terminals, and the thread that moves bytes between them and the board.
//!
//! The emulator keeps the host's ends open as well, so that a host may close and open its ports as on a real device, whose
//! settings and unread bytes stay. Unplugging closes everything: the host sees the end of file or `EIO`.

use super::{
    BoardKind, Options, Pacing, Remote, Violation,
    assembly::Assembly,
    mcu::{Outcome, PACKET},
    remote::Shared,
    worker::{self, Results},
};
use crate::transport::device::BoardDevice;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, ptsname, unlockpt},
    termios::{OptionalActions, tcgetattr, tcsetattr},
};
use std::{
    collections::VecDeque,
    ffi::OsString,
    io,
    os::{
        fd::OwnedFd,
        unix::{ffi::OsStringExt, net::UnixStream},
    },
    path::PathBuf,
    sync::{
        Arc, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// Portions that the worker is given at once: a few milliseconds of its time.
const BATCH: usize = 48;
/// How far two speeds may be apart.
const TOLERANCE: f64 = 0.05;

/// An emulated board. Dropping it unplugs it for good.
#[derive(Debug)]
pub struct SimulatedBoard {
    remote: Remote,
}

impl SimulatedBoard {
    /// Plugs a board in that was without power until now.
    ///
    /// # Errors
    /// The system gives no pseudo-terminal or no thread.
    pub fn start(kind: BoardKind, options: Options) -> io::Result<Self> {
        let remote = Remote::new(kind, options);
        remote.replug()?;
        Ok(Self { remote })
    }

    /// What discovery would tell of it. After [`Remote::replug`] its ports are others.
    #[must_use]
    pub fn device(&self) -> BoardDevice {
        self.remote.device()
    }

    /// A handle to play faults and to look inside.
    #[must_use]
    pub fn remote(&self) -> Remote {
        self.remote.clone()
    }
}

impl Drop for SimulatedBoard {
    fn drop(&mut self) {
        self.remote.unplug();
    }
}

/// A board that is plugged in.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) control: PathBuf,
    pub(super) data: PathBuf,
    stop: Arc<AtomicBool>,
    wake: UnixStream,
    threads: Vec<JoinHandle<()>>,
}

/// A pseudo-terminal with both ends.
#[derive(Debug)]
struct Port {
    near: OwnedFd,
    /// Kept open; see above.
    _far: OwnedFd,
    path: PathBuf,
}

impl Port {
    fn open() -> io::Result<Self> {
        let near = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        grantpt(&near)?;
        unlockpt(&near)?;
        let far = ioctl_tiocgptpeer(&near, OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        let mut settings = tcgetattr(&far)?;
        settings.make_raw();
        settings.set_speed(115_200)?;
        tcsetattr(&far, OptionalActions::Now, &settings)?;
        rustix::io::ioctl_fionbio(&near, true)?;
        let path = PathBuf::from(OsString::from_vec(ptsname(&near, Vec::new())?.into_bytes()));
        Ok(Self { near, _far: far, path })
    }

    /// The host's speed in baud.
    fn speed(&self) -> f64 {
        tcgetattr(&self.near).map_or(0.0, |settings| f64::from(settings.output_speed()))
    }

    /// What is there; empty when nothing is.
    fn read(&self) -> io::Result<Vec<u8>> {
        let mut buffer = [0; 4096];
        match rustix::io::read(&self.near, &mut buffer) {
            Ok(count) => Ok(buffer.get(..count).unwrap_or_default().to_vec()),
            Err(Errno::AGAIN | Errno::INTR) => Ok(Vec::new()),
            Err(error) => Err(error.into()),
        }
    }

    /// Writes what fits, and says how much it was.
    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        match rustix::io::write(&self.near, bytes) {
            Ok(count) => Ok(count),
            Err(Errno::AGAIN | Errno::INTR) => Ok(0),
            Err(error) => Err(error.into()),
        }
    }
}

impl Session {
    /// Opens ports and starts the threads. `swapped` makes the data port first, so that names sort the other way round.
    pub(super) fn start(shared: &Arc<Shared>, options: &Options, swapped: bool) -> io::Result<Self> {
        let (first, second) = (Port::open()?, Port::open()?);
        let (control, data) = if swapped { (second, first) } else { (first, second) };
        let (wake, woken) = UnixStream::pair()?;
        let from_worker = wake.try_clone()?;
        [&wake, &woken, &from_worker].into_iter().try_for_each(|stream| stream.set_nonblocking(true))?;
        // One batch is under way at a time, and one result.
        let (portions, worker_portions) = sync_channel(1);
        let (worker_results, results) = sync_channel(1);
        let worker = worker::start(&options.place, worker_portions, worker_results, from_worker)?;
        let stop = Arc::new(AtomicBool::new(false));
        let paths = (control.path.clone(), data.path.clone());
        let mut mover = Mover {
            shared: Arc::clone(shared),
            control,
            data,
            woken,
            stop: Arc::clone(&stop),
            pacing: options.pacing,
            arriving: VecDeque::new(),
            line_free: Instant::now(),
            leaving: Vec::new(),
            portions,
            results,
            is_hashing: false,
        };
        let name = options.place.clone();
        let mover = std::thread::Builder::new().name(name).spawn(move || while mover.turn().is_ok() {})?;
        Ok(Self { control: paths.0, data: paths.1, stop, wake, threads: vec![mover, worker] })
    }

    /// Tells the thread that there is something to look at.
    pub(super) fn wake(&self) {
        let _ = rustix::io::write(&self.wake, &[0]);
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        self.wake();
        for thread in self.threads.drain(..) {
            // A panic of theirs has been reported by the panic hook.
            let _ = thread.join();
        }
    }
}

/// Moves bytes.
#[derive(Debug)]
struct Mover {
    shared: Arc<Shared>,
    control: Port,
    data: Port,
    woken: UnixStream,
    stop: Arc<AtomicBool>,
    pacing: Pacing,
    /// Bytes on the line to the chips, and when the last of each has arrived.
    arriving: VecDeque<(Instant, Vec<u8>)>,
    line_free: Instant,
    /// Bytes that the host's port did not take yet.
    leaving: Vec<u8>,
    portions: SyncSender<Vec<super::hasher::Portion>>,
    results: Receiver<Results>,
    is_hashing: bool,
}

impl Mover {
    /// Waits for something, and does all that is due. `Err` ends the session.
    fn turn(&mut self) -> io::Result<()> {
        let wakes_at = self.with(|assembly, now| assembly.wakes_at(now));
        let wakes_at = self.arriving.front().map_or(wakes_at, |(at, _)| wakes_at.min(*at));
        let wait = wakes_at.saturating_duration_since(Instant::now());
        // A host that does not read keeps the bridge from reading, as on the real one.
        let reads = if self.leaving.is_empty() { PollFlags::IN } else { PollFlags::OUT };
        let mut ports = [
            PollFd::new(&self.control.near, PollFlags::IN),
            PollFd::new(&self.data.near, reads),
            PollFd::new(&self.woken, PollFlags::IN),
        ];
        match poll(&mut ports, Some(&timespec(wait))) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let _ = rustix::io::read(&self.woken, &mut [0_u8; 64]);
        if self.stop.load(Ordering::Acquire) {
            return Err(io::Error::other("unplugged"));
        }
        self.move_control()?;
        self.move_data()?;
        self.hash();
        Ok(())
    }

    fn with<T>(&self, act: impl FnOnce(&mut Assembly, Instant) -> T) -> T {
        let mut assembly = self.shared.assembly.lock().unwrap_or_else(PoisonError::into_inner);
        act(&mut assembly, Instant::now())
    }

    fn move_control(&mut self) -> io::Result<()> {
        let bytes = self.control.read()?;
        if bytes.is_empty() {
            self.with(Assembly::discard);
        }
        for packet in bytes.chunks(PACKET) {
            match self.with(|assembly, now| assembly.control(packet, now)) {
                Outcome::Nothing => {}
                Outcome::Reply(reply) => {
                    self.control.write(&reply)?;
                }
                Outcome::Restart => {
                    self.with(Assembly::restart_controller);
                    return Err(io::Error::other("the controller restarts"));
                }
            }
        }
        Ok(())
    }

    fn move_data(&mut self) -> io::Result<()> {
        if self.leaving.is_empty() {
            let bytes = self.data.read()?;
            if !bytes.is_empty() {
                let now = Instant::now();
                let count = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
                let byte = match self.pacing {
                    Pacing::Line => Duration::from_secs_f64(10.0 / self.data.speed().max(1200.0)),
                    Pacing::Immediate => Duration::ZERO,
                };
                self.line_free = self.line_free.max(now) + byte.saturating_mul(count);
                self.arriving.push_back((self.line_free, bytes));
            }
        }
        let now = Instant::now();
        while self.arriving.front().is_some_and(|(at, _)| *at <= now) {
            let Some((_, bytes)) = self.arriving.pop_front() else { break };
            let speed = self.data.speed();
            self.with(|assembly, now| deliver(assembly, &bytes, speed, now));
        }
        if self.leaving.is_empty() {
            let speed = self.data.speed();
            self.leaving = self.with(|assembly, now| collect(assembly, speed, now));
        }
        if !self.leaving.is_empty() {
            let count = self.data.write(&self.leaving)?;
            self.leaving.drain(..count.min(self.leaving.len()));
        }
        Ok(())
    }

    /// Takes what the worker has found, and gives it what is due.
    fn hash(&mut self) {
        let results = self.results.try_recv().ok();
        self.is_hashing &= results.is_none();
        let portions = self.with(|assembly, now| {
            assembly.refresh(now);
            for (portion, found) in results.into_iter().flatten() {
                assembly.chain.finish(&portion, &found, now);
            }
            if self.is_hashing { Vec::new() } else { assembly.chain.portions(now, BATCH) }
        });
        if !portions.is_empty() {
            self.is_hashing = self.portions.try_send(portions).is_ok();
        }
    }
}

/// Gives the chips what came over the line, if the speeds agree.
fn deliver(assembly: &mut Assembly, bytes: &[u8], speed: f64, now: Instant) {
    if !assembly.moves_data() {
        return;
    }
    assembly.refresh(now);
    if agrees(speed, assembly) || !assembly.chain.listens(now) {
        assembly.chain.take_bytes(bytes, now);
    } else {
        assembly.chain.complain(Violation::BaudMismatch, bytes, now);
    }
}

/// What the chips have sent by now, as the host's speed makes it look.
fn collect(assembly: &mut Assembly, speed: f64, now: Instant) -> Vec<u8> {
    let bytes = assembly.chain.due(now);
    if !assembly.moves_data() {
        return Vec::new();
    }
    if agrees(speed, assembly) { bytes } else { bytes.into_iter().map(|byte| byte.rotate_left(3) | 0x11).collect() }
}

fn agrees(speed: f64, assembly: &Assembly) -> bool {
    let chips = assembly.chain.baud();
    (speed - chips).abs() <= chips * TOLERANCE
}

fn timespec(wait: Duration) -> Timespec {
    let seconds = i64::try_from(wait.as_secs()).unwrap_or(i64::MAX);
    Timespec { tv_sec: seconds, tv_nsec: wait.subsec_nanos().into() }
}
