//! The Noise NX handshake, as its initiator, and what the peer's certificate says.
//!
//! Source: Stratum V2 specification 04 §4.5; stratum-client N1 to N7. The cryptography is that of the reference
//! implementation. It gives one error for a wrong key and for a wrong clock, and never shows a certificate that it
//! accepted, so the second act is read twice: once by a twin with the same ephemeral key that only looks at the
//! certificate, then in earnest.

use mujina_core::pool::AuthorityKey;
use rand_08::{SeedableRng, rngs::OsRng, rngs::StdRng};
use std::{
    io,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use stratum_apps::stratum_core::noise_sv2::{
    CERTIFICATE_VERSION, Error as NoiseError, INITIATOR_EXPECTED_HANDSHAKE_MESSAGE_SIZE as ACT_2_SIZE, Initiator,
    NoiseEngine,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    time::timeout,
};

/// Seconds that the clocks of both sides may be apart (N5).
const LEEWAY: u32 = 10;

/// An encrypted session with a peer that proved its key.
#[derive(Debug)]
pub(super) struct Secured {
    pub(super) engine: NoiseEngine,
    pub(super) certificate_not_after: Option<SystemTime>,
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub(super) enum HandshakeError {
    #[error("the pool did not answer the Noise handshake within {0:?}; check that the port speaks Stratum V2")]
    Mute(Duration),
    #[error("the pool closed the connection during the Noise handshake; check that the port speaks Stratum V2")]
    Closed(#[source] io::Error),
    #[error("the pool's Noise handshake does not decrypt; check that the port speaks Stratum V2")]
    Garbled,
    #[error("the pool's certificate is not signed by the configured authority key; check the key in the pool's URL")]
    WrongKey,
    #[error(
        "the pool's certificate has version {0}, which is not known; check that the pool speaks today's Stratum V2"
    )]
    CertificateVersion(u16),
    #[error(
        "the pool's certificate is valid from {valid_from} to {not_valid_after} but this machine's clock says {now} \
         (Unix seconds); set the clock"
    )]
    ClockSkew { valid_from: u32, not_valid_after: u32, now: u32 },
    #[error("this machine's clock stands before 1970 or after 2106; set the clock")]
    NoClock,
    #[error("the configured authority key is no key; check the key in the pool's URL")]
    BadKey,
}

/// Shakes hands over a fresh stream; the peer's answer has `deadline`.
///
/// # Errors
/// The stream must be dropped after any.
pub(super) async fn initiate<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    authority: &AuthorityKey,
    deadline: Duration,
) -> Result<Secured, HandshakeError> {
    let mut initiator = Pair::new(authority)?;
    let act_1 = initiator.act_1()?;
    let exchange = async {
        stream.write_all(&act_1).await?;
        stream.flush().await?;
        let mut act_2 = [0; ACT_2_SIZE];
        stream.read_exact(&mut act_2).await?;
        Ok(act_2)
    };
    let act_2 = timeout(deadline, exchange)
        .await
        .map_err(|_| HandshakeError::Mute(deadline))?
        .map_err(HandshakeError::Closed)?;
    initiator.finish(act_2, unix_seconds(SystemTime::now())?)
}

/// Two initiators with the same ephemeral key.
struct Pair {
    earnest: Box<Initiator>,
    twin: Box<Initiator>,
}

impl Pair {
    fn new(authority: &AuthorityKey) -> Result<Self, HandshakeError> {
        let mut random = StdRng::from_rng(OsRng).map_err(|_| HandshakeError::Garbled)?;
        let mut same = random.clone();
        let initiator = |random: &mut StdRng| {
            Initiator::from_raw_k_with_rng(authority.to_bytes(), random).map_err(|_| HandshakeError::BadKey)
        };
        Ok(Self { earnest: initiator(&mut random)?, twin: initiator(&mut same)? })
    }

    fn act_1(&mut self) -> Result<[u8; 64], HandshakeError> {
        // Both say the same: the encoding of a key is a function of it.
        let _ = self.twin.step_0().map_err(|_| HandshakeError::Garbled)?;
        self.earnest.step_0().map_err(|_| HandshakeError::Garbled)
    }

    fn finish(mut self, act_2: [u8; ACT_2_SIZE], now: u32) -> Result<Secured, HandshakeError> {
        // No certificate of today is valid at the beginning of time, so the twin always shows it as refused.
        let certificate = match self.twin.step_2_with_now(act_2, 0) {
            Err(NoiseError::InvalidCertificate(certificate)) => Some(certificate),
            Ok(_) => None,
            Err(_) => return Err(HandshakeError::Garbled),
        };
        let mut judge = |at| match self.earnest.step_2_with_now(act_2, at) {
            Ok(engine) => Ok(engine),
            Err(NoiseError::InvalidCertificate(_)) => Err(HandshakeError::WrongKey),
            Err(_) => Err(HandshakeError::Garbled),
        };
        let Some(certificate) = certificate else {
            return Ok(Secured { engine: judge(now)?, certificate_not_after: None });
        };
        if certificate.version != CERTIFICATE_VERSION {
            return Err(HandshakeError::CertificateVersion(certificate.version));
        }
        let (valid_from, not_valid_after) = (certificate.valid_from, certificate.not_valid_after);
        if valid_from.saturating_sub(LEEWAY) <= now && now <= not_valid_after.saturating_add(LEEWAY) {
            let end = UNIX_EPOCH + Duration::from_secs(not_valid_after.into());
            return Ok(Secured { engine: judge(now)?, certificate_not_after: Some(end) });
        }
        // Only who holds the key may tell us that our clock is wrong.
        judge(valid_from)?;
        Err(HandshakeError::ClockSkew { valid_from, not_valid_after, now })
    }
}

fn unix_seconds(time: SystemTime) -> Result<u32, HandshakeError> {
    let since = time.duration_since(UNIX_EPOCH).map_err(|_| HandshakeError::NoClock)?;
    u32::try_from(since.as_secs()).map_err(|_| HandshakeError::NoClock)
}

#[cfg(test)]
mod tests;
