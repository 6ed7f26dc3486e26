//! A control port without a runtime: plain reads and writes that wait no longer than they are told.

use crate::bridge::{
    frame::{MOST_REPLY_BYTES, Protocol, decode},
    request::{NO_ID, Request},
};
use nix::{
    fcntl::OFlag,
    poll::{PollFd, PollFlags, PollTimeout, poll},
};
use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Write},
    os::{fd::AsFd, unix::fs::OpenOptionsExt},
    path::Path,
    sync::atomic::{AtomicU8, Ordering},
    time::{Duration, Instant},
};

/// The line is quiet once nothing came for so long (bitaxe-raw 4.1).
const QUIET: Duration = Duration::from_millis(20);
/// A line that is not quiet by then is used as it is.
const QUIET_WITHIN: Duration = Duration::from_millis(200);
/// A controller that is well answers within a few milliseconds. Two tries of all steps fit into the time for a board.
const REPLY: Duration = Duration::from_millis(120);
/// Times that something is asked.
const TRIES: u32 = 2;

/// A handle of its own on a control port.
#[derive(Debug)]
pub(super) struct Line {
    port: File,
    next_id: AtomicU8,
}

impl Line {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlag::O_NOCTTY | OFlag::O_NONBLOCK;
        let port = OpenOptions::new().read(true).write(true).custom_flags(flags.bits()).open(path)?;
        // Apart from where the usual user begins, should a late reply of his come after all.
        Ok(Self { port, next_id: AtomicU8::new(0x80) })
    }

    /// Throws away what comes until nothing does.
    pub(super) fn quiet(&self, deadline: Instant) -> io::Result<()> {
        let end = deadline.min(Instant::now() + QUIET_WITHIN);
        let mut thrown_away = [0; MOST_REPLY_BYTES];
        while Instant::now() < end {
            if self.read(&mut thrown_away, end.min(Instant::now() + QUIET))? == 0 {
                break;
            }
        }
        Ok(())
    }

    /// Asks, and asks again if no good answer comes.
    pub(super) fn ask(&self, protocol: Protocol, request: &Request, deadline: Instant) -> Result<Vec<u8>, String> {
        let mut answer = Err("no time left".to_owned());
        for _ in 0..TRIES {
            if Instant::now() >= deadline {
                break;
            }
            answer = self.try_ask(protocol, request, deadline);
            if answer.is_ok() {
                break;
            }
            self.quiet(deadline).map_err(|error| error.to_string())?;
        }
        answer
    }

    fn try_ask(&self, protocol: Protocol, request: &Request, deadline: Instant) -> Result<Vec<u8>, String> {
        let id = match self.next_id.fetch_add(1, Ordering::Relaxed) {
            NO_ID => self.next_id.fetch_add(1, Ordering::Relaxed),
            id => id,
        };
        let deadline = deadline.min(Instant::now() + REPLY);
        self.write(&request.encode(id), deadline).map_err(|error| error.to_string())?;
        let mut received = Vec::with_capacity(MOST_REPLY_BYTES);
        loop {
            let mut chunk = [0; MOST_REPLY_BYTES];
            let count = self.read(&mut chunk, deadline).map_err(|error| error.to_string())?;
            if count == 0 {
                return Err("no answer".into());
            }
            received.extend_from_slice(chunk.get(..count).unwrap_or_default());
            match decode(protocol, request, id, &received) {
                Ok(Some(reply)) => return reply.answer.map(<[u8]>::to_vec).map_err(|refusal| refusal.to_string()),
                Ok(None) => {}
                Err(malformed) => return Err(malformed.to_string()),
            }
        }
    }

    /// What has come, or nothing when the deadline passes.
    fn read(&self, buffer: &mut [u8], deadline: Instant) -> io::Result<usize> {
        while self.wait(PollFlags::POLLIN, deadline)? {
            match (&self.port).read(buffer) {
                Ok(0) => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the device is gone")),
                Err(error) if is_passing(&error) => {}
                read => return read,
            }
        }
        Ok(0)
    }

    fn write(&self, mut bytes: &[u8], deadline: Instant) -> io::Result<()> {
        while !bytes.is_empty() {
            if !self.wait(PollFlags::POLLOUT, deadline)? {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "the port takes nothing"));
            }
            match (&self.port).write(bytes) {
                Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
                Err(error) if is_passing(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Whether the port became ready before the deadline.
    fn wait(&self, what: PollFlags, deadline: Instant) -> io::Result<bool> {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(false);
            }
            // Rounded up: a wait of no time at all would spin until the deadline.
            let timeout = PollTimeout::try_from(left + Duration::from_millis(1)).unwrap_or(PollTimeout::MAX);
            let mut ports = [PollFd::new(self.port.as_fd(), what)];
            match poll(&mut ports, timeout) {
                Ok(0) => return Ok(false),
                Ok(_) => return Ok(true),
                Err(nix::errno::Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }
}

fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
