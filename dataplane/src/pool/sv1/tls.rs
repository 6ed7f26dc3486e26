//! TLS to a pool: who the peer must prove to be, and what is said when it cannot.
//!
//! Source: stratum-client V21, SEC5, R6. There is no way from here to plain text. A pool with pins is known by its key and
//! by nothing else; one without is judged like a web site; a `?tls=insecure` in its URL takes whoever answers.

use super::der::Certificate;
use mujina_core::pool::{Host, SpkiPin};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error as RustlsError, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
    version::{TLS12, TLS13},
};
use sha2::{Digest, Sha256};
use std::{
    io,
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::{TlsConnector, client::TlsStream};

/// What makes a certificate good.
#[derive(Debug, Clone)]
pub(super) enum Trust {
    /// A chain to one of these, for the host's name.
    Roots(Arc<RootCertStore>),
    /// Its key is one of these.
    Pins(Vec<SpkiPin>),
    /// Nothing: the operator said so.
    Anyone,
}

/// An encrypted stream.
#[derive(Debug)]
pub(super) struct Secured {
    pub(super) stream: TlsStream<TcpStream>,
    /// Whether the peer proved who it is.
    pub(super) authenticated: bool,
    pub(super) certificate_not_after: Option<SystemTime>,
    /// Of the peer's key; what a pin would be.
    pub(super) key: Option<SpkiPin>,
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub(super) enum TlsError {
    #[error("the pool did not finish the TLS handshake within {0:?}; check that the port speaks TLS")]
    Mute(Duration),
    #[error("the pool closed the connection during the TLS handshake; check that the port speaks TLS")]
    Closed(#[source] io::Error),
    #[error("the pool does not speak TLS on this port; take its port for TLS")]
    NotTls,
    #[error("the pool's certificate is not valid by this machine's clock; set the clock, or ask the pool's operator")]
    ClockSkew(#[source] RustlsError),
    #[error(
        "the pool's key {0} is none of the pinned ones; check the pins of the pool, and who answers at this address"
    )]
    NotPinned(SpkiPin),
    #[error("the pool's certificate is not to be trusted; check host and port, or pin the pool's key")]
    NotTrusted(#[source] RustlsError),
    #[error("the pool and this miner find no common TLS; ask the pool's operator")]
    NoAgreement(#[source] RustlsError),
}

/// The authorities that web browsers trust.
pub(super) fn web_roots() -> Arc<RootCertStore> {
    Arc::new(RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() })
}

/// Shakes hands over a fresh stream.
///
/// # Errors
/// The stream is gone after any.
pub(super) async fn handshake(
    stream: TcpStream,
    host: &Host,
    trust: Trust,
    deadline: Duration,
) -> Result<Secured, TlsError> {
    let authenticated = !matches!(trust, Trust::Anyone);
    let name = match host {
        Host::Ip(address) => ServerName::IpAddress((*address).into()),
        Host::Name(name) => ServerName::try_from(name.as_str().to_owned())
            .map_err(|_| TlsError::NotTrusted(CertificateError::NotValidForName.into()))?,
    };
    let connector = TlsConnector::from(Arc::new(config(trust)?));
    let stream = timeout(deadline, connector.connect(name, stream))
        .await
        .map_err(|_| TlsError::Mute(deadline))?
        .map_err(TlsError::from_io)?;
    let (_, session) = stream.get_ref();
    let certificate = session.peer_certificates().and_then(<[_]>::first);
    let certificate = certificate.and_then(|certificate| Certificate::read(certificate));
    let certificate_not_after = certificate.map(|certificate| certificate.not_after);
    let key = certificate.map(|certificate| pin(certificate.public_key));
    Ok(Secured { stream, authenticated, certificate_not_after, key })
}

fn config(trust: Trust) -> Result<ClientConfig, TlsError> {
    let provider = Arc::new(ring::default_provider());
    let verifier = Arc::new(Verifier::new(trust, &provider)?);
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13, &TLS12])
        .map_err(TlsError::NoAgreement)?;
    Ok(builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth())
}

fn pin(public_key: &[u8]) -> SpkiPin {
    SpkiPin::from_bytes(Sha256::digest(public_key).into())
}

impl TlsError {
    /// The TLS library wraps what it has to say in an error of the stream.
    fn from_io(error: io::Error) -> Self {
        let said = error.get_ref().and_then(|inner| inner.downcast_ref::<RustlsError>()).cloned();
        match said {
            None => Self::Closed(error),
            Some(RustlsError::InvalidMessage(_)) => Self::NotTls,
            Some(said @ RustlsError::InvalidCertificate(_)) => Self::from_certificate(said),
            Some(said) => Self::NoAgreement(said),
        }
    }

    fn from_certificate(said: RustlsError) -> Self {
        match &said {
            RustlsError::InvalidCertificate(CertificateError::Other(other)) => {
                match other.0.downcast_ref::<NotPinned>() {
                    Some(NotPinned(key)) => Self::NotPinned(*key),
                    None => Self::NotTrusted(said),
                }
            }
            RustlsError::InvalidCertificate(error) if is_about_time(error) => Self::ClockSkew(said),
            _ => Self::NotTrusted(said),
        }
    }
}

fn is_about_time(error: &CertificateError) -> bool {
    use CertificateError::{Expired, ExpiredContext, NotValidYet, NotValidYetContext};
    matches!(error, Expired | ExpiredContext { .. } | NotValidYet | NotValidYetContext { .. })
}

/// A key that is none of the pinned ones, on its way through the TLS library.
#[derive(Debug, thiserror::Error)]
#[error("the key {0} is not pinned")]
struct NotPinned(SpkiPin);

/// Judges certificates by our [`Trust`].
#[derive(Debug)]
struct Verifier {
    provider: Arc<CryptoProvider>,
    judge: Judge,
}

#[derive(Debug)]
enum Judge {
    Web(Arc<WebPkiServerVerifier>),
    Pins(Vec<SpkiPin>),
    Anyone,
}

impl Verifier {
    fn new(trust: Trust, provider: &Arc<CryptoProvider>) -> Result<Self, TlsError> {
        let judge = match trust {
            Trust::Roots(roots) => {
                let web = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(provider)).build();
                Judge::Web(web.map_err(|error| TlsError::NotTrusted(RustlsError::General(error.to_string())))?)
            }
            Trust::Pins(pins) => Judge::Pins(pins),
            Trust::Anyone => Judge::Anyone,
        };
        Ok(Self { provider: Arc::clone(provider), judge })
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, RustlsError> {
        match &self.judge {
            Judge::Web(web) => {
                let judge = |at| web.verify_server_cert(end_entity, intermediates, name, ocsp, at);
                judge(now).map_err(|said| match &said {
                    // Only who would be trusted at another time may tell us that our clock is wrong.
                    RustlsError::InvalidCertificate(error) if is_about_time(error) => {
                        begin(end_entity).and_then(|begin| judge(begin).err()).unwrap_or(said)
                    }
                    _ => said,
                })
            }
            Judge::Pins(pins) => {
                let certificate = Certificate::read(end_entity).ok_or(CertificateError::BadEncoding)?;
                let key = pin(certificate.public_key);
                if !pins.contains(&key) {
                    return Err(CertificateError::Other(rustls::OtherError(Arc::new(NotPinned(key)))).into());
                }
                in_force(&certificate, now)?;
                Ok(ServerCertVerified::assertion())
            }
            Judge::Anyone => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, RustlsError> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, RustlsError> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

fn begin(certificate: &[u8]) -> Option<UnixTime> {
    Certificate::read(certificate).map(|certificate| unix(certificate.not_before))
}

fn unix(time: SystemTime) -> UnixTime {
    UnixTime::since_unix_epoch(time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default())
}

/// A pinned key whose certificate is over may have been taken out of use for a reason.
fn in_force(certificate: &Certificate<'_>, now: UnixTime) -> Result<(), CertificateError> {
    let (not_before, not_after) = (unix(certificate.not_before), unix(certificate.not_after));
    match now {
        now if now < not_before => Err(CertificateError::NotValidYetContext { time: now, not_before }),
        now if now > not_after => Err(CertificateError::ExpiredContext { time: now, not_after }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
