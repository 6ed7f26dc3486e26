//! Connections to the control plane: a deadline on each step, and no waiting for full packets.

use super::url::HomeUrl;
use mujina_proto::tls::{ClientTls, Connected, Refusal, TlsError};
use std::{io, time::Duration};
use tokio::{net::TcpStream, time::timeout};

/// Time to find the host and to be answered: a few lost packets.
const CONNECT: Duration = Duration::from_secs(10);
/// Time for the handshake: a control plane that comes back meets its whole fleet at once.
const HANDSHAKE: Duration = Duration::from_secs(20);

/// Why there is no connection to the control plane.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// No answer in time.
    #[error("{0} did not answer within {CONNECT:?}; check the address, and that no firewall is between")]
    Silent(HomeUrl),
    /// No such host, or nobody listens.
    #[error("cannot reach {0}; check the address, and that the control plane runs and listens for TLS")]
    Unreachable(HomeUrl, #[source] io::Error),
    /// The handshake failed.
    #[error("{0}: {1}")]
    Tls(HomeUrl, TlsError),
}

impl LinkError {
    /// Why one of the ends refused the other, if that is what happened.
    #[must_use]
    pub fn refusal(&self) -> Option<Refusal> {
        match self {
            Self::Silent(_) | Self::Unreachable(..) => None,
            Self::Tls(_, error) => error.refusal(),
        }
    }
}

/// Dials and makes the handshake.
///
/// # Errors
/// See [`LinkError`].
pub(super) async fn dial(url: &HomeUrl, tls: &ClientTls) -> Result<Connected<TcpStream>, LinkError> {
    let HomeUrl { host, port } = url;
    let unreachable = |error| LinkError::Unreachable(url.clone(), error);
    let connecting = timeout(CONNECT, TcpStream::connect((host.as_str(), *port))).await;
    let tcp = connecting.map_err(|_| LinkError::Silent(url.clone()))?.map_err(unreachable)?;
    tcp.set_nodelay(true).map_err(unreachable)?;
    tls.connect(host, tcp, HANDSHAKE).await.map_err(|error| LinkError::Tls(url.clone(), error))
}
