//! The key that names a Stratum V2 pool: whoever holds its secret half signs the certificates of the pool's servers.
//!
//! Source: Stratum V2 specification 04 §4.7: base58check of a version (1, as a little-endian u16) and a BIP 340 key.

use std::fmt;
use std::str::FromStr;

use bitcoin::base58;
use bitcoin::hashes::{Hash, sha256};
use bitcoin::secp256k1::XOnlyPublicKey;

use super::MAX_URL_BYTES;
use super::error::EndpointError;

/// The only version of the text form that exists.
const VERSION: u16 = 1;

/// A pool's authority public key: the x coordinate of a point on secp256k1, in big endian as BIP 340 has it.
///
/// Every value is a point on the curve. Ordered and compared by its bytes; not secret.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AuthorityKey([u8; 32]);

impl AuthorityKey {
    /// Takes the 32 bytes of an x-only key.
    ///
    /// # Errors
    /// [`EndpointError::KeyNotOnCurve`] if no point has this x coordinate.
    pub fn from_bytes(x: [u8; 32]) -> Result<Self, EndpointError> {
        match XOnlyPublicKey::from_slice(&x) {
            Ok(_) => Ok(Self(x)),
            Err(_) => Err(EndpointError::KeyNotOnCurve),
        }
    }

    /// The 32 bytes of the x-only key.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 32] {
        self.0
    }

    /// The first 16 hexadecimal digits of the SHA-256 of the key: short enough to compare by eye.
    #[must_use]
    pub fn fingerprint(self) -> String {
        let mut digits = sha256::Hash::hash(&self.0).to_string();
        digits.truncate(16);
        digits
    }
}

impl FromStr for AuthorityKey {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        if text.is_empty() {
            return Err(EndpointError::MissingKey);
        }
        if text.len() > MAX_URL_BYTES {
            return Err(EndpointError::TooLong); // decoding takes time quadratic in the length
        }
        let payload = base58::decode_check(text).map_err(|error| match error {
            base58::Error::IncorrectChecksum(_) => EndpointError::KeyChecksum,
            base58::Error::TooShort(_) => EndpointError::KeyLength { found: 0 },
            _ => EndpointError::KeyNotBase58,
        })?;
        let length = EndpointError::KeyLength { found: payload.len() };
        let (version, x) = payload.split_first_chunk().ok_or_else(|| length.clone())?;
        let x = <[u8; 32]>::try_from(x).map_err(|_| length)?;
        match u16::from_le_bytes(*version) {
            VERSION => Self::from_bytes(x),
            found => Err(EndpointError::KeyVersion { found }),
        }
    }
}

impl fmt::Display for AuthorityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [low, high] = VERSION.to_le_bytes();
        let mut payload = vec![low, high];
        payload.extend_from_slice(&self.0);
        f.pad(&base58::encode_check(&payload))
    }
}

impl fmt::Debug for AuthorityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AuthorityKey({self})")
    }
}
