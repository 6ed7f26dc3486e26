//! From a host name to a TCP stream: every address is tried, each step has its deadline.
//!
//! Knows no pool protocol. Names are resolved anew for every connection (stratum-client N13).

use mujina_core::pool::Host;
use socket2::{SockRef, TcpKeepalive};
use std::{
    io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};
use tokio::{
    net::{TcpStream, lookup_host},
    time::timeout,
};

/// Keepalive probes begin after this much silence, and after this much more each time (stratum-client L1).
const KEEPALIVE_IDLE: Duration = Duration::from_secs(30);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
/// Probes without an answer until the kernel gives up.
const KEEPALIVE_PROBES: u32 = 3;
/// How long sent bytes may stay unacknowledged until the kernel gives up (stratum-client L1).
const USER_TIMEOUT: Duration = Duration::from_secs(30);
/// Addresses that are tried at most: a name with more is a mistake or an attack on our patience.
const MAX_ADDRESSES: usize = 16;

/// Why no stream came about.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The resolver said no.
    #[error("cannot resolve {host}; check the name and the resolver of this machine")]
    Resolve {
        /// What was asked for.
        host: String,
        /// What it said.
        source: io::Error,
    },
    /// The resolver said nothing.
    #[error("no answer for {host} from the resolver within {deadline:?}; check the resolver of this machine")]
    ResolverMute {
        /// What was asked for.
        host: String,
        /// How long it had.
        deadline: Duration,
    },
    /// The name has no address.
    #[error("{host} has no address; check the name")]
    NoAddress {
        /// What was asked for.
        host: String,
    },
    /// No address answered.
    #[error("cannot connect to any of {tried} addresses, at last {last}; check host, port and network")]
    Refused {
        /// How many were tried.
        tried: usize,
        /// The last of them.
        last: SocketAddr,
        /// What was wrong with it.
        source: io::Error,
    },
}

/// Every address of a host, in the resolver's order.
///
/// # Errors
/// Not resolved, or not in time.
pub async fn resolve(host: &Host, port: u16, deadline: Duration) -> Result<Vec<SocketAddr>, ConnectError> {
    let name = match host {
        Host::Ip(address) => return Ok(vec![SocketAddr::new(*address, port)]),
        Host::Name(name) => name.as_str(),
    };
    let found = timeout(deadline, lookup_host((name, port)))
        .await
        .map_err(|_| ConnectError::ResolverMute { host: name.into(), deadline })?
        .map_err(|source| ConnectError::Resolve { host: name.into(), source })?;
    let mut addresses: Vec<SocketAddr> = Vec::new();
    for address in found.take(MAX_ADDRESSES) {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    if addresses.is_empty() { Err(ConnectError::NoAddress { host: name.into() }) } else { Ok(addresses) }
}

/// The first of the addresses that accepts a connection; each has `deadline`.
///
/// # Errors
/// None did; the cause is that of the last.
pub async fn dial(addresses: &[SocketAddr], deadline: Duration) -> Result<TcpStream, ConnectError> {
    let mut last = None;
    for address in addresses {
        match dial_one(*address, deadline).await {
            Ok(stream) => return Ok(stream),
            Err(source) => last = Some((*address, source)),
        }
    }
    let nowhere = || (SocketAddr::new(IpAddr::from([0, 0, 0, 0]), 0), io::Error::from(io::ErrorKind::AddrNotAvailable));
    let (last, source) = last.unwrap_or_else(nowhere);
    Err(ConnectError::Refused { tried: addresses.len(), last, source })
}

/// Whether an address is on this machine or on this link only, where nothing that a peer names may lead
/// (stratum-client R3).
#[must_use]
pub fn is_near(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_link_local() || v4.is_unspecified() || v4.is_multicast(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unicast_link_local() || v6.is_unspecified() || v6.is_multicast(),
    }
}

async fn dial_one(address: SocketAddr, deadline: Duration) -> io::Result<TcpStream> {
    let stream = timeout(deadline, TcpStream::connect(address)).await.map_err(|_| io::ErrorKind::TimedOut)??;
    tune(&stream)?;
    Ok(stream)
}

/// Small frames leave at once, and a peer that is gone is noticed although it never said so.
fn tune(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    let keepalive =
        TcpKeepalive::new().with_time(KEEPALIVE_IDLE).with_interval(KEEPALIVE_INTERVAL).with_retries(KEEPALIVE_PROBES);
    socket.set_tcp_keepalive(&keepalive)?;
    socket.set_tcp_user_timeout(Some(USER_TIMEOUT))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    const DEADLINE: Duration = Duration::from_secs(5);

    // N13, N14, L1
    #[tokio::test]
    async fn every_address_is_tried_and_the_stream_is_tuned() {
        let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let open = listener.local_addr().unwrap();
        let stream = dial(&[closed, open], DEADLINE).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), open);
        assert!(stream.nodelay().unwrap());
        let socket = SockRef::from(&stream);
        assert!(socket.keepalive().unwrap());
        assert_eq!(socket.tcp_user_timeout().unwrap(), Some(USER_TIMEOUT));
    }

    #[tokio::test]
    async fn nobody_at_any_address_says_which_was_tried_last() {
        let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let error = dial(&[closed], DEADLINE).await.unwrap_err();
        assert!(error.to_string().contains(&closed.to_string()), "{error}");
    }

    #[tokio::test]
    async fn literal_addresses_need_no_resolver() {
        let found = resolve(&"[::1]".parse().unwrap(), 7, DEADLINE).await.unwrap();
        assert_eq!(found, ["[::1]:7".parse().unwrap()]);
        let found = resolve(&"localhost".parse().unwrap(), 7, DEADLINE).await.unwrap();
        assert!(!found.is_empty() && found.iter().all(|address| address.ip().is_loopback()));
    }
}
