//! Reaching a service: addresses as people write them, and channels that carry the caller's trace.

mod secure;

use crate::{serve::MAX_STREAMS, tls::TlsError, trace::Traced};
use hyper_util::rt::TokioIo;
pub use secure::{Bearing, dial_tls, first_contact, refusal};
use std::{
    error::Error,
    fmt, io,
    net::IpAddr,
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};
use tokio::net::UnixStream;
use tonic::transport::{Channel, Endpoint};
use tower::service_fn;

/// How often an idle connection is probed, and how long the answer may take.
const KEEPALIVE: (Duration, Duration) = (Duration::from_secs(20), Duration::from_secs(10));
/// Bytes that the other end may send before they are read: of one call, and of as many as it takes at a time. So answers that
/// nobody reads use up no more than their own, and hold no other call up.
pub(crate) const WINDOWS: (u32, u32) = (64 << 10, (64 << 10) * MAX_STREAMS);
/// Longest path of a unix socket that the kernel takes.
pub const MAX_SOCKET_PATH: usize = 107;

/// A channel to a service; calls on it continue the caller's trace. Cheap to clone.
pub type Client = Traced<Channel>;

/// Where a service listens.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Address {
    /// `unix:///path/to/socket`
    Unix(PathBuf),
    /// `http://host:port`, loopback only: what crosses a network needs TLS.
    Tcp {
        /// `localhost`, or an address of the loopback range.
        host: String,
        /// Port.
        port: u16,
    },
    /// `https://host:port`
    Tls {
        /// A name or an IP address (of IPv6 without its brackets) that the server's certificate is for.
        host: String,
        /// Port.
        port: u16,
    },
}

/// Why a text is no address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// A scheme that is not spoken.
    #[error("scheme `{0}` is not supported; write unix:///path/to/socket, http://127.0.0.1:port or https://host:port")]
    Scheme(String),
    /// No port, or one that is no number.
    #[error("`{0}` has no valid port; write http://127.0.0.1:port or https://host:port")]
    Port(String),
    /// A host that is neither a name nor an address.
    #[error("`{0}` is neither a host name nor an IP address; write https://host:port")]
    Host(String),
    /// A host beyond this machine.
    #[error(
        "`{0}` is not this machine; without TLS only loopback addresses and unix sockets are used: write https://{0}:port"
    )]
    NotLoopback(String),
    /// A relative or empty socket path.
    #[error("`{0}` is no absolute path; write unix:///path/to/socket")]
    Path(String),
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        if text.starts_with('/') {
            return Ok(Self::Unix(text.into()));
        }
        if let Some(path) = text.strip_prefix("unix:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            return if path.starts_with('/') {
                Ok(Self::Unix(path.into()))
            } else {
                Err(AddressError::Path(path.into()))
            };
        }
        let (authority, secure) = match text.split_once("://") {
            Some(("http", rest)) => (rest.trim_end_matches('/'), false),
            Some(("https", rest)) => (rest.trim_end_matches('/'), true),
            Some((scheme, _)) => return Err(AddressError::Scheme(scheme.into())),
            None => (text, false),
        };
        let (host, port) = authority.rsplit_once(':').ok_or_else(|| AddressError::Port(text.into()))?;
        let port = port.parse().map_err(|_| AddressError::Port(text.into()))?;
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        if secure {
            if crate::tls::check_host(bare).is_err() {
                return Err(AddressError::Host(host.into()));
            }
            return Ok(Self::Tls { host: bare.into(), port });
        }
        let is_loopback = bare == "localhost" || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
        if is_loopback {
            Ok(Self::Tcp { host: host.into(), port })
        } else {
            Err(AddressError::NotLoopback(host.into()))
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Tcp { host, port } => write!(f, "http://{host}:{port}"),
            Self::Tls { host, port } if host.contains(':') => write!(f, "https://[{host}]:{port}"),
            Self::Tls { host, port } => write!(f, "https://{host}:{port}"),
        }
    }
}

/// Why a service was not reached.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// Nothing listens there.
    #[error("nothing listens on {0}; is the service running, and is this its address?")]
    Nobody(Address),
    /// The socket belongs to somebody else.
    #[error("no permission to use {0}; run as the user of the service")]
    Forbidden(Address),
    /// No answer in time.
    #[error("{0} did not answer within {1:?}; the service may be overloaded or stopped")]
    Late(Address, Duration),
    /// The socket path is longer than the kernel takes.
    #[error("socket path of {0} has more than {MAX_SOCKET_PATH} bytes; use a shorter one")]
    PathTooLong(Address),
    /// A host name that nobody knows.
    #[error("the host of {0} is not found; check its name and the network")]
    Unknown(Address),
    /// Reached, and one end does not trust the other.
    #[error("no secure connection to {0}")]
    Tls(Address, #[source] TlsError),
    /// Nothing says whom to trust there.
    #[error("{0} is reached only with a context that knows its authority; run `mujinactl login {0}` or import one")]
    NoTrust(Address),
    /// Anything else.
    #[error("cannot reach {0}")]
    Transport(Address, #[source] tonic::transport::Error),
}

/// Connects, within `deadline`.
///
/// # Errors
/// See [`DialError`].
pub async fn dial(address: &Address, deadline: Duration) -> Result<Client, DialError> {
    if let Address::Unix(path) = address
        && path.as_os_str().len() > MAX_SOCKET_PATH
    {
        return Err(DialError::PathTooLong(address.clone()));
    }
    if let Address::Tls { .. } = address {
        return Err(DialError::NoTrust(address.clone()));
    }
    let connecting = async {
        match address {
            Address::Unix(path) => endpoint("http://localhost")?.connect_with_connector(unix(path)).await,
            Address::Tcp { .. } | Address::Tls { .. } => endpoint(&address.to_string())?.connect().await,
        }
    };
    match tokio::time::timeout(deadline, connecting).await {
        Ok(Ok(channel)) => Ok(Traced::new(channel)),
        Ok(Err(error)) => Err(explain(address.clone(), error)),
        Err(_) => Err(DialError::Late(address.clone(), deadline)),
    }
}

/// A channel that connects with the first call and again when it was lost.
///
/// # Errors
/// An address that needs TLS.
pub fn dial_lazy(address: &Address) -> Result<Client, DialError> {
    let channel = match address {
        Address::Unix(path) => endpoint("http://localhost").map(|to| to.connect_with_connector_lazy(unix(path))),
        Address::Tcp { .. } => endpoint(&address.to_string()).map(|to| to.connect_lazy()),
        Address::Tls { .. } => return Err(DialError::NoTrust(address.clone())),
    };
    channel.map(Traced::new).map_err(|error| explain(address.clone(), error))
}

fn endpoint(uri: &str) -> Result<Endpoint, tonic::transport::Error> {
    let endpoint = Endpoint::from_shared(uri.to_owned())?
        .connect_timeout(Duration::from_secs(5))
        .http2_keep_alive_interval(KEEPALIVE.0)
        .keep_alive_timeout(KEEPALIVE.1)
        .initial_stream_window_size(WINDOWS.0)
        .initial_connection_window_size(WINDOWS.1)
        .tcp_nodelay(true);
    Ok(endpoint)
}

fn unix(
    path: &Path,
) -> impl tower::Service<http::Uri, Response = TokioIo<UnixStream>, Error = io::Error, Future: Send> + Send + 'static {
    let path = path.to_owned();
    service_fn(move |_| {
        let path = path.clone();
        async move { UnixStream::connect(path).await.map(TokioIo::new) }
    })
}

fn explain(address: Address, error: tonic::transport::Error) -> DialError {
    match io_kind(&error) {
        Some(io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => DialError::Nobody(address),
        Some(io::ErrorKind::PermissionDenied) => DialError::Forbidden(address),
        _ => DialError::Transport(address, error),
    }
}

/// The kind of the I/O error somewhere below.
fn io_kind(error: &(dyn Error + 'static)) -> Option<io::ErrorKind> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(io) = error.downcast_ref::<io::Error>() {
            return Some(io.kind());
        }
        next = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_people_write_them() {
        for (text, shown) in [
            ("unix:///run/mujina/api.sock", "unix:///run/mujina/api.sock"),
            ("unix:/run/a.sock", "unix:///run/a.sock"),
            ("/run/a.sock", "unix:///run/a.sock"),
            ("http://127.0.0.1:50051/", "http://127.0.0.1:50051"),
            ("localhost:1", "http://localhost:1"),
            ("[::1]:50051", "http://[::1]:50051"),
            ("https://[::1]:8443/", "https://[::1]:8443"),
            ("https://control.example:8443", "https://control.example:8443"),
        ] {
            let address: Address = text.parse().unwrap();
            assert_eq!(address.to_string(), shown);
            assert_eq!(shown.parse(), Ok(address));
        }
    }

    #[test]
    fn every_mistake_has_its_error() {
        for (text, error) in [
            ("ftp://127.0.0.1:1", AddressError::Scheme("ftp".into())),
            ("https://control.example", AddressError::Port("https://control.example".into())),
            ("https://a b:1", AddressError::Host("a b".into())),
            ("127.0.0.1", AddressError::Port("127.0.0.1".into())),
            ("http://127.0.0.1:x", AddressError::Port("http://127.0.0.1:x".into())),
            ("10.0.0.1:50051", AddressError::NotLoopback("10.0.0.1".into())),
            ("example.org:50051", AddressError::NotLoopback("example.org".into())),
            ("unix:a.sock", AddressError::Path("a.sock".into())),
        ] {
            assert_eq!(text.parse::<Address>(), Err(error), "{text}");
        }
    }

    #[tokio::test]
    async fn missing_socket_says_that_nobody_listens() {
        let address = Address::Unix("/nonexistent/mujina.sock".into());
        let error = dial(&address, Duration::from_secs(5)).await.unwrap_err();
        assert!(matches!(error, DialError::Nobody(_)), "{error:?}");
        let long = Address::Unix(format!("/{}", "a".repeat(200)).into());
        assert!(matches!(dial(&long, Duration::from_secs(5)).await, Err(DialError::PathTooLong(_))));
    }
}
