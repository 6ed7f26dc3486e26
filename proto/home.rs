//! Calling home: a miner dials its control plane, and then serves its API on that connection; the control plane calls.
//!
//! ```text
//!  miner                                          control plane
//!  dial, handshake ──────── one connection ──────▶ accept, handshake
//!  serve: routes ◀───────── calls ──────────────── attach: a client like any other
//! ```
//!
//! One service definition is enough for a local socket, a port and the way home. Both halves work on any stream, and both
//! tell when it has ended: the miner dials again, the control plane knows that the miner is gone.

mod body;
mod connection;

pub use self::connection::Connection;
use crate::{serve::serve_connection, trace::Traced};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;

/// Serves calls that come over one connection until it ends, or until `cancel`: then calls under way get a second.
///
/// # Errors
/// The connection broke, or the other end did not answer a probe.
pub async fn serve<S>(stream: S, routes: Routes, cancel: CancellationToken) -> Result<(), hyper::Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    serve_connection(stream, routes, (), cancel).await
}

/// A client on one connection; calls on it continue the caller's trace. Cheap to clone.
pub type Client = Traced<Connection>;

/// The way to a miner that called home.
#[derive(Debug, Clone)]
pub struct Attached {
    /// Calls it. Clones share the connection; none makes another.
    pub client: Client,
    ended: CancellationToken,
    close: CancellationToken,
}

impl Attached {
    /// Waits until the connection has ended, for whatever reason.
    pub async fn ended(&self) {
        self.ended.cancelled().await;
    }

    /// Whether it has.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.ended.is_cancelled()
    }

    /// Ends it now; calls under way fail.
    pub fn close(&self) {
        self.close.cancel();
    }
}

/// Makes a connection that a miner has dialled the way to it.
///
/// # Errors
/// It does not speak HTTP/2.
pub async fn attach<S>(stream: S) -> Result<Attached, h2::Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (ended, close) = (CancellationToken::new(), CancellationToken::new());
    let connection = Connection::open(stream, close.clone(), ended.clone().drop_guard()).await?;
    Ok(Attached { client: Traced::new(connection), ended, close })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::standard_routes;
    use std::time::Duration;
    use tokio::{io::duplex, task::JoinSet, time::timeout};
    use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

    const PATIENCE: Duration = Duration::from_secs(30);

    /// A miner that has called home, and its control plane's way to it.
    async fn pair() -> (Attached, CancellationToken, JoinSet<Result<(), hyper::Error>>) {
        let (here, there) = duplex(1 << 16);
        let (routes, _) = standard_routes();
        let stop = CancellationToken::new();
        let mut serving = JoinSet::new();
        serving.spawn(serve(there, routes.routes(), stop.clone()));
        (attach(here).await.unwrap(), stop, serving)
    }

    async fn end(mut serving: JoinSet<Result<(), hyper::Error>>) -> Result<(), hyper::Error> {
        timeout(PATIENCE, serving.join_next()).await.unwrap().unwrap().unwrap()
    }

    async fn is_healthy(attached: &Attached) -> bool {
        let mut client = HealthClient::new(attached.client.clone());
        let checked = timeout(PATIENCE, client.check(HealthCheckRequest::default())).await.unwrap();
        checked.is_ok_and(|answer| answer.into_inner().status == 1)
    }

    #[tokio::test]
    async fn miner_that_called_home_is_called_and_its_end_is_told() {
        let (attached, stop, serving) = pair().await;
        assert!(is_healthy(&attached).await && !attached.has_ended());
        stop.cancel();
        end(serving).await.unwrap();
        timeout(PATIENCE, attached.ended()).await.unwrap();
        assert!(!is_healthy(&attached).await, "a connection is used once");
    }

    #[tokio::test]
    async fn connection_that_is_closed_here_ends_on_both_sides_with_its_calls() {
        let (attached, _stop, serving) = pair().await;
        let mut client = HealthClient::new(attached.client.clone());
        let mut watch = client.watch(HealthCheckRequest::default()).await.unwrap().into_inner();
        assert!(watch.message().await.unwrap().is_some());
        attached.close();
        timeout(PATIENCE, attached.ended()).await.unwrap();
        assert!(timeout(PATIENCE, watch.message()).await.unwrap().is_err());
        // Broken, or ended: the other end hears it one way or the other.
        let _ = end(serving).await;
    }

    #[tokio::test]
    async fn clients_that_are_dropped_end_the_connection() {
        let (attached, _stop, serving) = pair().await;
        assert!(is_healthy(&attached).await);
        drop(attached);
        end(serving).await.unwrap();
    }
}
