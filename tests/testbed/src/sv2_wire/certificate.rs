//! Authority keys, and certificates signed by them that need not be any good.

use std::time::Duration;
use stratum_apps::{
    key_utils::{Secp256k1PublicKey, Secp256k1SecretKey},
    stratum_core::{bitcoin::base58, noise_sv2::Responder},
};

/// A key pair that signs certificates. For tests only: the secrets stand in the source.
#[derive(Clone)]
pub struct Authority {
    pub(crate) public: Secp256k1PublicKey,
    pub(crate) secret: Secp256k1SecretKey,
}

impl Authority {
    /// The one that servers here use unless told otherwise.
    #[must_use]
    pub fn usual() -> Self {
        Self::from_secret([0x17; 32])
    }

    /// Another one.
    #[must_use]
    pub fn stranger() -> Self {
        Self::from_secret([0x2b; 32])
    }

    fn from_secret(bytes: [u8; 32]) -> Self {
        let secret: Secp256k1SecretKey =
            base58::encode_check(&bytes).parse().expect("a small number is a valid secret key");
        Self { public: secret.into(), secret }
    }

    /// The public key as it stands in a pool's URL.
    #[must_use]
    pub fn key(&self) -> String {
        self.public.to_string()
    }

    /// The x coordinate of the public key.
    #[must_use]
    pub fn key_bytes(&self) -> [u8; 32] {
        self.public.into_bytes()
    }

    pub(super) fn responder(&self, lifetime: Duration) -> Box<Responder> {
        Responder::from_authority_kp(&self.public.into_bytes(), &self.secret.into_bytes(), lifetime)
            .expect("the keys are a pair")
    }
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").field("key", &self.key()).finish_non_exhaustive()
    }
}

/// When the certificate of a server begins and ends to be valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// Seconds between now and its first valid second; negative = in the past.
    pub begins_in: i64,
    /// How long it is valid from then.
    pub lifetime: Duration,
}

impl Certificate {
    /// Valid from now, for an hour.
    pub const VALID: Self = Self { begins_in: 0, lifetime: Duration::from_secs(3600) };

    /// Ended this many seconds ago.
    #[must_use]
    pub fn expired(seconds_ago: u16) -> Self {
        Self { begins_in: -3600 - i64::from(seconds_ago), ..Self::VALID }
    }

    /// Begins in this many seconds.
    #[must_use]
    pub fn from_the_future(seconds: u16) -> Self {
        Self { begins_in: i64::from(seconds), ..Self::VALID }
    }
}
