//! When bytes arrived at a socket, by the kernel's own clock: what a benchmark of a sender wants to know of the receiver.
//!
//! On loopback the kernel delivers within the sender's write, so that this is the time of the write, whatever the receiver's
//! process was doing meanwhile. Source: Linux, Documentation/networking/timestamping.rst.

use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt, sockopt::ReceiveTimestampns};
use std::{
    io::{self, IoSliceMut},
    os::fd::{AsRawFd, OwnedFd},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// A look at a socket that somebody else reads.
#[derive(Debug)]
pub struct Arrivals(OwnedFd);

impl Arrivals {
    /// `socket` is a duplicate of the one that is read.
    ///
    /// # Errors
    /// The kernel keeps no such times.
    pub fn of(socket: OwnedFd) -> io::Result<Self> {
        setsockopt(&socket, ReceiveTimestampns, &true)?;
        Ok(Self(socket))
    }

    /// When the next byte that nobody has read yet arrived; `None` while there is none.
    ///
    /// # Errors
    /// The socket failed, or the byte arrived before the kernel began to keep times, a moment after [`Self::of`].
    pub fn next(&self) -> io::Result<Option<SystemTime>> {
        let mut byte = [0];
        let mut control = nix::cmsg_space!(nix::sys::time::TimeSpec);
        let mut into = [IoSliceMut::new(&mut byte)];
        let flags = MsgFlags::MSG_PEEK | MsgFlags::MSG_DONTWAIT;
        let message = match recvmsg::<()>(self.0.as_raw_fd(), &mut into, Some(&mut control), flags) {
            Ok(message) => message,
            Err(nix::errno::Errno::EAGAIN) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let time = message.cmsgs()?.find_map(|one| match one {
            ControlMessageOwned::ScmTimestampns(time) => Some(time),
            _ => None,
        });
        let time = time.ok_or_else(|| io::Error::other("the kernel says no time of arrival"))?;
        let seconds = u64::try_from(time.tv_sec()).unwrap_or_default();
        let nanoseconds = u32::try_from(time.tv_nsec()).unwrap_or_default();
        Ok(Some(UNIX_EPOCH + Duration::new(seconds, nanoseconds)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        io::{Read, Write},
        net::TcpListener,
        os::fd::AsFd,
    };

    #[test]
    fn arrival_is_known_before_anybody_reads() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut sender = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut receiver, _) = listener.accept().unwrap();
        let arrivals = Arrivals::of(receiver.as_fd().try_clone_to_owned().unwrap()).unwrap();
        assert_eq!(arrivals.next().unwrap(), None);
        // The kernel begins to stamp a moment after it was asked to: what arrives before that has no time.
        let is_stamped = (0..10_000).any(|_| {
            sender.write_all(b"a").unwrap();
            let stamped = std::iter::repeat_with(|| arrivals.next()).find(|time| !matches!(time, Ok(None)));
            receiver.read_exact(&mut [0]).unwrap();
            matches!(stamped, Some(Ok(Some(_))))
        });
        assert!(is_stamped, "no byte of ten thousand has a time");
        let before = SystemTime::now();
        sender.write_all(b"ab").unwrap();
        let after = SystemTime::now();
        let arrived = std::iter::repeat_with(|| arrivals.next().unwrap()).find_map(|time| time).unwrap();
        let leeway = Duration::from_millis(5);
        assert!(before - leeway <= arrived && arrived <= after + leeway, "{before:?} {arrived:?} {after:?}");
    }
}
