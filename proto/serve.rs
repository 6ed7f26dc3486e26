//! Listening: a unix socket that only its owner can use, loopback TCP when asked, health and reflection on both.

mod connection;

use crate::{DESCRIPTORS, dial::Address, dial::MAX_SOCKET_PATH, trace::TraceLayer};
pub use connection::serve_connection;
use std::{
    fs, io,
    net::SocketAddr,
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::net::{TcpListener, UnixListener, UnixSocket, UnixStream};
use tokio_stream::wrappers::{TcpListenerStream, UnixListenerStream};
use tokio_util::sync::CancellationToken;
use tonic::{
    service::{Routes, RoutesBuilder},
    transport::{Server, server::Router},
};
pub use tonic_health::{ServingStatus, server::HealthReporter};

/// Time that calls have to end after the stop was asked for; watches never end by themselves.
const DRAIN: Duration = Duration::from_secs(1);
/// Calls at the same time on one connection: far above any honest client.
pub(crate) const MAX_STREAMS: u32 = 256;
/// Connections that may wait to be accepted.
const BACKLOG: u32 = 128;
/// How often an idle connection is probed, and how long the answer may take.
const KEEPALIVE: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(20));

/// Where to listen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListenOn {
    /// Path of a unix socket.
    pub socket: Option<PathBuf>,
    /// A loopback address; port 0 = any free one.
    pub tcp: Option<SocketAddr>,
}

/// Why a service does not listen.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Somebody answers on the socket.
    #[error("another process serves on {0}; stop it or set another `api.socket`")]
    SocketInUse(PathBuf),
    /// Longer than the kernel takes.
    #[error("socket path {0} has more than {MAX_SOCKET_PATH} bytes; set a shorter `api.socket` or `state_dir`")]
    SocketPathTooLong(PathBuf),
    /// The socket cannot be made.
    #[error("cannot listen on the unix socket {0}; check that its folder exists and can be written")]
    Socket(PathBuf, #[source] io::Error),
    /// Reachable from a network without TLS.
    #[error("{0} can be reached from the network, which needs TLS; listen on a loopback address such as 127.0.0.1")]
    NotLoopback(SocketAddr),
    /// The port cannot be had.
    #[error("cannot listen on {0}; is the port taken?")]
    Tcp(SocketAddr, #[source] io::Error),
    /// Listening ended.
    #[error("the API stopped serving")]
    Transport(#[from] tonic::transport::Error),
}

/// Bound listeners that do not serve yet: clients that connect now wait.
#[derive(Debug, Default)]
pub struct Listeners {
    unix: Option<(UnixListener, SocketFile)>,
    tcp: Option<(TcpListener, SocketAddr)>,
}

impl Listeners {
    /// Takes the addresses. A socket file that nobody serves any more is replaced.
    ///
    /// # Errors
    /// See [`ServeError`].
    pub async fn bind(on: &ListenOn) -> Result<Self, ServeError> {
        let mut listeners = Self::default();
        if let Some(address) = on.tcp {
            if !address.ip().is_loopback() {
                return Err(ServeError::NotLoopback(address));
            }
            let listener = TcpListener::bind(address).await.map_err(|error| ServeError::Tcp(address, error))?;
            let bound = listener.local_addr().map_err(|error| ServeError::Tcp(address, error))?;
            listeners.tcp = Some((listener, bound));
        }
        if let Some(path) = &on.socket {
            listeners.unix = Some(bind_unix(path).await?);
        }
        Ok(listeners)
    }

    /// Where clients reach them, the unix socket first.
    #[must_use]
    pub fn addresses(&self) -> Vec<Address> {
        let unix = self.unix.iter().map(|(_, file)| Address::Unix(file.0.clone()));
        let tcp = self.tcp.iter().map(|(_, bound)| {
            let host = if bound.is_ipv6() { format!("[{}]", bound.ip()) } else { bound.ip().to_string() };
            Address::Tcp { host, port: bound.port() }
        });
        unix.chain(tcp).collect()
    }

    /// Serves until `cancel`; then refuses new calls, lets those under way end for a second, and removes the socket file.
    ///
    /// # Errors
    /// A listener failed.
    pub async fn serve(self, routes: Routes, cancel: CancellationToken) -> Result<(), ServeError> {
        self.serve_apart(routes.clone(), routes, cancel).await
    }

    /// The same, with other routes for callers over TCP, of whom nothing is known.
    ///
    /// # Errors
    /// A listener failed.
    pub async fn serve_apart(
        self,
        routes: Routes,
        for_tcp: Routes,
        cancel: CancellationToken,
    ) -> Result<(), ServeError> {
        let Self { unix, tcp } = self;
        let stop = || cancel.clone().cancelled_owned();
        let over_unix = async {
            let Some((listener, _file)) = unix else { return Ok(()) };
            router(routes).serve_with_incoming_shutdown(UnixListenerStream::new(listener), stop()).await
        };
        let over_tcp = async {
            let Some((listener, _)) = tcp else { return Ok(()) };
            router(for_tcp).serve_with_incoming_shutdown(TcpListenerStream::new(listener), stop()).await
        };
        let late = async {
            cancel.cancelled().await;
            tokio::time::sleep(DRAIN).await;
        };
        tokio::select! {
            ended = async { tokio::try_join!(over_unix, over_tcp) } => ended.map(|_| ()).map_err(ServeError::from),
            () = late => Ok(()),
        }
    }
}

type Layered = tower::layer::util::Stack<TraceLayer, tower::layer::util::Identity>;

fn router(routes: Routes) -> Router<Layered> {
    Server::builder()
        .max_concurrent_streams(MAX_STREAMS)
        .http2_keepalive_interval(Some(KEEPALIVE.0))
        .http2_keepalive_timeout(Some(KEEPALIVE.1))
        .tcp_nodelay(true)
        .layer(TraceLayer)
        .add_routes(routes)
}

/// Health and reflection of our own services; the caller adds the rest.
#[must_use]
pub fn standard_routes() -> (RoutesBuilder, HealthReporter) {
    let (reporter, health) = tonic_health::server::health_reporter();
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1()
        .expect("our own descriptors are whole");
    let mut routes = Routes::builder();
    routes.add_service(health).add_service(reflection);
    (routes, reporter)
}

/// The file of a bound socket: removed with the listener.
#[derive(Debug)]
struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Gone already is just as well.
        let _ = fs::remove_file(&self.0);
    }
}

async fn bind_unix(path: &Path) -> Result<(UnixListener, SocketFile), ServeError> {
    let failed = |error| ServeError::Socket(path.into(), error);
    if path.as_os_str().len() > MAX_SOCKET_PATH {
        return Err(ServeError::SocketPathTooLong(path.into()));
    }
    if UnixStream::connect(path).await.is_ok() {
        return Err(ServeError::SocketInUse(path.into()));
    }
    if let Some(folder) = path.parent() {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
    }
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    let socket = UnixSocket::new_stream().map_err(failed)?;
    socket.bind(path).map_err(failed)?;
    let file = SocketFile(path.into());
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(failed)?;
    // Whoever connected before this would have been refused by the kernel.
    let listener = socket.listen(BACKLOG).map_err(failed)?;
    Ok((listener, file))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dial;
    use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

    #[tokio::test]
    async fn socket_is_private_serves_health_and_is_removed() {
        let folder = std::env::temp_dir().join(format!("mujina-serve-{}", std::process::id()));
        let path = folder.join("api.sock");
        let on = ListenOn { socket: Some(path.clone()), tcp: Some(([127, 0, 0, 1], 0).into()) };
        let listeners = Listeners::bind(&on).await.unwrap();
        let addresses = listeners.addresses();
        let (routes, _reporter) = standard_routes();
        let cancel = CancellationToken::new();
        let mut serving = tokio::task::JoinSet::new();
        serving.spawn(listeners.serve(routes.routes(), cancel.clone()));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        for address in &addresses {
            let client = dial::dial(address, Duration::from_secs(10)).await.unwrap();
            let answer = HealthClient::new(client).check(HealthCheckRequest::default()).await.unwrap();
            assert_eq!(answer.into_inner().status, 1);
        }
        assert!(matches!(bind_unix(&path).await, Err(ServeError::SocketInUse(_))));
        cancel.cancel();
        serving.join_next().await.unwrap().unwrap().unwrap();
        assert!(!path.exists());
        fs::remove_dir(&folder).unwrap();
    }

    #[tokio::test]
    async fn network_listener_without_tls_is_refused() {
        let on = ListenOn { tcp: Some(([0, 0, 0, 0], 0).into()), ..ListenOn::default() };
        assert!(matches!(Listeners::bind(&on).await, Err(ServeError::NotLoopback(_))));
    }
}
