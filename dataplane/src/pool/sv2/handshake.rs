//! The Noise NX handshake, as its initiator, and what the peer's certificate says.
//!
//! Source: Stratum V2 specification 04 §4.5; stratum-client N1 to N7, SEC1, SEC5. The cryptography is that of the reference
//! implementation. It gives one error for a wrong key and for a wrong clock, and never shows a certificate that it
//! accepted, so the second act is read twice: once by a twin with the same ephemeral key that only looks at the
//! certificate, then in earnest, by one initiator for each authority key that is trusted (SEC1).

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

/// Keys that are tried at most, so that a list cannot make a connect slow: that of the URL and all that a pool may add.
const MAX_KEYS: usize = 9;

/// What is needed to believe a peer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Trust<'a> {
    /// Any of them may have signed the certificate (SEC1); those beyond the ninth are not looked at.
    pub(super) authorities: &'a [AuthorityKey],
    /// Unix seconds; `None` = the clock is wrong and its owner said that the signature is enough (SEC5).
    pub(super) now: Option<u32>,
    /// How far the clock may lie outside the certificate's validity (N5).
    pub(super) leeway: Duration,
}

/// An encrypted session with a peer that proved its key.
#[derive(Debug)]
pub(super) struct Secured {
    pub(super) engine: NoiseEngine,
    /// The key that signed the certificate.
    pub(super) authority: AuthorityKey,
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
         (Unix seconds); check the clock"
    )]
    ClockSkew { valid_from: u32, not_valid_after: u32, now: u32 },
    #[error("the configured authority key is no key; check the key in the pool's URL")]
    BadKey,
}

/// Shakes hands over a fresh stream; the peer's answer has `deadline`.
///
/// # Errors
/// The stream must be dropped after any.
pub(super) async fn initiate<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    trust: Trust<'_>,
    deadline: Duration,
) -> Result<Secured, HandshakeError> {
    let mut initiators = Initiators::new(trust.authorities)?;
    let act_1 = initiators.act_1()?;
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
    initiators.finish(act_2, trust)
}

/// Initiators with the same ephemeral key, so that all of them can read the one answer.
struct Initiators {
    earnest: Vec<(AuthorityKey, Box<Initiator>)>,
    twin: Box<Initiator>,
}

impl Initiators {
    fn new(authorities: &[AuthorityKey]) -> Result<Self, HandshakeError> {
        let random = StdRng::from_rng(OsRng).map_err(|_| HandshakeError::Garbled)?;
        let initiator = |authority: &AuthorityKey| {
            let mut same = random.clone();
            Initiator::from_raw_k_with_rng(authority.to_bytes(), &mut same).map_err(|_| HandshakeError::BadKey)
        };
        let earnest = authorities.iter().take(MAX_KEYS).map(|authority| Ok((*authority, initiator(authority)?)));
        let earnest = earnest.collect::<Result<Vec<_>, _>>()?;
        let first = authorities.first().ok_or(HandshakeError::BadKey)?;
        Ok(Self { earnest, twin: initiator(first)? })
    }

    fn act_1(&mut self) -> Result<[u8; 64], HandshakeError> {
        // All say the same: the encoding of a key is a function of it.
        let mut act_1 = self.twin.step_0().map_err(|_| HandshakeError::Garbled)?;
        for (_, initiator) in &mut self.earnest {
            act_1 = initiator.step_0().map_err(|_| HandshakeError::Garbled)?;
        }
        Ok(act_1)
    }

    fn finish(mut self, act_2: [u8; ACT_2_SIZE], trust: Trust<'_>) -> Result<Secured, HandshakeError> {
        // No certificate of today is valid at the beginning of time, so the twin always shows it as refused.
        let certificate = match self.twin.step_2_with_now(act_2, 0) {
            Err(NoiseError::InvalidCertificate(certificate)) => Some(certificate),
            Ok(_) => None,
            Err(_) => return Err(HandshakeError::Garbled),
        };
        let Some(certificate) = certificate else {
            return self.judge(act_2, trust.now.unwrap_or_default());
        };
        let (valid_from, not_valid_after) = (certificate.valid_from, certificate.not_valid_after);
        let in_force = is_in_force(certificate.version, valid_from, not_valid_after, trust)?;
        // Only who holds a key may tell us that our clock is wrong; and the leeway is ours, not that of the library.
        let secured = self.judge(act_2, valid_from)?;
        match (in_force, trust.now) {
            (false, Some(now)) => Err(HandshakeError::ClockSkew { valid_from, not_valid_after, now }),
            _ => {
                let end = UNIX_EPOCH + Duration::from_secs(not_valid_after.into());
                Ok(Secured { certificate_not_after: Some(end), ..secured })
            }
        }
    }

    /// The session, by the first key that signed the certificate.
    fn judge(&mut self, act_2: [u8; ACT_2_SIZE], at: u32) -> Result<Secured, HandshakeError> {
        for (authority, initiator) in &mut self.earnest {
            match initiator.step_2_with_now(act_2, at) {
                Ok(engine) => return Ok(Secured { engine, authority: *authority, certificate_not_after: None }),
                Err(NoiseError::InvalidCertificate(_)) => {}
                Err(_) => return Err(HandshakeError::Garbled),
            }
        }
        Err(HandshakeError::WrongKey)
    }
}

/// Whether a certificate counts now, with some leeway; of no use at all in another version (N5, N6).
fn is_in_force(version: u16, valid_from: u32, not_valid_after: u32, trust: Trust<'_>) -> Result<bool, HandshakeError> {
    if version != CERTIFICATE_VERSION {
        return Err(HandshakeError::CertificateVersion(version));
    }
    let leeway = u32::try_from(trust.leeway.as_secs()).unwrap_or(u32::MAX);
    let in_force = |now| valid_from.saturating_sub(leeway) <= now && now <= not_valid_after.saturating_add(leeway);
    Ok(trust.now.is_none_or(in_force))
}

#[cfg(test)]
mod tests;
