//! Picks ports for servers that must come back on the same one.
//!
//! The system hands out ports from its ephemeral range to every outgoing connection, also to one that dials a server which
//! is down at the moment, and then the server cannot return. So these are taken from below that range (Linux: 32768).

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::atomic::{AtomicU32, Ordering},
};

const FIRST: u32 = 20_000;
const COUNT: u32 = 12_000;

/// Where this process goes on looking. It starts at a random place, for other processes do the same.
static NEXT: AtomicU32 = AtomicU32::new(u32::MAX);

/// A loopback address whose port nobody listened on a moment ago, and that no other call in this process gets soon.
///
/// # Panics
/// When every port of the range is taken.
#[must_use]
pub fn free_address() -> SocketAddr {
    let _ = NEXT.compare_exchange(u32::MAX, rand::random_range(0..COUNT), Ordering::Relaxed, Ordering::Relaxed);
    for _ in 0..COUNT {
        let offset = NEXT.fetch_add(1, Ordering::Relaxed) % COUNT;
        let port = u16::try_from(FIRST + offset).expect("the range ends below 65536");
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
    panic!("all ports from {FIRST} to {} are taken", FIRST + COUNT)
}
