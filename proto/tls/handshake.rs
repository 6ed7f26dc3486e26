//! Handshakes with a deadline, and what is known of the peer after them.

use super::{Alpn, ClientTls, Fingerprint, Peer, PeerKind, Refusal, Roots, ServerTls, TlsError};
use rustls::{CommonState, HandshakeKind};
use std::{
    io,
    time::{Duration, SystemTime},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// The encrypted stream of the side that was dialled.
pub type ServerStream<S> = tokio_rustls::server::TlsStream<S>;
/// The encrypted stream of the side that dialled.
pub type ClientStream<S> = tokio_rustls::client::TlsStream<S>;

/// A client that was let in.
#[derive(Debug)]
pub struct Accepted<S> {
    /// The connection.
    pub stream: ServerStream<S>,
    /// Who it is; `None` = it showed no certificate.
    pub peer: Option<Peer>,
    /// What it speaks.
    pub alpn: Alpn,
    /// Whether it came back with a ticket.
    pub resumed: bool,
}

/// A server that was reached.
#[derive(Debug)]
pub struct Connected<S> {
    /// The connection. In TLS 1.3 the server's refusal of our certificate comes with the first read: see [`explain`].
    pub stream: ClientStream<S>,
    /// Who it is.
    pub peer: Peer,
    /// The authority of a first contact, which had the fingerprint that was asked for.
    pub authority: Option<Roots>,
    /// Whether the server took our ticket.
    pub resumed: bool,
}

impl ServerTls {
    /// Makes the handshake with a client. Nothing of a client that is not let in remains.
    ///
    /// # Errors
    /// The client is refused, refuses us, or takes longer than `deadline`.
    pub async fn accept<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
        deadline: Duration,
    ) -> Result<Accepted<S>, TlsError> {
        let handshake = TlsAcceptor::from(self.config.clone()).accept(stream);
        let stream = timeout(deadline, handshake).await.map_err(|_| TlsError::Late(deadline))?.map_err(explain)?;
        let (_, session) = stream.get_ref();
        let peer = peer(session)?;
        let alpn = session.alpn_protocol().and_then(Alpn::from_bytes).ok_or_else(|| refused(Refusal::Protocol))?;
        let resumed = session.handshake_kind() == Some(HandshakeKind::Resumed);
        if let Some(refusal) = self.refusal(peer.as_ref(), alpn, SystemTime::now()) {
            return Err(refused(refusal));
        }
        Ok(Accepted { stream, peer, alpn, resumed })
    }

    /// What a whole handshake has seen to, and a resumed one has not: its ticket may be older than what happened since.
    pub(super) fn refusal(&self, peer: Option<&Peer>, alpn: Alpn, now: SystemTime) -> Option<Refusal> {
        match peer {
            Some(peer) if self.revoked.is_revoked(&peer.serial) => Some(Refusal::Revoked),
            Some(peer) if now > peer.not_after => Some(Refusal::Expired),
            None if alpn == Alpn::Home => Some(Refusal::NoCertificate),
            Some(peer) if alpn == Alpn::Home && peer.kind != PeerKind::Miner => Some(Refusal::Role),
            _ => None,
        }
    }
}

impl ClientTls {
    /// Makes the handshake with the server that is known as `host`: a DNS name or an IP address.
    ///
    /// # Errors
    /// The server is refused, refuses us, or takes longer than `deadline`.
    pub async fn connect<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        host: &str,
        stream: S,
        deadline: Duration,
    ) -> Result<Connected<S>, TlsError> {
        let name = super::server_name(host)?;
        let handshake = TlsConnector::from(self.config.clone()).connect(name, stream);
        let stream = timeout(deadline, handshake).await.map_err(|_| TlsError::Late(deadline))?.map_err(explain)?;
        let (_, session) = stream.get_ref();
        if session.alpn_protocol().is_none() {
            return Err(refused(Refusal::Protocol));
        }
        let peer = peer(session)?.ok_or_else(|| refused(Refusal::NoCertificate))?;
        let resumed = session.handshake_kind() == Some(HandshakeKind::Resumed);
        if SystemTime::now() > peer.not_after {
            return Err(refused(Refusal::Expired));
        }
        let authority = self.pinned.map(|pinned| authority(session, pinned)).transpose()?;
        Ok(Connected { stream, peer, authority, resumed })
    }
}

fn peer(session: &CommonState) -> Result<Option<Peer>, TlsError> {
    let certificate = session.peer_certificates().and_then(<[_]>::first);
    certificate.map(|certificate| Peer::read(certificate)).transpose()
}

/// The authority in the chain: verified with it.
fn authority(session: &CommonState, pinned: Fingerprint) -> Result<Roots, TlsError> {
    let chain = session.peer_certificates().unwrap_or_default();
    let found = chain.iter().find(|one| Fingerprint::of(one) == pinned);
    Roots::new(vec![found.ok_or_else(|| refused(Refusal::Authority))?.clone().into_owned()])
}

fn refused(refusal: Refusal) -> TlsError {
    TlsError::Refused(refusal, io::Error::from(io::ErrorKind::PermissionDenied))
}

/// Says what an error of an encrypted stream means, in the handshake or at the first read after it.
#[must_use]
pub fn explain(error: io::Error) -> TlsError {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match inner {
        Some(tls @ rustls::Error::AlertReceived(_)) => TlsError::RefusedByPeer(Refusal::of(tls), error),
        Some(tls) => TlsError::Refused(Refusal::of(tls), error),
        None => TlsError::Broken(error),
    }
}
