//! Emulated chips at the other end of a pseudo-terminal, moved by the benchmark itself.

use mujina_dataplane::{
    simulate::{self, ChipModel, Options, Supply},
    thread::chain::ChainOrder,
};
use nix::{
    errno::Errno,
    fcntl::{FcntlArg, OFlag, fcntl},
    poll::{PollFd, PollFlags},
    pty::openpty,
    sys::termios::{SetArg, cfmakeraw, tcgetattr, tcsetattr},
    unistd::{read, ttyname, write},
};
use std::{
    error::Error,
    os::fd::{AsFd, OwnedFd},
    path::PathBuf,
    time::{Duration, Instant},
};
use tokio::sync::{mpsc, oneshot};

/// Longer than a chain takes for anything that it is told.
const DEADLINE: Duration = Duration::from_secs(120);

/// A chain's line, seen from its chips.
pub(crate) struct Line {
    near: OwnedFd,
    /// Keeps the terminal open until the driver has opened it.
    _far: OwnedFd,
    pub(crate) path: PathBuf,
    pub(crate) chips: simulate::Chain,
}

impl Line {
    pub(crate) fn new(model: ChipModel, count: u8, options: &Options) -> Result<Self, Box<dyn Error>> {
        let pty = openpty(None, None)?;
        let mut settings = tcgetattr(&pty.slave)?;
        cfmakeraw(&mut settings);
        tcsetattr(&pty.slave, SetArg::TCSANOW, &settings)?;
        fcntl(&pty.master, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        let path = ttyname(&pty.slave)?;
        // So long ago that they listen now.
        let now = Instant::now().checked_sub(Duration::from_millis(10)).ok_or("the machine has just started")?;
        let mut chips = simulate::Chain::new(model, count, options, now);
        chips.supply(Supply::GOOD, now);
        Ok(Self { near: pty.master, _far: pty.slave, path, chips })
    }

    /// What the driver has sent and nobody has read, up to 4096 bytes; empty when there is nothing.
    pub(crate) fn read<'a>(&self, buffer: &'a mut [u8; 4096]) -> Result<&'a [u8], Errno> {
        match read(&self.near, buffer) {
            Ok(count) => Ok(buffer.get(..count).unwrap_or_default()),
            Err(Errno::EAGAIN) => Ok(&[]),
            Err(error) => Err(error),
        }
    }

    /// For waiting until the driver has sent something.
    pub(crate) fn poll_for_input(&self) -> PollFd<'_> {
        PollFd::new(self.near.as_fd(), PollFlags::POLLIN)
    }

    /// Sends bytes to the driver.
    pub(crate) fn write(&self, mut bytes: &[u8]) -> Result<(), Errno> {
        while !bytes.is_empty() {
            match write(&self.near, bytes) {
                Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
                Err(Errno::EAGAIN) => std::thread::yield_now(),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Lets the chips hear what was sent to them and answer, without hashing.
    pub(crate) fn answer(&mut self) -> Result<(), Errno> {
        let mut buffer = [0; 4096];
        let heard = self.read(&mut buffer)?;
        let answer =
            if heard.is_empty() { self.chips.due(Instant::now()) } else { self.chips.receive(heard, Instant::now()) };
        self.write(&answer)
    }
}

/// Gives each chain an order and lets the chips answer until all have followed it. Blocks.
pub(crate) fn order_all<T, E: Error + Send + Sync + 'static>(
    lines: &mut [Line],
    orders: &[mpsc::Sender<ChainOrder>],
    order: impl Fn(oneshot::Sender<Result<T, E>>) -> ChainOrder,
) -> Result<(), Box<dyn Error>> {
    let mut answers = Vec::new();
    for sender in orders {
        let (reply, answer) = oneshot::channel();
        sender.blocking_send(order(reply))?;
        answers.push(answer);
    }
    let end = Instant::now() + DEADLINE;
    while !answers.is_empty() {
        if Instant::now() > end {
            return Err("the chains do not follow in time".into());
        }
        for line in &mut *lines {
            line.answer()?;
        }
        let mut waiting = Vec::new();
        for mut answer in answers {
            match answer.try_recv() {
                Ok(followed) => drop(followed?),
                Err(oneshot::error::TryRecvError::Empty) => waiting.push(answer),
                Err(closed @ oneshot::error::TryRecvError::Closed) => return Err(closed.into()),
            }
        }
        answers = waiting;
        std::thread::sleep(Duration::from_micros(200));
    }
    Ok(())
}
