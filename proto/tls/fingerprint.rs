//! The digest by which people and programs recognise a certificate or a key.

use ring::digest::{SHA256, digest};
use std::{fmt, str::FromStr};

/// SHA-256 of a certificate or of a public key, both as DER.
///
/// Shown as 16 groups of four hex digits, which two people can compare over the telephone.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; 32]);

/// Why a text is no fingerprint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FingerprintError {
    /// Too many or too few digits.
    #[error("has {0} hex digits instead of 64; copy the whole fingerprint")]
    Length(usize),
    /// Neither a digit nor what stands between groups.
    #[error("contains {0:?}; a fingerprint has only the digits 0-9 and a-f, in groups")]
    Character(char),
}

impl Fingerprint {
    /// The fingerprint of these bytes.
    #[must_use]
    pub fn of(der: &[u8]) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest(&SHA256, der).as_ref());
        Self(bytes)
    }

    /// The digest itself.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl From<[u8; 32]> for Fingerprint {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, pair) in self.0.chunks(2).enumerate() {
            if i > 0 {
                f.write_str(":")?;
            }
            pair.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

impl FromStr for Fingerprint {
    type Err = FingerprintError;

    /// Reads it as it is shown; groups may be of any length, and digits may be capital.
    fn from_str(text: &str) -> Result<Self, FingerprintError> {
        let mut bytes = [0_u8; 32];
        let mut digits = 0;
        for character in text.trim().chars().filter(|c| !matches!(c, ':' | '-' | ' ')) {
            let digit = character.to_digit(16).and_then(|digit| u8::try_from(digit).ok());
            let digit = digit.ok_or(FingerprintError::Character(character))?;
            if let Some(byte) = bytes.get_mut(digits / 2) {
                *byte = *byte << 4 | digit;
            }
            digits += 1;
        }
        if digits == 64 { Ok(Self(bytes)) } else { Err(FingerprintError::Length(digits)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprint_is_read_as_it_is_shown_and_as_other_tools_show_it() {
        let fingerprint = Fingerprint::of(b"abc");
        let shown = "ba78:16bf:8f01:cfea:4141:40de:5dae:2223:b003:61a3:9617:7a9c:b410:ff61:f200:15ad";
        assert_eq!(fingerprint.to_string(), shown);
        assert_eq!(shown.parse(), Ok(fingerprint));
        let bare = shown.replace(':', "").to_uppercase();
        assert_eq!(bare.parse(), Ok(fingerprint));
        let pairs = bare.as_bytes().chunks(2).map(|pair| str::from_utf8(pair).unwrap()).collect::<Vec<_>>().join(":");
        assert_eq!(pairs.parse(), Ok(fingerprint));
    }

    #[test]
    fn cut_and_mistyped_fingerprints_are_refused() {
        let shown = Fingerprint::of(b"abc").to_string();
        assert_eq!(shown[..78].parse::<Fingerprint>(), Err(FingerprintError::Length(63)));
        assert_eq!(format!("{shown}0").parse::<Fingerprint>(), Err(FingerprintError::Length(65)));
        assert_eq!(shown.replace('f', "g").parse::<Fingerprint>(), Err(FingerprintError::Character('g')));
        assert_eq!("".parse::<Fingerprint>(), Err(FingerprintError::Length(0)));
    }
}
